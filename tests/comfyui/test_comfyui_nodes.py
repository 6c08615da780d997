"""Our nodes in a real ComfyUI: they appear, load as its own do, fetch what is missing, and stop when told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from comfyui.prompts import Nodes, load, node, patch, sample
from comfyui.running import ComfyUI, Refused
from comfyui.tinymodels import LORA_METADATA, tiny_lora_sd3, tiny_lora_sd15, tiny_sd3
from fakehub import faults
from fakehub.server import FakeHub

from comfywatchman.library.index import ACTIVE_CHECKPOINT, Index
from tests.tools.make_node_names import NAMES, PREFIX, inputs_of, make_node_names

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "example_workflows").glob("*.json"))
IDS = (
    "ComfyWatchmanCheckpointLoader",
    "ComfyWatchmanLoRALoader",
    "ComfyWatchmanLoRAStack",
    "ComfyWatchmanTriggerWords",
    "ComfyWatchmanModelInfo",
    "ComfyWatchmanActiveCheckpoint",
)
MODELS = {
    "sd3": ("tiny_sd3.safetensors", "tiny_lora_sd3.safetensors"),
    "sd15": ("tiny_sd15.ckpt", "tiny_lora_sd15.safetensors"),
}
OUR_ROUTES = "/comfywatchman/v1/"
EVERYTHING = {"model": ["2", 0], "clip": ["2", 1], "conditioning": ["positive", 0], "latent": ["latent", 0]}


@pytest.fixture(autouse=True)
def pickles_allowed(comfyui: ComfyUI) -> Iterator[None]:
    """The tiny SD1.5 checkpoint is a pickle. Models that a test brings go with it."""
    settings = comfyui.base / "user" / "__comfywatchman" / "settings.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps({"node_pickles": True}), encoding="utf-8")
    before = set(comfyui.models.rglob("*"))
    yield
    settings.unlink()
    for path in set(comfyui.models.rglob("*")) - before:
        if path.is_file():
            path.unlink()


@pytest.fixture
def hub(comfyui_hub: FakeHub) -> Iterator[FakeHub]:
    """The stand-in that ComfyUI asks, straight again afterwards."""
    yield comfyui_hub
    comfyui_hub.straighten()
    assert comfyui_hub.log.faults == []


def ours(checkpoint: str) -> Nodes:
    return {"1": node("ComfyWatchmanCheckpointLoader", ckpt_name=checkpoint)}


def our_lora(name: str | None = None, **inputs: Any) -> Nodes:
    named = {} if name is None else {"lora_name": name}
    links = {"model": ["1", 0], "clip": ["1", 1]}
    return {"2": node("ComfyWatchmanLoRALoader", **links, **named, **inputs)}


def drawn(nodes: Nodes, text: str = "a lighthouse") -> Nodes:
    return nodes | sample(text, model=["2", 0], clip=["2", 1])


def failure(comfyui: ComfyUI, prompt: Nodes, *, kind: str = "execution_error") -> dict[str, Any]:
    """The message with which a prompt ended."""
    told = dict(comfyui.run(prompt | {"look": node("CwTestProbe", model=["2", 0])})["status"]["messages"])
    return dict(told[kind])


def cached(entry: Mapping[str, Any]) -> set[str]:
    """The nodes that were not executed again."""
    return set(dict(entry["status"]["messages"])["execution_cached"]["nodes"])


# ── what ComfyUI is told ──


def test_nodes_appear(comfyui: ComfyUI) -> None:
    """Every node is there, in our category, with a tooltip on each input, and its help tells of each."""
    told = comfyui.object_info()
    assert {name for name in told if name.startswith(PREFIX)} == set(IDS)
    for id_ in IDS:
        inputs = inputs_of(told[id_])
        page = (ROOT / "web/docs" / f"{id_}.md").read_text(encoding="utf-8")
        assert told[id_]["category"] == "comfywatchman"
        assert all(options["tooltip"] for _, options in inputs.values()), id_
        assert [name for name in inputs if f"`{name}`" not in page] == [], id_


def test_names_are_fresh(comfyui: ComfyUI) -> None:
    """The words to translate are those that the nodes themselves say."""
    made = make_node_names(comfyui.object_info())
    assert NAMES.read_text(encoding="utf-8") == made, "stale; run tests/tools/make_node_names.py"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_fit_the_nodes(comfyui: ComfyUI, path: Path) -> None:
    """Every widget of an example has a value, and every link leads from an output to an input of its type."""
    told = comfyui.object_info()
    workflow = json.loads(path.read_text(encoding="utf-8"))
    nodes = {each["id"]: each for each in workflow["nodes"]}
    for each in nodes.values():
        known = told[each["type"]]
        outputs = [slot["type"] for slot in each.get("outputs", [])]
        assert outputs == known["output"][: len(outputs)], each["type"]
        assert len(outputs) == len(known["output"]) or not each["type"].startswith(PREFIX)
        inputs = inputs_of(known)
        sockets = [slot["name"] for slot in each.get("inputs", []) if "widget" not in slot]
        widgets = [name for name in inputs if name not in sockets]
        extra = sum("seed" in name for name in widgets)  # what happens to it after each run
        assert len(each.get("widgets_values", [])) == len(widgets) + extra, each["type"]
    for _, from_id, slot, to_id, place, kind in workflow["links"]:
        assert nodes[from_id]["outputs"][slot]["type"] == kind
        assert nodes[to_id]["inputs"][place]["type"] == kind


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_offered(comfyui: ComfyUI, path: Path) -> None:
    """ComfyUI's template browser gets each with its picture, a small one."""
    assert path.stem in comfyui.get("/workflow_templates")["comfywatchman"]
    served = comfyui.request("GET", f"/api/workflow_templates/comfywatchman/{path.stem}.jpg")
    assert (served.status_code, served.content[:3]) == (200, b"\xff\xd8\xff")
    assert len(served.content) <= 60_000


