"""What our own loader nodes need: names, links and pins as the nodes themselves read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow_kit import node, survey, widget, workflow

from comfywatchman.errors import InvalidWorkflow
from comfywatchman.workflow.references import Reference

SHA = "a" * 64
PIN = f"civitai:7@70+71 sha256:{SHA} ink.safetensors"
INK = "https://civitai.com/api/download/models/70?fileId=71"

CHECKPOINT, LORA, STACK = "ComfyWatchmanCheckpointLoader", "ComfyWatchmanLoRALoader", "ComfyWatchmanLoRAStack"


def lora(name: str, source: str = "", pinned: str = "") -> tuple[Any, ...]:
    return (name, source, 1, 1, "a prompt", "after", "error", pinned)


def found(kind: str, values: tuple[Any, ...], **more: Any) -> list[Reference]:
    result = survey(workflow(node(1, kind, values, **more)))
    assert (result.self_fetched, result.unknown_nodes) == ((), ())
    return list(result.references)


SOURCES: list[tuple[str, str]] = [
    ("7", "https://civitai.com/models/7"),
    ("v:70", "https://civitai.com/api/download/models/70"),
    ("https://civitai.com/models/7/ink?modelVersionId=70", "https://civitai.com/api/download/models/70"),
    ("urn:air:sdxl:lora:civitai:7@70+71", INK),
    ("hf:a/b/c/ink.safetensors", "https://huggingface.co/a/b/resolve/main/c/ink.safetensors"),
    ("hf:a/b@5f/ink.safetensors", "https://huggingface.co/a/b/resolve/5f/ink.safetensors"),
    (" hf:a/b ", "https://huggingface.co/a/b"),
]


@pytest.mark.parametrize(("source", "url"), SOURCES)
@pytest.mark.parametrize(("kind", "folder"), [(CHECKPOINT, "checkpoints"), (LORA, "loras")])
def test_source(kind: str, folder: str, source: str, url: str) -> None:
    """A source is what is needed, whatever the name beside it says."""
    values = ("other.safetensors", source, "") if kind == CHECKPOINT else lora("other.safetensors", source)
    [reference] = found(kind, values)
    assert (reference.folder, reference.name, reference.url) == (folder, source.strip(), url)
    assert (reference.input_name, reference.linked, reference.active) == ("source", True, True)


def test_name() -> None:
    """Without a source the name counts, with what its pin says."""
    [bare] = found(LORA, lora("style\\ink.safetensors"))
    assert (bare.name, bare.url, bare.digest, bare.linked) == ("style/ink.safetensors", None, None, False)
    [pinned] = found(LORA, lora("style\\ink.safetensors", "", PIN))
    assert (pinned.input_name, pinned.url, str(pinned.digest)) == ("lora_name", INK, f"sha256:{SHA}")


def test_metadata() -> None:
    """A name without a pin takes what the workflow's metadata say of it; a pin counts more."""
    hint = {"name": "ink.safetensors", "url": "https://huggingface.co/a/b/resolve/main/ink.safetensors"}
    properties = {"models": [{**hint, "directory": "loras"}]}
    [hinted] = found(LORA, lora("ink.safetensors"), properties=properties)
    assert hinted.url == hint["url"]
    [pinned] = found(LORA, lora("ink.safetensors", "", PIN), properties=properties)
    assert pinned.url == INK


def test_source_that_is_a_name() -> None:
    """A name as source is a name, and wins too."""
    [reference] = found(CHECKPOINT, ("other.safetensors", "lamp.safetensors", ""))
    assert (reference.input_name, reference.name, reference.linked) == ("source", "lamp.safetensors", False)


def test_pin_of_a_source() -> None:
    """What a link means is pinned down: the release, and its bytes."""
    [reference] = found(LORA, lora("", "7", PIN))
    assert (reference.name, reference.url, str(reference.digest)) == ("7", INK, f"sha256:{SHA}")
    [other] = found(LORA, lora("", "8", PIN))
    assert (other.url, other.digest) == ("https://civitai.com/models/8", None)


def test_secrets_in_a_source() -> None:
    """A token that was pasted along is kept nowhere."""
    [reference] = found(LORA, lora("", "https://civitai.com/api/download/models/70?token=s3cret"))
    assert "s3cret" not in repr(reference.to_dict())
    assert reference.url == "https://civitai.com/api/download/models/70"


@pytest.mark.parametrize(
    "values",
    [
        lora("None"),
        lora("none", "none"),
        lora("ink", "what is this?"),
        lora("ink.safetensors", "https://example.com/x.safetensors?a=" + "y" * 3000),
        (None, None, None, None, None, None, None, None),
        (),
        ([], {}, 1, 1, 1, 1, 1, 7),
        (True, True, 1, 1, 1, 1, 1, 7),
    ],
)
def test_nothing(values: tuple[Any, ...]) -> None:
    """What the node cannot read is nothing to fetch; the node says so when it runs."""
    assert found(LORA, values) == []


def test_broken_pins() -> None:
    """Pins that cannot be read pin nothing."""
    [reference] = found(LORA, lora("ink.safetensors", "", "no pin at all"))
    assert (reference.url, reference.digest) == (None, None)


