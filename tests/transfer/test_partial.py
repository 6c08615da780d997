"""Partials: what survives, who may have it, and what a journal is believed."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transfer.models import NAME, QUICK, safetensors, sha256, source

from comfywatchman.decode import DecodeError
from comfywatchman.errors import Interrupted, NoSpace, NotWritable, Refused, UnsafePath
from comfywatchman.hasher import Hasher
from comfywatchman.transfer.claim import held_room
from comfywatchman.transfer.front import Damaged, Front
from comfywatchman.transfer.journal import Identity, Journal, parse_journal
from comfywatchman.transfer.limits import Limits
from comfywatchman.transfer.partial import Partial, kept_bytes, sweep
from comfywatchman.transfer.place import Place, disk_error
from comfywatchman.transfer.publish import find_same

DATA = safetensors(50_000)
ONE = Identity.of(source("https://example.com/m?token=canary", DATA))
OTHER = Identity.of(source("https://example.com/other", DATA))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Place(tmp_path) as opened:
        yield opened


def leave(place: Place, count: int, identity: Identity = ONE) -> str:
    """A partial of an earlier run that holds the first `count` bytes."""
    partial = Partial.begin(place, NAME, identity)
    partial.write(0, DATA[:count])
    partial.note(size=len(DATA), validator='"1"', modified=None)
    partial.checkpoint(((count, sha256(DATA[:count]).hex),))
    partial.release()
    return partial.name


def names(place: Place) -> list[str]:
    return sorted(place.names())


def test_left_and_taken_over(place: Place) -> None:
    """What one run leaves, the next takes over, bytes and validator."""
    name = leave(place, 30_000)
    assert kept_bytes(place, NAME, ONE) == 30_000
    partial = Partial.begin(place, NAME, ONE)
    assert (partial.name, partial.journal.done, partial.journal.validator) == (name, 30_000, '"1"')
    assert b"canary" not in (place.folder / name.replace(".cwpart", ".cwjournal")).read_bytes()
    partial.remove()
    assert names(place) == []


def test_journal_that_cannot_be_read_now(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another program holds at the moment is left to a later run, not thrown away."""
    name = leave(place, 30_000)
    opens = os.open

    def held(path: str, *args: Any, **kwargs: Any) -> int:
        if path.endswith(".cwjournal"):
            raise PermissionError(errno.EACCES, "held by another program")
        return opens(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", held)
        Partial.begin(place, NAME, ONE).remove()
        sweep(place, NAME, ONE)
        assert kept_bytes(place, NAME, ONE) == 0
    assert kept_bytes(place, NAME, ONE) == 30_000
    assert name in names(place)


def test_nothing_worth_keeping(place: Place) -> None:
    """A partial without a byte leaves nothing."""
    Partial.begin(place, NAME, ONE).release()
    assert names(place) == []


def test_another_file_of_the_same_name(place: Place) -> None:
    """A partial of other content is left alone."""
    name = leave(place, 10_000, OTHER)
    partial = Partial.begin(place, NAME, ONE)
    assert partial.name != name
    assert partial.journal.done == 0
    partial.remove()
    assert name in names(place)
    assert kept_bytes(place, NAME, ONE) == 0


def test_the_longest_wins(place: Place, tmp_path: Path) -> None:
    """Of several partials of one file the longest goes on, the others go."""
    held = [Partial.begin(place, NAME, ONE) for _ in range(3)]
    for count, partial in zip((100, 900, 500), held, strict=True):
        partial.write(0, DATA[:count])
        partial.checkpoint(((count, sha256(DATA[:count]).hex),))
    for partial in held:
        partial.release()
    best = Partial.begin(place, NAME, ONE)
    assert best.journal.done == 900
    assert len(list(tmp_path.glob("*.cwpart"))) == 1
    best.remove()


def test_never_shared(place: Place) -> None:
    """A partial that somebody writes is nobody else's."""
    leave(place, 10_000)
    first, second = Partial.begin(place, NAME, ONE), Partial.begin(place, NAME, ONE)
    assert (first.journal.done, second.journal.done) == (10_000, 0)
    sweep(place, NAME, ONE)
    assert first.is_ours()
    assert second.is_ours()
    first.remove()
    second.remove()


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
def test_locks_that_do_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where locks are not seen to work, as on some network drives, nothing is taken over."""
    name = leave(place, 10_000)
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    partial = Partial.begin(place, NAME, ONE)
    assert partial.name != name
    partial.remove()
    assert name in names(place)


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
@pytest.mark.parametrize(
    ("locks", "days", "stays"),
    [(False, 15, False), (False, 13, True), (True, 15, True)],
    ids=["old", "young", "control: with locks it is somebody's"],
)
def test_abandoned_where_locks_do_nothing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locks: bool, days: int, stays: bool
) -> None:
    """Where nothing can be taken over, what nobody has written for two weeks is removed, of whatever file."""
    held = Partial.begin(place, NAME, OTHER)
    held.write(0, DATA)
    held.checkpoint(((len(DATA), sha256(DATA).hex),))
    long_ago = time.time() - days * 24 * 3600
    os.utime(tmp_path / held.name, (long_ago, long_ago))
    if not locks:
        monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    sweep(place, NAME, ONE)
    journal = held.name.replace("cwpart", "cwjournal")
    assert names(place) == ([journal, held.name] if stays else [])
    assert held.is_ours() is stays  # so that who does write it, after all, does not publish it
    held.remove()


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
def test_no_locks_at_all(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no locks a fresh partial still works."""

    def flock(*_: object) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    name = leave(place, 10_000)
    partial = Partial.begin(place, NAME, ONE)
    assert partial.name != name
    partial.remove()


def test_a_partial_that_is_somebodys_model(place: Place, tmp_path: Path) -> None:
    """After a crash between link and unlink the bytes have two names: they are never written again."""
    name = leave(place, len(DATA))
    os.link(tmp_path / name, tmp_path / "moved by the user.safetensors")
    partial = Partial.begin(place, NAME, ONE)
    assert partial.name != name
    assert partial.journal.done == 0
    partial.write(0, b"x" * 100)
    partial.remove()
    assert (tmp_path / "moved by the user.safetensors").read_bytes() == DATA
    assert names(place) == ["moved by the user.safetensors"]


def test_cutting_spares_the_published(place: Place, tmp_path: Path) -> None:
    """Once the bytes have their final name, giving up does not cut them any more."""
    partial = Partial.begin(place, NAME, ONE)
    partial.write(0, DATA)
    os.link(tmp_path / partial.name, tmp_path / NAME)
    partial.trim(100)
    partial.release()
    assert (tmp_path / NAME).read_bytes() == DATA
    assert names(place) == [NAME]


def test_journals_without_partials(place: Place, tmp_path: Path) -> None:
    """Journals whose partial a power cut took are swept away; one that is in use, or another's, stays."""
    held = Partial.begin(place, NAME, ONE)
    held.write(0, DATA)
    held.checkpoint(((len(DATA), sha256(DATA).hex),))
    for name in (f"{NAME}.00000000.cwjournal", f"{NAME}.00000000.cwjournal.new", "b.00000000.cwjournal"):
        (tmp_path / name).write_bytes(b"{}")
    sweep(place, NAME, ONE)
    journal = held.name.replace("cwpart", "cwjournal")
    assert names(place) == ["b.00000000.cwjournal", journal, held.name]
    held.remove()


def test_links_and_folders_are_no_partials(place: Place, tmp_path: Path) -> None:
    """What is no plain file of ours is not touched."""
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / f"{NAME}.00000000.cwpart").symlink_to("precious")
    (tmp_path / f"{NAME}.11111111.cwpart").mkdir()
    (tmp_path / f"{NAME}.22222222.cwpart").write_bytes(b"left by a crash before its first journal")
    Partial.begin(place, NAME, ONE).remove()
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert f"{NAME}.22222222.cwpart" not in names(place)
    assert f"{NAME}.00000000.cwpart" in names(place)


