"""The index: what is known of the files on this disk, in `index.sqlite3`.

    files(real, root, folder, path, size, mtime_ns, sha256, blake3, verification, hub … fetched, gone)
    choices(key, value, revision, changed)

A row counts only while size and time still equal the file's: a changed file is another file. `gone` is when
a file was first missed; its row is kept for a while, since files are moved more often than deleted. Several
processes may share the file. It can be built again, all but the choices.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self, TypeVar, assert_never

from ..air import CivitaiLink, HubLink, HuggingFaceLink
from ..catalog import LocalFile
from ..digest import Digest, match_digests
from ..errors import IndexLocked, InputError
from ..hasher import Hasher
from ..sqlitefile import Base, is_network
from .indexed import COLUMNS, Indexed, cell_text, complete, read_row, text_cell, write_row
from .scan import hash_file

FILE_NAME: Final = "index.sqlite3"
PATIENCE: Final = 10.0  # seconds to wait for a lock when something is to be written
READING: Final = 1.0  # the same when somebody waits for an answer: one without the index is better than none
KEPT: Final = 90 * 24 * 3600.0  # seconds for which the row of a vanished file is kept
ACTIVE_CHECKPOINT: Final = "active-checkpoint"

_T = TypeVar("_T")
_VERSION: Final = 1
_LOG: Final = logging.getLogger(__name__)
_SCHEMA: Final = """
CREATE TABLE files (
  real TEXT PRIMARY KEY, root TEXT NOT NULL, folder TEXT NOT NULL, path TEXT NOT NULL,
  size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT, blake3 TEXT, verification TEXT,
  hub TEXT, model_id TEXT, version_id TEXT, file_id TEXT, page TEXT, air TEXT, model_name TEXT,
  version_name TEXT, base_model TEXT, trigger_words TEXT, licence TEXT, weight REAL, weight_min REAL,
  weight_max REAL, fetched REAL, gone REAL) WITHOUT ROWID;
