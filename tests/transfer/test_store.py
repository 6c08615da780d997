"""The queue as one process uses it: verbs on what runs, what is written down, room, pace, owners."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transfer import faults
from transfer.faults import Behaviour, Exchange, FaultServer, status
from transfer.models import LANES, NAME, QUICK, guard_for, no_token, safetensors, transfer
from transfer.queueprocess import command, write_job

from comfywatchman import errors
from comfywatchman.catalog import Verification
from comfywatchman.consent import Consent
from comfywatchman.errors import WatchmanError
from comfywatchman.plan import Transfer
from comfywatchman.transfer.bandwidth import Bucket
from comfywatchman.transfer.claim import held_room
from comfywatchman.transfer.entry import (
    failure,
    make_id,
    parse_end,
    parse_transfer,
    write_end,
    write_transfer,
)
from comfywatchman.transfer.events import Listeners, Outcome, Progress, State
from comfywatchman.transfer.journal import Identity
from comfywatchman.transfer.owner import LEASE, STUCK, Owner, find_self, is_alive, parse_owner
from comfywatchman.transfer.partial import Partial
from comfywatchman.transfer.place import Place
from comfywatchman.transfer.queue import Queue
from comfywatchman.transfer.rows import FILE_NAME, open_base
from comfywatchman.transfer.store import HISTORY, Store
from comfywatchman.workflow.references import Reference

DATA = safetensors(300_000)
SMALL = safetensors(20_000)


def slowly(x: Exchange) -> None:
    """The right answer in twenty pieces over a second and more, or as long as somebody listens."""
    code, headers, body = x.meta()
    x.head(code, ("Content-Length", str(len(body))), *headers)
    for at in range(0, len(body), 1 + len(body) // 20):
        x.raw(body[at : at + 1 + len(body) // 20])
        time.sleep(0.06)


def several(server: FaultServer, root: Path) -> list[Transfer]:
    return [
        transfer(root, server.put(f"/{n}", DATA, slowly), DATA, path=f"{n}.safetensors") for n in range(3)
    ]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


class Working:
    """A run of a queue on a thread of its own."""

    def __init__(self, queue: Queue, server: FaultServer, moved: list[Transfer], **more: Any) -> None:
        self.stop = threading.Event()
        self.outcomes: list[Outcome] = []

        def go() -> None:
            self.outcomes += queue.fetch(
                moved,
                authorize=no_token,
                stop=self.stop,
                limits=replace(QUICK, stall=5.0, **more),
                guard=guard_for(server.origin),
            )

        self.thread = threading.Thread(target=go)
        self.thread.start()

    def join(self) -> list[Outcome]:
        self.thread.join(30)
        assert not self.thread.is_alive()
        return self.outcomes


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# ── verbs on what runs ──


@pytest.mark.parametrize("lanes", [{}, LANES])
def test_pause_and_resume(server: FaultServer, tmp_path: Path, lanes: dict[str, int]) -> None:
    """Paused in mid-transfer it stops and keeps what came; resumed it goes on from there."""
    root = tmp_path / "m"
    moved = [transfer(root, server.put("/m", DATA, slowly), DATA)]
    with Queue(tmp_path / "data") as queue, Queue(tmp_path / "data") as other:
        run = Working(queue, server, moved, **lanes)
        until(lambda: any(e.done for e in other.entries()))
        other.pause()
        (outcome,) = run.join()
        assert (outcome.state, outcome.error and outcome.error.code) == (State.CANCELLED, "interrupted")
        (entry,) = other.entries()
        assert entry.state is State.PAUSED
        assert [name for name in names(root) if name.endswith(".cwpart")]
        other.resume()
        server.put("/m", DATA)
        server.seen.clear()
        (outcome,) = Working(queue, server, moved).join()
    assert outcome.state is State.VERIFIED
    assert int(server.seen[0].headers["range"][6:].split("-")[0]) > 0


@pytest.mark.parametrize("lanes", [{}, LANES], ids=["stream", "lanes"])
@pytest.mark.parametrize("behave", [faults.stall_at(10_000, 6), faults.silent(6)], ids=["stalled", "silent"])
def test_pause_on_a_silent_line(
    server: FaultServer, tmp_path: Path, behave: Behaviour, lanes: dict[str, int]
) -> None:
    """A line on which nothing comes is broken off soon, and only that one."""
    root = tmp_path / "m"
    quiet = transfer(root, server.put("/quiet", DATA, behave), DATA, path="quiet.safetensors")
    beside = several(server, root)
    if lanes:  # whose many small answers would each take their time
        beside = [transfer(root, server.put(f"/{n}", DATA), DATA, path=f"{n}.safetensors") for n in range(3)]
    ended: list[str] = []

    def listen(progress: Progress) -> None:
        if progress.state is State.CANCELLED:
            ended.append(progress.transfer.path)

    with Queue(tmp_path / "data") as queue:
        queue.listen(listen)
        run = Working(queue, server, [quiet, *beside], **lanes)
        until(lambda: any(seen.path == "/quiet" for seen in server.seen))
        time.sleep(0.1)
        began = time.monotonic()
        queue.pause([make_id(quiet)])
        until(lambda: ended)
        took = time.monotonic() - began
        states = [outcome.state for outcome in run.join()]
    assert states == [State.CANCELLED, *[State.VERIFIED] * 3]
    assert took < 2  # less than a second on a quiet machine; without breaking off it were five
    assert set(ended) == {quiet.path}
    ranges = [(seen.path, seen.headers.get("range")) for seen in server.seen if seen.path != "/quiet"]
    assert len(ranges) == len(set(ranges))  # nobody else's line was broken


def test_paused_and_resumed_at_once(server: FaultServer, tmp_path: Path) -> None:
    """A pause that is taken back before anybody noticed changes nothing."""
    moved = [transfer(tmp_path / "m", server.put("/m", DATA, slowly), DATA)]
    with Queue(tmp_path / "data") as queue:
        run = Working(queue, server, moved)
        until(lambda: server.seen)
        queue.pause()
        queue.resume()
        assert run.join()[0].state is State.VERIFIED
    assert len(server.seen) <= 2


def test_resumed_while_it_stops(server: FaultServer, tmp_path: Path) -> None:
    """One that is resumed while it is still being stopped is carried out after all."""
    moved = [transfer(tmp_path / "m", server.put("/m", DATA, slowly), DATA)]
    with Queue(tmp_path / "data") as queue:
        run = Working(
            queue, server, [*moved, transfer(tmp_path / "m", server.put("/n", DATA, slowly), DATA, path="n")]
        )
        until(lambda: server.seen)
        ids = [make_id(moved[0])]
        queue.pause(ids)
        time.sleep(0.7)
        queue.resume(ids)
        states = [o.state for o in run.join()]
    assert states[0] in (State.VERIFIED, State.SKIPPED)


def test_cancel(server: FaultServer, tmp_path: Path) -> None:
    """Cancelled, nothing of it is left; retried, it is brought after all."""
    root = tmp_path / "m"
    moved = [
        transfer(root, server.put(f"/{n}", DATA, slowly), DATA, path=f"{n}.safetensors") for n in range(3)
    ]
    with Queue(tmp_path / "data", roots=(str(root),)) as queue:
        run = Working(queue, server, moved, together=1)
        until(lambda: any(e.done for e in queue.entries()))
        queue.cancel()
        assert [o.state for o in run.join()] == [State.CANCELLED] * 3
        assert names(root) == []
        assert {e.state for e in queue.entries()} == {State.CANCELLED}
        for n in range(3):
            server.put(f"/{n}", DATA)
        queue.retry()
        queue.work(authorize=no_token, limits=QUICK, guard=guard_for(server.origin))
        assert {e.state for e in queue.entries()} == {State.VERIFIED}
        queue.remove()
        assert queue.entries() == []
    assert names(root) == [f"{n}.safetensors" for n in range(3)]


def test_cancel_what_waits(server: FaultServer, tmp_path: Path) -> None:
    """What an earlier run left behind goes with the entry, also where no process has it in hand."""
    root = tmp_path / "m"
    moved = [transfer(root, server.put("/m", DATA, slowly), DATA)]
    with Queue(tmp_path / "data", roots=(str(root),)) as queue:
        run = Working(queue, server, moved)
        until(lambda: any(e.done for e in queue.entries()))
        run.stop.set()
        assert run.join()[0].state is State.CANCELLED
        assert [e.state for e in queue.entries()] == [State.QUEUED]
        assert names(root) != []
        queue.cancel()
        assert names(root) == []
        queue.add([transfer(root, "https://example.com/x", DATA, path="never/x.safetensors")])
        queue.cancel()
        assert not (root / "never").exists()


def test_cancel_by_link(tmp_path: Path) -> None:
    """A folder that leads out of the roots gets nothing thrown away either."""
    root, away = tmp_path / "m", tmp_path / "away"
    root.mkdir()
    away.mkdir()
    (root / "x").symlink_to(away)
    (away / f"{NAME}.1f2e3d4c.cwjournal").touch()  # of no partial: it would go
    with Queue(None, roots=(str(root),)) as queue:
        queue.add([transfer(root, "https://example.com/m", DATA, path=f"x/{NAME}")])
        queue.cancel()
        assert [e.state for e in queue.entries()] == [State.CANCELLED]
    assert names(away) != []


def test_cancel_thousands(tmp_path: Path) -> None:
    """A long queue is cancelled in a blink, and what came of some of it is thrown away."""
    folder = tmp_path / "m" / "loras"
    folder.mkdir(parents=True)
    moved = [
        transfer(tmp_path / "m", f"https://example.com/{n}", b"x", path=f"loras/{n}.safetensors", size=n)
        for n in range(2000)
    ]
    seconds = []
    with Queue(tmp_path / "data", roots=(str(tmp_path / "m"),)) as queue:
        ids = queue.add(moved)
        for _ in range(3):
            for n in range(0, 2000, 400):
                (folder / f"{n}.safetensors.1f2e3d4c.cwjournal").touch()
            queue.retry()
            assert {standing.state for standing in queue.standings().values()} == {State.QUEUED}
            began = time.monotonic()
            queue.cancel()
            seconds.append(time.monotonic() - began)
            assert names(folder) == []
            assert [(e.id, e.state) for e in queue.entries()] == [(id_, State.CANCELLED) for id_ in ids]
    assert min(seconds) < 0.4


def test_cancel_outside(server: FaultServer, tmp_path: Path) -> None:
    """A row that names a folder which is no root gets nothing thrown away there."""
    root = tmp_path / "m"
    moved = [transfer(root, server.put("/m", DATA, slowly), DATA)]
    with Queue(tmp_path / "data") as queue:
        run = Working(queue, server, moved)
        until(lambda: any(e.done for e in queue.entries()))
        run.stop.set()
        run.join()
        before = names(root)
        queue.cancel()
    assert names(root) == before != []


def test_cancel_in_backoff(server: FaultServer, tmp_path: Path) -> None:
    """One that waits for its host can be stopped too, at once."""
    busy = status(503, b"", ("Retry-After", "20"))
    moved = [transfer(tmp_path / "m", server.put("/m", DATA, busy), DATA)]
    with Queue(tmp_path / "data") as queue:
        run = Working(queue, server, moved, patience=60.0)
        until(lambda: server.seen)
        began = time.monotonic()
        queue.pause()
        assert run.join()[0].state is State.CANCELLED
    assert time.monotonic() - began < 5


def test_priority_and_place(server: FaultServer, tmp_path: Path) -> None:
    """The order is by priority, then as queued, then as a person moved them."""
    moved = [transfer(tmp_path, server.put(f"/{n}", SMALL), SMALL, path=f"{n}.safetensors") for n in range(5)]
    with Queue(None, roots=(str(tmp_path),)) as queue:
        ids = queue.add(moved)
        queue.prioritize([ids[4]], 5)
        queue.place(ids[3], before=ids[1])
        queue.place(ids[0], before=None)
        queue.work(authorize=no_token, limits=replace(QUICK, together=1), guard=guard_for(server.origin))
    assert [seen.path for seen in server.seen] == ["/4", "/3", "/1", "/2", "/0"]


def test_small_ones_first(server: FaultServer, tmp_path: Path) -> None:
    """Where only one place is left, it is for a small one; a higher priority still comes first."""
    sizes = [300_000, 300_000, 20_000]
    data = [safetensors(size, seed=n) for n, size in enumerate(sizes)]
    moved = [
        transfer(tmp_path, server.put(f"/{n}", d), d, path=f"{n}.safetensors") for n, d in enumerate(data)
    ]
    with Queue(None, roots=(str(tmp_path),)) as queue:
        queue.prioritize(queue.add(moved)[1:2], 1)
        limits = replace(QUICK, together=1, small=100_000)
        queue.work(authorize=no_token, limits=limits, guard=guard_for(server.origin))
    assert [seen.path for seen in server.seen] == ["/1", "/2", "/0"]


def test_only_what_is_asked_for(server: FaultServer, tmp_path: Path) -> None:
    """What another run left queued stays queued."""
    old, new = (
        transfer(tmp_path / "m", server.put(f"/{n}", SMALL), SMALL, path=f"{n}.safetensors") for n in "on"
    )
    with Queue(tmp_path / "data") as queue:
        queue.add([old])
        (outcome,) = queue.fetch([new], authorize=no_token, limits=QUICK, guard=guard_for(server.origin))
        assert outcome.state is State.VERIFIED
        assert [e.state for e in queue.entries()] == [State.QUEUED, State.VERIFIED]
    assert [seen.path for seen in server.seen] == ["/n"]


def test_lingers(server: FaultServer, tmp_path: Path) -> None:
    """A run that lingers takes what comes later, until it is stopped."""
    stop = threading.Event()
    with Queue(tmp_path / "data", roots=(str(tmp_path / "m"),)) as queue, Queue(tmp_path / "data") as other:
        heard: list[Progress] = []
        leave = queue.listen(heard.append)
        thread = threading.Thread(
            target=lambda: queue.work(
                authorize=no_token, stop=stop, limits=QUICK, guard=guard_for(server.origin), lingers=True
            )
        )
        thread.start()
        for n in range(2):
            url = server.put(f"/{n}", SMALL)
            other.add([transfer(tmp_path / "m", url, SMALL, path=f"{n}.safetensors")])
            until(lambda: other.entries() and {e.state for e in other.entries()} == {State.VERIFIED})
        leave()
        stop.set()
        thread.join(10)
    assert [p.transfer.path for p in heard if p.state is State.VERIFIED] == ["0.safetensors", "1.safetensors"]


def test_interrupted_by_hand(server: FaultServer, tmp_path: Path) -> None:
    """KeyboardInterrupt leaves everything queued for the next time, and in nobody's hands."""
    moved = [
        transfer(tmp_path / "m", server.put(f"/{n}", DATA, slowly), DATA, path=f"{n}.safetensors")
        for n in range(3)
    ]
    script = f"""
import os, signal, sys, threading
sys.path[:0] = [{str(Path(__file__).parents[2])!r}, {str(Path(__file__).parents[1])!r}]
from transfer.queueprocess import main
threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    main("fetch", sys.argv[1])
except KeyboardInterrupt:
    sys.exit(9)
"""
    job = write_job(tmp_path / "job", tmp_path / "data", server.origin, moved)
    done = subprocess.run([sys.executable, "-c", script, str(job)], check=False, timeout=30)
    assert done.returncode == 9
    with Queue(tmp_path / "data") as queue:
        assert {e.state for e in queue.entries()} == {State.QUEUED}


