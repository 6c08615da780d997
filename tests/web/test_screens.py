"""The pictures of the panel's states: that each state is reached, and that the pages show all of them.

COMFYWATCHMAN_SCREENS  the folder that the pictures are written to, `docs/images/screens`; else they are thrown away
"""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from screens import SCREENS, Screen, shoot
from webstage import Stages

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
