"""What our pack adds to ComfyUI's start: no failure, no complaint in the log, hardly any time."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from comfyui.installation import Installation
from comfyui.running import PACK, PACKS, ComfyUI

HEAVY = {"torch", "requests", "urllib3", "huggingface_hub", "blake3", "yaml", "tqdm", "click"}
COMPLAINT = re.compile(r"IMPORT FAILED|Traceback|\[(WARNING|ERROR|CRITICAL)\]|^(WARNING|ERROR)", re.MULTILINE)
IMPORT_TIME = re.compile(r"^.*?([\d.]+) seconds(?: \(IMPORT FAILED\))?: (.+)$", re.MULTILINE)


SLOW_PACK = """
import sys, time, torch
sys.path.append({site!r})
import newcomer
begun = time.process_time()
while time.process_time() < begun + 0.2: pass
NODE_CLASS_MAPPINGS = {{}}
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What `import_cost.py` tells of a pack."""

    seconds: float
    modules: int
    added: list[str]
    held: list[str]


@pytest.fixture(scope="module")
def costs(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cost]:
    """The cost of our pack, and of one that is slow, brings a package and holds torch."""
    base = tmp_path_factory.mktemp("cost")
    for name in ("custom_nodes", "slow", "site"):
        (base / name).mkdir()
    (base / "slow" / "__init__.py").write_text(SLOW_PACK.format(site=str(base / "site")))
    (base / "site" / "newcomer.py").touch()
    script = Path(__file__).with_name("import_cost.py")
    command = [installation.python, script, base, PACK, base / "slow"]
    done = subprocess.run(
        command, cwd=installation.path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    ours, slow = json.loads(done.stdout.splitlines()[-1]).values()
    return {"ours": Cost(**ours), "slow": Cost(**slow)}


def test_packs_are_loaded(comfyui: ComfyUI) -> None:
    """ComfyUI names both packs among those it imported, and complains of nothing."""
    start = comfyui.log().split("To see the GUI go to")[0]
    imported = {Path(path).name for _, path in IMPORT_TIME.findall(start)}
    assert imported == set(PACKS)
    assert COMPLAINT.search(start) is None, start


def test_nodes_are_told(comfyui: ComfyUI) -> None:
    """ComfyUI can tell the front end of every node; it logs those that it cannot."""
    assert "CwTestProbe" in comfyui.object_info()
    assert "An error occurred while retrieving information" not in comfyui.log()


def test_import_cost(costs: dict[str, Cost]) -> None:
    """After ComfyUI's own modules, ours cost at most 0.15 s of CPU, bring no others, hold no heavy ones.

    Only aiohttp, which is ComfyUI's own server, is held by the routes.
    """
    ours = costs["ours"]
    assert ours.modules > 1
    assert ours.seconds <= 0.15
    assert ours.added == []
    assert HEAVY.intersection(ours.held) == set()


def test_import_cost_is_seen(costs: dict[str, Cost]) -> None:
    """The measurement tells of a slow pack, of what it brings and what it holds."""
    slow = costs["slow"]
    assert slow.seconds >= 0.2
    assert slow.added == ["newcomer"]
    assert HEAVY.intersection(slow.held) == {"torch"}


@pytest.mark.parametrize(
    "line",
    [
        "   0.0 seconds (IMPORT FAILED): /x/custom_nodes/comfywatchman",
        "[INFO] fine\n[WARNING] not so fine",
        "Traceback (most recent call last):",
    ],
)
def test_complaints_are_seen(line: str) -> None:
    """What ComfyUI writes when a pack fails is taken for a complaint."""
    assert COMPLAINT.search(line)
