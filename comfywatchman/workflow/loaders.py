"""Which input of which node names a file of which folder: the table `data/loaders.json`.

    {"pack": {"node type": {"input@position": "folder", …}}}

`@4` is the widget's position in `widgets_values`, needed where a node loads from several folders;
`lora_name_*@1+4` are numbered inputs, every fourth value from 1 on. What stands for the folder:

    loras                    a file of this folder
    clip_vision|text_encoders   a file of the first, which the others serve too
    =diffusers               any text is a name there, with or without an extension
    ~SEEDVR2  ~              a file the node brings itself: told, never searched
    <lora>                   text in which the node reads <lora:NAME:weight> and embedding:NAME
    <embedding>              text in which it reads embedding:NAME
    #                        how many of the numbered inputs count
    ?                        a switch: false, "Off" or "None" takes its input (all, without *) out
    -                        no model, whatever it looks like
    <source> <pins> <stack>  what our own nodes have: see `own.py`

The input `*` stands for all others.

A suffix of MultiGPU (pollockjj/ComfyUI-MultiGPU) changes nothing but where a model is put.
"""

from __future__ import annotations

import json
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..catalog import Json, canonical_folder
from .texts import is_model_file

Rows = Mapping[str, Mapping[str, str]]

_KEY: Final = re.compile(r"(?P<name>.*?)(?:@(?P<position>\d+)(?:\+(?P<stride>\d+))?)?\Z", re.DOTALL)
_NUMBER: Final = re.compile(r"\d+")
_PLACED_ELSEWHERE: Final = re.compile(r"(DisTorch\d?)?MultiGPU\Z")
_WIDGETS: Final = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
_ROLES: Final = {
    "<lora>": "tags",
    "<embedding>": "embeddings",
    "<source>": "source",
    "<pins>": "pins",
    "<stack>": "stack",
    "#": "count",
    "?": "switch",
    "-": "ignored",
}


@dataclass(frozen=True, slots=True)
class Slot:
    """One input of a node type, or a run of numbered ones, and what its text means.

    `role` is file, text (any text is a name), fetched, tags, embeddings, count, switch or ignored; in our own
    nodes also source, pins or stack.
    """

    name: str
    role: str
    folders: tuple[str, ...] = ()
    position: int | None = None
    stride: int | None = None

    @property
    def names_files(self) -> bool:
        """Whether a whole text is the name of a file here."""
        return self.role in ("file", "text", "fetched")

    @property
    def takes_any_text(self) -> bool:
        """Whether a name needs no extension here."""
        return self.role in ("text", "fetched")

    def number_of(self, name: str) -> int | None:
        """The number in the place of `*`, if the name is one of this slot's."""
        head, star, tail = self.name.partition("*")
        if not star or not name.startswith(head) or not name.endswith(tail):
            return None
        middle = name[len(head) : len(name) - len(tail)] if tail else name[len(head) :]
        return int(middle) if middle.isascii() and middle.isdigit() and len(middle) < 4 else None

    def matches(self, name: str) -> bool:
        """Whether an input of this name is this slot's."""
        return name == self.name or ("*" in self.name and self.number_of(name) is not None)

    def positions(self, length: int) -> Iterator[tuple[int, str]]:
        """Where its values stand in a list of that length, and the inputs' names."""
        if self.position is None:
            return
        if self.stride is None:
            if self.position < length:
                yield self.position, self.name
            return
        for number, at in enumerate(range(self.position, length, self.stride), start=1):
            yield at, self.name.replace("*", str(number))


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of a node type."""

    slots: tuple[Slot, ...]
    others: Slot | None = None

    def slot(self, name: str) -> Slot | None:
        """The slot of an input."""
        return next((slot for slot in self.slots if slot.matches(name)), None)

    def slot_for(self, name: str | None, *, looks_like_file: bool, elsewhere: bool) -> Slot | None:
        """The slot of a value, also of one at no known input: `*`, or the only folder of this node.

        `elsewhere`: this node's unnamed files may stand at other positions than the table's.
        """
        found = self.slot(name) if name is not None else None
        if found is not None:
            return found
        if self.others is not None:
            return self.others if looks_like_file or not self.others.names_files else None
        return self._only_files() if looks_like_file and (elsewhere or name is not None) else None

    def _only_files(self) -> Slot | None:
        files = [slot for slot in self.slots if slot.names_files]
        return files[0] if files and len({slot.folders for slot in files}) == 1 else None

    @property
    def is_own(self) -> bool:
        """Whether it is one of our own nodes, whose inputs are read together."""
        roles = {slot.role for slot in self.slots}
        return roles >= {"pins", "stack"} or roles >= {"pins", "source", "file"}

    @property
    def has_switches(self) -> bool:
        """Whether some input takes others out."""
        return any(slot.role in ("switch", "count") for slot in self.slots)


class Loaders:
    """The table, and what a running ComfyUI or the user adds to it. Never changes once made."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, node_type: str) -> bool:
        return self._find(node_type) is not None

    def node_types(self) -> Iterator[str]:
        """All node types in it."""
        return iter(self._rows)

    def row(self, node_type: str) -> Row | None:
        """What is known of a node type."""
        raw = self._find(node_type)
        return None if raw is None else _read_row(raw)

    def _find(self, node_type: str) -> Mapping[str, str] | None:
        found = self._rows.get(node_type)
        if found is None and node_type.endswith("MultiGPU"):
            found = self._rows.get(_PLACED_ELSEWHERE.sub("", node_type))
        return found

    def extended_by(self, rows: Rows) -> Loaders:
        """A table in which these rows win: a user's own, written as in `data/loaders.json`."""
        return Loaders({**self._rows, **rows})

    def learned_from(self, object_info: Json, listings: Mapping[str, Sequence[str]]) -> Loaders:
        """A table with what a running ComfyUI tells of node types that are not in this one.

        `object_info` is the answer of GET /object_info; `listings` are those of GET /models/{folder} by
        folder. An input is placed when its list of choices holds model files and all of these are
        files of exactly one folder.
        """
        known = {canonical_folder(folder): frozenset(files) for folder, files in listings.items()}
        learned: dict[str, dict[str, str]] = {}
        for node_type, info in object_info.items() if isinstance(object_info, dict) else ():
            if node_type not in self:
                slots = _learn(info, known)
                if slots:
                    learned[node_type] = slots
        return Loaders({**learned, **self._rows})


