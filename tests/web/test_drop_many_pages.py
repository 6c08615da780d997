"""A page that is reloaded, and two that are open: the server keeps plans and transfers, pages ask again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from webstage import Stage
from webworkflows import graph, node

from comfywatchman.demo import models

URL = "https://huggingface.co/Comfy-Org/big/resolve/main/big.safetensors"


def drop_slow(stage: Stage) -> dict[str, object]:
    """A workflow with one model of a few MiB."""
    stage.hub.add_repo("Comfy-Org/big", {"big.safetensors": models.vae("big", channels=512)})
    stage.hub.delivery.rate = 2 << 20
    return graph(node("VAELoader", "big.safetensors", url=URL, folder="vae"))


def test_pause_reload_resume(stage: Stage) -> None:
    """Paused, the page reloaded, resumed: the transfer goes on, and the widget is right in the end."""
    workflow = drop_slow(stage)
    page = stage.open()
    page.drop(workflow)
    page.show()
    page.fetch.click()
    page.answer_first()
    page.panel.get_by_role("tab", name="Transfers").click()
    page.panel.get_by_role("button", name="Pause: big.safetensors").click()
    expect(page.panel.get_by_role("button", name="Resume: big.safetensors")).to_be_visible()

    page.page.reload()
    page.page.wait_for_selector("body[data-ready=yes]")
    page.show()

    expect(page.badge).to_have_text("1")
    page.panel.get_by_role("tab", name="Transfers").click()
    stage.hub.delivery.rate = None
    page.panel.get_by_role("button", name="Resume: big.safetensors").click()
    expect(page.badge).to_be_hidden()
    assert (stage.models / "vae/big.safetensors").is_file()
    assert page.errors == []


def test_two_pages(stage: Stage) -> None:
    """What one page does shows on the other: progress, pause, and the file that is here."""
    workflow = drop_slow(stage)
    one = stage.open()
    two = stage.open_in(one.page.context)
    for page in (one, two):
        page.drop(workflow)
        page.show()
        expect(page.badge).to_have_text("1")
    one.fetch.click()
    one.answer_first()

    two.panel.get_by_role("tab", name="Transfers").click()
    two.panel.get_by_role("button", name="Pause: big.safetensors").click()

    one.panel.get_by_role("tab", name="Transfers").click()
    expect(one.panel.get_by_role("button", name="Resume: big.safetensors")).to_be_visible()
    stage.hub.delivery.rate = None
    one.panel.get_by_role("button", name="Resume: big.safetensors").click()
    for page in (one, two):
        expect(page.badge).to_be_hidden()
        assert page.errors == []


@pytest.mark.full
def test_plan_survives_a_reload(stage: Stage) -> None:
    """A reloaded page takes up its plan: no hub is asked again."""
    workflow = drop_slow(stage)
    page = stage.open()
    page.drop(workflow)
    page.show()
    expect(page.fetch).to_be_enabled()
    asked = len(stage.hub.requests)

    page.page.reload()
    page.page.wait_for_selector("body[data-ready=yes]")
    page.show()

    expect(page.fetch).to_be_enabled()
    assert len(stage.hub.requests) == asked
