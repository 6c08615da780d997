"""Trigger words: split as people mean them, and put into a prompt without touching what stands there."""

from __future__ import annotations

import time
from typing import Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from comfywatchman.triggers import find_tags, join_words, leave_out, merge_words, split_words

Position = Literal["before", "after"]
POSITIONS = st.sampled_from(["before", "after"])

# Letters of many scripts, and pieces of every syntax that prompts have.
PIECES = st.sampled_from([
    *("ink", "INK", "ink wash", "é", "e\u0301", "\u0301", "ß", "ſ", "İ", "\u0345", "क", "कि", "墨", "，"),
    *(",", ", ", " ", "\n", "(", ")", "[", "]", "{", "}", "\\", ":1.2", "<lora:", ">", "<lora:ink:1>", "<"),
    *("embedding:", "_", "-", "\x1c", "\u200d", "\u212a", "👩", "\x00", ";q", ">_o", "|", "、"),
])  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)
ENTRIES = st.lists(TEXTS, max_size=5)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([], []),
        (["ink wash"], ["ink wash"]),
        (["", " ", ",", ", ,", "，、"], []),
        (["takagi-san,school_uniform, serafuku,"], ["takagi-san", "school_uniform", "serafuku"]),
        (["crown，weapon，sword，"], ["crown", "weapon", "sword"]),
        (["猫、犬"], ["猫", "犬"]),
        (["VanellopeVon ", " mverse"], ["VanellopeVon", "mverse"]),
        (["one\ntwo\r\nthree"], ["one", "two", "three"]),
        (["Ink", "ink", "INK wash", "ink  wash"], ["Ink", "INK wash"]),
        (["straße", "STRASSE", "e\u0301", "É"], ["straße", "e\u0301"]),
        (["<lora:yomiya1-000009:1>"], []),
        (["<LoRA:ink:0.8>, ink <lyco:b:1> wash <hypernet:c>"], ["ink", "wash"]),
        (
            ["<shuimo>", "<tng-worf>", ">_o", ";q", "<lora:"],
            ["<shuimo>", "<tng-worf>", ">_o", ";q", "<lora:"],
        ),
        ([r"black_rock_shooter_\(character\)"], [r"black_rock_shooter_\(character\)"]),
        ([r"star \(symbol\), moon \(a, b\)"], [r"star \(symbol\)", r"moon \(a", r"b\)"]),
        (["star (symbol)", r"star \(symbol\)"], ["star (symbol)"]),
        (["greyscale，(line art, ink:1.1)"], ["greyscale", "(line art, ink:1.1)"]),
        (["{red, blue|__colour__} hat, [a, b]"], ["{red, blue|__colour__} hat", "[a, b]"]),
        (["((a, b), c), d"], ["((a, b), c)", "d"]),
        ([":(, sad, :)"], [":(, sad, :)"]),
        ([":(, sad"], [":(", "sad"]),
        (["(a, b", "c), d", "[x) , y"], ["(a", "b", "c)", "d", "[x)", "y"]),
        (["fantz creature|monster"], ["fantz creature|monster"]),
    ],
)
def test_split_words(entries: list[str], words: list[str]) -> None:
    """Lists inside entries are taken apart, tags and blanks dropped, and words kept as they were written."""
    assert list(split_words(entries)) == words


def test_recorded_words(shared_data: Any) -> None:
    """No recorded entry of the hubs leaves a comma, a tag, a blank or the same word twice."""
    import json

    for path in sorted((shared_data / "hubs/civitai/models_2023-07").glob("*.json")):
        for version in json.loads(path.read_text(encoding="utf-8"))["modelVersions"]:
            words = split_words(version.get("trainedWords", []))
            assert all(word == word.strip(" ,，") != "" and "<lora:" not in word for word in words)
            assert len({word.casefold() for word in words}) == len(words)


@given(ENTRIES)
def test_split_words_law(entries: list[str]) -> None:
    """Words are words: splitting them again changes nothing."""
    words = split_words(entries)
    assert split_words(words) == words


@given(ENTRIES, ENTRIES)
def test_merge_words(one: list[str], other: list[str]) -> None:
    """The first source's words come first, and nothing stands there twice."""
    merged = merge_words(one, other)
    first = split_words(one)
    assert merged[: len(first)] == first
    assert merged == split_words([*one, *other])


