"""From a drop to a graph that runs: the panel on the project's own host, our routes, a hub of tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fakehub import faults
from playwright.sync_api import expect
from webstage import CHECKPOINT, FOG, LORA, VAE, Stage
from webworkflows import Saved, graph, node, png_with, promoted

from comfywatchman.demo.pictures import seascape
from comfywatchman.demo.shelf import PaidAccess, ServedImage

REPO = "Comfy-Org/lighthouse"
HF = f"https://huggingface.co/{REPO}/resolve/main"
THREE = (
    "checkpoints/lighthouse.safetensors",
    "loras/ink_wash.safetensors",
    "vae/lamp.safetensors",
)


def stock(stage: Stage) -> None:
    """The three files of `template`, on both hubs."""
    stage.hub.add_repo(REPO, {"checkpoints/lighthouse.safetensors": CHECKPOINT, "vae/lamp.safetensors": VAE})
    stage.hub.add_repo("Comfy-Org/ink", {"ink_wash.safetensors": LORA})


def template() -> Saved:
    """A template that names three models and says where they are."""
    return graph(
        node(
            "CheckpointLoaderSimple",
            "lighthouse.safetensors",
            url=f"{HF}/checkpoints/lighthouse.safetensors",
            folder="checkpoints",
        ),
        node(
            "LoraLoader",
            "ink_wash.safetensors",
            1,
            1,
            url="https://huggingface.co/Comfy-Org/ink/resolve/main/ink_wash.safetensors",
            folder="loras",
        ),
        node("VAELoader", "lamp.safetensors", url=f"{HF}/vae/lamp.safetensors", folder="vae"),
        node("SaveImage", "out"),
    )


def test_template_with_three_missing_models(stage: Stage) -> None:
    """Drop, look, fetch all: three verified files on disk, lists read anew, no red mark, and it runs."""
    stock(stage)
    page = stage.open()

    page.drop(template())

    expect(page.badge).to_have_text("3")
    expect(page.toasts).to_have_count(1)
    page.show()
    page.panel.get_by_role("button", name="Fetch 3 models").click()
    page.answer_first()
    expect(page.panel.get_by_text("Everything this workflow needs is here.")).to_be_visible()
    assert [(stage.models / path).read_bytes() for path in THREE] == [CHECKPOINT, LORA, VAE]
    expect(page.page.locator(".node.missing")).to_have_count(0)
    expect(page.badge).to_be_hidden()
    page.page.get_by_test_id("queue-button").click()
    page.page.wait_for_timeout(500)
    assert [prompt["1"]["inputs"]["ckpt_name"] for prompt in stage.host.prompts] == ["lighthouse.safetensors"]
    assert page.errors == []


@pytest.mark.full
def test_everything_here(stage: Stage) -> None:
    """A workflow whose models are all here says nothing and asks no hub."""
    stock(stage)
    for path, data in zip(THREE, (CHECKPOINT, LORA, VAE), strict=True):
        stage.put(path, data)
    page = stage.open()

    page.drop(template())

    page.show()
    expect(page.panel.get_by_text("Everything this workflow needs is here.")).to_be_visible()
    expect(page.badge).to_be_hidden()
    expect(page.toasts).to_have_count(0)
    assert stage.hub.requests == []
    assert page.errors == []


def test_png(stage: Stage) -> None:
    """An image with its workflow in it is a workflow."""
    stock(stage)
    page = stage.open()

    page.drop_bytes(png_with(workflow=template(), prompt={}), name="out.png", kind="image/png")

    expect(page.badge).to_have_text("3")
    assert page.errors == []


@pytest.mark.full
def test_prompt_file(stage: Stage) -> None:
    """The API form is looked at too, though no hook tells of it."""
    stock(stage)
    page = stage.open()
    prompt = {"4": {"class_type": "VAELoader", "inputs": {"vae_name": "lamp.safetensors"}}}

    page.drop(prompt, name="prompt.json")

    expect(page.badge).to_have_text("1")
    assert page.errors == []


def test_subgraph(stage: Stage) -> None:
    """A widget that a subgraph shows on its host: the model comes, and both widgets name it."""
    model = stage.hub.add_model("Fog Bank", {"fog_v2.safetensors": FOG})
    page = stage.open()
    inner = promoted("LoraLoader", "lora_name", "fog.safetensors", slot="lora")
    air = f"https://civitai.com/api/download/models/{model.versions[0].id}"
    inner["nodes"][0]["properties"]["models"] = [
        {"name": "fog.safetensors", "url": air, "directory": "loras"}
    ]
    host = node("sub-1", "fog.safetensors", id=7)

    page.drop(graph(host, definitions=[inner]))

    page.show()
    expect(page.badge).to_have_text("1")
    expect(
        page.item("fog.safetensors").get_by_role("button", name=re.compile("LoraLoader #7:3"))
    ).to_be_visible()
    page.fetch.click()
    page.answer_first()
    expect(page.badge).to_be_hidden()
    [path] = (stage.models / "loras").rglob("*.safetensors")
    assert path.read_bytes() == FOG
    assert page.widget("7", "lora") == path.name
    assert page.widget("7:3", "lora_name") == path.name
    assert page.errors == []


def test_ambiguous_model(stage: Stage) -> None:
    """Two files of one name, with pictures: nothing is taken until one is chosen, and that one comes."""
    images = (ServedImage(id=1, data=seascape("ink")),)
    stage.hub.add_model("Ink by Ann", {"ink.safetensors": LORA}, creator="ann", version={"images": images})
    stage.hub.add_model("Ink by Bob", {"ink.safetensors": FOG}, creator="bob")
    page = stage.open()

    page.drop(graph(node("LoraLoader", "ink.safetensors", 1, 1)))

    page.show()
    choose = page.item("ink.safetensors").get_by_role("button", name="Choose from 2")
    expect(choose).to_be_visible()
    expect(page.fetches).to_have_count(0)
    choose.click()
    picture = page.panel.get_by_role("img", name=re.compile("Example image of Ink by Ann"))
    expect(picture).to_have_js_property("naturalWidth", 104)
    expect(page.panel.get_by_role("img", name=re.compile("Example image of Ink by Bob"))).to_have_count(0)
    page.panel.get_by_role("radio", name=re.compile("Ink by Bob")).click()
    page.panel.get_by_role("button", name="Fetch 1 model").click()
    expect(page.badge).to_be_hidden()
    assert (stage.models / "loras/ink.safetensors").read_bytes() == FOG
    assert page.errors == []


def test_gated_model(stage: Stage) -> None:
    """A gated file is explained, with the way to it, and cannot be taken."""
    stage.hub.add_repo("black-forest/flux", {"ae.safetensors": VAE}, gated="manual")
    page = stage.open()
    url = "https://huggingface.co/black-forest/flux/resolve/main/ae.safetensors"

    page.drop(graph(node("VAELoader", "ae.safetensors", url=url, folder="vae")))

    page.show()
    row = page.item("ae.safetensors")
    expect(row.get_by_text("Its owner asks you to accept terms first")).to_be_visible()
    expect(row.get_by_role("link", name=re.compile("Open the page"))).to_be_visible()
    expect(page.fetches).to_have_count(0)
    assert page.errors == []


@pytest.mark.full
def test_paid_model(stage: Stage) -> None:
    """Early access is told as such."""
    version = {"paid": PaidAccess(ends_at="2030-01-01T00:00:00.000Z")}
    model = stage.hub.add_model("Ink Soon", {"soon.safetensors": LORA}, version=version)
    page = stage.open()
    url = f"https://civitai.com/api/download/models/{model.versions[0].id}"

    page.drop(graph(node("LoraLoader", "soon.safetensors", 1, 1, url=url, folder="loras")))

    page.show()
    expect(page.item("soon.safetensors").get_by_text("In early access")).to_be_visible()
    expect(page.fetches).to_have_count(0)


def test_hub_down(stage: Stage) -> None:
    """With one hub down the other's models come, and the panel says which hub does not answer."""
    stock(stage)
    stage.hub.bend("civitai", faults.status(503))
    page = stage.open()
    workflow = template()
    workflow["nodes"].append({**graph(node("LoraLoader", "nowhere.safetensors", 1, 1))["nodes"][0], "id": 9})

    page.drop(workflow)

    page.show()
    expect(
        page.panel.get_by_text(re.compile("CivitAI .*does not answer|CivitAI.*503|CivitAI")).first
    ).to_be_visible()
    page.panel.get_by_role("button", name="Fetch 3 models").click()
    page.answer_first()
    expect(page.badge).to_have_text("1")
    expect(page.item("nowhere.safetensors")).to_be_visible()
    assert [(stage.models / path).is_file() for path in THREE] == [True] * 3
    assert page.errors == []


