"""Typed, bounded fields of a sidecar. What has another type or is out of bounds counts as not said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...decode import MIB, DecodeError, Value, parse_json
from ...digest import Algorithm, Digest
from ...errors import InvalidDigest
from ...triggers import split_words

JSON_LIMIT: Final = 4 * MIB  # the largest known ones hold a version's pictures: some 100 kB
TEXT_LIMIT: Final = 64 << 10

_NAME: Final = 500  # characters
_PROSE: Final = 20_000
_WORD_ENTRIES: Final = 1_000
_WEIGHT: Final = 100.0
_UNKNOWN: Final = frozenset({"", "unknown", "none", "null"})


def read_object(data: bytes) -> Value:
    """A JSON object.

    Raises:
        DecodeError: it is none, or too large.
    """
    value = Value(parse_json(data, limit=JSON_LIMIT))
    if not isinstance(value.json, dict):
        raise value.fault("an object")
    return value


def read_text(data: bytes) -> str | None:
    """The text of a note; None when it is blank.

    Raises:
        DecodeError: it is no UTF-8 text, or too large.
    """
    if len(data) > TEXT_LIMIT:
        raise DecodeError(f"text of more than {TEXT_LIMIT:,} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise DecodeError(f"no UTF-8 text at byte {fault.start}") from fault
    return text.strip()[:_PROSE] or None


def name_in(value: Value) -> str | None:
    """A name on one line; programs write Unknown or None for what they do not know."""
    text = " ".join((value.text_or_none() or "").split())
    return text if text.lower() not in _UNKNOWN and len(text) <= _NAME else None


def prose_in(value: Value) -> str | None:
    """Longer text, cut where it is too long."""
    return (value.text_or_none() or "").strip()[:_PROSE] or None


def words_in(value: Value) -> tuple[str, ...]:
    """The trigger words in a list of texts or in one text."""
    entries = (value,) if isinstance(value.json, str) else members_of(value)
    texts = (entry.text_or_none() or "" for entry in entries)
    return split_words(text for text in texts if len(text) <= _PROSE)


def members_of(value: Value) -> Iterator[Value]:
    """The first members of a list; anything else has none."""
    for at in range(min(len(value.json), _WORD_ENTRIES) if isinstance(value.json, list) else 0):
        yield value[at]


def id_in(value: Value) -> int | None:
    """An id of CivitAI's, as a number or in digits."""
    text = value.text_or_none() or ""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else value.integer_or_none()
    return number if number is not None and 0 < number < 1 << 31 else None


def weight_in(value: Value) -> float | None:
    """A weight to use a LoRA with; 0 is how programs say that none was set."""
    try:
        weight = value.number()
    except DecodeError:
        return None
    return weight if weight and abs(weight) <= _WEIGHT else None


def bound_in(value: Value) -> float | None:
    """The end of a range of weights, where 0 is a number like others."""
    return 0.0 if value.json == 0 and not isinstance(value.json, bool) else weight_in(value)


def digest_in(value: Value, algorithm: Algorithm) -> tuple[Digest, ...]:
    """The one digest in hex digits of any case, or none."""
    try:
        return (Digest(algorithm, (value.text_or_none() or "").strip().lower()),)
    except InvalidDigest:
        return ()


def page_in(value: Value) -> str | None:
    """An address for people."""
    text = name_in(value) or ""
    return text if text.startswith(("https://", "http://")) and " " not in text else None


def civitai_page(model_id: int | None, version_id: int | None) -> str | None:
    """The page of a version on CivitAI."""
    if model_id is None:
        return None
    version = f"?modelVersionId={version_id}" if version_id else ""
    return f"https://civitai.com/models/{model_id}{version}"
