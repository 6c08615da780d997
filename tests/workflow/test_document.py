"""Every form a workflow comes in, and everything that is none."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from workflow_kit import names, node, socket, survey, widget, workflow

from comfywatchman.errors import InvalidWorkflow
from comfywatchman.workflow.document import read_workflow

CHECKPOINT = [("checkpoints", "a.safetensors")]
LOADER = node(1, "CheckpointLoaderSimple", ("a.safetensors",))
PROMPT = {"1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}}}

FORMS = {
    "ui 0.4": workflow(LOADER),
    "ui 1": workflow(LOADER, version=1),
    "ui in a wrapper": {"workflow": workflow(LOADER)},
    "ui as text in a wrapper": {"workflow": json.dumps(workflow(LOADER))},
    "ui and prompt": {"prompt": {}, "workflow": workflow(LOADER)},
    "list of nodes": [LOADER],
    "list of one workflow": [workflow(LOADER)],
    "api": PROMPT,
    "api in a wrapper": {"prompt": PROMPT, "client_id": "x"},
    "api as output": {"output": PROMPT},
    "api as a list": [{"id": 4, **PROMPT["1"]}],
    "nulls": workflow(
        LOADER, node(2, "VAELoader", None, inputs=None, outputs=None, properties=None), None, 7
    ),
}

NO_WORKFLOWS: dict[str, bytes] = {
    "empty": b"",
    "no JSON": b"{nodes: []}",
    "cut": b'{"nodes": [',
    "text": b'"hello"',
    "number": b"12",
    "null": b"null",
    "object": b'{"a": 1}',
    "list": b'[{"a": 1}]',
    "empty list": b"[]",
    "nodes that are no list": b'{"nodes": {"1": {}}}',
    "wrapper in wrapper": b'{"prompt": {"prompt": {"prompt": {"prompt": {"nodes": []}}}}}',
    "broken text in a wrapper": b'{"workflow": "{nodes"}',
    "not UTF-8": b'{"nodes": "\xff\xfe\xfa"}',
    "5,000 digits": b'{"nodes": [], "x": ' + b"9" * 5000 + b"}",
    "depth 100,000": b"[" * 100_000 + b"]" * 100_000,
    "too large": b" " * (20 * 1024 * 1024) + b"{}",
    "too many nodes in a prompt": json.dumps({str(n): PROMPT["1"] for n in range(100_001)}).encode(),
    "too many nodes": b'{"nodes": [' + b"{}," * 100_000 + b"{}]}",
}


@pytest.mark.parametrize("document", FORMS.values(), ids=FORMS)
def test_forms(document: Any) -> None:
    """The same loader is found in each form."""
    assert names(document) == CHECKPOINT


@pytest.mark.parametrize("data", NO_WORKFLOWS.values(), ids=NO_WORKFLOWS)
def test_no_workflow(data: bytes) -> None:
    """What is no workflow gives the one error, with a message and a hint."""
    with pytest.raises(InvalidWorkflow) as caught:
        read_workflow(data)
    assert caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_byte_order_marks(encoding: str) -> None:
    """Files saved by Windows editors are read."""
    assert read_workflow(json.dumps(workflow(LOADER)).encode(encoding)).format == "ui"


def test_file_objects() -> None:
    """A binary file serves as well as bytes."""
    assert read_workflow(io.BytesIO(json.dumps(PROMPT).encode())).format == "api"


def test_lone_surrogates() -> None:
    """A name with half a character is a name like any other."""
    data = json.dumps(workflow(node(1, "VAELoader", ("\ud800.safetensors",)))).encode()
    assert read_workflow(data).nodes[0].values == ["\ud800.safetensors"]


def test_not_a_number() -> None:
    """NaN, which ComfyUI writes into prompts, is read over."""
    assert read_workflow(b'{"1": {"class_type": "KSampler", "inputs": {"cfg": NaN}}}').format == "api"


def test_api_links() -> None:
    """Text that comes by a link from a text node counts; what comes from a loader does not."""
    prompt = {
        "1": {"class_type": "PrimitiveString", "inputs": {"value": "a.safetensors"}},
        "2": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": ["1", 0]}},
        "3": {"class_type": "Reroute", "inputs": {"": ["1", 0]}},
        "4": {"class_type": "VAELoader", "inputs": {"vae_name": ["3", 0]}},
        "5": {"class_type": "KSampler", "inputs": {"model": ["2", 0], "seed": ["404", 0]}},
        "6": {"class_type": "Reroute", "inputs": {"": ["6", 0]}},
        "7": {"class_type": "LoraLoader", "inputs": {"lora_name": ["6", 0]}},
        "8": "no node",
        "9": {"class_type": "LoraLoader", "inputs": None},
    }
    assert names(prompt) == [("checkpoints", "a.safetensors"), ("vae", "a.safetensors")]


def test_api_escaped_lists() -> None:
    """The front end escapes lists that are no links."""
    value = {"__value__": [{"name": "ink", "active": True}, {"name": "unused", "active": False}]}
    prompt = {
        "1": {"class_type": "Lora Loader (LoraManager)", "inputs": {"text": "<lora:ink:1>", "loras": value}}
    }
    assert names(prompt) == [("loras", "ink")]
    assert names(prompt, active=False) == [("loras", "unused")]


def test_muted_and_bypassed() -> None:
    """Modes 2 and 4 are told apart from what is needed; 0, 1 and 3 run."""
    nodes = [node(mode, "VAELoader", (f"{mode}.safetensors",), mode=mode) for mode in range(5)]
    found = survey(workflow(*nodes)).references
    assert [r.active for r in found] == [True, True, False, True, False]


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_widgets_as_list_or_dict(kind: str) -> None:
    """Some packs save widgets by name."""
    values = {"lora_name": "a.safetensors"} if kind == "dict" else ["a.safetensors"]
    assert names(workflow(node(1, "LoraLoaderModelOnly", values))) == [("loras", "a.safetensors")]


LINKED = [
    ("PrimitiveNode", {}, "by_link.safetensors"),
    ("PrimitiveString", {"outputs": [socket("STRING", "STRING")]}, "by_link.safetensors"),
    ("ETN_Parameter", {"outputs": [socket("*", "*")]}, "by_link.safetensors"),
    ("Anything", {"outputs": [socket("MODEL")]}, None),
    ("Anything", {"outputs": [socket("STRING", "STRING")], "mode": 2}, None),
]


@pytest.mark.parametrize(("kind", "more", "expected"), LINKED)
def test_a_link_beats_the_saved_value(kind: str, more: dict[str, Any], expected: str | None) -> None:
    """The stale value of a linked widget never counts; the one that comes does, where it can be seen."""
    origin = node(1, kind, ("by_link.safetensors",), **more)
    loader = node(2, "VAELoader", ("stale.safetensors",), inputs=[widget("vae_name", 5)])
    found = survey(workflow(origin, loader, links=[[5, 1, 0, 2, 0, "COMBO"]])).references
    assert [r.name for r in found if r.node_id == "2"] == ([] if expected is None else [expected])


def test_reroutes_and_get_nodes() -> None:
    """A value is followed through reroutes and Set and Get nodes."""
    nodes = [
        node(1, "PrimitiveNode", ("a.safetensors",)),
        node(2, "Reroute", inputs=[socket("", "*", 10)]),
        node(3, "SetNode", ("shared",), inputs=[socket("COMBO", "COMBO", 11)]),
        node(4, "GetNode", ("shared",)),
        node(5, "VAELoader", ("stale.safetensors",), inputs=[widget("vae_name", 12)]),
        node(6, "GetNode", ("nobody",)),
        node(7, "VAELoader", ("stale.safetensors",), inputs=[widget("vae_name", 13)]),
    ]
    links = [[10, 1, 0, 2, 0], [11, 2, 0, 3, 0], [12, 4, 0, 5, 0], [13, 6, 0, 7, 0]]
    assert names(workflow(*nodes, links=links)) == [("vae", "a.safetensors")]


def test_circles_of_reroutes() -> None:
    """Links in a circle end, and bring nothing."""
    nodes = [
        node(1, "Reroute", inputs=[socket("", "*", 2)]),
        node(2, "Reroute", inputs=[socket("", "*", 1)]),
        node(3, "VAELoader", ("stale.safetensors",), inputs=[widget("vae_name", 3)]),
    ]
    assert names(workflow(*nodes, links=[[1, 1, 0, 2, 0], [2, 2, 0, 1, 0], [3, 2, 0, 3, 0]])) == []


@pytest.mark.parametrize("link", [404, [], {"a": 1}, True, 2.5, "x"])
def test_links_to_nowhere(link: Any) -> None:
    """A link that does not exist leaves the saved value standing."""
    loader = node(1, "VAELoader", ("a.safetensors",), inputs=[widget("vae_name") | {"link": link}])
    broken: list[Any] = [None, [], [1], [1, 2, "x"], {"id": []}, "text"]
    assert names(workflow(loader, links=broken)) == [("vae", "a.safetensors")]


def test_metadata_of_the_file() -> None:
    """The file's own list of models is kept as hints."""
    models = [{"name": "a.safetensors", "url": "https://x/a", "directory": "vae"}, {"name": 3}, None, {}]
    read = read_workflow(json.dumps(workflow(models=models)).encode())
    assert [(hint.name, hint.url, hint.folder) for hint in read.hints] == [
        ("a.safetensors", "https://x/a", "vae")
    ]
