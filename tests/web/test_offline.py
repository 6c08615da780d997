"""The panel without hubs: by the setting, and because none can be reached."""

from __future__ import annotations

import json
import re

from fakehub import faults
from playwright.sync_api import expect
from test_drop_and_fetch import HF, stock
from webstage import LORA, Stage
from webworkflows import graph, node

ELSEWHERE = node("LoraLoader", "ink_wash.safetensors", 1, 1)
NOWHERE = node("LoraLoader", "nowhere.safetensors", 1, 1)
LINKED = node("VAELoader", "lamp.safetensors", url=f"{HF}/vae/lamp.safetensors", folder="vae")


def set_offline(stage: Stage) -> None:
    """As a user without network does; certain files come by themselves otherwise."""
    stage.desk.house.home.mkdir(parents=True, exist_ok=True)
    settings = json.dumps({"offline": True, "fetch_certain": True})
    (stage.desk.house.home / "settings.json").write_text(settings)


def test_offline_by_the_setting(stage: Stage) -> None:
    """No hub is asked and nothing comes by itself; what is here works, the rest is explained."""
    stock(stage)
    set_offline(stage)
    stage.put("loras/styles/ink_wash.safetensors", LORA)
    page = stage.open()

    page.drop(graph(ELSEWHERE, NOWHERE, LINKED))

    expect(page.badge).to_have_text("2")
    page.show()
    expect(page.panel.get_by_text("Working offline: no hub is asked.")).to_be_visible()
    expect(page.item("nowhere.safetensors")).to_contain_text(
        "Not found in the workflow's links or the known models."
    )
    page.item("ink_wash.safetensors").get_by_role("button", name="Relink").click()
    expect(page.item("ink_wash.safetensors")).to_have_count(0)
    assert page.widget("1", "lora_name") == "styles/ink_wash.safetensors"
    page.page.wait_for_timeout(500)
    assert stage.hub.requests == []
    expect(page.toasts).to_have_count(1)
    assert page.errors == []


def test_back_online_in_the_panel(stage: Stage) -> None:
    """The setting is taken back where it was met, and the next look asks the hubs again."""
    stock(stage)
    set_offline(stage)
    stage.hub.add_model("Nowhere", {"nowhere.safetensors": LORA})
    page = stage.open()
    page.drop(graph(NOWHERE))
    page.show()
    expect(page.item("nowhere.safetensors")).to_contain_text("Not found in")

    page.panel.get_by_role("tab", name="Settings").click()
    page.panel.get_by_label("Ask no hub").uncheck()

    expect(page.panel.get_by_text("Working offline")).to_have_count(0)
    page.panel.get_by_role("tab", name="Missing").click()
    page.panel.get_by_role("button", name="Look again").click()
    expect(page.item("nowhere.safetensors")).to_contain_text("CivitAI")
    assert page.errors == []


def test_no_network(stage: Stage) -> None:
    """With no hub to be reached each is named once, in words, and what is here still works."""
    for hub in ("civitai", "huggingface"):
        stage.hub.bend(hub, faults.dropped())
    stage.put("loras/styles/ink_wash.safetensors", LORA)
    page = stage.open()

    page.drop(graph(ELSEWHERE, NOWHERE))

    page.show()
    expect(page.badge).to_have_text("1")
    for title in ("CivitAI", "Hugging Face"):
        expect(page.panel.get_by_text(f"{title}: cannot be reached, or broke off")).to_have_count(1)
    page.panel.get_by_role("tab", name="Settings").click()
    page.panel.get_by_label("Show adult models in searches").check()  # what is known of hubs is read anew
    expect(page.panel.get_by_text("CivitAI does not answer. The rest still works.")).to_be_visible()
    page.panel.get_by_role("tab", name="Missing").click()
    expect(page.panel.get_by_text("does not answer")).to_have_count(0)
    expect(page.panel.get_by_text(re.compile("huggingface|civitai:"))).to_have_count(0)
    page.item("ink_wash.safetensors").get_by_role("button", name="Relink").click()
    expect(page.item("ink_wash.safetensors")).to_have_count(0)
    assert page.widget("1", "lora_name") == "styles/ink_wash.safetensors"
    assert page.errors == []
