"""Group nodes, the forerunners of subgraphs: an instance of type `workflow/NAME` or `workflow>NAME`.

The definition is `extra.groupNodes[NAME].nodes`; the instance's values are those of the inner nodes'
visible widgets, one after another. Which widgets are visible is not saved reliably, so the values are
matched: all of them when the numbers agree, else those that look like files, in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..catalog import Json
from .texts import is_model_file
from .node import Node

_MAX_NESTED = 8


def group_members(node: Node, groups: Mapping[str, Json], depth: int = 0) -> list[Node] | None:
    """The nodes inside a group node with the instance's values; None when it is none."""
    if not node.type.startswith(("workflow/", "workflow>")) or depth > _MAX_NESTED:
        return None
    group = groups.get(node.type[len("workflow/") :])
    sources = group.get("nodes") if isinstance(group, dict) else None
    if not isinstance(sources, list):
        return None
    members = [_member(node, at, source) for at, source in enumerate(sources) if isinstance(source, dict)]
    filled = _fill([list(member.values) for member in members], list(node.values))
    opened: list[Node] = []
    for member, values in zip(members, filled, strict=True):
        whole = Node(
            id=member.id,
            type=member.type,
            active=member.active,
            values=values,
            names=member.names,
            hints=member.hints,
            sockets=member.sockets,
        )
        opened += group_members(whole, groups, depth + 1) or [whole]
    return opened


def _member(node: Node, at: int, source: Mapping[str, Json]) -> Node:
    kind, values = source.get("type"), source.get("widgets_values")
    return Node(
        id=f"{node.id}:{at}",
        type=kind if isinstance(kind, str) else "",
        active=node.active and source.get("mode") not in (2, 4),
        values=values if isinstance(values, list) else (),
        hints=node.hints,
        sockets=source,
    )


def _fill(inner: list[list[Json]], given: Sequence[Json]) -> list[list[Json]]:
    """The inner nodes' values with the instance's in their places."""
    if sum(map(len, inner)) == len(given):
        values = iter(given)
        return [[next(values) for _ in own] for own in inner]
    files = [value for value in given if is_model_file(value)]
    places = [
        (row, at) for row, own in enumerate(inner) for at, value in enumerate(own) if is_model_file(value)
    ]
    if len(files) == len(places):
        for (row, at), value in zip(places, files, strict=True):
            inner[row][at] = value
    return inner
