"""The bytes of one file on their way into its partial.

    receive:   fill ──► every byte here, and hashed
                ▲  │  Changed, NoRanges, Damaged: throw away what is of no use
                └──┘

An intake lasts for all attempts of a delivery: what came of one is there for the next, the partial stays open
in between. It knows which bytes may stand beside which: a splice of two versions is never hashed to its end
unless a published digest will tell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from ..catalog import RemoteFile
from ..digest import Algorithm, Digest
from ..errors import Interrupted, Refused
from ..hasher import Hasher
from ..header import HEAD, check_promise
from .ask import Ask, Changed, NoRanges
from .front import Damaged, Front
from .http import Body, Client
from .journal import Identity
from .lanes import Lanes, Sink
from .limits import Limits
from .pace import Pace
from .partial import Partial
from .place import Place

_RESTARTS: Final = 3  # in one attempt; each has another reason


class Intake:
    """Brings the bytes of a file. Ends with `close`, which keeps them, or with `drop` or `forget`.

    `done` are the bytes that lie here, `size` what the file will have as far as anyone knows. `pieced`: bytes
    of several answers, which only the digest ties together, are part of it. `has_end`: somebody says where it
    ends, its size or the server's chunks.

    `came` hears of each count of bytes. `check` raises Interrupted once the transfer is to stop.
    """

    def __init__(
        self,
        source: RemoteFile,
        *,
        client: Client,
        limits: Limits,
        share: Callable[[], int],
        line: int,
        came: Callable[[int], None],
        check: Callable[[], None],
    ) -> None:
        self._source, self._client, self._limits = source, client, limits
        self._share, self._line, self._came, self._check = share, line, came, check
        self._name = ""
        self._partial: Partial | None = None
        self._front: Front | None = None
        self._whole = False  # ranges are not to be had
        self._pace = Pace(limits.segments)
        self._lock = threading.Lock()
        self.pieced = False
        self.has_end = True
        self.done = 0
        self.size = source.size

    @property
    def is_open(self) -> bool:
        """Whether there is a partial that takes bytes."""
        return self._front is not None

    @property
    def partial(self) -> Partial:
        """The partial, while there is one."""
        assert self._partial is not None
        return self._partial

    def open(self, place: Place, name: str) -> None:
        """Open the partial of a target and start to hash what it holds."""
        self._name = name
        self._partial = self._partial or Partial.begin(place, name, Identity.of(self._source))
        self.pieced = self._partial.journal.done > 0
        if self.size is None:
            self.size = self._partial.journal.size
        self._hash()

    def close(self) -> None:
        """Stop; keep what can be resumed."""
        if self._partial is not None and self.size is None:
            self.drop()  # without a size nothing could be resumed
        front, self._front = self._front, None
        partial, self._partial = self._partial, None
        with ExitStack() as stack:  # each is given back even if the one before fails
            if partial is not None:
                stack.callback(partial.release)
            if front is not None:
                stack.callback(front.stop)

    def drop(self) -> None:
        """Throw the partial away."""
        if self._front is not None:
            self._front.discard()
        if self._partial is not None:
            self._partial.remove()
        self.forget()

    def forget(self) -> None:
        """The partial is gone: published, set aside or removed."""
        self._partial = self._front = None
        self.pieced = False

    def receive(self) -> Hasher:
        """Bring what is missing and hash everything; begins anew when the file turns out another."""
        for _ in range(_RESTARTS):
            try:
                self._fill()
                assert self._front is not None
                return self._front.finish()
            except Changed:
                self._restart(0)
            except NoRanges:
                self._whole = True
                self._restart(0)
            except Damaged as damage:
                self._restart(damage.good)
        raise Interrupted(f"{self._name}: the file kept changing on the server while it was fetched")

    def _restart(self, keep: int) -> None:
        """Throw bytes away, all but the first `keep`."""
        assert self._front is not None
        front, self._front = self._front, None
        front.discard()
        self.partial.trim(keep)
        if not keep:
            self.partial.restart()
            self.size = self._source.size
            self.pieced = False
        self._hash()

    def _fill(self) -> None:
        """Bring the bytes behind the front."""
        assert self._front is not None
        at, gaps = self._find_gaps(self._front)
        if at and not self._may_resume(at):
            raise Changed
        if at and at == self.size:
            return
        ask = self._ask(at, gaps)
        sink = Sink(self.partial, self._front, self._count)
        with self._client.open(ask) as body:
            if at == 0:
                self._meet(body)
            if self.size is not None and self.size >= self._limits.reserve_from:
                self.partial.reserve(self.size)
            in_lanes = not body.whole and ask.stop != self.size
            self.pieced |= (at > 0 or in_lanes) and body.validator is None
            if in_lanes:
                ask = replace(ask, validator=self.partial.journal.validator, size=body.size)
                rest = [(max(start, ask.stop or 0), stop) for start, stop in gaps if stop != ask.stop]
                lanes = Lanes(self._client, ask, sink, self._limits, self._pace, gaps=rest)
                lanes.run(body, self._share)
            else:
                sink.take(body)
        if self.size is not None and self._front.reach < self.size:
            raise Interrupted(f"{self._name}: the server gave fewer bytes than were asked for")

    def _find_gaps(self, front: Front) -> tuple[int, list[tuple[int, int]]]:
        """Where the first bytes are missing, and all gaps; one where the rest has to come in one stream.

        What lies behind gaps counts only beside a beginning: that is asked for with its validator.
        """
        at = front.reach
        if not at:
            self.size = self._source.size  # of nothing only the record knows how much it will be
        if not at or self.size is None or self._whole or self._limits.segments == 1:
            front.drop_islands()
        gaps = front.gaps(self.size) if self.size is not None else []
        self.done = at if self.size is None else self.size - sum(stop - start for start, stop in gaps)
        return at, gaps

    def _may_resume(self, at: int) -> bool:
        """Whether bytes of before and bytes of now can be told to be of one file.

        A strong validator says so; without one the published digest will, if size and date agree.
        """
        if self.size is None or at > self.size:
            return False
        return self.partial.journal.validator is not None or self._is_known()

    def _is_known(self) -> bool:
        """Whether size and digest are published: then no wrong byte can pass, wherever it comes from."""
        return self._source.size is not None and any(digest.identifies for digest in self._source.digests)

    def _ask(self, at: int, gaps: list[tuple[int, int]]) -> Ask:
        """The next question: the rest, the first of several ranges, or the whole file."""
        journal = self.partial.journal
        stop = None
        if self.size is not None and not self._whole:
            is_big, end = self.size - at >= self._limits.segment_from, gaps[0][1] if gaps else self.size
            if self._limits.segments > 1 and (is_big or end < self.size):
                stop = min(at + self._limits.segment, end)
            elif at:
                stop = self.size
        return Ask(
            url=self._source.url,
            hub=self._source.hub,
            name=self._name,
            start=at,
            stop=stop,
            size=self.size,
            validator=journal.validator,
            modified=journal.modified,
            known=self._is_known(),
            line=self._line,
        )

    def _meet(self, body: Body) -> None:
        """Look at the first bytes before any is written, and note which file they are of."""
        if body.size is not None and body.size > self._limits.largest:
            raise Refused(f"{self._name}: {body.size:,} bytes are over the limit of {self._limits.largest:,}")
        check_promise(body.peek(HEAD), self._name)
        if not body.whole and body.validator is None and not self._is_known():
            raise NoRanges  # nothing would tell ranges of two versions apart
        self.partial.note(size=body.size, validator=body.validator, modified=body.modified)
        self.size, self.has_end = body.size, body.has_end

    def _count(self, count: int) -> None:
        """Bytes came in and lie here."""
        with self._lock:
            self.done += count
        if self.done > self._limits.largest:
            raise Refused(f"{self._name}: more than {self._limits.largest:,} bytes came")
        self._came(count)

    def _hash(self) -> None:
        """Hash what lies in the partial, and what comes."""
        hasher = Hasher(_algorithms(self._source.digests))
        self._front = Front(self.partial, hasher, self._limits, check=self._check)
        self.done = self.partial.journal.held


def _algorithms(published: tuple[Digest, ...]) -> set[Algorithm]:
    """What to hash: SHA-256 always, since the library knows files by it, and BLAKE3 where published.

    Short forms only where nothing better is there to compare with.
    """
    wanted: set[Algorithm] = {"sha256"}
    if any(digest.identifies for digest in published):
        return wanted | {digest.algorithm for digest in published if digest.identifies}
    return wanted | {digest.algorithm for digest in published}
