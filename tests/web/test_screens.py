"""The pictures of the panel's states: that each state is reached, and that the pages show all of them.

COMFYWATCHMAN_SCREENS  the folder for the pictures, `docs/images/screens`; else they are thrown away
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from comfyscreens import COMFY_SCREENS, ComfyStage
from comfyui.installation import Installation
from comfyui.running import ComfyUI
from fakehub.server import FakeHub
from screens import SCREENS, SIZES, THEMES, Screen, shoot
from test_in_comfyui import PLACES, name_of
from webstage import Stages

if TYPE_CHECKING:
    from playwright.sync_api import Browser

KEPT = Path(__file__).resolve().parents[2] / "docs" / "images" / "screens"


class Usage(NamedTuple):
    """What `shutil.disk_usage` tells."""

    total: int
    used: int
    free: int


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
def test_screen_in_comfyui(
    place: tuple[Installation, str | None] | None,
    screen: Screen,
    chromium: Browser,
    fakehub: FakeHub,
    pictures: Path,
    tmp_path: Path,
) -> None:
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
        assert len(shoot(page, screen, pictures, prefix=f"comfyui-{version.rpartition('.')[0]}-")) == 4
        stage.close()
        assert page.errors == []


def test_screens_are_complete() -> None:
    """Each state has its pictures, in dark and light, at 1280 and 1920; ComfyUI's for each front end."""
    kept = {path.stem for path in KEPT.glob("*.webp")}
    fronts = {name.split("-")[1] for name in kept if name.startswith("comfyui-")}
    names = [*SCREENS, *(f"comfyui-{front}-{name}" for front in fronts for name in COMFY_SCREENS)]
    assert fronts
    assert kept == {f"{name}-{theme}-{width}" for name in names for theme in THEMES for width in SIZES}
