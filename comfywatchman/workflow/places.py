"""The places in one node that may name a file: its values brought together with its row of the table.

What is saved is a list of values, sometimes with names, and a few values that links or the hosts of
subgraphs bring instead. Here they become named values, and these become places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ..catalog import Json
from .loaders import Loaders, Row, Slot
from .node import Node, Place
from .own import find_own
from .rules import brings_its_files, guess_folder, meaning, names_no_models, reads_lora_tags, words_of
from .texts import find_embeddings, find_lora_tags, is_address, is_model_file, may_name_files

_CONTROLS: Final = frozenset({"fixed", "increment", "decrement", "randomize"})
_OFF: Final = frozenset({"off", "none", "false", "disable", "disabled"})
_NO_FILE: Final = frozenset({"", "none", "[none]", "off", "undefined", "null", "disabled"})
_FILE_KEYS: Final = frozenset({"lora", "lora_name", "name", "file", "model", "model_name"})
_SWITCH_KEYS: Final = ("on", "active", "enabled")
_MAX_NESTED: Final = 6


@dataclass(frozen=True, slots=True)
class _Value:
    """One widget's value; `off` when the word Off stands right before it in the list."""

    name: str | None
    json: Json
    off: bool = False


@dataclass(frozen=True, slots=True)
class _Switches:
    """What a node's own switches leave on: how many numbered inputs, and which not."""

    all_off: bool = False
    limit: int | None = None
    off: frozenset[int] = frozenset()

    def leave_on(self, slot: Slot, value: _Value) -> bool:
        """Whether a value counts."""
        number = slot.number_of(value.name) if value.name is not None else None
        counts = number is None or (number not in self.off and (self.limit is None or number <= self.limit))
        return counts and not self.all_off and not value.off


def find_places(node: Node, loaders: Loaders) -> Iterator[Place]:
    """Every place in a node that names a file, in the order of its values."""
    row = loaders.row(node.type)
    if row is None:
        if _may_name(node) and not names_no_models(node.type):
            values = _pair(node, None)
            alone = sum(is_model_file(value.json) for value in values) == 1
            for value in values:
                yield from _guess(node, value, alone=alone)
        return
    values = _pair(node, row)
    if row.is_own:
        yield from find_own(row, {value.name: value.json for value in values if value.name is not None})
        return
    switches = _read_switches(row, values)
    unnamed = any(value.name is None for value in values)
    elsewhere = not (unnamed and _stands_in_place(row, values))
    for value in values:
        like_file = _nests(value.json) or is_model_file(value.json)
        slot = row.slot_for(value.name, looks_like_file=like_file, elsewhere=elsewhere)
        if slot is not None:
            yield from _read(slot, value, active=switches.leave_on(slot, value))
        elif row.others is None:
            yield from _guess(node, value, alone=False)


def _may_name(node: Node) -> bool:
    return any(map(may_name_files, node.values)) or any(map(may_name_files, node.named.values()))


# ── values and their names ──


def _pair(node: Node, row: Row | None) -> list[_Value]:
    saved = node.values
    names = _names(node, row)
    kept = _slipped(node, names) if node.named else ()
    values = [
        _Value(name, value, at > 0 and saved[at - 1] in ("Off", "off"))
        for at, (name, value) in enumerate(zip(names, saved, strict=True))
        if name is None or name not in node.fed or name in kept
    ]
    for name in node.fed.difference(name for name in names if name is not None):
        _drop_stale(name, values)
    values += [_Value(name, value) for name, value in node.named.items() if name not in kept]
    return values


def _slipped(node: Node, names: Sequence[str | None]) -> set[str]:
    """The inputs to which a number was brought in the place of a file: a link that slipped by one."""
    pairs = zip(names, node.values, strict=True)
    numbers = {name for name, value in node.named.items() if isinstance(value, int | float)}
    return {name for name, value in pairs if name in numbers and is_model_file(value)} if numbers else set()


def _names(node: Node, row: Row | None) -> Sequence[str | None]:
    """A name for each saved value: from the file where that is whole, else from the table."""
    length = len(node.values)
    if len(node.names) == length:
        return node.names
    names = _align(node.names, node.values)
    if names is None:
        names = [None] * length
        for slot in row.slots if row is not None else ():
            for at, name in slot.positions(length):
                names[at] = name
    return names


