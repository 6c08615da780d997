"""Plans on the server: made in a thread, looked at while they grow, carried out once, gone after ten minutes.

    open ─▶ Review ──put(local)──put(known)──put(hubs)…──put(done)──▶ spend (once)

A page holds nothing but the id; what it agrees to is what stands here.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from ..catalog import Json
from ..errors import Interrupted, WatchmanError
from .errors import PlanGone, PlanSpent, TooManyPlans, call_safely
from .events import OPERATION
from .items import Item

LIFE: Final = 600.0  # seconds
MOST: Final = 32  # plans at once; the oldest gives way
_TRAIL: Final = 2  # times as many threads: one that waits for a hub hears late that nobody wants its plan
_FIRST: Final = 60.0  # seconds to wait for what this disk says


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is known at a stage. `asking` are hubs that have yet to answer."""

    stage: str
    items: tuple[Item, ...] = ()
    asking: tuple[str, ...] = ()
    faults: tuple[WatchmanError, ...] = ()


class Review:
    """One plan. Its thread puts snapshots; pages look at the last one."""

    def __init__(self, *, expires: float, deadline: float, tell: Callable[[Review], None]) -> None:
        self.id = secrets.token_urlsafe(18)
        self.expires = expires
        self.deadline = deadline
        self.snapshot = Snapshot(stage="local")
        self._tell = tell
        self._fault: WatchmanError | None = None
        self._begun = threading.Event()
        self._over = threading.Event()
        self._spending = threading.Lock()
        self._is_spent = False

    def put(self, snapshot: Snapshot) -> None:
        """Show what is known now.

        Raises:
            Interrupted: nobody wants to know any more.
        """
        if self._over.is_set():
            raise Interrupted("the plan has expired")
        self.snapshot = snapshot
        self._begun.set()
        self._tell(self)

    def fail(self, fault: WatchmanError) -> None:
        """Making it came to an end before its time."""
        if not self._begun.is_set():
            self._fault = fault
            self._begun.set()
        elif not self._over.is_set():
            before = self.snapshot
            self.put(Snapshot(stage="done", items=_settle(before.items), faults=(*before.faults, fault)))

    def await_first(self) -> Snapshot:
        """The first snapshot.

        Raises:
            WatchmanError: there is none, since what was asked cannot be answered.
        """
        self._begun.wait(_FIRST)
        if self._fault is not None:
            raise self._fault
        return self.snapshot

    def end(self) -> None:
        """Nobody wants to know any more."""
        self._over.set()

    @contextmanager
    def spend(self) -> Iterator[Callable[[], None]]:
        """Carry it out, once and by one at a time; what is given is called when something was taken.

        Raises:
            PlanSpent: that was done before.
        """

        def mark() -> None:
            self._is_spent = True

        with self._spending:
            if self._is_spent:
                raise PlanSpent("this plan was carried out already")
            yield mark


class Plans:
    """The plans of one process. `send` hears of each new stage."""

    def __init__(
        self,
        send: Callable[[str, Mapping[str, Json]], None],
        *,
        life: float = LIFE,
        most: int = MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send, self._life, self._most, self._clock = send, life, most, clock
        self._lock = threading.Lock()
        self._reviews: dict[str, Review] = {}
        self._working = 0  # threads

    def open(self, work: Callable[[Review], None]) -> Review:
        """Begin a plan: `work` puts what it finds into the review, in a thread of its own.

        Raises:
            TooManyPlans: the threads of earlier ones still wait.
        """
        review = Review(
            expires=time.time() + self._life, deadline=self._clock() + self._life, tell=self._tell
        )
        with self._lock:
            if self._working >= _TRAIL * self._most:
                raise TooManyPlans(f"{self._working} plans are being made already")
            self._working += 1
            self._drop_old()
            while len(self._reviews) >= self._most:
                self._reviews.pop(next(iter(self._reviews))).end()
            self._reviews[review.id] = review

        def run() -> None:
            try:
                call_safely(lambda: work(review), what="making the plan")
            except WatchmanError as fault:
                review.fail(fault)
            finally:
                with self._lock:
                    self._working -= 1

        threading.Thread(target=run, name="comfywatchman-plan", daemon=True).start()
        return review

    def get(self, id_: str) -> Review:
        """The plan of that id.

        Raises:
            PlanGone: there is none, or its time is over.
        """
        with self._lock:
            self._drop_old()
            review = self._reviews.get(id_)
        if review is None:
            raise PlanGone("there is no such plan, or it is older than ten minutes")
        return review

    def close(self) -> None:
        """Give up all plans."""
        with self._lock:
            for review in self._reviews.values():
                review.end()
            self._reviews.clear()

    def _drop_old(self) -> None:
        now = self._clock()
        for id_, review in [*self._reviews.items()]:
            if review.deadline <= now:
                self._reviews.pop(id_).end()

    def _tell(self, review: Review) -> None:
        snapshot = review.snapshot
        asking: list[Json] = [*snapshot.asking]
        self._send(
            OPERATION, {"operation": "plan", "id": review.id, "stage": snapshot.stage, "asking": asking}
        )


def _settle(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """The items when nobody will be asked any more."""
    return tuple(replace(item, asked=False) for item in items)
