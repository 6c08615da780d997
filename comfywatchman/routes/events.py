"""Tells pages how transfers go on: the queue's progress as few small events.

    progress of this process ─┐
                              ├─ look, a few times a second ─▶ what changed ─▶ send(event, data)
    standings of all ─────────┘

Each event goes to every page, so it holds no absolute path and no address.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..catalog import Json
from ..errors import WatchmanError

if TYPE_CHECKING:
    from ..transfer.entry import Entry
    from ..transfer.events import Progress
    from ..transfer.queue import Queue
    from ..transfer.store import Standing

TRANSFER: Final = "comfywatchman.transfer"
OPERATION: Final = "comfywatchman.operation"
LIBRARY: Final = "comfywatchman.library"
SETTINGS: Final = "comfywatchman.settings"
CHECKPOINT: Final = "comfywatchman.checkpoint"

_BUSY: Final = 0.25  # seconds between two looks while something runs
_IDLE: Final = 2.0
_MOST: Final = 100  # transfers or files in a message, which the host writes as JSON on its event loop
_WINDOW: Final = 3.0  # seconds over which speed is measured
_STATES: Final = ("running", "queued", "paused", "failed", "verified", "cancelled", "skipped")
_OPEN: Final = frozenset({"running", "queued", "paused"})
_LOG: Final = logging.getLogger(__name__)


class Meter:
    """Bytes a second of one transfer over the last few seconds."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def take(self, now: float, done: int) -> None:
        """At the time `now` this many bytes lay here."""
        if self._marks and done < self._marks[-1][1]:
            self._marks.clear()  # begun anew
        self._marks.append((now, done))
        while len(self._marks) > 2 and self._marks[1][0] < now - _WINDOW:
            self._marks.pop(0)

    @property
    def speed(self) -> float:
        """Bytes a second."""
        if len(self._marks) < 2:
            return 0.0
        (first, before), (last, done) = self._marks[0], self._marks[-1]
        return (done - before) / (last - first) if last > first else 0.0


