"""Small workflows, built the way ComfyUI's front end saves them."""

from __future__ import annotations

import json
from typing import Any

from comfywatchman.workflow.document import read_workflow
from comfywatchman.workflow.loaders import Loaders, load_loaders
from comfywatchman.workflow.references import Survey, find_references

Obj = dict[str, Any]
LOADERS = load_loaders()


def node(node_id: int, kind: str, values: Any = (), *, mode: int = 0, **more: Any) -> Obj:
    """A node of the UI form; `inputs`, `outputs` and `properties` may be given."""
    saved = list(values) if isinstance(values, tuple) else values
    return {"id": node_id, "type": kind, "mode": mode, "widgets_values": saved} | more


def widget(name: str, link: int | None = None) -> Obj:
    """An input that is a widget."""
    return {"name": name, "type": "COMBO", "widget": {"name": name}, "link": link}


def socket(name: str, kind: str = "MODEL", link: int | None = None) -> Obj:
    """An input or output that is none."""
    return {"name": name, "type": kind, "link": link}


def workflow(*nodes: Any, links: Any = (), subgraphs: Any = (), **more: Any) -> Obj:
    """A document; links are [id, origin, slot, target, slot, type]."""
    definitions = {"subgraphs": list(subgraphs)}
    return {"nodes": list(nodes), "links": list(links), "definitions": definitions, "version": 0.4} | more


def subgraph(key: str, *nodes: Obj, inputs: Any = (), links: Any = (), outputs: Any = ()) -> Obj:
    """A definition; inputs are (name, link ids…), links (id, origin, slot, target, slot)."""
    return {
        "id": key,
        "nodes": list(nodes),
        "inputs": [{"name": name, "linkIds": list(ids)} for name, *ids in inputs],
        "outputs": list(outputs),
        "links": [
            {"id": i, "origin_id": o, "origin_slot": s, "target_id": t, "target_slot": ts, "type": "COMBO"}
            for i, o, s, t, ts in links
        ],
    }


def survey(document: Any, loaders: Loaders = LOADERS) -> Survey:
    """What a document names."""
    return find_references(read_workflow(json.dumps(document).encode()), loaders)


def names(document: Any, *, active: bool = True) -> list[tuple[str, str]]:
    """(folder, name) of the active or the inactive references, in order."""
    return [(r.folder, r.name) for r in survey(document).references if r.active is active]
