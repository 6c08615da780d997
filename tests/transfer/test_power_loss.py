"""The power goes at any moment: what was synced is there, the rest perhaps; the next run makes it good."""

from __future__ import annotations

import logging
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from transfer.faults import FaultServer, cut_at, status, stuck_at, then
from transfer.faultydisk import Plan, Record
from transfer.models import (
    NAME,
    guard_for,
    no_token,
    safetensors,
    sha256,
    small_pieces,
    transfer_of,
)
from transfer.nursery import Errand, Nursery, read_log
from transfer.powercut import cut

from comfywatchman.transfer.events import State
from comfywatchman.transfer.queue import run

_LOG = logging.getLogger(__name__)  # figures: pytest --log-cli-level=INFO

DATA = safetensors(150_000)
LANES = {"lanes", "pieces"}
BROKEN = {"broken", "pieces"}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one transfer did to the disk."""

    url: str
    log: list[Record]


def _record(nursery: Nursery, server: FaultServer, tmp_path: Path, kind: str) -> Recorded:
    """A transfer in one stream or in lanes; some are broken off, and keep what came, in one piece or more."""
    behave = {
        "broken": then(cut_at(90_000), status(503, b"", ("Retry-After", "0"))),
        "pieces": stuck_at(40_000),
    }.get(kind)
    url = server.put("/m", DATA, behave)
    log = tmp_path / "log"
    errand = Errand(
        url=url,
        root=str(tmp_path / "models"),
        size=len(DATA),
        sha256=sha256(DATA).hex,
        segments=4 if kind in LANES else 1,
        disk=Plan(record=True),
        log=str(log),
    )
    ended = nursery.run(errand)
    assert ended.state == ("failed" if kind in BROKEN else "verified"), ended
    server.put("/m", DATA)
    return Recorded(url, read_log(log))


def _recover(recorded: Recorded, folder: Path, segments: int) -> None:
    """One more run on that disk: the file is there, and nothing else."""
    transfer = transfer_of(folder, recorded.url, size=len(DATA), sha256=sha256(DATA).hex)
    (outcome,) = run(
        [transfer],
        authorize=no_token,
        limits=small_pieces(segments),
        guard=guard_for(recorded.url.rsplit("/", 1)[0]),
    )
    assert outcome.state in (State.VERIFIED, State.SKIPPED), outcome.error
    assert (folder / NAME).read_bytes() == DATA
    left = {path.name.rsplit(".", 1)[-1] for path in folder.iterdir()}
    assert left == {"safetensors"}, left


@pytest.mark.parametrize(
    ("states", "seed"),
    [
        pytest.param(100, 1, id="quick"),
        *(pytest.param(400, seed, id=f"full-{seed}", marks=pytest.mark.full) for seed in (11, 12, 13)),
    ],
)
@pytest.mark.parametrize("kind", ["stream", "lanes", "broken", "pieces"])
def test_power_cut(
    nursery: Nursery, server: FaultServer, tmp_path: Path, kind: str, states: int, seed: int
) -> None:
    """In every state the name is absent or right, and one run later it is there."""
    recorded = _record(nursery, server, tmp_path, kind)
    rng = random.Random(seed)
    finished = begun = 0
    for _ in range(states):
        folder = tmp_path / "after"
        disk = cut(recorded.log, rng)
        disk.lay_out(folder)
        if (folder / NAME).exists():
            finished += 1
            assert (folder / NAME).read_bytes() == DATA
        begun += any(folder.glob("*.cwjournal"))
        _recover(recorded, folder, 4 if kind in LANES else 1)
        shutil.rmtree(folder)
    _LOG.info("%s states: %s with the file, %s with a journal", states, finished, begun)
    assert begun >= states // 5
    if kind not in BROKEN:
        assert finished >= states // 50


def test_power_cut_without_syncs(nursery: Nursery, server: FaultServer, tmp_path: Path) -> None:
    """Negative control: were syncs to do nothing, wrong bytes would lie under the name."""
    recorded = _record(nursery, server, tmp_path, "stream")
    rng = random.Random(5)
    wrong = 0
    for _ in range(300):
        disk = cut(recorded.log, rng, syncs=False)
        wrong += NAME in disk.names and disk.files.get(disk.names[NAME], b"") != DATA
    assert wrong


def test_synced_bytes_come_before_names(nursery: Nursery, server: FaultServer, tmp_path: Path) -> None:
    """In the log itself: bytes synced, name given, name synced, partial gone."""
    log = _record(nursery, server, tmp_path, "stream").log
    (linked,) = [at for at, record in enumerate(log) if record[0] == "link"]
    part = next(record[2] for record in log if record[0] == "create" and record[1].endswith(".cwpart"))
    written = max(at for at, record in enumerate(log) if record[:2] == ("write", part))
    assert any(record == ("sync", part) for record in log[written:linked])
    after = [
        record for record in log[linked:] if record[0] == "sync names" or str(record[1]).endswith("part")
    ]
    assert [record[0] for record in after] == ["link", "sync names", "unlink"]
