"""Pages that are not ours against a real ComfyUI opened wide: `--enable-cors-header`, several addresses.

The same routes stand there once more with the guard off, below /cw_test_open: the control of each attack.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from comfyui.installation import Installation, find_installations
from comfyui.running import PACKS, ComfyUI
from fakehub.server import FakeHub
from test_browser_attacks import LISTEN, SOCKETS, elsewhere, reads, rebound, writes

from comfywatchman.routes.serving import PREFIX

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["rebound"]  # the fixture: a Chromium for which evil.test is this machine

pytestmark = pytest.mark.full
PLACES = find_installations(os.environ)
UNGUARDED = Path(__file__).parents[1] / "comfyui" / "unguarded"

# Every write with our header and without, and every read, as a page of another site may send them.
_TRY = """async ([base, writes, reads]) => {
  const told = [];
  const headers = { "Content-Type": "application/json", "X-Comfywatchman": "1" };
  const ask = async (path, init) => {
    try {
      const answer = await fetch(base + path, init);
      told.push([init.method, path, init.mode ?? "cors", answer.type === "opaque" ? 0 : answer.status]);
    } catch { told.push([init.method, path, init.mode ?? "cors", -1]); }
  };
  for (const { method, path, body } of writes) {
    await ask(path, { method, headers, body });
    await ask(path, { method, body, headers: { "Content-Type": "text/plain" } });
    if (method === "POST") await ask(path, { method, mode: "no-cors", body });
  }
  for (const path of reads) await ask(path, { method: "GET" });
  return told;
}"""


@pytest.fixture(scope="module", params=PLACES or [None], ids=lambda one: one.version if one else "no ComfyUI")
def wide(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyUI]:
    """A ComfyUI that lets every site read its answers and listens on more than one address."""
    if request.param is None:
        pytest.skip("COMFYUI_PATH names no ComfyUI")
    installation: Installation = request.param
    arguments = ["--enable-cors-header", "*", "--listen", "127.0.0.1,127.0.0.2"]
    with (
        FakeHub() as hub,
        ComfyUI(
            installation,
            tmp_path_factory.mktemp("wide"),
            packs={**PACKS, "cw_test_open": UNGUARDED},
            environment=hub.environment,
            arguments=arguments,
        ) as comfyui,
    ):
        yield comfyui


def unguarded(path: str) -> str:
    """Where a route of ours stands with the guard off."""
    return path.replace(PREFIX, f"/cw_test_open{PREFIX}")


# What every page may read and have done with the guard off, ComfyUI's own checks notwithstanding.
OPEN: Final = {
    f"{prefix}/cw_test_open{PREFIX}{route}"
    for prefix in ("", "/api")
    for route in ("status", "settings", "transfers", "checkpoint", "openapi.json", "inspections")
}


def attack(browser: Browser, origin: str, base: str) -> tuple[list[list[Any]], list[list[Any]]]:
    """What became of every request of a page: to our routes, and to the same with the guard off."""
    page = browser.new_page()
    page.goto(origin)
    guarded = page.evaluate(_TRY, [base, writes(), reads()])
    harmless = [{**one, "path": unguarded(one["path"])} for one in writes() if "inspections" in one["path"]]
    control = page.evaluate(_TRY, [base, harmless, [*map(unguarded, reads())]])
    page.close()
    return guarded, control


def succeeded(told: list[list[Any]]) -> list[list[Any]]:
    """The requests whose answers the page could read."""
    return [one for one in told if 200 <= one[3] < 300]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "evil.test"])
def test_wide_open_comfyui(wide: ComfyUI, rebound: Browser, name: str) -> None:
    """Whatever ComfyUI lets in, our routes answer no page of another site."""
    settings = wide.get(f"{PREFIX}settings")
    with elsewhere() as port:
        told, control = attack(rebound, f"http://{name}:{port}/", wide.url)
    assert succeeded(told) == []
    assert {one[1] for one in succeeded(control)} >= OPEN
    assert {one[3] for one in told} <= {-1, 0, 403, 415}
    assert wide.get(f"{PREFIX}settings") == settings
    assert wide.get(f"{PREFIX}transfers")["transfers"] == []


def test_wide_open_rebinding(wide: ComfyUI, rebound: Browser) -> None:
    """A name that leads here makes a page 'same-origin' for the browser and for ComfyUI, and not for us."""
    told, control = attack(rebound, f"http://evil.test:{wide.port}/system_stats", "")
    assert succeeded(told) == []
    assert {one[1] for one in succeeded(control)} >= OPEN


def test_wide_open_listening(wide: ComfyUI, rebound: Browser) -> None:
    """No route of ours is an event source or a socket for another page."""
    with elsewhere() as port:
        page = rebound.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        told = page.evaluate(LISTEN, [[wide.url + path for path in reads()[:SOCKETS]]] * 2)
        control = page.evaluate(LISTEN, [[], [f"{wide.url}/ws"]])
        page.close()
    assert set(told) == {"refused"}, json.dumps(told)
    assert control == ["open"]  # ComfyUI's own socket
