r"""A stack of LoRAs as text, to be read and written by people, pages and programs alike.

    # a line each: on or off | name, link or id | strength | strength for CLIP | words
    on  | style/ink.safetensors | 0.8
    off | v:2247497             | 1 | 0.5 | words: ink wash, (fog:1.1)
    fog.safetensors

Only the name must be there: a line is on and its strengths are 1; the strength for CLIP is the other one.
Without `words:` all trigger words of the LoRA are meant, with nothing behind it none. Empty lines and those
that begin with # are skipped. A name that the form would not keep (one with `|` in it, say) stands in
double quotes as in JSON, and such words stand as a JSON list. The whole may also be a JSON list of objects
with the keys on, name, strength_model, strength_clip, words.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from .catalog import Json
from .decode import MIB, DecodeError, Value, parse_json
from .errors import InvalidStack
from .triggers import split_words

STRONGEST: Final = 100.0  # as ComfyUI's own loader
_LIMIT: Final = MIB
_MOST: Final = 500
_STATES: Final = {"on": True, "off": False}
_PLAIN: Final = re.compile(r"[^\s|#\"](?:[^|\r\n\t\v\f\x1c-\x1e\x85\u2028\u2029]*[^\s|])?")
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_WORDS: Final = re.compile(r"words\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRow:
    """One LoRA of a stack. `name` is a local name, a link or an id; `words` None means all it has."""

    name: str
    on: bool = True
    strength_model: float = 1.0
    strength_clip: float = 1.0
    words: tuple[str, ...] | None = None


def parse_stack(text: str) -> tuple[StackRow, ...]:
    """Read a stack.

    >>> [(row.name, row.strength_clip, row.words) for row in parse_stack("a.safetensors | 0.5 | words: ink")]
    [('a.safetensors', 0.5, ('ink',))]

    Raises:
        InvalidStack: a line means nothing; the message names it.
    """
    if len(text) > _LIMIT:
        raise InvalidStack(f"LoRA stack: {len(text):,} characters are more than any stack has")
    if _is_json(text):
        rows = tuple(_read_json(text))
    else:
        lines = enumerate(text.splitlines(), 1)
        rows = tuple(_parse_line(line.strip(), n) for n, line in lines if not _is_blank(line))
    if len(rows) > _MOST:
        raise InvalidStack(f"LoRA stack: {len(rows)} LoRAs, at most {_MOST} are taken")
    return rows


def print_stack(rows: Iterable[StackRow]) -> str:
    """A stack as `parse_stack` reads it, a line each.

    >>> print(print_stack([StackRow(name="ink.sft", strength_model=0.8, words=("ink wash",))]).strip())
    on | ink.sft | 0.8 | 1 | words: ink wash
    """
    return "".join(f"{_print_row(row)}\n" for row in rows)


def _is_blank(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")


def _is_json(text: str) -> bool:
    """Whether the whole is a JSON list; names cannot begin so."""
    return re.match(r"\s*\[\s*[{\]]", text) is not None


# ── lines ──


def _parse_line(line: str, number: int) -> StackRow:
    where = f"LoRA stack, line {number}"
    state, named = _take_state(line)
    name, rest = _take_name(named, where)
    strengths: list[float] = []
    while rest is not None:
        if found := _WORDS.match(rest):
            words = _parse_words(rest[found.end() :].strip())
            return _row(name, strengths, words, on=state)
        if len(strengths) == 2:
            raise InvalidStack(f"{where}: expected words: … after the strengths, got {_quote(rest)}")
        field, rest = _cut(rest)
        strengths.append(_parse_strength(field, where))
    return _row(name, strengths, None, on=state)


def _row(name: str, strengths: list[float], words: tuple[str, ...] | None, *, on: bool) -> StackRow:
    model = strengths[0] if strengths else 1.0
    return StackRow(
        name=name,
        on=on,
        strength_model=model,
        strength_clip=strengths[1] if len(strengths) == 2 else model,
        words=words,
    )


def _take_state(line: str) -> tuple[bool, str]:
    first, rest = _cut(line)
    if rest is not None and first.lower() in _STATES:
        return _STATES[first.lower()], rest
    return True, line


def _take_name(text: str, where: str) -> tuple[str, str | None]:
    rest: str | None
    if text.startswith('"'):
        try:
            name, end = json.JSONDecoder().raw_decode(text)
        except ValueError as fault:
            raise InvalidStack(f"{where}: the name {_quote(text)} has no closing quote") from fault
        before, rest = _cut(text[end:])
        if before:
            raise InvalidStack(f"{where}: expected | after the name, got {_quote(before)}")
    else:
        name, rest = _cut(text)
    if not name.strip():
        raise InvalidStack(f"{where}: names no LoRA")
    return name, rest


def _cut(text: str) -> tuple[str, str | None]:
    """The field before the next bar, and what is behind it; None when there is no bar."""
    field, bar, rest = text.partition("|")
    return field.strip(), rest.strip() if bar else None


def _parse_strength(text: str, where: str) -> float:
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not -STRONGEST <= value <= STRONGEST:
        raise InvalidStack(f"{where}: expected a strength like 0.8, got {_quote(text)}")
    return value


def _parse_words(text: str) -> tuple[str, ...]:
    """Words as a person lists them; a JSON list of texts is one of words already split."""
    if text.startswith("["):
        try:
            return split_words(item.text() for item in Value(parse_json(text, limit=_LIMIT)).items())
        except DecodeError:
            pass  # a prompt's own brackets
    return split_words([text])


def _print_row(row: StackRow) -> str:
    fields = ["on" if row.on else "off", _print_name(row.name)]
    fields += [_print_number(row.strength_model), _print_number(row.strength_clip)]
    if row.words is not None:
        fields.append(f"words: {_print_words(row.words)}".rstrip())
    return " | ".join(fields)


def _print_name(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else json.dumps(name)


def _print_words(words: tuple[str, ...]) -> str:
    plain = ", ".join(words)
    is_kept = plain.isprintable() and _parse_words(plain) == words
    return plain if is_kept else json.dumps(list(words))


def _print_number(value: float) -> str:
    return repr(value).removesuffix(".0")


def _quote(text: str) -> str:
    return repr(text[:60])


# ── JSON ──


def _read_json(text: str) -> Iterator[StackRow]:
    try:
        items = list(Value(parse_json(text, limit=_LIMIT)).items())
    except DecodeError as fault:
        raise InvalidStack(f"LoRA stack: {fault.message}") from fault
    for number, item in enumerate(items, 1):
        where = f"LoRA stack, entry {number}"
        try:
            yield _read_row(item, where)
        except DecodeError as fault:
            raise InvalidStack(f"{where}: {fault.message}") from fault


def _read_row(item: Value, where: str) -> StackRow:
    name = item["name"].text()
    if not name.strip():
        raise InvalidStack(f"{where}: names no LoRA")
    model = _read_strength(item["strength_model"].json, 1.0, where)
    words = item["words"]
    return StackRow(
        name=name,
        on=item["on"].flag() if item["on"].json is not None else True,
        strength_model=model,
        strength_clip=_read_strength(item["strength_clip"].json, model, where),
        words=None if words.json is None else split_words(word.text() for word in words.items()),
    )


def _read_strength(value: Json, default: float, where: str) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidStack(f"{where}: expected a strength like 0.8, got {_quote(str(value))}")
    return _parse_strength(str(value), where)
