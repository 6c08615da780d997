"""One file on its way, from its URL to its name: the story of a transfer.

    already here? → partial → bytes → verified → published
                       ▲        │
                       └ again ─┘   one `attempt` each; what came stays for the next (see `intake`)

A delivery has never heard of a hub: it gets a transfer and a client that can ask.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import PurePosixPath

from ..catalog import Verification
from ..digest import Digest, match_digests
from ..errors import DigestMismatch, Interrupted, NotAModel, Refused, SizeMismatch, WatchmanError
from ..hasher import Hasher
from ..header import HEAD, check_promise, check_structure
from ..names import safe_path
from ..plan import Transfer
from .events import Outcome, Progress, State
from .http import Client
from .intake import Intake
from .journal import Identity
from .limits import Limits
from .partial import Partial, sweep
from .place import Place, disk_errors
from .publish import find_same, publish, set_aside, target_names

Report = Callable[[Progress], None]


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
        self._roots, self._report, self._every = roots, report, limits.report
        self._meter, self._check = meter, check
        self._intake = Intake(
            transfer.source,
            client=client,
            limits=limits,
            share=share,
            line=self.line,
            came=self._tell,
            check=check,
        )
        self._identity = Identity.of(transfer.source)
        self._place: Place | None = None
        self._name = ""
        self._anew = False  # bytes that did not fit together were thrown away
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._told = 0.0

    @property
    def done(self) -> int:
        """Bytes that lie here."""
        return self._intake.done

    @property
    def size(self) -> int | None:
        """Bytes the file will have, as far as anyone knows."""
        return self._intake.size

    def attempt(self) -> Outcome:
        """Try to bring the file; everything that came stays for the next attempt.

        Raises:
            HubUnavailable, Interrupted: it may go better later.
            WatchmanError: it will not.
        """
        with disk_errors(f"{self.transfer.root}/{self.transfer.path}"):
            place = self._enter()
            if not self._intake.is_open:
                there = find_same(place, self._name, self._source, check=self._check)
                if there is not None:
                    sweep(place, self._name, self._identity)
                    return self._outcome(State.SKIPPED, there, Verification.DIGEST, self._published_digests())
                self._intake.open(place, self._name)
            return self._deliver(place, self._intake.receive())

    @property
    def line(self) -> int:
        """By what a client knows the connections that bring this file."""
        return id(self)

    def close(self) -> None:
        """Stop; keep what can be resumed."""
        place, self._place = self._place, None
        with ExitStack() as stack:
            if place is not None:
                stack.callback(place.close)
            self._intake.close()

    def _enter(self) -> Place:
        if self._place is None:
            self._place, self._name = Place.below(self.transfer.root, self.transfer.path, roots=self._roots)
        return self._place

    def _tell(self, count: int) -> None:
        """Bytes came in; keep to the pace, and say so now and then."""
        self._meter(count)
        with self._lock:
            now = time.monotonic()
            if now - self._told < self._every:
                return
            self._told = now
        self._report(Progress(transfer=self.transfer, state=State.RUNNING, done=self.done, size=self.size))

    def _deliver(self, place: Place, hasher: Hasher) -> Outcome:
        """Verify the partial and give it its name; what is no model leaves nothing behind."""
        partial = self._intake.partial
        try:
            verification = self._verify(partial, hasher.digests())
        except DigestMismatch as fault:
            raise self._mismatch(partial, fault, hasher.sha256()) from fault
        except (NotAModel, SizeMismatch, Refused):
            self._intake.drop()
            raise
        names = target_names(self._name, self._source, hasher.sha256())
        published = publish(partial, names, hasher.sha256())
        self._intake.forget()
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
                    f"{self._name}: {self._source.giver} publishes {theirs}, got {digests[-1]}"
                )
            case None:
                structure = check_structure(partial.read, size, self._name)
        if not structure.exact and not self._intake.has_end:
            raise Refused(
                f"{self._name}: nobody says how long it is, so a line that broke would look like its end",
                hint="Ask who publishes it for its SHA-256, or take it as safetensors.",
            )
        if not structure.exact:
            return Verification.NONE
        return Verification.STRUCTURE if wanted is None else Verification.SIZE

    def _mismatch(self, partial: Partial, fault: DigestMismatch, sha256: Digest) -> WatchmanError:
        """What to do with wrong bytes: begin anew, once, if answers may not fit; else set them aside."""
        if self._intake.pieced and not self._anew:
            self._anew = True
            self._intake.drop()
            return Interrupted(f"{self._name}: its pieces do not fit together; it is fetched anew")
        aside = set_aside(partial, self._name, sha256)
        self._intake.forget()
        return DigestMismatch(f"{fault.message}; set aside as {aside}")

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
