"""The states of `screens` that matter most, in a real ComfyUI: the same hub and hands, another host.

with ComfyUI(installation, base, environment=hub.environment) as comfyui:
    stage = ComfyStage(comfyui, hub, browser)
    page = COMFY_SCREENS["certain"].drive(stage)
    shoot(page, …)
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from comfyui.running import ComfyUI
from comfyui.tinymodels import tiny_lora_sd3, tiny_lora_sd15, tiny_sd3
from fakehub.server import FakeHub
from listscreens import choice, mixed
from pagescreens import badge, run_dialog
from playwright.sync_api import Browser, BrowserContext, Error, Locator, Page, expect
from screens import Screen
from test_in_comfyui import REPO, runnable
from transferscreens import running
from webstage import HostPage
from webworkflows import node, wired

LIMIT: Final = 20_000  # milliseconds, on a machine where others work
QUIET: Final = {  # what a new profile would open over the canvas
    "Comfy.TutorialCompleted": True,
    "Comfy.Workflow.ShowMissingModelsWarning": False,
    "Comfy.InstalledVersion": "1.0.0",
    "Comfywatchman.Panel.Notices": False,  # of the graph that a new profile begins with
}


_ARRANGE: Final = """() => {
  const { canvas, graph } = window.app;
  const panel = document.querySelector("wm-panel");
  const left = (panel ? panel.getBoundingClientRect().right : 60) + 40;
  const boxes = graph.nodes.map(({ pos, size }) => [pos[0], pos[1] - 30, pos[0] + size[0], pos[1] + size[1]]);
  const [x, y] = [0, 1].map((at) => Math.min(...boxes.map((box) => box[at])));
  const [right, bottom] = [2, 3].map((at) => Math.max(...boxes.map((box) => box[at])));
  const scale = Math.min(1, (innerWidth - left - 40) / (right - x), (innerHeight - 160) / (bottom - y));
  canvas.ds.scale = scale;
  canvas.ds.offset[0] = left / scale - x;
  canvas.ds.offset[1] = 110 / scale - y;
  canvas.setDirty(true, true);
}"""


class ComfyPage(HostPage):
    """A page of ComfyUI."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors = []
        self.name = ""  # of the workflow that was dropped
        page.on("pageerror", self._note)

    def _note(self, fault: Error) -> None:
        """Keep the faults of ours; front ends have some of their own."""
        if "/extensions/comfywatchman/" in (fault.stack or ""):
            self.errors.append(str(fault.stack))

    @property
    def tab(self) -> Locator:
        return self.page.locator(".comfywatchman-tab-button, [data-testid=comfywatchman-tab-button]")

    @property
    def badge(self) -> Locator:
        return self.tab.locator(".sidebar-icon-badge")

    @property
    def toasts(self) -> Locator:
        return self.page.locator("body")

    def show(self) -> None:
        if self.panel.count() == 0:
            self.command("Comfywatchman.ShowPanel")
        self.panel.wait_for()
        open_ = "(name) => document.querySelector('wm-panel').state.current?.includes(name)"
        self.page.wait_for_function(open_, arg=self.name)

    def drop(self, workflow: Mapping[str, Any], *, name: str = "flow.json") -> None:
        self.name = name.removesuffix(".json")
        self.page.evaluate("() => app.extensionManager.setting.set('Comfywatchman.Panel.Notices', true)")
        if not workflow["links"]:
            nodes = [one | {"pos": [0, 190 * at]} for at, one in enumerate(workflow["nodes"])]
            workflow = {**workflow, "nodes": nodes}
        script = """([name, text]) => {
          void window.app.handleFile(new File([text], name, { type: "application/json" }));
        }"""
        self.page.evaluate(script, [name, json.dumps(workflow)])
        self.page.wait_for_function(
            "(name) => window.app.extensionManager.workflow.activeWorkflow?.filename === name",
            arg=self.name,
        )

    def paint(self, theme: str) -> None:
        script = "(id) => window.app.extensionManager.setting.set('Comfy.ColorPalette', id)"
        self.page.evaluate(script, theme)

    def arrange(self) -> None:
        self.page.evaluate(_ARRANGE)


