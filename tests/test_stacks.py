"""The text of a LoRA stack: read as people write it, printed so that nothing is lost."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from comfywatchman.errors import InvalidStack
from comfywatchman.stacks import StackRow, parse_stack, print_stack
from comfywatchman.triggers import split_words

# Pieces of the form itself, of paths and of prompts, and anything else.
PIECES = st.sampled_from([
    *("on", "off", "|", " | ", "#", '"', "\\", "\\|", "words:", "[", "]", "{", "}", ",", ", ", "(", ")"),
    *("ink", "style/", "\n", "\r", "\u2028", "\x85", "\x1c", " ", "é", "墨", "，", "1", "0.5", "v:1", "null"),
])  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join)
NAMES = TEXTS.filter(str.strip)
WORDS = st.none() | st.lists(TEXTS.filter(lambda t: not any("\ud800" <= c <= "\udfff" for c in t))).map(
    split_words
)
STRENGTHS = st.floats(-100, 100) | st.integers(-100, 100).map(float)
ROWS = st.builds(
    StackRow, name=NAMES, on=st.booleans(), strength_model=STRENGTHS, strength_clip=STRENGTHS, words=WORDS
)


@given(st.lists(ROWS, max_size=5).map(tuple))
@example((StackRow(name="on"),))
@example((StackRow(name="# no remark"), StackRow(name='"quoted"'), StackRow(name=" a|b ")))
@example((StackRow(name="a", words=()),))
@example((StackRow(name="a", words=('["b"]',)), StackRow(name="[{")))
@example((StackRow(name="a", words=("(b", "c)")),))
def test_print_and_parse(rows: tuple[StackRow, ...]) -> None:
    """What is printed is read back as it was, whatever names and words hold."""
    assert parse_stack(print_stack(rows)) == rows


@given(st.lists(ROWS, max_size=5).map(tuple))
def test_json_says_the_same(rows: tuple[StackRow, ...]) -> None:
    """A JSON list of objects is read as well."""
    told = [
        {
            "name": row.name,
            "on": row.on,
            "strength_model": row.strength_model,
            "strength_clip": row.strength_clip,
            "words": None if row.words is None else list(row.words),
        }
        for row in rows
        if not any("\ud800" <= c <= "\udfff" for c in row.name)
    ]
    assert [row.name for row in parse_stack(json.dumps(told))] == [entry["name"] for entry in told]
    assert parse_stack(json.dumps(told)) == parse_stack(print_stack(parse_stack(json.dumps(told))))


@given(TEXTS)
def test_any_text(text: str) -> None:
    """Any text is a stack or is told to be none; what is one prints to the same."""
    try:
        rows = parse_stack(text)
    except InvalidStack:
        return
    assert parse_stack(print_stack(rows)) == rows


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("ink.safetensors", StackRow(name="ink.safetensors")),
        ("  v:2247497 |0.8", StackRow(name="v:2247497", strength_model=0.8, strength_clip=0.8)),
        ("OFF | 929497 | 1 | -0.5", StackRow(name="929497", on=False, strength_clip=-0.5)),
        (r"on|sub\ink.sft", StackRow(name=r"sub\ink.sft")),
        ("ink | words: a, (b, c:1.1)", StackRow(name="ink", words=("a", "(b, c:1.1)"))),
        (
            "ink | 0.5 | Words : {x|y} z",
            StackRow(name="ink", strength_model=0.5, strength_clip=0.5, words=("{x|y} z",)),
        ),
        ("ink | 1 | 1 | words:", StackRow(name="ink", words=())),
        ('ink | words: ["(a", "b)"]', StackRow(name="ink", words=("(a", "b)"))),
        ("ink | words: [a, b]", StackRow(name="ink", words=("[a, b]",))),
        ('on | "a | b" | 2', StackRow(name="a | b", strength_model=2, strength_clip=2)),
        ('[{"name": "ink"}]', StackRow(name="ink")),
        (
            '[{"name": "ink", "on": false, "strength_model": 2, "words": ["a, b"]}]',
            StackRow(name="ink", on=False, strength_model=2, strength_clip=2, words=("a", "b")),
        ),
    ],
)
def test_line(line: str, row: StackRow) -> None:
    """A line as people write it."""
    assert parse_stack(line) == (row,)


@pytest.mark.parametrize("text", ["", "\n \n", "# ink | 1", "  # on", "[]", " [ ]\n"])
def test_nothing(text: str) -> None:
    """Empty lines and remarks are no LoRAs."""
    assert parse_stack(text) == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ink\nink | strong", "line 2: expected a strength like 0.8, got 'strong'"),
        ("ink | 0,8", "line 1: expected a strength"),
        ("ink | nan", "line 1: expected a strength"),
        ("ink | 1_0", "line 1: expected a strength"),
        ("ink | ٣", "line 1: expected a strength"),
        ("ink | 101", "line 1: expected a strength"),
        ("ink | ", "line 1: expected a strength"),
        ("# a\n\non | | 1", "line 3: names no LoRA"),
        ("ink | 1 | 1 | 1", "line 1: expected words: … after the strengths"),
        ('"ink', "line 1: the name '\"ink' has no closing quote"),
        ('"ink" more | 1', "line 1: expected | after the name"),
        ('[{"on": true}]', "entry 1: $[0].name: expected text"),
        ('[{"name": " "}]', "entry 1: names no LoRA"),
        ('[{"name": "a", "strength_model": true}]', "entry 1: expected a strength"),
        ('[{"name": "a"}, {"name": "b", "strength_clip": 1e9}]', "entry 2: expected a strength"),
        ('[{"name": "a", "words": "a"}]', "entry 1: $[0].words: expected a list"),
        ("[{", "not JSON"),
        ("a\n" * 501, "501 LoRAs"),
        ("a" * (1 << 20) + "b", "characters"),
    ],
)
def test_faults(text: str, says: str) -> None:
    """What cannot be read is told with its line."""
    with pytest.raises(InvalidStack) as fault:
        parse_stack(text)
    assert says in fault.value.message
