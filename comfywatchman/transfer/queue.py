"""The queue: transfers that wait, run and end, shared by every process with the same data folder.

    with Queue(folder, roots=roots) as queue:
        queue.fetch(transfers, authorize=…)     bring just these; what was left over stays where it is
        queue.work(authorize=…, stop=…)         bring everything that is queued

What one process has in hand no other takes; what a dead one had in hand is queued again. A process that
asks for a file another brings waits, hears of its progress, and gets its outcome. `run` does without all
this: one list, one process, nothing written down.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

from ..errors import Interrupted, UnsafePath
from ..plan import Transfer
from .claim import held_room
from .crew import Crew
from .entry import OPEN, Entry, failure, host_of, make_id
from .events import Authorize, Listener, Listeners, OnEnd, Outcome, State
from .guard import Guard
from .http import Client
from .limits import Limits
from .owner import find_self
from .preflight import Problem, preflight
from .rows import PATIENCE, Ids, Standing, open_base
from .shared import Shared, clear_partials, device_of, find_begun
from .store import Store

__all__ = ["Guard", "Limits", "Problem", "Queue", "preflight", "run"]


class Queue:
    """The queue of a data folder; `folder` None, or one that cannot hold it: in memory.

    `roots` are the real folders that may be written to. All verbs may be called from any thread; `ids`
    None means all entries. `patience` is how many seconds a lock of another program is waited for.

    Raises:
        IndexTooNew: a newer version wrote the file.
        IndexLocked: another program keeps the file locked. Every verb may raise it.
    """

    def __init__(
        self, folder: Path | None, *, roots: tuple[str, ...] = (), patience: float = PATIENCE
    ) -> None:
        self._roots = roots
        self._store = Store(open_base(folder, patience=patience), find_self())
        self._listeners = Listeners()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; no run of this queue may be under way."""
        self._store.close()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell a listener of everything this queue carries out, until what is returned is called."""
        return self._listeners.add(listener)

    def use_roots(self, roots: tuple[str, ...]) -> None:
        """Write to these folders from the next run on."""
        self._roots = roots

    # ── what stands in it ──

    def entries(self, ids: Ids = None) -> list[Entry]:
        """Entries in the order in which they are carried out."""
        return self._store.entries(ids)

    def standings(self, ids: Ids = None) -> dict[str, Standing]:
        """Where entries stand, in short: to be looked up again and again."""
        return self._store.standings(ids)

    def order(self) -> list[str]:
        """The ids of all entries in the order in which they are carried out."""
        return self._store.order()

    def is_waiting(self) -> bool:
        """Whether something is queued that a run could carry out, or runs somewhere."""
        return not self._store.is_idle()

    def preflight(self, transfers: Sequence[Transfer], *, limits: Limits | None = None) -> list[Problem]:
        """Look at every target before anything is asked of the network; see `preflight`.

        The room that other transfers under way still need is not there for these.
        """
        promised = self._promised(besides={id_ for id_ in map(_id_or_none, transfers) if id_})
        return preflight(transfers, limits=limits, roots=self._roots, promised=promised)

    def _promised(self, *, besides: Collection[str]) -> Mapping[int, int]:
        """Bytes still to be written, by file system, of what living processes carry out or wait for."""
        needs: defaultdict[int, int] = defaultdict(int)
        for entry in self._store.expected():
            device = device_of(entry.transfer.root)
            if entry.id not in besides and device is not None:
                target = Path(entry.transfer.root, entry.transfer.path)
                set_aside = held_room(target.parent, target.name)  # and so no longer among what is free
                needs[device] += max(0, (entry.transfer.source.size or 0) - max(entry.done, set_aside))
        return needs

    # ── what a person does to it ──

    def add(self, transfers: Iterable[Transfer], *, priority: int = 0) -> list[str]:
        """Queue transfers and say under which ids; the same file is there once, whoever asks for it.

        Raises:
            UnsafePath: a path is none for below a root.
        """
        return self._store.add(transfers, priority=priority)

    def pause(self, ids: Ids = None) -> None:
        """Hold back what waits or runs; what came is kept."""
        self._store.move(ids, start={State.QUEUED, State.RUNNING}, to=State.PAUSED)

    def resume(self, ids: Ids = None) -> None:
        """Queue what is paused."""
        self._store.move(ids, start={State.PAUSED}, to=State.QUEUED)

    def retry(self, ids: Ids = None) -> None:
        """Queue again what failed or was cancelled."""
        self._store.move(ids, start={State.FAILED, State.CANCELLED}, to=State.QUEUED)

    def cancel(self, ids: Ids = None) -> None:
        """Give up what did not end yet, and throw away what came of it."""
        moved = self._store.move(ids, start=OPEN, to=State.CANCELLED)
        free = [id_ for id_, standing in self._store.standings(moved).items() if not standing.owner]
        begun = find_begun(self._store.targets(free))  # of the others, who has them in hand clears it away
        for entry in self._store.entries(begun):
            clear_partials(entry, self._roots)

    def remove(self, ids: Ids = None) -> None:
        """Forget entries that ended."""
        self._store.drop(ids)

    def prioritize(self, ids: Ids, priority: int) -> None:
        """Give entries a priority; higher comes first."""
        self._store.prioritize(ids, priority)

    def place(self, id_: str, *, before: str | None) -> None:
        """Put an entry in front of another; None: behind all of its priority."""
        self._store.place(id_, before=before)

    # ── carrying it out ──

    def fetch(
        self,
        transfers: Sequence[Transfer],
        *,
        authorize: Authorize,
        listener: Listener | None = None,
        stop: threading.Event | None = None,
        limits: Limits | None = None,
        guard: Guard | None = None,
        priority: int = 0,
        on_end: OnEnd | None = None,
    ) -> list[Outcome]:
        """Bring these and no others; one outcome each, in the same order.

        `authorize` gives the headers for just that URL; it and `listener` are called from several threads,
        the listener by one at a time. `stop` ends the run soon and leaves the rest queued; so does
        KeyboardInterrupt, which is raised again. `on_end` gets each outcome that this run brings about, once,
        before it is written down, and may add to it.

        Raises:
            UnsafePath: a path is none for below a root.
        """
        ids = self.add(transfers, priority=priority)
        given = dict(zip(ids, transfers, strict=True))
        tell = Listeners(self._listeners, *filter(None, [listener]))
        shared = Shared(
            self._store.renamed(find_self()),
            given=given,
            only=True,
            roots=self._roots,
            tell=tell,
            on_end=on_end,
        )
        self._carry_out(shared, authorize=authorize, tell=tell, stop=stop, limits=limits, guard=guard)
        outcomes = shared.outcomes()
        return [outcomes[id_] for id_ in ids]

    def work(
        self,
        *,
        authorize: Authorize,
        stop: threading.Event | None = None,
        limits: Limits | None = None,
        guard: Guard | None = None,
        lingers: bool = False,
        on_end: OnEnd | None = None,
    ) -> None:
        """Bring everything that is queued; with `lingers` also what comes later, until `stop` is set.

        The file's word is not believed: entries go only to `roots`, and past the guard. `on_end` is as for
        `fetch`.
        """
        shared = Shared(
            self._store.renamed(find_self()),
            given={},
            only=False,
            roots=self._roots,
            tell=self._listeners,
            lingers=lingers,
            on_end=on_end,
        )
        self._carry_out(
            shared, authorize=authorize, tell=self._listeners, stop=stop, limits=limits, guard=guard
        )

    def _carry_out(
        self,
        shared: Shared,
        *,
        authorize: Authorize,
        tell: Listener,
        stop: threading.Event | None,
        limits: Limits | None,
        guard: Guard | None,
    ) -> None:
        limits, stop = limits or Limits(), stop or threading.Event()
        with shared, Client(guard=guard or Guard(), limits=limits, authorize=authorize, stop=stop) as client:
            crew = Crew(shared, client=client, limits=limits, stop=stop, tell=tell, roots=self._roots)
            crew.work(lambda: shared.tick(crew), hands=shared.hands(limits.together))


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
    tell = Listeners(*filter(None, [listener]))
    given = _Given(transfers)
    with Client(guard=guard or Guard(), limits=limits, authorize=authorize, stop=stop) as client:
        crew = Crew(given, client=client, limits=limits, stop=stop, tell=tell, roots=roots)
        crew.work(lambda: None, hands=min(limits.together, len(transfers)))
    return given.outcomes()


class _Given:
    """A list of transfers as a crew's feed."""

    def __init__(self, transfers: Sequence[Transfer]) -> None:
        self._all = {str(number): transfer for number, transfer in enumerate(transfers)}
        self._left = dict(self._all)
        self._ended: dict[str, Outcome] = {}

    def claim(self, *, resting: Collection[str], small: int) -> tuple[str, Transfer] | None:
        """The first that may go, or the first small one."""
        ready = [(k, t) for k, t in self._left.items() if host_of(t.source.url) not in resting]
        ready.sort(key=lambda pair: (pair[1].source.size or small) >= small)
        if not ready:
            return None
        del self._left[ready[0][0]]
        return ready[0]

    def end(self, key: str, outcome: Outcome) -> None:
        """Keep the outcome."""
        self._ended[key] = outcome

    def is_over(self) -> bool:
        """Whether all were claimed."""
        return not self._left

    def outcomes(self) -> list[Outcome]:
        """All outcomes; what a stopped run did not come to is cancelled."""
        return [
            self._ended.get(key)
            or failure(transfer, Interrupted(f"{transfer.path}: stopped"), State.CANCELLED)
            for key, transfer in self._all.items()
        ]


def _id_or_none(transfer: Transfer) -> str | None:
    """The id of a transfer's entry; None if its path can be none."""
    try:
        return make_id(transfer)
    except UnsafePath:
        return None
