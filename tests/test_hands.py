"""Threads that work while somebody waits for them, and hold nothing up at the end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from comfywatchman.hands import Hands, do_here

STUCK = """
import time
from concurrent.futures import ThreadPoolExecutor
from comfywatchman.hands import Hands
pool = {pool}
pool.submit(time.sleep, 5)
"""


def seconds_to_end(pool: str) -> float:
    """How long a process lives whose main thread ends while a piece of work has five seconds to go."""
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", STUCK.format(pool=pool)], check=True, timeout=30)
    return time.monotonic() - begun


def test_work_does_not_keep_the_process() -> None:
    """A process ends at once whatever its hands do; the control: with a ThreadPoolExecutor it waits."""
    assert seconds_to_end("Hands(2, name='x')") < 4
    assert seconds_to_end("ThreadPoolExecutor(2)") >= 5


def test_work_is_done_by_several() -> None:
    """As many threads as there is work for, no more than allowed, and results in order."""
    together = threading.Barrier(3)

    def meet(number: int) -> tuple[int, str]:
        together.wait(10)
        return number, threading.current_thread().name

    with Hands(3, name="meet") as hands:
        found = list(hands.map(meet, range(9)))
    assert [number for number, _ in found] == list(range(9))
    assert {name for _, name in found} == {"meet"}
    assert not [thread for thread in threading.enumerate() if thread.name == "meet"]


def test_one_thread_is_used_again() -> None:
    """One piece of work after the other needs one thread."""
    with Hands(8, name="again") as hands:
        seen = {hands.submit(threading.get_ident).result() for _ in range(20)}
    assert len(seen) == 1


def test_fault_reaches_who_asks() -> None:
    """A fault is raised where the result is asked for, and the thread goes on."""
    with Hands(1, name="fault") as hands:
        failed = hands.submit(int, "x")
        assert hands.submit(int, "7").result() == 7
        with pytest.raises(ValueError, match="invalid literal"):
            failed.result()


def test_cancelled_work_is_not_done() -> None:
    """What is cancelled before its turn is left."""
    done: list[int] = []
    gate = threading.Event()
    with Hands(1, name="cancel") as hands:
        hands.submit(gate.wait, 10)
        late = hands.submit(done.append, 1)
        assert late.cancel()
        gate.set()
    assert done == []


def test_no_work_after_shutdown() -> None:
    """After shutdown nothing is taken."""
    hands = Hands(1, name="over")
    hands.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        hands.submit(int)


def test_work_done_here() -> None:
    """What is done without a thread leaves the same behind: a result, or a fault for whoever asks."""
    assert do_here(threading.get_ident).result() == threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        do_here(lambda: 1 // 0).result()
