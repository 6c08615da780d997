"""The graph of the story, as ComfyUI's editor saves it (schema 0.4).

checkpoint ─ LoRA ─ LoRA ─ LoRA ─ (LoRA, bypassed) ─ sampler ─ decode ─ upscale ─ save
text encoder ┘        prompts ─ ControlNet ┘          VAE ┘     upscaler ┘
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from ..catalog import Json

_BYPASSED: Final = 4
_CONDITIONED: Final = "positive:CONDITIONING={}.0 negative:CONDITIONING={}.{} "


@dataclass(frozen=True, slots=True)
class _Node:
    """A node. `inputs` reads `name:TYPE=node.slot`, `outputs` are types; both parted by spaces."""

    id: int
    type: str
    inputs: str
    outputs: str
    widgets: tuple[Json, ...]
    column: int


@dataclass(frozen=True, slots=True)
class _Link:
    """A wire from an output slot to an input."""

    id: int
    origin: int
    slot: int
    target: int
    target_slot: int
    name: str
    type: str


def saved_graph(
    *, names: Mapping[int, str], metadata: Mapping[int, Json], bypassed: Collection[int]
) -> dict[str, Json]:
    """The saved graph: model names, `properties.models` entries and bypassed nodes by node id."""
    nodes = _nodes(names)
    links = _links(nodes)
    return {
        "last_node_id": max(node.id for node in nodes),
        "last_link_id": len(links),
        "nodes": [
            _saved(node, order, links)
            | {"mode": _BYPASSED if node.id in bypassed else 0, "properties": _properties(node, metadata)}
            for order, node in enumerate(nodes)
        ],
        "links": [[one.id, one.origin, one.slot, one.target, one.target_slot, one.type] for one in links],
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def _nodes(names: Mapping[int, str]) -> tuple[_Node, ...]:
    """Every node, in the order they run."""
    prompt = "a lighthouse keeper, ink wash, sea foam"
    sampled = (1047, "fixed", 28, 4.5, "euler", "sgm_uniform", 1)
    applied = _CONDITIONED.format(6, 7, 0) + "control_net:CONTROL_NET=15.0 image:IMAGE=17.0"
    sampler = "model:MODEL=20.0 " + _CONDITIONED.format(16, 16, 1) + "latent_image:LATENT=5.0"
    upscaled = "upscale_model:UPSCALE_MODEL=18.0 image:IMAGE=8.0"
    return (
        _Node(4, "CheckpointLoaderSimple", "", "MODEL CLIP VAE", (names[4],), 0),
        _Node(10, "VAELoader", "", "VAE", (names[10],), 0),
        _Node(11, "CLIPLoaderGGUF", "", "CLIP", (names[11], "sd3"), 0),
        _Node(15, "ControlNetLoader", "", "CONTROL_NET", (names[15],), 0),
        _Node(18, "UpscaleModelLoader", "", "UPSCALE_MODEL", (names[18],), 0),
        _Node(17, "LoadImage", "", "IMAGE MASK", ("harbour.png", "image"), 0),
        _Node(5, "EmptyLatentImage", "", "LATENT", (1024, 1024, 1), 0),
        _Node(12, "LoraLoader", "model:MODEL=4.0 clip:CLIP=11.0", "MODEL CLIP", (names[12], 0.8, 0.8), 1),
        _Node(13, "LoraLoader", "model:MODEL=12.0 clip:CLIP=12.1", "MODEL CLIP", (names[13], 0.6, 0.6), 2),
        _Node(14, "LoraLoader", "model:MODEL=13.0 clip:CLIP=13.1", "MODEL CLIP", (names[14], 0.5, 0.5), 3),
        _Node(20, "LoraLoader", "model:MODEL=14.0 clip:CLIP=14.1", "MODEL CLIP", (names[20], 1, 1), 4),
        _Node(6, "CLIPTextEncode", "clip:CLIP=20.1", "CONDITIONING", (prompt,), 5),
        _Node(7, "CLIPTextEncode", "clip:CLIP=20.1", "CONDITIONING", ("blurry, watermark",), 5),
        _Node(16, "ControlNetApplyAdvanced", applied, "CONDITIONING CONDITIONING", (0.7, 0, 1), 6),
        _Node(3, "KSampler", sampler, "LATENT", sampled, 7),
        _Node(8, "VAEDecode", "samples:LATENT=3.0 vae:VAE=10.0", "IMAGE", (), 8),
        _Node(19, "ImageUpscaleWithModel", upscaled, "IMAGE", (), 9),
        _Node(9, "SaveImage", "images:IMAGE=19.0", "", ("lighthouse",), 10),
    )


def _links(nodes: tuple[_Node, ...]) -> tuple[_Link, ...]:
    """Every wire, numbered as it is met."""
    links: list[_Link] = []
    for node in nodes:
        for target_slot, text in enumerate(node.inputs.split()):
            name, _, rest = text.partition(":")
            kind, _, source = rest.partition("=")
            origin, _, slot = source.partition(".")
            links.append(_Link(len(links) + 1, int(origin), int(slot), node.id, target_slot, name, kind))
    return tuple(links)


def _saved(node: _Node, order: int, links: tuple[_Link, ...]) -> dict[str, Json]:
    """One node with its ends of the wires."""
    return {
        "id": node.id,
        "type": node.type,
        "pos": [320 * node.column, 150 * (order % 7)],
        "size": [300, 120],
        "flags": {},
        "order": order,
        "inputs": [
            {"name": one.name, "type": one.type, "link": one.id} for one in links if one.target == node.id
        ],
        "outputs": [
            {
                "name": kind,
                "type": kind,
                "links": [one.id for one in links if (one.origin, one.slot) == (node.id, slot)],
            }
            for slot, kind in enumerate(node.outputs.split())
        ],
        "widgets_values": list(node.widgets),
    }


def _properties(node: _Node, metadata: Mapping[int, Json]) -> dict[str, Json]:
    models = [metadata[node.id]] if node.id in metadata else []
    return {"Node name for S&R": node.type, **({"models": models} if models else {})}
