"""The rows of the queue in `queue.sqlite3`, and the steps from state to state.

    entries(id, state, priority, position, host, size, transfer, whole, done, end, added, changed,
            owner, seen, asker, asked)

`owner` has the entry in hand and `asker` waits for it; `seen` and `asked` are their last signs of life.
Every step is one transaction that holds only from the states it may be taken from, so processes cannot
take the same entry twice. The file is a cache: what cannot be read is thrown away.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..decode import Value
from ..errors import InputError
from ..plan import Transfer
from ..sqlitefile import Base, is_network
from .entry import Entry, host_of, make_id, parse_end, parse_transfer, read_member, write_end, write_transfer
from .events import Outcome, State
from .owner import LEASE, STUCK, Owner, is_alive, parse_owner

FILE_NAME: Final = "queue.sqlite3"
HISTORY: Final = 1000  # ended entries that are kept
PATIENCE: Final = 10.0  # seconds to wait for a lock
_VERSION: Final = 1
_LOG: Final = logging.getLogger(__name__)
_SCHEMA: Final = """
CREATE TABLE entries (
  id TEXT PRIMARY KEY, state TEXT NOT NULL, priority INTEGER NOT NULL, position INTEGER NOT NULL,
  host TEXT NOT NULL, size INTEGER, transfer TEXT NOT NULL, whole INTEGER NOT NULL, done INTEGER NOT NULL,
  end TEXT, added REAL NOT NULL, changed REAL NOT NULL, owner TEXT, seen REAL, asker TEXT, asked REAL);
CREATE INDEX by_turn ON entries(state, priority DESC, position);
CREATE INDEX by_position ON entries(position);
"""
_COLUMNS: Final = "id, state, priority, transfer, whole, done, end, added, changed"
_AMONG: Final = "(:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))"

Ids = Collection[str] | None  # None: all


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an entry stands, in the short form that is looked up again and again."""

    state: State
    done: int
    owner: str | None
    size: int | None = None


def open_base(
    folder: Path | None, *, is_remote: Callable[[Path], bool] = is_network, patience: float = PATIENCE
) -> Base:
    """The file of the queue in a data folder, or none: then it lives in memory.

    Raises:
        IndexTooNew: a newer version wrote the file.
        IndexLocked: another program keeps it locked for longer than `patience` seconds.
    """
    path = folder / FILE_NAME if folder is not None else None
    return Base(
        path, schema=_SCHEMA, version=_VERSION, tables=("entries",), is_remote=is_remote, patience=patience
    )


