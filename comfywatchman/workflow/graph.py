"""The UI form's graphs: subgraphs and group nodes opened, links followed, promoted widgets applied.

A subgraph instance is a node whose type is the id of a definition. Inside, links from node -10 come
from the instance's inputs, links to node -20 go to its outputs. The instance's own widget values are,
as the front end (1.58.1, SubgraphNode and proxyWidgetMigration) reads them:

    proxyWidgets and values   value i belongs to entry i: [inner node, widget], or ["-1", input name]
    values alone              value i belongs to the i-th input of the *definition* that feeds a widget
    no values                 the inner nodes' own values count
    proxyWidgetErrorQuarantine   its hostValue for ["-1", input name] beats all of these
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from ..catalog import Json
from ..errors import InvalidWorkflow
from .groups import group_members
from .node import Hint, Node, read_hints

MAX_DEPTH: Final = 200
_MAX_HOPS: Final = 200  # links followed for one value: ends on circles of reroutes
_INPUT, _OUTPUT = "-10", "-20"
_MUTED = (2, 4)  # LGraphEventMode.NEVER and BYPASS
_REROUTES: Final = frozenset({"Reroute", "Reroute (rgthree)", "ReroutePrimitive|pysssss", "SetNode"})
_SILENT: Final = frozenset({"Note", "MarkdownNote", "PrimitiveNode", "Reroute"})
_PREFIX: Final = re.compile(r"\s*(\d+)\s*:\s*(.+)\Z", re.DOTALL)
_NO_NAMES: Final[frozenset[str]] = frozenset()

Object = Mapping[str, Json]
Link = tuple[str, int]  # origin's id and slot


class _Elsewhere:
    """The type of ELSEWHERE: a value that a link brings and the file does not show."""


ELSEWHERE: Final = _Elsewhere()
Brought = Json | _Elsewhere


@dataclass(slots=True)
class Budget:
    """How many nodes may still be opened: instances of instances multiply."""

    left: int

    def spend(self) -> None:
        """Take one node.

        Raises:
            InvalidWorkflow: none is left.
        """
        self.left -= 1
        if self.left < 0:
            raise InvalidWorkflow("the workflow has more than 100,000 nodes")


def read_graph(document: Object, budget: Budget) -> list[Node]:
    """The effective nodes of a saved workflow.

    Raises:
        InvalidWorkflow: it opens to too many nodes, or nests too deeply.
    """
    reader = _Reader(_definitions(document), _group_nodes(document), budget)
    reader.open(_Scope(_Graph(document)), active=True, path="", around=())
    return reader.found


def _definitions(document: Object) -> dict[str, _Graph]:
    definitions = document.get("definitions")
    subgraphs = definitions.get("subgraphs") if isinstance(definitions, dict) else None
    found: dict[str, _Graph] = {}
    for subgraph in _objects(subgraphs):
        key = subgraph.get("id")
        if isinstance(key, str):
            found[key] = _Graph(subgraph)
        for inner, graph in _definitions(subgraph).items() if "definitions" in subgraph else ():
            found.setdefault(inner, graph)
    return found


def _group_nodes(document: Object) -> Object:
    extra = document.get("extra")
    groups = extra.get("groupNodes") if isinstance(extra, dict) else None
    return groups if isinstance(groups, dict) else {}


def _objects(items: Json) -> Iterator[dict[str, Json]]:
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())


class _Graph:
    """One level: the root or a definition. Its indexes are made once, when first asked for."""

    __slots__ = ("_feeding", "_links", "_nodes", "inputs", "nodes", "source")

    def __init__(self, source: Object) -> None:
        self.source = source
        self.nodes = list(_objects(source.get("nodes")))
        self.inputs = list(_objects(source.get("inputs")))
        self._nodes: dict[str, dict[str, Json]] | None = None
        self._links: dict[Json, Link] | None = None
        self._feeding: list[int] | None = None

    def node(self, node_id: str) -> dict[str, Json] | None:
        if self._nodes is None:
            self._nodes = {str(node.get("id")): node for node in self.nodes}
        return self._nodes.get(node_id)

    def origin(self, link: Json) -> Link | None:
        """Where a link comes from; both forms of links are read."""
        if self._links is None:
            self._links = dict(_read_links(self.source.get("links")))
        return self._links.get(link) if isinstance(link, int | str) else None

    def output_link(self, slot: int) -> Json:
        """The id of the link that feeds an output of this subgraph."""
        for link in _objects(self.source.get("links")):
            if str(link.get("target_id")) == _OUTPUT and link.get("target_slot") == slot:
                return link.get("id")
        return None

    def slot_named(self, name: Json) -> int | None:
        return next((at for at, entry in enumerate(self.inputs) if entry.get("name") == name), None)

    def feeding(self, definitions: Mapping[str, _Graph]) -> list[int]:
        """The slots of those inputs that feed a widget, in order: the order of an instance's values."""
        if self._feeding is None:
            self._feeding = []  # an input that feeds an instance of this very subgraph feeds nothing
            self._feeding = sorted(set(self._find_feeding(definitions)))
        return self._feeding

    def _find_feeding(self, definitions: Mapping[str, _Graph]) -> Iterator[int]:
        for node in self.nodes:
            for entry in _objects(node.get("inputs")):
                origin = self.origin(entry.get("link"))
                if origin is None or origin[0] != _INPUT:
                    continue
                if "widget" in entry or _feeds_inside(node, entry, definitions):
                    yield origin[1]


