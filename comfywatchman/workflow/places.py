"""The places in one node that may name a file: its values brought together with its table row.

What is saved is a list of values, sometimes with names, and a few values that links or the hosts of
subgraphs bring instead. Here they become (input name, value, position) and then Places.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ..catalog import Json
from .loaders import Loaders, Row, Slot
from .node import Node
from .rules import guess_folder, lora_tags_in, meaning, names_no_models, words_of
from .texts import find_embeddings, find_lora_tags, is_address, is_model_file

_CONTROLS: Final = frozenset({"fixed", "increment", "decrement", "randomize"})
_OFF: Final = frozenset({"off", "none", "false", "disable", "disabled"})
_NO_FILE: Final = frozenset({"", "none", "[none]", "off", "undefined", "null", "disabled"})
_FILE_KEYS: Final = ("lora", "lora_name", "name", "model", "model_name", "file", "ckpt_name", "ckpt", "value")
_MAX_NESTED: Final = 6


@dataclass(frozen=True, slots=True)
class Place:
    """A text that names a file. No folders: nobody can say which; `fetched`: the node brings it."""

    input_name: str
    text: str
    folders: tuple[str, ...] = ()
    active: bool = True
    fetched: bool = False


@dataclass(slots=True)
class Value:
    """One widget's value; `at` is its position where the file has only a list."""

    name: str | None
    json: Json
    at: int | None = None


def find_places(node: Node, loaders: Loaders) -> list[Place]:
    """Every place in a node that names a file, in the order of its values."""
    row = loaders.row(node.type)
    if row is None and not _may_name(node):
        return []
    values = _pair(node, row)
    if row is None:
        return [] if names_no_models(node.type) else list(_guess(node, values, ()))
    claimed: list[Value] = []
    places = list(_claim(row, values, claimed))
    rest = [value for value in values if not any(value is one for one in claimed)]
    places += _rest(node, row, rest, values)
    return places


def _may_name(node: Node) -> bool:
    """A quick look: whether any value of a node could name a file."""
    for items in (node.values, node.named.values()):
        for value in items:
            if isinstance(value, str):
                if "." in value or ":" in value:
                    return True
            elif isinstance(value, dict | list):
                return True
    return False


# ── pairing values with names ──


def _pair(node: Node, row: Row | None) -> list[Value]:
    names = _names(node, row)
    values = [
        Value(name, value, at)
        for at, (name, value) in enumerate(zip(names, node.values, strict=True))
        if name is None or (name not in node.fed and name not in node.named)
    ]
    for name in node.fed:
        if name not in names:
            _drop_stale(name, values, row)
    values += [Value(name, value) for name, value in node.named.items()]
    return values


def _names(node: Node, row: Row | None) -> Sequence[str | None]:
    """A name for each saved value: from the file where that is whole, else from the table."""
    length = len(node.values)
    if len(node.names) == length:
        return node.names
    names = _align(node.names, node.values)
    if names is not None:
        return names
    found: list[str | None] = [None] * length
    for slot in row.slots if row is not None else ():
        for at, name in slot.positions(length):
            found[at] = name
    return found


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


def _drop_stale(name: str, values: list[Value], row: Row | None) -> None:
    """Take out the saved value of an input that a link feeds, where only its kind tells which it is."""
    if row is not None and (slot := row.slot(name)) is not None and slot.position is not None:
        return
    stale = next((value for value in values if value.name is None and is_model_file(value.json)), None)
    if stale is not None and meaning(words_of(name)) is not None:
        values.remove(stale)


# ── a node that the table knows ──


def _claim(row: Row, values: Sequence[Value], claimed: list[Value]) -> Iterator[Place]:
    limit, dead, dead_numbers = _switches(row, values)
    for value in values:
        slot = row.slot(value.name) if value.name is not None else None
        if slot is None or slot.role in ("count", "switch"):
            continue
        if slot.role == "file" and isinstance(value.json, str) and not is_model_file(value.json):
            continue
        claimed.append(value)
        number = slot.number_of(value.name) if value.name is not None else None
        active = not dead and number not in dead_numbers and not _is_off(value, values)
        if number is not None and limit is not None:
            active = active and number <= limit
        yield from _read(slot, value, active=active)


def _switches(row: Row, values: Sequence[Value]) -> tuple[int | None, bool, set[int]]:
    """How many numbered inputs count, whether all are off, and which numbers are."""
    limit: int | None = None
    dead = False
    numbers: set[int] = set()
    for value in values:
        slot = row.slot(value.name) if value.name is not None else None
        if slot is None or value.name is None:
            continue
        if slot.role == "count" and type(value.json) is int:
            limit = value.json
        elif slot.role == "switch" and _says_off(value.json):
            number = slot.number_of(value.name)
            if number is None:
                dead = True
            else:
                numbers.add(number)
    return limit, dead, numbers


