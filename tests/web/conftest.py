"""A browser for all tests of a session, and a stage for each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakehub.server import FakeHub

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from webstage import Stage, Stages

CHROMIUM = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, without a window; skips visibly without one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (CHROMIUM_PATH names one)")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def stages(browser: Browser, fakehub: FakeHub, tmp_path: Path) -> Iterator[Stages]:
    """Makes stages over one hub and one folder."""
    from webstage import Stages

    made = Stages(tmp_path, fakehub, browser)
    yield made
    made.close()


@pytest.fixture
def stage(stages: Stages) -> Stage:
    """A hub, model folders and our routes on the project's own host."""
    return stages.make()
