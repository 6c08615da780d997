"""One level of a saved graph, the root or a subgraph's definition, with indexes made when first asked.

links   [id, origin, slot, target, slot, type] in version 0.4, objects with the same by name since
-10     the id that stands for the subgraph's inputs; -20 for its outputs
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from ..catalog import Json

Object = Mapping[str, Json]
Origin = tuple[str, int]  # id of a node, and a slot of it
Definitions = Mapping[str, "Graph"]

INPUT: Final = "-10"
_OUTPUT: Final = "-20"
_MAX_INPUTS: Final = 64  # looked through for a reroute's one link
MAX_DEPTH: Final = 100  # of subgraphs in subgraphs; people nest two or three


class Graph:
    """A graph as saved."""

    __slots__ = (
        "_feeding",
        "_links",
        "_nodes",
        "_outputs",
        "_setters",
        "_slots",
        "inputs",
        "nodes",
        "source",
    )

    def __init__(self, source: Object) -> None:
        self.source = source
        self.nodes = list(objects(source.get("nodes")))
        self.inputs = list(objects(source.get("inputs")))
        self._nodes: dict[str, Object] | None = None
        self._links: dict[Json, Origin] | None = None
        self._outputs: dict[Json, Json] | None = None
        self._slots: dict[Json, int] | None = None
        self._setters: dict[str, Object] | None = None
        self._feeding: list[int] | None = None

    def node(self, node_id: str) -> Object | None:
        """The node with an id."""
        if self._nodes is None:
            self._nodes = {id_of(node.get("id")): node for node in self.nodes}
        return self._nodes.get(node_id)

    def origin(self, link: Json) -> Origin | None:
        """Where a link comes from."""
        if self._links is None:
            self._links = dict(_read_links(self.source.get("links")))
            self._links.update(self._input_links())
        return self._links.get(link) if isinstance(link, int | str) else None

    def _input_links(self) -> Iterator[tuple[Json, Origin]]:
        """The links out of the subgraph's inputs, by the inputs: the links' own slot may be outdated."""
        for at, entry in enumerate(self.inputs):
            links = entry.get("linkIds")
            for link in links if isinstance(links, list) else ():
                if isinstance(link, int | str):
                    yield link, (INPUT, at)

    def output_link(self, slot: int) -> Json:
        """The id of the link that feeds an output of this subgraph."""
        if self._outputs is None:
            links = objects(self.source.get("links"))
            ends = (link for link in links if id_of(link.get("target_id")) == _OUTPUT)
            self._outputs = {link.get("target_slot"): link.get("id") for link in _hashable(ends)}
        return self._outputs.get(slot)

    def slot(self, name: str) -> int | None:
        """The number of the input with a name."""
        if self._slots is None:
            self._slots = {}
            for at, entry in enumerate(self.inputs):
                if isinstance(given := entry.get("name"), str):
                    self._slots.setdefault(given, at)
        return self._slots.get(name)

    def setter(self, getter: Object) -> Object | None:
        """The SetNode (KJNodes) of the name that a GetNode asks for."""
        if self._setters is None:
            nodes = (node for node in self.nodes if node.get("type") == "SetNode")
            self._setters = {key: node for node in nodes if (key := _first_text(node)) is not None}
        return self._setters.get(_first_text(getter) or "")

    def feeding(self, definitions: Definitions, depth: int = 0) -> list[int]:
        """The inputs that feed a widget, in order: this is the order of an instance's values."""
        if self._feeding is None:
            self._feeding = []  # for a subgraph inside itself
            if depth < MAX_DEPTH:
                self._feeding = sorted(set(self._find_feeding(definitions, depth)))
        return self._feeding

    def _find_feeding(self, definitions: Definitions, depth: int) -> Iterator[int]:
        for node in self.nodes:
            for entry in objects(node.get("inputs")):
                origin = self.origin(entry.get("link"))
                if origin is None or origin[0] != INPUT or not 0 <= origin[1] < len(self.inputs):
                    continue
                if "widget" in entry or _feeds_inside(node, entry, definitions, depth):
                    yield origin[1]


def objects(items: Json) -> Iterator[Object]:
    """The objects in a list; nothing for anything else."""
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())


def _hashable(links: Iterator[Object]) -> Iterator[Object]:
    return (link for link in links if isinstance(link.get("target_slot"), int))


def id_of(value: Json) -> str:
    """An id as text: older files have numbers, newer ones either."""
    return str(value) if isinstance(value, int | str) else ""


def first_link(source: Object | None) -> Json:
    """The link into a node that has one, such as a reroute."""
    entries = objects(source.get("inputs")) if source is not None else iter(())
    links = (entry.get("link") for entry in islice(entries, _MAX_INPUTS))
    return next((link for link in links if link is not None), None)


def _feeds_inside(node: Object, entry: Object, definitions: Definitions, depth: int) -> bool:
    """Whether an input of a nested instance feeds a widget further in."""
    kind, name = node.get("type"), entry.get("name")
    inner = definitions.get(kind) if isinstance(kind, str) else None
    if inner is None or not isinstance(name, str):
        return False
    return inner.slot(name) in inner.feeding(definitions, depth + 1)


def _read_links(links: Json) -> Iterator[tuple[Json, Origin]]:
    for link in links if isinstance(links, list) else ():
        if isinstance(link, list) and len(link) >= 3:
            key, origin, slot = link[0], link[1], link[2]
        elif isinstance(link, dict):
            key, origin, slot = link.get("id"), link.get("origin_id"), link.get("origin_slot")
        else:
            continue
        if isinstance(key, int | str) and isinstance(slot, int):
            yield key, (id_of(origin), slot)


def _first_text(node: Object) -> str | None:
    values = node.get("widgets_values")
    first = values[0] if isinstance(values, list) and values else None
    return first if isinstance(first, str) else None