def _says_off(value: Json) -> bool:
    return value is False or (isinstance(value, str) and value.lower() in _OFF)


def _is_off(value: Value, values: Sequence[Value]) -> bool:
    """Whether the value right before is the word Off: the stacks of Comfyroll and their kin."""
    if value.at is None:
        return False
    before = next((one for one in values if one.at == value.at - 1), None)
    return before is not None and before.json in ("Off", "off")


def _read(slot: Slot, value: Value, *, active: bool) -> Iterator[Place]:
    name = value.name or slot.name
    if isinstance(value.json, dict | list):
        yield from _nested(value.json, name, slot.folders, slot=slot, active=active)
        return
    if not isinstance(value.json, str) or slot.role == "ignored":
        return
    text = value.json
    if slot.role == "tags":
        yield from _tags(name, text, lora=True, active=active)
    elif slot.role == "fetched":
        if text.strip().lower() not in _NO_FILE:
            yield Place(name, text, slot.folders, active, fetched=True)
    elif is_model_file(text) or text.strip().lower() not in _NO_FILE:
        yield Place(name, text, slot.folders, active, fetched=is_address(text))


def _rest(node: Node, row: Row, rest: Sequence[Value], values: Sequence[Value]) -> Iterator[Place]:
    """Values at no known input: one folder for all its files leaves no doubt; else the general rules."""
    only = row.others or row.only_files()
    for value in rest:
        active = not _is_off(value, values)
        if only is not None and (is_model_file(value.json) or row.others is not None and _nests(value.json)):
            yield from _read(only, value, active=active)
        elif row.others is None:
            yield from _guess(node, [value], (), all_values=values)


def _nests(value: Json) -> bool:
    return isinstance(value, dict | list)


# ── a node that nobody has told of ──


def _guess(
    node: Node,
    values: Sequence[Value],
    folders: tuple[str, ...],
    all_values: Sequence[Value] = (),
) -> Iterator[Place]:
    fetched = "download" in node.type.lower()
    for value in values:
        active = not _is_off(value, all_values or values)
        if isinstance(value.json, dict | list):
            yield from _nested(value.json, value.name or "", folders, node=node, active=active)
        elif is_model_file(value.json):
            folder = guess_folder(node, value.name)
            placed = (folder,) if folder is not None else folders
            bring = fetched or is_address(value.json)
            yield Place(value.name or "", value.json, placed, active, fetched=bring)
        elif isinstance(value.json, str):
            yield from _tags(value.name or "", value.json, lora=lora_tags_in(node.type), active=active)


def _tags(name: str, text: str, *, lora: bool, active: bool) -> Iterator[Place]:
    for embedding in find_embeddings(text):
        yield Place(name, embedding, ("embeddings",), active)
    if lora:
        for tag in find_lora_tags(text):
            yield Place(name, tag, ("loras",), active)


# ── dicts and lists in values ──


def _nested(
    value: Json,
    name: str,
    folders: tuple[str, ...],
    *,
    slot: Slot | None = None,
    node: Node | None = None,
    active: bool = True,
    depth: int = 0,
) -> Iterator[Place]:
    """Files inside a structured value: {"on": false, "lora": "x.safetensors"}, lists of such."""
    if depth > _MAX_NESTED:
        return
    if isinstance(value, dict):
        active = active and value.get("on") is not False and value.get("active") is not False
        active = active and value.get("enabled") is not False
    pairs: Iterable[tuple[str, Json]] = (
        value.items()
        if isinstance(value, dict)
        else ((name, item) for item in value)
        if isinstance(value, list)
        else ()
    )
    for key, item in pairs:
        if isinstance(item, dict | list):
            yield from _nested(item, key, folders, slot=slot, node=node, active=active, depth=depth + 1)
        elif isinstance(item, str) and _names_file(key, item, slot):
            guess = guess_folder(node, key) if slot is None and node is not None else None
            yield Place(key, item, (guess,) if guess else folders, active, fetched=is_address(item))


def _names_file(key: str, text: str, slot: Slot | None) -> bool:
    """Whether a text inside a structure names a file; a list of names may leave out the extension."""
    if is_model_file(text):
        return True
    named = slot is not None and slot.role == "text" and key in _FILE_KEYS
    return named and text.strip().lower() not in _NO_FILE