@dataclass(kw_only=True)
class ComfyStage:
    """A ComfyUI with a hub behind it, and pages of it."""

    comfyui: ComfyUI
    hub: FakeHub
    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where it all lies."""
        return self.comfyui.base

    def open(self) -> ComfyPage:
        """A new page, in a profile of its own."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 800})
        context.set_default_timeout(LIMIT)
        self.contexts.append(context)
        page = ComfyPage(context.new_page())
        self.comfyui.post("/settings", QUIET)
        page.page.goto(self.comfyui.url)
        ready = """() => window.app?.extensionManager?.workflow?.activeWorkflow
          && window.app.extensionManager.sidebarTab.sidebarTabs.some((one) => one.id === "comfywatchman")"""
        page.page.wait_for_function(ready, timeout=90_000)
        return page

    def put(self, path: str, data: bytes) -> Path:
        """A model file that lies here."""
        target = self.comfyui.models / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return target

    def await_idle(self) -> None:
        """Wait until nothing runs.

        Raises:
            TimeoutError: something still does after half a minute.
        """
        for _ in range(300):
            queue = self.comfyui.get("/queue")
            if not queue["queue_running"] and not queue["queue_pending"]:
                return
            time.sleep(0.1)
        raise TimeoutError("ComfyUI is still busy")

    def close(self) -> None:
        """Close all pages."""
        for context in self.contexts:
            context.close()


def image(stage: ComfyStage) -> HostPage:
    """Models were missing; they came, and the image is made."""
    stage.hub.add_repo(
        REPO, {"tiny_sd3.safetensors": tiny_sd3(), "tiny_lora_sd3.safetensors": tiny_lora_sd3()}
    )
    page = stage.open()
    workflow = runnable("tiny_sd3.safetensors", "tiny_lora_sd3.safetensors")
    places = [(0, 0), (0, 190), (340, 0), (340, 190), (0, 400), (680, 0), (340, 400), (680, 330)]
    for one, place in zip(workflow["nodes"], places, strict=True):
        one["pos"] = place
    page.drop(workflow, name="portrait.json")
    page.show()
    page.fetches.click()
    page.answer_first()
    expect(page.toasts.get_by_text("2 models are here and verified").first).to_be_visible(timeout=20_000)
    page.command("Comfy.QueuePrompt")
    page.page.wait_for_function(
        "() => window.app.graph.nodes.some((one) => one.type === 'SaveImage' && one.imgs?.length)"
    )
    return page


def settings_dialog(stage: ComfyStage) -> HostPage:
    """Our rows in ComfyUI's settings."""
    page = stage.open()
    page.command("Comfy.ShowSettingsDialog")
    ours = page.page.get_by_text("comfywatchman", exact=True)
    ours.or_(page.page.get_by_text("Comfywatchman", exact=True)).first.click()
    expect(page.page.locator("wm-tokens input").first).to_be_visible()
    return page


def nodes(stage: ComfyStage) -> HostPage:
    """The LoRA stack's rows and the trigger words' switches, after a run."""
    for name in ("ink_wash_style_xl_v2", "paper_cut_v3"):
        stage.put(f"loras/{name}.safetensors", tiny_lora_sd15(name))
    page = stage.open()
    rows = "ink_wash_style_xl_v2.safetensors | 0.8\noff | paper_cut_v3.safetensors | 0.6 | 0.4\n"
    stack = node("ComfyWatchmanLoRAStack", rows, "error", "")
    words = node(
        "ComfyWatchmanTriggerWords", "a lighthouse", "ink_wash_style_xl_v2.safetensors", "", "", "after", ""
    )
    saved = wired(
        stack | {"pos": [0, 0], "size": [420, 420]},
        words | {"pos": [480, 0], "size": [420, 420]},
        node("PreviewAny", pos=[960, 0]),
        wires=[(2, 0, 3, "source", "*")],
    )
    page.drop(saved, name="portrait.json")
    page.command("Comfy.QueuePrompt")
    expect(page.page.locator("wm-words button").first).to_be_visible()
    stage.await_idle()
    expect(page.page.get_by_text(re.compile("^Total:"))).to_have_count(0)
    return page


COMFY_SCREENS: Final[Mapping[str, Screen]] = {
    screen.name: screen
    for screen in (
        *(Screen(drive) for drive in (mixed, choice, running)),
        *(Screen(drive, whole=True) for drive in (badge, run_dialog, image, settings_dialog, nodes)),
    )
}
