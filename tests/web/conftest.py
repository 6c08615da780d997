"""A real Chromium and a server of this repository's files, for tests of the pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chromiumkit import ARGUMENTS, find_chromium
from fakehub.server import FakeHub

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from webstage import Stage, Stages

ROOT = Path(__file__).resolve().parents[2]


class Files(SimpleHTTPRequestHandler):
    """The repository's files; `.js` is always a module's type, whatever this machine's tables say."""

    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".js": "text/javascript"}  # noqa: RUF012

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The address under which this repository's files are served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(ROOT)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A Chromium of this machine, `CHROMIUM` or on the path; without one the test is skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium: install one, or name it in CHROMIUM")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def stages(chromium: Browser, fakehub: FakeHub, tmp_path: Path) -> Iterator[Stages]:
    """Makes stages over one hub and one folder."""
    from webstage import Stages

    made = Stages(tmp_path, fakehub, chromium)
    yield made
    made.close()


@pytest.fixture
def stage(stages: Stages) -> Stage:
    """A hub, model folders and our routes on the project's own host."""
    return stages.make()