CREATE INDEX by_sha256 ON files(sha256);
CREATE INDEX by_blake3 ON files(blake3);
CREATE INDEX by_version ON files(hub, version_id);
CREATE INDEX by_model ON files(hub, model_id);
CREATE TABLE choices (
  key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL, changed REAL NOT NULL);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A text the user chose; `revision` grows with every change, `changed` is seconds since 1970."""

    value: str
    revision: int
    changed: float


class Index:
    """The index of a data folder; `folder` None, or one that cannot hold it: in memory.

    The file is opened when it is first needed, and made when something is first written. May be used from
    several threads. `patience` is how many seconds a lock of another program is waited for.

    Raises:
        IndexTooNew, IndexLocked: by every verb that touches the file.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        is_remote: Callable[[Path], bool] = is_network,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = folder / FILE_NAME if folder is not None else None
        self._is_remote, self._patience, self._clock = is_remote, patience, clock
        self._base: Base | None = None
        self._opening = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; it is opened again when it is needed."""
        with self._opening:
            base, self._base = self._base, None
        if base is not None:
            base.close()

    # ── files ──

    def put(self, indexed: Indexed) -> Indexed:
        """Keep a file's row, with what other rows know of the same content and this one does not say."""
        real = _real(indexed.file)
        if real is None:
            return indexed

        def step(base: sqlite3.Connection) -> Indexed:
            sha256 = _hex(indexed.file.digests, "sha256")
            same = base.execute(f"SELECT {_LISTED} FROM files WHERE real = ? OR sha256 = ?", (real, sha256))
            whole = complete(indexed, [known for known, _ in _parsed(same.fetchall())])
            base.execute(f"INSERT OR REPLACE INTO files VALUES ({_MARKS})", write_row(real, whole))
            base.execute(
                "DELETE FROM files WHERE gone < ? OR (gone IS NOT NULL AND sha256 = ?)",
                (self._clock() - KEPT, sha256),
            )
            return whole

        return self._write(step)

    def find(self, path: Path) -> Indexed | None:
        """What is known of the file at a path, if it is still the same file."""
        try:
            stat = path.stat()
        except (OSError, ValueError):
            return None
        return self._find(_real_path(path, stat.st_mtime_ns), stat.st_size, stat.st_mtime_ns)

    def find_listed(self, file: LocalFile) -> Indexed | None:
        """The same for a file of a scan, which told size and time."""
        found = self._find(_real(file), file.size, file.mtime_ns)
        if found is None:
            return None
        return replace(found, file=replace(file, digests=found.file.digests, origin=found.file.origin))

    def find_digest(self, digest: Digest) -> tuple[Indexed, ...]:
        """The files here with that content; of an AutoV2, those whose SHA-256 begins so."""
        match digest.algorithm:
            case "sha256" | "blake3" as column:
                return self._present(f"{column} = ?", digest.hex)
            case "autov2":
                return self._present("sha256 >= ? AND sha256 < ?", digest.hex, digest.hex + "g")
            case _:
                return ()

    def find_link(self, link: HubLink) -> tuple[Indexed, ...]:
        """The files here that came from what a link names: newest release first, then last fetched."""
        return self._present(*_question(link))

    def find_release(self, link: HubLink | None, digest: Digest | None) -> tuple[Indexed, ...]:
        """The files here of that content, else those that came from there unless their content is another."""
        if digest is not None and (found := self.find_digest(digest)):
            return found
        found = self.find_link(link) if link is not None else ()
        pinned = (digest,) if digest is not None else ()
        return tuple(known for known in found if match_digests(pinned, known.file.digests) is not False)

    def find_lost(self, link: HubLink) -> tuple[Indexed, ...]:
        """What came from there and is no longer where it was: it may have been moved."""
        rows = self._rows(*_question(link))
        return tuple(known for known, _ in rows if not _standing(known.file))

    def hashed(
        self,
        file: LocalFile,
        *,
        stop: threading.Event | None = None,
        tell: Callable[[int], None] = lambda _done: None,
    ) -> Indexed:
        """A file with its SHA-256: from its row, else read whole and kept. `tell` hears of bytes done.

        Raises:
            FileChanged: it is not the file that was listed, or changed while it was read.
            Interrupted: `stop` was set.
            OSError: the disk fails.
        """
        known = self.find_listed(file)
        if known is not None and _hex(known.file.digests, "sha256"):
            return known
        stopped = stop.is_set if stop is not None else bool
        digests = hash_file(file, Hasher({"sha256"}), stopped=stopped, tell=tell)
        found = Indexed(file=replace(file, digests=digests))
        try:
            return self.put(found)
        except IndexLocked as fault:
            _LOG.warning("%s: its digest is not kept: %s", file.path, fault.message)
            return found

    # ── choices ──

    def recall(self, key: str) -> Choice | None:
        """What the user chose, for all processes alike; None if nothing was ever."""
        rows = self._read("SELECT value, revision, changed FROM choices WHERE key = ?", key)
        for kept, revision, changed in rows:
            value = cell_text(kept)
            if value is not None and isinstance(revision, int) and isinstance(changed, float):
                return Choice(value=value, revision=revision, changed=changed)
        return None

    def remember(self, key: str, value: str) -> Choice:
        """Keep what the user chose; choosing the same again changes nothing."""

        def step(base: sqlite3.Connection) -> None:
            base.execute(
                """
                INSERT INTO choices VALUES (:key, :value, 1, :now)
                ON CONFLICT(key) DO UPDATE SET
                  value = excluded.value, revision = revision + 1, changed = excluded.changed
                WHERE value IS NOT excluded.value
                """,
                {"key": key, "value": text_cell(value), "now": self._clock()},
            )

        self._write(step)
        kept = self.recall(key)
        return kept or Choice(value=value, revision=1, changed=self._clock())

    # ── rows ──

    def _find(self, real: str | None, size: int, mtime_ns: int) -> Indexed | None:
        if real is None:
            return None
        rows = self._rows("real = ? AND size = ? AND mtime_ns = ?", real, size, mtime_ns)
        return next((known for known, _ in rows), None)

    def _present(self, condition: str, *values: object) -> tuple[Indexed, ...]:
        """The rows whose files are there unchanged; notes which are gone and which are back."""
        present: list[Indexed] = []
        turned: list[tuple[float | None, str, str]] = []
        for known, gone in self._rows(condition, *values):
            standing = _standing(known.file)
            if standing is True:
                present.append(known)
            if (standing is None) is not (gone is not None):
                turned.append((None if gone else self._clock(), known.file.root, known.file.path))
        if turned:
            self._note(turned)
        return tuple(present)

    def _note(self, turned: Sequence[tuple[float | None, str, str]]) -> None:
        def step(base: sqlite3.Connection) -> None:
            base.executemany("UPDATE files SET gone = ? WHERE root = ? AND path = ?", turned)

        try:
            self._open().do(step, patience=0)
        except IndexLocked:  # whoever looks next does it
            _LOG.debug("the index is locked; it is noted another time what is gone")

    def _rows(self, condition: str, *values: object) -> list[tuple[Indexed, float | None]]:
        return _parsed(self._read(f"SELECT {_LISTED} FROM files WHERE {condition}{_ORDER}", *values))

    def _read(self, statement: str, *values: object) -> list[Any]:
        if self._base is None and self._path is not None and not self._path.exists():
            return []  # nothing was ever written; to look makes no file
        return self._open().do(
            lambda base: base.execute(statement, values).fetchall(),
            writes=False,
            patience=min(self._patience, READING),
        )

    def _write(self, step: Callable[[sqlite3.Connection], _T]) -> _T:
        return self._open().do(step, patience=self._patience)

    def _open(self) -> Base:
        with self._opening:
            if self._base is None:
                self._base = Base(
                    self._path,
                    schema=_SCHEMA,
                    version=_VERSION,
                    tables=("choices", "files"),
                    is_remote=self._is_remote,
                    patience=min(self._patience, READING),
                )
            return self._base


