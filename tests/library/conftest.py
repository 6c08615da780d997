"""Real trees of files for the library's tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

Plant = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own: no test sees the Desktop app or the cache of the person who runs it."""
    home = tmp_path_factory.mktemp("home")
    for variable in ("HOME", "USERPROFILE", "APPDATA", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(variable, str(home))
    return home


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Make files (or with a last `/` folders) below tmp_path."""

    def plant(*names: str, text: str = "x") -> Path:
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith("/"):
                path.mkdir(exist_ok=True)
            else:
                path.write_text(text, encoding="utf-8")
        return tmp_path

    return plant


@pytest.fixture
def comfyui(plant: Plant) -> Path:
    """A ComfyUI as a clone of the repository has it."""
    return plant("ComfyUI/main.py", "ComfyUI/folder_paths.py", "ComfyUI/models/checkpoints/") / "ComfyUI"
