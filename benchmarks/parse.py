"""Reading a workflow against reading JSON: read_workflow and find_references over json.loads."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import comfyui_workflow_templates_json

from comfywatchman.errors import InvalidWorkflow
from comfywatchman.workflow.document import read_workflow
from comfywatchman.workflow.loaders import load_loaders
from comfywatchman.workflow.references import find_references

ROUNDS = 9
LIMIT = 3.0


def run() -> Iterator[dict[str, str | float]]:
    """Mean seconds a template of both, the medians of paired runs in one process."""
    loaders = load_loaders()

    def ours(data: bytes) -> None:
        find_references(read_workflow(data), loaders)

    templates = [data for data in _templates() if _is_workflow(data)]
    pairs = [(_mean(ours, templates), _mean(json.loads, templates)) for _ in range(ROUNDS)]
    ratio = statistics.median(mine / other for mine, other in pairs)
    yield {
        "name": "parse-template",
        "ours": statistics.median(mine for mine, _ in pairs),
        "other": statistics.median(other for _, other in pairs),
        "limit": LIMIT,
        "ratio": round(ratio, 3),
        "unit": "s",
        "n": len(templates),
    }


def _templates() -> Iterator[bytes]:
    folder = Path(comfyui_workflow_templates_json.__path__[0]) / "templates"
    return (path.read_bytes() for path in sorted(folder.glob("*.json")))


def _is_workflow(data: bytes) -> bool:
    try:
        read_workflow(data)
    except InvalidWorkflow:
        return False  # the package also holds indexes of its templates
    return True


def _mean(read: Callable[[bytes], object], templates: list[bytes]) -> float:
    gc.collect()
    begin = time.perf_counter()
    for data in templates:
        read(data)
    return (time.perf_counter() - begin) / len(templates)


if __name__ == "__main__":
    for line in run():
        print(json.dumps(line))
