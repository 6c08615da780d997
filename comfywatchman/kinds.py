"""The kinds of values that settings have: each reads JSON from the file and text that a person types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from .catalog import Json, canonical_folder
from .decode import Value

_PREFIXES: Final = ("", "k", "m", "g", "t")
_SIZE: Final = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?)\s*([kmgt]?)(i?)b?(?:/s)?", re.IGNORECASE)
_UNITS: Final = {"TiB": 1 << 40, "TB": 10**12, "GiB": 1 << 30, "GB": 10**9, "MiB": 1 << 20, "MB": 10**6}
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})
_WORD: Final = re.compile(r"[\w.+-]{1,40}", re.ASCII)
_HOST: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_-]+|\[[0-9a-f:.]+\]")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: `read` takes it from JSON, `parse` makes that JSON of what a person types.

    `word` tells a page how to ask for it: flag, count, size, text, choice, path, url, host, list or places.
    """

    word: str
    wanted: str
    read: Callable[[Value], Any]
    parse: Callable[[str], Json] = str
    choices: tuple[str, ...] = ()


def count(lowest: int, highest: int) -> Kind:
    """A whole number between these."""
    wanted = f"a whole number from {lowest} to {highest}"

    def read(value: Value) -> int:
        if not lowest <= (number := value.integer()) <= highest:
            raise value.fault(wanted)
        return number

    return Kind("count", wanted, read, _parse_number)


def _parse_number(text: str) -> Json:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else text


def _read_flag(value: Value) -> bool:
    if not isinstance(value.json, bool):
        raise value.fault("true or false")
    return value.json


def _parse_flag(text: str) -> Json:
    return True if text.lower() in _YES else False if text.lower() in _NO else text


def _read_size(value: Value) -> int:
    """Bytes: a whole number, or text as people write it; 1 kB is 1,000 of them and 1 KiB 1,024."""
    if not isinstance(value.json, str):
        number = value.integer()
    elif found := _SIZE.fullmatch(value.json.strip()):
        number = int(Decimal(found[1]) * (1024 if found[3] else 1000) ** _PREFIXES.index(found[2].lower()))
    else:
        raise value.fault("a size")
    if not 0 <= number < 1 << 60:
        raise value.fault("a size")
    return number


def _read_path(value: Value) -> Path:
    text = value.text()
    if not text or "\0" in text:
        raise value.fault("a path")
    return Path(text).expanduser()


def _read_url(value: Value) -> str:
    """The base of a web address without its last slash; the host stands for itself, so no user, no query."""
    text = value.text().strip().rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise value.fault("an http or https address")
    if parts.username is not None or re.search(r"[\s\\\x00-\x1f]", text) or parts.port == 0:
        raise value.fault("an http or https address")
    return text


def _read_host(value: Value) -> str:
    text = value.text().strip().lower()
    name, _, port = text.rpartition(":") if re.search(r":\d+\Z", text) else (text, "", "1")
    if not _HOST.fullmatch(name) or not 0 < int(port) < 65536:
        raise value.fault("a host name")
    return text


def optional(kind: Kind) -> Kind:
    """The kind, or nothing: null in the file, `none` when typed."""
    return Kind(
        kind.word,
        f"{kind.wanted}, or none",
        lambda value: None if value.json is None else kind.read(value),
        lambda text: None if text.lower() == "none" else kind.parse(text),
    )


def several(kind: Kind) -> Kind:
    """A list of the kind; separated by commas when typed."""
    return Kind(
        "list",
        f"a list: {kind.wanted}, separated by commas",
        lambda value: tuple(kind.read(inner) for inner in value.items()),
        lambda text: [kind.parse(part) for part in _parts(text)],
    )


def _parts(text: str) -> list[str]:
    """What stands between commas; `none` is nothing."""
    return [] if text.lower() == "none" else [part.strip() for part in text.split(",") if part.strip()]


def one_of(*words: str) -> Kind:
    """One of some words."""
    wanted = " or ".join(words)

    def read(value: Value) -> str:
        if value.text() not in words:
            raise value.fault(wanted)
        return value.text()

    return Kind("choice", wanted, read, str.lower, choices=words)


def _read_word(value: Value) -> str:
    if not _WORD.fullmatch(text := value.text().strip()):
        raise value.fault("a word")
    return text


def _read_places(value: Value) -> Mapping[str, Path]:
    if not isinstance(value.json, dict):
        raise value.fault("folders with a path each")
    return {canonical_folder(folder): _read_path(path) for folder, path in value.entries()}


def _parse_places(text: str) -> Json:
    pairs = [part.partition("=") for part in _parts(text)]
    return {folder.strip(): path.strip() for folder, _, path in pairs}


def print_value(kind: str, value: Json) -> str:
    """The text to type for a value of that kind; a size in the largest unit that loses nothing.

    >>> print_value("size", 30 << 30), print_value("size", 1_500_001), print_value("flag", True)
    ('30 GiB', '1500001', 'true')
    """
    match value:
        case bool():
            return str(value).lower()
        case int() if kind == BYTES.word and value:
            return next(
                (f"{value // unit} {name}" for name, unit in _UNITS.items() if value % unit == 0), str(value)
            )
        case list():
            return ", ".join(map(str, value)) or "none"
        case dict():
            return ", ".join(f"{key}={inner}" for key, inner in value.items()) or "none"
        case _:
            return "none" if value is None else str(value)


FLAG: Final = Kind("flag", "true or false", _read_flag, _parse_flag)
BYTES: Final = Kind("size", "a size like 500 MiB", _read_size)
PATH: Final = Kind("path", "a path", _read_path)
URL: Final = Kind("url", "an http or https address", _read_url)
HOST_NAME: Final = Kind("host", "a host name, with :port where it has one", _read_host)
PRECISION: Final = Kind("text", "a precision like fp16, bf16, fp8 or Q4_K_M", _read_word)
PLACES: Final = Kind("places", "FOLDER=PATH, separated by commas", _read_places, _parse_places)