def test_first_question_kept(stage: Stage) -> None:
    """Who says yes once is not asked again: what is certain comes by itself, on the next drop."""
    stock(stage)
    page = stage.open()
    page.drop(template())
    page.show()
    page.panel.get_by_role("button", name="Fetch 3 models").click()
    page.answer_first("Yes, fetch by itself")
    expect(page.badge).to_be_hidden()
    stage.hub.add_repo("Comfy-Org/fog", {"fog.safetensors": FOG})
    url = "https://huggingface.co/Comfy-Org/fog/resolve/main/fog.safetensors"

    page.drop(graph(node("LoraLoader", "fog.safetensors", 1, 1, url=url, folder="loras")), name="two.json")

    expect(page.panel.get_by_text("Everything this workflow needs is here.")).to_be_visible()
    expect(page.badge).to_be_hidden()
    assert (stage.models / "loras/fog.safetensors").read_bytes() == FOG


@pytest.mark.full
def test_first_answer_taken_back(stage: Stage) -> None:
    """A yes is taken back in the settings, and the question comes again; a yes is not given there."""
    test_first_question_kept(stage)
    page = stage.open()
    page.command("Comfy.ShowSettingsDialog")
    dialog = page.page.get_by_role("dialog")
    expect(dialog.get_by_text("By itself, once a workflow is opened.")).to_be_visible()

    dialog.get_by_role("button", name="Ask me again").click()

    expect(dialog.get_by_text("You are asked at the next fetch.")).to_be_visible()
    assert stage.desk.house.settings().fetch_certain is None
    script = """() => window.hostApi.fetchApi("/comfywatchman/v1/settings", { method: "PATCH",
      headers: { "Content-Type": "application/json", "X-Comfywatchman": "1" },
      body: '{"fetch_certain": true}' }).then((answer) => answer.status)"""
    assert page.page.evaluate(script) == 403