# ── the same as ComfyUI's own ──


@pytest.mark.parametrize("family", MODELS)
def test_same_bits_as_stock(comfyui: ComfyUI, family: str) -> None:
    """Patches, conditioning and latent are those of CheckpointLoaderSimple and LoraLoader, bit by bit."""
    checkpoint, lora = MODELS[family]
    strengths = {"strength_model": 0.7, "strength_clip": 0.4}
    stock = comfyui.probe(drawn(load(checkpoint) | patch(lora, model=0.7, clip=0.4)), **EVERYTHING)
    mine = comfyui.probe(drawn(ours(checkpoint) | our_lora(lora, **strengths)), **EVERYTHING)
    assert mine == stock
    plain = comfyui.probe(drawn(load(checkpoint) | patch(lora, model=0.0, clip=0.0)), **EVERYTHING)
    assert plain["latent"] != stock["latent"]


def test_lora_for_the_model_alone(comfyui: ComfyUI) -> None:
    """Without a CLIP it is LoraLoaderModelOnly."""
    checkpoint, lora = MODELS["sd15"]
    only = node("LoraLoaderModelOnly", model=["1", 0], lora_name=lora, strength_model=0.7)
    stock = comfyui.probe(load(checkpoint) | {"2": only}, model=["2", 0])
    bare = node("ComfyWatchmanLoRALoader", model=["1", 0], lora_name=lora, strength_model=0.7)
    assert comfyui.probe(ours(checkpoint) | {"2": bare}, model=["2", 0]) == stock


def test_stack_is_two_loaders(comfyui: ComfyUI) -> None:
    """Two lines patch as two of ComfyUI's loaders do; a line that is off, and a comment, do nothing."""
    (comfyui.models / "loras" / "second.safetensors").write_bytes(tiny_lora_sd15("second"))
    names = ("tiny_lora_sd15.safetensors", "second.safetensors")
    stock = load("tiny_sd15.ckpt") | patch(names[0], model=0.5, clip=0.25)
    second = {"lora_name": names[1], "strength_model": 1.5, "strength_clip": 1.5}
    stock |= {"3": node("LoraLoader", model=["2", 0], clip=["2", 1], **second)}
    lines = f"# two\non | {names[0]} | 0.5 | 0.25\n{names[1]} | 1.5\noff | {names[1]} | 9"
    stack = {"2": node("ComfyWatchmanLoRAStack", loras=lines, model=["1", 0], clip=["1", 1])}
    want = comfyui.probe(stock, model=["3", 0], clip=["3", 1])
    assert comfyui.probe(ours("tiny_sd15.ckpt") | stack, model=["2", 0], clip=["2", 1]) == want