# ── trust ──


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"root": "/nowhere/else"}, "is no root"),
        ({"root": ""}, "is no root"),
        ({"consent": Consent.REFUSED, "reason": "an archive"}, "an archive"),
        ({"url": "https://example.com/m?token=abc"}, "may hold a secret"),
    ],
)
def test_not_on_the_files_word(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """What stands in the file alone is refused where it may not be; nothing is asked or written."""
    one = transfer(tmp_path, change.pop("url", "https://example.com/m"), DATA)
    with Queue(None, roots=(str(tmp_path),)) as queue:
        queue.add([replace(one, **change)])
        queue.work(authorize=no_token, limits=QUICK)
        (entry,) = queue.entries()
    assert entry.state is State.FAILED
    assert entry.outcome.error is not None
    assert type(entry.outcome.error) is errors.Refused
    assert said in entry.outcome.error.message
    assert names(tmp_path) == []


SECRETS = [
    "https://u:canary@example.com/m",
    "https://example.com/m?token=canary",
    "https://example.com/m?X-Amz-Signature=canary&type=Model",
    "https://example.com/m?type=canary.canary-canary-canary-canary-canary",
    "https://example.com/m#canary",
    "https://example.com/m?canary",
    "https://example.com/m?sig=canary;x",
]


@pytest.mark.parametrize("url", SECRETS)
def test_no_secrets(tmp_path: Path, url: str) -> None:
    """Nothing that could be a secret is written down, wherever in a transfer it stands."""
    reference = Reference(node_id="1", node_type="A", input_name="b", folder="loras", name="c", url=url)
    one = transfer(tmp_path, url, DATA, page=url)
    with Queue(tmp_path / "data") as queue:
        queue.add([replace(one, references=(reference,))])
        assert [e.is_whole for e in queue.entries()] == [False]
        for path in (tmp_path / "data").iterdir():
            assert b"canary" not in path.read_bytes()


def test_no_address(tmp_path: Path) -> None:
    """What is no address at all fails with a word, like any other transfer."""
    with Queue(tmp_path / "data", roots=(str(tmp_path),)) as queue:
        queue.add([transfer(tmp_path, "https://[::1/m", DATA)])
        queue.work(authorize=no_token, limits=QUICK)
        (entry,) = queue.entries()
    assert isinstance(entry.outcome.error, errors.Refused)


def test_with_a_secret_in_hand(server: FaultServer, tmp_path: Path) -> None:
    """Who asked for it knows the whole address and uses it."""
    server.put("/m", SMALL)
    moved = [transfer(tmp_path / "m", server.origin + "/m?token=abc", SMALL)]
    with Queue(tmp_path / "data") as queue:
        (outcome,) = queue.fetch(moved, authorize=no_token, limits=QUICK, guard=guard_for(server.origin))
    assert outcome.state is State.VERIFIED
    assert server.seen[0].path == "/m?token=abc"


@pytest.mark.parametrize(
    "url",
    ["https://civitai.com/api/download/models/1?type=Model&format=SafeTensor&size=full&fp=fp16",
     "https://civitai.com/api/download/models/1?fileId=33",
     "https://huggingface.co/a/b/resolve/main/c?download=true", "https://example.com/m", "https://example.com/m?"],
)  # fmt: skip
def test_harmless_queries(tmp_path: Path, url: str) -> None:
    """What hubs' addresses need is kept."""
    text, whole = write_transfer(transfer(tmp_path, url, DATA))
    assert whole
    assert parse_transfer(text).source.url == url


def test_round_trip(tmp_path: Path) -> None:
    one = transfer(tmp_path, "https://example.com/m", DATA)
    assert parse_transfer(write_transfer(one)[0]) == one


def kinds() -> list[type[WatchmanError]]:
    return [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, WatchmanError)]


