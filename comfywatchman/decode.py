"""JSON from outside: bounded parsing, then typed reading that names the path of a fault.

    answer = Value(parse_json(body, limit=10 * MIB))
    answer["files"][0]["name"].text()      # "$.files[0].name: expected text, got null"

ComfyUI writes NaN and Infinity into saved prompts; they are read as null.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .catalog import Json
from .errors import InputError

MIB: Final = 1 << 20

_KINDS: Final = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


class DecodeError(InputError):
    """Bytes that are no JSON, or a JSON value that is not what its place asks for."""

    code = "invalid-json"
    default_hint = "Get the file again, or correct it at the place the message names."


@dataclass(frozen=True, slots=True)
class Value:
    """A JSON value and where it stands. Looking up what is not there gives a Value of null."""

    json: Json
    path: str = "$"

    def __getitem__(self, key: str | int) -> Value:
        if isinstance(key, str):
            inner = self.json.get(key) if isinstance(self.json, dict) else None
            return Value(inner, f"{self.path}.{key}")
        inner = self.json[key] if isinstance(self.json, list) and 0 <= key < len(self.json) else None
        return Value(inner, f"{self.path}[{key}]")

    def items(self) -> Iterator[Value]:
        """The members of a list; null and a missing list have none.

        Raises:
            DecodeError: it is something else.
        """
        if self.json is None:
            return
        if not isinstance(self.json, list):
            raise self.fault("a list")
        for index, inner in enumerate(self.json):
            yield Value(inner, f"{self.path}[{index}]")

    def entries(self) -> Iterator[tuple[str, Value]]:
        """The keys and values of an object; null and a missing object have none.

        Raises:
            DecodeError: it is something else.
        """
        if self.json is None:
            return
        if not isinstance(self.json, dict):
            raise self.fault("an object")
        for key, inner in self.json.items():
            yield key, Value(inner, f"{self.path}.{key}")

    def text(self) -> str:
        """A string that can be written anywhere: JSON can hold halves of a character, and those are refused.

        Raises:
            DecodeError: it is none.
        """
        if isinstance(self.json, str):
            if _is_whole(self.json):
                return self.json
            raise DecodeError(f"{self._place()}: expected text, got half a character (a lone surrogate)")
        raise self.fault("text")

    def integer(self) -> int:
        """A whole number; 3.0 counts, true does not.

        Raises:
            DecodeError: it is none.
        """
        if isinstance(self.json, int) and not isinstance(self.json, bool):
            return self.json
        if isinstance(self.json, float) and self.json.is_integer():
            return int(self.json)
        raise self.fault("a whole number")

    def number(self) -> float:
        """A number that a float can hold: 1e999 is none.

        Raises:
            DecodeError: it is none.
        """
        if isinstance(self.json, int | float) and not isinstance(self.json, bool):
            if abs(self.json) <= sys.float_info.max:
                return float(self.json)
            raise DecodeError(f"{self._place()}: expected a number, got one that is too large")
        raise self.fault("a number")

    def text_or_none(self) -> str | None:
        """The string, or None for anything else: for fields nothing depends on."""
        return self.json if isinstance(self.json, str) and _is_whole(self.json) else None

    def integer_or_none(self) -> int | None:
        """The whole number, or None for anything else: for fields nothing depends on."""
        try:
            return self.integer()
        except DecodeError:
            return None

    def flag(self) -> bool:
        """Whether it is the value true."""
        return self.json is True

    def fault(self, wanted: str) -> DecodeError:
        """The error that says what was expected here."""
        return DecodeError(f"{self._place()}: expected {wanted}, got {_KINDS[type(self.json)]}")

    def _place(self) -> str:
        """The path as it can stand in a message, whatever the keys of the document are."""
        shown = self.path if len(self.path) <= 200 else f"…{self.path[-199:]}"
        return shown if shown.isprintable() else ascii(shown)


def parse_json(data: bytes | str, *, limit: int = 20 * MIB) -> Json:
    """Parse JSON text of at most `limit` bytes; a byte order mark and UTF-16 are understood.

    Long texts let other threads run meanwhile, for a fifth more time: json's C code never lets go of the
    interpreter by itself, but does where it calls a function written in Python.

    Raises:
        DecodeError: too large, too deep, no text, or no JSON; the message says which and where.
    """
    if len(data) > limit:
        raise DecodeError(f"JSON of {len(data):,} bytes is over the limit of {limit:,}")
    try:
        text = data.decode(json.detect_encoding(data)) if isinstance(data, bytes) else data
        hooks = _GENTLE if len(data) > MIB else {}
        parsed: Json = json.loads(text.removeprefix("\ufeff"), parse_constant=_no_number, **hooks)
    except UnicodeDecodeError as fault:
        raise DecodeError(f"not JSON: no text at byte {fault.start}") from fault
    except json.JSONDecodeError as fault:
        raise DecodeError(f"not JSON: {fault.msg} at line {fault.lineno}, column {fault.colno}") from fault
    except RecursionError as fault:
        raise DecodeError("JSON is nested too deeply to be read") from fault
    except ValueError as fault:  # int() refuses more than 4,300 digits
        raise DecodeError("JSON holds a number with thousands of digits") from fault
    return parsed


def _is_whole(text: str) -> bool:
    """Whether text has no lone surrogates, which no encoding can write."""
    return text.isascii() or not _SURROGATES.search(text)


def _no_number(_constant: str) -> None:
    """NaN and Infinity become null, as ComfyUI's front end reads them."""


def _as_it_is(parsed: dict[str, Json]) -> dict[str, Json]:
    return parsed


def _integer(digits: str) -> int:
    return int(digits)


def _float(digits: str) -> float:
    return float(digits)


_GENTLE: Final[Mapping[str, Any]] = {
    "object_hook": _as_it_is,
    "parse_int": _integer,
    "parse_float": _float,
}
