"""Where the tests look for ComfyUI, how it is started and ended, and what the tiny models are as files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from comfyui import tinymodels
from comfyui.installation import Installation, find_installations, find_python
from comfyui.running import ComfyUI

from comfywatchman.header import Structure, check_structure
from comfywatchman.modelspec import read_metadata

FILES = {
    "tiny_sd3.safetensors": (tinymodels.tiny_sd3, 6_100_000),
    "tiny_sd15.ckpt": (tinymodels.tiny_sd15, 210_000),
    "tiny_lora_sd3.safetensors": (tinymodels.tiny_lora_sd3, 1_500),
    "tiny_lora_sd15.safetensors": (tinymodels.tiny_lora_sd15, 23_000),
}


def structure(data: bytes, name: str) -> Structure:
    return check_structure(lambda offset, length: data[offset : offset + length], len(data), name)


def plant(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


# ── where ──


def test_no_installation() -> None:
    """Without COMFYUI_PATH there is none."""
    assert find_installations({}) == ()


def test_several_installations(tmp_path: Path) -> None:
    """COMFYUI_PATH names as many as it likes; each has its own interpreter and version."""
    for name in ("new", "old"):
        plant(tmp_path / name / "main.py", tmp_path / name / ".venv" / "bin" / "python")
        (tmp_path / name / "comfyui_version.py").write_text(f"__version__ = {name!r}\n")
    named = os.pathsep.join(str(tmp_path / name) for name in ("new", "old"))
    found = find_installations({"COMFYUI_PATH": named})
    assert [one.version for one in found] == ["new", "old"]
    assert [one.python for one in found] == [one.path / ".venv" / "bin" / "python" for one in found]


def test_mistyped_installation(tmp_path: Path) -> None:
    """A path that is no ComfyUI is an error, lest the tests are skipped for a typing error."""
    with pytest.raises(FileNotFoundError, match="no ComfyUI"):
        find_installations({"COMFYUI_PATH": str(tmp_path)})


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        (["ComfyUI/venv/bin/python", "venv/bin/python"], "ComfyUI/venv/bin/python"),
        (["ComfyUI/.venv/Scripts/python.exe"], "ComfyUI/.venv/Scripts/python.exe"),
        ([".venv/bin/python", "python_embeded/python.exe"], ".venv/bin/python"),
        (["python_embeded/python.exe"], "python_embeded/python.exe"),
        ([], sys.executable),
    ],
)
def test_interpreter(tmp_path: Path, present: list[str], expected: str) -> None:
    """The nearest interpreter runs ComfyUI; the one that is named goes before all."""
    plant(*(tmp_path / name for name in present))
    assert find_python(tmp_path / "ComfyUI", {}) == tmp_path / expected
    assert find_python(tmp_path / "ComfyUI", {"COMFYUI_PYTHON": "/other/python"}) == Path("/other/python")


# ── its life ──


def test_failed_start(installation: Installation, tmp_path: Path) -> None:
    """A ComfyUI that does not come up is an error which shows its log, not an endless wait."""
    with pytest.raises(RuntimeError, match="unrecognized arguments: --nonsense"):
        ComfyUI(installation, tmp_path, arguments=["--nonsense"]).start()


@pytest.mark.full
def test_restart(installation: Installation, tmp_path: Path) -> None:
    """After a kill it starts again at the same address with the same files."""
    with ComfyUI(installation, tmp_path) as comfyui:
        first = comfyui.pid
        comfyui.kill()
        comfyui.start()
        assert comfyui.pid != first
        assert comfyui.get("/system_stats")["system"]["comfyui_version"] == installation.version


def test_testers_own_things_are_kept_out(comfyui: ComfyUI) -> None:
    """Neither the tester's tokens, endpoints and proxies nor their home reach ComfyUI."""
    environment = Path(f"/proc/{comfyui.pid}/environ")
    if not environment.exists():
        pytest.skip("only Linux shows the environment of a process")
    told = dict(entry.split("=", 1) for entry in environment.read_text().split("\0") if entry)
    assert told["HOME"] == str(comfyui.base / "home")
    assert told["HF_ENDPOINT"].startswith("http://127.0.0.1:")
    assert not {"COMFYUI_PATH", "HF_TOKEN", "CIVITAI_API_KEY", "HTTPS_PROXY"} & set(told)


# ── tiny models ──


@pytest.mark.parametrize("name", FILES)
def test_tiny_models_are_models(name: str) -> None:
    """Each is small, whole by its own structure and the same bytes each time."""
    make, limit = FILES[name]
    data = make()
    assert len(data) < limit
    assert structure(data, name).exact
    assert make() == data
    assert make(seed="another") != data


def test_trigger_words_of_the_tiny_lora() -> None:
    """Its metadata says what trainers say."""
    facts = read_metadata(structure(tinymodels.tiny_lora_sd15(), "tiny.safetensors").metadata)
    assert facts.trigger_words == tinymodels.TRIGGER_WORDS
    assert facts.common_tags == ("inkwash", "rice paper", "soft brush")