@pytest.mark.parametrize("kind", kinds())
def test_errors_return(tmp_path: Path, kind: type[WatchmanError]) -> None:
    """An error that was written down comes back in its own class, with its words."""
    one = transfer(tmp_path, "https://example.com/m", DATA)
    more = {"hub": "civitai"} if issubclass(kind, errors.HubError) else {}
    told = parse_end(write_end(failure(one, kind("what", hint="do", **more))), one)
    assert type(told.error) is kind
    assert told.error.to_dict() == {"code": kind.code, "message": "what", "hint": "do"}
    assert getattr(told.error, "hub", None) == more.get("hub")


def test_outcome_returns(tmp_path: Path) -> None:
    one = transfer(tmp_path, "https://example.com/m", DATA)
    outcome = Outcome(
        transfer=one,
        state=State.VERIFIED,
        path="ink (web-1).safetensors",
        verification=Verification.DIGEST,
        digests=one.source.digests,
        size=7,
        seconds=1.5,
        weak_publish=True,
    )
    assert parse_end(write_end(outcome), one) == outcome
    unknown = write_end(failure(one, errors.Gated("x", hub="y"))).replace('"gated"', '"of-tomorrow"')
    assert type(parse_end(unknown, one).error) is WatchmanError


def test_ids(tmp_path: Path) -> None:
    """One id for the same content under the same name, another for anything else."""
    one = transfer(tmp_path, "https://example.com/m", DATA)
    (tmp_path / "link").symlink_to(tmp_path)
    moved = replace(one, source=replace(one.source, url="https://elsewhere.example/m"))
    assert make_id(one) == make_id(moved) == make_id(replace(one, root=str(tmp_path / "link")))
    assert make_id(one) == make_id(replace(one, path="INK.safetensors"))
    bare = replace(one, source=replace(one.source, digests=()))
    others = [
        replace(one, path="b.safetensors"),
        replace(one, root="/other"),
        transfer(tmp_path, one.source.url, SMALL),
        bare,
        replace(bare, source=replace(bare.source, url="https://elsewhere.example/m")),
    ]
    assert len({make_id(t) for t in [one, *others]}) == 6
    with pytest.raises(errors.UnsafePath):
        make_id(replace(one, path="../x"))


