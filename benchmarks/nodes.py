"""Our loader nodes against ComfyUI's own, on the same models in one process of a real ComfyUI.

Needs COMFYUI_PATH, as the tests in `tests/comfyui` do; without it there is a message and no row.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

_PACK = Path(__file__).resolve().parents[1]
_ROUNDS = 40
_IMPORT_LIMIT = 0.15  # seconds that our pack may add to ComfyUI's start

sys.path.append(str(_PACK / "tests"))


def run() -> Iterator[dict[str, Any]]:
    """Loading a checkpoint and applying a LoRA; what the pack adds to the start, in seconds."""
    from comfyui.installation import find_installations

    found = find_installations(os.environ)
    if not found:
        sys.stderr.write("nodes: skipped, since COMFYUI_PATH names no ComfyUI\n")
    for installation in found:
        yield from _measure(installation)


def _measure(installation: Any) -> Iterator[dict[str, Any]]:
    from comfyui.tinymodels import write_tiny_models

    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        write_tiny_models(base / "models")
        for name in ("custom_nodes", "user/__comfywatchman"):
            (base / name).mkdir(parents=True)
        settings = base / "user/__comfywatchman/settings.json"  # the tiny checkpoint is a pickle
        settings.write_text(json.dumps({"node_pickles": True}), encoding="utf-8")
        pairs = _told(installation, base, "benchmarks/_nodes_inside.py", str(_PACK), str(_ROUNDS))
        (cost,) = _told(installation, base, "tests/comfyui/import_cost.py", str(_PACK)).values()
    ratio = median(mine / other for mine, other in pairs)
    yield {
        "name": f"nodes-load-{installation.version}",
        "ours": median(mine for mine, _ in pairs),
        "other": median(other for _, other in pairs),
        "limit": 1.03,
        "ratio": round(ratio, 3),
        "unit": "s",
        "n": len(pairs),
    }
    yield {
        "name": f"nodes-import-{installation.version}",
        "ours": cost["seconds"],
        "other": _IMPORT_LIMIT,
        "limit": 1,
        "ratio": round(cost["seconds"] / _IMPORT_LIMIT, 3),
        "unit": "s",
        "n": 5,
    }


def _told(installation: Any, base: Path, script: str, *arguments: str) -> Any:
    """What a script says in ComfyUI's interpreter, with the pack that is this repository."""
    command = [str(installation.python), str(_PACK / script), str(base), *arguments]
    done = subprocess.run(command, cwd=installation.path, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])
