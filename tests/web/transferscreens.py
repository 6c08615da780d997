"""The transfers, in each of their states: driven as a person comes to them."""

from __future__ import annotations

import re

from fakehub import faults
from listscreens import empty
from playwright.sync_api import expect
from scenery import (
    HF,
    MB,
    Place,
    certain_three,
    load_lora,
    opened,
    stock_small,
    weights,
)
from webstage import HostPage
from webworkflows import graph

from comfywatchman.settings import set_setting


def under_way(stage: Place, *, rate: int = 1_200_000) -> HostPage:
    """Three large LoRAs begin to come, so slowly that one can look."""
    for name, size in (("ink_wash_style_xl_v2", 48), ("paper_cut_v3", 36), ("harbor_light_xl", 64)):
        stage.hub.add_repo(f"Comfy-Org/{name}", {f"{name}.safetensors": weights(name, size * MB)})
    stage.hub.bend("delivery.bytes", faults.slow(rate))
    names = ("ink_wash_style_xl_v2", "paper_cut_v3", "harbor_light_xl")
    page = opened(
        stage,
        graph(
            *(
                load_lora(
                    f"{one}.safetensors",
                    url=f"{HF}/Comfy-Org/{one}/resolve/main/{one}.safetensors",
                    folder="loras",
                )
                for one in names
            )
        ),
    )
    page.fetches.click()
    page.answer_first()
    return page


def transfers(page: HostPage) -> None:
    """Look at the list of transfers."""
    page.panel.get_by_role("tab", name="Transfers").click()


def await_progress(page: HostPage) -> None:
    """Wait until a part has come, and it is known how long the rest takes."""
    expect(page.panel.locator(".top").get_by_text(re.compile(r"\bleft$"))).to_be_visible(timeout=20_000)
    come = re.compile(r"^([2-9]\d|1[5-9])$")
    expect(page.panel.locator(".top .wm-bar")).to_have_attribute("aria-valuenow", come, timeout=30_000)


def fetching(stage: Place) -> HostPage:
    """The list of what is missing, while it comes."""
    page = under_way(stage)
    expect(page.panel.get_by_text(re.compile(r"^[1-9]\d+ % of"))).to_have_count(3, timeout=20_000)
    return page


def running(stage: Place) -> HostPage:
    """Transfers with progress, speed and the time they take."""
    page = under_way(stage)
    transfers(page)
    await_progress(page)
    return page


def paused(stage: Place) -> HostPage:
    """All transfers stand still."""
    page = running(stage)
    page.panel.get_by_role("button", name="Pause all").click()
    expect(page.panel.get_by_text("3 paused")).to_be_visible()
    return page


def queued(stage: Place) -> HostPage:
    """One at a time: the others wait, and the last one is being dragged to the front."""
    set_setting(stage.folder / "data", "transfers_at_once", "1")
    page = under_way(stage)
    transfers(page)
    await_progress(page)
    grips = page.panel.locator("[data-grip]")
    expect(grips).to_have_count(3)
    last, first = grips.nth(2).bounding_box(), page.panel.locator("li[data-id]").nth(1).bounding_box()
    assert last
    assert first
    page.page.mouse.move(last["x"] + 8, last["y"] + 8)
    page.page.mouse.down()
    page.page.mouse.move(last["x"] + 8, first["y"] + 4, steps=4)
    expect(page.panel.locator("li.before")).to_have_count(1)
    return page


def cancel_all(stage: Place) -> HostPage:
    """Whether all are to be cancelled is asked first."""
    page = running(stage)
    page.panel.get_by_role("button", name="Cancel all").click()
    expect(page.panel.get_by_role("button", name="Keep")).to_be_visible()
    return page


def failed(stage: Place) -> HostPage:
    """One transfer failed, and says why."""
    stock_small(stage.hub)
    stage.hub.bend("delivery.bytes", faults.wrong_bytes(), times=1)
    page = opened(stage, certain_three())
    page.fetches.click()
    page.answer_first()
    transfers(page)
    expect(page.panel.get_by_role("button", name=re.compile("^Try again"))).to_have_count(1, timeout=30_000)
    expect(page.panel.get_by_text("verified", exact=True)).to_have_count(2)
    page.page.evaluate("() => document.querySelectorAll('.toast').forEach((one) => one.remove())")
    return page


def history(stage: Place) -> HostPage:
    """What came, and what it was checked against."""
    page = done(stage)
    transfers(page)
    expect(page.panel.get_by_text("verified", exact=True)).to_have_count(3)
    return page


def no_transfers(stage: Place) -> HostPage:
    """Nothing was fetched yet."""
    page = empty(stage)
    transfers(page)
    expect(page.panel.get_by_text("No transfers yet.")).to_be_visible()
    return page


def done(stage: Place) -> HostPage:
    """All came: a message says so, and the red marks are gone."""
    stock_small(stage.hub)
    page = opened(stage, certain_three())
    page.fetches.click()
    page.answer_first()
    expect(page.panel.get_by_text("Everything this workflow needs is here.")).to_be_visible(timeout=20_000)
    expect(page.toasts.get_by_text("3 models are here and verified")).to_be_visible()
    return page