# ── room ──


def test_taken_over(server: FaultServer, tmp_path: Path) -> None:
    """Who lost an entry to another process lets go of it and waits for that one."""
    moved = [transfer(tmp_path / "m", server.put("/m", DATA, slowly), DATA)]
    other = Store(open_base(tmp_path / "data"), find_self())
    with Queue(tmp_path / "data") as queue:
        run = Working(queue, server, moved)
        until(lambda: server.seen)
        with sqlite3.connect(tmp_path / "data" / FILE_NAME) as base:
            base.execute("UPDATE entries SET owner = ?", (str(other.here),))
        base.close()
        time.sleep(0.8)
        assert not [name for name in names(tmp_path / "m") if name == NAME]
        other.end(make_id(moved[0]), failure(moved[0], errors.Gated("not for you", hub="web")))
        (outcome,) = run.join()
    other.close()
    assert isinstance(outcome.error, errors.Gated)


def test_full_disk(server: FaultServer, tmp_path: Path) -> None:
    """A full disk holds back what goes to it, with the reason, and asks for nothing more of that."""
    if not shutil.which("unshare"):
        pytest.skip("no unshare")
    small, other = tmp_path / "small", tmp_path / "other"
    small.mkdir()
    moved = [
        transfer(small, server.put(f"/{n}", d), d, path=f"{n}.safetensors")
        for n, d in enumerate([safetensors(1_500_000)] + [SMALL] * 4)
    ]
    moved.append(transfer(other, server.put("/o", SMALL), SMALL))
    job = write_job(tmp_path / "job", tmp_path / "data", server.origin, moved)
    words = " ".join(f"'{word}'" for word in command("serial", job))
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"mount -t tmpfs -o size=1m none {small} || exit 9; {words}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 9 or "unshare" in done.stderr:
        pytest.skip("no mount namespaces here")
    lines = [line.split('"') for line in done.stdout.splitlines()[:-1]]
    assert [(line[1], line[5]) for line in lines] == [("failed", "no-space")] * 5 + [("verified", "")]
    assert len({seen.path for seen in server.seen}) == 2
    with Queue(tmp_path / "data") as queue:
        paused = [e for e in queue.entries() if e.state is State.PAUSED]
        assert len(paused) == 5
        assert {type(e.outcome.error) for e in paused} == {errors.NoSpace}
        assert {e.outcome.path for e in paused} == {f"{n}.safetensors" for n in range(5)}
        queue.resume()
        assert {e.end for e in queue.entries() if e.state is State.QUEUED} == {None}


