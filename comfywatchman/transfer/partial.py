"""Partials: an unfinished file beside its target, with a journal that says what of it can be trusted.

    ink.safetensors.1f2e3d4c.cwpart       the bytes, written in place
    ink.safetensors.1f2e3d4c.cwjournal    see `journal`

A mark is believed only after its bytes have been read and hashed again, which resuming does anyway.
One that is left over is adopted only by who can claim it (see `claim`), and only while the file has no other
name: otherwise it might be somebody's finished model. Elsewhere a fresh partial is begun.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from typing import Final

from ..decode import DecodeError
from ..hasher import Hasher
from .claim import claim, journal_name, lock, part_name, parts_of
from .journal import JOURNAL_LIMIT, Identity, Journal, Mark, Piece, parse_journal
from .place import Place, reserve, sync

_LOG: Final = logging.getLogger(__name__)
_BLOCK: Final = 1 << 20


class Partial:
    """An open partial that nobody else writes. Ends with `release` (keep it) or `remove`."""

    def __init__(self, place: Place, name: str, fd: int, journal: Journal) -> None:
        self.place, self.name, self.journal = place, name, journal
        self._fd = fd
        self._seek_lock = threading.Lock()

    @classmethod
    def begin(cls, place: Place, target: str, identity: Identity) -> Partial:
        """Adopt what is left of the same file, or create a new partial.

        Raises:
            OSError: the folder cannot be written.
        """
        best: Partial | None = None
        for name in parts_of(place, target):
            found = _adopt(place, name, identity)
            if found is None:
                continue
            if best is not None:
                found, best = sorted((found, best), key=lambda partial: partial.journal.held)
                found.clear()
            else:
                best = found
        return best or cls._create(place, target, identity)

    @classmethod
    def _create(cls, place: Place, target: str, identity: Identity) -> Partial:
        while True:
            name = part_name(target)
            fd = place.create(name)
            partial = cls(place, name, fd, Journal(identity=identity))
            if lock(fd) and partial.is_ours():
                return partial
            os.close(fd)  # a sweeping process was quicker between the two calls and took the file away

    @property
    def fd(self) -> int:
        """The descriptor, for reading, writing and syncing."""
        return self._fd

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes in their place."""
        view = memoryview(data)
        while view:
            count = self._write_some(view, offset)
            view, offset = view[count:], offset + count

    def _write_some(self, view: memoryview, offset: int) -> int:
        if hasattr(os, "pwrite"):
            return os.pwrite(self._fd, view, offset)
        with self._seek_lock:  # pragma: no cover - Windows
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.write(self._fd, view)

    def read(self, offset: int, length: int) -> bytes:
        """Bytes as they lie in the file; fewer at its end."""
        if hasattr(os, "pread"):
            return os.pread(self._fd, length, offset)
        with self._seek_lock:  # pragma: no cover - Windows
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.read(self._fd, length)

    def read_into(self, offset: int, view: memoryview) -> int:
        """Read into a buffer that is used again and again; says how many bytes came."""
        if hasattr(os, "preadv"):
            return os.preadv(self._fd, [view], offset)
        data = self.read(offset, len(view))  # pragma: no cover - Windows and macOS 10
        view[: len(data)] = data  # pragma: no cover
        return len(data)  # pragma: no cover

    def hash(self, start: int, end: int) -> str:
        """The SHA-256 of the bytes between two places, in hex; of fewer where the file ends before."""
        hasher, buffer = Hasher({"sha256"}), memoryview(bytearray(_BLOCK))
        while start < end and (count := self.read_into(start, buffer[: end - start])):
            hasher.update(buffer[:count])
            start += count
        return hasher.sha256().hex

    def size(self) -> int:
        """Bytes of the file, holes counted."""
        return os.fstat(self._fd).st_size

    def reserve(self, size: int) -> None:
        """Set room aside for the whole file where that can be done, so that a full disk is told at once.

        What lies in the file and how long it is stays the same; `trim`, `restart` and `release` give it back.

        Raises:
            OSError: there is not enough room.
        """
        try:
            reserve(self._fd, size)
        except OSError:
            os.ftruncate(self._fd, self.size())
            raise

    def trim(self, size: int) -> None:
        """Cut the file, its marks and pieces, to a size; bytes that have got another name are left alone.

        Giving up after a failed publish comes by here, when the file may already be the finished model.
        """
        if not self.is_ours():
            return
        os.ftruncate(self._fd, size)
        marks = tuple(mark for mark in self.journal.marks if mark[0] <= size)
        pieces = tuple(piece for piece in self.journal.pieces if piece[1] <= size)
        self.journal = replace(self.journal, marks=marks, pieces=pieces)

    def restart(self) -> None:
        """Forget every byte: the file is another one now."""
        self.place.unlink(journal_name(self.name))
        os.ftruncate(self._fd, 0)
        self.journal = Journal(identity=self.journal.identity)

    def note(self, *, size: int | None, validator: str | None, modified: str | None) -> None:
        """Keep what the server says the bytes are of."""
        self.journal = replace(self.journal, size=size, validator=validator, modified=modified)

    def checkpoint(self, marks: tuple[Mark, ...], pieces: tuple[Piece, ...] = ()) -> None:
        """Sync the bytes, then write down that they can be trusted up to the last mark, and in pieces."""
        self.journal = replace(self.journal, marks=marks, pieces=pieces)
        sync(self._fd)
        self.place.write_whole(journal_name(self.name), self.journal.to_bytes(), lasting=True)

    def is_ours(self) -> bool:
        """Whether the name still belongs to the file we write, and to no other name."""
        named = self.place.stat(self.name)
        if sys.platform == "win32":  # pragma: no cover - nobody renames there what is open
            return named is not None and named.st_nlink <= 1
        open_file = os.fstat(self._fd)
        return named is not None and os.path.samestat(named, open_file) and open_file.st_nlink == 1

    def release(self) -> None:
        """Close it for a later run; what holds nothing worth keeping is removed."""
        if self.journal.done and self.is_ours():
            try:
                os.ftruncate(self._fd, self.size())  # gives back room that was set aside
            finally:
                self._close()
        else:
            self.remove()

    def remove(self) -> None:
        """Take the partial and its journal away."""
        self.detach()
        try:
            self.place.unlink(journal_name(self.name))
            self.place.unlink(f"{journal_name(self.name)}.new")
            self.place.unlink(self.name)
        finally:
            self._close()

    def clear(self) -> None:
        """Take it away if that can be done now, else leave it to a later run: it is of no more use."""
        try:
            self.remove()
        except OSError as fault:
            _LOG.warning(
                "%s cannot be removed now and stays until a later run: %s", self.name, fault.strerror
            )

    def detach(self) -> None:
        """Close the file where the system renames and removes closed files only."""
        if sys.platform == "win32":  # pragma: no cover
            self._close()

    def attach(self) -> None:
        """Open it again after `detach`: it did not get its name and goes on being a partial."""
        if sys.platform == "win32" and self._fd < 0:  # pragma: no cover
            self._fd = self.place.open(self.name, os.O_RDWR)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def kept_bytes(place: Place, target: str, identity: Identity) -> int:
    """Bytes of that file which already lie in a partial here; nothing is changed."""
    with suppress(OSError):  # another program holds a journal just now
        journals = [_read_journal(place, name) for name in parts_of(place, target)]
        return max((j.held for j in journals if j and j.identity == identity), default=0)
    return 0