def test_file_in_a_folder_named_by_windows(stage: Stage) -> None:
    """Two nodes that name one file are one missing model; once it has come, both are pointed at it."""
    stage.hub.add_model("Ink", {"ink.safetensors": LORA})
    stage.hub.bend("delivery.bytes", faults.slow(len(LORA)), times=1)
    page = stage.open()
    named = "styles\\old\\ink.safetensors"
    page.drop(graph(node("LoraLoader", named, 1, 1), node("LoraLoader", named, 1, 1)))
    expect(page.badge).to_have_text("1")
    expect(page.toasts).to_contain_text("1 model is missing")
    page.show()

    page.fetches.click()

    expect(page.panel.get_by_text("Everything this workflow needs is here.")).to_be_visible()
    assert [page.widget(one, "lora_name") for one in "12"] == ["styles/old/ink.safetensors"] * 2
    assert page.errors == []


def test_undo_of_a_relink(stage: Stage) -> None:
    """A relink is one step for undo, and undone it stays undone."""
    stage.put("loras/styles/ink.safetensors", LORA)
    page = stage.open()
    page.drop(graph(node("LoraLoader", "ink.safetensors", 1, 1), node("LoraLoader", "ink.safetensors", 1, 1)))
    page.show()
    expect(page.badge).to_be_hidden()

    page.item("ink.safetensors").get_by_role("button", name="Relink").click()

    expect(page.panel.get_by_text("Everything this workflow needs is here.")).to_be_visible()
    assert [page.widget(one, "lora_name") for one in "12"] == ["styles/ink.safetensors"] * 2
    page.undo()
    assert [page.widget(one, "lora_name") for one in "12"] == ["ink.safetensors"] * 2
    expect(page.item("ink.safetensors").get_by_role("button", name="Relink")).to_be_visible()