def test_no_room(server: FaultServer, tmp_path: Path) -> None:
    """The first transfer without room holds back the others of that disk; resumed, they are brought."""

    asked: list[str] = []

    def full(url: str) -> dict[str, str]:
        asked.append(url)
        raise errors.NoSpace("the disk is full")

    moved = several(server, tmp_path / "m")
    elsewhere = transfer(Path("/proc/none"), "https://example.com/m", SMALL)  # another file system
    with Queue(tmp_path / "data", roots=(str(tmp_path / "m"),)) as queue:
        queue.add([elsewhere])
        limits = replace(QUICK, together=1)
        outcomes = queue.fetch(moved, authorize=full, limits=limits, guard=guard_for(server.origin))
        assert {type(o.error) for o in outcomes} == {errors.NoSpace}
        assert len(asked) == 1
        assert [o.path for o in outcomes] == [t.path for t in moved]
        assert [e.state for e in queue.entries()] == [State.QUEUED] + [State.PAUSED] * 3
        for n in range(3):
            server.put(f"/{n}", DATA)
        outcomes = queue.fetch(moved, authorize=no_token, limits=limits, guard=guard_for(server.origin))
        assert {o.state for o in outcomes} == {State.VERIFIED}


def test_room_that_is_promised(tmp_path: Path) -> None:
    """Room that transfers under way still need is not given away; left-over ones claim none."""
    free = shutil.disk_usage(tmp_path).free
    limits = replace(QUICK, largest=1 << 60, total=1 << 60)
    big, small = (
        transfer(tmp_path / "m", f"https://example.com/{n}", b"", path=f"{n}.pt", size=size)
        for n, size in (("b", free - (1 << 20)), ("s", 1 << 27))
    )
    with Queue(tmp_path / "data") as queue:
        assert queue.preflight([small], limits=limits) == []
        (id_,) = queue.add([big])
        assert queue.preflight([small], limits=limits) == []  # nobody is about to carry it out
        store = Store(open_base(tmp_path / "data"), find_self())
        store.ask([id_])
        (problem,) = queue.preflight([small], limits=limits)
        assert isinstance(problem.error, errors.NoSpace)
        assert "under way" in problem.error.message
        assert queue.preflight([transfer(tmp_path / "m", "https://example.com/u", b"", path="../x")]) != []
        store.claim(None, resting=[], small=0)
        store.beat({id_: free})
        assert queue.preflight([small], limits=limits) == []  # its bytes are here: they are no longer free
        store.leave()
        store.close()