_BITS: Final = 63  # of SQLite's integers, less the sign: file systems know times beyond the year 2262
_LISTED: Final = ", ".join(COLUMNS)
_MARKS: Final = ", ".join("?" * len(COLUMNS))
_ORDER: Final = " ORDER BY iif(hub = 'civitai', CAST(version_id AS INTEGER), 0) DESC, fetched DESC, real"


def _question(link: HubLink) -> tuple[Any, ...]:
    """The condition for rows that came from what a link names, and its values."""
    wanted: dict[str, object]
    match link:
        case CivitaiLink():
            hub = "civitai"
            wanted = {"model_id": link.model_id, "version_id": link.version_id, "file_id": link.file_id}
        case HuggingFaceLink():
            hub = "huggingface"
            revision = None if link.revision == "main" else link.revision  # whatever main was at the time
            wanted = {"model_id": link.repo, "version_id": revision, "file_id": link.path}
        case _:
            assert_never(link)
    given = {column: str(value) for column, value in wanted.items() if value is not None}
    conditions = " AND ".join(["hub = ?", *(f"{column} = ?" for column in given)])
    return conditions, hub, *given.values()


def _parsed(rows: Iterable[Any]) -> list[tuple[Indexed, float | None]]:
    """Rows as values; anybody may have written them, and what means nothing is passed over."""
    parsed = []
    for row in rows:
        try:
            parsed.append(read_row(row))
        except InputError as fault:
            _LOG.debug("a row of the index cannot be read: %s", fault.message)
    return parsed


def _standing(file: LocalFile) -> bool | None:
    """Whether a file is still the one of its row; None when nothing is there any more."""
    try:
        stat = os.stat(os.path.join(file.root, file.path))  # noqa: PTH116, PTH118 - as the row has it
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        return False
    return (stat.st_size, stat.st_mtime_ns) == (file.size, file.mtime_ns)


def _real(file: LocalFile) -> str | None:
    return _real_path(Path(file.root, file.path), file.mtime_ns)


def _real_path(path: Path, mtime_ns: int) -> str | None:
    """What a file is known by, whichever links lead to it; None for names and times that no row can hold."""
    if mtime_ns.bit_length() > _BITS:
        return None
    try:
        real = os.path.normcase(os.path.realpath(path))
        real.encode()
        str(path).encode()
    except ValueError:  # a lone surrogate, which SQLite cannot hold, or a null
        return None
    return real


def _hex(digests: Iterable[Digest], algorithm: str) -> str | None:
    return next((digest.hex for digest in digests if digest.algorithm == algorithm), None)
