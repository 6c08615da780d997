"""The UI form opened into one run of nodes: subgraphs entered, links followed, promoted widgets applied.

A subgraph instance is a node whose type is the id of a definition. What its own widget values mean, as
the front end (1.58.1, SubgraphNode and proxyWidgetMigration) reads them:

    proxyWidgets and values      value i belongs to entry i: [inner node, widget], or ["-1", input name]
    values alone                 value i belongs to the i-th input of the *definition* that feeds a widget
    no values                    the inner nodes' own values count
    proxyWidgetErrorQuarantine   its hostValue for ["-1", input name] beats all of these
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from ..catalog import Json
from ..decode import DecodeError, parse_json
from ..errors import InvalidWorkflow
from .groups import group_members
from .node import Budget, Hint, Node, read_hints
from .saved import INPUT, MAX_DEPTH, Definitions, Graph, Object, first_link, id_of, objects
from .texts import is_model_file

_MAX_HOPS: Final = 200  # links followed for one value: ends on circles
_MAX_TEXTS: Final = 64  # values looked through for the text a node gives
_MUTED: Final = (2, 4)  # LGraphEventMode.NEVER, and BYPASS
_REROUTES: Final = frozenset({"Reroute", "Reroute (rgthree)", "ReroutePrimitive|pysssss", "SetNode"})
_SILENT: Final = frozenset({"Note", "MarkdownNote", "PrimitiveNode", "Reroute"})
_PREFIX: Final = re.compile(r"\s*(\d+)\s*:\s*(.+)\Z", re.DOTALL)
_HOST: Final = "-1"
_NONE: Final[frozenset[str]] = frozenset()


class _Elsewhere:
    """The type of ELSEWHERE: a value that a link brings and that the file does not show."""


_ELSEWHERE: Final = _Elsewhere()
_Brought = Json | _Elsewhere


@dataclass(slots=True)
class _Scope:
    """An opened graph: the root, or one instance of a definition with what its host gives it."""

    graph: Graph
    parent: _Scope | None = None
    host: Object = field(default_factory=dict)
    by_slot: dict[int, Json] = field(default_factory=dict)
    by_node: dict[str, dict[str, Json]] = field(default_factory=dict)  # inner node's id, widget's name
    host_links: dict[Json, Json] = field(default_factory=dict)  # by the name of the host's input
    instances: dict[int, _Scope] = field(default_factory=dict)  # by the identity of the host inside

    def host_link(self, slot: int) -> Json:
        """The link into the host's own input for a slot, if one is drawn."""
        if not 0 <= slot < len(self.graph.inputs):
            return None
        name = self.graph.inputs[slot].get("name")
        return self.host_links.get(name) if isinstance(name, str) else None


def read_graph(document: Object, budget: Budget) -> list[Node]:
    """The effective nodes of a saved workflow.

    Raises:
        InvalidWorkflow: it opens to too many nodes, or nests too deeply.
    """
    extra = document.get("extra")
    groups = extra.get("groupNodes") if isinstance(extra, dict) else None
    reader = _Reader(_read_definitions(document), groups if isinstance(groups, dict) else {}, budget)
    reader.open(_Scope(Graph(document)), active=True, path="", around=())
    return reader.found


def _read_definitions(document: Object) -> dict[str, Graph]:
    """All subgraph definitions by id; some files keep inner ones inside outer ones."""
    found: dict[str, Graph] = {}
    left = [document]
    while left:
        definitions = left.pop().get("definitions")
        for subgraph in objects(definitions.get("subgraphs") if isinstance(definitions, dict) else None):
            if isinstance(key := subgraph.get("id"), str):
                found.setdefault(key, Graph(subgraph))
            left.append(subgraph)
    return found


