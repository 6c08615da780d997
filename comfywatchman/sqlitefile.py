"""A SQLite file of ours that gets over what befalls it: `Base`.

locked            wait, then IndexLocked
damaged, foreign  made anew with the rows that can still be read
deleted, moved    made anew; whoever has rows in mind puts them back
newer             IndexTooNew when it is opened
no such file can be had, or it stands on a network drive: in memory, with a warning
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from .errors import IndexLocked, IndexTooNew

Row = tuple[Any, ...]
Work = Callable[[sqlite3.Connection], "_T"]

_T = TypeVar("_T")
_LOG: Final = logging.getLogger(__name__)
_TRIES: Final = 3
_SLICE: Final = 0.1  # seconds for which a lock of others is waited for at a time
_PAUSE: Final = 0.01
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_RUINED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR})
_MOVED: Final = frozenset({sqlite3.SQLITE_READONLY_DBMOVED})
# WAL needs shared memory and working locks: https://sqlite.org/wal.html
_NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph", "9p"}
    | {"davfs", "lustre", "gpfs", "beegfs", "glusterfs"}
)


class Base:
    """One SQLite file, used by several threads and processes. `path` None: in memory.

    `schema` makes the `tables` of `version`, whose rows are saved from a damaged file. `patience` is how many
    seconds a lock of others is waited for.

    Raises:
        IndexTooNew: a newer version wrote the file.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        schema: str,
        version: int,
        tables: tuple[str, ...],
        is_remote: Callable[[Path], bool],
        patience: float,
    ) -> None:
        self._path, self._schema, self._version, self._tables = path, schema, version, tables
        self._patience = patience
        self._lock = threading.Lock()
        self._inode = 0
        if path is not None and is_remote(path):
            self._warn("it would stand on a network drive, where SQLite's locks fail")
            self._path = None
        self._base = self._open()

    @property
    def path(self) -> Path | None:
        """Where the rows are kept; None when only in memory."""
        return self._path

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._base.close()

    def do(self, work: Work[_T], *, writes: bool = True, patience: float | None = None) -> _T:
        """Do something in one transaction; begun anew on a new file if this one turns out unusable.

        Who waits for a lock lets other threads read meanwhile. `patience` is another than the usual.

        Raises:
            IndexLocked: another program keeps the file locked.
        """
        until = time.monotonic() + (self._patience if patience is None else patience)
        while True:
            try:
                with self._lock:
                    return self._do(work, writes=writes)
            except IndexLocked:
                if time.monotonic() >= until:
                    raise
            time.sleep(_PAUSE)

    def _do(self, work: Work[_T], *, writes: bool) -> _T:
        for _ in range(_TRIES):
            try:
                self._follow()
                return self._transact(work, writes=writes)
            except sqlite3.DatabaseError as fault:
                self._recover(fault)
        self._go_on_in_memory(sqlite3.DatabaseError("it keeps breaking"))
        return self._transact(work, writes=writes)

    def _transact(self, work: Work[_T], *, writes: bool) -> _T:
        self._base.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
        try:
            done = work(self._base)
            self._base.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._base.execute("ROLLBACK")
            raise
        return done

    def _follow(self) -> None:
        """Open the file that stands under our name now, if it is another than the one we have."""
        if self._path is not None and _inode_of(self._path) != self._inode:
            _LOG.info("%s was moved or deleted; made anew", self._path)
            self._base.close()
            self._base = self._open_again()

    def _recover(self, fault: sqlite3.DatabaseError) -> None:
        """Make the next try possible, or say that there is none."""
        code = getattr(fault, "sqlite_errorcode", None)
        if code is None or self._path is None:
            raise fault  # a fault of ours
        if code & 0xFF in _BUSY:
            raise IndexLocked(f"{self._path}: another program keeps it locked") from fault
        if code & 0xFF in _RUINED:
            self._make_anew(fault)
        elif code not in _MOVED:
            self._go_on_in_memory(fault)

    # ── opening ──

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect()
        except (sqlite3.DatabaseError, OSError) as fault:
            self._base = sqlite3.connect(":memory:", check_same_thread=False)
            if isinstance(fault, OSError):
                self._go_on_in_memory(fault)
            else:
                self._recover(fault)
            return self._base

    def _open_again(self) -> sqlite3.Connection:
        """The same in the middle of a run, which a newer file must not end."""
        try:
            return self._open()
        except (IndexTooNew, IndexLocked) as fault:
            self._base = sqlite3.connect(":memory:", check_same_thread=False)
            self._go_on_in_memory(fault)
            return self._base

    def _connect(self) -> sqlite3.Connection:
        if self._path is not None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            self._inode = _inode_of(self._path)
        base = sqlite3.connect(
            self._path or ":memory:", timeout=self._patience, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(base)
            base.execute(f"PRAGMA busy_timeout = {min(_SLICE, self._patience) * 1000:.0f}")
        except BaseException:
            base.close()
            raise
        return base

    def _prepare(self, base: sqlite3.Connection) -> None:
        base.text_factory = lambda data: data.decode("utf-8", "replace")
        version = self._look(base)
        if version == 0 or version != self._version:
            base.execute("BEGIN IMMEDIATE")
            if self._look(base) != self._version:  # another process may have been quicker
                for table in self._tables:
                    base.execute(f"DROP TABLE IF EXISTS {table}")
                for statement in filter(str.strip, self._schema.split(";")):
                    base.execute(statement)
                base.execute(f"PRAGMA user_version = {self._version}")
            base.execute("COMMIT")

    def _look(self, base: sqlite3.Connection) -> int:
        """The version of the file, after a look whether it is whole."""
        version: int = base.execute("PRAGMA user_version").fetchone()[0]
        if version > self._version:
            raise IndexTooNew(f"{self._path}: written by a newer version ({version}, known {self._version})")
        if not base.in_transaction:
            _use_wal(base, patience=self._patience)
            base.execute(
                "PRAGMA synchronous = NORMAL"
            )  # survives a kill; a power cut may take the last words
            if base.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
                fault = sqlite3.DatabaseError("damaged")
                fault.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise fault
        return version

    # ── when it goes wrong ──

    def _make_anew(self, fault: Exception) -> None:
        """Put a new file in place of a ruined one, with the rows that can still be read."""
        assert self._path is not None
        if _inode_of(self._path) != self._inode:
            return  # another process was quicker; `_follow` opens what it made
        rows = self._salvage(self._path)
        self._warn(f"{fault}; made anew with {len(rows)} of its entries")
        self._base.close()
        try:
            for ending in ("", "-journal", "-wal", "-shm"):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
            self._base = self._connect()
            self._put_back(rows)
        except (sqlite3.DatabaseError, OSError) as again:
            self._go_on_in_memory(again)

    def _salvage(self, path: Path) -> list[tuple[str, Row]]:
        """The rows that can still be read, each with its table."""
        rows: list[tuple[str, Row]] = []
        with suppress(sqlite3.Error):
            base = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=self._patience)
            base.text_factory = lambda data: data.decode("utf-8", "replace")
            try:
                if base.execute("PRAGMA user_version").fetchone()[0] == self._version:
                    for table in self._tables:
                        rows.extend(
                            (table, row) for row in base.execute(f"SELECT * FROM {table} NOT INDEXED")
                        )
            finally:
                base.close()
        return rows

    def _put_back(self, rows: Iterable[tuple[str, Row]]) -> None:
        for table, row in rows:
            marks = ", ".join("?" * len(row))
            try:
                self._base.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)
            except sqlite3.DatabaseError as fault:
                if (getattr(fault, "sqlite_errorcode", None) or 0) & 0xFF in _BUSY:
                    raise
                _LOG.debug("a row of %s is damaged: %s", self._path, fault)

    def _go_on_in_memory(self, fault: Exception) -> None:
        self._warn(str(fault))
        with suppress(sqlite3.Error):
            self._base.close()
        self._path = None
        self._base = self._connect()

    def _warn(self, reason: str) -> None:
        _LOG.warning("%s: %s%s", self._path, reason, "" if "anew" in reason else "; kept in memory only")


def is_network(path: Path, mounts: str | None = None) -> bool:
    """Whether a path lies on a network drive; `mounts` is the text of /proc/self/mountinfo (proc(5))."""
    if sys.platform == "win32":  # pragma: no cover
        import ctypes

        return ctypes.windll.kernel32.GetDriveTypeW(os.path.realpath(path)[:2] + "\\") in (1, 4)
    if mounts is None:
        with suppress(OSError):
            mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    real = Path(os.path.realpath(path))
    best, kind = -1, ""
    for line in (mounts or "").splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        point = fields[4].replace("\\040", " ")
        if real.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), right.split()[0]
    return kind in _NETWORK or kind == "fuse" or kind.startswith("fuse.")


def _use_wal(base: sqlite3.Connection, *, patience: float) -> None:
    """Let readers and a writer work together where the file system can; SQLite itself does not wait here."""
    until = time.monotonic() + patience
    while True:
        try:
            if base.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
                base.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def _inode_of(path: Path) -> int:
    try:
        return path.stat().st_ino
    except OSError:
        return -1
