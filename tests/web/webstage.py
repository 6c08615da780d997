"""A stage for tests in a browser: hub, model folders, our routes on the project's own host, and pages of it.

    stage.hub.add_repo("Comfy-Org/lamp", {"vae/lamp.safetensors": VAE})
    page = stage.open()
    page.drop(graph(node("VAELoader", "lamp.safetensors")))
    page.panel.get_by_role("button", name="Fetch 1 model").click()

`HostPage` wraps a Playwright page with what a person does; its locators reach into our shadow roots.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Middleware
from fakehub.server import FakeHub
from host.hostserver import HostServer
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from comfywatchman.demo import models
from comfywatchman.house import House
from comfywatchman.library.roots import find_roots
from comfywatchman.routes.api import ROUTES
from comfywatchman.routes.desk import Desk
from comfywatchman.routes.serving import mount
from comfywatchman.tokens import TokenStore

CHECKPOINT: Final = models.checkpoint("lighthouse")
VAE: Final = models.vae("lamp")
LORA: Final = models.lora("ink", trigger="ink wash")
FOG: Final = models.lora("fog", trigger="fog bank")
FOLDERS: Final = (
    "checkpoints",
    "loras",
    "vae",
    "controlnet",
    "upscale_models",
    "text_encoders",
    "diffusion_models",
)
LIMIT: Final = 8_000  # milliseconds that a page may take, on a machine where others work

expect.set_options(timeout=LIMIT)

_DROP: Final = """([name, type, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
  const file = new File([bytes], name, { type });
  const carried = new DataTransfer();
  carried.items.add(file);
  document.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: carried }));
}"""


class HostPage:
    """A page of a host, and what a person does there."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on("pageerror", lambda fault: self.errors.append(str(fault)))

    @property
    def panel(self) -> Locator:
        """Our panel in the sidebar."""
        return self.page.locator("wm-panel")

    @property
    def tab(self) -> Locator:
        """The button of our tab."""
        return self.page.get_by_test_id("comfywatchman-tab-button")

    @property
    def badge(self) -> Locator:
        """How many models are missing, on the tab."""
        return self.tab.locator(".badge")

    @property
    def toasts(self) -> Locator:
        """What the page said by itself."""
        return self.page.locator(".toast")

    @property
    def fetch(self) -> Locator:
        """The button that fetches what is taken."""
        return self.panel.locator("#fetch")

    @property
    def fetches(self) -> Locator:
        """The same, only when there is something to fetch."""
        return self.panel.get_by_role("button", name=re.compile(r"^Fetch \d"), disabled=False)

    def item(self, name: str) -> Locator:
        """The row of a file."""
        return self.panel.get_by_role("group", name=name, exact=True)

    def show(self) -> None:
        """Open our tab."""
        if self.panel.count() == 0:
            self.tab.click()
        expect(self.panel).to_be_visible()

    def drop(self, workflow: Mapping[str, Any], *, name: str = "flow.json") -> None:
        """Drop a workflow on the canvas."""
        self.drop_bytes(json.dumps(workflow).encode(), name=name, kind="application/json")

    def drop_bytes(self, data: bytes, *, name: str, kind: str) -> None:
        """Drop a file on the canvas."""
        self.page.evaluate(_DROP, [name, kind, base64.b64encode(data).decode()])

    def widget(self, node: str, name: str) -> Any:
        """What a widget says now, "7:3" for one inside a subgraph."""
        script = """([path, name]) => {
          let graph = window.app.rootGraph ?? window.app.graph, node;
          for (const id of path.split(":")) {
            node = (graph.nodes ?? graph._nodes).find((one) => String(one.id) === id);
            graph = node.subgraph;
          }
          return node.widgets.find((one) => one.name === name).value;
        }"""
        return self.page.evaluate(script, [node, name])

    def command(self, id_: str) -> None:
        """Run a command, as its key or the palette does."""
        self.page.evaluate("(id) => void window.app.extensionManager.command.execute(id)", id_)

    def undo(self) -> None:
        """Undo the last change."""
        self.command("Comfy.Undo")

    def paint(self, theme: str) -> None:
        """Take the light or the dark colours."""
        self.page.evaluate("(theme) => void (document.documentElement.dataset.theme = theme)", theme)

    def arrange(self) -> None:
        """Put the graph where it can be seen; here the page does by itself."""

    def answer_first(self, answer: str = "Ask me each time") -> None:
        """Answer the first question: by itself from now on, or not."""
        self.panel.get_by_role("button", name=answer).click()


