"""The front of a partial: the bytes without a gap from its start, hashed behind whoever writes them.

    │■■■■■■■■■■■■■■■■■■│□□□□□│        │□□□│       │
    0      hashed      at   reach      an island: written, not yet joined; the rest are gaps

One thread hashes while others receive, so verification ends with the last byte and a file in several
ranges is hashed in order all the same; a small file is hashed at the end, by whoever asks. What is hashed is
read from the file, not what was received. At every `mark` the digest of all bytes so far is noted; for bytes
of an earlier run it is compared with that run's.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Final

from ..hands import Hands, do_here
from ..hasher import Hasher
from .journal import Mark, Piece
from .limits import Limits
from .partial import Partial
from .place import begin_sync, disk_error, is_held

_LOG: Final = logging.getLogger(__name__)
_BLOCK: Final = 1 << 20
_AHEAD: Final = 16 << 20  # bytes that may lie written and not hashed before lanes wait
_GLANCE: Final = 0.1  # seconds between two looks whether the hashing thread has ended
_LAST: Final = 0.3  # seconds that a front has to catch up once it is stopped
_SYNCED: Final = 16 << 20  # bytes whose way to the disk is begun at once
_PIECES: Final = 256 << 20  # bytes behind gaps kept for a later run: to hash more would take too long


class Damaged(Exception):
    """The bytes of an earlier run are not what its journal says; good up to `self.good`."""

    def __init__(self, good: int) -> None:
        super().__init__(good)
        self.good = good


class Front:
    """Hashes a partial in order, a big one on a thread of its own. Ends with `finish`, `stop` or `discard`.

    `check` raises Interrupted where nobody waits any more: to catch up with a big partial takes minutes.
    """

    def __init__(
        self, partial: Partial, hasher: Hasher, limits: Limits, *, check: Callable[[], None] = lambda: None
    ) -> None:
        self._partial, self._hasher, self._limits, self._check = partial, hasher, limits, check
        self._change = threading.Condition()
        self._ends = {0: partial.journal.done, **_proven(partial)}  # start → end of what is written; chained
        self._island = 0
        self._at = 0
        self._closing = False
        self._until = math.inf  # when hashing is given up
        self._claims = dict(partial.journal.marks)
        self._marks: list[Mark] = []
        self._saved = time.monotonic()
        self._pool = Hands(1, name="comfywatchman-hash")
        self._work: Future[None] | None = None
        self._begin_where_much()

    @property
    def reach(self) -> int:
        """Bytes written from the start without a gap."""
        with self._change:
            return self._joined()

    def let_catch_up(self) -> None:
        """Wait while much is written and not hashed: to receive more would only take the processor away.

        Raises:
            Interrupted: nobody waits any more.
        """
        with self._change:
            while self._joined() - self._at > _AHEAD and self._work is not None and not self._work.done():
                self._check()
                self._change.wait(_GLANCE)

    def grow(self, start: int, end: int) -> None:
        """Say that the range begun at `start` is written up to `end`.

        Raises:
            Damaged, WatchmanError: what went wrong on the hashing thread.
        """
        with self._change:
            if self._work is not None and self._work.done():
                self._work.result()
            self._ends[start] = end
            self._change.notify_all()
            self._begin_where_much()

    def drop_islands(self) -> int:
        """Forget what lies behind a gap and say where to go on."""
        with self._change:
            reach = self._joined()
            self._ends = {self._island: self._ends[self._island]}
            return reach

    def gaps(self, size: int) -> list[tuple[int, int]]:
        """What is missing of a file of that size, in order."""
        with self._change:
            at, gaps = self._joined(), []
            for start, end in self._islands():
                gaps.append((at, start))
                at = end
        return [*gaps, (at, size)] if at < size else gaps

    def finish(self) -> Hasher:
        """Wait for the last byte to be hashed.

        Raises:
            Damaged, WatchmanError: what went wrong on the hashing thread, or nobody waits any more.
        """
        work = self._close()
        while not work.done():
            self._check()
            wait([work], timeout=_GLANCE)
        self._pool.shutdown()
        work.result()
        return self._hasher

    def stop(self) -> None:
        """Write down what is there for a later run, soon; a faulty front leaves its last journal.

        What is not hashed by then counts as the run before left it, or as a piece.
        """
        work = self._close(within=_LAST)
        self._pool.shutdown()
        if work.exception() is not None or not self._at:
            return
        marks = self._all_marks((self._at, self._hasher.sha256().hex))
        try:
            self._partial.checkpoint(marks, self._pieces(marks[-1][0]))
        except OSError:  # a full disk: cut back to the last mark, so that the journal finds room
            self._partial.trim(self._marks[-1][0] if self._marks else 0)
            self._partial.checkpoint(tuple(self._marks))

    def discard(self) -> None:
        """Stop; what was hashed is of no use."""
        self._close(within=0)
        self._pool.shutdown()

    def _close(self, *, within: float = math.inf) -> Future[None]:
        """Say that nothing more comes, and how many seconds there are to hash it; the work that does so."""
        with self._change:
            self._closing, self._until = True, time.monotonic() + within
            self._change.notify_all()
        self._work = self._work or do_here(self._run)
        return self._work

    def _begin_where_much(self) -> None:
        """Give the hashing a thread of its own once there is enough to do for one."""
        if self._work is None and self._joined() >= self._limits.apart:
            self._work = self._pool.submit(self._run)

    def _joined(self) -> int:
        """The end of the chain of ranges that starts at 0."""
        end = self._ends[self._island]
        while end != self._island and end in self._ends:
            del self._ends[self._island]
            self._island = end
            end = self._ends[end]
        return end

    def _islands(self) -> list[tuple[int, int]]:
        """What is written behind gaps, in order; neighbours are one."""
        reach, islands = self._joined(), list[tuple[int, int]]()
        for start, end in sorted(self._ends.items()):
            if islands and islands[-1][1] == start:
                islands[-1] = (islands[-1][0], end)
            elif start > reach:
                islands.append((start, end))
        return islands

    def _pieces(self, done: int) -> tuple[Piece, ...]:
        """The first of what is written behind the last mark, for the journal."""
        pieces, left = list[Piece](), _PIECES
        for start, stop in [(done, self._joined()), *self._islands()]:
            end = min(stop, start + left)
            if start < end:
                pieces.append((start, end, self._partial.hash(start, end)))
            left -= end - start
        return tuple(pieces)

    def _run(self) -> None:
        try:
            self._hash_all()
        except OSError as fault:
            raise disk_error(fault, self._partial.name) from fault

    def _hash_all(self) -> None:
        buffer = memoryview(bytearray(_BLOCK))
        while (reach := self._await_more()) is not None:
            while self._at < reach and time.monotonic() < self._until:
                boundary = (self._at // self._limits.mark + 1) * self._limits.mark
                self._hash_some(buffer[: min(reach, boundary, *self._next_claim()) - self._at])

    def _await_more(self) -> int | None:
        """The end of what can be hashed; None when the end has come."""
        with self._change:
            while (reach := self._joined()) == self._at and not self._closing:
                self._change.wait()
            return reach if reach > self._at and time.monotonic() < self._until else None

    def _next_claim(self) -> list[int]:
        return [end for end in self._claims if end > self._at][:1]

    def _hash_some(self, view: memoryview) -> None:
        """Hash the next bytes; check or make a mark where one belongs."""
        count = self._partial.read_into(self._at, view[:_BLOCK])
        if count == 0:
            raise Damaged(self._marks[-1][0] if self._marks else 0)
        self._hasher.update(view[:count])
        with self._change:
            self._at += count
            self._change.notify_all()
        if self._at % _SYNCED == 0:  # early, so that the sync at the end finds little to do
            begin_sync(self._partial.fd, self._at - _SYNCED, _SYNCED)
        claim = self._claims.pop(self._at, None)
        if claim is None and self._at % self._limits.mark:
            return
        mark = (self._at, self._hasher.sha256().hex)
        if claim not in (None, mark[1]):
            raise Damaged(self._marks[-1][0] if self._marks else 0)
        self._marks.append(mark)
        if claim is None and time.monotonic() - self._saved >= self._limits.checkpoint:
            self._save(mark)

    def _save(self, mark: Mark) -> None:
        """Write the journal; one that another program holds open is written the next time."""
        try:
            self._partial.checkpoint(self._all_marks(mark))
        except OSError as fault:
            if not is_held(fault):
                raise
            _LOG.info("%s: its journal is held by another program", self._partial.name)
        self._saved = time.monotonic()

    def _all_marks(self, last: Mark) -> tuple[Mark, ...]:
        """Marks made and marks of the earlier run that are still ahead."""
        return tuple(sorted({**dict(self._claims), **dict(self._marks), **dict([last])}.items()))


def _proven(partial: Partial) -> dict[int, int]:
    """Where the pieces begin and end whose bytes are still what the journal says of them."""
    pieces = partial.journal.pieces
    return {start: end for start, end, digest in pieces if partial.hash(start, end) == digest}
