"""A crew's feed from the queue's file: what this run may take, and what others do meanwhile.

every 0.5 s   paused, cancelled, taken over by others?  → halt ours; how far others are → the listener
every second  a sign of life, and the bytes that lie here
every 2 s     what dead processes had in hand → queued again
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from ..consent import Consent
from ..errors import IndexLocked, Interrupted, NoSpace, Refused, WatchmanError
from ..plan import Transfer
from .claim import begun_in
from .crew import Crew
from .entry import Entry, failure
from .events import Listener, OnEnd, Outcome, Progress, State
from .journal import Identity
from .partial import sweep
from .place import Place, disk_errors
from .rows import Standing
from .store import Store

_LOG: Final = logging.getLogger(__name__)
_LOOK: Final = 0.5  # seconds between two looks at what others do
_BEAT: Final = 1.0
_REAP: Final = 2.0


class Shared:
    """The entries that one run carries out. `given` are transfers this process knows itself, by id.

    With `only` nothing else is touched. A context: at its end everything in hand is let go.
    """

    def __init__(
        self,
        store: Store,
        *,
        given: Mapping[str, Transfer],
        only: bool,
        roots: tuple[str, ...],
        tell: Listener,
        lingers: bool = False,
        on_end: OnEnd | None = None,
    ) -> None:
        self._store, self._given, self._roots = store, given, roots
        self._left = set(given) if only else None  # what has no outcome yet; None: everything is ours to do
        self._tell, self._lingers, self._on_end = tell, lingers, on_end
        self._ended: dict[str, Outcome] = {}
        self._unwritten: dict[str, Outcome] = {}  # ends that wait for a locked file
        self._writing = threading.Lock()
        self._others: dict[str, Standing] = {}  # what was last told of those that others carry out
        self._duties = ((self._look, _LOOK), (self._beat, _BEAT), (self._reap, _REAP))
        self._due = [0.0] * len(self._duties)

    def __enter__(self) -> Self:
        if self._left is not None:
            self._store.ask(self._left)
        self._store.reap()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(IndexLocked):  # then the lease ends it
            self._flush()
            self._store.leave()

    def hands(self, most: int) -> int:
        """How many workers are of use."""
        return most if self._left is None else min(most, len(self._left))

    # ── the feed ──

    def claim(self, *, resting: Collection[str], small: int) -> tuple[str, Transfer] | None:
        """The next entry that may be carried out here."""
        try:
            while (entry := self._store.claim(self._left, resting=resting, small=small)) is not None:
                if entry.id in self._given:
                    return entry.id, self._given[entry.id]
                try:
                    check_trust(entry, self._roots)
                except WatchmanError as fault:
                    self.end(entry.id, failure(entry.transfer, fault))
                else:
                    return entry.id, entry.transfer
        except IndexLocked:
            return None  # later
        return None

    def end(self, key: str, outcome: Outcome) -> None:
        """Write down how it ended, now or as soon as the file can be written."""
        self._unwritten[key] = self._seen_off(outcome)
        with suppress(IndexLocked):
            self._flush()

    def _seen_off(self, outcome: Outcome) -> Outcome:
        """The outcome after whoever wants to see it first has."""
        if self._on_end is None:
            return outcome
        try:
            return self._on_end(outcome)
        except Exception:  # noqa: BLE001 - a fault in the bookkeeping must not lose a file's outcome
            _LOG.exception("the bookkeeping failed on %s", outcome.transfer.path)
            return outcome

    def is_over(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        if self._lingers or self._unwritten:
            return False
        try:
            if self._left is None:
                return self._store.is_idle()
            self._settle()
        except IndexLocked:
            return False
        return not self._left

    def _settle(self) -> None:
        """Take the outcomes of what others carried out: the next one to ask may begin it again."""
        assert self._left is not None
        standings = self._store.standings(self._left)
        settled = [key for key, standing in standings.items() if standing.state not in _GOING]
        for entry in self._store.entries(settled) if settled else ():
            if entry.state not in _GOING:
                self._conclude(entry.id, replace(entry.outcome, transfer=self._given[entry.id]))

    def _conclude(self, key: str, outcome: Outcome) -> None:
        """Keep and tell an outcome that another process wrote down."""
        self._keep(key, outcome)
        done = outcome.size or 0 if outcome.error is None else 0
        self._tell(Progress(transfer=outcome.transfer, state=outcome.state, done=done, size=outcome.size))

    def _keep(self, key: str, outcome: Outcome) -> None:
        self._ended[key] = outcome
        if self._left is not None:
            self._left.discard(key)

    def _flush(self) -> None:
        with self._writing:
            for key, outcome in [*self._unwritten.items()]:
                self._write(key, outcome)
                del self._unwritten[key]

    def _write(self, key: str, outcome: Outcome) -> None:
        if outcome.state is State.CANCELLED:  # stopped here: the file says what is to become of it
            self._store.release(key)
            for entry in self._store.entries([key]):
                if entry.state is State.CANCELLED:
                    clear_partials(entry, self._roots)
            return
        self._keep(key, outcome)
        if isinstance(outcome.error, NoSpace):
            self._store.end(key, outcome, state=State.PAUSED)
            self._pause_beside(outcome)
        else:
            self._store.end(key, outcome)

    def _pause_beside(self, outcome: Outcome) -> None:
        """Hold back all that goes to a file system that is full."""
        assert outcome.error is not None
        device = device_of(outcome.transfer.root)
        for entry in self._store.entries():
            if entry.state is State.QUEUED and device_of(entry.transfer.root) == device:
                end = failure(entry.transfer, outcome.error)
                self._store.move([entry.id], start={State.QUEUED}, to=State.PAUSED, end=end)

    # ── the others ──

    def tick(self, crew: Crew) -> None:
        """Do what is due."""
        now = time.monotonic()
        with suppress(IndexLocked):  # next time
            if self._unwritten:
                self._flush()
            for number, (duty, seconds) in enumerate(self._duties):
                if self._due[number] <= now:
                    self._due[number] = now + seconds
                    duty(crew)

    def _beat(self, crew: Crew) -> None:
        self._store.beat({key: job.delivery.done for key, job in crew.jobs.items()})

    def _reap(self, _crew: Crew) -> None:
        self._store.reap()

    def _look(self, crew: Crew) -> None:
        jobs = crew.jobs
        left = set(self._left or ())
        standings = self._store.standings(left | set(jobs))
        for key, job in jobs.items():
            standing = standings.get(key)
            if standing is None and key not in self._ended:
                self._store.put_back(key, job.transfer, State.RUNNING)
            elif standing is None or key in self._ended:
                continue
            elif standing.owner != str(self._store.here) or standing.state not in _GOING:
                crew.halt(job)
            elif standing.state is State.QUEUED and not job.halt.is_set():
                self._store.keep(key)
        for key in left - set(jobs) - set(self._ended):
            self._look_at_other(key, standings.get(key))

    def _look_at_other(self, key: str, standing: Standing | None) -> None:
        """Tell of an entry that another process carries out; write it again if the file lost it."""
        if standing is None:
            self._store.put_back(key, self._given[key], State.QUEUED)
        elif self._others.get(key) != standing:
            self._others[key] = standing
            if standing.state is State.RUNNING:
                transfer = self._given[key]
                size = transfer.source.size
                self._tell(Progress(transfer=transfer, state=State.RUNNING, done=standing.done, size=size))

    # ── at the end ──

    def outcomes(self) -> dict[str, Outcome]:
        """How the given ones ended, here or elsewhere; what a stopped run did not end is cancelled."""
        for key, transfer in self._given.items():
            if key not in self._ended:
                error = Interrupted(f"{transfer.path}: stopped")
                self._conclude(key, failure(transfer, error, State.CANCELLED))
        return {key: self._ended[key] for key in self._given}


_GOING: Final = frozenset({State.QUEUED, State.RUNNING})


def check_trust(entry: Entry, roots: tuple[str, ...]) -> None:
    """Whether an entry may be carried out on the file's word alone.

    Raises:
        Refused: it may not.
    """
    transfer = entry.transfer
    if not entry.is_whole:
        raise Refused(
            f"{transfer.path}: its address may hold a secret and was not kept", hint="Fetch it once more."
        )
    if os.path.realpath(transfer.root) not in {os.path.realpath(root) for root in roots}:
        raise Refused(f"{transfer.path}: {transfer.root} is no root of this installation")
    if transfer.consent is Consent.REFUSED:
        raise Refused(f"{transfer.path}: {transfer.reason}")


def find_begun(targets: Mapping[str, Path]) -> list[str]:
    """The keys of the targets beside which something unfinished lies; each folder is listed once."""
    folders = {path.parent for path in targets.values()}
    begun = {folder / name for folder in folders for name in begun_in(folder)}
    return [key for key, path in targets.items() if path in begun]


def clear_partials(entry: Entry, roots: tuple[str, ...]) -> None:
    """Throw away what came of an entry that was given up."""
    transfer = entry.transfer
    try:
        check_trust(entry, roots)
        if not Path(transfer.root, transfer.path).parent.is_dir():
            return
        place, name = Place.below(transfer.root, transfer.path, roots=roots)
        with place, disk_errors(transfer.path):
            sweep(place, name, Identity.of(transfer.source))
    except WatchmanError as fault:
        _LOG.info("the partial of %s stays: %s", transfer.path, fault.message)


def device_of(root: str) -> int | None:
    """The file system of a folder that may have to be made yet."""
    folder = Path(os.path.realpath(root))
    here = next((known for known in (folder, *folder.parents) if known.exists()), None)
    return here.stat().st_dev if here else None
