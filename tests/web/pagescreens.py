"""What stands around the panel, and its settings: driven as a person comes to them."""

from __future__ import annotations

import re

from listscreens import certain, empty
from playwright.sync_api import expect
from scenery import (
    LORA,
    MB,
    Place,
    certain_three,
    load_lora,
    opened,
    stock_vast,
    vast,
)
from webstage import HostPage
from webworkflows import graph


def badge(stage: Place) -> HostPage:
    """The panel is closed: a number on the tab, and one message."""
    stock_vast(stage.hub)
    page = stage.open()
    page.drop(certain_three(), name="portrait.json")
    expect(page.badge).to_have_text("3")
    expect(page.toasts).to_contain_text("3 models are missing")
    return page


def run_dialog(stage: Place) -> HostPage:
    """Run was pressed on a graph that lacks models."""
    page = certain(stage)
    page.page.get_by_test_id("queue-button").click()
    expect(page.page.get_by_role("dialog").get_by_text("3 models are missing.")).to_be_visible()
    return page


def node_menu(stage: Place) -> HostPage:
    """A right-click on a loader."""
    page = certain(stage)
    page.page.locator(".node").first.click(button="right", position={"x": 20, "y": 20})
    expect(page.page.get_by_role("menuitem", name="Pin source into workflow")).to_be_visible()
    return page


def pinned(stage: Place) -> HostPage:
    """What was found was written into the nodes."""
    stage.hub.add_model("Ink Wash XL", {LORA: vast("ink", 228 * MB)})
    page = opened(stage, graph(load_lora()))
    expect(page.fetches).to_have_count(1)
    page.command("Comfywatchman.PinSources")
    expect(page.toasts.get_by_text("1 node names its source now")).to_be_visible()
    return page


def settings(stage: Place) -> HostPage:
    """Tokens and settings, nothing set yet."""
    page = empty(stage)
    page.panel.get_by_role("tab", name="Settings").click()
    expect(page.panel.get_by_label("Bandwidth for all transfers")).to_be_visible()
    return page


def tokens(stage: Place) -> HostPage:
    """One token works, another is not accepted."""
    ada = stage.hub.add_account("ada")
    page = settings(stage)
    for title, token in (("CivitAI", ada.token), ("Hugging Face", "hf_expired")):
        group = page.panel.get_by_role("group", name=title, exact=True)
        group.locator("input").fill(token)
        group.locator("input").press("Enter")
        said = "It works" if title == "CivitAI" else "does not accept this token"
        expect(group.get_by_text(re.compile(said))).to_be_visible()
    return page


def settings_dialog(stage: Place) -> HostPage:
    """Our rows in the host's own settings."""
    page = stage.open()
    page.command("Comfy.ShowSettingsDialog")
    expect(page.page.get_by_role("dialog").get_by_text("Bandwidth").first).to_be_visible()
    return page