def test_stack_is_handed_on(comfyui: ComfyUI) -> None:
    """A LORA_STACK that is given to a node with a model is applied before its own lines."""
    name = "tiny_lora_sd15.safetensors"
    given = {"9": node("ComfyWatchmanLoRAStack", loras=f"{name} | 0.5")}
    taken = node("ComfyWatchmanLoRAStack", lora_stack=["9", 2], model=["1", 0], clip=["1", 1])
    want = comfyui.probe(
        load("tiny_sd15.ckpt") | patch(name, model=0.5, clip=0.5), model=["2", 0], clip=["2", 1]
    )
    told = comfyui.probe(ours("tiny_sd15.ckpt") | given | {"2": taken}, model=["2", 0], clip=["2", 1])
    assert told == want


def test_stack_of_another_pack(comfyui: ComfyUI) -> None:
    """Rows may be lists, and a row that names nothing is one of a fixed number left empty."""
    name = "tiny_lora_sd15.safetensors"
    rows = json.dumps([["None", 1.0, 1.0], [name, 0.5, 0.25], ["", 1, 1]])
    nodes = {"9": node("CwTestStack", rows=rows)}
    taken = node("ComfyWatchmanLoRAStack", lora_stack=["9", 0], model=["1", 0], clip=["1", 1])
    want = comfyui.probe(
        load("tiny_sd15.ckpt") | patch(name, model=0.5, clip=0.25), model=["2", 0], clip=["2", 1]
    )
    assert comfyui.probe(ours("tiny_sd15.ckpt") | nodes | {"2": taken}, model=["2", 0], clip=["2", 1]) == want
    faulty = {"9": node("CwTestStack", rows='[["a.safetensors", NaN, 1]]'), "2": taken}
    assert "lora_stack: expected" in failure(comfyui, ours("tiny_sd15.ckpt") | faulty)["exception_message"]


def test_faulty_stack_is_refused(comfyui: ComfyUI) -> None:
    """A line that means nothing is told before anything runs, with its number."""
    stack = {"2": node("ComfyWatchmanLoRAStack", loras="a.safetensors\nb.safetensors | much", model=["1", 0])}
    with pytest.raises(Refused) as refused:
        comfyui.probe(ours("tiny_sd3.safetensors") | stack, model=["2", 0])
    assert "line 2: expected a strength" in str(refused.value.body["node_errors"]["2"])
    stack["2"]["inputs"]["loras"] = ["a.safetensors"]
    with pytest.raises(Refused) as refused:
        comfyui.probe(ours("tiny_sd3.safetensors") | stack, model=["2", 0])
    assert "expected a text" in str(refused.value.body["node_errors"]["2"])


# ── words ──


def test_words_are_joined(comfyui: ComfyUI) -> None:
    """The header's words go behind the prompt, each once, and the info tells them."""
    prompt = ours("tiny_sd15.ckpt") | our_lora("tiny_lora_sd15.safetensors", prompt="an Inkwash cat")
    told = comfyui.run(prompt | {"look": node("CwTestProbe", text=["2", 2])})["outputs"]["2"]["comfywatchman"]
    name = "tiny_lora_sd15.safetensors"
    assert told == [{"pinned": "", "name": name, "words": ["inkwash", "rice paper"], "weight": None}]
    assert comfyui.probe(prompt, text=["2", 2])["text"] == "an Inkwash cat, rice paper"
    assert comfyui.probe(prompt, text=["2", 3])["text"] == "inkwash, rice paper"
    assert "Tiny ink wash" in comfyui.probe(prompt, text=["2", 4])["text"]


