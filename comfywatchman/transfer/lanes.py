"""Several ranges of one file at once, each written in its place.

Ranges are handed out in order of their start, so what is written stays close to the front and little is
lost when a run ends. Each lane is a thread on its own connection. There are as many as the file has
ranges for, as limits and the other transfers leave, and as bring something (see `pace`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, replace

from ..errors import Interrupted, WatchmanError
from ..hands import Hands
from .ask import Ask, Changed, NoRanges
from .front import Damaged, Front
from .http import Body, Client
from .limits import Limits
from .pace import Pace
from .partial import Partial

Report = Callable[[int], None]  # called with each count of bytes that came


@dataclass(frozen=True, slots=True)
class Sink:
    """Where bytes go: into the partial, before the front, into the count."""

    partial: Partial
    front: Front
    report: Report

    def take(self, body: Body) -> None:
        """Write a body in its place as it comes.

        Raises:
            Damaged, WatchmanError: of the line, or of the hashing thread.
            OSError: of the disk.
        """
        start = at = body.start
        while data := body.read():
            self.partial.write(at, data)
            at += len(data)
            self.front.grow(start, at)
            self.report(len(data))


class Lanes:
    """Brings what is missing of a file whose size is known; `gaps` are where, in order, besides `ask`."""

    def __init__(
        self,
        client: Client,
        ask: Ask,
        sink: Sink,
        limits: Limits,
        pace: Pace,
        *,
        gaps: Iterable[tuple[int, int]],
    ) -> None:
        self._client, self._ask, self._limits, self._pace = client, ask, limits, pace
        self._sink = replace(sink, report=self._came)
        self._report = sink.report
        self._brought = 0
        self._size = ask.size or 0
        self._lock = threading.Lock()
        self._left = sorted(gaps, reverse=True)  # and what lanes gave back; the first stands last
        self._running = 0
        self._ended = False
        self._lanes: list[Future[None]] = []
        self._fault: Exception | None = None

    def run(self, first: Body, share: Callable[[], int]) -> None:
        """Receive everything; `first` is the answer to the first range, `share` how many lanes may run now.

        Raises:
            Changed, NoRanges, Damaged: one lane found out; the file has to be begun anew.
            WatchmanError, OSError: the fault of the last lane to give up.
        """
        self._share, self._hop = share, first.hop
        asked = self._ask.stop or 0
        if first.stop is not None and first.stop < asked:
            self._give_back(first.stop, asked)
        self._running = 1
        with Hands(self._limits.segments, name="comfywatchman-lane") as self._pool:
            self._lane(first)
            while self._lanes:
                self._lanes.pop().result()
        if self._fault is not None and (self._ended or self._sink.front.reach < self._size):
            raise self._fault

    def _lane(self, body: Body | None) -> None:
        """Take ranges until none is left, this lane is one too many, or something breaks."""
        try:
            while body is not None or (body := self._ask_next()) is not None:
                self._receive(body)
                body = None
        except (Changed, NoRanges, Damaged, WatchmanError, OSError) as fault:
            self._give_up(fault)
        except BaseException:  # a fault of ours: the future brings it to `run`, the others end
            self._ended = True
            raise
        finally:
            with self._lock:
                self._running -= 1

    def _give_up(self, fault: Exception) -> None:
        """A lane is over; all are if the file has to be begun anew."""
        with self._lock:
            if self._ended:
                return
            self._pace.slow_down(time.monotonic())
            self._fault = fault
            self._ended = isinstance(fault, Changed | NoRanges | Damaged)
        if self._ended:
            self._client.abort(self._ask.line)

    def _receive(self, body: Body) -> None:
        at, stop = body.start, body.stop or 0
        with body:
            try:
                self._sink.take(body)
                at = stop
            finally:
                at = max(at, stop - (body.left or 0))
                if at < stop:
                    self._give_back(at, stop)

    def _ask_next(self) -> Body | None:
        """Ask for the next range; None if there is none or others do it."""
        self._sink.front.let_catch_up()
        with self._lock:
            if self._ended or self._running > self._room():
                return None
            if not self._left:
                return None
            start, end = self._left.pop()
            stop = min(start + self._limits.segment, end)
            if stop < end:
                self._left.append((stop, end))
        try:
            body = self._client.open(replace(self._ask, start=start, stop=stop), direct=self._hop)
        except BaseException:
            self._give_back(start, stop)
            raise
        if body.stop is not None and body.stop < stop:
            self._give_back(body.stop, stop)
        return body

    def _room(self) -> int:
        """How many lanes there may be now."""
        paced = self._pace.look(time.monotonic(), done=self._brought)
        return max(1, min(paced, self._share()))

    def _give_back(self, start: int, stop: int) -> None:
        with self._lock:
            self._left.append((start, stop))
            self._left.sort(reverse=True)

    def _came(self, count: int) -> None:
        """Bytes came: start more lanes if there is work and room for them."""
        self._report(count)
        with self._lock:
            self._brought += count
            if self._ended:
                raise Interrupted("another lane ended it")
            ranges = sum(-((start - stop) // self._limits.segment) for start, stop in self._left)
            wanted = min(self._room(), self._running + ranges)
            for _ in range(self._running, wanted):
                self._running += 1
                self._lanes.append(self._pool.submit(self._lane, None))