@dataclass(slots=True)
class _Reader:
    definitions: Definitions
    groups: Object
    budget: Budget
    found: list[Node] = field(default_factory=list)

    def open(self, scope: _Scope, *, active: bool, path: str, around: tuple[str, ...]) -> None:
        """Add the nodes of a graph and those inside its instances. `around` are the types being opened."""
        if len(around) > MAX_DEPTH:
            raise InvalidWorkflow(f"subgraphs are nested more than {MAX_DEPTH} deep")
        if scope.parent is None:
            self.budget.spend(len(scope.graph.nodes))
        else:
            self.budget.open(scope.graph.nodes)
        for source in scope.graph.nodes:
            kind = source.get("type")
            if not isinstance(kind, str) or kind in _SILENT:
                continue
            node_id = f"{path}{id_of(source.get('id'))}"
            awake = active and source.get("mode") not in _MUTED
            inner = self.definitions.get(kind)
            if inner is None:
                self._add(self._read_node(source, kind, scope, node_id=node_id, active=awake))
            elif kind not in around:
                inside = self._enter(inner, source, scope)
                self.open(inside, active=awake, path=f"{node_id}:", around=(*around, kind))

    def _add(self, node: Node) -> None:
        members = group_members(node, self.groups, self.budget) if self.groups else None
        if members is None:
            self.found.append(node)
        else:
            self.found += members

    def _read_node(self, source: Object, kind: str, scope: _Scope, *, node_id: str, active: bool) -> Node:
        saved, by_name = _saved_values(source), source.get("widgets_values_named")
        names, named, fed = self._read_inputs(source, scope)
        values = saved if isinstance(saved, list) else []
        if isinstance(saved, dict):
            named = {key: value for key, value in saved.items() if key not in fed} | named
        elif isinstance(by_name, dict) and len(by_name) == len(values):
            names = list(by_name)
        return Node(
            id=node_id,
            type=kind,
            active=active,
            values=values,
            names=names,
            named=named,
            fed=fed,
            hints=_read_own_hints(source),
            sockets=source,
        )

    def _read_inputs(
        self, source: Object, scope: _Scope
    ) -> tuple[list[str], dict[str, Json], frozenset[str]]:
        """The names of a node's widgets, the values brought to them, and those whose own do not count."""
        names: list[str] = []
        given = scope.by_node.get(id_of(source.get("id")), {}) if scope.by_node else {}
        named = dict(given)
        elsewhere: list[str] = []
        for name, link in _widget_inputs(source):
            names.append(name)
            brought = self._follow(scope, link) if link is not None else None
            if isinstance(brought, _Elsewhere):
                elsewhere.append(name)
            elif brought is not None:
                named[name] = brought
        return names, named, frozenset((*named, *elsewhere)) if named or elsewhere else _NONE

    # ── instances ──

    def _enter(self, inner: Graph, host: Object, scope: _Scope) -> _Scope:
        """The scope inside an instance, with the values its host shows."""
        inside = scope.instances.get(id(host))
        if inside is None:
            links = {entry.get("name"): entry.get("link") for entry in _named(host.get("inputs"))}
            inside = scope.instances[id(host)] = _Scope(inner, scope, host, host_links=links)
            for target, name, value in self._host_values(inner, host, scope):
                if target != _HOST:
                    inside.by_node.setdefault(target, {})[name] = value
                elif (slot := inner.slot(name)) is not None:
                    inside.by_slot[slot] = value
        return inside

    def _host_values(self, inner: Graph, host: Object, scope: _Scope) -> Iterator[tuple[str, str, Json]]:
        """(inner node's id or "-1", name, value); later ones win."""
        properties, values = host.get("properties"), _saved_values(host)
        properties = properties if isinstance(properties, dict) else {}
        proxies = list(_read_proxies(properties.get("proxyWidgets")))
        if isinstance(values, dict):
            yield from ((_HOST, name, value) for name, value in values.items())
        elif isinstance(values, list):
            order = proxies or [(_HOST, _name(inner.inputs[at])) for at in inner.feeding(self.definitions)]
            for (target, name), value in zip(order, values, strict=False):
                if value is not None:
                    yield target, name, value
        for name, value in scope.by_node.get(id_of(host.get("id")), {}).items():
            prefix = _PREFIX.match(name) if inner.slot(name) is None else None
            yield (prefix[1], prefix[2], value) if prefix else (_HOST, name, value)
        for entry in objects(properties.get("proxyWidgetErrorQuarantine")):
            for target, name in _read_proxies([entry.get("originalEntry")]):
                if target == _HOST and entry.get("hostValue") is not None:
                    yield target, name, entry["hostValue"]

    # ── links ──

    def _follow(self, scope: _Scope, link: Json) -> _Brought:
        """The value a link brings; None when the input's own value counts."""
        shown: Json = None  # what the hosts passed on the way out show, the outermost that shows anything
        for _ in range(_MAX_HOPS):
            origin = scope.graph.origin(link)
            if origin is None:
                return shown
            node_id, slot = origin
            if node_id == INPUT:
                own = scope.by_slot.get(slot)
                shown = shown if own is None else own
                outer = scope.host_link(slot)
                if outer is None or scope.parent is None:
                    return shown
                scope, link = scope.parent, outer
                continue
            source = scope.graph.node(node_id)
            if source is None:
                return shown
            inner = self.definitions.get(_name(source, "type"))
            if inner is not None:
                scope, link = self._enter(inner, source, scope), inner.output_link(slot)
            elif (link := _passes_on(source, scope)) is None:
                return _given_text(source, slot, scope)
            if link is None:
                return _ELSEWHERE
        return _ELSEWHERE


