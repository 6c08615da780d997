"""One file on its way, from its URL to its name: the story of a transfer.

    already here? → partial → bytes → verified → published
                       ▲        │
                       └ again ─┘   one `attempt` each; the partial stays open between them

A delivery has never heard of a hub: it gets a transfer and a client that can ask.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from ..catalog import Verification, hub_title
from ..digest import Algorithm, Digest, match_digests
from ..errors import DigestMismatch, Interrupted, NotAModel, Refused, SizeMismatch, WatchmanError
from ..hasher import Hasher
from ..header import HEAD, check_promise, check_structure
from ..names import safe_path
from ..plan import Transfer
from .ask import Ask, Changed, NoRanges
from .events import Outcome, Progress, State
from .front import Damaged, Front
from .http import Body, Client
from .journal import Identity
from .lanes import Lanes, Sink
from .limits import Limits
from .pace import Pace
from .partial import Partial, sweep
from .place import Place, disk_errors
from .publish import find_same, publish, set_aside, target_names

Report = Callable[[Progress], None]

_RESTARTS: Final = 3  # in one attempt; each has another reason


class Delivery:
    """Brings one file. Call `attempt` until it returns; then, or to give up, `close`."""

    def __init__(
        self,
        transfer: Transfer,
        *,
        client: Client,
        limits: Limits,
        roots: tuple[str, ...] = (),
        report: Report,
        share: Callable[[], int],
        meter: Callable[[int], None] = lambda _count: None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.transfer = transfer
        self._source = transfer.source
        self._client, self._limits, self._share = client, limits, share
        self._roots, self._report = roots, report
        self._meter, self._check = meter, check
        self._identity = Identity.of(transfer.source)
        self._place: Place | None = None
        self._name = ""
        self._partial: Partial | None = None
        self._front: Front | None = None
        self._pieced = False  # bytes of several answers, which only the digest ties together, are part of it
        self._anew = 0  # times that such bytes were thrown away
        self._whole = False  # ranges are not to be had
        self._has_end = True  # somebody says where it ends: its size, or the server's chunks
        self._pace = Pace(limits.segments)
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._told = 0.0
        self.done = 0  # bytes that lie here
        self.size = transfer.source.size

    def attempt(self) -> Outcome:
        """Try to bring the file; everything that came stays for the next attempt.

        Raises:
            HubUnavailable, Interrupted: it may go better later.
            WatchmanError: it will not.
        """
        with disk_errors(f"{self.transfer.root}/{self.transfer.path}"):
            place = self._enter()
            if self._front is None:
                there = find_same(place, self._name, self._source, check=self._check)
                if there is not None:
                    sweep(place, self._name, self._identity)
                    return self._outcome(State.SKIPPED, there, Verification.DIGEST, self._published_digests())
                self._begin(place)
            hasher = self._receive()
            return self._deliver(place, hasher)

    @property
    def line(self) -> int:
        """By what a client knows the connections that bring this file."""
        return id(self)

    def close(self) -> None:
        """Stop; keep what can be resumed."""
        if self._partial is not None and self.size is None:
            self._drop()  # without a size nothing could be resumed
        front, self._front = self._front, None
        partial, self._partial = self._partial, None
        place, self._place = self._place, None
        with ExitStack() as stack:  # each is given back even if the one before fails
            if place is not None:
                stack.callback(place.close)
            if partial is not None:
                stack.callback(partial.release)
            if front is not None:
                stack.callback(front.stop)

    def _enter(self) -> Place:
        if self._place is None:
            self._place, self._name = Place.below(self.transfer.root, self.transfer.path, roots=self._roots)
        return self._place

    def _begin(self, place: Place) -> None:
        """Open the partial and start to hash what it holds."""
        self._partial = self._partial or Partial.begin(place, self._name, self._identity)
        self._pieced = self._partial.journal.done > 0
        if self.size is None:
            self.size = self._partial.journal.size
        self._hash_from(self._partial)

    def _hash_from(self, partial: Partial) -> None:
        hasher = Hasher(_algorithms(self._source.digests))
        self._front = Front(partial, hasher, self._limits, check=self._check)
        self.done = partial.journal.held

    # ── bytes ──

    def _receive(self) -> Hasher:
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
        assert self._partial is not None
        assert self._front is not None
        front, self._front = self._front, None
        front.discard()
        self._partial.trim(keep)
        if not keep:
            self._partial.restart()
            self.size = self._source.size
            self._pieced = False
        self._hash_from(self._partial)

    def _fill(self) -> None:
        """Bring the bytes behind the front."""
        assert self._partial is not None
        assert self._front is not None
        at, gaps = self._find_gaps(self._front)
        if at and not self._may_resume(at):
            raise Changed
        if at and at == self.size:
            return
        ask = self._ask(at, gaps)
        sink = Sink(self._partial, self._front, self._count)
        with self._client.open(ask) as body:
            if at == 0:
                self._meet(body)
            if self.size is not None and self.size >= self._limits.reserve_from:
                self._partial.reserve(self.size)
            in_lanes = not body.whole and ask.stop != self.size
            self._pieced |= (at > 0 or in_lanes) and body.validator is None
            if in_lanes:
                ask = replace(ask, validator=self._partial.journal.validator, size=body.size)
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
        assert self._partial is not None
        if self.size is None or at > self.size:
            return False
        return self._partial.journal.validator is not None or self._is_known()

    def _is_known(self) -> bool:
        """Whether size and digest are published: then no wrong byte can pass, wherever it comes from."""
        return self._source.size is not None and any(digest.identifies for digest in self._source.digests)

    def _ask(self, at: int, gaps: list[tuple[int, int]]) -> Ask:
        """The next question: the rest, the first of several ranges, or the whole file."""
        assert self._partial is not None
        journal = self._partial.journal
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
            line=self.line,
        )

    def _meet(self, body: Body) -> None:
        """Look at the first bytes before any is written, and note which file they are of."""
        assert self._partial is not None
        if body.size is not None and body.size > self._limits.largest:
            raise Refused(f"{self._name}: {body.size:,} bytes are over the limit of {self._limits.largest:,}")
        check_promise(body.peek(HEAD), self._name)
        if not body.whole and body.validator is None and not self._is_known():
            raise NoRanges  # nothing would tell ranges of two versions apart
        self._partial.note(size=body.size, validator=body.validator, modified=body.modified)
        self.size, self._has_end = body.size, body.has_end

    def _count(self, count: int) -> None:
        """Bytes came in; keep to the pace, and say so now and then."""
        self._meter(count)
        with self._lock:
            self.done += count
            if self.done > self._limits.largest:
                raise Refused(f"{self._name}: more than {self._limits.largest:,} bytes came")
            now = time.monotonic()
            if now - self._told < self._limits.report:
                return
            self._told = now
        self._report(Progress(transfer=self.transfer, state=State.RUNNING, done=self.done, size=self.size))

    # ── verified, published ──

    def _deliver(self, place: Place, hasher: Hasher) -> Outcome:
        """Verify the partial and give it its name; what is no model leaves nothing behind."""
        assert self._partial is not None
        try:
            verification = self._verify(self._partial, hasher.digests())
        except DigestMismatch as fault:
            raise self._mismatch(self._partial, fault, hasher.sha256()) from fault
        except (NotAModel, SizeMismatch, Refused):
            self._drop()
            raise
        names = target_names(self._name, self._source, hasher.sha256())
        published = publish(self._partial, names, hasher.sha256())
        self._forget()
        sweep(place, self._name, self._identity)
        state = State.VERIFIED if published.fresh else State.SKIPPED
        outcome = self._outcome(state, published.name, verification, hasher.digests())
        return replace(outcome, weak_publish=published.weak)

    def _verify(self, partial: Partial, digests: tuple[Digest, ...]) -> Verification:
        """What the bytes agree with.

        Raises:
            SizeMismatch, DigestMismatch, NotAModel: with what they disagree.
            Refused: it may be the beginning of a file.
        """
        size, wanted = partial.size(), self._source.size
        if wanted not in (None, size):
            raise SizeMismatch(f"{self._name}: expected {wanted:,} bytes, got {size:,}")
        check_promise(partial.read(0, HEAD), self._name)
        match match_digests(digests, self._source.digests):
            case True:
                return Verification.DIGEST
            case False:
                theirs = ", ".join(map(str, self._source.digests))
                raise DigestMismatch(
                    f"{self._name}: {hub_title(self._source.hub)} publishes {theirs}, got {digests[-1]}"
                )
            case None:
                structure = check_structure(partial.read, size, self._name)
        if not structure.exact and not self._has_end:
            raise Refused(
                f"{self._name}: nobody says how long it is, so a line that broke would look like its end",
                hint="Ask who publishes it for its SHA-256, or take it as safetensors.",
            )
        if not structure.exact:
            return Verification.NONE
        return Verification.STRUCTURE if wanted is None else Verification.SIZE

    def _mismatch(self, partial: Partial, fault: DigestMismatch, sha256: Digest) -> WatchmanError:
        """What to do with wrong bytes: begin anew, once, if answers may not fit; else set them aside."""
        if self._pieced and not self._anew:
            self._anew += 1
            self._drop()
            return Interrupted(f"{self._name}: its pieces do not fit together; it is fetched anew")
        aside = set_aside(partial, self._name, sha256)
        self._forget()
        return DigestMismatch(f"{fault.message}; set aside as {aside}")

    def _drop(self) -> None:
        """Throw the partial away."""
        if self._front is not None:
            self._front.discard()
        if self._partial is not None:
            self._partial.remove()
        self._forget()

    def _forget(self) -> None:
        """The partial is gone: published, set aside or removed."""
        self._partial = self._front = None
        self._pieced = False

    def _published_digests(self) -> tuple[Digest, ...]:
        return tuple(digest for digest in self._source.digests if digest.identifies)

    def _outcome(
        self, state: State, name: str, verification: Verification, digests: tuple[Digest, ...]
    ) -> Outcome:
        parent = PurePosixPath(safe_path(self.transfer.path)).parent
        return Outcome(
            transfer=self.transfer,
            state=state,
            path=str(parent / name),
            verification=verification,
            digests=digests,
            size=self.size,
            seconds=time.monotonic() - self._began,
        )


def _algorithms(published: tuple[Digest, ...]) -> set[Algorithm]:
    """What to hash: SHA-256 always, since the library knows files by it, and BLAKE3 where published.

    Short forms only where nothing better is there to compare with.
    """
    wanted: set[Algorithm] = {"sha256"}
    if any(digest.identifies for digest in published):
        return wanted | {digest.algorithm for digest in published if digest.identifies}
    return wanted | {digest.algorithm for digest in published}