@pytest.mark.full
def test_click_on_a_node(stage: Stage) -> None:
    """A click on a node's name in the panel shows the node, inside its subgraph too."""
    inner = promoted("LoraLoader", "lora_name", "fog.safetensors", slot="lora")
    page = stage.open()
    page.drop(graph(node("sub-1", "fog.safetensors", id=7), definitions=[inner]))
    page.show()

    page.item("fog.safetensors").get_by_role("button", name=re.compile("#7:3")).click()

    expect(page.page.locator(".node.selected")).to_have_attribute("data-id", "3")


@pytest.mark.full
def test_pin(stage: Stage) -> None:
    """Found sources are written into the nodes on demand, and it can be undone."""
    stage.hub.add_model("Ink Wash", {"ink.safetensors": LORA})
    page = stage.open()
    page.drop(graph(node("LoraLoader", "ink.safetensors", 1, 1)))
    page.show()
    expect(page.panel.get_by_role("button", name="Fetch 1 model")).to_be_enabled()

    page.command("Comfywatchman.PinSources")

    expect(page.toasts.get_by_text("1 node names its source now")).to_be_visible()
    [entry] = models_of(page.page, "1")
    assert entry["name"] == "ink.safetensors"
    assert entry["directory"] == "loras"
    assert entry["hash_type"] == "SHA256"
    assert "civitai" in entry["url"] or "127.0.0.1" in entry["url"]
    page.undo()
    assert models_of(page.page, "1") == []


def models_of(page: Any, node_id: str) -> list[dict[str, str]]:
    """The `properties.models` of a node."""
    script = "(id) => window.app.rootGraph.getNodeById(id).properties.models ?? []"
    found: list[dict[str, str]] = page.evaluate(script, node_id)
    return found


def test_run_with_missing_models(stage: Stage) -> None:
    """Run offers to fetch with names and sizes, and runs once the models are here; nothing holds it back."""
    stock(stage)
    page = stage.open()
    page.drop(template())
    expect(page.badge).to_have_text("3")

    page.page.get_by_test_id("queue-button").click()

    dialog = page.page.get_by_role("dialog")
    expect(dialog.get_by_text("3 models are missing.")).to_be_visible()
    expect(dialog.get_by_text(re.compile("lamp.safetensors"))).to_be_visible()
    assert stage.host.prompts == []
    dialog.get_by_role("button", name="Confirm").click()
    expect(page.badge).to_be_hidden()
    page.page.wait_for_function("() => window.app.lastNodeErrors === null")
    page.page.wait_for_timeout(500)
    assert len(stage.host.prompts) == 1


@pytest.mark.full
def test_run_is_offered_once(stage: Stage) -> None:
    """Who says no to the offer is not asked again for the same models."""
    stock(stage)
    page = stage.open()
    page.drop(template())
    expect(page.badge).to_have_text("3")
    page.page.get_by_test_id("queue-button").click()
    page.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()

    page.page.get_by_test_id("queue-button").click()

    page.page.wait_for_timeout(600)
    expect(page.page.get_by_role("dialog")).to_have_count(0)
    assert list(Path(stage.models).rglob("*.safetensors")) == []


@pytest.mark.full
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_themes(stage: Stage, theme: str) -> None:
    """The panel takes the page's colours."""
    page = stage.open(theme=theme)
    page.show()
    scheme = page.panel.evaluate("(one) => one.style.colorScheme")
    assert scheme == theme
