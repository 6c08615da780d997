"""What the package promises to installers, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HEAVY = (
    "requests",
    "urllib3",
    "aiohttp",
    "huggingface_hub",
    "httpx",
    "blake3",
    "tqdm",
    "torch",
    "yaml",
    "click",
    "PIL",
)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    return done.stdout


def test_requirements_equal_the_dependencies() -> None:
    """ComfyUI-Manager installs requirements.txt, the Registry reads pyproject.toml: both say the same."""
    listed = (ROOT / "requirements.txt").read_text(encoding="utf-8").split("\n")
    assert [line for line in listed if line] == PYPROJECT["project"]["dependencies"]


def test_licence_is_mit() -> None:
    """The licence file is the one that the metadata names."""
    assert PYPROJECT["project"]["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


@pytest.mark.parametrize(
    "module",
    ["comfywatchman", "comfywatchman.workflow.references", "comfywatchman.plan", "comfywatchman.settings"],
)
def test_import_is_light(module: str) -> None:
    """The core and the settings import nothing heavy."""
    loaded = run(f"import sys, {module}; print(*sorted(sys.modules))").split()
    assert [name for name in HEAVY if name in loaded] == []


def test_import_has_no_effect() -> None:
    """Importing every module starts no thread, writes nothing to stdout and touches no environment."""
    code = """
import importlib, os, pkgutil, threading
before = dict(os.environ)
import comfywatchman
for module in pkgutil.walk_packages(comfywatchman.__path__, "comfywatchman."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert threading.active_count() == 1, threading.enumerate()
assert dict(os.environ) == before
"""
    assert run(code) == ""


def test_package_lives_under_two_names_at_once(tmp_path: Path) -> None:
    """Inside ComfyUI the package has another module name; both copies work in one process."""
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").touch()
    (tmp_path / "pack" / "comfywatchman").symlink_to(ROOT / "comfywatchman")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import comfywatchman.digest as ours
import pack.comfywatchman.digest as theirs
import pack.comfywatchman.watchman
assert ours.Digest is not theirs.Digest
assert str(theirs.parse_digest("0123456789")) == "autov2:0123456789"
"""
    run(code)


def test_no_module_holds_changing_state() -> None:
    """No module-level list, dict or set in lower case: constants are told by their names."""
    code = """
import importlib, pkgutil, comfywatchman
for module in pkgutil.walk_packages(comfywatchman.__path__, "comfywatchman."):
    if module.name.endswith("__main__"):
        continue
    for name, value in vars(importlib.import_module(module.name)).items():
        if not name.startswith("__") and name.islower() and isinstance(value, (list, dict, set)):
            print(module.name, name)
"""
    assert run(code) == ""
