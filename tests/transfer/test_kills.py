"""kill -9 at random moments, hundreds of times: a name is absent or right, and one more run ends it."""

from __future__ import annotations

import logging
import random
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from transfer.faults import Exchange, FaultServer, cut_at, status, then
from transfer.models import NAME, safetensors, sha256
from transfer.nursery import Child, Errand, Nursery

_LOG = logging.getLogger(__name__)  # figures: pytest --log-cli-level=INFO

DATA = safetensors(400_000)
BIG = safetensors(8_000_000)
STEP = 40_000

ROUNDS = pytest.mark.parametrize(
    "kills", [pytest.param(42, id="quick"), pytest.param(225, id="full", marks=pytest.mark.full)]
)


@dataclass(slots=True)
class Tally:
    """What became of the kills."""

    killed: int = 0  # died of the kill, before it was through
    partway: int = 0  # … with a partial on the disk and no file yet
    published: int = 0  # … with the file already there
    through: int = 0  # ended before the kill came
    resumed: int = 0  # began with bytes of an earlier run


@dataclass(slots=True)
class Moment:
    """When to kill: `signal` is set when the interesting part begins; then a random while."""

    signal: threading.Event
    within: float  # seconds


def slowly(moment: Moment, *, at_end: bool = False) -> Callable[[Exchange], None]:
    """The right answer in small pieces; sets the signal at its beginning or after its last byte."""

    def behave(x: Exchange) -> None:
        code, headers, body = x.meta()
        if not at_end:
            moment.signal.set()
        x.head(code, ("Content-Length", str(len(body))), *headers)
        for at in range(0, len(body), STEP):
            x.raw(body[at : at + STEP])
            if not at_end:
                time.sleep(0.002)
        moment.signal.set()

    return behave


def _kill(child: Child, moment: Moment, rng: random.Random) -> None:
    moment.signal.wait(0.1)  # a run that asks nothing, because all is there, never sets it
    time.sleep(rng.uniform(0, moment.within))
    child.kill()


def _check(root: Path, data: bytes) -> bool:
    """Whether the file is there; it must be right if it is."""
    final = root / NAME
    if not final.exists():
        return False
    assert final.read_bytes() == data
    return True


def _kill_often(
    nursery: Nursery,
    errand: Errand,
    data: bytes,
    moment: Moment,
    kills: int,
    prepare: Callable[[Path], None] = lambda _: None,
) -> Tally:
    """Kill runs until `kills` have died. After each, one more run ends it, or it is killed again."""
    rng, tally, root = random.Random(kills), Tally(), Path(errand.root)
    while tally.killed < kills:
        assert tally.through <= 3 * kills, f"the kills come too late: {tally}"
        root.mkdir()
        prepare(root)
        for _ in range(rng.choice((1, 1, 2, 3))):
            tally.resumed += any(root.glob("*.cwjournal"))
            moment.signal.clear()
            child = nursery.start(errand)
            _kill(child, moment, rng)
            ended = child.end()
            there = _check(root, data)
            tally.through += not ended.signal
            tally.killed += bool(ended.signal)
            tally.partway += bool(ended.signal) and not there and any(root.glob("*.cwpart"))
            tally.published += bool(ended.signal) and there
        last = nursery.run(errand)
        assert last.state in ("verified", "skipped"), last
        assert _check(root, data)
        assert [path.name for path in root.iterdir()] == [NAME]
        shutil.rmtree(root)
    return tally


def _errand(url: str, root: Path, data: bytes, segments: int = 1) -> Errand:
    return Errand(
        url=url, root=str(root / "models"), size=len(data), sha256=sha256(data).hex, segments=segments
    )


@ROUNDS
@pytest.mark.parametrize("segments", [1, 4])
def test_killed_while_receiving(
    server: FaultServer, nursery: Nursery, tmp_path: Path, kills: int, segments: int
) -> None:
    """One stream or four lanes: nearly every kill comes in mid-transfer."""
    moment = Moment(threading.Event(), 0.030)
    url = server.put("/m", DATA, slowly(moment))
    tally = _kill_often(nursery, _errand(url, tmp_path, DATA, segments), DATA, moment, kills)
    _LOG.info("%s", tally)
    assert tally.partway >= kills // 2


@ROUNDS
def test_killed_while_resuming(server: FaultServer, nursery: Nursery, tmp_path: Path, kills: int) -> None:
    """Runs that take over half a file are killed like the others."""
    moment = Moment(threading.Event(), 0.012)
    url = server.put("/m", DATA, then(cut_at(200_000), status(404)))
    errand = _errand(url, tmp_path, DATA)
    left = tmp_path / "left"
    nursery.run(replace(errand, root=str(left)))
    server.put("/m", DATA, slowly(moment))
    tally = _kill_often(nursery, errand, DATA, moment, kills, lambda root: _copy(left, root))
    _LOG.info("%s", tally)
    assert tally.resumed >= kills
    assert tally.partway >= kills // 2


@ROUNDS
def test_killed_while_hashing(server: FaultServer, nursery: Nursery, tmp_path: Path, kills: int) -> None:
    """Runs that have all bytes already and only hash and publish them."""
    moment = Moment(threading.Event(), 0.012)
    url = server.put("/m", BIG, then(cut_at(len(BIG) - 1000), status(404)))
    errand = _errand(url, tmp_path, BIG)
    left = tmp_path / "left"
    nursery.run(replace(errand, root=str(left)))
    server.put("/m", BIG, slowly(moment, at_end=True))
    tally = _kill_often(nursery, errand, BIG, moment, kills, lambda root: _copy(left, root))
    _LOG.info("%s", tally)
    assert tally.partway + tally.published == tally.killed


@ROUNDS
def test_killed_while_publishing(server: FaultServer, nursery: Nursery, tmp_path: Path, kills: int) -> None:
    """Killed between the last byte and the end: verified, synced, linked, cleared away."""
    moment = Moment(threading.Event(), 0.020)
    url = server.put("/m", DATA, slowly(moment, at_end=True))
    tally = _kill_often(nursery, _errand(url, tmp_path, DATA), DATA, moment, kills)
    _LOG.info("%s", tally)
    assert tally.published + tally.partway >= kills // 2


def _copy(left: Path, root: Path) -> None:
    for path in left.iterdir():
        shutil.copy(path, root / path.name)