@pytest.mark.parametrize(
    ("inputs", "prompt", "words"),
    [
        ({"lora_name": "tiny_lora_sd15.safetensors"}, "fog, inkwash, rice paper", "inkwash, rice paper"),
        (
            {"text": "x <lora:Tiny_LoRA_sd15:0.8> <lora:absent>"},
            "fog, inkwash, rice paper",
            "inkwash, rice paper",
        ),
        ({"text": "<lora:tiny_lora_sd15:1>", "off": "INKWASH\n"}, "fog, rice paper", "rice paper"),
        ({"lora_stack": ["9", 2], "position": "before"}, "inkwash, rice paper, fog", "inkwash, rice paper"),
        ({"lora_stack": ["9", 2], "position": "off"}, "fog", "inkwash, rice paper"),
        ({"lora_name": "none"}, "fog", ""),
    ],
)
def test_trigger_words(comfyui: ComfyUI, inputs: dict[str, Any], prompt: str, words: str) -> None:
    """Words of a name, of tags and of a stack, less those switched off."""
    given = {"9": node("ComfyWatchmanLoRAStack", loras="tiny_lora_sd15.safetensors")}
    nodes = given | {"2": node("ComfyWatchmanTriggerWords", prompt="fog", **inputs)}
    assert comfyui.probe(nodes, text=["2", 0])["text"] == prompt
    assert comfyui.probe(nodes, text=["2", 1])["text"] == words


def test_model_info(comfyui: ComfyUI, hub: FakeHub) -> None:
    """What a file says, and of one that is not here what its hub says; no preview is a black image."""
    here = {"2": node("ComfyWatchmanModelInfo", name="loras/tiny_lora_sd15.safetensors")}
    assert comfyui.probe(here, text=["2", 0])["text"] == "inkwash, rice paper"
    assert comfyui.probe(here, text=["2", 1])["text"] == "stable-diffusion-v1/lora"
    model = hub.add_model(
        "Info", {"info.safetensors": tiny_lora_sd3("i")}, version={"trained_words": ("fog,", "lamp")}
    )
    there = {"2": node("ComfyWatchmanModelInfo", source=f"v:{model.versions[0].id}")}
    assert comfyui.probe(there, text=["2", 0], image=["2", 5])["text"] == "fog, lamp"
    assert f"/models/{model.id}" in comfyui.probe(there, text=["2", 4])["text"]
    assert not (comfyui.models / "loras" / "info.safetensors").exists()


def test_preview(comfyui: ComfyUI) -> None:
    """The picture beside the file is the preview; one that cannot be read is none."""
    (comfyui.models / "loras" / "seen.safetensors").write_bytes(tiny_lora_sd3("seen"))
    info = {"2": node("ComfyWatchmanModelInfo", name="loras/seen.safetensors")}
    black = comfyui.probe(info, image=["2", 5])
    preview = comfyui.models / "loras" / "seen.preview.png"
    preview.write_bytes(b"\x89PNG no picture")
    other = {"2": node("ComfyWatchmanModelInfo", name=r"loras/seen.safetensors", source=" ")}
    assert comfyui.probe(other, image=["2", 5]) == black
    drawing = {"1": node("EmptyImage", width=8, height=4, batch_size=1, color=0xFF0000)}
    drawing |= {"9": node("SaveImage", images=["1", 0], filename_prefix="red")}
    shown = comfyui.outputs(drawing)["9"]["images"][0]["filename"]
    preview.write_bytes((comfyui.base / "output" / shown).read_bytes())
    want = comfyui.probe({"1": drawing["1"]}, image=["1", 0])
    again = {"2": node("ComfyWatchmanModelInfo", source="loras/seen.safetensors")}
    assert comfyui.probe(again, image=["2", 5]) == want


# ── the active checkpoint ──


def test_active_checkpoint(comfyui: ComfyUI) -> None:
    """It is loaded like any other, again only when another one becomes active, and told when none is."""
    home = comfyui.base / "user" / "__comfywatchman"
    active = {"2": node("ComfyWatchmanActiveCheckpoint")}
    look = active | {"look": node("CwTestProbe", model=["2", 0])}
    with Index(home) as index:
        if index.recall(ACTIVE_CHECKPOINT) is None:
            assert "No checkpoint is active" in failure(comfyui, active)["exception_message"]
        index.remember(ACTIVE_CHECKPOINT, "tiny_sd3.safetensors")
        assert "2" not in cached(comfyui.run(look))
        assert "2" in cached(comfyui.run(look))
        index.remember(ACTIVE_CHECKPOINT, "tiny_sd3_novae.safetensors")
        assert "2" not in cached(comfyui.run(look))
        index.remember(ACTIVE_CHECKPOINT, "tiny_sd3_novae.safetensors")
        assert "2" in cached(comfyui.run(look))
    mine = comfyui.probe(active | sample("", model=["2", 0], clip=["2", 1]), latent=["latent", 0])
    stock = load("tiny_sd3_novae.safetensors") | sample("", model=["1", 0], clip=["1", 1])
    assert comfyui.probe(stock, latent=["latent", 0]) == mine


