"""Many transfers: what they end as, under which names, and who waits for whom."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transfer import faults
from transfer.faults import Behaviour, Exchange, FaultServer, cut_at, good, status, then
from transfer.models import LANES, NAME, QUICK, guard_for, no_token, safetensors, sha256, transfer

from comfywatchman import errors
from comfywatchman.air import Air
from comfywatchman.catalog import Verification
from comfywatchman.digest import Digest
from comfywatchman.hasher import Hasher
from comfywatchman.plan import Transfer
from comfywatchman.transfer.crew import Crew
from comfywatchman.transfer.events import Outcome, Progress, State
from comfywatchman.transfer.http import Client
from comfywatchman.transfer.limits import Limits
from comfywatchman.transfer.preflight import preflight
from comfywatchman.transfer.queue import run

DATA = safetensors(60_000)
NEW = safetensors(60_000, seed=2)
AIR = Air(ecosystem="sdxl", type="lora", source="civitai", id="1", version="123")


def go(server: FaultServer, *transfers: Transfer, limits: Limits = QUICK, **more: Any) -> list[Outcome]:
    return run(transfers, authorize=no_token, limits=limits, guard=guard_for(server.origin), **more)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def only(algorithm: Any, data: bytes) -> tuple[Digest, ...]:
    return Hasher({algorithm}).update(data).digests()


# ── verification ──


@pytest.mark.parametrize(
    ("digests", "size", "level"),
    [
        ((sha256(DATA),), len(DATA), Verification.DIGEST),
        (only("blake3", DATA), len(DATA), Verification.DIGEST),
        ((sha256(DATA),), None, Verification.DIGEST),
        (only("autov2", DATA), len(DATA), Verification.SIZE),
        (only("crc32", DATA), len(DATA), Verification.SIZE),
        (only("autov3", DATA), None, Verification.STRUCTURE),
        ((), len(DATA), Verification.SIZE),
        ((), None, Verification.STRUCTURE),
    ],
)
def test_levels(
    server: FaultServer, tmp_path: Path, digests: tuple[Digest, ...], size: int | None, level: Verification
) -> None:
    """A file counts as verified only against what identifies it; the rest is said as what it is."""
    url = server.put("/m", DATA)
    (outcome,) = go(server, transfer(tmp_path, url, DATA, digests=digests, size=size))
    assert (outcome.state, outcome.verification) == (State.VERIFIED, level)
    assert sha256(DATA) in outcome.digests
    assert outcome.size == len(DATA)


def test_opaque_file(server: FaultServer, tmp_path: Path) -> None:
    """Nothing is claimed about a file that nothing is known of."""
    data = b"\x80\x02]q\x00." * 10
    url = server.put("/m", data, faults.chunked)
    (outcome,) = go(server, transfer(tmp_path, url, data, path="a.pt", name="a.pt", digests=(), size=None))
    assert (outcome.state, outcome.verification) == (State.VERIFIED, Verification.NONE)


@pytest.mark.parametrize(
    "digests", [only("autov2", NEW), only("crc32", NEW), (sha256(NEW),), only("blake3", NEW)]
)
def test_mismatch_is_set_aside(server: FaultServer, tmp_path: Path, digests: tuple[Digest, ...]) -> None:
    """Bytes that contradict any published digest are kept apart, once, under no loader's extension."""
    url = server.put("/m", DATA)
    for _ in range(2):
        (outcome,) = go(server, transfer(tmp_path, url, DATA, digests=digests))
        assert isinstance(outcome.error, errors.DigestMismatch)
        assert sha256(DATA).hex in outcome.error.message
    assert names(tmp_path) == [f"{NAME}.mismatch-{sha256(DATA).hex[:8]}"]


@pytest.mark.parametrize("cut", [100, 30_000, len(DATA) - 1])
def test_unmeasured_and_cut(server: FaultServer, tmp_path: Path, cut: int) -> None:
    """A body without length that ends early looks complete to HTTP; its structure tells."""
    url = server.put("/m", DATA, cut_at(cut, length=False))
    (outcome,) = go(server, transfer(tmp_path, url, DATA, digests=(), size=None))
    assert isinstance(outcome.error, errors.NotAModel)
    assert names(tmp_path) == []


