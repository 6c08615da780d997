"""Every call that touches the disk is died at and failed at, one by one, until there is none left.

The loop of SQLite's tests: let the n-th call fail, n = 1, 2, … until a run comes through; check after each.
The calls are counted and broken by `faultydisk`, at the system's door, so no strace is needed.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from transfer.faults import Behaviour, FaultServer, cut_at, flipped, good, status, stuck_at, then
from transfer.faultydisk import Plan
from transfer.models import NAME, safetensors, sha256
from transfer.nursery import Ended, Errand, Nursery

_LOG = logging.getLogger(__name__)  # figures: pytest --log-cli-level=INFO

DATA = safetensors(150_000)
OTHER = safetensors(150_000, seed=9)
SECOND = "ink (civitai-7).safetensors"
FULL = pytest.mark.full


@dataclass(slots=True)
class Scene:
    """One kind of run: what lies there before, what the server does, under which name it ends."""

    nursery: Nursery
    server: FaultServer
    errand: Errand
    before: Path
    name: str = NAME
    state: str = "verified"
    fault: Behaviour | None = None  # of the server, until it is time to heal

    @property
    def root(self) -> Path:
        return Path(self.errand.root)

    def set_up(self) -> None:
        """As it was before."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.before, self.root)
        self.server.seen.clear()
        self.server.resources["/m"].count = 0
        if self.fault is not None:
            self.server.resources["/m"].behave = self.fault

    def run(self, disk: Plan | None = None) -> Ended:
        return self.nursery.run(replace(self.errand, disk=disk or Plan()))

    def check(self) -> None:
        """Every name that a loader would see is right."""
        for path in self.root.iterdir():
            if path.suffix != ".safetensors":
                continue
            assert path.read_bytes() == (OTHER if path.name == NAME != self.name else DATA), path

    def heal(self) -> None:
        """One more run, on a good disk, ends it and leaves nothing about."""
        if self.fault is not None:
            self.server.resources["/m"].behave = good
        ended = self.run()
        if self.state == "failed":
            assert ended.error == "digest-mismatch", ended
        else:
            assert ended.state in ("verified", "skipped"), ended
            assert (self.root / self.name).read_bytes() == DATA
        self.check()
        left = {path.name for path in self.root.iterdir() if ".mismatch-" not in path.name}
        assert left == ({NAME, self.name} if self.state != "failed" else set())


SCENES = ["stream", "lanes", "resume", "pieces", "broken", "taken", "mismatch", "undigested"]
LANES = {"lanes", "pieces", "broken"}


@pytest.fixture
def scene(request: pytest.FixtureRequest, nursery: Nursery, server: FaultServer, tmp_path: Path) -> Scene:
    """A scene by its name."""
    kind: str = request.param
    before = tmp_path / "before"
    before.mkdir()
    url = server.put("/m", DATA)
    errand = Errand(
        url=url,
        root=str(tmp_path / "models"),
        size=len(DATA),
        sha256="" if kind == "undigested" else sha256(DATA).hex,
        segments=4 if kind in LANES else 1,
    )
    made = Scene(nursery, server, errand, before)
    if kind == "resume":
        server.put("/m", DATA, then(cut_at(90_000), status(404)))
        nursery.run(replace(errand, root=str(before)))
        assert any(before.glob("*.cwjournal"))
        server.put("/m", DATA)
    if kind == "broken":
        made.fault = stuck_at(40_000)
    if kind == "pieces":
        server.put("/m", DATA, stuck_at(40_000))
        nursery.run(replace(errand, root=str(before)))
        (journal,) = before.glob("*.cwjournal")
        assert b'"pieces": [[' in journal.read_bytes()
        server.put("/m", DATA)
    if kind == "taken":
        (before / NAME).write_bytes(OTHER)
        made.name = SECOND
    if kind == "mismatch":
        server.put("/m", DATA, flipped)
        made.state = "failed"
    return made


@pytest.mark.parametrize(
    "scene",
    [
        "stream",
        "resume",
        "pieces",
        *(pytest.param(name, marks=FULL) for name in SCENES if name not in ("stream", "resume", "pieces")),
    ],
    indirect=True,
)
@pytest.mark.parametrize(
    "torn", [pytest.param(False, id="before"), pytest.param(True, id="torn", marks=FULL)]
)
def test_died_at_every_call(scene: Scene, torn: bool) -> None:
    """Killed before, or half-way through, each call that changes the disk."""
    points = 0
    while True:
        scene.set_up()
        ended = scene.run(Plan(kill=points + 1, torn=torn))
        scene.check()
        scene.heal()
        if not ended.signal:
            break
        points += 1
    _LOG.info("%s points", points)
    assert points >= 20


ERRORS = ("ENOSPC", "EDQUOT", "EIO", "EROFS", "EACCES", "EMFILE", "EFBIG")
FAILING = ("open", "write", "pwrite", "fsync", "link", "replace", "unlink", "ftruncate", "mkdir", "preadv")
EXPECTED = {"ENOSPC": "no-space", "EDQUOT": "no-space", "EFBIG": "no-space"}