class Store:
    """The entries of the queue, as one run of one process deals with them."""

    def __init__(self, base: Base, here: Owner, *, clock: Callable[[], float] = time.time) -> None:
        self._base, self.here, self._me, self._clock = base, here, str(here), clock

    def renamed(self, here: Owner) -> Store:
        """The same entries, for another run of this process."""
        return Store(self._base, here, clock=self._clock)

    def close(self) -> None:
        """Give the file back."""
        self._base.close()

    @property
    def path(self) -> Path | None:
        """Where the entries are kept; None when only in memory."""
        return self._base.path

    # ── reading ──

    def entries(self, ids: Ids = None) -> list[Entry]:
        """Entries in the order in which they are carried out. What cannot be read is dropped."""
        rows = self._read(
            f"SELECT {_COLUMNS} FROM entries WHERE {_AMONG} ORDER BY priority DESC, position", ids=_json(ids)
        )
        return list(self._entries(rows))

    def standings(self, ids: Ids = None) -> dict[str, Standing]:
        """Where entries stand."""
        rows = self._read(f"SELECT id, state, done, owner, size FROM entries WHERE {_AMONG}", ids=_json(ids))
        known = {state.value: state for state in State}
        return {
            str(row[0]): Standing(
                known.get(row[1], State.FAILED),
                _whole_number(row[2]),
                row[3],
                row[4] if isinstance(row[4], int) else None,
            )
            for row in rows
        }

    def order(self) -> list[str]:
        """The ids of all entries, in the order in which they are carried out."""
        rows = self._read("SELECT id FROM entries ORDER BY priority DESC, position")
        return [str(row[0]) for row in rows]

    def is_idle(self, ids: Ids = None) -> bool:
        """Whether none of them waits or runs, here or elsewhere."""
        found = self._read(
            f"SELECT 1 FROM entries WHERE state IN ('queued', 'running') AND {_AMONG} LIMIT 1", ids=_json(ids)
        )
        return not found

    def expected(self) -> Iterator[Entry]:
        """The open entries that a living process carries out or waits for."""
        wanted = [
            id_
            for id_, owner, seen, asker, asked in self._read(
                "SELECT id, owner, seen, asker, asked FROM entries WHERE state IN ('queued', 'running')"
            )
            if self._lives(owner, seen) or self._lives(asker, asked)
        ]
        yield from self.entries(wanted)

    # ── steps ──

    def add(self, transfers: Iterable[Transfer], *, priority: int = 0) -> list[str]:
        """Queue transfers; one that waits or runs already stays as it is, one that ended begins again.

        Raises:
            UnsafePath: a path is none for below a root.
        """
        listed = [(make_id(transfer), transfer) for transfer in transfers]

        def step(base: sqlite3.Connection) -> None:
            for id_, transfer in listed:
                self._add(base, id_, transfer, State.QUEUED, priority)
            self._prune(base)

        self._base.do(step)
        return [id_ for id_, _ in listed]

    def put_back(self, id_: str, transfer: Transfer, state: State) -> None:
        """Write an entry again that is gone from the file; nothing if it is not."""
        self._base.do(lambda base: self._add(base, id_, transfer, state, 0))

    def _add(
        self, base: sqlite3.Connection, id_: str, transfer: Transfer, state: State, priority: int
    ) -> None:
        text, whole = write_transfer(transfer)
        base.execute(
            """
            INSERT INTO entries
            VALUES (:id, :state, :priority, (SELECT coalesce(max(position), 0) + 1 FROM entries),
                    :host, :size, :transfer, :whole, 0, NULL, :now, :now, :owner, :seen, NULL, NULL)
            ON CONFLICT(id) DO UPDATE SET
              transfer = excluded.transfer, whole = excluded.whole, state = 'queued', end = NULL,
              changed = excluded.changed, position = excluded.position,
              done = iif(state = 'paused', done, 0), priority = max(priority, excluded.priority)
            WHERE state NOT IN ('queued', 'running')
            """,
            {
                "id": id_,
                "state": state.value,
                "priority": priority,
                "host": host_of(transfer.source.url),
                "size": transfer.source.size,
                "transfer": text,
                "whole": whole,
                "now": self._clock(),
                "owner": self._me if state is State.RUNNING else None,
                "seen": self._clock() if state is State.RUNNING else None,
            },
        )
        base.execute("UPDATE entries SET priority = max(priority, ?) WHERE id = ?", (priority, id_))

    def ask(self, ids: Collection[str]) -> None:
        """Say that this process waits for entries, until it no longer shows signs of life."""
        self._write(
            f"UPDATE entries SET asker = :me, asked = :now WHERE {_AMONG} AND asker IS NULL",
            ids=_json(ids),
        )

    def claim(self, ids: Ids, *, resting: Collection[str], small: int) -> Entry | None:
        """Take the next entry in hand: by priority, those under `small` bytes first, then in order.

        Those of hosts in `resting` wait.
        """
        choose = f"""
            SELECT {_COLUMNS} FROM entries
            WHERE state = 'queued' AND owner IS NULL AND {_AMONG}
              AND host NOT IN (SELECT value FROM json_each(:resting))
            ORDER BY priority DESC, coalesce(size, :small) < :small DESC, position LIMIT 1
        """
        values: dict[str, object] = {"ids": _json(ids), "resting": _json(resting), "small": small}
        if not self._read(choose, **values):  # without a lock: who waits for others looks here often
            return None

        def step(base: sqlite3.Connection) -> list[Any]:
            rows = base.execute(choose, values).fetchall()
            for row in rows:
                base.execute(
                    "UPDATE entries SET state = 'running', owner = ?, seen = ?, changed = ? WHERE id = ?",
                    (self._me, self._clock(), self._clock(), row[0]),
                )
            return rows

        return next(self._entries(self._base.do(step)), None)

    def end(self, id_: str, outcome: Outcome, *, state: State | None = None) -> None:
        """Write down how an entry of ours ended; `state` if it is another than the outcome's."""

        def step(base: sqlite3.Connection) -> None:
            base.execute(
                """
                UPDATE entries SET state = ?, end = ?, done = coalesce(?, done), changed = ?, owner = NULL
                WHERE id = ? AND owner = ?
                """,
                (
                    (state or outcome.state).value,
                    write_end(outcome),
                    outcome.size if outcome.error is None else None,
                    self._clock(),
                    id_,
                    self._me,
                ),
            )

        self._base.do(step)

    def release(self, id_: str) -> None:
        """Let go of an entry of ours: what others made of it stays, else it is queued again."""
        self._write(
            """
            UPDATE entries SET state = iif(state = 'running', 'queued', state), owner = NULL, changed = :now
            WHERE id = :id AND owner = :me
            """,
            id=id_,
        )

    def leave(self) -> None:
        """Let go of everything: this run is over."""
        self._write(
            """
            UPDATE entries SET state = iif(state = 'running', 'queued', state), owner = NULL
            WHERE owner = :me
            """
        )
        self._write("UPDATE entries SET asker = NULL WHERE asker = :me")

    def keep(self, id_: str) -> None:
        """Go on with an entry of ours that was paused and resumed before we noticed."""
        self._write(
            "UPDATE entries SET state = 'running' WHERE id = :id AND owner = :me AND state = 'queued'", id=id_
        )

    def beat(self, done: dict[str, int]) -> None:
        """A sign of life, with the bytes that lie here of the entries in hand."""

        def step(base: sqlite3.Connection) -> None:
            now = self._clock()
            base.executemany(
                "UPDATE entries SET seen = ?, done = ?, changed = ? WHERE id = ? AND owner = ?",
                [(now, count, now, id_, self._me) for id_, count in done.items()],
            )
            base.execute("UPDATE entries SET asked = ? WHERE asker = ?", (now, self._me))

        self._base.do(step)

    def reap(self) -> None:
        """Queue again what dead processes had in hand."""
        rows = self._read(
            "SELECT DISTINCT owner, max(seen) FROM entries WHERE owner IS NOT NULL GROUP BY owner"
            " UNION SELECT asker, max(asked) FROM entries WHERE asker IS NOT NULL GROUP BY asker"
        )
        for owner in {owner for owner, seen in rows if not self._lives(owner, seen)}:
            _LOG.info("a process that carried out transfers is gone; they are queued again")
            self._write(
                """
                UPDATE entries SET owner = NULL, state = iif(state = 'running', 'queued', state)
                WHERE owner = :gone
                """,
                gone=owner,
            )
            self._write("UPDATE entries SET asker = NULL WHERE asker = :gone", gone=owner)

    def move(self, ids: Ids, *, start: Collection[State], to: State, end: Outcome | None = None) -> list[str]:
        """Bring those that are in one of the states `start` to another; says which they were."""

        def step(base: sqlite3.Connection) -> list[str]:
            values = {"ids": _json(ids), "start": _json(start)}
            rows = base.execute(
                f"SELECT id FROM entries WHERE {_AMONG} AND state IN (SELECT value FROM json_each(:start))",
                values,
            )
            moved = [str(row[0]) for row in rows]
            base.execute(
                "UPDATE entries SET state = ?, end = ?, changed = ?"
                " WHERE id IN (SELECT value FROM json_each(?))",
                (to.value, write_end(end) if end else None, self._clock(), _json(moved)),
            )
            return moved

        return self._base.do(step)

    def prioritize(self, ids: Ids, priority: int) -> None:
        """Give entries a priority; higher comes first."""
        self._write(
            f"UPDATE entries SET priority = :priority WHERE {_AMONG}", ids=_json(ids), priority=priority
        )

    def place(self, id_: str, *, before: str | None) -> None:
        """Put an entry in front of another, with the other's priority; None: behind all of its own."""

        def step(base: sqlite3.Connection) -> None:
            known = dict(base.execute("SELECT id, priority FROM entries").fetchall())
            if id_ not in known or (before or id_) not in known or id_ == before:
                return
            base.execute("UPDATE entries SET priority = ? WHERE id = ?", (known[before or id_], id_))
            rows = base.execute(
                "SELECT id FROM entries WHERE id != ? ORDER BY priority DESC, position", (id_,)
            )
            order = [row[0] for row in rows]
            order.insert(order.index(before) if before else len(order), id_)
            base.executemany("UPDATE entries SET position = ? WHERE id = ?", enumerate(order, 1))

        self._base.do(step)

    def drop(self, ids: Ids) -> None:
        """Forget entries that ended."""
        self._write(
            f"DELETE FROM entries WHERE {_AMONG} AND owner IS NULL"
            " AND state NOT IN ('queued', 'running', 'paused')",
            ids=_json(ids),
        )

    # ── rows ──

    def _read(self, statement: str, **values: object) -> list[Any]:
        return self._base.do(lambda base: base.execute(statement, values).fetchall(), writes=False)

    def _write(self, statement: str, **values: object) -> None:
        given = {"me": self._me, "now": self._clock(), **values}
        self._base.do(lambda base: base.execute(statement, given))

    def _entries(self, rows: Iterable[Any]) -> Iterator[Entry]:
        for row in rows:
            try:
                yield _entry(row)
            except InputError as fault:
                _LOG.warning("an entry of the queue cannot be read and is dropped: %s", fault.message)
                self._write("DELETE FROM entries WHERE id IS :id", id=row[0])

    def _prune(self, base: sqlite3.Connection) -> None:
        """Forget the oldest of the ended entries."""
        base.execute(
            """
            DELETE FROM entries WHERE id IN (
              SELECT id FROM entries WHERE state NOT IN ('queued', 'running', 'paused') AND owner IS NULL
              ORDER BY changed DESC LIMIT -1 OFFSET ?)
            """,
            (HISTORY,),
        )

    def _lives(self, owner: object, seen: object) -> bool:
        """Whether a process is still there: by its identity, and by its signs of life."""
        known = parse_owner(owner) if isinstance(owner, str) else None
        if known is None:
            return False
        alive = is_alive(known, self.here)
        lease = LEASE if alive is None else STUCK
        return alive is not False and isinstance(seen, int | float) and abs(self._clock() - seen) < lease


def _entry(row: tuple[Any, ...]) -> Entry:
    """An entry as it lies in the file; anybody may have written it.

    Raises:
        InputError: it is none.
    """
    names = _COLUMNS.split(", ")
    plain = (cell if isinstance(cell, str | int | float) else None for cell in row)
    value = Value(dict(zip(names, plain, strict=True)))
    transfer = parse_transfer(value["transfer"].text())
    end = value["end"].text_or_none()
    return Entry(
        id=value["id"].text(),
        transfer=transfer,
        state=read_member(value["state"], State),
        priority=value["priority"].integer(),
        done=max(0, value["done"].integer()),
        added=value["added"].number(),
        changed=value["changed"].number(),
        is_whole=value["whole"].integer() == 1,
        end=parse_end(end, transfer) if end is not None else None,
    )


def _json(values: Collection[str] | None) -> str | None:
    return None if values is None else json.dumps([*values])


def _whole_number(cell: object) -> int:
    return cell if isinstance(cell, int) else 0
