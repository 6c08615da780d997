"""What hubs answered before, kept for a while: one small SQLite file that may be deleted at any time.

    answers(question TEXT PRIMARY KEY, answer TEXT, kept REAL, expires REAL)

Errors are never kept, so an overloaded hub is never remembered as one that has nothing. A file that cannot
be read is made anew; one that cannot be written is done without.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from ..catalog import Json

MINUTE: Final = 60.0
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_FORM: Final = 1
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that is still fresh; it may be null."""

    answer: Json


class Answers:
    """The kept answers in one file; may be used from several threads and processes."""

    def __init__(
        self, path: Path, *, longest: float = 30 * DAY, clock: Callable[[], float] = time.time
    ) -> None:
        """`longest` is the most seconds that any answer is kept."""
        self._path = path
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        self._base = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._give_up()

    def recall(self, question: str) -> Kept | None:
        """The answer to that question, when one is kept and fresh."""
        now = self._clock()
        rows = self._do(
            "SELECT answer FROM answers WHERE question = ? AND kept <= ? AND ? < expires", question, now, now
        )
        try:
            return Kept(json.loads(rows[0][0])) if rows else None
        except (ValueError, TypeError, RecursionError):  # a row that somebody else wrote
            return None

    def remember(self, question: str, answer: Json, *, seconds: float) -> None:
        """Keep an answer for some seconds."""
        now = self._clock()
        expires = now + min(seconds, self._longest)
        text = json.dumps(answer, separators=(",", ":"))
        self._do("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", question, text, now, expires)

    def _do(self, statement: str, *values: object) -> list[tuple[str]]:
        with self._lock:
            if self._base is None:
                return []
            try:
                with self._base:
                    return self._base.execute(statement, values).fetchall()
            except sqlite3.OperationalError as fault:  # locked, full, read-only: go on without
                _log.debug("answers: %s", fault)
            except sqlite3.DatabaseError as fault:
                _log.info("answers: made anew, %s", fault)
                self._give_up()
                self._base = self._open()
            return []

    def _give_up(self) -> None:
        if self._base is not None:
            self._base.close()
            self._base = None

    def _open(self) -> sqlite3.Connection | None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return self._connect()
        except (sqlite3.OperationalError, OSError) as fault:
            _log.debug("answers: none are kept, %s", fault)
            return None
        except sqlite3.DatabaseError:
            return self._make_anew()

    def _make_anew(self) -> sqlite3.Connection | None:
        try:
            for ending in ("", "-journal", "-wal", "-shm"):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
            return self._connect()
        except (sqlite3.Error, OSError) as fault:
            _log.debug("answers: none are kept, %s", fault)
            return None

    def _connect(self) -> sqlite3.Connection:
        base = sqlite3.connect(self._path, timeout=2.0, check_same_thread=False)
        try:
            with base:
                self._prepare(base)
        except BaseException:
            base.close()
            raise
        return base

    def _prepare(self, base: sqlite3.Connection) -> None:
        base.execute("PRAGMA synchronous = OFF")  # rebuildable
        with closing(base.execute("PRAGMA user_version")) as form:
            is_ours = form.fetchone() == (_FORM,)
        if not is_ours:
            base.execute("DROP TABLE IF EXISTS answers")
            base.execute(
                "CREATE TABLE answers (question TEXT PRIMARY KEY, answer TEXT, kept REAL, expires REAL)"
            )
            base.execute(f"PRAGMA user_version = {_FORM}")
        base.execute("DELETE FROM answers WHERE expires <= ? OR kept > ?", (self._clock(), self._clock()))


def make_question(endpoint: str, token: str | None, *what: Json) -> str:
    """The key of an answer: where it was asked, as whom, and what.

    Of the token only eight bytes of its SHA-256 are in it, to keep accounts apart.
    """
    whom = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()[:16] if token else None
    return json.dumps([endpoint, whom, *what], separators=(",", ":"))
