"""The pictures of the panel's states: that each state is reached, and that the pages show all of them.

COMFYWATCHMAN_SCREENS  the folder that the pictures are written to, `docs/images/screens`; else they are thrown away
"""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from comfyscreens import COMFY_SCREENS, ComfyStage
from comfyui.running import ComfyUI
from fakehub.server import FakeHub
from screens import SCREENS, Screen, shoot
from test_in_comfyui import PLACES, name_of
from webstage import Stages

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures go."""
    folder = Path(os.environ.get("COMFYWATCHMAN_SCREENS") or tmp_path / "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.full
@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS)
def test_screen(stages: Stages, screen: Screen, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person comes to each state of the panel, and it is shown in light and dark, at 1280 and 1920."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12 - screen.free, screen.free))
    stage = stages.make(offline=screen.offline)
    page = screen.drive(stage)
    assert len(shoot(page, screen, pictures)) == 4
    assert page.errors == []


@pytest.mark.full
@pytest.mark.parametrize("place", PLACES or [None], ids=name_of)
@pytest.mark.parametrize("screen", COMFY_SCREENS.values(), ids=COMFY_SCREENS)
def test_screen_in_comfyui(place, screen: Screen, chromium: Browser, fakehub: FakeHub, pictures: Path, tmp_path: Path) -> None:
    """The same in ComfyUI, in each of its front ends."""
    if place is None:
        pytest.skip("COMFYUI_PATH names no ComfyUI")
    installation, front = place
    arguments = ["--front-end-root", front] if front else []
    folder = tmp_path / "ComfyUI"
    folder.mkdir()
    with ComfyUI(installation, folder, environment=fakehub.environment, arguments=arguments) as comfyui:
        stage = ComfyStage(comfyui=comfyui, hub=fakehub, browser=chromium)
        page = screen.drive(stage)
        version = page.page.evaluate("() => window.__COMFYUI_FRONTEND_VERSION__")
        assert len(shoot(page, screen, pictures, prefix=f"comfyui-{version}-")) == 4
        stage.close()
        assert page.errors == []
