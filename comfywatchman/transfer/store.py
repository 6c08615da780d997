"""The steps of an entry from state to state; `rows` has the table and reads it.

Every step is one transaction that holds only from the states it may be taken from, so processes cannot
take the same entry twice.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final

from ..plan import Transfer
from .entry import Entry, host_of, make_id, write_end, write_transfer
from .events import Outcome, State
from .owner import Owner
from .rows import AMONG, COLUMNS, Ids, Rows, Standing, json_list

__all__ = ["HISTORY", "Standing", "Store"]

HISTORY: Final = 1000  # ended entries that are kept
_LOG: Final = logging.getLogger(__name__)


class Store(Rows):
    """The entries of the queue, as one run of one process deals with them."""

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
            f"UPDATE entries SET asker = :me, asked = :now WHERE {AMONG} AND asker IS NULL",
            ids=json_list(ids),
        )

    def claim(self, ids: Ids, *, resting: Collection[str], small: int) -> Entry | None:
        """Take the next entry in hand: by priority, those under `small` bytes first, then in order.

        Those of hosts in `resting` wait.
        """
        choose = f"""
            SELECT {COLUMNS} FROM entries
            WHERE state = 'queued' AND owner IS NULL AND {AMONG}
              AND host NOT IN (SELECT value FROM json_each(:resting))
            ORDER BY priority DESC, coalesce(size, :small) < :small DESC, position LIMIT 1
        """
        values: dict[str, object] = {"ids": json_list(ids), "resting": json_list(resting), "small": small}
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
        """Queue again what dead processes had in hand, and what runs in nobody's."""
        rows = self._read(
            "SELECT owner, max(seen) FROM entries WHERE owner IS NOT NULL OR state = 'running' GROUP BY owner"
            " UNION SELECT asker, max(asked) FROM entries WHERE asker IS NOT NULL GROUP BY asker"
        )
        for owner in {owner for owner, seen in rows if not self._lives(owner, seen)}:
            _LOG.info("a process that carried out transfers is gone; they are queued again")
            self._write(
                """
                UPDATE entries SET owner = NULL, state = iif(state = 'running', 'queued', state)
                WHERE owner IS :gone
                """,
                gone=owner,
            )
            self._write("UPDATE entries SET asker = NULL WHERE asker = :gone", gone=owner)

    def move(self, ids: Ids, *, start: Collection[State], to: State, end: Outcome | None = None) -> list[str]:
        """Bring those that are in one of the states `start` to another; says which they were."""

        def step(base: sqlite3.Connection) -> list[str]:
            values = {"ids": json_list(ids), "start": json_list(start)}
            rows = base.execute(
                f"SELECT id FROM entries WHERE {AMONG} AND state IN (SELECT value FROM json_each(:start))",
                values,
            )
            moved = [str(row[0]) for row in rows]
            base.execute(
                "UPDATE entries SET state = ?, end = ?, changed = ?"
                " WHERE id IN (SELECT value FROM json_each(?))",
                (to.value, write_end(end) if end else None, self._clock(), json_list(moved)),
            )
            return moved

        return self._base.do(step)

    def prioritize(self, ids: Ids, priority: int) -> None:
        """Give entries a priority; higher comes first."""
        self._write(
            f"UPDATE entries SET priority = :priority WHERE {AMONG}", ids=json_list(ids), priority=priority
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
            f"DELETE FROM entries WHERE {AMONG} AND owner IS NULL"
            " AND state NOT IN ('queued', 'running', 'paused')",
            ids=json_list(ids),
        )

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
