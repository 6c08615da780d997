"""What is kept of a file once it is published: its row in the index, then its sidecar.

    verified ──enter──▶ index.sqlite3, <stem>.civitai.info

Neither can make a verified file a failed one: what goes wrong is logged and told in the outcome's notes. A
transfer counts as ended only after this, so one whose process died in between comes here again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from .catalog import Json, RemoteFile
from .errors import FileChanged, HubError, LibraryError, WatchmanError
from .hubs.base import Hub
from .library.index import Index
from .library.indexed import Indexed
from .library.matching import LastLook
from .library.origin import origin_of
from .library.scan import list_file
from .library.sidecars.writing import find_standing, fits, make_record, write_sidecar
from .transfer.entry import Entry
from .transfer.events import Outcome, State
from .transfer.queue import Queue
from .transfer.shared import check_trust

_LOG: Final = logging.getLogger(__name__)
_HERE: Final = frozenset({State.VERIFIED, State.SKIPPED})


class Books:
    """The books of a data folder, `index` and queue; from any thread. `folder` None: they are kept in memory.

    `index` is the open one of that folder, where there is one, and `last_look` what is kept of the last scan.
    With `sidecars` False none are written.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        index: Index | None = None,
        hubs: Sequence[Hub] = (),
        sidecars: bool = True,
        clock: Callable[[], float] = time.time,
        last_look: LastLook | None = None,
    ) -> None:
        self.index = index or Index(folder)
        self.last_look = last_look or LastLook()
        self._folder, self._hubs, self._sidecars, self._clock = folder, hubs, sidecars, clock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.index.close()

    def open_queue(self, *, roots: tuple[str, ...]) -> Queue:
        """The queue of the data folder; the caller closes it.

        Raises:
            IndexTooNew, IndexLocked: its file cannot be used.
        """
        return Queue(self._folder, roots=roots)

    def enter(self, outcome: Outcome, *, asks: bool = True) -> Outcome:
        """Keep what is known of a file that is here now; says in the notes what could not be kept.

        Unless it `asks`, no hub is asked for its record: one is made of what is known.
        """
        if outcome.state not in _HERE:
            return outcome
        notes: list[str] = []
        for keep, what in ((self._keep_row, "not entered in the index"), (self._keep_sidecar, "no sidecar")):
            try:
                keep(outcome, asks=asks)
            except (OSError, RecursionError, WatchmanError) as fault:
                notes.append(f"{what}: {_reason(fault)}")
                _LOG.warning("%s/%s is here, but: %s", outcome.transfer.folder, outcome.path, notes[-1])
        return replace(outcome, notes=tuple(notes)) if notes else outcome

    def catch_up(self, entries: Iterable[Entry], *, roots: tuple[str, ...]) -> None:
        """Enter what ended well in the queue and has no row: the index may have been deleted or locked.

        The queue's word is not believed: only files below `roots` count that nobody touched since.
        """
        for entry in entries:
            try:
                if entry.end is not None and entry.end.state in _HERE and self._is_missing(entry):
                    check_trust(entry, roots)
                    self.enter(entry.end, asks=False)
            except LibraryError as fault:
                _LOG.warning("what the queue brought before is not entered: %s", fault.message)
                return
            except WatchmanError as fault:
                _LOG.debug("not entered: %s", fault.message)

    def _is_missing(self, entry: Entry) -> bool:
        path = Path(entry.transfer.root, entry.outcome.path)
        try:
            stat = path.stat()
        except OSError:
            return False
        # Another file moved here keeps its time of writing; its status changed when it was moved.
        untouched = max(stat.st_mtime, stat.st_ctime) <= entry.changed
        return untouched and self.index.find(path) is None

    def _keep_row(self, outcome: Outcome, *, asks: bool) -> None:  # noqa: ARG002 - rows ask nobody
        transfer = outcome.transfer
        file = list_file(transfer.root, transfer.folder, outcome.path)
        if outcome.size not in (None, file.size):
            raise FileChanged(f"{outcome.path}: was {outcome.size:,} bytes when published, is {file.size:,}")
        self.index.put(
            Indexed(
                file=replace(file, digests=outcome.digests),
                verification=outcome.verification,
                origin=origin_of(transfer.source, fetched=self._clock()),
            )
        )

    def _keep_sidecar(self, outcome: Outcome, *, asks: bool) -> None:
        """Only CivitAI's records have a form that other programs read."""
        transfer = outcome.transfer
        path = Path(transfer.root, outcome.path)
        if not self._sidecars or transfer.source.hub != "civitai":
            return
        standing = find_standing(path)
        if standing == "others" or (standing == "ours" and outcome.state is State.SKIPPED):
            return
        record = self._ask(transfer.source) if asks else None
        if record is None or not fits(record):
            record = make_record(transfer.source, origin_of(transfer.source), outcome.digests)
        write_sidecar(path, record)

    def _ask(self, file: RemoteFile) -> Json:
        """The hub's own record of the release; null where it cannot be had now."""
        hub = next((hub for hub in self._hubs if hub.name == file.hub), None)
        try:
            return hub.record(file) if hub else None
        except HubError as fault:
            _LOG.info("the record beside %s is made of what is known: %s", file.name, fault.message)
            return None


def _reason(fault: Exception) -> str:
    """Why, without the path, which the log has already."""
    match fault:
        case WatchmanError():
            return fault.message
        case OSError(strerror=str() as reason):
            return reason
        case _:
            return str(fault)
