"""Known models: the look-up of a name against a plain dict, and reading the table against `json.loads`."""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter_ns

from comfywatchman.hubs.known.known import SHIPPED, Known
from comfywatchman.hubs.known.tables import Table, parse_table
from comfywatchman.workflow.references import Reference

LOOK_UP_BUDGET = 50.0  # microseconds


def run() -> Iterator[dict[str, object]]:
    """Three rows: a look-up against a dict, the same against its budget, and loading the table."""
    data = SHIPPED.read_bytes()
    models = json.loads(data)["models"]
    by_name = {(model["folder"], model["name"]): model for model in models}
    known = Known(Path(tempfile.gettempdir()) / "comfywatchman-no-such-folder")
    asked = [[_reference(folder, name)] for folder, name in by_name]
    known.find(asked[0])  # reads the table

    def look_up() -> None:
        for references in asked:
            known.find(references)

    def look_up_in_dict() -> None:
        for [reference] in asked:
            by_name.get((reference.folder, reference.name))

    ours, other = (time / len(asked) for time in _paired(look_up, look_up_in_dict, rounds=30))
    yield _row("known.look-up", ours, other, limit=None, n=30 * len(asked))
    yield _row("known.look-up-budget", ours, LOOK_UP_BUDGET, limit=1.0, n=30 * len(asked))
    ours, other = _paired(
        lambda: Table(parse_table(data, strict=False)[1]), lambda: json.loads(data), rounds=20
    )
    yield _row("known.load", ours, other, limit=None, n=20)


def _reference(folder: str, name: str) -> Reference:
    return Reference(node_id="1", node_type="Loader", input_name="file", folder=folder, name=name)


def _paired(ours: Callable[[], object], other: Callable[[], object], *, rounds: int) -> tuple[float, float]:
    """Medians in microseconds of two actions done in turn."""
    times: tuple[list[int], list[int]] = ([], [])
    for _ in range(rounds):
        for action, kept in zip((ours, other), times, strict=True):
            begun = perf_counter_ns()
            action()
            kept.append(perf_counter_ns() - begun)
    return median(times[0]) / 1000, median(times[1]) / 1000


def _row(name: str, ours: float, other: float, *, limit: float | None, n: int) -> dict[str, object]:
    return {
        "name": name,
        "ours": round(ours, 3),
        "other": round(other, 3),
        "limit": limit,
        "ratio": round(ours / other, 2),
        "unit": "us",
        "n": n,
    }
