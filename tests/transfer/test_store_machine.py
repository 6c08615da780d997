"""The queue's states as a machine: what any order of steps by any number of processes leaves."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from transfer.models import transfer

from comfywatchman.errors import NotFound
from comfywatchman.transfer.entry import FINAL, OPEN, failure, make_id
from comfywatchman.transfer.events import Outcome, State
from comfywatchman.transfer.owner import find_self
from comfywatchman.transfer.rows import open_base
from comfywatchman.transfer.store import Store

FILES = [
    transfer(Path("/m"), f"https://h{n % 2}.example/{n}", bytes(n), path=f"{n}.safetensors", digests=())
    for n in range(8)
]
IDS = [make_id(t) for t in FILES]
SMALL = 3

some = st.sampled_from(IDS)
several = st.one_of(st.none(), st.sets(some, min_size=1))
who = st.sampled_from(["one", "two", "dead"])


@dataclass
class Model:
    """What is known of an entry."""

    state: State = State.QUEUED
    priority: int = 0
    owner: str | None = None


class QueueMachine(RuleBasedStateMachine):
    """Two living processes and one that is dead but does not know it, on one file."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        base = open_base(Path(self.folder.name))
        here = find_self()
        self.stores = {
            "one": Store(base, here),
            "two": Store(open_base(Path(self.folder.name)), replace(here, token="two")),
            "dead": Store(base, replace(here, started="1", token="dead")),
        }
        self.model: dict[str, Model] = {}
        self.order: list[str] = []  # by position alone

    def teardown(self) -> None:
        self.stores["one"].close()
        self.stores["two"].close()
        self.folder.cleanup()

    def chosen(self, ids: set[str] | None, *states: State) -> list[str]:
        return [i for i, m in self.model.items() if (ids is None or i in ids) and m.state in states]

    def turns(self) -> list[str]:
        return sorted(self.order, key=lambda i: (-self.model[i].priority, self.order.index(i)))

    @rule(numbers=st.lists(st.integers(0, 7), min_size=1, max_size=4), priority=st.integers(0, 2))
    def add(self, numbers: list[int], priority: int) -> None:
        """The same file stays one entry; what waits or runs stays where it is, what ended begins again."""
        ids = self.stores["one"].add([FILES[n] for n in numbers], priority=priority)
        assert ids == [IDS[n] for n in numbers]
        for id_ in ids:
            known = self.model.get(id_)
            if known is None:
                self.model[id_] = Model(priority=priority)
            elif known.state in (State.QUEUED, State.RUNNING):
                known.priority = max(known.priority, priority)
                continue
            else:
                known.state, known.priority = State.QUEUED, max(known.priority, priority)
                self.order.remove(id_)
            self.order.append(id_)

    @rule(name=who, ids=several, small=st.sampled_from([0, SMALL]), resting=st.booleans())
    def claim(self, name: str, ids: set[str] | None, small: int, resting: bool) -> None:
        """The next by priority, small ones first if so asked, then in order; and nobody else's."""
        entry = self.stores[name].claim(ids, resting=["h1.example"] if resting else [], small=small)
        free = [
            i
            for i in self.turns()
            if self.model[i].state is State.QUEUED
            and self.model[i].owner is None
            and (ids is None or i in ids)
            and not (resting and IDS.index(i) % 2)
        ]
        free.sort(key=lambda i: (-self.model[i].priority, IDS.index(i) >= small))
        assert (entry.id if entry else None) == (free[0] if free else None)
        if entry:
            assert entry.transfer == FILES[IDS.index(entry.id)]
            self.model[entry.id].state = State.RUNNING
            self.model[entry.id].owner = name

    @precondition(lambda self: any(m.owner for m in self.model.values()))
    @rule(data=st.data(), good=st.booleans(), name=who)
    def end(self, data: st.DataObject, good: bool, name: str) -> None:
        """Only who has an entry in hand can say how it ended."""
        id_ = data.draw(st.sampled_from(self.order))
        moved = FILES[IDS.index(id_)]
        outcome = Outcome(transfer=moved, state=State.VERIFIED, path=moved.path, size=moved.source.size)
        if not good:
            outcome = failure(moved, NotFound("gone", hub="web"))
        self.stores[name].end(id_, outcome)
        if self.model[id_].owner == name:
            self.model[id_].state, self.model[id_].owner = outcome.state, None

    @rule(id_=some, name=who)
    def release(self, id_: str, name: str) -> None:
        self.stores[name].release(id_)
        known = self.model.get(id_)
        if known and known.owner == name:
            known.owner = None
            known.state = State.QUEUED if known.state is State.RUNNING else known.state

    @rule(name=who)
    def leave(self, name: str) -> None:
        self.stores[name].leave()
        for known in self.model.values():
            if known.owner == name:
                known.owner = None
                known.state = State.QUEUED if known.state is State.RUNNING else known.state

    @rule(id_=some, name=who)
    def keep(self, id_: str, name: str) -> None:
        self.stores[name].keep(id_)
        known = self.model.get(id_)
        if known and known.owner == name and known.state is State.QUEUED:
            known.state = State.RUNNING

    @rule()
    def reap(self) -> None:
        """What the dead one had in hand is queued again, what the living have is not."""
        self.stores["one"].reap()
        for known in self.model.values():
            if known.owner == "dead":
                known.owner = None
                known.state = State.QUEUED if known.state is State.RUNNING else known.state

    @rule(
        ids=several,
        step=st.sampled_from(
            [
                ({State.QUEUED, State.RUNNING}, State.PAUSED),
                ({State.PAUSED}, State.QUEUED),
                (set(OPEN), State.CANCELLED),
                ({State.FAILED, State.CANCELLED}, State.QUEUED),
            ]
        ),
    )
    def move(self, ids: set[str] | None, step: tuple[set[State], State]) -> None:
        """Pause, resume, cancel and retry act on those they may act on, and on no others."""
        start, to = step
        expected = self.chosen(ids, *start)
        assert sorted(self.stores["two"].move(ids, start=start, to=to)) == sorted(expected)
        for id_ in expected:
            self.model[id_].state = to

    @rule(ids=several, priority=st.integers(-1, 3))
    def prioritize(self, ids: set[str] | None, priority: int) -> None:
        self.stores["one"].prioritize(ids, priority)
        for id_ in self.chosen(ids, *State):
            self.model[id_].priority = priority

    @rule(id_=some, before=st.one_of(st.none(), some))
    def place(self, id_: str, before: str | None) -> None:
        self.stores["one"].place(id_, before=before)
        if id_ not in self.model or id_ == before or (before and before not in self.model):
            return
        self.order = [i for i in self.turns() if i != id_]
        self.model[id_].priority = self.model[before or id_].priority
        self.order.insert(self.order.index(before) if before else len(self.order), id_)

    @rule(ids=several)
    def drop(self, ids: set[str] | None) -> None:
        """Only what ended, and is in nobody's hands, is forgotten."""
        self.stores["one"].drop(ids)
        for id_ in self.chosen(ids, *FINAL):
            if self.model[id_].owner is None:
                del self.model[id_]
                self.order.remove(id_)

    @invariant()
    def nothing_is_lost(self) -> None:
        """Every entry is there once, in its state and its turn, whoever looks."""
        for store in (self.stores["one"], self.stores["two"]):
            entries = store.entries()
            assert [e.id for e in entries] == self.turns()
            assert {e.id: (e.state, e.priority) for e in entries} == {
                i: (m.state, m.priority) for i, m in self.model.items()
            }
            owners = {i: m.owner and str(self.stores[m.owner].here) for i, m in self.model.items()}
            assert {i: s.owner for i, s in store.standings().items()} == owners

    @invariant()
    def idle_is_idle(self) -> None:
        going = self.chosen(None, State.QUEUED, State.RUNNING)
        assert self.stores["one"].is_idle() is (not going)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
