"""Several processes with one queue: nothing is done twice, nothing is lost."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transfer.faults import Exchange, FaultServer, good, status
from transfer.models import NAME, QUICK, guard_for, no_token, safetensors, transfer
from transfer.queueprocess import command, write_job

from comfywatchman.plan import Transfer
from comfywatchman.transfer.events import Progress, State
from comfywatchman.transfer.queue import Queue

PATIENT = replace(QUICK, stall=5.0)
DATA = safetensors(60_000)


def start(mode: str, job: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(command(mode, job), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(child: subprocess.Popen[str]) -> list[Any]:
    """Its outcomes as [state, path, code]; whatever it wrote to stderr is a fault."""
    said, complaint = child.communicate(timeout=120)
    assert (child.returncode, complaint) == (0, "")
    return [json.loads(line) for line in said.splitlines()][:-1]


def files(server: FaultServer, root: Path, numbers: range, behave: Any = good) -> list[Transfer]:
    made = []
    for number in numbers:
        data = safetensors(20_000, seed=number)
        made.append(
            transfer(root, server.put(f"/{number}", data, behave), data, path=f"{number}.safetensors")
        )
    return made


def slowly(seconds: float) -> Any:
    def behave(x: Exchange) -> None:
        time.sleep(seconds)
        good(x)

    return behave


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_eight_processes_one_file(server: FaultServer, tmp_path: Path) -> None:
    """Eight processes that want one file leave it once, and ask for it once."""
    moved = [transfer(tmp_path / "m", server.put("/m", DATA, slowly(0.3)), DATA)]
    job = write_job(tmp_path / "job", tmp_path / "data", server.origin, moved)
    children = [start("fetch", job) for _ in range(8)]
    ends = [result(child) for child in children]
    assert {end[0][0] for end in ends} <= {"verified", "skipped"}
    assert names(tmp_path / "m") == [NAME]
    assert len(server.seen) == 1


def test_without_a_shared_queue(server: FaultServer, tmp_path: Path) -> None:
    """The control: with a queue each, they ask for it more than once."""
    moved = [transfer(tmp_path / "m", server.put("/m", DATA, slowly(1.0)), DATA)]
    jobs = [write_job(tmp_path / f"job{n}", tmp_path / f"data{n}", server.origin, moved) for n in range(3)]
    for child in [start("fetch", job) for job in jobs]:
        result(child)
    assert len(server.seen) > 1
    assert names(tmp_path / "m") == [NAME]


@pytest.mark.parametrize("rounds", [1, pytest.param(25, marks=pytest.mark.full)])
def test_eight_contents_one_name(server: FaultServer, tmp_path: Path, rounds: int) -> None:
    """Eight processes with eight files of one name: all are kept, under the names the rule gives."""
    contents = [safetensors(20_000, seed=n) for n in range(8)]
    for turn in range(rounds):
        root = tmp_path / f"m{turn}"
        jobs = [
            write_job(
                tmp_path / f"job{n}",
                tmp_path / "data",
                server.origin,
                [transfer(root, server.put(f"/{n}", data), data)],
            )
            for n, data in enumerate(contents)
        ]
        ends = [result(child)[0] for child in [start("fetch", job) for job in jobs]]
        assert [end[0] for end in ends] == ["verified"] * 8
        assert [(root / end[1]).read_bytes() for end in ends] == contents
        assert len(names(root)) == 8
        tags = {end[1].removeprefix("ink").removesuffix(".safetensors").strip(" ()") for end in ends} - {""}
        assert all(tag.startswith("web-") for tag in tags)


def test_two_processes_share(server: FaultServer, tmp_path: Path) -> None:
    """Two processes with fifty files each, twenty of them the same: every file is asked for once."""
    root = tmp_path / "m"
    lists = [files(server, root, numbers, slowly(0.02)) for numbers in (range(50), range(30, 80))]
    jobs = [
        write_job(tmp_path / f"job{n}", tmp_path / "data", server.origin, moved)
        for n, moved in enumerate(lists)
    ]
    ends = [result(child) for child in [start("fetch", job) for job in jobs]]
    assert {end[0] for one in ends for end in one} <= {"verified", "skipped"}
    assert set(Counter(seen.path for seen in server.seen).values()) == {1}
    assert len(names(root)) == 80


def test_waiting_for_another(server: FaultServer, tmp_path: Path) -> None:
    """Who asks for a file that another process brings hears of its progress and gets its outcome."""
    data = safetensors(400_000)

    def drop_by_drop(x: Exchange) -> None:
        code, headers, body = x.meta()
        x.head(code, ("Content-Length", str(len(body))), *headers)
        for at in range(0, len(body), 20_000):
            x.raw(body[at : at + 20_000])
            time.sleep(0.12)

    moved = [transfer(tmp_path / "m", server.put("/m", data, drop_by_drop), data)]
    child = start("fetch", write_job(tmp_path / "job", tmp_path / "data", server.origin, moved))
    while not server.seen:
        time.sleep(0.01)
    heard: list[Progress] = []
    with Queue(tmp_path / "data", roots=(str(tmp_path / "m"),)) as queue:
        (outcome,) = queue.fetch(moved, authorize=no_token, listener=heard.append, limits=PATIENT)
    assert result(child)[0][0] == "verified"
    assert (outcome.state, outcome.transfer, outcome.size) == (State.VERIFIED, moved[0], len(data))
    assert outcome.digests == moved[0].source.digests
    assert {p.state for p in heard[:-1]} == {State.RUNNING}
    assert 0 < max(p.done for p in heard[:-1]) < len(data)
    assert heard[-1].state is State.VERIFIED
    assert len(server.seen) == 1


def test_failure_of_another(server: FaultServer, tmp_path: Path) -> None:
    """The error of the process that tried is the error of the one that waited."""

    def gone(x: Exchange) -> None:
        time.sleep(1.0)
        status(404)(x)

    moved = [transfer(tmp_path / "m", server.put("/m", DATA, gone), DATA)]
    child = start("fetch", write_job(tmp_path / "job", tmp_path / "data", server.origin, moved))
    while not server.seen:
        time.sleep(0.01)
    with Queue(tmp_path / "data") as queue:
        (outcome,) = queue.fetch(moved, authorize=no_token, limits=PATIENT)
    assert result(child)[0] == ["failed", NAME, "not-found"]
    assert outcome.error is not None
    assert (outcome.state, outcome.error.code) == (State.FAILED, "not-found")
    assert len(server.seen) == 1


def test_killed_and_taken_over(server: FaultServer, tmp_path: Path) -> None:
    """What a killed process had in hand, one that waits for it brings; the rest stays queued."""
    root = tmp_path / "m"
    moved = files(server, root, range(12), slowly(0.4))
    child = start("fetch", write_job(tmp_path / "job", tmp_path / "data", server.origin, moved))
    while len(server.seen) < 2:
        time.sleep(0.01)
    with Queue(tmp_path / "data", roots=(str(root),)) as queue:
        running = [e.transfer for e in queue.entries() if e.state is State.RUNNING]
        child.kill()
        child.communicate()
        wanted = [next(t for t in moved if t.path == running[0].path)]
        outcomes = queue.fetch(wanted, authorize=no_token, limits=PATIENT, guard=guard_for(server.origin))
        assert [o.state for o in outcomes] == [State.VERIFIED]
        assert names(root).count(running[0].path) == 1
        assert Counter(e.state for e in queue.entries())[State.QUEUED] >= 8
        assert not [e for e in queue.entries() if e.state is State.RUNNING]
        queue.work(authorize=no_token, limits=replace(PATIENT, together=12), guard=guard_for(server.origin))
        assert {e.state for e in queue.entries()} <= {State.VERIFIED, State.SKIPPED}
    assert names(root) == sorted(t.path for t in moved)