def _feeds_inside(node: Object, entry: Object, definitions: Mapping[str, _Graph]) -> bool:
    """Whether an input of a nested instance feeds a widget further in."""
    kind = node.get("type")
    inner = definitions.get(kind) if isinstance(kind, str) else None
    return inner is not None and inner.slot_named(entry.get("name")) in inner.feeding(definitions)


def _read_links(links: Json) -> Iterator[tuple[Json, Link]]:
    """[id, origin, slot, target, slot, type] of version 0.4, or an object with the same by name."""
    for link in links if isinstance(links, list) else ():
        if isinstance(link, list) and len(link) >= 3:
            key, origin, slot = link[0], link[1], link[2]
        elif isinstance(link, dict):
            key, origin, slot = link.get("id"), link.get("origin_id"), link.get("origin_slot")
        else:
            continue
        if isinstance(key, int | str) and isinstance(slot, int):
            yield key, (str(origin), slot)


@dataclass(slots=True)
class _Scope:
    """An opened graph: the root, or one instance of a definition with what its host gives it."""

    graph: _Graph
    parent: _Scope | None = None
    host: Object = field(default_factory=dict)
    by_slot: dict[int, Json] = field(default_factory=dict)
    by_widget: dict[tuple[str, str], Json] = field(default_factory=dict)

    def host_link(self, slot: int) -> Json:
        """The link into the host's own input for a slot, if one is drawn."""
        if slot >= len(self.graph.inputs) or slot < 0:
            return None
        name = self.graph.inputs[slot].get("name")
        for entry in _objects(self.host.get("inputs")):
            if entry.get("name") == name:
                return entry.get("link")
        return None