def test_wrong_magic(server: FaultServer, tmp_path: Path) -> None:
    """A pickle under a safetensors name is refused before it is written."""
    data = b"\x80\x02" + bytes(5000)
    url = server.put("/m", data)
    (outcome,) = go(server, transfer(tmp_path, url, data))
    assert isinstance(outcome.error, errors.NotAModel)
    assert names(tmp_path) == []


def test_too_large(server: FaultServer, tmp_path: Path) -> None:
    """The cap holds for announced and for unannounced sizes."""
    limits = replace(QUICK, largest=10_000)
    for behave in (good, faults.unmeasured, faults.endless):
        url = server.put("/m", DATA, behave)
        (outcome,) = go(server, transfer(tmp_path, url, DATA, size=None), limits=limits)
        assert isinstance(outcome.error, errors.Refused), outcome
    assert names(tmp_path) == []


# ── names ──


def test_already_here(server: FaultServer, tmp_path: Path) -> None:
    """The same content under the same name is not fetched again."""
    (tmp_path / NAME).write_bytes(DATA)
    (outcome,) = go(server, transfer(tmp_path, server.put("/m", DATA), DATA))
    assert (outcome.state, outcome.verification) == (State.SKIPPED, Verification.DIGEST)
    assert server.seen == []


def test_already_here_by_link(server: FaultServer, tmp_path: Path) -> None:
    """A link that leads to the same content counts, one that does not is not replaced."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "store").write_bytes(DATA)
    (root / NAME).symlink_to(tmp_path / "store")
    assert go(server, transfer(root, server.put("/m", DATA), DATA))[0].state is State.SKIPPED
    outcome = go(server, transfer(root, server.put("/m", NEW), NEW))[0]
    assert outcome.path == f"ink (web-{sha256(NEW).hex[:8]}).safetensors"
    (root / NAME).unlink()
    (root / NAME).symlink_to("nowhere")
    assert go(server, transfer(root, server.put("/m", DATA), DATA))[0].path != NAME
    assert (tmp_path / "store").read_bytes() == DATA


@pytest.mark.parametrize(
    ("changes", "second"),
    [
        ({"air": AIR}, "ink (civitai-123).safetensors"),
        ({"hub": "huggingface"}, f"ink (hf-{sha256(NEW).hex[:8]}).safetensors"),
        ({"hub": "web"}, f"ink (web-{sha256(NEW).hex[:8]}).safetensors"),
    ],
)
def test_name_taken(server: FaultServer, tmp_path: Path, changes: dict[str, Any], second: str) -> None:
    """Other content keeps its name; ours gets a second one that is the same every time."""
    (tmp_path / NAME).write_bytes(DATA)
    url = server.put("/m", NEW)
    first = go(server, transfer(tmp_path, url, NEW, **changes))[0]
    again = go(server, transfer(tmp_path, url, NEW, **changes))[0]
    unknown = go(server, transfer(tmp_path, url, NEW, **changes, digests=()))[0]
    assert (first.state, first.path) == (State.VERIFIED, second)
    assert (again.state, again.path) == (State.SKIPPED, second)
    assert (unknown.state, unknown.path) == (State.SKIPPED, second)
    assert (tmp_path / NAME).read_bytes() == DATA
    assert names(tmp_path) == [second, NAME]


def test_second_name_taken_too(server: FaultServer, tmp_path: Path) -> None:
    """Several files of one version with one name all find a place, until none is left."""
    third = f"ink (civitai-{sha256(NEW).hex[:8]}).safetensors"
    for name in (NAME, "ink (civitai-123).safetensors"):
        (tmp_path / name).write_bytes(b"another")
    moved = transfer(tmp_path, server.put("/m", NEW), NEW, air=AIR, hub="civitai")
    assert go(server, moved)[0].path == third
    (tmp_path / third).write_bytes(b"another")
    outcome = go(server, moved)[0]
    assert isinstance(outcome.error, errors.NotWritable)


def test_eight_contents_one_name(server: FaultServer, tmp_path: Path) -> None:
    """Transfers that race for one name each get one, and none is lost."""
    contents = [safetensors(20_000, seed=n) for n in range(8)]
    moved = [transfer(tmp_path, server.put(f"/{n}", data), data) for n, data in enumerate(contents)]
    outcomes = go(server, *moved, limits=replace(QUICK, together=8))
    assert {outcome.state for outcome in outcomes} == {State.VERIFIED}
    assert sorted((tmp_path / outcome.path).read_bytes() for outcome in outcomes) == sorted(contents)
    assert len(names(tmp_path)) == 8


def test_one_file_eight_times(server: FaultServer, tmp_path: Path) -> None:
    """Transfers of the same file at once leave it once."""
    moved = [transfer(tmp_path, server.put("/m", DATA), DATA)] * 8
    outcomes = go(server, *moved, limits=replace(QUICK, together=8))
    assert sorted(outcome.state for outcome in outcomes).count(State.VERIFIED) == 1
    assert {outcome.path for outcome in outcomes} == {NAME}
    assert names(tmp_path) == [NAME]


@pytest.mark.parametrize(
    "path", ["../x.safetensors", "CON.safetensors", "a:b.safetensors", "/etc/x.safetensors"]
)
def test_unsafe_target(server: FaultServer, tmp_path: Path, path: str) -> None:
    """A plan that somebody changed gets nothing written outside, and asks nothing."""
    root = tmp_path / "root"
    (outcome,) = go(server, transfer(root, server.put("/m", DATA), DATA, path=path))
    assert isinstance(outcome.error, errors.UnsafePath)
    assert server.seen == []
    assert names(tmp_path) == []


# ── the queue ──


def test_outcomes_in_order(server: FaultServer, tmp_path: Path) -> None:
    """One outcome each, in the order asked, whatever the others do."""
    moved = [
        transfer(
            tmp_path, server.put(f"/{n}", DATA, status(404) if n % 3 else good), DATA, path=f"{n}/{NAME}"
        )
        for n in range(9)
    ]
    outcomes = go(server, *moved)
    assert [outcome.transfer for outcome in outcomes] == moved
    assert [outcome.state for outcome in outcomes] == [
        State.FAILED if n % 3 else State.VERIFIED for n in range(9)
    ]
    assert outcomes[0].path == f"0/{NAME}"
    assert outcomes[1].to_dict()["error"] is not None
    assert run([], authorize=no_token) == []


def test_small_ones_do_not_wait(server: FaultServer, tmp_path: Path) -> None:
    """While big files take their time, one place is for small ones."""
    release = threading.Event()

    def slow(x: Exchange) -> None:
        release.wait(5)
        good(x)

    def small_done(progress: Progress) -> None:
        if progress.state is State.VERIFIED and progress.transfer.path == "small.safetensors":
            release.set()

    big = safetensors(90_000)
    moved = [
        transfer(tmp_path, server.put(f"/{n}", big, slow), big, path=f"{n}.safetensors") for n in range(3)
    ]
    moved.append(transfer(tmp_path, server.put("/s", DATA), DATA, path="small.safetensors"))
    began = time.monotonic()
    outcomes = go(
        server, *moved, limits=replace(QUICK, together=2, small=70_000, stall=6), listener=small_done
    )
    assert {outcome.state for outcome in outcomes} == {State.VERIFIED}
    assert time.monotonic() - began < 4


def test_a_resting_host_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    """Retry-After of one host holds its own files, and only those."""
    with FaultServer() as busy, FaultServer("127.0.0.2") as free:
        moved = [
            transfer(
                tmp_path,
                busy.put(f"/{n}", DATA, then(status(429, b"", ("Retry-After", "0.3")), good)),
                DATA,
                path=f"b{n}.safetensors",
            )
            for n in range(3)
        ]
        moved += [
            transfer(tmp_path, free.put(f"/{n}", DATA), DATA, path=f"f{n}.safetensors") for n in range(3)
        ]
        ended: list[str] = []
        notes: list[str] = []

        def listen(progress: Progress) -> None:
            notes.append(progress.note)
            if progress.state is State.VERIFIED:
                ended.append(progress.transfer.path)

        outcomes = run(
            moved,
            authorize=no_token,
            limits=replace(QUICK, together=1),
            guard=guard_for(busy.origin, free.origin),
            listener=listen,
        )
    assert {outcome.state for outcome in outcomes} == {State.VERIFIED}
    assert [path[0] for path in ended[:3]] == ["f", "f", "f"]
    assert any(note.startswith("tries again in 0 s") for note in notes)


def test_patience_has_an_end(server: FaultServer, tmp_path: Path) -> None:
    """A host that wants a day is not waited for; the error says how long it wants."""
    url = server.put("/m", DATA, status(503, b"", ("Retry-After", "86400")))
    (outcome,) = go(server, transfer(tmp_path, url, DATA))
    assert isinstance(outcome.error, errors.HubUnavailable)
    assert outcome.error.retry_after == 86400
    assert len(server.seen) == 1


def test_progress(server: FaultServer, tmp_path: Path) -> None:
    """The listener hears of a start, of bytes that only grow, and of the end."""
    heard: list[Progress] = []
    url = server.put("/m", DATA)
    go(server, transfer(tmp_path, url, DATA), limits=replace(QUICK, **LANES), listener=heard.append)
    assert heard[0].state is State.RUNNING
    assert heard[-1] == replace(heard[-1], state=State.VERIFIED, done=len(DATA), size=len(DATA))
    done = [progress.done for progress in heard]
    assert done == sorted(done)


def test_listener_that_breaks(server: FaultServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A broken progress bar stands in the log and stops nothing."""

    def listen(progress: Progress) -> None:
        raise ZeroDivisionError

    url = server.put("/m", DATA)
    (outcome,) = go(server, transfer(tmp_path, url, DATA), limits=replace(QUICK, **LANES), listener=listen)
    assert outcome.state is State.VERIFIED
    assert "ZeroDivisionError" in caplog.text


