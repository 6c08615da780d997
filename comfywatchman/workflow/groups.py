"""Group nodes, the forerunners of subgraphs: an instance of type `workflow/NAME` or `workflow>NAME`.

The definition is `extra.groupNodes[NAME].nodes`; the instance's values are those of the inner nodes'
visible widgets, one after another. Which widgets are visible is not saved reliably, so the values are
matched: all of them when the numbers agree, else those that look like files, or like files and "None",
in order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from ..catalog import Json
from .node import Budget, Node
from .texts import is_model_file

_MAX_NESTED: Final = 8


def group_members(
    node: Node, groups: Mapping[str, Json], budget: Budget, depth: int = 0
) -> list[Node] | None:
    """The nodes inside a group node with the instance's values; None when it is no group node.

    Raises:
        InvalidWorkflow: there are more of them than the budget allows.
    """
    if not node.type.startswith(("workflow/", "workflow>")) or depth > _MAX_NESTED:
        return None
    group = groups.get(node.type[len("workflow/") :])
    sources = group.get("nodes") if isinstance(group, dict) else None
    if not isinstance(sources, list):
        return None
    budget.open(sources)
    members = [_member(node, at, source) for at, source in enumerate(sources) if isinstance(source, dict)]
    opened: list[Node] = []
    for member, values in zip(members, _fill(members, node.values), strict=True):
        whole = replace(member, values=values)
        inner = group_members(whole, groups, budget, depth + 1)
        opened += [whole] if inner is None else inner
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


def _fill(members: Sequence[Node], given: Sequence[Json]) -> list[list[Json]]:
    """The inner nodes' values with the instance's in their places."""
    inner = [list(member.values) for member in members]
    if sum(map(len, inner)) == len(given):
        values = iter(given)
        return [list(islice(values, len(own))) for own in inner]
    for names in (is_model_file, _may_be_chosen):
        files = [value for value in given if names(value)]
        places = [(own, at) for own in inner for at, value in enumerate(own) if names(value)]
        if len(files) == len(places):
            for (own, at), value in zip(places, files, strict=True):
                own[at] = value
            break
    return inner


def _may_be_chosen(value: Json) -> bool:
    """Whether a value is a file, or the word for none."""
    return is_model_file(value) or (isinstance(value, str) and value.lower() == "none")
