"""The workers of a run: who goes next, who waits, who tries again.

    feed ──claim──► running ──► ended ──► feed
                     │   ▲
                     ▼   │        after backoff, or when the host's Retry-After is over
                    waiting

Workers never sleep on a transfer: one that has to wait is put aside and the worker takes another, so a
host that wants a minute's rest does not keep files of other hosts. Where transfers come from, and who is
told how they ended, is the feed's business.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from ..errors import HubUnavailable, Interrupted, WatchmanError
from ..plan import Transfer
from .bandwidth import Bucket
from .delivery import Delivery
from .entry import failure, host_of
from .events import Listener, Outcome, Progress, State
from .http import Client, UnknownName
from .limits import MIB, Limits

_LOG: Final = logging.getLogger(__name__)
GLANCE: Final = 0.2  # seconds between two looks at the stop event
_WORTH: Final = MIB  # bytes a second below which a connection is not worth having


class Feed(Protocol):
    """Where a crew gets its transfers from. Called from worker threads; claims come one at a time."""

    def claim(self, *, resting: Collection[str], small: int) -> tuple[str, Transfer] | None:
        """The next transfer and its key; those of hosts in `resting` wait, those below `small` go first."""

    def end(self, key: str, outcome: Outcome) -> None:
        """The transfer has its outcome."""

    def is_over(self) -> bool:
        """Whether no transfer will come any more."""


@dataclass(slots=True, eq=False)
class Job:
    """A transfer in the hands of a crew."""

    key: str
    transfer: Transfer
    host: str
    is_small: bool
    stop: threading.Event  # for all of the run
    halt: threading.Event = field(default_factory=threading.Event)  # for this one; the rest go on
    ready_at: float = 0.0
    failures: int = 0  # in a row without progress
    seen: int = 0  # most bytes at any failure

    delivery: Delivery = field(init=False)

    def check(self) -> None:
        """Raise Interrupted once it is to stop."""
        if self.halt.is_set() or self.stop.is_set():
            raise Interrupted(f"{self.transfer.path}: stopped")


class Crew:
    """Some threads that carry out what a feed gives."""

    def __init__(
        self,
        feed: Feed,
        *,
        client: Client,
        limits: Limits,
        stop: threading.Event,
        tell: Listener,
        roots: tuple[str, ...],
    ) -> None:
        self._feed, self._client, self._limits = feed, client, limits
        self._stop, self._tell, self._roots = stop, tell, roots
        self._bucket = Bucket(limits.bandwidth)
        self._waiting: list[Job] = []
        self._running: list[Job] = []
        self._rests: dict[str, float] = {}  # host → when it may be asked again
        self._change = threading.Condition()
        self._claiming = threading.Lock()
        self._fault: Exception | None = None

    @property
    def jobs(self) -> dict[str, Job]:
        """What is in hand now, by key."""
        with self._change:
            return {job.key: job for job in (*self._waiting, *self._running)}

    def halt(self, job: Job) -> None:
        """Stop one transfer; what came is kept."""
        with self._change:
            job.halt.set()
            self._change.notify_all()

    def work(self, tick: Callable[[], None], *, hands: int) -> None:
        """Carry out everything with that many threads; `tick` is called a few times a second meanwhile."""
        # Events, since Python 3.11 takes a thread for ended when its join is interrupted by Ctrl-C.
        ends = [threading.Event() for _ in range(hands)]
        for end in ends:
            name = "comfywatchman-transfer"
            threading.Thread(target=self._work_until, args=(end,), name=name, daemon=True).start()
        self._await(ends, tick)
        if self._fault is not None:
            raise self._fault

    def _await(self, ends: list[threading.Event], tick: Callable[[], None]) -> None:
        """Wait for the workers, and wake those that are to stop."""
        try:
            while not all(end.is_set() for end in ends):
                for end in ends:
                    end.wait(GLANCE / len(ends))
                tick()
                self._break_off()
        except BaseException:
            if not self._stop.is_set():
                self._stop.set()
                self._await(ends, tick)
            raise

    def _break_off(self) -> None:
        """Wake who waits for bytes that are not wanted any more."""
        if self._stop.is_set():
            self._client.abort()
            return
        for job in self.jobs.values():
            if job.halt.is_set():
                self._client.abort(job.delivery.line)

    # ── who is next ──

    def _take(self) -> Job | None:
        """The next job, as soon as one is ready; None when there will be no more."""
        while True:
            with self._change:
                job = self._next_waiting()
                if job is not None:
                    self._waiting.remove(job)
                    self._running.append(job)
                    return job
                if self._stop.is_set():
                    return None
            job = self._claim()
            if job is not None or self._is_over():
                return job
            with self._change:
                self._change.wait(min(GLANCE, self._time_to_next()))

    def _next_waiting(self) -> Job | None:
        """The first of those that wait which is ready; all are when the run ends."""
        now = time.monotonic()
        ready = (
            job
            for job in self._waiting
            if self._stop.is_set() or job.halt.is_set() or self._ready_at(job) <= now
        )
        return next(ready, None)

    def _ready_at(self, job: Job) -> float:
        return max(job.ready_at, self._rests.get(job.host, 0.0))

    def _time_to_next(self) -> float:
        """Seconds until a waiting job is ready, as far as is known now."""
        return max(
            0.001,
            min(map(self._ready_at, self._waiting), default=time.monotonic() + GLANCE) - time.monotonic(),
        )

    def _claim(self) -> Job | None:
        """A new job from the feed; a small one if the big ones would take every place."""
        with self._claiming:
            with self._change:
                now = time.monotonic()
                resting = [host for host, until in self._rests.items() if until > now]
                big = sum(not job.is_small for job in self._running)
            small = self._limits.small if big >= self._limits.together - 1 else 0
            claimed = self._feed.claim(resting=resting, small=small)
            if claimed is None:
                return None
            job = self._job(*claimed)
            with self._change:
                self._running.append(job)
            return job

    def _is_over(self) -> bool:
        with self._claiming:
            with self._change:
                if self._waiting or self._running:
                    return False
            return self._feed.is_over()

    def _job(self, key: str, transfer: Transfer) -> Job:
        size = transfer.source.size
        is_small = size is not None and size < self._limits.small
        job = Job(key, transfer, host_of(transfer.source.url), is_small, self._stop)

        def meter(count: int) -> None:
            """Keep to the bandwidth, and notice when this one is to stop."""
            until = time.monotonic() + self._bucket.take(count)
            job.check()
            while (left := until - time.monotonic()) > 0:
                time.sleep(min(left, GLANCE))
                job.check()

        job.delivery = Delivery(
            transfer,
            client=self._client,
            limits=self._limits,
            roots=self._roots,
            report=self._tell,
            share=self._share,
            meter=meter,
            check=job.check,
        )
        return job

    def _share(self) -> int:
        """How many connections each running transfer may use."""
        connections = self._limits.connections
        if self._limits.bandwidth:
            connections = min(connections, max(1, self._limits.bandwidth // _WORTH))
        with self._change:
            return max(1, connections // max(1, len(self._running)))

    # ── one worker ──

    def _work_until(self, end: threading.Event) -> None:
        """Work, and say when it is over; a fault of the feed ends the run, as its transfers never would."""
        try:
            self._work()
        except Exception as fault:  # noqa: BLE001 - `work` raises it in the thread that waits
            self._fault = fault
            self._stop.set()
        finally:
            end.set()

    def _work(self) -> None:
        """Take jobs until none is left."""
        while (job := self._take()) is not None:
            self._say(job, State.RUNNING)
            try:
                job.check()
                outcome = job.delivery.attempt()
            except (HubUnavailable, Interrupted) as fault:
                if self._tries_again(job, fault):
                    continue
                is_stopped = self._stop.is_set() or job.halt.is_set()
                outcome = self._failure(job, fault, State.CANCELLED if is_stopped else State.FAILED)
            except WatchmanError as fault:
                outcome = self._failure(job, fault, State.FAILED)
            except Exception:  # noqa: BLE001 - one transfer's fault of ours must not end the others
                _LOG.exception("transfer of %s failed", job.transfer.path)
                ours = WatchmanError(f"{job.transfer.path}: a fault of ours; see the log")
                outcome = self._failure(job, ours, State.FAILED)
            self._finish(job, outcome)

    def _finish(self, job: Job, outcome: Outcome) -> None:
        """Close the delivery and tell the outcome."""
        try:
            job.delivery.close()
        except OSError:  # the last journal stays, or none: the next run takes fewer bytes over
            _LOG.warning("the partial of %s could not be closed", job.transfer.path, exc_info=True)
        self._feed.end(job.key, outcome)
        self._say(job, outcome.state, size=outcome.size)
        with self._change:
            self._running.remove(job)
            self._change.notify_all()

    def _tries_again(self, job: Job, fault: WatchmanError) -> bool:
        """Put the job aside if it has tries left and the host does not want too long a rest."""
        if self._stop.is_set() or job.halt.is_set():
            return False
        delivery, limits = job.delivery, self._limits
        job.failures = 1 if delivery.done >= job.seen + limits.least else job.failures + 1
        job.seen = max(job.seen, delivery.done)
        rest = fault.retry_after if isinstance(fault, HubUnavailable) else None
        wait = max(rest or 0.0, limits.backoff * 2 ** (job.failures - 1))
        tries = limits.lookups if isinstance(fault, UnknownName) else limits.retries
        if job.failures > tries or (rest or 0.0) > limits.patience:
            return False
        self._say(job, State.QUEUED, done=job.seen, note=f"tries again in {wait:.0f} s: {fault.message}")
        self._put_aside(job, wait=wait, rest=rest)
        return True

    def _put_aside(self, job: Job, *, wait: float, rest: float | None) -> None:
        """The job has to wait; `rest` keeps all others of its host waiting too."""
        now = time.monotonic()
        job.ready_at = now + wait
        with self._change:
            if rest is not None:
                self._rests[job.host] = max(self._rests.get(job.host, 0.0), now + rest)
            self._running.remove(job)
            self._waiting.append(job)
            self._change.notify_all()

    def _say(
        self, job: Job, state: State, *, done: int | None = None, size: int | None = None, note: str = ""
    ) -> None:
        done = job.delivery.done if done is None else done
        size = job.delivery.size if size is None else size
        self._tell(Progress(transfer=job.transfer, state=state, done=done, size=size, note=note))

    def _failure(self, job: Job, fault: WatchmanError, state: State) -> Outcome:
        outcome = failure(job.transfer, fault, state)
        return replace(outcome, size=job.delivery.size)