@dataclass(kw_only=True)
class Stage:
    """A hub, a data folder, model folders, and our routes on a host."""

    folder: Path
    hub: FakeHub
    browser: Browser
    host: HostServer
    desk: Desk
    contexts: list[BrowserContext] = field(default_factory=list)

    @property
    def models(self) -> Path:
        """The model folders."""
        return self.host.models

    def open(self, *, theme: str = "dark", width: int = 1280, height: int = 800) -> HostPage:
        """A new page, in a profile of its own."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else "light"
        )
        self.contexts.append(context)
        return self.open_in(context, theme=theme)

    def open_in(self, context: BrowserContext, *, theme: str = "dark") -> HostPage:
        """A new page in a profile."""
        context.set_default_timeout(LIMIT)
        page = HostPage(context.new_page())
        page.page.goto(f"{self.host.url}/?theme={theme}")
        page.page.wait_for_selector("body[data-ready=yes]")
        return page

    def put(self, path: str, data: bytes) -> Path:
        """A model file that lies here."""
        target = self.models / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return target

    def close(self) -> None:
        """Close all pages, the routes and the host."""
        for context in self.contexts:
            context.close()
        self.desk.close()
        self.desk.house.close()


Send = Callable[[str, Mapping[str, Any]], None]


def make_desk(folder: Path, hub: FakeHub, send: Send, *, offline: bool = False) -> Desk:
    """Our routes' desk over folders below this one, with the fake hub for both hubs."""
    models_dir, home = folder / "models", folder / "data"
    for name in FOLDERS:
        (models_dir / name).mkdir(parents=True, exist_ok=True)
    environment = {**hub.environment, "COMFYWATCHMAN_HOME": str(home)}
    tokens = TokenStore(home, environment, keyring=None)
    house = House(
        home, environment, tokens=tokens, roots=lambda _: find_roots(models_dir=models_dir), offline=offline
    )
    return Desk(lambda: house, send=send)


class Stages:
    """Makes stages for one test and clears them away."""

    def __init__(self, folder: Path, hub: FakeHub, browser: Browser) -> None:
        self._folder, self._hub, self._browser = folder, hub, browser
        self._made: list[Stage] = []

    def make(
        self,
        *,
        ticks: bool = False,
        without: frozenset[str] = frozenset(),
        offline: bool = False,
        around: Sequence[Middleware] = (),
        more: Callable[[web.RouteTableDef, Desk], None] = lambda _routes, _desk: None,
    ) -> Stage:
        """A stage; `ticks` measures the host's event loop, `without` leaves steps of the guard out.

        `around` are middlewares of the host, and `more` adds handlers that are worse than ours.
        """
        desks: list[Desk] = []

        def mount_ours(routes: web.RouteTableDef, send: Send) -> None:
            desks.append(make_desk(self._folder, self._hub, send, offline=offline))
            mount(routes, desks[0], ROUTES, without=without)
            more(routes, desks[0])

        host = HostServer(self._folder / "models", mount=mount_ours, ticks=ticks, around=around)
        host.__enter__()
        stage = Stage(folder=self._folder, hub=self._hub, browser=self._browser, host=host, desk=desks[0])
        self._made.append(stage)
        return stage

    def close(self) -> None:
        """Clear all away."""
        for stage in self._made:
            stage.close()
            stage.host.__exit__()