# ── what is missing ──


def test_missing_lora_is_fetched_and_used(comfyui: ComfyUI, hub: FakeHub) -> None:
    """Given as v:ID it comes while the prompt runs, is used, and the next run executes nothing again."""
    data = tiny_lora_sd3("fetched")
    model = hub.add_model("Fetched", {"fetched.safetensors": data}, version={"base_model": "SD 3"})
    prompt = drawn(ours("tiny_sd3.safetensors") | our_lora(source=f"v:{model.versions[0].id}"))
    prompt |= {"saved": node("SaveLatent", samples=["latent", 0], filename_prefix="fetched")}
    first = comfyui.run(prompt)
    assert first["status"]["status_str"] == "success", first["status"]["messages"]
    assert (comfyui.models / "loras" / "fetched.safetensors").read_bytes() == data
    told = first["outputs"]["2"]["comfywatchman"][0]
    assert told["pinned"].startswith(f"civitai:{model.id}@{model.versions[0].id}")
    assert told["name"] == "fetched.safetensors"
    assert first["outputs"]["2"]["comfywatchman_pinned"] == [told["pinned"]]

    asked = len(hub.requests)
    again = comfyui.run(prompt)
    assert {"1", "2", "latent"} <= cached(again)
    assert len(hub.requests) == asked
    stock = drawn(load("tiny_sd3.safetensors") | patch("fetched.safetensors"))
    assert comfyui.probe(prompt, latent=["latent", 0]) == comfyui.probe(stock, latent=["latent", 0])