def test_shorter_than_its_journal(place: Place, tmp_path: Path) -> None:
    """A crash that lost bytes loses the claim to them."""
    name = leave(place, 10_000)
    os.truncate(tmp_path / name, 500)
    partial = Partial.begin(place, NAME, ONE)
    assert partial.journal.done == 0
    partial.remove()


JOURNAL = json.loads(Journal(identity=ONE, size=7, marks=((5, "0" * 64), (7, "1" * 64))).to_bytes())


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "comfywatchman.partial/2"}, {"hub": 1}, {"url": None}, {"digests": [1]}, {"digests": {}},
        {"marks": 1}, {"marks": [5]}, {"marks": [[5, "zz"]]}, {"marks": [[0, "0" * 64]]},
        {"marks": [[-1, "0" * 64]]},
        {"marks": [[7, "0" * 64], [5, "0" * 64]]}, {"marks": [[5, "0" * 64], [5, "0" * 64]]},
        {"marks": [["5", "0" * 64]]},
        {"pieces": 1}, {"pieces": [[8, 9]]}, {"pieces": [[8, 9, "zz"]]}, {"pieces": [[6, 9, "0" * 64]]},
        {"pieces": [[9, 9, "0" * 64]]}, {"pieces": [[10, 9, "0" * 64]]}, {"pieces": [[True, 9, "0" * 64]]},
        {"pieces": [[8, 9, "0" * 64], [9, 10, "0" * 64]]}, {"marks": [], "pieces": [[8, 9, "0" * 64]]},
    ],
)  # fmt: skip
def test_strange_journals(change: dict[str, Any], place: Place, tmp_path: Path) -> None:
    """A journal that contradicts itself is none, and its partial goes."""
    text = json.dumps(JOURNAL | change).encode()
    with pytest.raises(DecodeError):
        parse_journal(text)
    (tmp_path / f"{NAME}.33333333.cwpart").write_bytes(b"x" * 10)
    (tmp_path / f"{NAME}.33333333.cwjournal").write_bytes(text)
    Partial.begin(place, NAME, ONE).remove()
    assert names(place) == []