@pytest.mark.parametrize(
    "error", [pytest.param(e, marks=() if e in ("ENOSPC", "EIO") else FULL) for e in ERRORS]
)
@pytest.mark.parametrize("scene", ["stream", pytest.param("resume", marks=FULL)], indirect=True)
def test_failed_at_every_call(scene: Scene, error: str) -> None:
    """A call that fails, once or for good, ends in a typed error without a second try, or does no harm."""
    scene.set_up()
    often = scene.run().counts
    points = failed = 0
    for call in FAILING:
        for nth in sorted({1, 2, (often.get(call, 0) + 1) // 2, often.get(call, 0)} - {0}):
            for sticky in (False, True):
                if nth > often.get(call, 0):
                    continue
                scene.set_up()
                ended = scene.run(Plan(call=call, error=error, nth=nth, sticky=sticky))
                points += 1
                scene.check()
                if ended.state == "failed":
                    failed += 1
                    assert ended.error == EXPECTED.get(error, "not-writable"), (call, nth, sticky, ended)
                    assert str(scene.root) in ended.message or NAME in ended.message
                else:
                    assert ended.state == "verified", (call, nth, sticky, ended)
                assert len(scene.server.seen) <= 1, (call, nth, sticky)
                scene.heal()
    _LOG.info("%s points, %s failed", points, failed)
    assert points >= 30
    assert failed >= 12


@pytest.mark.parametrize("scene", ["pieces"], indirect=True)
@pytest.mark.parametrize(("error", "state"), [("EIO", "failed"), ("EBUSY", "verified")])
def test_pieces_that_cannot_be_read(scene: Scene, error: str, state: str) -> None:
    """A disk that fails while pieces are looked at is told, or waited for where another program held them."""
    scene.set_up()
    ended = scene.run(Plan(call="preadv", error=error, nth=1))
    assert ended.state == state, ended
    scene.check()
    scene.heal()


@pytest.mark.parametrize("scene", ["stream", "resume", "lanes"], indirect=True)
def test_writes_that_take_only_half(scene: Scene) -> None:
    """A write may take fewer bytes than it was given; the rest follows."""
    scene.set_up()
    ended = scene.run(Plan(short=True))
    assert ended.state == "verified", ended
    scene.heal()


@pytest.mark.parametrize("scene", ["stream"], indirect=True)
def test_journal_written_by_halves(scene: Scene) -> None:
    """A journal whose writing took several writes is as good as any: the next run asks for the rest."""
    scene.set_up()
    scene.server.put("/m", DATA, then(cut_at(90_000), status(404)))
    assert scene.run(Plan(short=True)).state == "failed"
    scene.server.put("/m", DATA)
    scene.server.seen.clear()
    assert scene.run().state == "verified"
    assert scene.server.seen[0].headers["range"].startswith("bytes=90000-")


@pytest.mark.parametrize("scene", ["stream", "taken"], indirect=True)
@pytest.mark.parametrize(
    ("error", "winerror"), [("EPERM", 0), ("EXDEV", 0), ("EMLINK", 0), ("ENOTSUP", 0), ("EINVAL", 1)]
)
def test_no_links_here(scene: Scene, error: str, winerror: int) -> None:
    """A file system without hard links still gets the file, and nothing is replaced."""
    scene.set_up()
    ended = scene.run(Plan(call="link", error=error, winerror=winerror, sticky=True))
    assert ended.state == "verified", ended
    scene.check()
    scene.heal()


# ── held by another program, as virus scanners and indexers do on Windows ──

HELD = [(call, *how) for call in ("link", "replace", "unlink") for how in (("EACCES", 5), ("EACCES", 32))]


@pytest.mark.parametrize("scene", ["stream"], indirect=True)
@pytest.mark.parametrize(("call", "error", "winerror"), [*HELD, ("link", "EBUSY", 0), ("unlink", "EBUSY", 0)])
def test_held_for_a_moment(scene: Scene, call: str, error: str, winerror: int) -> None:
    """What another program holds for a moment is waited for: one run, and nothing left about."""
    scene.set_up()
    ended = scene.run(Plan(call=call, error=error, winerror=winerror, times=2))
    assert ended.state == "verified", ended
    assert ended.counts[call] >= 3
    assert {path.name for path in scene.root.iterdir()} == {NAME}


@pytest.mark.parametrize("scene", ["stream"], indirect=True)
def test_rights_are_not_waited_for(scene: Scene) -> None:
    """Negative control: the same error from a system that means it fails at once."""
    scene.set_up()
    ended = scene.run(Plan(call="link", error="EACCES", times=2))
    assert (ended.error, ended.counts["link"]) == ("not-writable", 1)
    scene.heal()


@FULL
@pytest.mark.parametrize("scene", ["stream"], indirect=True)
@pytest.mark.parametrize(("winerror", "told"), [(32, "interrupted"), (5, "not-writable")])
def test_held_for_long(scene: Scene, winerror: int, told: str) -> None:
    """What is held for longer fails with a word; the next run publishes without asking for a byte."""
    scene.set_up()
    ended = scene.run(Plan(call="link", error="EACCES", winerror=winerror, sticky=True))
    assert ended.error == told, ended
    assert ("another program" in ended.message) is (winerror == 32)
    scene.server.seen.clear()
    scene.heal()
    assert scene.server.seen == []


@FULL
@pytest.mark.parametrize("scene", ["stream", "mismatch"], indirect=True)
def test_held_after_publishing(scene: Scene) -> None:
    """A partial that cannot be removed after publishing is no failure; a later run clears it."""
    scene.set_up()
    ended = scene.run(Plan(call="unlink", error="EACCES", winerror=32, sticky=True))
    assert ended.state == scene.state, ended
    assert ended.error in ("", "digest-mismatch")
    assert any(scene.root.glob("*.cwpart"))
    scene.heal()


@FULL
@pytest.mark.parametrize("scene", ["stream"], indirect=True)
def test_held_journal(scene: Scene) -> None:
    """A journal that is held all the time costs what could have been resumed, not the transfer."""
    scene.set_up()
    ended = scene.run(Plan(call="replace", error="EACCES", winerror=32, nth=2, sticky=True))
    assert ended.state == "verified", ended
    scene.heal()