@dataclass(slots=True)
class Pulse:
    """How one transfer is doing; `told` is what pages know of it."""

    state: str = ""
    done: int = 0
    size: int | None = None
    note: str = ""
    meter: Meter = field(default_factory=Meter)
    told: object = None

    @property
    def seen(self) -> object:
        """What a page sees change."""
        return self.state, self.done, self.size, self.note, round(self.speed)

    @property
    def speed(self) -> float:
        """Bytes a second; none unless it runs."""
        return self.meter.speed if self.state == "running" else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds until it is here, as far as can be told."""
        if self.size is None or not self.speed:
            return None
        return round(max(0, self.size - self.done) / self.speed, 1)


class Feed:
    """Watches a queue on a thread of its own, until it is closed."""

    def __init__(
        self,
        queue: Queue,
        send: Callable[[str, Mapping[str, Json]], None],
        *,
        veil: Callable[[str], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue, self._send, self._veil, self._clock = queue, send, veil, clock
        self._lock = threading.Lock()
        self._pulses: dict[str, Pulse] = {}
        self._heard: dict[str, Progress] = {}
        self._ids: dict[int, tuple[object, str]] = {}
        self._is_relisted = False
        self._stirred = threading.Event()
        self._closed = threading.Event()
        self._leave = queue.listen(self._hear)
        self._look(quietly=True)
        self._thread = threading.Thread(target=self._watch, name="comfywatchman-feed", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._leave()
        self._closed.set()
        self._stirred.set()
        self._thread.join(5)

    def stir(self) -> None:
        """Look at once: something was changed."""
        self._stirred.set()

    def relist(self) -> None:
        """Tell pages that the list itself is another: it is in another order."""
        with self._lock:
            self._is_relisted = True
        self.stir()

    def pulse(self, id_: str) -> Pulse | None:
        """How a transfer is doing."""
        return self._pulses.get(id_)

    def counts(self) -> dict[str, Json]:
        """The queue in numbers, as it is now."""
        with self._lock:
            self._refresh()
            return _count(self._pulses.values())

    # ── watching ──

    def _hear(self, progress: Progress) -> None:
        """Keep the last word about a transfer; called often, and from the threads that carry it out."""
        self._heard[self._id_of(progress)] = progress

    def _id_of(self, progress: Progress) -> str:
        from ..transfer.entry import make_id

        known = self._ids.get(id(progress.transfer))
        if known is None or known[0] is not progress.transfer:
            if len(self._ids) > 1000:
                self._ids.clear()
            known = self._ids[id(progress.transfer)] = (progress.transfer, make_id(progress.transfer))
        return known[1]

    def _watch(self) -> None:
        while not self._closed.is_set():
            is_busy = any(pulse.state in ("running", "queued") for pulse in [*self._pulses.values()])
            self._stirred.wait(_BUSY if is_busy else _IDLE)
            if self._stirred.is_set():
                self._closed.wait(0.02)  # what comes together is told together
                self._stirred.clear()
            try:
                self._look()
            except WatchmanError as fault:  # the file is locked: later
                _LOG.info("the queue is not told of: %s", fault.message)
            except Exception:  # noqa: BLE001 - the worker of these events
                _LOG.exception("telling of transfers failed")
                self._closed.wait(_IDLE)

    def _look(self, *, quietly: bool = False) -> None:
        """Tell what is not as pages know it."""
        with self._lock:
            if self._closed.is_set():
                return
            self._refresh()
            changed = [id_ for id_, pulse in self._pulses.items() if pulse.told != pulse.seen]
            if changed and not quietly:
                self._tell(changed, _count(self._pulses.values()))
            if self._is_relisted and not quietly:  # a message of its own: pages then read the list
                self._tell((), _count(self._pulses.values()))
            self._is_relisted = False
            for id_ in changed:  # only now: what could not be told is tried again
                self._pulses[id_].told = self._pulses[id_].seen

    def _refresh(self) -> None:
        """Bring all pulses up to date; the lock is held."""
        standings = self._queue.standings()
        for id_, standing in standings.items():
            self._take(self._pulses.setdefault(id_, Pulse()), standing, self._heard.get(id_))
        for id_ in self._pulses.keys() - standings.keys():
            del self._pulses[id_]
            self._heard.pop(id_, None)
            self._is_relisted = True

    def _take(self, pulse: Pulse, standing: Standing, heard: Progress | None) -> None:
        """Bring one pulse up to date."""
        is_running = standing.state.value == "running"
        pulse.state = standing.state.value
        pulse.done = max(standing.done, heard.done) if heard and is_running else standing.done
        pulse.size = (heard.size if heard else None) or standing.size or pulse.size
        pulse.note = heard.note if heard and is_running else ""
        if is_running:
            pulse.meter.take(self._clock(), pulse.done)

    def _tell(self, changed: Sequence[str], counts: dict[str, Json]) -> None:
        """Send what changed, in small messages; the lock is held."""
        ended = {id_ for id_ in changed if self._pulses[id_].state not in _OPEN}
        entries = {entry.id: entry for entry in self._queue.entries(ended)} if ended else {}
        for at in range(0, max(1, len(changed)), _MOST):
            some = [self._document(id_, entries.get(id_)) for id_ in changed[at : at + _MOST]]
            self._send(TRANSFER, {"transfers": [*some], "queue": counts})
        arrived = [entry for entry in entries.values() if entry.state.value in ("verified", "skipped")]
        for at in range(0, len(arrived), _MOST):
            new = arrived[at : at + _MOST]
            files: list[Json] = [{"folder": one.transfer.folder, "path": one.outcome.path} for one in new]
            folders: list[Json] = [*dict.fromkeys(one.transfer.folder for one in new)]
            self._send(LIBRARY, {"folders": folders, "files": files})

    def _document(self, id_: str, entry: Entry | None) -> dict[str, Json]:
        pulse = self._pulses[id_]
        document: dict[str, Json] = {
            "id": id_,
            "state": pulse.state,
            "done": pulse.done,
            "size": pulse.size,
            "speed": round(pulse.speed, 1),
            "eta": pulse.eta,
            "note": self._veil(pulse.note) if pulse.note else "",
        }
        if entry is not None and entry.state.value == "failed" and entry.outcome.error is not None:
            error = entry.outcome.error.to_dict()
            document["error"] = {key: self._veil(text) for key, text in error.items()}
        return document if entry is None else {**document, **arrival_document(entry)}


def arrival_document(entry: Entry) -> dict[str, Json]:
    """What is known once a file is here: what it was checked against, what widgets must say to load it."""
    if entry.end is None or entry.state.value not in ("verified", "skipped"):
        return {"verification": None, "relink": None}
    return {"verification": entry.end.verification.value, "relink": entry.end.path.replace("/", os.sep)}


def _count(pulses: Iterable[Pulse]) -> dict[str, Json]:
    counts = dict.fromkeys(_STATES, 0)
    speed, done, size = 0.0, 0, 0
    for pulse in pulses:
        if pulse.state in counts:
            counts[pulse.state] += 1
        if pulse.state in _OPEN:
            speed, done, size = speed + pulse.speed, done + pulse.done, size + (pulse.size or 0)
    return {**counts, "speed": round(speed, 1), "done": done, "size": size}
