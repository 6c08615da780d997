"""Reading a workflow: every container and both forms become one flat run of nodes.

    UI form    {"nodes": [{"id", "type", "mode", "inputs", "widgets_values", "properties"}…],
                "links": […], "definitions": {"subgraphs": […]}, "extra": {"groupNodes": {…}}}
    API form   {"12": {"class_type": "…", "inputs": {"name": value | ["7", 0]}}…}, bare or as {"prompt": …}

Nodes inside subgraphs and group nodes stand in the run with the values that ComfyUI would use there,
under ids like "7:3", the way the API form and ComfyUI's errors name them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Literal

from ..catalog import Json
from ..decode import MIB, DecodeError, parse_json
from ..errors import InvalidWorkflow
from .containers import read_container
from .graph import read_graph
from .node import Budget, Hint, Node, read_hints
from .rules import gives_text

MAX_BYTES: Final = 20 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A workflow as the run of its effective nodes, in the order the file has them.

    `container` is json, png, webp …; `hints` are the file's own list of models, which may be stale.
    """

    format: Literal["ui", "api"]
    nodes: Sequence[Node]
    hints: Sequence[Hint] = ()
    container: str = field(default="json", compare=False)


def read_workflow(source: bytes | BinaryIO) -> Workflow:
    """Read a workflow from JSON or from the metadata of an image, video or sound.

    A saved workflow is preferred to a prompt, as ComfyUI's front end does on a drop.

    Raises:
        InvalidWorkflow: no workflow is in it, it is too large, or it cannot be read.
    """
    embedded = read_container(source)
    texts = [text for text in (embedded.workflow, embedded.prompt) if text is not None]
    if not texts:
        raise InvalidWorkflow(f"the {embedded.container} file carries no workflow and no prompt")
    for text in texts[:-1]:
        with contextlib.suppress(InvalidWorkflow):  # the next text tells the same in the other form
            return _read_text(text, embedded.container)
    return _read_text(texts[-1], embedded.container)


def _read_text(text: bytes, container: str) -> Workflow:
    return read_document(_parse(text), container=container)


def _parse(text: bytes | str) -> Json:
    try:
        return parse_json(text, limit=MAX_BYTES)
    except DecodeError as fault:
        raise InvalidWorkflow(f"workflow: {fault.message}") from fault


def read_document(document: Json, *, container: str = "json") -> Workflow:
    """Read a workflow that is JSON already, in either form, looking through the wrappers of tools.

    Raises:
        InvalidWorkflow: it is none, or cannot be read.
    """
    for _ in range(4):
        if isinstance(document, list):
            document = _unwrap_list(document)
        if not isinstance(document, dict):
            break
        if isinstance(document.get("nodes"), list):
            nodes = read_graph(document, Budget())
            hints = read_hints(document.get("models"))
            return Workflow(format="ui", nodes=nodes, hints=hints, container=container)
        if _is_prompt(document):
            return Workflow(format="api", nodes=_read_prompt(document), container=container)
        document = _unwrap(document)
        if isinstance(document, str):  # a workflow that a tool saved as text inside JSON
            document = _parse(document)
    raise InvalidWorkflow("the JSON is neither a saved workflow (nodes) nor a prompt (class_type, inputs)")


def _unwrap(wrapper: Mapping[str, Json]) -> Json:
    """What a tool's object holds at a usual key, or the one workflow at any other."""
    for key in ("workflow", "prompt", "output"):
        value = wrapper.get(key)
        if isinstance(value, dict | list) or (isinstance(value, str) and value.lstrip()[:1] in ("{", "[")):
            return value
    inner = (value for value in wrapper.values() if isinstance(value, dict))
    return next((value for value in inner if "nodes" in value or _is_prompt(value)), None)


def _unwrap_list(items: list[Json]) -> Json:
    """The workflow in a list: its nodes, in either form, or the one document it wraps."""
    first = items[0] if items else None
    if isinstance(first, dict):
        if "class_type" in first:
            return {str(_own_id(item, at)): item for at, item in enumerate(items)}
        if "type" in first and "id" in first:
            return {"nodes": items}
    return first if len(items) == 1 and isinstance(first, dict) else None


def _own_id(item: Json, at: int) -> Json:
    return item.get("id", at) if isinstance(item, dict) else at


def _is_prompt(document: Mapping[str, Json]) -> bool:
    return any(isinstance(entry, dict) and "class_type" in entry for entry in document.values())


# ── the API form ──


def _read_prompt(prompt: Mapping[str, Json]) -> list[Node]:
    Budget().spend(len(prompt))
    nodes = []
    for node_id, entry in prompt.items():
        if not isinstance(entry, dict):
            continue
        kind, inputs = entry.get("class_type"), entry.get("inputs")
        if isinstance(kind, str):
            named = _read_inputs(prompt, inputs) if isinstance(inputs, dict) else {}
            nodes.append(Node(id=node_id, type=kind, named=named))
    return nodes


def _read_inputs(prompt: Mapping[str, Json], inputs: Mapping[str, Json]) -> dict[str, Json]:
    """The values of a prompt's node; what comes by a link from a plain text node is looked up."""
    named: dict[str, Json] = {}
    for name, value in inputs.items():
        if isinstance(value, dict) and isinstance(value.get("__value__"), list):
            named[name] = value["__value__"]  # how the front end escapes a list that is no link
        elif is_link(value):
            constant = _constant(prompt, value)
            if constant is not None:
                named[name] = constant
        else:
            named[name] = value
    return named


def is_link(value: Json) -> bool:
    """Whether a value in a prompt is a link: the origin's id and a slot."""
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) is int


def _constant(prompt: Mapping[str, Json], link: Json) -> str | None:
    """The text that reaches an input from a node whose only text it is."""
    for _ in range(32):  # reroutes in a row; ends on a circle
        entry = prompt.get(str(link[0])) if isinstance(link, list) else None
        inputs = entry.get("inputs") if isinstance(entry, dict) else None
        kind = entry.get("class_type") if isinstance(entry, dict) else None
        if not isinstance(inputs, dict) or not isinstance(kind, str) or not gives_text(kind):
            return None
        texts = [value for value in inputs.values() if isinstance(value, str)]
        links = [value for value in inputs.values() if is_link(value)]
        if links and not texts and len(links) == 1:
            link = links[0]
            continue
        return texts[0] if len(texts) == 1 and not links else None
    return None
