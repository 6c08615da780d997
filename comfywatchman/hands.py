"""Threads for work that must not keep the process from ending.

with Hands(4, name="hub") as hands:
    hands.map(ask, questions)

`concurrent.futures` has its threads joined before anybody hears that the interpreter ends, so one that
receives a big file would hold Ctrl-C up until the last byte is here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Tell = Callable[[], None]


class Hands(Executor):
    """An executor of up to `most` daemon threads, begun when there is work for them."""

    def __init__(self, most: int, *, name: str) -> None:
        self._most, self._name = most, name
        self._lock = threading.Lock()
        self._work: SimpleQueue[Callable[[], _Tell] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._open = 0  # pieces of work that have not ended
        self._is_closed = False

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Have it done as soon as a thread is free.

        Raises:
            RuntimeError: after `shutdown`.
        """
        future: Future[_T] = Future()

        def carry_out() -> _Tell:
            if not future.set_running_or_notify_cancel():
                return lambda: None
            try:
                return partial(future.set_result, fn(*args, **kwargs))
            except BaseException as fault:  # noqa: BLE001 - whoever asks for the result gets it
                return partial(future.set_exception, fault)

        with self._lock:
            if self._is_closed:
                raise RuntimeError(f"{self._name}: no work is taken after shutdown")
            self._open += 1
            self._work.put(carry_out)
            if len(self._threads) < min(self._open, self._most):
                thread = threading.Thread(target=self._live, name=self._name, daemon=True)
                self._threads.append(thread)
                thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - as `Executor` has it
        """Take no more work; with `wait` return when all that was taken is done."""
        with self._lock:
            self._is_closed = True
            for _ in self._threads:
                self._work.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _live(self) -> None:
        while (carry_out := self._work.get()) is not None:
            tell = carry_out()
            with self._lock:
                self._open -= 1  # first: whoever hears of it may have more
            tell()
            del carry_out, tell  # nothing of it is kept while waiting


def do_here(work: Callable[[], _T]) -> Future[_T]:
    """Do it at once on this thread; the future holds what came of it."""
    future: Future[_T] = Future()
    try:
        future.set_result(work())
    except BaseException as fault:  # noqa: BLE001 - whoever asks for the result gets it
        future.set_exception(fault)
    return future
