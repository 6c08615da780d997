"""Small workflows of kinds that were once misread, each with the answer ComfyUI itself would give."""

from __future__ import annotations

from typing import Any

import pytest
from workflow_kit import Obj, names, node, subgraph, survey, widget, workflow

from comfywatchman.errors import InvalidWorkflow

UNET = subgraph(
    "S",
    node(5, "UNETLoader", ("inner.sft", "default"), inputs=[widget("unet_name", 1)]),
    inputs=[("height",), ("unet_name", 1)],
    links=[(1, -10, 1, 5, 0)],
)
FREE = subgraph("S", node(5, "UNETLoader", ("inner.sft", "default"), inputs=[widget("unet_name")]))
SLIPPED = subgraph(
    "S",
    node(4, "Resize", (720,), inputs=[widget("height", 1)]),
    node(5, "UNETLoader", ("inner.sft", "default"), inputs=[widget("unet_name", 2)]),
    inputs=[("height", 1)],
    links=[(1, -10, 0, 4, 0), (2, -10, 0, 5, 0)],
)
API = {"1": {"class_type": "VAELoader", "inputs": {"vae_name": "v.sft"}}}
EFFICIENT = ("c.sft", "v.pt", -2, "None", 1, 1, "cat", "bad, embedding:E.pt", "none", "comfy", 640, 640, 1)


def group(*values: Any) -> Obj:
    """An instance of a group node of a checkpoint and a LoRA, whose strength for CLIP is not shown."""
    members = [
        node(0, "CheckpointLoaderSimple", ("old_c.sft",)),
        node(1, "LoraLoader", ("old_l.sft", 1, 1)),
    ]
    extra = {"groupNodes": {"Loaders": {"nodes": members}}}
    return workflow(node(1, "workflow>Loaders", values), extra=extra)


CASES: dict[str, tuple[Obj, list[tuple[str, str]]]] = {
    "a prompt that ends in an extension is no file": (
        workflow(node(1, "Efficient Loader", EFFICIENT)),
        [("checkpoints", "c.sft"), ("vae", "v.pt"), ("embeddings", "E.pt")],
    ),
    "nor is it in a node nobody knows, whatever the node's name": (
        workflow(node(1, "MyLoraPrompt", ("cat embedding:E.pt",))),
        [("embeddings", "E.pt")],
    ),
    "brackets in an embedding's name are escaped": (
        workflow(node(1, "CLIPTextEncode", (r"(embedding:ink_\(v2\):1.2)",))),
        [("embeddings", "ink_(v2)")],
    ),
    "a wildcard in the place of a LoRA's name is no name": (
        workflow(
            node(1, "ImpactWildcardEncode", ("<lora:__any__:1> <lora:{a|b}:1>", "<lora:a:1>", "populate"))
        ),
        [("loras", "a")],
    ),
    "None chosen in a group node": (group("c.sft", "None", 1), [("checkpoints", "c.sft")]),
    "files in a group node whose widgets are not all shown": (
        group("c.sft", "l.sft", 1),
        [("checkpoints", "c.sft"), ("loras", "l.sft")],
    ),
    "values by name alone": (
        workflow({"id": 1, "type": "UNETLoader", "widgets_values_named": {"unet_name": "u.sft"}}),
        [("diffusion_models", "u.sft")],
    ),
    "an instance's values by name alone": (
        workflow({"id": 1, "type": "S", "widgets_values_named": {"unet_name": "u.sft"}}, subgraphs=[UNET]),
        [("diffusion_models", "u.sft")],
    ),
    "proxies kept as text": (
        workflow(
            node(1, "S", ("u.sft",), properties={"proxyWidgets": '[["5", "unet_name"]]'}), subgraphs=[FREE]
        ),
        [("diffusion_models", "u.sft")],
    ),
    "proxies in text that is no JSON": (
        workflow(node(1, "S", ("u.sft",), properties={"proxyWidgets": "["}), subgraphs=[FREE]),
        [("diffusion_models", "inner.sft")],
    ),
    "a number that a slipped link brings to a file": (
        workflow(node(1, "S", (720,)), subgraphs=[SLIPPED]),
        [("diffusion_models", "inner.sft")],
    ),
    "a stale file where the table has none": (
        workflow(node(1, "CR Load Scheduled Models", ("Schedule", "stale.sft", "M1", "c.sft", "CR"))),
        [("checkpoints", "c.sft")],
    ),
    "a list of another version, with nothing in its place": (
        workflow(node(1, "CR Load Scheduled Models", ("Schedule", "c.sft", "CR"))),
        [("checkpoints", "c.sft")],
    ),
    "a LoRA in a helper that writes it into the prompt": (
        workflow(node(1, "ToDetailerPipeSDXL", ("<lora:a:1>", "b.sft", "Select the Wildcard"))),
        [("loras", "a")],
    ),
    "two checkpoints to merge": (
        workflow(node(1, "easy XYInputs: ModelMergeBlocks", ("a.sft", "b.sft", "Use Model 1", "", ""))),
        [("checkpoints", "a.sft"), ("checkpoints", "b.sft")],
    ),
    "a LoRA for the blocks of a DiT": (
        workflow(node(1, "DiTBlockLoraLoader", (1, "l.sft"))),
        [("loras", "l.sft")],
    ),
    "a wrapper whose workflow is only a title": (
        {"workflow": "My workflow", "prompt": API},
        [("vae", "v.sft")],
    ),
    "a wrapper with a key of its own": ({"note": "captured", "api_graph": API}, [("vae", "v.sft")]),
    "a training's checkpoint": (
        workflow(node(1, "Lora Training in ComfyUI", ("c.sft", "/data", 1))),
        [("checkpoints", "c.sft")],
    ),
    "a CLIP vision model named clip_name": (
        {"1": {"class_type": "UltraSharkSampler Tiled", "inputs": {"clip_name": "v.sft"}}},
        [("clip_vision", "v.sft")],
    ),
}


@pytest.mark.parametrize(("document", "expected"), CASES.values(), ids=CASES)
def test_truths(document: Obj, expected: list[tuple[str, str]]) -> None:
    """Exactly these files are named."""
    assert names(document) == expected


def test_labels() -> None:
    """A label is no node that somebody should know."""
    assert survey(workflow(node(1, "Label (rgthree)", ("c.safetensors",)))).unknown_nodes == ()


WIDE_GROUP = {"groupNodes": {"L": {"nodes": [node(0, "LoraLoader", ["a.sft"] * 2_000)]}}}
AMPLIFIED: dict[str, Obj] = {
    "values of a group node": workflow(
        *[node(i, "workflow>L", ("a.sft", 1)) for i in range(1000)], extra=WIDE_GROUP
    ),
    "text of a subgraph": workflow(
        *[node(i, "S") for i in range(1000)],
        subgraphs=[subgraph("S", node(5, "CLIPTextEncode", ("embedding:a " * 2_000,)))],
    ),
}


@pytest.mark.parametrize("document", AMPLIFIED.values(), ids=AMPLIFIED)
def test_amplification(document: Obj) -> None:
    """A small file that opens to a huge amount of values or text is refused; ten instances are not."""
    with pytest.raises(InvalidWorkflow, match="opens to more"):
        survey(document)
    assert survey(document | {"nodes": document["nodes"][:10]}).references