def _align(names: Sequence[str], values: Sequence[Json]) -> list[str | None] | None:
    """Names laid on values, past each unnamed `control after generate`; None when they do not fit.

    Files older than the front end's 1.16 name only those widgets that were made inputs.
    """
    found: list[str | None] = []
    left = iter(names)
    for value in values:
        unnamed = found and "seed" in str(found[-1]) and isinstance(value, str) and value in _CONTROLS
        name = None if unnamed else next(left, None)
        if name is None and not unnamed:
            return None
        found.append(name)
    return found if next(left, None) is None else None


def _drop_stale(name: str, values: list[_Value]) -> None:
    """Take out the saved value of an input that is fed, where only its look can tell which it is."""
    if meaning(words_of(name)) is None:
        return
    for at, value in enumerate(values):
        if value.name is None and is_model_file(value.json):
            del values[at]
            return


# ── a node that the table knows ──


def _stands_in_place(row: Row, values: Sequence[_Value]) -> bool:
    """Whether a saved list has a file where the table says, so that the others there are none."""
    known = (row.slot(value.name) for value in values if value.name is not None and is_model_file(value.json))
    return any(slot is not None and slot.names_files and slot.position is not None for slot in known)


def _read_switches(row: Row, values: Sequence[_Value]) -> _Switches:
    if not row.has_switches:
        return _Switches(all_off=False)
    all_off, limit, off = False, None, set()
    for value in values:
        slot = row.slot(value.name) if value.name is not None else None
        if slot is None or value.name is None:
            continue
        if slot.role == "count" and type(value.json) is int:
            limit = value.json
        elif slot.role == "switch" and _says_off(value.json):
            number = slot.number_of(value.name)
            all_off = all_off or number is None
            off.add(number or 0)
    return _Switches(all_off, limit, frozenset(off))


def _says_off(value: Json) -> bool:
    return value is False or (isinstance(value, str) and value.lower() in _OFF)


def _read(slot: Slot, value: _Value, *, active: bool) -> Iterator[Place]:
    nested = _nests(value.json)
    for name, text, on in _texts(value.json, value.name or slot.name):
        if slot.role == "tags":
            yield from _read_tags(name, text, loras=True, active=active and on)
        elif slot.role == "embeddings":
            yield from _read_tags(name, text, loras=False, active=active and on)
        elif slot.names_files and (
            is_model_file(text) or (slot.takes_any_text and _is_name(name if nested else None, text))
        ):
            fetched = slot.role == "fetched" or is_address(text)
            yield Place(name, text, slot.folders, active and on, fetched=fetched)


def _is_name(key: str | None, text: str) -> bool:
    """Whether a text without an extension is a name; inside a structure its key must say so."""
    return (key is None or key in _FILE_KEYS) and text.strip().lower() not in _NO_FILE


# ── a node that nobody has told of ──


def _guess(node: Node, value: _Value, *, alone: bool) -> Iterator[Place]:
    nested = _nests(value.json)
    for name, text, on in _texts(value.json, value.name or ""):
        active = on and not value.off
        if is_model_file(text):
            folder = guess_folder(node, name, alone=alone)
            fetched = brings_its_files(node.type) or is_address(text)
            yield Place(name, text, () if folder is None else (folder,), active, fetched=fetched)
        elif not nested:
            yield from _read_tags(name, text, loras=reads_lora_tags(node.type), active=active)


def _read_tags(name: str, text: str, *, loras: bool, active: bool) -> Iterator[Place]:
    for embedding in find_embeddings(text):
        yield Place(name, embedding, ("embeddings",), active)
    if loras:
        for tag in find_lora_tags(text):
            yield Place(name, tag, ("loras",), active)


# ── structured values: {"on": false, "lora": "x.safetensors", "strength": 1}, and lists of such ──


def _nests(value: Json) -> bool:
    return isinstance(value, dict | list)


def _texts(value: Json, name: str, depth: int = 0) -> Iterator[tuple[str, str, bool]]:
    """(name, text, whether it is switched on) of every text in a value."""
    if isinstance(value, str):
        yield name, value, True
    elif depth >= _MAX_NESTED:
        return
    elif isinstance(value, dict):
        on = not any(value.get(key) is False for key in _SWITCH_KEYS)
        for key, item in value.items():
            for inner, text, inner_on in _texts(item, key, depth + 1):
                yield inner, text, on and inner_on
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, name, depth + 1)
