"""Processes by the hundred: one that has everything imported, and forks a child for each run.

    with Nursery() as nursery:
        child = nursery.start(Errand(url=…, root=…, sha256=…, size=…))
        child.kill()                    # SIGKILL, a real one
        child.end()                     # Ended(signal=9, state="", …)

A fork costs milliseconds where a fresh interpreter costs half a second. The child is a process like any
other: its own threads, descriptors and locks, and the system cleans up after it.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from transfer.faultydisk import Layer, Plan, Record

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One file to fetch, and the disk to do it on. `sha256` "": nobody publishes it."""

    url: str
    root: str
    size: int
    sha256: str = ""
    segments: int = 1
    disk: Plan = field(default_factory=Plan)
    log: str = ""  # where the disk's log goes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a child ended: by a signal, or with a state; `calls` is how often it touched the disk."""

    signal: int = 0
    state: str = ""
    error: str = ""
    message: str = ""
    fault: str = ""
    total: int = 0
    counts: dict[str, int] = field(default_factory=dict)


class Child:
    """A running errand."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery, self.pid = nursery, pid

    def kill(self) -> None:
        """End it at once. It is reaped by `end`, so the number is still its own."""
        os.kill(self.pid, signal.SIGKILL)

    def end(self) -> Ended:
        """Wait for its end."""
        told = self._nursery.tell({"reap": True})
        assert not told["fault"], told["fault"]
        return Ended(**told)


class Nursery:
    """The process that forks; one child at a time."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "transfer.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}"},
            cwd=PROJECT,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def start(self, errand: Errand) -> Child:
        return Child(self, self.tell({"errand": asdict(errand)})["pid"])

    def run(self, errand: Errand) -> Ended:
        """Start it and wait."""
        return self.start(errand).end()

    def tell(self, message: dict[str, Any]) -> dict[str, Any]:
        """One line there, one line back."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def read_log(path: Path) -> list[Record]:
    """The log of a recorded errand."""
    log: list[Record] = pickle.loads(path.read_bytes())
    return log


# ── in the nursery's process ──


def _serve() -> None:
    """Fork for every errand; a child is reaped only when asked, so nobody kills a stranger."""
    import blake3 as blake3
    import requests as requests

    import comfywatchman.transfer.queue as _queue  # noqa: F401 - warm for the children

    children: list[tuple[int, int]] = []
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "errand" in message:
            read, write = os.pipe()
            pid = os.fork()
            if not pid:
                os.close(read)
                _run(message["errand"], write)
            os.close(write)
            children.append((pid, read))
            answer: dict[str, Any] = {"pid": pid}
        else:
            answer = _reap(*children.pop())
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _reap(pid: int, read: int) -> dict[str, Any]:
    with os.fdopen(read, "rb") as pipe:
        told = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    answer = json.loads(told) if told else {}
    return {"signal": max(0, -status), "fault": "", **answer}


def _run(errand: dict[str, Any], write: int) -> None:
    """In the child: do it, tell, and be gone without any cleaning up."""
    try:
        told = _fetch(errand)
    except BaseException:  # noqa: BLE001 - told to the test, which fails with it
        told = {"fault": traceback.format_exc()}
    os.write(write, json.dumps(told).encode())
    os._exit(0)


def _fetch(errand: dict[str, Any]) -> dict[str, Any]:
    from transfer.models import guard_for, no_token, small_pieces, transfer_of

    from comfywatchman.transfer.queue import run

    layer = Layer(Plan(**errand["disk"]))
    url = errand["url"]
    transfer = transfer_of(Path(errand["root"]), url, size=errand["size"], sha256=errand["sha256"])
    with layer:
        (outcome,) = run(
            [transfer],
            authorize=no_token,
            limits=small_pieces(errand["segments"]),
            guard=guard_for(url.rsplit("/", 1)[0]),
        )
    if errand["log"]:
        Path(errand["log"]).write_bytes(pickle.dumps(layer.log))
    return {
        "state": outcome.state.value,
        "error": outcome.error.code if outcome.error else "",
        "message": outcome.error.message if outcome.error else "",
        "total": layer.total,
        "counts": layer.counts,
    }


if __name__ == "__main__":
    _serve()
