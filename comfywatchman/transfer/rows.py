"""The table of the queue in `queue.sqlite3`, and how a row is read.

    entries(id, state, priority, position, host, size, transfer, whole, done, end, added, changed,
            owner, seen, asker, asked)

`owner` has the entry in hand and `asker` waits for it; `seen` and `asked` are their last signs of life.
The file is a cache: what cannot be read is thrown away.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ..decode import Value
from ..errors import InputError
from ..sqlitefile import Base, is_network
from .entry import Entry, parse_end, parse_transfer, read_member
from .events import State
from .owner import LEASE, STUCK, Owner, is_alive, parse_owner

FILE_NAME: Final = "queue.sqlite3"
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
COLUMNS: Final = "id, state, priority, transfer, whole, done, end, added, changed"
AMONG: Final = "(:ids IS NULL OR id IN (SELECT value FROM json_each(:ids)))"

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


class Rows:
    """The entries of the queue, to be read by one run of one process."""

    def __init__(self, base: Base, here: Owner, *, clock: Callable[[], float] = time.time) -> None:
        self._base, self.here, self._me, self._clock = base, here, str(here), clock

    def entries(self, ids: Ids = None) -> list[Entry]:
        """Entries in the order in which they are carried out. What cannot be read is dropped."""
        rows = self._read(
            f"SELECT {COLUMNS} FROM entries WHERE {AMONG} ORDER BY priority DESC, position",
            ids=json_list(ids),
        )
        return list(self._entries(rows))

    def standings(self, ids: Ids = None) -> dict[str, Standing]:
        """Where entries stand."""
        rows = self._read(
            f"SELECT id, state, done, owner, size FROM entries WHERE {AMONG}", ids=json_list(ids)
        )
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

    def targets(self, ids: Ids = None) -> dict[str, Path]:
        """Where entries go to, without reading all of them; on nobody's word but the file's."""
        rows = self._read(
            "SELECT id, json_extract(transfer, '$.root'), json_extract(transfer, '$.path') FROM entries"
            f" WHERE {AMONG} AND json_valid(transfer)",
            ids=json_list(ids),
        )
        return {
            str(id_): Path(root, path)
            for id_, root, path in rows
            if isinstance(root, str) and isinstance(path, str)
        }

    def order(self) -> list[str]:
        """The ids of all entries, in the order in which they are carried out."""
        rows = self._read("SELECT id FROM entries ORDER BY priority DESC, position")
        return [str(row[0]) for row in rows]

    def is_idle(self, ids: Ids = None) -> bool:
        """Whether none of them waits or runs, here or elsewhere."""
        found = self._read(
            f"SELECT 1 FROM entries WHERE state IN ('queued', 'running') AND {AMONG} LIMIT 1",
            ids=json_list(ids),
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

    # ── for the steps ──

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
    names = COLUMNS.split(", ")
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


def json_list(values: Collection[str] | None) -> str | None:
    """Texts as SQLite's `json_each` takes them; None stays None."""
    return None if values is None else json.dumps([*values])


def _whole_number(cell: object) -> int:
    return cell if isinstance(cell, int) else 0