def test_room_that_is_set_aside(tmp_path: Path) -> None:
    """Room that a transfer under way has set aside is not asked for a second time."""
    big, small = (
        transfer(tmp_path / "m", f"https://example.com/{n}", b"", path=f"{n}.pt", size=size)
        for n, size in (("b", 512 << 20), ("s", 1 << 20))
    )
    (tmp_path / "m").mkdir()
    with Queue(tmp_path / "data") as queue, Place(tmp_path / "m") as place:
        store = Store(open_base(tmp_path / "data"), find_self())
        store.ask(queue.add([big]))
        partial = Partial.begin(place, "b.pt", Identity.of(big.source))
        partial.reserve(512 << 20)
        if not held_room(tmp_path / "m", "b.pt"):
            pytest.skip("this file system sets no room aside")
        tight = replace(QUICK, margin=shutil.disk_usage(tmp_path).free - (256 << 20))
        assert queue.preflight([small], limits=tight) == []
        os.ftruncate(partial.fd, 0)  # control: where nothing is set aside, it is still needed
        tight = replace(QUICK, margin=shutil.disk_usage(tmp_path).free - (256 << 20))
        assert queue.preflight([small], limits=tight) != []
        partial.remove()
        store.leave()
        store.close()


# ── the rest ──


def test_history(tmp_path: Path) -> None:
    """What ended long ago is forgotten, what is open never."""
    store = Store(open_base(None), find_self(), clock=iter(range(10**9)).__next__)
    listed = [
        transfer(tmp_path, f"https://example.com/{n}", bytes(2), path=f"{n}.pt") for n in range(HISTORY + 20)
    ]
    ids = store.add(listed)
    store.move(ids[5:], start=[State.QUEUED], to=State.CANCELLED)
    assert len(store.entries()) == HISTORY + 20
    store.add(listed[:1])
    left = store.entries()
    assert len(left) == HISTORY + 5
    assert [e.id for e in left[:5]] == ids[:5]


