"""How many connections a file gets: as many as bring something, fewer where the server has enough."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transfer.faults import Behaviour, Exchange, FaultServer, good, redirect
from transfer.models import NAME, QUICK, guard_for, no_token, safetensors, transfer

from comfywatchman.transfer.events import Outcome, State
from comfywatchman.transfer.limits import Limits
from comfywatchman.transfer.pace import Pace
from comfywatchman.transfer.queue import run

MIB = 1 << 20
DATA = safetensors(MIB)
MANY = replace(QUICK, segments=8, stall=5.0)


def go(server: FaultServer, root: Path, urls: list[str], limits: Limits = MANY) -> list[Outcome]:
    files = [transfer(root, url, DATA, path=f"{number}-{NAME}") for number, url in enumerate(urls)]
    return run(files, authorize=no_token, limits=limits, guard=guard_for(server.origin))


def drive(pace: Pace, speed: Callable[[int], float], *, seconds: float, begin: float = 0.0) -> list[int]:
    """What the pace wants, each 50 ms, on a line whose speed depends on the number of lanes."""
    done, wanted = 0.0, []
    for tick in range(int(seconds * 20)):
        wanted.append(pace.look(begin + tick / 20, done=int(done)))
        done += speed(wanted[-1]) / 20
    return wanted


@pytest.mark.parametrize(
    ("speed", "most", "ends"),
    [
        (lambda lanes: 20 * MIB * lanes, 16, {16}),
        (lambda lanes: 20 * MIB * lanes, 6, {6}),
        (lambda lanes: 20 * MIB * min(lanes, 8), 16, {8}),
        (lambda lanes: 100 * MIB, 16, {4}),
        (lambda lanes: 100 * MIB / lanes, 16, {4}),
        (lambda lanes: 0, 16, {4}),
        (lambda lanes: 100 * MIB, 2, {2}),
    ],
    ids=["shares", "shares, few allowed", "full at eight", "one is enough", "crowded", "dead", "two allowed"],
)
def test_pace_settles(speed: Callable[[int], float], most: int, ends: set[int]) -> None:
    """More lanes stay only where they brought more; a step that did not pay is taken back."""
    wanted = drive(Pace(most), speed, seconds=9)
    assert set(wanted[40:]) == ends
    assert max(wanted) <= most


def test_pace_tries_again() -> None:
    """A line that grew wider is found out later."""
    pace = Pace(16)
    assert drive(pace, lambda lanes: 100 * MIB, seconds=5)[-1] == 4
    assert drive(pace, lambda lanes: 100 * MIB * lanes, seconds=15, begin=5)[-1] == 16


def test_pace_after_faults() -> None:
    """Each fault takes one lane for a minute, then they may come back; one is left always."""
    pace = Pace(16)
    drive(pace, lambda lanes: MIB * lanes, seconds=2)
    for left in (15, 14, 13):
        pace.slow_down(2.0)
        assert pace.wanted == left
    assert max(drive(pace, lambda lanes: MIB * lanes, seconds=55, begin=2)) == 13
    assert drive(pace, lambda lanes: MIB * lanes, seconds=30, begin=60)[-1] == 16
    for _ in range(20):
        pace.slow_down(100.0)
    assert pace.wanted == 1


@given(
    most=st.integers(1, 16),
    steps=st.lists(st.tuples(st.floats(0, 30), st.integers(0, 1 << 30), st.booleans()), max_size=60),
)
def test_pace_bounds(most: int, steps: list[tuple[float, int, bool]]) -> None:
    """Whatever happens on the line, there is one lane at least and never more than allowed."""
    pace, now, done = Pace(most), 0.0, 0
    for wait, came, failed in steps:
        now, done = now + wait, done + came
        if failed:
            pace.slow_down(now)
        assert 1 <= pace.look(now, done=done) <= most


class Gate:
    """A server's patience: it serves so many requests at once and counts them."""

    def __init__(self, most: int = 99, *, seconds: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._most, self._seconds = most, seconds
        self.now = self.peak = self.turned_away = 0

    def __call__(self, x: Exchange) -> None:
        with self._lock:
            self.now += 1
            self.peak = max(self.peak, self.now)
            full = self.now > self._most
            self.turned_away += full
        try:
            if full:
                x.answer(503)
            else:
                time.sleep(self._seconds)
                good(x)
        finally:
            with self._lock:
                self.now -= 1


def test_many_lanes_for_a_server_that_shares(server: FaultServer, tmp_path: Path) -> None:
    """Where each connection has its own limit, lanes are added beyond the first four."""
    gate = Gate(seconds=0.06)
    (outcome,) = go(server, tmp_path, [server.put("/m", DATA, gate)])
    assert outcome.state is State.VERIFIED
    assert 4 < gate.peak <= MANY.segments


@pytest.mark.parametrize("most", [1, 3])
def test_server_with_enough(server: FaultServer, tmp_path: Path, most: int) -> None:
    """A server that answers 503 to one connection too many gets fewer, and the file still comes."""
    gate = Gate(most, seconds=0.01)
    (outcome,) = go(server, tmp_path, [server.put("/m", DATA, gate)])
    assert outcome.state is State.VERIFIED
    assert 0 < gate.turned_away <= 4


@pytest.mark.parametrize(
    ("behave", "asked"), [(good, 1), (redirect("/there"), 2)], ids=["direct", "redirect"]
)
def test_connections_are_kept(server: FaultServer, tmp_path: Path, behave: Behaviour, asked: int) -> None:
    """Many small files come over as many connections as there are workers, and one request each a hop."""
    server.put("/there", DATA)
    limits = replace(QUICK, together=3, segment_from=4 * MIB, stall=5.0)
    outcomes = go(server, tmp_path, [server.put(f"/m{n}", DATA, behave) for n in range(12)], limits)
    assert {outcome.state for outcome in outcomes} == {State.VERIFIED}
    assert len(server.seen) == 12 * asked
    assert server.connections <= 3
