"""A node as it takes part in a workflow, free of the form the file had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from ..air import clean_url
from ..catalog import Json, canonical_folder
from ..digest import Digest, parse_digest
from ..errors import InvalidDigest, InvalidWorkflow

MAX_NODES: Final = 100_000
_CHARS_A_NODE: Final = 128  # a usual one has 600, and so counts for six
_MAX_HINTS: Final = 256  # of one node; the most seen is 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """An entry of `models` metadata: what somebody once said about a file. It is often stale."""

    name: str
    url: str | None = None
    folder: str | None = None
    digest: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node that takes part.

    `values` are the saved widget values in their order, `names` their names as far as the file tells
    them (both empty when all is known by name); `named` are values by input name, and beat the saved
    ones. `fed` are the inputs whose saved value does not count, because a link brings another. `takes`
    and `gives` are the types of the sockets, as far as the file tells them.
    """

    id: str
    type: str
    active: bool = True
    values: Sequence[Json] = ()
    names: Sequence[str] = ()
    named: Mapping[str, Json] = field(default_factory=dict)
    fed: frozenset[str] = frozenset()
    hints: Sequence[Hint] = ()
    sockets: Mapping[str, Json] = field(default_factory=dict, repr=False, compare=False)

    @property
    def takes(self) -> frozenset[str]:
        """The types of the inputs."""
        return _types(self.sockets.get("inputs"))

    @property
    def gives(self) -> frozenset[str]:
        """The types of the outputs."""
        return _types(self.sockets.get("outputs"))


@dataclass(frozen=True, slots=True)
class Place:
    """A text that names a file. No folders: nobody can say which. `fetched`: the node brings the file.

    `url` and `digest` are what the node itself says of the file. `linked`: the text is no name but a link, an
    id or an AIR, and `url` is what it means.
    """

    input_name: str
    text: str
    folders: tuple[str, ...] = ()
    active: bool = True
    fetched: bool = False
    url: str | None = None
    digest: Digest | None = None
    linked: bool = False


@dataclass(slots=True)
class Budget:
    """How many nodes may still be opened: instances of instances multiply."""

    left: int = MAX_NODES
    weights: dict[int, int] = field(default_factory=dict)

    def open(self, nodes: Sequence[object]) -> None:
        """Take what it costs to open an inner graph: its nodes, and when again, all that stands in them.

        Raises:
            InvalidWorkflow: too little is left.
        """
        key = id(nodes)  # the document lives longer than this
        weight = self.weights.get(key)
        if weight is None:
            self.weights[key], weight = 0, len(nodes)
        elif weight == 0:
            self.weights[key] = weight = len(nodes) + len(repr(nodes)) // _CHARS_A_NODE
        self.spend(weight)

    def spend(self, nodes: int = 1) -> None:
        """Take some.

        Raises:
            InvalidWorkflow: none is left.
        """
        self.left -= nodes
        if self.left < 0:
            raise InvalidWorkflow(f"the workflow opens to more than {MAX_NODES:,} nodes, or to as much text")


def read_hints(entries: Json) -> list[Hint]:
    """The usable entries of `models`; anything else in there is passed over."""
    if not isinstance(entries, list):
        return []
    given = islice(entries, _MAX_HINTS)
    return [hint for entry in given if isinstance(entry, dict) and (hint := _read_hint(entry))]


def _read_hint(entry: Mapping[str, Json]) -> Hint | None:
    name, url, folder = entry.get("name"), entry.get("url"), entry.get("directory")
    if not isinstance(name, str) or not name:
        return None
    return Hint(
        name=name,
        url=clean_url(url) if isinstance(url, str) else None,
        folder=_read_folder(folder) if isinstance(folder, str) and folder else None,
        digest=_read_digest(entry.get("hash"), entry.get("hash_type")),
    )


def _read_folder(directory: str) -> str:
    """The folder of `directory`, which may go on with a sub-folder ("loras/sdxl")."""
    return canonical_folder(directory.replace("\\", "/").removeprefix("models/").partition("/")[0])


def _read_digest(value: Json, kind: Json) -> Digest | None:
    if not isinstance(value, str):
        return None
    try:
        return parse_digest(f"{kind}:{value}" if isinstance(kind, str) and ":" not in value else value)
    except InvalidDigest:
        return None  # a hint that cannot be used is no fault of the workflow


def _types(sockets: Json) -> frozenset[str]:
    entries = (entry for entry in sockets if isinstance(entry, dict)) if isinstance(sockets, list) else ()
    return frozenset(kind for entry in entries if isinstance(kind := entry.get("type"), str))