def load_loaders() -> Loaders:
    """The table that ships with the package."""
    package = (__package__ or "").rpartition(".")[0]
    data = pkgutil.get_data(package, "data/loaders.json")
    assert data is not None  # part of the package
    packs: dict[str, Rows] = json.loads(data)
    rows: dict[str, Mapping[str, str]] = {}
    for pack in packs.values():
        rows.update(pack)
    return Loaders(rows)


def _read_row(raw: Mapping[str, str]) -> Row:
    slots = tuple(_read_slot(key, value) for key, value in raw.items() if key != "*")
    return Row(slots, _read_slot("*", raw["*"]) if "*" in raw else None)


def _read_slot(key: str, value: str) -> Slot:
    match = _KEY.match(key)
    assert match is not None  # the pattern matches any text
    position, stride = (int(text) if (text := match[part]) else None for part in ("position", "stride"))
    role = _ROLES.get(value)
    if role is None:
        role = {"=": "text", "~": "fetched"}.get(value[:1], "file")
        value = value.lstrip("=~")
    else:
        value = ""
    folders = tuple(canonical_folder(folder) for folder in value.split("|") if folder)
    return Slot(match["name"], role, folders, position, stride)


def _learn(info: Json, known: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """The slots of one node type: {"input@position": folder}."""
    slots: dict[str, str] = {}
    position = 0
    for name, kind, options in _widgets(info):
        choices = kind if isinstance(kind, list) else options.get("options")
        folder = _folder_of(choices, known) if isinstance(choices, list) else None
        if folder is not None:
            slots[f"{name}@{position}"] = folder
        position += 2 if options.get("control_after_generate") is True else 1
    return slots


def _widgets(info: Json) -> Iterator[tuple[str, Json, Mapping[str, Json]]]:
    """(name, type, options) of the inputs that are widgets, in the order the front end makes them."""
    inputs = info.get("input") if isinstance(info, dict) else None
    for part in ("required", "optional"):
        entries = inputs.get(part) if isinstance(inputs, dict) else None
        for name, spec in entries.items() if isinstance(entries, dict) else ():
            if isinstance(spec, list) and spec:
                options = spec[1] if len(spec) > 1 and isinstance(spec[1], dict) else {}
                if (isinstance(spec[0], list) or spec[0] in _WIDGETS) and not options.get("forceInput"):
                    yield name, spec[0], options


def _folder_of(choices: Sequence[Json], known: Mapping[str, frozenset[str]]) -> str | None:
    files = [choice for choice in choices if is_model_file(choice)]
    fitting = [folder for folder, names in known.items() if files and names.issuperset(files)]
    return fitting[0] if len(fitting) == 1 else None
