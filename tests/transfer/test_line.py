"""Lines are given up when they drip, and broken off at any point: look-up, connecting, TLS, headers, body."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transfer import faults
from transfer.faults import Behaviour, FaultServer
from transfer.models import LANES, NAME, QUICK, guard_for, no_token, safetensors, sha256, transfer

from comfywatchman.errors import HubUnavailable, Interrupted, Refused, WatchmanError
from comfywatchman.transfer.ask import Ask
from comfywatchman.transfer.events import State
from comfywatchman.transfer.guard import Guard
from comfywatchman.transfer.http import Client
from comfywatchman.transfer.limits import Limits
from comfywatchman.transfer.queue import Queue, run

DATA = safetensors()
PATIENT = replace(QUICK, stall=60.0, connect=60.0)
SOON = 2.0  # seconds in which a pause has to take hold


# ── what drips ──


def _open(server: FaultServer, url: str, limits: Limits) -> float:
    """Seconds until a client gave an address up."""
    stop = threading.Event()
    with Client(guard=guard_for(server.origin), limits=limits, authorize=no_token, stop=stop) as client:
        began = time.monotonic()
        with suppress(HubUnavailable, Interrupted), client.open(Ask(url=url, hub="web", name=NAME)) as body:
            while body.read():
                pass
        return time.monotonic() - began


@pytest.mark.parametrize(
    "behave", [faults.drip_head(0.01, 80), faults.drip_chunk(0.01, 80)], ids=["head", "chunk"]
)
@pytest.mark.parametrize("careless", [False, True], ids=["ours", "control"])
def test_dripping(behave: Behaviour, careless: bool) -> None:
    """What no byte of the file comes of is waited for no longer than silence; without a limit to the end."""
    limits = replace(QUICK, stall=60.0) if careless else QUICK
    with FaultServer() as server:
        seconds = _open(server, server.put("/m", DATA, behave), limits)
    assert (seconds > 0.7) is careless, seconds


def test_slow_reader(tmp_path: Path) -> None:
    """Only waiting counts: who reads slowly himself is not taken for a line that drips."""
    with FaultServer() as server:
        url = server.put("/m", DATA)
        stop, guard = threading.Event(), guard_for(server.origin)
        client = Client(guard=guard, limits=QUICK, authorize=no_token, stop=stop)
        with client, client.open(Ask(url=url, hub="web", name=NAME)) as body:
            body.peek(10)
            time.sleep(QUICK.stall * 2)
            count = 0
            while data := body.read():
                count += len(data)
    assert count == len(DATA)


# ── what is broken off ──


@contextmanager
def _deaf() -> Iterator[int]:
    """A port whose queue of connections is full: who connects hears nothing."""
    with ExitStack() as stack:
        listener = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0), backlog=0)))
        port: int = listener.getsockname()[1]
        for _ in range(8):
            filler = stack.enter_context(closing(socket.socket()))
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        with closing(socket.socket()) as probe:
            probe.settimeout(0.3)
            try:
                probe.connect(("127.0.0.1", port))
            except TimeoutError:
                yield port
            else:
                pytest.skip("this system takes connections that nobody waits for")


@contextmanager
def _mute() -> Iterator[int]:
    """A port that takes connections and says nothing: no handshake begins."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as listener:
        yield listener.getsockname()[1]