@dataclass(slots=True)
class _Reader:
    definitions: dict[str, _Graph]
    groups: Object
    budget: Budget
    found: list[Node] = field(default_factory=list)

    def open(self, scope: _Scope, *, active: bool, path: str, around: tuple[str, ...]) -> None:
        """Add the nodes of a graph, then those inside its instances. `around` are the types opened."""
        if len(around) > MAX_DEPTH:
            raise InvalidWorkflow(f"subgraphs are nested more than {MAX_DEPTH} deep")
        for source in scope.graph.nodes:
            self.budget.spend()
            kind = source.get("type")
            if not isinstance(kind, str) or kind in _SILENT:
                continue
            node_id = f"{path}{source.get('id')}"
            awake = active and source.get("mode") not in _MUTED
            inner = self.definitions.get(kind)
            if inner is not None:
                if kind not in around:
                    scope_inside = self.enter(inner, source, scope)
                    self.open(scope_inside, active=awake, path=f"{node_id}:", around=(*around, kind))
                continue
            node = self.read_node(source, kind, scope, node_id=node_id, active=awake)
            members = group_members(node, self.groups, len(around)) if self.groups else None
            if members is None:
                self.found.append(node)
                continue
            for member in members:
                self.budget.spend()
                self.found.append(member)

    def read_node(self, source: Object, kind: str, scope: _Scope, *, node_id: str, active: bool) -> Node:
        values = source.get("widgets_values")
        names, named, fed = self._inputs(source, scope)
        if isinstance(values, dict):
            named = {key: value for key, value in values.items() if key not in fed} | named
            values, names = (), []
        elif isinstance(values, list):
            by_name = source.get("widgets_values_named")
            if isinstance(by_name, dict) and len(by_name) == len(values):
                names = list(by_name)
        else:
            values = ()
        return Node(
            id=node_id,
            type=kind,
            active=active,
            values=values,
            names=names,
            named=named,
            fed=fed,
            hints=_hints(source),
            sockets=source,
        )

    def _inputs(self, source: Object, scope: _Scope) -> tuple[list[str], dict[str, Json], frozenset[str]]:
        """The names of a node's widgets, the values brought to them, and those that do not count."""
        names: list[str] = []
        named: dict[str, Json] = {}
        fed: list[str] = []
        inputs = source.get("inputs")
        if isinstance(inputs, list):
            for entry in inputs:
                if not isinstance(entry, dict):
                    continue
                widget = entry.get("widget")
                if widget is None:
                    continue
                name = widget.get("name") if isinstance(widget, dict) else entry.get("name")
                if not isinstance(name, str):
                    continue
                names.append(name)
                link = entry.get("link")
                if link is None:
                    continue
                brought = self.follow(scope, link)
                if brought is not None:
                    fed.append(name)
                    if not isinstance(brought, _Elsewhere):
                        named[name] = brought
        if scope.by_widget:
            key = str(source.get("id"))
            for (inner, name), value in scope.by_widget.items():
                if inner == key and name not in fed:
                    named[name] = value
                    fed.append(name)
        return names, named, frozenset(fed) if fed else _NO_NAMES

    def enter(self, inner: _Graph, host: Object, scope: _Scope) -> _Scope:
        """The scope inside an instance, with the values its host shows."""
        inside = _Scope(inner, scope, host)
        for target, name, value in self._host_values(inner, host, scope):
            slot = inner.slot_named(name) if target == "-1" else None
            if slot is not None:
                inside.by_slot[slot] = value
            elif target != "-1":
                deepest, bare = _strip_prefixes(target, name)
                inside.by_widget[target, name] = value
                inside.by_widget.setdefault((deepest, bare), value)
        return inside

    def _host_values(self, inner: _Graph, host: Object, scope: _Scope) -> Iterator[tuple[str, str, Json]]:
        """(inner node id or "-1", name, value), later ones winning."""
        properties = host.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        values = host.get("widgets_values")
        proxies = list(_read_proxies(properties.get("proxyWidgets")))
        if isinstance(values, dict):
            yield from (("-1", name, value) for name, value in values.items())
        elif isinstance(values, list) and values:
            if proxies:
                pairs = zip(proxies, values, strict=False)
                yield from ((target, name, value) for (target, name), value in pairs if value is not None)
            else:
                for slot, value in zip(inner.feeding(self.definitions), values, strict=False):
                    name = inner.inputs[slot].get("name") if slot < len(inner.inputs) else None
                    if isinstance(name, str) and value is not None:
                        yield "-1", name, value
        yield from self._given_from_outside(inner, host, scope)
        for entry in _objects(properties.get("proxyWidgetErrorQuarantine")):
            for target, name in _read_proxies([entry.get("originalEntry")]):
                if target == "-1" and entry.get("hostValue") is not None:
                    yield target, name, entry["hostValue"]

    def _given_from_outside(
        self, inner: _Graph, host: Object, scope: _Scope
    ) -> Iterator[tuple[str, str, Json]]:
        """What the scope around sets on a nested instance through its proxyWidgets."""
        key = str(host.get("id"))
        for (target, name), value in scope.by_widget.items():
            if target == key:
                yield "-1" if inner.slot_named(name) is not None else key, name, value
            elif inner.node(target) is not None and scope.graph.node(target) is None:
                yield target, name, value

    def follow(self, scope: _Scope, link: Json) -> Brought:
        """The value a link brings: None when the saved value counts, ELSEWHERE when it is not to be seen."""
        for _ in range(_MAX_HOPS):
            origin = scope.graph.origin(link)
            if origin is None:
                return None
            node_id, slot = origin
            if node_id == _INPUT:
                outer = scope.host_link(slot)
                if outer is None or scope.parent is None:
                    return scope.by_slot.get(slot)
                scope, link = scope.parent, outer
                continue
            source = scope.graph.node(node_id)
            kind = source.get("type") if source is not None else None
            if source is None or not isinstance(kind, str):
                return None
            inner = self.definitions.get(kind)
            if inner is not None:
                scope, link = self.enter(inner, source, scope), inner.output_link(slot)
            elif kind in _REROUTES:
                link = _first_link(source)
            elif kind == "GetNode":
                link = _first_link(_setter(scope.graph, source))
            else:
                return self._constant(scope, source, slot)
            if link is None:
                return ELSEWHERE
        return ELSEWHERE

    def _constant(self, scope: _Scope, source: Object, slot: int) -> Brought:
        """What a primitive says, or any node whose output is text and that has a single text to give."""
        values = source.get("widgets_values")
        names, named, fed = self._inputs(source, scope)
        if source.get("type") == "PrimitiveNode":
            own = values[0] if isinstance(values, list) and values else None
            return next(iter(named.values()), own)
        if source.get("mode") in _MUTED or not _gives_text(source, slot):
            return ELSEWHERE
        if len(named) == 1 and len(names) <= 1:
            return next(iter(named.values()))
        items = values.values() if isinstance(values, dict) else values if isinstance(values, list) else ()
        texts = [value for value in items if isinstance(value, str)]
        return texts[0] if len(texts) == 1 and not fed else ELSEWHERE


