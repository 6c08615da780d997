"""Pages that are not ours against a real ComfyUI opened wide: `--enable-cors-header`, several addresses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from comfyui.installation import Installation, find_installations
from comfyui.running import ComfyUI
from fakehub.server import FakeHub
from test_browser_attacks import LISTEN, elsewhere, reads, rebound, writes

from comfywatchman.routes.serving import PREFIX

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["rebound"]  # the fixture: a Chromium for which evil.test is this machine

pytestmark = pytest.mark.full
PLACES = find_installations(os.environ)

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
            installation, tmp_path_factory.mktemp("wide"), environment=hub.environment, arguments=arguments
        ) as comfyui,
    ):
        yield comfyui


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "evil.test"])
def test_wide_open_comfyui(wide: ComfyUI, rebound: Browser, name: str) -> None:
    """Whatever ComfyUI lets in, our routes answer no page of another site; ComfyUI's own do (the control)."""
    settings = wide.get(f"{PREFIX}settings")
    with elsewhere() as port:
        page = rebound.new_page()
        page.goto(f"http://{name}:{port}/")
        told = page.evaluate(_TRY, [wide.url, writes(), reads()])
        control = page.evaluate(
            "(url) => fetch(url).then((answer) => answer.status, () => -1)", f"{wide.url}/system_stats"
        )
        page.close()

    assert [one for one in told if 200 <= one[3] < 300] == []
    assert {one[3] for one in told} <= {-1, 0, 403, 415}
    assert wide.get(f"{PREFIX}settings") == settings
    assert wide.get(f"{PREFIX}transfers")["transfers"] == []
    assert control in (200, 403)  # newer ones refuse other sites on loopback by themselves


def test_wide_open_rebinding(wide: ComfyUI, rebound: Browser) -> None:
    """A name that leads here makes a page 'same-origin' for the browser, and not for us."""
    port = wide.url.rpartition(":")[2]
    page = rebound.new_page()
    page.goto(f"http://evil.test:{port}/system_stats")
    told = page.evaluate(_TRY, ["", writes(), reads()])
    page.close()
    assert [one for one in told if 200 <= one[3] < 300] == []


def test_wide_open_listening(wide: ComfyUI, rebound: Browser) -> None:
    """No route of ours is an event source or a socket for another page."""
    with elsewhere() as port:
        page = rebound.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        told = page.evaluate(LISTEN, [wide.url + path for path in reads()[:6]])
        page.close()
    assert set(told) == {"refused"}, json.dumps(told)