def _passes_on(source: Object, scope: _Scope) -> Json:
    """The link whose value a node hands on unchanged: a reroute, a GetNode, a text box that is fed."""
    kind = source.get("type")
    if kind in _REROUTES:
        return first_link(source)
    if kind == "GetNode":
        return first_link(scope.graph.setter(source))
    links = [link for _, link in _widget_inputs(source) if link is not None]
    return links[0] if len(links) == 1 and not _texts(source) else None


def _given_text(source: Object, slot: int, scope: _Scope) -> _Brought:
    """What a primitive says, or a node whose output is text and that has but one to give."""
    given = scope.by_node.get(id_of(source.get("id"))) if scope.by_node else None
    if given is not None and len(given) == 1:
        return next(iter(given.values()))
    values = source.get("widgets_values")
    if source.get("type") == "PrimitiveNode":
        return values[0] if isinstance(values, list) and values else None
    if source.get("mode") in _MUTED or not _gives_text(source, slot):
        return _ELSEWHERE
    texts = _texts(source)
    files = [text for text in texts if is_model_file(text)]
    only = files if len(files) == 1 and _gives_one(source) else texts
    return only[0] if len(only) == 1 else _ELSEWHERE


def _gives_text(source: Object, slot: int) -> bool:
    """Whether an output is text, a choice (in old files the list of choices), or anything."""
    outputs = source.get("outputs")
    output = outputs[slot] if isinstance(outputs, list) and 0 <= slot < len(outputs) else None
    kind = output.get("type") if isinstance(output, dict) else None
    return not isinstance(kind, str) or kind in ("STRING", "COMBO", "*")


def _gives_one(source: Object) -> bool:
    outputs = source.get("outputs")
    return isinstance(outputs, list) and len(outputs) == 1


def _texts(source: Object) -> list[str]:
    values = source.get("widgets_values")
    items = list(values.values()) if isinstance(values, dict) else values if isinstance(values, list) else []
    return [value for value in items[:_MAX_TEXTS] if isinstance(value, str)]


def _saved_values(source: Object) -> Json:
    """The saved values: a list, or by name, in a field of their own where they stand alone."""
    values = source.get("widgets_values")
    return source.get("widgets_values_named") if values is None else values


def _widget_inputs(source: Object) -> Iterator[tuple[str, Json]]:
    """(widget's name, link or None) of the inputs that are widgets."""
    inputs = source.get("inputs")
    if isinstance(inputs, list):
        for entry in inputs:
            if isinstance(entry, dict) and isinstance(widget := entry.get("widget"), dict):
                name = widget.get("name")
                if isinstance(name, str):
                    yield name, entry.get("link")


def _named(entries: Json) -> Iterator[Object]:
    return (entry for entry in objects(entries) if isinstance(entry.get("name"), str))


def _name(entry: Object, key: str = "name") -> str:
    name = entry.get(key)
    return name if isinstance(name, str) else ""


def _read_own_hints(source: Object) -> list[Hint]:
    properties = source.get("properties")
    models = properties.get("models") if isinstance(properties, dict) else None
    return read_hints(models) if models else []


def _read_proxies(entries: Json) -> Iterator[tuple[str, str]]:
    """(inner node's id, widget's name); a third member, the node further in, becomes a prefix as of old."""
    if isinstance(entries, str):  # as a property panel keeps it
        with contextlib.suppress(DecodeError):
            entries = parse_json(entries)
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, list) or len(entry) < 2 or not isinstance(entry[1], str):
            yield "", ""  # keeps its place in the order
        elif len(entry) > 2 and isinstance(entry[2], str):
            yield id_of(entry[0]), f"{entry[2]}: {entry[1]}"
        else:
            yield id_of(entry[0]), entry[1]