@given(
    st.integers(0, 1 << 50) | st.none(),
    st.text(max_size=20) | st.none(),
    st.lists(st.integers(1, 1 << 50), unique=True, max_size=9).map(sorted),
    st.integers(0, 4),
)
def test_journal_round_trip(size: int | None, validator: str | None, ends: list[int], count: int) -> None:
    """Law: what is written is read."""
    count = min(count, (len(ends) - 1) // 2) if ends else 0
    marks, edges = ends[: len(ends) - 2 * count], ends[len(ends) - 2 * count :]
    journal = Journal(
        identity=ONE,
        size=size,
        validator=validator,
        marks=tuple((end, f"{end:064x}") for end in marks),
        pieces=tuple((start, end, f"{end:064x}") for start, end in zip(edges[::2], edges[1::2], strict=True)),
    )
    assert parse_journal(journal.to_bytes()) == journal


def test_journal_of_an_earlier_version() -> None:
    """A journal that knows nothing of pieces is one without."""
    told = {key: value for key, value in JOURNAL.items() if key != "pieces"}
    journal = parse_journal(json.dumps(told).encode())
    assert (journal.done, journal.held, journal.pieces) == (7, 7, ())


@given(st.binary(max_size=80))
def test_journal_of_noise(data: bytes) -> None:
    """Law: no bytes do more than be refused."""
    with pytest.raises(DecodeError):
        parse_journal(data)


def test_what_cannot_be_cleared(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A partial of no more use that cannot be removed stands in no one's way, and goes with a later run."""

    def unlink(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "held")

    name = leave(place, 10_000)
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", unlink)
        sweep(place, NAME, ONE)
    assert f"{name} cannot be removed now" in caplog.text
    assert name in names(place)
    sweep(place, NAME, ONE)
    assert names(place) == []


def test_a_journal_that_is_held(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another program holds the journal, hashing goes on, and the next one says it all."""
    tries: list[str] = []
    real = os.replace

    def replace(*args: Any, **named: Any) -> None:
        tries.append(args[0])
        if len(tries) <= 10:
            raise OSError(errno.EBUSY, "held")
        real(*args, **named)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    partial = Partial.begin(place, NAME, ONE)
    partial.write(0, DATA)
    front = Front(partial, Hasher({"sha256"}), QUICK)
    front.grow(0, len(DATA))
    assert front.finish().sha256() == sha256(DATA)
    front.stop()
    partial.release()
    assert len(tries) > 10
    assert kept_bytes(place, NAME, ONE) == len(DATA)


# ── room set aside ──

ROOM = 1 << 20


def blocks(place: Place) -> int:
    return held_room(place.folder, NAME)


@pytest.fixture
def roomy(place: Place) -> Place:
    """A folder where room can be set aside."""
    partial = Partial.begin(place, NAME, ONE)
    partial.reserve(ROOM)
    found = blocks(place)
    partial.remove()
    if found < ROOM:
        pytest.skip("this file system sets no room aside")
    return place


def test_room_is_set_aside(roomy: Place) -> None:
    """Room is set aside without a change to what lies in the file, and given back when it is put away."""
    partial = Partial.begin(roomy, NAME, ONE)
    partial.write(0, DATA[:10_000])
    partial.reserve(ROOM)
    assert (partial.size(), blocks(roomy) >= ROOM) == (10_000, True)
    partial.checkpoint(((10_000, sha256(DATA[:10_000]).hex),))
    partial.release()
    assert blocks(roomy) < 1 << 16
    assert kept_bytes(roomy, NAME, ONE) == 10_000


def test_room_of_the_dead(roomy: Place) -> None:
    """What a killed run had set aside is given back by the next one, which keeps the bytes."""
    partial = Partial.begin(roomy, NAME, ONE)
    partial.write(0, DATA[:10_000])
    partial.checkpoint(((10_000, sha256(DATA[:10_000]).hex),))
    partial.reserve(ROOM)
    os.close(partial.fd)
    assert blocks(roomy) >= ROOM
    again = Partial.begin(roomy, NAME, ONE)
    assert (again.journal.done, blocks(roomy) < 1 << 16) == (10_000, True)
    again.remove()


def test_no_room_to_set_aside(roomy: Place) -> None:
    """Where there is too little, none of it is taken."""
    partial = Partial.begin(roomy, NAME, ONE)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        partial.reserve(1 << 60)
    assert blocks(roomy) < 1 << 16
    partial.remove()


@pytest.mark.parametrize(
    ("code", "fails"), [("EOPNOTSUPP", False), ("EINVAL", False), ("ENOSPC", True), ("EFBIG", True)]
)
@pytest.mark.skipif(sys.platform != "linux", reason="Linux' call")
def test_setting_aside_fails(place: Place, monkeypatch: pytest.MonkeyPatch, code: str, fails: bool) -> None:
    """A file system that cannot is none that is full."""
    partial = Partial.begin(place, NAME, ONE)
    library = SimpleNamespace(fallocate=lambda *_: -1)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: library)
    monkeypatch.setattr(ctypes, "get_errno", lambda: getattr(errno, code))
    if fails:
        with pytest.raises(OSError, match=os.strerror(getattr(errno, code))):
            partial.reserve(ROOM)
    else:
        partial.reserve(ROOM)
    partial.remove()


# ── the front ──


@given(st.permutations(range(8)), st.integers(500, 9000))
def test_front_hashes_in_order(order: list[int], step: int) -> None:
    """Law: in whatever order ranges are written, the digest is that of the file."""
    with tempfile.TemporaryDirectory() as folder, Place(Path(folder)) as place:
        partial = Partial.begin(place, NAME, ONE)
        front = Front(partial, Hasher({"sha256"}), QUICK)
        size = -(-len(DATA) // 8)
        for number in order:
            start, stop = number * size, min((number + 1) * size, len(DATA))
            for at in range(start, stop, step):
                end = min(at + step, stop)
                partial.write(at, DATA[at:end])
                front.grow(start, end)
        assert front.reach == len(DATA)
        assert front.finish().sha256() == sha256(DATA)
        partial.remove()


def test_front_keeps_islands(place: Place) -> None:
    """What lies behind gaps is written down, neighbours as one, and known again by its digest."""
    partial = Partial.begin(place, NAME, ONE)
    front = Front(partial, Hasher({"sha256"}), QUICK)
    partial.write(0, DATA)
    partial.note(size=len(DATA), validator='"1"', modified=None)
    for start, end in ((0, 1000), (9000, 10_000), (5000, 6000), (6000, 7000)):
        front.grow(start, end)
    gaps = [(1000, 5000), (7000, 9000), (10_000, len(DATA))]
    assert front.gaps(len(DATA)) == gaps
    front.stop()
    partial.release()

    again = Partial.begin(place, NAME, ONE)
    assert (again.journal.done, again.journal.held, again.size()) == (1000, 4000, 10_000)
    front = Front(again, Hasher({"sha256"}), QUICK)
    assert front.gaps(len(DATA)) == gaps
    for start, end in gaps:
        again.write(start, DATA[start:end])
        front.grow(start, end)
    assert front.gaps(len(DATA)) == []
    assert front.finish().sha256() == sha256(DATA)
    again.remove()


def test_file_shorter_than_its_pieces(place: Place, tmp_path: Path) -> None:
    """A partial that was cut keeps what is still there."""
    partial = Partial.begin(place, NAME, ONE)
    partial.write(0, DATA[:9000])
    pieces = [(start, end, sha256(DATA[start:end]).hex) for start, end in ((2000, 3000), (5000, 9000))]
    partial.checkpoint(((1000, sha256(DATA[:1000]).hex),), tuple(pieces))
    partial.release()
    os.truncate(tmp_path / partial.name, 6000)
    again = Partial.begin(place, NAME, ONE)
    assert (again.journal.done, again.journal.pieces) == (1000, (pieces[0],))
    again.remove()


def test_front_drops_islands(place: Place) -> None:
    """What lies behind a gap is fetched again."""
    partial = Partial.begin(place, NAME, ONE)
    front = Front(partial, Hasher({"sha256"}), QUICK)
    partial.write(0, DATA)
    front.grow(0, 1000)
    front.grow(1000, 2000)
    front.grow(5000, 6000)
    assert front.drop_islands() == 2000
    front.grow(2000, len(DATA))
    assert front.finish().sha256() == sha256(DATA)
    partial.remove()


def test_front_finds_rot(place: Place, tmp_path: Path) -> None:
    """Bytes that are not what the journal says are good only up to the mark before."""
    partial = Partial.begin(place, NAME, ONE)
    partial.write(0, DATA)
    marks = tuple((end, sha256(DATA[:end]).hex) for end in (10_000, 20_000, 30_000))
    partial.checkpoint(marks)
    partial.write(25_000, b"rot")
    front = Front(partial, Hasher({"sha256"}), QUICK)
    with pytest.raises(Damaged) as caught:
        front.finish()
    assert caught.value.good == 20_000
    front.discard()
    partial.remove()


@pytest.mark.parametrize(("size", "threads"), [(100, 0), (5 << 20, 1)])
def test_front_takes_a_thread_where_it_is_worth_one(place: Place, size: int, threads: int) -> None:
    """A small file is hashed by whoever waits for it, a big one while it comes."""
    partial = Partial.begin(place, NAME, ONE)
    partial.write(0, data := bytes(size))
    before = hashing()
    front = Front(partial, Hasher({"sha256"}), Limits())
    front.grow(0, size)
    assert hashing() - before == threads
    assert front.finish().sha256() == sha256(data)
    partial.remove()


def hashing() -> int:
    """How many threads hash."""
    return sum(thread.name == "comfywatchman-hash" for thread in threading.enumerate())


class SlowHasher(Hasher):
    """A processor that has much else to do; counts what it got done."""

    count = 0

    def update(self, chunk: Any) -> SlowHasher:
        time.sleep(0.02)
        self.count += len(chunk)
        super().update(chunk)
        return self


def test_front_that_lags(place: Place) -> None:
    """Who runs far ahead of the hashing waits for it, but not for all of it."""
    data = bytes(24 << 20)
    partial = Partial.begin(place, NAME, ONE)
    partial.write(0, data)
    front = Front(partial, hasher := SlowHasher({"sha256"}), Limits())
    front.grow(0, len(data))
    front.let_catch_up()
    assert 8 << 20 <= hasher.count < 24 << 20
    assert front.finish().sha256() == sha256(data)
    partial.remove()


def test_front_stopped_while_it_lags(place: Place) -> None:
    """Stopping waits for no big partial to be hashed again; what the run before knew and what is new stay."""
    data = random.Random(1).randbytes(96 << 20)
    partial = Partial.begin(place, NAME, ONE)
    partial.write(0, data)
    marks = tuple((end, sha256(data[:end]).hex) for end in (32 << 20, 64 << 20))
    partial.checkpoint(marks)
    front = Front(partial, SlowHasher({"sha256"}), Limits())
    front.grow(64 << 20, 80 << 20)
    front.grow(90 << 20, 96 << 20)
    time.sleep(0.2)
    began = time.monotonic()
    front.stop()
    assert time.monotonic() - began < 1.0
    partial.release()

    again = Partial.begin(place, NAME, ONE)
    assert set(marks) < set(again.journal.marks)
    assert [piece[:2] for piece in again.journal.pieces] == [(64 << 20, 80 << 20), (90 << 20, 96 << 20)]
    front = Front(again, Hasher({"sha256"}), Limits())
    assert front.gaps(len(data)) == [(80 << 20, 90 << 20)]
    front.grow(80 << 20, 90 << 20)
    assert front.finish().sha256() == sha256(data)
    again.remove()


class Halt:
    """Somebody who waits no more when asked for the third time."""

    count = 0

    def __call__(self) -> None:
        self.count += 1
        if self.count == 3:
            raise Interrupted("stopped")


@pytest.mark.parametrize("waits", [Front.let_catch_up, Front.finish])
def test_front_that_nobody_waits_for(place: Place, waits: Callable[[Front], object]) -> None:
    """Whoever waits for the hashing is let go when the transfer is to stop; what was hashed is kept."""
    data = bytes(40 << 20)
    partial = Partial.begin(place, NAME, ONE)
    partial.write(0, data)
    front = Front(partial, hasher := SlowHasher({"sha256"}), Limits(), check=Halt())
    front.grow(0, len(data))
    with pytest.raises(Interrupted):
        waits(front)
    assert hasher.count < len(data)
    front.stop()
    assert partial.journal.held == len(data)
    partial.remove()


def test_look_that_nobody_waits_for(place: Place, tmp_path: Path) -> None:
    """To hash what lies under a file's name may take minutes, and stops when the transfer does."""
    (tmp_path / NAME).write_bytes(data := bytes(5 << 20))
    found = source("https://example.com/m", data)
    with pytest.raises(Interrupted):
        find_same(place, NAME, found, check=Halt())
    assert find_same(place, NAME, found) == NAME


def test_front_that_broke_lets_nobody_wait(place: Place) -> None:
    """Where hashing has ended with a fault there is nothing to wait for."""
    partial = Partial.begin(place, NAME, ONE)
    partial.write(0, b"short")
    front = Front(partial, Hasher({"sha256"}), Limits())
    front.grow(0, 64 << 20)
    front.let_catch_up()
    with pytest.raises(Damaged):
        front.grow(0, 65 << 20)
    front.discard()
    partial.remove()


def test_front_of_a_file_cut_from_outside(place: Place) -> None:
    """Bytes that vanish while they are hashed are no digest."""
    partial = Partial.begin(place, NAME, ONE)
    front = Front(partial, Hasher({"sha256"}), QUICK)
    front.grow(0, 100)
    with pytest.raises(Damaged):
        front.finish()
    partial.remove()


# ── the folder ──


@pytest.mark.parametrize("path", ["../x.pt", "/x.pt", "a/../../x.pt", "C:x.pt", "a:b.pt", "con/x.pt"])
def test_paths_out_of_the_root(tmp_path: Path, path: str) -> None:
    """No path leaves its root, and nothing is made on the way."""
    with pytest.raises(UnsafePath):
        Place.below(str(tmp_path / "root"), path)
    assert list(tmp_path.iterdir()) == []


def test_links_below_a_root(tmp_path: Path) -> None:
    """A link is followed inside the root or to a known one, not elsewhere."""
    root, other = tmp_path / "root", tmp_path / "other"
    (root / "real").mkdir(parents=True)
    other.mkdir()
    (root / "inside").symlink_to("real")
    (root / "outside").symlink_to(other)
    (root / "dangling").symlink_to(tmp_path / "nowhere")
    (root / "loop").symlink_to("loop")
    Place.below(str(root), "inside/deep/x.pt")[0].close()
    assert (root / "real" / "deep").is_dir()
    with pytest.raises(Refused):
        Place.below(str(root), "outside/x.pt")
    with pytest.raises((Refused, NotWritable)):
        Place.below(str(root), "dangling/x.pt")
    with pytest.raises((Refused, NotWritable)):
        Place.below(str(root), "loop/x.pt")
    Place.below(str(root), "outside/x.pt", roots=(str(other),))[0].close()
    assert list(other.iterdir()) == []


def test_a_root_that_is_a_link(tmp_path: Path) -> None:
    """The user's own link for a root is the user's choice."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "models").symlink_to("disk")
    place, name = Place.below(str(tmp_path / "models"), "loras/x.pt")
    with place:
        os.close(place.create(name))
    assert (tmp_path / "disk" / "loras" / "x.pt").exists()


def test_folder_swapped_for_a_link(tmp_path: Path) -> None:
    """A folder that is swapped while it is held open stays the one that was checked."""
    root = tmp_path / "root"
    place, name = Place.below(str(root), "loras/x.pt")
    (tmp_path / "elsewhere").mkdir()
    (root / "loras").rename(root / "was loras")
    (root / "loras").symlink_to(tmp_path / "elsewhere")
    with place:
        os.close(place.create(name))
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (root / "was loras" / "x.pt").exists()
    with pytest.raises(OSError, match=r".*"):
        Place(root / "loras")


def test_create_follows_no_link(place: Place, tmp_path: Path) -> None:
    """A link in the place of a new file is not written through."""
    (tmp_path / "x").symlink_to("target")
    with pytest.raises(FileExistsError):
        place.create("x")
    with pytest.raises(OSError, match=r".*"):
        place.open("x", os.O_RDWR)
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("ENOSPC", NoSpace),
        ("EDQUOT", NoSpace),
        ("EFBIG", NoSpace),
        ("EACCES", NotWritable),
        ("EROFS", NotWritable),
        ("EIO", NotWritable),
        ("EBUSY", Interrupted),
    ],
)
def test_disk_errors(number: str, kind: type[Exception]) -> None:
    """Full is one thing, forbidden or broken another, held by others a third; all name the place."""
    code = getattr(errno, number)
    fault = disk_error(OSError(code, os.strerror(code)), "/models/x")
    assert type(fault) is kind
    assert "/models/x" in fault.message


def test_whole_files(place: Place) -> None:
    """Small files are replaced at once, and read with a limit."""
    place.write_whole("j", b"one", lasting=False)
    place.write_whole("j", b"two", lasting=True)
    assert place.read_whole("j", limit=2) == b"tw"
    assert place.read_whole("none", limit=2) is None
    assert names(place) == ["j"]


def test_threads_write_in_their_places(place: Place) -> None:
    """Writers of different ranges do not disturb one another."""
    partial = Partial.begin(place, NAME, ONE)
    threads = [
        threading.Thread(target=partial.write, args=(at, DATA[at : at + 1000]))
        for at in range(0, len(DATA), 1000)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert partial.read(0, len(DATA) + 1) == DATA
    partial.remove()