def test_bandwidth(server: FaultServer, tmp_path: Path) -> None:
    """All transfers together keep to the limit, in several lanes too; without one they are much faster."""
    seconds = []
    for turn, limit in enumerate((None, 600_000)):
        moved = [
            transfer(tmp_path / str(turn), server.put(f"/{n}", DATA), DATA, path=f"{n}.safetensors")
            for n in range(4)
        ]
        began = time.monotonic()
        with Queue(None) as queue:
            limits = replace(QUICK, stall=5.0, bandwidth=limit, **LANES)
            outcomes = queue.fetch(moved, authorize=no_token, limits=limits, guard=guard_for(server.origin))
        assert {o.state for o in outcomes} == {State.VERIFIED}
        seconds.append(time.monotonic() - began)
    assert seconds[0] < 1.8 <= seconds[1] < 6.0  # 1.2 MB at 0.6 MB/s, less the burst


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 2)), max_size=50), st.integers(1, 10**6))
def test_bucket(steps: list[tuple[int, float]], rate: int) -> None:
    """Who waits as told never has more than the rate allows, give or take the burst."""
    now = [100.0]
    bucket = Bucket(rate, clock=lambda: now[0])
    taken = 0
    for count, pause in steps:
        now[0] += bucket.take(count)
        taken += count
        assert taken <= (now[0] - 100.0 + 0.1) * rate + 1
        now[0] += pause
    assert Bucket(None).take(10**9) == 0.0


