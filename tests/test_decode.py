"""JSON from outside: bounded, and read with types that name the place of a fault."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.decode import MIB, DecodeError, Value, parse_json
from comfywatchman.errors import InputError

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=20)


@given(values)
def test_print_and_parse(value: object) -> None:
    """What json.dumps writes reads back the same, in every encoding JSON comes in."""
    text = json.dumps(value, ensure_ascii=False)
    assert parse_json(text) == value
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        assert parse_json(text.encode(encoding)) == value


@given(st.binary() | st.text())
def test_any_bytes(data: bytes | str) -> None:
    """Any bytes are JSON or a DecodeError."""
    try:
        value = parse_json(data)
    except DecodeError:
        return
    assert parse_json(json.dumps(value)) == value


HOSTILE = [
    ("empty", b"", "not JSON"),
    ("a web page", b"<!doctype html><title>Sign in</title>", "line 1, column 1"),
    ("cut", b'{"a": [1, 2', "not JSON"),
    ("two documents", b"{}{}", "not JSON"),
    ("single quotes", b"{'a': 1}", "not JSON"),
    ("no text", b'{"a": "\xff\xfe\xfa"}', "no text at byte 7"),
    ("surrogates in UTF-8", b'{"a": "\xed\xa0\x80"}', "no text at byte 7"),
    ("half of UTF-16", "\ufeff{}".encode("utf-16-le")[:-1], "no text at byte"),
    ("binary", bytes(range(256)), "not JSON"),
    ("depth of lists", b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    ("depth of objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    ("depth unclosed", b"[" * 100_000, "nested too deeply"),
    ("5,000 digits", b'{"a": ' + b"9" * 5000 + b"}", "thousands of digits"),
    ("5,000 negative digits", b"-" + b"9" * 5000, "thousands of digits"),
]


@pytest.mark.parametrize(("data", "said"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_hostile(data: bytes, said: str) -> None:
    """Each kind of bad input is one clear error."""
    with pytest.raises(DecodeError, match=said) as fault:
        parse_json(data)
    assert isinstance(fault.value, InputError)
    assert fault.value.hint
    assert len(fault.value.message) < 200


def test_depth_that_is_fine() -> None:
    """A real document's depth is no attack: the guard is the parser's own limit."""
    assert parse_json("[" * 100 + "]" * 100) != []


@pytest.mark.parametrize("data", ['"' + "a" * 99 + '"', b'"' + b"a" * 99 + b'"'])
def test_limit(data: bytes | str) -> None:
    """One byte over the limit is refused before it is parsed; at the limit it is read."""
    assert parse_json(data, limit=101) == "a" * 99
    with pytest.raises(DecodeError, match="JSON of 101 bytes is over the limit of 100"):
        parse_json(data, limit=100)


def test_long_text() -> None:
    """A long text is read as a short one is, with numbers of every kind."""
    value = [0, -1, 10**30, 1.5, -2e-7, True, None, {"a": ["x" * MIB]}]
    assert parse_json(json.dumps(value)) == value
    with pytest.raises(DecodeError, match="thousands of digits"):
        parse_json(f'["{"x" * MIB}", {"9" * 5000}]')


def test_default_limit() -> None:
    """20 MiB, unless the caller says otherwise."""
    with pytest.raises(DecodeError, match="over the limit"):
        parse_json(b" " * (20 * MIB + 1))


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none(constant: str) -> None:
    """What ComfyUI writes for a number that is none is read as null."""
    assert parse_json(f'{{"a": [{constant}]}}') == {"a": [None]}


def test_byte_order_mark_in_text() -> None:
    """A mark that an editor left is no part of the document, in bytes or text."""
    assert parse_json("\ufeff[1]") == parse_json(b"\xef\xbb\xbf[1]") == [1]


# ── typed reading ──

DOCUMENT = Value(
    {
        "text": "é",
        "half": "a\ud83d",
        "whole": 3,
        "float": 3.0,
        "part": 3.5,
        "yes": True,
        "none": None,
        "huge": 10**400,
        "infinite": math.inf,
        "list": [{"name": 1}, "x"],
        "object": {"a": 1},
    }
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (DOCUMENT["text"].text(), "é"),
        (DOCUMENT["text"].text_or_none(), "é"),
        (DOCUMENT["whole"].text_or_none(), None),
        (DOCUMENT["half"].text_or_none(), None),
        (DOCUMENT["whole"].integer(), 3),
        (DOCUMENT["float"].integer(), 3),
        (DOCUMENT["huge"].integer(), 10**400),
        (DOCUMENT["whole"].integer_or_none(), 3),
        (DOCUMENT["part"].integer_or_none(), None),
        (DOCUMENT["whole"].number(), 3.0),
        (DOCUMENT["part"].number(), 3.5),
        (DOCUMENT["yes"].flag(), True),
        (DOCUMENT["whole"].flag(), False),
        (DOCUMENT["none"].flag(), False),
        (DOCUMENT["list"][0]["name"].integer(), 1),
        (DOCUMENT["list"][-1].json, None),
        (DOCUMENT["list"][2].json, None),
        (DOCUMENT["list"]["name"].json, None),
        (DOCUMENT["object"][0].json, None),
        (DOCUMENT["no"]["such"][0]["place"].json, None),
        ([value.path for value in DOCUMENT["list"].items()], ["$.list[0]", "$.list[1]"]),
        ([(key, value.path) for key, value in DOCUMENT["object"].entries()], [("a", "$.object.a")]),
        (list(DOCUMENT["none"].items()), []),
        (list(DOCUMENT["missing"].entries()), []),
    ],
)
def test_reading(value: object, expected: object) -> None:
    """Each reader gives the value of its type; what is not there reads as null."""
    assert value == expected


@pytest.mark.parametrize(
    ("place", "reader", "said"),
    [
        ("none", "text", "$.none: expected text, got null"),
        ("whole", "text", "$.whole: expected text, got a number"),
        ("list", "text", "$.list: expected text, got a list"),
        ("half", "text", "$.half: expected text, got half a character (a lone surrogate)"),
        ("part", "integer", "$.part: expected a whole number, got a number"),
        ("yes", "integer", "$.yes: expected a whole number, got true or false"),
        ("infinite", "integer", "$.infinite: expected a whole number, got a number"),
        ("text", "number", "$.text: expected a number, got text"),
        ("yes", "number", "$.yes: expected a number, got true or false"),
        ("huge", "number", "$.huge: expected a number, got one that is too large"),
        ("infinite", "number", "$.infinite: expected a number, got one that is too large"),
        ("object", "number", "$.object: expected a number, got an object"),
        ("object", "items", "$.object: expected a list, got an object"),
        ("list", "entries", "$.list: expected an object, got a list"),
    ],
)
def test_fault(place: str, reader: str, said: str) -> None:
    """A fault names the place, what was expected and what is there."""
    with pytest.raises(DecodeError) as fault:
        list(getattr(DOCUMENT[place], reader)())
    assert fault.value.message == said


def test_fault_at_a_hostile_key() -> None:
    """A document's keys can neither flood a message nor write to a terminal with it."""
    [(_, long)] = Value({"k" * 10_000: 1}).entries()
    [(_, ugly)] = Value({"\x1b[2J\n\ud800": 1}).entries()
    assert len(long.fault("text").message) < 300
    assert ugly.fault("text").message == r"'$.\x1b[2J\n\ud800': expected text, got a number"


def test_number_too_large_for_a_float() -> None:
    """1e999 is a number in JSON and none in Python."""
    with pytest.raises(DecodeError, match="too large"):
        Value(parse_json("1e999")).number()