def test_stack() -> None:
    """Each row is one; those that are off are told apart."""
    text = "# mine\non | style/ink.safetensors | 0.8\noff | v:80 | 1\nhf:a/b/c.safetensors\n"
    stacked = found(STACK, (text, "error", PIN))
    told = [(r.folder, r.name, r.active, r.linked, r.url) for r in stacked]
    assert told == [
        ("loras", "style/ink.safetensors", True, False, INK),
        ("loras", "v:80", False, True, "https://civitai.com/api/download/models/80"),
        (
            "loras",
            "hf:a/b/c.safetensors",
            True,
            True,
            "https://huggingface.co/a/b/resolve/main/c.safetensors",
        ),
    ]
    assert {r.input_name for r in stacked} == {"loras"}
    assert found(STACK, ("ink.safetensors | much", "error", "")) == []


def test_stack_of_programs() -> None:
    """The form that programs write is read, too."""
    [reference] = found(STACK, ('[{"name": "v:70", "on": false}]', "error", ""))
    assert (reference.name, reference.active) == ("v:70", False)


def test_api_form() -> None:
    """A prompt names its inputs, and may leave any out."""
    prompt = {
        "1": {"class_type": LORA, "inputs": {"model": ["2", 0], "source": "v:70", "pinned": PIN}},
        "2": {"class_type": CHECKPOINT, "inputs": {"ckpt_name": "lamp.safetensors"}},
        "3": {"class_type": STACK, "inputs": {"loras": "ink.safetensors"}},
        "8": {"class_type": LORA, "inputs": {"source": 7}},
        "4": {"class_type": LORA, "inputs": {"lora_name": ["5", 0], "source": ["6", 0]}},
        "7": {"class_type": "ComfyWatchmanActiveCheckpoint", "inputs": {}},
    }
    told = [(r.node_id, r.name, r.url) for r in survey(prompt).references]
    assert told == [
        ("1", "v:70", INK),
        ("2", "lamp.safetensors", None),
        ("3", "ink.safetensors", None),
        ("8", "7", "https://civitai.com/models/7"),
    ]


def test_source_from_a_primitive() -> None:
    """A source that another node gives counts as one that is written."""
    primitive = node(1, "PrimitiveNode", ("v:70", "fixed"), outputs=[{"name": "STRING", "type": "STRING"}])
    loader = node(
        2,
        CHECKPOINT,
        ("other.safetensors", "", ""),
        inputs=[widget("ckpt_name"), widget("source", 3), widget("pinned")],
    )
    [reference] = survey(workflow(primitive, loader, links=[[3, 1, 0, 2, 1, "STRING"]])).references
    assert (reference.name, reference.linked) == ("v:70", True)


@pytest.mark.parametrize("kind", ["ComfyWatchmanTriggerWords", "ComfyWatchmanModelInfo"])
def test_nodes_that_load_nothing(kind: str) -> None:
    """Nodes that only tell of models need none."""
    assert found(kind, ("loras/ink.safetensors", "v:70", "<lora:ink:1>")) == []


@given(st.text(), st.text(), st.text())
def test_any_text(name: str, source: str, pinned: str) -> None:
    """No text is a fault, and at most one file is meant."""
    assert len(found(LORA, lora(name, source, pinned))) <= 1
    found(STACK, (source, "error", pinned))


EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "example_workflows").glob("*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_name_their_sources(path: Path) -> None:
    """ComfyUI's own panel, which knows names only, is told the very release that the link beside it means."""
    document = json.loads(path.read_text(encoding="utf-8"))
    linked = [reference for reference in survey(document).references if reference.linked]
    assert linked
    for each in document["nodes"]:
        if each["type"] in (CHECKPOINT, LORA):
            [entry] = each["properties"]["models"]
            [own] = [one for one in linked if one.node_id == str(each["id"])]
            assert entry["name"] == each["widgets_values"][0]
            assert (entry["directory"], entry["url"]) == (own.folder, own.url)
            assert own.digest is None or str(own.digest) == f"sha256:{entry['hash']}"


@pytest.mark.parametrize(
    "source",
    [
        "https://elsewhere.example/get?token=secret&name=ink.safetensors",
        "https://me:secret@civitai.com/models/7/ink.safetensors",
        "http://127.0.0.1/ink.safetensors",
        "file:///models/ink.safetensors",
    ],
)
def test_addresses_of_no_hub(source: str) -> None:
    """What the node refuses is no name to be searched for: hubs would be told it, secrets and all."""
    assert found(LORA, lora("other.safetensors", source)) == []
    assert found(STACK, (source, "", "")) == []


@pytest.mark.parametrize(
    "source", ["https://civitai.com/models/7#token=secret", "hf:a/b/ink.safetensors?token=secret"]
)
def test_secrets_in_links(source: str) -> None:
    """A token that was pasted along is neither shown nor sent."""
    [reference] = found(LORA, lora("", source))
    assert "secret" not in f"{reference.to_dict()}"


def test_too_many_rows() -> None:
    """Stacks of stacks name more than any workflow does: that ends soon, and is told."""
    stack = node(1, STACK, ("\n".join(str(at) for at in range(1, 501)), "", ""))
    assert len(survey(workflow(*[stack] * 40)).references) == 20_000
    with pytest.raises(InvalidWorkflow, match="more than 20,000 files"):
        survey(workflow(*[stack] * 41))