def test_listeners(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Several listeners hear everything; one that breaks keeps nothing from the others."""

    def broken(_progress: Progress) -> None:
        raise ZeroDivisionError

    heard: list[Progress] = []
    progress = Progress(transfer=transfer(tmp_path, "https://example.com/m", DATA), state=State.RUNNING)
    listeners = Listeners(broken, heard.append)
    leave = listeners.add(heard.append)
    listeners(progress)
    leave()
    listeners(progress)
    assert heard == [progress] * 3
    assert "ZeroDivisionError" in caplog.text


def test_paused_outcome(tmp_path: Path) -> None:
    with Queue(None) as queue:
        queue.add([transfer(tmp_path, "https://example.com/m", DATA)])
        queue.pause()
        assert queue.entries()[0].outcome.state is State.CANCELLED


# ── owners ──


def test_owner_here() -> None:
    here = find_self()
    assert parse_owner(str(here)) == here
    assert find_self() != here
    if Path("/proc/self/stat").exists():
        assert is_alive(here, here) is True
        assert is_alive(replace(here, started="1"), here) is False
        assert is_alive(replace(here, pid=2**22 + 5), here) is False
    assert is_alive(replace(here, boot="x"), here) is None
    assert is_alive(replace(here, space="x"), here) is None
    assert is_alive(replace(here, started=""), here) is None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_owner_gone() -> None:
    """A process that was killed counts as dead even before its parent has noticed."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    here = find_self()
    stat = Path(f"/proc/{child.pid}/stat").read_text()
    owner = replace(here, pid=child.pid, started=stat.rpartition(")")[2].split()[19])
    assert is_alive(owner, here) is True
    child.kill()
    until(lambda: is_alive(owner, here) is False)
    child.wait()
    assert is_alive(owner, here) is False


@given(st.text(max_size=40))
def test_owner_text(text: str) -> None:
    """Any text is an owner or none."""
    found = parse_owner(text)
    assert found is None or str(found) == text


@pytest.mark.parametrize(
    ("owner", "age", "state"),
    [
        ("far/1/7/5/t", 0.0, State.RUNNING),
        ("far/1/7/5/t", LEASE + 1, State.QUEUED),
        ("far/1/7/5/t", -LEASE - 1, State.QUEUED),  # a clock that was set back must not hold it for ever
        ("garbage", 0.0, State.QUEUED),
        (str(find_self()), LEASE + 1, State.RUNNING),  # it is seen to run
        (str(find_self()), STUCK + 1, State.QUEUED),  # … but has nothing in hand any more
    ],
)
def test_lease(tmp_path: Path, owner: str, age: float, state: State) -> None:
    """Who cannot be seen from here keeps an entry as long as it shows signs of life."""
    known = parse_owner(owner) or Owner("", "", 0, "", "")
    base, clock = open_base(None), [1000.0]
    far = Store(base, known, clock=lambda: clock[0])
    far._me = owner
    far.add([transfer(tmp_path, "https://example.com/m", DATA)])
    assert far.claim(None, resting=[], small=0)
    clock[0] += age
    near = Store(base, find_self(), clock=lambda: clock[0])
    near.reap()
    assert [e.state for e in near.entries()] == [state]


def test_running_in_nobodys_hands(server: FaultServer, tmp_path: Path) -> None:
    """An entry that the file says runs, and by nobody, is queued again and keeps no run waiting."""
    with Queue(tmp_path / "data", roots=(str(tmp_path),)) as queue:
        ids = queue.add([transfer(tmp_path, server.put("/m", DATA), DATA)])
        queue._store.move(ids, start={State.QUEUED}, to=State.RUNNING)
        stop = threading.Event()
        threading.Timer(10, stop.set).start()
        queue.work(authorize=no_token, limits=QUICK, guard=guard_for(server.origin), stop=stop)
        assert [entry.state for entry in queue.entries()] == [State.VERIFIED]


def test_root_that_is_none(tmp_path: Path) -> None:
    """An entry whose root can be no directory's path is dropped when it is read."""
    with Queue(tmp_path / "data", roots=(str(tmp_path),)) as queue:
        queue.add([transfer(tmp_path, "https://example.com/m", DATA)])
    with closing(sqlite3.connect(tmp_path / "data" / FILE_NAME, isolation_level=None)) as base:
        base.execute("UPDATE entries SET transfer = json_set(transfer, '$.root', '/a' || char(0) || 'b')")
    with Queue(tmp_path / "data", roots=(str(tmp_path),)) as queue:
        assert queue.entries() == []