class _Lookup:
    """A resolver that answers when it is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, *_: Any, **__: Any) -> Any:
        self.over.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "later")


@contextmanager
def _stuck(where: str) -> Iterator[tuple[str, Guard]]:
    """An origin that takes for ever at one point, and a guard that lets us ask it."""
    if where == "look-up":
        lookup, origin = _Lookup(), "https://models.example.com"
        yield origin, Guard(resolve=lookup)
        lookup.over.set()
    elif where == "connecting":
        with _deaf() as port:
            yield (origin := f"http://127.0.0.1:{port}"), guard_for(origin)
    elif where == "TLS":
        with _mute() as port:
            yield (origin := f"https://127.0.0.1:{port}"), guard_for(origin)
    else:
        with FaultServer() as server:
            behave = {
                "silence": faults.silent(20),
                "headers": faults.drip_head(0.05),
                "body": faults.stall_at(100, 20),
            }
            server.put("/m", DATA, behave[where])
            yield server.origin, guard_for(server.origin)


STUCK = ["look-up", "connecting", "TLS", "silence", "headers", "body"]


@pytest.mark.parametrize("where", STUCK)
def test_stop(tmp_path: Path, where: str) -> None:
    """A run that is stopped ends soon, wherever it waits, and says that it was stopped."""
    stop = threading.Event()
    timer = threading.Timer(0.2, stop.set)
    with _stuck(where) as (origin, guard):
        timer.start()
        began = time.monotonic()
        (outcome,) = run(
            [transfer(tmp_path, f"{origin}/m", DATA)],
            authorize=no_token, limits=replace(PATIENT, **LANES), guard=guard, stop=stop,
        )  # fmt: skip
        assert time.monotonic() - began < 0.2 + SOON
    assert outcome.state is State.CANCELLED
    assert isinstance(outcome.error, Interrupted)


@pytest.mark.parametrize("where", STUCK)
def test_pause(tmp_path: Path, where: str) -> None:
    """A pause takes hold within two seconds, wherever a transfer waits, and others go on."""
    with _stuck(where) as (origin, guard), Queue(tmp_path, roots=(str(tmp_path),)) as queue:
        (id_,) = queue.add([transfer(tmp_path, f"{origin}/m", DATA)])
        stop = threading.Event()
        worker = threading.Thread(
            target=lambda: queue.work(
                authorize=no_token, stop=stop, limits=PATIENT, guard=guard, lingers=True
            )
        )
        worker.start()
        try:
            _wait_until(lambda: queue.standings()[id_].state is State.RUNNING)
            time.sleep(0.2)
            queue.pause([id_])
            began = time.monotonic()
            _wait_until(lambda: queue.standings()[id_].owner is None)
            assert time.monotonic() - began < SOON
            assert queue.standings()[id_].state is State.PAUSED
        finally:
            stop.set()
            worker.join()


@pytest.mark.parametrize("known", [True, False])
def test_stop_is_no_end(tmp_path: Path, known: bool) -> None:
    """Where only the end of the line ends a body, the line that we break off has not ended it."""
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    data = b"\x80\x02" + bytes(50_000)  # a pickle has no end of its own that we know
    digests = (sha256(data),) if known else ()
    with FaultServer() as server:
        url = server.put("/m.bin", data, faults.stall_at(len(data) // 2, 20, length=False))
        timer.start()
        (outcome,) = run(
            [transfer(tmp_path, url, data, path="m.bin", size=None, digests=digests)],
            authorize=no_token, limits=PATIENT, guard=guard_for(server.origin), stop=stop,
        )  # fmt: skip
    assert outcome.state is State.CANCELLED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("published", ["nothing", "size", "digest"])
@pytest.mark.parametrize("how", [faults.unmeasured, faults.http10, faults.chunked, faults.good])
def test_end_that_nobody_tells(tmp_path: Path, how: Behaviour, published: str) -> None:
    """A file that may be only a beginning is not published; size, digest, length or chunks tell its end."""
    data = b"\x80\x02" + bytes(50_000)
    with FaultServer() as server:
        (outcome,) = run(
            [transfer(
                tmp_path, server.put("/m.bin", data, how), data, path="m.bin",
                size=len(data) if published == "size" else None,
                digests=(sha256(data),) if published == "digest" else (),
            )],
            authorize=no_token, limits=PATIENT, guard=guard_for(server.origin),
        )  # fmt: skip
    if published == "nothing" and how in (faults.unmeasured, faults.http10):
        assert isinstance(outcome.error, Refused)
        assert list(tmp_path.iterdir()) == []
    else:
        assert (tmp_path / "m.bin").read_bytes() == data


def _wait_until(holds: Any) -> None:
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_connection_that_comes_too_late() -> None:
    """A connection that was broken off while it was made is closed when it comes; so nothing is left open."""
    come = threading.Event()

    def resolve(_host: str, port: int, **kind: Any) -> Any:
        come.wait(20)
        return socket.getaddrinfo("127.0.0.1", port, **kind)

    with FaultServer() as server:
        origin = server.origin.replace("127.0.0.1", "models.example.com")
        guard, stop = Guard(trusted=frozenset({origin}), resolve=resolve), threading.Event()
        with Client(guard=guard, limits=PATIENT, authorize=no_token, stop=stop) as client:
            faulty: list[WatchmanError] = []

            def ask() -> None:
                try:
                    client.open(Ask(url=f"{origin}/m", hub="web", name=NAME, line=7))
                except WatchmanError as fault:
                    faulty.append(fault)

            thread = threading.Thread(target=ask)
            thread.start()
            time.sleep(0.1)
            client.abort(8)  # another's line
            thread.join(0.2)
            assert thread.is_alive()
            client.abort(7)
            thread.join(SOON)
            assert not thread.is_alive()
            assert [type(fault) for fault in faulty] == [Interrupted]
            come.set()
            _wait_until(lambda: server.connections == 1)
            _wait_until(lambda: not any(t.name == "comfywatchman-dial" for t in threading.enumerate()))
        assert server.seen == []