def sweep(place: Place, target: str, identity: Identity) -> None:
    """Remove leftover partials of a file that is here now, and journals whose partial is gone.

    A power cut may take back the removal of a journal and not that of its partial. What cannot be removed
    now, since another program holds it open, is removed by a later run.
    """
    for name in parts_of(place, target):
        found = _adopt(place, name, identity)
        if found is not None:
            found.clear()
    names = set(place.names())
    journal = re.compile(re.escape(target) + r"\.[0-9a-f]{8}\.cwjournal(\.new)?")
    for name in filter(journal.fullmatch, names):
        part = name.removesuffix(".new").removesuffix(".cwjournal") + ".cwpart"
        if part not in names:
            with suppress(OSError):
                place.unlink(name)


def _read_journal(place: Place, part: str) -> Journal | None:
    """A partial's journal; None if there is none, or one that says nothing.

    Raises:
        OSError: it cannot be read now.
    """
    data = place.read_whole(journal_name(part), limit=JOURNAL_LIMIT + 1)
    try:
        return parse_journal(data) if data is not None else None
    except DecodeError:
        return None


def _adopt(place: Place, name: str, identity: Identity) -> Partial | None:
    """Take over a leftover partial of the same file; clear it away if nobody can ever use it."""
    claimed = claim(place, name)
    if claimed is None:
        return None
    name, fd = claimed
    try:
        journal = _read_journal(place, name)
    except OSError:  # held by a virus scanner, say: a later run may read it
        os.close(fd)
        return None
    if journal is not None and journal.identity != identity:
        os.close(fd)
        return None
    partial = Partial(place, name, fd, journal or Journal(identity=identity))
    if not partial.is_ours() or journal is None:
        partial.clear()
        return None
    size = partial.size()
    partial.trim(0 if size < journal.done else min(size, journal.end))
    return partial
