"""Many transfers at once: who goes next, who waits, who tries again.

    waiting ──take──► running ──► done
       ▲                │
       └── put back ────┘   after backoff, or when the host's Retry-After is over

Workers never sleep on a transfer: one that has to wait goes back and the worker takes another, so a host
that wants a minute's rest does not keep files of other hosts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from ..errors import HubUnavailable, Interrupted, WatchmanError
from ..plan import Transfer
from .delivery import Delivery
from .events import Authorize, Listener, Outcome, Progress, State
from .guard import Guard
from .http import Client
from .limits import Limits
from .preflight import Problem, preflight

__all__ = ["Guard", "Limits", "Problem", "preflight", "run"]

_LOG: Final = logging.getLogger(__name__)
_GLANCE: Final = 0.2  # seconds between two looks at the stop event


@dataclass(slots=True, eq=False)
class _Job:
    """A transfer's place in the queue."""

    transfer: Transfer
    delivery: Delivery
    host: str
    is_small: bool
    ready_at: float = 0.0
    failures: int = 0  # in a row without progress
    seen: int = 0  # most bytes at any failure
    outcome: Outcome | None = None


@dataclass(slots=True)
class _Desk:
    """What is waiting and running, shared by all workers."""

    waiting: list[_Job]
    limits: Limits
    stop: threading.Event
    running: list[_Job] = field(default_factory=list)
    rests: dict[str, float] = field(default_factory=dict)  # host → when it may be asked again
    change: threading.Condition = field(default_factory=threading.Condition)

    def take(self) -> _Job | None:
        """The next job, as soon as one is ready; None when there will be no more."""
        with self.change:
            while self.waiting or self.running:
                job = self._next()
                if job is not None:
                    self.waiting.remove(job)
                    self.running.append(job)
                    return job
                self.change.wait(min(_GLANCE, self._time_to_next()))
            return None

    def _ready_at(self, job: _Job) -> float:
        return max(job.ready_at, self.rests.get(job.host, 0.0))

    def _time_to_next(self) -> float:
        """Seconds until a waiting job is ready, as far as is known now."""
        return max(0.0, min(map(self._ready_at, self.waiting), default=_GLANCE) - time.monotonic())

    def _next(self) -> _Job | None:
        """The first that is ready; a small one if the big ones would take every place."""
        now = time.monotonic()
        if self.stop.is_set():
            return self.waiting[0] if self.waiting else None
        ready = [job for job in self.waiting if self._ready_at(job) <= now]
        if sum(not job.is_small for job in self.running) >= self.limits.together - 1:
            ready.sort(key=lambda job: not job.is_small)
        return ready[0] if ready else None

    def end(self, job: _Job) -> None:
        """The job has its outcome."""
        with self.change:
            self.running.remove(job)
            self.change.notify_all()

    def put_back(self, job: _Job, *, wait: float, rest: float | None) -> None:
        """The job has to wait; `rest` keeps all others of its host waiting too."""
        now = time.monotonic()
        job.ready_at = now + wait
        with self.change:
            if rest is not None:
                self.rests[job.host] = max(self.rests.get(job.host, 0.0), now + rest)
            self.running.remove(job)
            self.waiting.append(job)
            self.change.notify_all()

    def share(self) -> int:
        """How many connections each running transfer may use."""
        with self.change:
            return max(1, self.limits.connections // max(1, len(self.running)))


def run(
    transfers: Sequence[Transfer],
    *,
    authorize: Authorize,
    listener: Listener | None = None,
    stop: threading.Event | None = None,
    limits: Limits | None = None,
    guard: Guard | None = None,
    roots: tuple[str, ...] = (),
) -> list[Outcome]:
    """Bring all files; one outcome each, in the same order. Never raises for a transfer's fault.

    `authorize` gives the headers for just that URL; it and `listener` are called from worker threads, the
    listener by one at a time. `stop` ends the run soon and leaves partials that a later run resumes; so
    does KeyboardInterrupt, which is raised again. `roots` are further real folders that links may lead to.
    """
    limits, stop = limits or Limits(), stop or threading.Event()
    tell = _one_at_a_time(listener)
    with Client(guard=guard or Guard(), limits=limits, authorize=authorize, stop=stop) as client:
        desk = _Desk([], limits, stop)
        jobs = [_job(t, client, desk, tell, roots) for t in transfers]
        desk.waiting.extend(jobs)
        workers = [
            threading.Thread(target=_work, args=(desk, tell), name="comfywatchman-transfer", daemon=True)
            for _ in range(min(limits.together, len(jobs)))
        ]
        for worker in workers:
            worker.start()
        _await_workers(workers, stop, client)
    return [job.outcome for job in jobs if job.outcome is not None]


def _job(transfer: Transfer, client: Client, desk: _Desk, tell: Listener, roots: tuple[str, ...]) -> _Job:
    delivery = Delivery(
        transfer, client=client, limits=desk.limits, roots=roots, report=tell, share=desk.share
    )
    size = transfer.source.size
    host = urlsplit(transfer.source.url).netloc
    return _Job(transfer, delivery, host, is_small=size is not None and size < desk.limits.small)


def _one_at_a_time(listener: Listener | None) -> Listener:
    """A listener that threads may call together."""
    lock = threading.Lock()

    def tell(progress: Progress) -> None:
        if listener is None:
            return
        try:
            with lock:
                listener(progress)
        except Exception:  # noqa: BLE001 - a broken progress bar must not stop a transfer
            _LOG.exception("the listener failed on %s", progress.transfer.path)

    return tell


def _await_workers(workers: list[threading.Thread], stop: threading.Event, client: Client) -> None:
    """Wait for the workers; once the run is stopped, wake those that wait for bytes."""
    try:
        while any(worker.is_alive() for worker in workers):
            for worker in workers:
                worker.join(_GLANCE / len(workers))
            if stop.is_set():
                client.abort()
    except KeyboardInterrupt:
        stop.set()
        _await_workers(workers, stop, client)
        raise


def _work(desk: _Desk, tell: Listener) -> None:
    """One worker: takes jobs until none is left."""
    while (job := desk.take()) is not None:
        tell(
            Progress(
                transfer=job.transfer, state=State.RUNNING, done=job.delivery.done, size=job.delivery.size
            )
        )
        try:
            outcome = job.delivery.attempt()
        except (HubUnavailable, Interrupted) as fault:
            if _tries_again(desk, job, fault, tell):
                continue
            outcome = _failed(job, fault, State.CANCELLED if desk.stop.is_set() else State.FAILED)
        except WatchmanError as fault:
            outcome = _failed(job, fault, State.FAILED)
        except Exception:  # noqa: BLE001 - one transfer's fault of ours must not end the others
            _LOG.exception("transfer of %s failed", job.transfer.path)
            outcome = _failed(
                job, WatchmanError(f"{job.transfer.path}: a fault of ours; see the log"), State.FAILED
            )
        _finish(desk, job, outcome, tell)


def _finish(desk: _Desk, job: _Job, outcome: Outcome, tell: Listener) -> None:
    """Close the delivery and tell the outcome."""
    try:
        job.delivery.close()
    except OSError:  # the last journal stays, or none: the next run takes fewer bytes over
        _LOG.warning("the partial of %s could not be closed", job.transfer.path, exc_info=True)
    job.outcome = outcome
    tell(Progress(transfer=job.transfer, state=outcome.state, done=job.delivery.done, size=outcome.size))
    desk.end(job)


def _tries_again(desk: _Desk, job: _Job, fault: WatchmanError, tell: Listener) -> bool:
    """Put the job back if it has tries left and the host does not want too long a rest."""
    if desk.stop.is_set():
        return False
    job.failures = 1 if job.delivery.done >= job.seen + desk.limits.least else job.failures + 1
    job.seen = max(job.seen, job.delivery.done)
    rest = fault.retry_after if isinstance(fault, HubUnavailable) else None
    wait = max(rest or 0.0, desk.limits.backoff * 2 ** (job.failures - 1))
    if job.failures > desk.limits.retries or (rest or 0.0) > desk.limits.patience:
        return False
    note = f"tries again in {wait:.0f} s: {fault.message}"
    tell(
        Progress(transfer=job.transfer, state=State.QUEUED, done=job.seen, size=job.delivery.size, note=note)
    )
    desk.put_back(job, wait=wait, rest=rest)
    return True


def _failed(job: _Job, fault: WatchmanError, state: State) -> Outcome:
    return Outcome(
        transfer=job.transfer, state=state, path=job.transfer.path, size=job.delivery.size, error=fault
    )
