"""What a transfer tells while it runs, and what it ends as."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..catalog import Json, Verification
from ..digest import Digest
from ..errors import WatchmanError
from ..plan import Transfer

_LOG: Final = logging.getLogger(__name__)


class State(StrEnum):
    """The states of a transfer."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    VERIFIED = "verified"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"  # same content was already there


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a transfer is. `size` is None until known; `note` says what it waits for."""

    transfer: Transfer
    state: State
    done: int = 0
    size: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a transfer ended. `path` is where the file lies below the root; it may have a second name.

    `notes` say what could not be kept of a file that is here all the same.
    `weak_publish`: its file system could not refuse to replace that name, so it was only looked at first.
    """

    transfer: Transfer
    state: State
    path: str
    verification: Verification = Verification.NONE
    digests: tuple[Digest, ...] = ()
    size: int | None = None
    seconds: float = 0.0
    weak_publish: bool = False
    error: WatchmanError | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """The transfer object of `comfywatchman.fetch/1`."""
        error: dict[str, Json] | None = {**self.error.to_dict()} if self.error else None
        return {
            "folder": self.transfer.folder,
            "path": self.path,
            "root": self.transfer.root,
            "size": self.size,
            "digests": [str(d) for d in self.digests],
            "url": self.transfer.source.url,
            "state": self.state.value,
            "verification": self.verification.value,
            "seconds": round(self.seconds, 3),
            "weak_publish": self.weak_publish,
            "error": error,
            "notes": list(self.notes),
        }


Listener = Callable[[Progress], None]
OnEnd = Callable[[Outcome], Outcome]  # what is done with an outcome before it counts
Authorize = Callable[[str], Mapping[str, str]]


class Listeners:
    """Several listeners as one that threads may call together; one that breaks stops nothing."""

    def __init__(self, *listeners: Listener) -> None:
        self._lock = threading.Lock()
        self._listeners = listeners

    def __call__(self, progress: Progress) -> None:
        """Tell all of them, one at a time."""
        with self._lock:
            for listener in self._listeners:
                try:
                    listener(progress)
                except Exception:  # noqa: BLE001 - a broken progress bar must not stop a transfer
                    _LOG.exception("the listener failed on %s", progress.transfer.path)

    def add(self, listener: Listener) -> Callable[[], None]:
        """Tell one more, until the function that is returned is called."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def leave() -> None:
            with self._lock:
                self._listeners = tuple(other for other in self._listeners if other is not listener)

        return leave
