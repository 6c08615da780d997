"""A long queue, a server that fails now and then, and a worker that is killed: everything comes to an end."""

from __future__ import annotations

import json
import logging
import random
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from transfer.faults import Behaviour, FaultServer, cut_at, good, status, then, typed
from transfer.models import safetensors, transfer
from transfer.queueprocess import command, write_job

from comfywatchman.plan import Transfer
from comfywatchman.transfer.entry import FINAL
from comfywatchman.transfer.events import State
from comfywatchman.transfer.queue import Queue

MIB = 1 << 20
HEALING: list[Behaviour] = [
    then(status(503), good),
    then(status(429, b"", ("Retry-After", "0.1")), good),
    then(cut_at(30_000, reset=True), cut_at(10_000), good),
]
LASTING: list[Behaviour] = [status(404), status(403), typed("text/html", b"<html>log in")]


def fill(server: FaultServer, root: Path, count: int, largest: int) -> tuple[list[Transfer], set[str]]:
    """Transfers of which one in ten meets a fault, and the paths of those that can never succeed."""
    rng = random.Random(count)
    made, doomed = [], set()
    for number in range(count):
        size = rng.randint(64 << 10, largest)
        data = safetensors(size, seed=number)
        behave: Behaviour = good
        if number % 10 == 3:
            behave = rng.choice(HEALING + LASTING)
        path = f"{number % 7}/{number}.safetensors"
        if behave in LASTING:
            doomed.add(path)
        made.append(transfer(root, server.put(f"/{number}", data, behave), data, path=path, name=path))
    return made, doomed


@pytest.mark.parametrize(
    ("count", "largest"), [(150, 96 << 10), pytest.param(1000, MIB, marks=pytest.mark.full)]
)
def test_soak(server: FaultServer, tmp_path: Path, count: int, largest: int) -> None:
    """Three kills and a tenth of faults later all ended; memory, descriptors and the file stay small."""
    root, data = tmp_path / "m", tmp_path / "data"
    transfers, doomed = fill(server, root, count, largest)
    with Queue(data, roots=(str(root),)) as queue:
        queue.add(transfers)
        job = write_job(tmp_path / "job", data, server.origin, transfers)
        for part in (1, 2, 3):
            child = subprocess.Popen(command("work", job), stdout=subprocess.DEVNULL)
            while len(server.seen) < part * count // 4 and child.poll() is None:
                time.sleep(0.002)
            child.kill()
            assert child.wait() == -9
        last = subprocess.run(command("work", job), capture_output=True, text=True, check=True, timeout=300)
        entries = queue.entries()
    assert len(entries) == count
    assert {entry.state for entry in entries} <= FINAL
    failed = {entry.transfer.path for entry in entries if entry.state is State.FAILED}
    assert failed == doomed
    assert all(entry.outcome.error for entry in entries if entry.state is State.FAILED)
    for one, behaviour in zip(transfers, server.resources.values(), strict=True):
        if one.path not in doomed:
            assert (root / one.path).read_bytes() == behaviour.data
    before, after = json.loads(last.stdout.splitlines()[-1])
    figures = (
        f"{Counter(entry.state.value for entry in entries)}, {len(server.seen)} requests,"
        f" memory {before['rss']} → {after['rss']} KiB, descriptors {before['fds']} → {after['fds']},"
        f" {sum(path.stat().st_size for path in data.iterdir()):,} bytes of queue"
    )
    logging.getLogger(__name__).info(figures)
    assert after["rss"] - before["rss"] < 50 * 1024, figures
    assert abs(after["fds"] - before["fds"]) <= 5, figures
    assert sum(path.stat().st_size for path in data.iterdir()) < 20 * MIB
    assert not [*root.rglob("*.cwpart"), *root.rglob("*.cwjournal")]