def post(comfyui: ComfyUI, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask a route of ours as its page does."""
    answer = comfyui.request("POST", OUR_ROUTES + path, json=body, headers={"X-Comfywatchman": "1"})
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()
    return told


def test_fetched_beforehand(comfyui: ComfyUI, hub: FakeHub) -> None:
    """What the panel fetches for our nodes they find at once: the run asks no hub."""
    ink = hub.add_model(
        "Early", {"early v1.safetensors": tiny_lora_sd3("early")}, version={"base_model": "SD 3"}
    )
    lamp = hub.add_repo("owner/early", {"early_sd3.safetensors": tiny_sd3("early")})
    prompt = {
        "1": node("ComfyWatchmanCheckpointLoader", source=f"hf:{lamp.id}/early_sd3.safetensors"),
        **our_lora(source=f"https://civitai.com/models/{ink.id}?modelVersionId={ink.versions[0].id}"),
        "3": node("ComfyWatchmanLoRAStack", loras=f"v:{ink.versions[0].id} | 0.5", model=["2", 0]),
        "look": node("CwTestProbe", model=["3", 0]),
    }
    inspected = post(comfyui, "inspections", {"prompt": prompt})
    assert inspected["missing"] == 3
    plan = post(comfyui, "plans", {"prompt": prompt})
    deadline = time.monotonic() + 20
    while plan["stage"] != "done" and time.monotonic() < deadline:
        time.sleep(0.1)
        plan = comfyui.get(f"{OUR_ROUTES}plans/{plan['id']}")
    assert [(item["state"], item["folder"]) for item in plan["items"]] == [
        ("certain", "checkpoints"),
        ("certain", "loras"),
        ("certain", "loras"),
    ]
    with comfyui.listen() as listener:
        post(comfyui, f"plans/{plan['id']}/fetch", {"consent": "certain", "items": {}})
        for name in ("early v1.safetensors", "early_sd3.safetensors"):
            listener.wait("comfywatchman.library", where=lambda told, name=name: name in str(told))
    assert post(comfyui, "inspections", {"prompt": prompt})["missing"] == 0
    asked = len(hub.requests)
    assert comfyui.run(prompt)["status"]["status_str"] == "success"
    assert len(hub.requests) == asked


def test_missing_lora_that_two_nodes_need(comfyui: ComfyUI, hub: FakeHub) -> None:
    """It is fetched once, and to neither is its coming a change, whatever each of them calls it."""
    model = hub.add_model("Pair", {"pair.safetensors": tiny_lora_sd3("pair")}, version={"base_model": "SD 3"})
    before = len(hub.requests)
    prompt = ours("tiny_sd3.safetensors") | our_lora(source=f"v:{model.versions[0].id}")
    prompt["3"] = node("ComfyWatchmanLoRAStack", loras=f"{model.id} | 0.5", model=["2", 0])
    prompt["look"] = node("CwTestProbe", model=["3", 0])
    assert comfyui.run(prompt)["status"]["status_str"] == "success"
    assert [seen.route for seen in hub.requests[before:]].count("delivery.bytes") == 1
    assert {"1", "2", "3"} <= cached(comfyui.run(prompt))


def test_missing_checkpoint_is_fetched(comfyui: ComfyUI, hub: FakeHub) -> None:
    """A checkpoint by its model's page."""
    data = tiny_sd3("other", vae=False)
    model = hub.add_model("Other", {"other.safetensors": data}, type="Checkpoint")
    source = f"https://civitai.com/models/{model.id}/other"
    loader = {"1": node("ComfyWatchmanCheckpointLoader", source=source)}
    stock = load("other.safetensors")
    mine = comfyui.probe(loader | sample("", model=["1", 0], clip=["1", 1]), latent=["latent", 0])
    assert comfyui.probe(stock | sample("", model=["1", 0], clip=["1", 1]), latent=["latent", 0]) == mine


def test_interrupt_leaves_a_partial_to_go_on_with(comfyui: ComfyUI, hub: FakeHub) -> None:
    """The run ends as interrupted, the partial stays, and the next run fetches only the rest."""
    data = tiny_sd3("slow")
    model = hub.add_model("Slow", {"slow.safetensors": data}, type="Checkpoint")
    hub.bend("delivery.bytes", faults.slow(1 << 20))
    loader = {"2": node("ComfyWatchmanCheckpointLoader", source=f"v:{model.versions[0].id}")}
    prompt = loader | {"look": node("CwTestProbe", model=["2", 0])}
    prompt_id = comfyui.queue(prompt)
    wait_for_partial(comfyui, "slow", more_than=1 << 20)
    comfyui.interrupt()
    entry = comfyui.wait(prompt_id)
    assert "execution_interrupted" in dict(entry["status"]["messages"])
    assert not (comfyui.models / "checkpoints" / "slow.safetensors").exists()
    (partial,) = (comfyui.models / "checkpoints").glob("slow*.cwpart")
    assert partial.stat().st_size > 0

    hub.straighten()
    before = len(hub.requests)
    assert comfyui.run(prompt)["status"]["status_str"] == "success"
    assert (comfyui.models / "checkpoints" / "slow.safetensors").read_bytes() == data
    brought = [seen.request for seen in hub.requests[before:] if seen.route == "delivery.bytes"]
    assert brought
    assert not any(request.headers.get("Range", "bytes=0-").startswith("bytes=0-") for request in brought)


def test_checking_is_shown_and_interrupted(comfyui: ComfyUI) -> None:
    """While a pinned file is hashed the node's bar moves, and an interrupt ends it at once."""
    path = comfyui.models / "loras" / "huge.safetensors"
    size = 64 << 30
    with path.open("wb") as stream:
        stream.truncate(size)  # holes: no room is taken, and to read them takes long enough
    pinned = f"sha256:{'b' * 64} huge.safetensors"
    prompt = ours("tiny_sd3.safetensors") | our_lora("huge.safetensors", pinned=pinned)
    prompt["look"] = node("CwTestProbe", model=["2", 0])
    try:
        with comfyui.listen() as listener:
            prompt_id = comfyui.queue(prompt)
            seen = listener.wait("progress", where=lambda told: told["max"] == size and told["value"] > 0)
            assert seen["node"] == "2"
            began = time.monotonic()
            comfyui.interrupt()
            entry = comfyui.wait(prompt_id)
        assert time.monotonic() - began < 5
        assert "execution_interrupted" in dict(entry["status"]["messages"])
    finally:
        path.unlink()


def wait_for_partial(comfyui: ComfyUI, stem: str, *, more_than: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        sizes = [path.stat().st_size for path in (comfyui.models / "checkpoints").glob(f"{stem}*.cwpart")]
        if sizes and max(sizes) > more_than:
            return
        time.sleep(0.02)
    raise AssertionError(f"no partial grows:\n{comfyui.log()[-2000:]}")


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ({"version": {"needs_login": True}}, "comfywatchman token set civitai"),
        ({"mode": "TakenDown"}, "taken down"),
        ({"type": "Checkpoint"}, "belongs to checkpoints"),
    ],
)
def test_why_it_cannot_be_fetched(comfyui: ComfyUI, hub: FakeHub, made: dict[str, Any], says: str) -> None:
    """The node says what stands in the way."""
    model = hub.add_model("Locked", {"locked.safetensors": tiny_lora_sd3(says)}, **made)
    prompt = ours("tiny_sd3.safetensors") | our_lora(source=f"v:{model.versions[0].id}")
    told = failure(comfyui, prompt)
    assert (told["node_id"], told["exception_type"]) == ("2", "RuntimeError")
    assert says in told["exception_message"]