def test_fault_of_ours(server: FaultServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A bug ends one transfer with a word and stands in the log with its traceback; the others go on."""

    def authorize(url: str) -> dict[str, str]:
        if url.endswith("/1"):
            raise ZeroDivisionError
        return {}

    moved = [transfer(tmp_path, server.put(f"/{n}", DATA), DATA, path=f"{n}.safetensors") for n in range(3)]
    outcomes = run(moved, authorize=authorize, limits=QUICK, guard=guard_for(server.origin))
    assert [outcome.state for outcome in outcomes] == [State.VERIFIED, State.FAILED, State.VERIFIED]
    assert type(outcomes[1].error) is errors.WatchmanError
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("calls", [2, 4])
def test_fault_of_ours_in_a_lane(
    server: FaultServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, calls: int
) -> None:
    """The same on a lane's own thread: nothing is lost in silence."""
    asked: list[str] = []

    def authorize(url: str) -> dict[str, str]:
        asked.append(url)
        if len(asked) == calls:
            raise ZeroDivisionError
        return {}

    moved = transfer(tmp_path, server.put("/m", DATA), DATA)
    (outcome,) = run(
        [moved], authorize=authorize, limits=replace(QUICK, **LANES), guard=guard_for(server.origin)
    )
    assert "ZeroDivisionError" in caplog.text
    assert outcome.state is State.FAILED
    assert go(server, moved)[0].state is State.VERIFIED


@pytest.mark.parametrize("lanes", [False, True], ids=["stream", "lanes"])
@pytest.mark.parametrize("behave", [faults.stall_at(10_000, 9), faults.silent(9)], ids=["stalled", "silent"])
def test_stop(server: FaultServer, tmp_path: Path, lanes: bool, behave: Behaviour) -> None:
    """Stopping wakes whoever waits for bytes, leaves what can be resumed, and starts nothing more."""
    limits = replace(QUICK, stall=30, together=1, **(LANES if lanes else {}))
    stop = threading.Event()
    moved = [
        transfer(tmp_path, server.put(f"/{n}", DATA, behave), DATA, path=f"{n}.safetensors") for n in range(3)
    ]
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    began = time.monotonic()
    outcomes = go(server, *moved, limits=limits, stop=stop)
    timer.join()
    assert time.monotonic() - began < 3
    assert {outcome.state for outcome in outcomes} == {State.CANCELLED}
    assert {type(outcome.error) for outcome in outcomes} == {errors.Interrupted}
    for n in range(3):
        server.put(f"/{n}", DATA)
    assert {outcome.state for outcome in go(server, *moved)} == {State.VERIFIED}
    assert names(tmp_path) == [f"{n}.safetensors" for n in range(3)]


def test_keyboard_interrupt(server: FaultServer, tmp_path: Path) -> None:
    """Ctrl-C leaves a partial and is raised again, once all workers have put their things away."""
    url = server.put("/m", DATA, faults.stall_at(30_000, 9))
    states: list[State] = []

    def slow(progress: Progress) -> None:
        if progress.state is State.CANCELLED:
            time.sleep(0.3)
        states.append(progress.state)

    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        go(server, transfer(tmp_path, url, DATA), limits=replace(QUICK, stall=30), listener=slow)
    assert states[-1] is State.CANCELLED
    timer.join()
    assert len(list(tmp_path.glob("*.cwjournal"))) == 1


def test_two_runs_at_once(server: FaultServer, tmp_path: Path) -> None:
    """Two runs for one file never write one partial; the second says it is there."""
    moved = transfer(tmp_path, server.put("/m", DATA), DATA)
    found: list[Outcome] = []
    threads = [threading.Thread(target=lambda: found.extend(go(server, moved))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.state for outcome in found).count(State.VERIFIED) == 1
    assert names(tmp_path) == [NAME]


# ── file systems without links ──


def _no_link(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "no links here")


@pytest.mark.parametrize("kernel", ["renameat2", "none", "refuses", "breaks"])
def test_no_links(server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: str) -> None:
    """Where there are no hard links nothing is replaced either."""
    monkeypatch.setattr(os, "link", _no_link)
    codes = {"refuses": errno.EINVAL, "breaks": errno.EIO}
    if kernel == "none":
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    elif kernel in codes:
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(renameat2=lambda *_: -1))
        monkeypatch.setattr(ctypes, "get_errno", lambda: codes[kernel])
    (tmp_path / NAME).write_bytes(DATA)
    outcome = go(server, transfer(tmp_path, server.put("/m", NEW), NEW))[0]
    assert (tmp_path / NAME).read_bytes() == DATA
    if kernel == "breaks":
        assert isinstance(outcome.error, errors.NotWritable)
    else:
        assert (outcome.state, outcome.weak_publish) == (State.VERIFIED, kernel in ("none", "refuses"))
        assert (tmp_path / outcome.path).read_bytes() == NEW
        assert len(names(tmp_path)) == 2


def test_links_that_fail(server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another error of link is not taken for their absence; the bytes are kept."""

    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "link", fails)
    moved = transfer(tmp_path, server.put("/m", DATA), DATA)
    assert isinstance(go(server, moved)[0].error, errors.NotWritable)
    monkeypatch.undo()
    server.seen.clear()
    assert go(server, moved)[0].state is State.VERIFIED
    assert server.seen == []


def test_partial_taken_away(server: FaultServer, tmp_path: Path) -> None:
    """A partial that somebody removes or links to is not published, and nothing of it stays."""

    def meddle(x: Exchange) -> None:
        (part,) = tmp_path.glob("*.cwpart")
        part.unlink()
        good(x)

    (outcome,) = go(server, transfer(tmp_path, server.put("/m", DATA, meddle), DATA))
    assert isinstance(outcome.error, errors.NotWritable)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("reserve_from", "sent"), [(0, False), (1 << 30, True)], ids=["set aside", "control"]
)
def test_disk_that_is_full(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reserve_from: int, sent: bool
) -> None:
    """A disk with too little room is told before a byte is written; without setting aside it is not seen."""
    real = os.fstatvfs

    def full(fd: int) -> os.statvfs_result:
        told = list(real(fd))
        told[4] = 1  # f_bavail
        return os.statvfs_result(told)

    monkeypatch.setattr(os, "fstatvfs", full)
    moved = transfer(tmp_path, server.put("/m", DATA), DATA)
    (outcome,) = go(server, moved, limits=replace(QUICK, reserve_from=reserve_from))
    assert isinstance(outcome.error, errors.NoSpace) is not sent
    assert names(tmp_path) == ([NAME] if sent else [])


class _BrokenFeed:
    """A feed with a fault, in one of its verbs."""

    def __init__(self, moved: Transfer, verb: str) -> None:
        self._left, self._verb = [moved], verb

    def claim(self, *, resting: Collection[str], small: int) -> tuple[str, Transfer] | None:
        self._break("claim")
        return ("1", self._left.pop()) if self._left else None

    def end(self, key: str, outcome: Outcome) -> None:
        self._break("end")

    def is_over(self) -> bool:
        self._break("is_over")
        return not self._left

    def _break(self, verb: str) -> None:
        if verb == self._verb:
            raise RuntimeError(verb)


@pytest.mark.parametrize("verb", ["claim", "end", "is_over"])
def test_fault_of_the_feed(server: FaultServer, tmp_path: Path, verb: str) -> None:
    """A fault where the transfers come from is raised to who waits, and keeps nobody waiting."""
    stop = threading.Event()
    threading.Timer(10, stop.set).start()
    feed = _BrokenFeed(transfer(tmp_path, server.put("/m", DATA), DATA), verb)
    began = time.monotonic()
    with Client(guard=guard_for(server.origin), limits=QUICK, authorize=no_token, stop=stop) as client:
        crew = Crew(feed, client=client, limits=QUICK, stop=stop, tell=lambda _p: None, roots=())
        with pytest.raises(RuntimeError, match=verb):
            crew.work(lambda: None, hands=3)
    assert time.monotonic() - began < 5


# ── preflight ──


def test_preflight_of_a_good_plan(tmp_path: Path) -> None:
    """All well: no problem, and nothing left behind but folders."""
    moved = transfer(tmp_path / "loras", "https://example.com/m", DATA, path=f"sdxl/{NAME}")
    assert preflight([moved], limits=QUICK) == []
    assert names(tmp_path / "loras" / "sdxl") == []


def _taken(root: Path) -> None:
    (root / NAME).mkdir()


def _file_as_folder(root: Path) -> None:
    (root / "sub").write_bytes(b"")


@pytest.mark.parametrize(
    ("prepare", "path", "size", "limits", "expected"),
    [
        (None, "../x.pt", 1, {}, errors.UnsafePath),
        (None, NAME, 1 << 60, {"largest": 1 << 61, "total": 1 << 61}, errors.NoSpace),
        (None, NAME, 1, {"margin": 1 << 60}, errors.NoSpace),
        (None, NAME, 11, {"largest": 10}, errors.Refused),
        (None, NAME, 11, {"total": 10}, errors.Refused),
        (None, NAME, 11, {"files": 0}, errors.Refused),
        (_taken, NAME, 1, {}, errors.NotWritable),
        (_file_as_folder, f"sub/{NAME}", 1, {}, errors.NotWritable),
    ],
)
def test_preflight(
    tmp_path: Path,
    prepare: Callable[[Path], None] | None,
    path: str,
    size: int,
    limits: dict[str, int],
    expected: type[errors.WatchmanError],
) -> None:
    """What can be known to fail is known before the first byte."""
    if prepare:
        prepare(tmp_path)
    moved = transfer(tmp_path, "https://example.com/m", DATA, path=path, size=size)
    problems = preflight([moved], limits=replace(QUICK, **limits))
    assert [type(problem.error) for problem in problems] == [expected]
    assert problems[0].transfers == (moved,)


def test_preflight_counts_what_is_here(server: FaultServer, tmp_path: Path) -> None:
    """Bytes that a partial or the file itself already holds need no room."""
    url = server.put("/m", DATA, cut_at(40_000))
    moved = transfer(tmp_path, url, DATA)
    go(server, moved, limits=replace(QUICK, retries=0))
    assert preflight([moved], limits=QUICK) == []
    assert len(list(tmp_path.glob("*.cwpart"))) == 1
    server.put("/m", DATA)
    go(server, moved)
    assert preflight([moved], limits=replace(QUICK, margin=1 << 60)) == []


def test_preflight_clash(tmp_path: Path) -> None:
    """Two contents for what some file system takes for one name are told; the same content twice is fine."""
    one = transfer(tmp_path, "https://example.com/1", DATA, path="Ink.safetensors")
    two = transfer(tmp_path, "https://example.com/2", NEW, path="ink.safetensors")
    (problem,) = preflight([one, two], limits=QUICK)
    assert isinstance(problem.error, errors.Refused)
    assert preflight([one, replace(two, source=one.source)], limits=QUICK) == []
