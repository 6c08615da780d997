"""The worker: a thread that carries out the queue for a process that stays, as ComfyUI does.

    wake ─▶ Watchman.work(queue) until nothing waits ─▶ sleep
              ▲
              └─ begun anew when the settings change what transfers may use

It sleeps on an event and costs nothing while there is nothing to do. What stands in the queue when the
process ends is gone on with when the next one wakes its worker. Offline, what is queued waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from .errors import WatchmanError
from .house import House
from .transfer.limits import Limits
from .transfer.queue import Queue

_LOG: Final = logging.getLogger(__name__)
_AGAIN: Final = 5.0
_OFFLINE: Final = "offline"
_PATIENCE: Final = 20.0  # seconds for transfers to stop in good order


class Worker:
    """Carries out what is queued. Its thread begins at the first `wake`; methods may be called from any.

    `rest` is how many seconds it waits before another try, when the queue or the settings cannot be read.
    """

    def __init__(self, house: House, queue: Callable[[], Queue], *, rest: float = _AGAIN) -> None:
        self._house, self._queue, self._rest = house, queue, rest
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._closed = threading.Event()
        self._stop = threading.Event()  # of the run under way
        self._agreed: frozenset[str] = frozenset()
        self._terms: Limits | str | None = None  # those of the run under way
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """There is something to do."""
        with self._lock:
            self._woken.set()
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._live, name="comfywatchman-worker", daemon=True)
                self._thread.start()

    def agree(self, origins: frozenset[str]) -> None:
        """Let transfers go to these origins too: a person was asked. Forgotten when the process ends."""
        with self._lock:
            if not origins <= self._agreed:
                self._agreed |= origins
                self._begin_anew()

    def refresh(self) -> None:
        """The settings were changed: go on with the new limits, if they are others; offline not at all."""
        with self._lock:
            if self._terms is not None and self._terms != self._read_terms():
                self._begin_anew()

    def close(self, *, patience: float = _PATIENCE) -> None:
        """Stop in good order, waiting no longer than so many seconds; what is not finished stays queued."""
        with self._lock:
            self._closed.set()
            self._begin_anew()
            thread = self._thread
        if thread is not None:
            thread.join(patience)

    def _begin_anew(self) -> None:
        self._stop.set()
        self._woken.set()

    def _live(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            if self._closed.is_set():
                return
            try:
                self._work()
            except WatchmanError as fault:
                self._wait(fault.message)
            except Exception:  # noqa: BLE001 - the queue's worker: another run may fare better
                _LOG.exception("carrying out the queue failed")
                self._wait("a fault of ours")

    def _wait(self, why: str) -> None:
        _LOG.warning("the queue rests for %.0f s: %s", self._rest, why)
        self._closed.wait(self._rest)
        self._woken.set()

    def _work(self) -> None:
        """One run: everything that is queued, unless it is stopped."""
        with self._lock:
            self._stop = stop = threading.Event()
            if self._closed.is_set():
                stop.set()
            agreed, terms = self._agreed, self._read_terms()
            self._terms = terms
        try:
            if terms != _OFFLINE:
                self._house.watchman().work(self._queue(), stop=stop, agreed=agreed)
            elif self._queue().is_waiting():  # look again soon: another program may change the settings
                stop.wait(self._rest)
                self._woken.set()
        finally:
            with self._lock:
                self._terms = None

    def _read_terms(self) -> Limits | str:
        return _OFFLINE if self._house.is_offline else self._house.limits()