def test_null_is_nothing(comfyui: ComfyUI) -> None:
    """A null in a prompt, of which ComfyUI makes the text None, is an input left out."""
    prompt = ours("tiny_sd3.safetensors") | our_lora("tiny_lora_sd3.safetensors", source=None, pinned=None)
    assert comfyui.probe(prompt, text=["2", 2])["text"] == ""


def test_missing_name_is_told(comfyui: ComfyUI) -> None:
    """A name that is not here and that nothing knows is told by the node, not by the validation."""
    told = failure(comfyui, ours("tiny_sd3.safetensors") | our_lora("gone.safetensors"))
    assert "gone.safetensors is not in loras" in told["exception_message"]


# ── what does not go together ──


def test_mismatch_is_told_before_loading(comfyui: ComfyUI) -> None:
    """An SD 1.5 LoRA on an SD 3 model stops before it is read; a user who insists gets it with a warning."""
    name = "for_sd15.safetensors"
    (comfyui.models / "loras" / name).write_bytes(tiny_lora_sd15("mismatch"))
    told = failure(comfyui, ours("tiny_sd3.safetensors") | our_lora(name))
    assert "was made for SD 1.5 and does not fit this SD 3 model" in told["exception_message"]
    assert f"reading LoRA {comfyui.models / 'loras' / name}" not in comfyui.log()
    warned = ours("tiny_sd3.safetensors") | our_lora(name, mismatch="warn")
    assert comfyui.probe(warned, text=["2", 4])["text"].startswith(f"{name} was made for SD 1.5")


def test_lora_that_fits_nowhere_is_told(comfyui: ComfyUI) -> None:
    """Where nobody says what it was made for, its weights do."""
    name = "fits_nowhere.safetensors"
    (comfyui.models / "loras" / name).write_bytes(tiny_lora_sd15("nowhere", metadata={}))
    told = failure(comfyui, ours("tiny_sd3.safetensors") | our_lora(name))
    assert "none of its weights fits" in told["exception_message"]


def test_pickles_are_refused(comfyui: ComfyUI) -> None:
    """Unless the settings allow them."""
    settings = comfyui.base / "user" / "__comfywatchman" / "settings.json"
    settings.write_text("{}", encoding="utf-8")
    loader = {"2": node("ComfyWatchmanCheckpointLoader", ckpt_name="tiny_sd15.ckpt")}
    assert "node_pickles" in failure(comfyui, loader)["exception_message"]


# ── nothing twice ──