def _gives_text(source: Object, slot: int) -> bool:
    """Whether an output is text, a choice (a list of them in old files), or anything."""
    outputs = source.get("outputs")
    output = outputs[slot] if isinstance(outputs, list) and 0 <= slot < len(outputs) else None
    kind = output.get("type") if isinstance(output, dict) else None
    return not isinstance(kind, str) or kind in ("STRING", "COMBO", "*")


def _hints(source: Object) -> list[Hint]:
    properties = source.get("properties")
    models = properties.get("models") if isinstance(properties, dict) else None
    return read_hints(models) if models else []


def _read_proxies(entries: Json) -> Iterator[tuple[str, str]]:
    """(inner node id, widget name); a third member names the node further in."""
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, list) and len(entry) >= 2 and isinstance(entry[1], str):
            inner = entry[2] if len(entry) > 2 and isinstance(entry[2], str) else None
            yield str(entry[0]), f"{inner}: {entry[1]}" if inner else entry[1]
        else:
            yield "", ""  # keeps its place in the order


def _strip_prefixes(target: str, name: str) -> tuple[str, str]:
    """("4", "9: unet_name") is widget unet_name of node 9 further in."""
    while match := _PREFIX.match(name):
        target, name = match.groups()
    return target, name


def _first_link(source: Object | None) -> Json:
    entries: Iterable[Object] = _objects(source.get("inputs")) if source is not None else ()
    return next((entry["link"] for entry in entries if entry.get("link") is not None), None)


def _setter(graph: _Graph, getter: Object) -> Object | None:
    """The SetNode (KJNodes) of the name a GetNode asks for."""
    wanted = getter.get("widgets_values")
    for node in graph.nodes:
        if node.get("type") == "SetNode" and node.get("widgets_values") == wanted:
            return node
    return None
