"""Workflows for the page, as ComfyUI saves them, and files that hold them.

workflow = graph(node("VAELoader", "lamp.safetensors", url=…), node("LoraLoader", "ink.safetensors", 1, 1))
png_with(workflow)
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

Saved = dict[str, Any]


def node(
    kind: str, *values: object, url: str | None = None, folder: str | None = None, mode: int = 0, **more: Any
) -> Saved:
    """A node; `url` and `folder` make the `properties.models` entry of its first value."""
    entry = {"name": values[0], "url": url, "directory": folder} if url else None
    properties = {"Node name for S&R": kind, **({"models": [entry]} if entry else {})}
    return {"type": kind, "mode": mode, "widgets_values": [*values], "properties": properties, **more}


def graph(*nodes: Saved, definitions: Sequence[Saved] = (), links: Sequence[Any] = ()) -> Saved:
    """A workflow of these nodes, numbered from 1 where they say no number."""
    numbered = [
        {"id": number, "pos": [320 * (number % 6), 180 * (number // 6)], "size": [300, 120], "flags": {},
         "order": number, "inputs": [], "outputs": [], **one}
        for number, one in enumerate(nodes, 1)
    ]  # fmt: skip
    last = max((int(one["id"]) for one in numbered), default=0)
    saved: Saved = {
        "last_node_id": last,
        "last_link_id": 0,
        "nodes": numbered,
        "links": [*links],
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }
    return saved | ({"definitions": {"subgraphs": [*definitions]}} if definitions else {})


def wired(*nodes: Saved, wires: Sequence[tuple[int, int, int, str, str]]) -> Saved:
    """A workflow with wires: (from node, from slot, to node, name of the input, type)."""
    saved = graph(*nodes)
    by_id = {one["id"]: one for one in saved["nodes"]}
    for number, (origin, slot, target, name, kind) in enumerate(wires, 1):
        source, sink = by_id[origin], by_id[target]
        outputs = source["outputs"] = [*source["outputs"]]
        while len(outputs) <= slot:
            outputs.append({"name": kind, "type": kind, "links": []})
        outputs[slot] = {"name": kind, "type": kind, "links": [*outputs[slot]["links"], number]}
        sink["inputs"] = [*sink["inputs"], {"name": name, "type": kind, "link": number}]
        saved["links"].append([number, origin, slot, target, len(sink["inputs"]) - 1, kind])
    return saved | {"last_link_id": len(wires)}


def promoted(kind: str, widget: str, value: str, *, slot: str, id_: str = "sub-1") -> Saved:
    """A subgraph whose one node, 3, has one widget promoted to the host under the name `slot`."""
    return {
        "id": id_,
        "version": 1,
        "name": "Loading",
        "revision": 0,
        "config": {},
        "state": {"lastGroupId": 0, "lastNodeId": 3, "lastLinkId": 5, "lastRerouteId": 0},
        "inputNode": {"id": -10, "bounding": [0, 0, 120, 60]},
        "outputNode": {"id": -20, "bounding": [600, 0, 120, 60]},
        "inputs": [{"id": f"{id_}-in", "name": slot, "type": "COMBO", "linkIds": [5], "pos": [100, 20]}],
        "outputs": [],
        "widgets": [],
        "nodes": [
            {
                "id": 3,
                "type": kind,
                "pos": [200, 0],
                "size": [300, 80],
                "flags": {},
                "order": 0,
                "mode": 0,
                "inputs": [{"name": widget, "type": "COMBO", "widget": {"name": widget}, "link": 5}],
                "outputs": [],
                "properties": {"Node name for S&R": kind},
                "widgets_values": [value],
            }
        ],
        "groups": [],
        "links": [
            {"id": 5, "origin_id": -10, "origin_slot": 0, "target_id": 3, "target_slot": 0, "type": "COMBO"}
        ],
        "extra": {},
    }


def png_with(**texts: Mapping[str, Any]) -> bytes:
    """A PNG of one pixel with JSON in its text chunks, as SaveImage writes them."""
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head)]
    chunks += [(b"tEXt", f"{key}\0{json.dumps(value)}".encode()) for key, value in texts.items()]
    chunks += [(b"IDAT", zlib.compress(b"\0\0\0\0")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