def test_checkpoint_is_loaded_once(comfyui: ComfyUI) -> None:
    """Two nodes that mean the same file, in other words and with another pin, get what one of them loaded."""
    path = comfyui.models / "checkpoints" / "once.safetensors"
    path.write_bytes(tiny_sd3("once"))
    pin = f"sha256:{'0' * 64} another.safetensors"
    nodes = ours("once.safetensors") | {
        "2": node("ComfyWatchmanCheckpointLoader", source="./once.safetensors", pinned=pin)
    }
    told = comfyui.probe(sample("", model=["1", 0], clip=["2", 1]) | nodes, latent=["latent", 0])
    assert comfyui.log().count(f"loading checkpoint {path}") == 1
    stock = load("once.safetensors") | sample("", model=["1", 0], clip=["1", 1])
    assert comfyui.probe(stock, latent=["latent", 0]) == told


def test_pin_is_written_once(comfyui: ComfyUI, hub: FakeHub) -> None:
    """What goes into `pinned` after a run is the same after the next one; rows that are off keep theirs."""
    models = [
        hub.add_model(name, {f"{name}.safetensors": tiny_lora_sd3(name)}, version={"base_model": "SD 3"})
        for name in ("pin_a", "pin_b")
    ]
    a, b = (f"v:{model.versions[0].id}" for model in models)

    def run(loras: str, pinned: str) -> str:
        stack = {"2": node("ComfyWatchmanLoRAStack", loras=loras, model=["1", 0], pinned=pinned)}
        look = {"look": node("CwTestProbe", model=["2", 0])}
        told = comfyui.outputs(ours("tiny_sd3.safetensors") | stack | look)["2"]["comfywatchman_pinned"]
        return str(told[0])

    both = run(f"{a}\n{b}", "")
    assert [line.split()[-1] for line in both.splitlines()] == ["pin_a.safetensors", "pin_b.safetensors"]
    other = f"civitai:1@1 sha256:{'0' * 64} nobody.safetensors"
    assert run(f"{a}\n{b}", f"{both}\n{other}") == both
    assert set(run(f"off | {a}\n{b}\noff | nothing", both).splitlines()) == set(both.splitlines())
    assert run(b, both) == both.splitlines()[1]
    renamed = both.replace("pin_b.safetensors", "another name.safetensors")
    assert run(b, renamed) == renamed.splitlines()[1]


def test_memory_is_given_back(comfyui: ComfyUI) -> None:
    """When ComfyUI is told to free memory, nothing that was read stays here."""
    name = "freed.safetensors"
    path = comfyui.models / "loras" / name
    path.write_bytes(tiny_lora_sd3("freed"))

    def run(strength: float) -> int:
        nodes = ours("tiny_sd3.safetensors") | our_lora(name, strength_model=strength)
        comfyui.run(nodes | {"look": node("CwTestProbe", model=["2", 0])})
        return comfyui.log().count(f"reading LoRA {path}")

    assert (run(1.0), run(0.5)) == (1, 1)
    comfyui.post("/free", {"unload_models": True, "free_memory": True})
    deadline = time.monotonic() + 10
    while run(0.25) == 1 and time.monotonic() < deadline:  # it is done between two prompts
        time.sleep(0.2)
        comfyui.post("/free", {"unload_models": True, "free_memory": True})
        time.sleep(0.5)
    assert run(0.25) == 2


def test_nothing_is_read_twice(comfyui: ComfyUI) -> None:
    """Another strength reads no file again; the same inputs execute nothing again; new words do."""
    name = "counted.safetensors"
    path = comfyui.models / "loras" / name
    path.write_bytes(tiny_lora_sd15("counted", metadata={**LORA_METADATA, "modelspec.title": "counted"}))

    def run(strength: float) -> set[str]:
        nodes = ours("tiny_sd15.ckpt") | our_lora(name, strength_model=strength)
        return cached(comfyui.run(nodes | {"look": node("CwTestProbe", model=["2", 0])}))

    run(1.0)
    assert run(0.5) & {"1", "2"} == {"1"}
    assert run(0.5) >= {"1", "2"}
    assert comfyui.log().count(f"reading LoRA {path}") == 1
    path.with_suffix(".json").write_text(json.dumps({"activation text": "my own"}), encoding="utf-8")
    assert run(0.5) & {"1", "2"} == {"1"}
    assert comfyui.log().count(f"reading LoRA {path}") == 1
