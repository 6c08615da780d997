"""Which ComfyUI the tests run, and what runs it.

COMFYUI_PATH    the installations to test, separated as in PATH; each one is run
COMFYUI_PYTHON  the interpreter that runs them, where it is not found beside them
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Installation:
    """A ComfyUI on this machine and the interpreter that runs it."""

    path: Path
    python: Path

    @property
    def version(self) -> str:
        """As its `comfyui_version.py` says: "0.33.0"."""
        return str(runpy.run_path(str(self.path / "comfyui_version.py"))["__version__"])


def find_installations(environment: Mapping[str, str]) -> tuple[Installation, ...]:
    """The installations that COMFYUI_PATH names; none when it is unset.

    Raises:
        FileNotFoundError: a path in it is no ComfyUI. A typing error must not look like a skipped test.
    """
    named = [Path(part).absolute() for part in environment.get("COMFYUI_PATH", "").split(os.pathsep) if part]
    for path in named:
        if not (path / "main.py").is_file() or not (path / "comfyui_version.py").is_file():
            raise FileNotFoundError(f"COMFYUI_PATH names {path}, which is no ComfyUI")
    return tuple(Installation(path, find_python(path, environment)) for path in named)


def find_python(comfyui: Path, environment: Mapping[str, str]) -> Path:
    """COMFYUI_PYTHON, else a virtual environment in or beside it, else the portable's, else our own."""
    if chosen := environment.get("COMFYUI_PYTHON"):
        return Path(chosen)
    folders = [place / name for place in (comfyui, comfyui.parent) for name in ("venv", ".venv")]
    pythons = [folder / script for folder in folders for script in ("bin/python", "Scripts/python.exe")]
    pythons.append(comfyui.parent / "python_embeded" / "python.exe")  # spelt so in ComfyUI's portable archive
    return next((python for python in pythons if python.exists()), Path(sys.executable))