@pytest.mark.parametrize(
    ("prompt", "words", "after"),
    [
        ("a cat", [], "a cat"),
        ("", ["ink"], "ink"),
        ("a cat", ["ink", "fog"], "a cat, ink, fog"),
        ("a cat,", ["ink"], "a cat, ink"),
        ("a cat, ", ["ink"], "a cat, ink"),
        ("a cat\n", ["ink"], "a cat\n, ink"),
        ("猫，", ["墨"], "猫， 墨"),
        ("an INK wash", ["Ink  Wash", "fog"], "an INK wash, fog"),
        ("(ink wash:1.2), [fog]", ["ink wash", "fog"], "(ink wash:1.2), [fog]"),
        ("((ink, fog))", ["fog", "ink"], "((ink, fog))"),
        (r"star \(symbol\)", ["star (symbol)"], r"star \(symbol\)"),
        ("(symbol)", [r"\(symbol\)"], "(symbol)"),
        ("inkwell, pink, ink_pot, ink-jet", ["ink"], "inkwell, pink, ink_pot, ink-jet, ink"),
        ("कि", ["क"], "कि, क"),
        ("<lora:ink:1> a cat", ["ink"], "<lora:ink:1> a cat, ink"),
        ("embedding:ink", ["ink"], "embedding:ink, ink"),
        ("embedding:ink, ink", ["ink"], "embedding:ink, ink"),
        ("embedding:ink", ["embedding:ink"], "embedding:ink"),
        ("a cat", ["<lora:ink:1>", "ink,", ""], "a cat, ink"),
        ("a cat", ["ink wash", "ink"], "a cat, ink wash, ink"),
        ("ink_wash", ["ink wash"], "ink_wash, ink wash"),
        ("CAFE\u0301", ["café"], "CAFE\u0301"),
    ],
)
def test_join_words(prompt: str, words: list[str], after: str) -> None:
    """A whole word in any case and weight is there already; a part of another word is not."""
    assert join_words(prompt, words, position="after") == after


@pytest.mark.parametrize(
    ("prompt", "before"),
    [("a cat", "ink, a cat"), ("", "ink"), (" ", "ink "), (", a cat", "ink, a cat"), ("，a", "ink，a")],
)
def test_join_words_before(prompt: str, before: str) -> None:
    """Words before a prompt are followed by one comma."""
    assert join_words(prompt, ["ink"], position="before") == before


@given(TEXTS, ENTRIES, POSITIONS)
@example("<lora:abc", [">_o"], "after")
@example(">", ["<lora:a"], "before")
def test_join_words_law(prompt: str, words: list[str], position: Position) -> None:
    """What the user wrote stays whole at its end of the result; joining again adds nothing."""
    joined = join_words(prompt, words, position=position)
    assert joined.endswith(prompt) if position == "before" else joined.startswith(prompt)
    for again in ("before", "after"):
        assert join_words(joined, words, position=again) == joined


@given(ENTRIES, POSITIONS, st.data())
def test_no_word_twice(words: list[str], position: Position, data: st.DataObject) -> None:
    """A word that already stands alone between commas is not added."""
    split = split_words(words)
    said = data.draw(st.lists(st.sampled_from(split), unique=True)) if split else []
    prompt = ", ".join(["x y z", *said])
    joined = join_words(prompt, words, position=position)
    added = joined.removesuffix(prompt) if position == "before" else joined.removeprefix(prompt)
    assert not set(split_words([added])) & set(said)


@pytest.mark.parametrize(
    ("part", "word"),
    [("a", "a" * 1000), ("a", "a"), ("_a", "a"), (r"\(", "(a)"), ("xink wash", "ink wash"), ("e\u0301", "e")],
)
def test_long_prompts(part: str, word: str) -> None:
    """A prompt of a megabyte costs a blink, whatever it repeats: 0.1 s at most, here with room to spare."""
    prompt = part * ((1 << 20) // len(part))
    began = time.perf_counter()
    assert join_words(prompt, [word], position="after") == f"{prompt}, {word}"
    assert time.perf_counter() - began < 0.5


@given(ENTRIES, st.data())
def test_leave_out(entries: list[str], data: st.DataObject) -> None:
    """What is switched off is gone, however it is spelled, and the rest stays in order."""
    words = split_words(entries)
    off = data.draw(st.lists(st.sampled_from(words), unique=True)) if words else []
    assert leave_out(words, [f" {word} " for word in off]) == tuple(word for word in words if word not in off)
    assert leave_out(words, words) == ()
    assert leave_out(words, []) == words


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", []),
        ("a <lora:ink:0.8> b", [("ink", 0.8)]),
        ("<LORA:style/ink v1.5:-1:0.5><lyco: fog >", [("style/ink v1.5", -1.0), ("fog", 1.0)]),
        ("<lora:ink:much><lora:ink:1e9><lora:ink:nan>", [("ink", 1.0)] * 3),
        ("<lora:ink:lbw=OUTALL:stop=20>", [("ink", 1.0)]),
        ("<lora:><lora><hypernet:x:1><lora:a<b:1>", []),
    ],
)
def test_find_tags(text: str, tags: list[tuple[str, float]]) -> None:
    """The LoRAs that a prompt's tags name, with their weights."""
    assert list(find_tags(text)) == tags


@given(TEXTS)
def test_find_tags_in_any_text(text: str) -> None:
    """Any text has tags or none, and their weights are usable numbers."""
    assert all(name and abs(weight) <= 100 for name, weight in find_tags(text))
