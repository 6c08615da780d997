"""How fast the command line answers, against a bare interpreter."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

_RUNS = 15


def run() -> Iterator[dict[str, Any]]:
    """`comfywatchman --version` against `python -c pass`, whole processes, in seconds."""
    pairs = [(_seconds("-m", "comfywatchman", "--version"), _seconds("-c", "pass")) for _ in range(_RUNS)]
    ours, other = (median(column) for column in zip(*pairs, strict=True))
    ratio = median(mine / bare for mine, bare in pairs)
    yield {
        "name": "start",
        "ours": ours,
        "other": other,
        "limit": 5,
        "ratio": ratio,
        "unit": "s",
        "n": _RUNS,
    }


def _seconds(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began
