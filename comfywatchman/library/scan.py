"""Listing the model files below all roots, and hashing one of them.

    roots ──scan_roots──▶ Listing(files, unread)
    file  ──hash_file───▶ digests

One pass with `os.scandir`, one `stat` a file, links followed. What the disk refuses is told in
`unread` and stops nothing. Left out: partials and files set aside, hidden files and folders (ComfyUI
itself hides only `.git`, but `.cache/huggingface` holds no models anybody loads by name), names that
are no text, and whatever does not end as the folder's files do.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ..catalog import LocalFile
from ..digest import Digest
from ..errors import FileChanged, Interrupted
from .folders import is_wanted
from .roots import Root

MAX_ENTRIES: Final = 2_000_000  # directory entries in one scan; links can multiply a tree without end
MAX_DEPTH: Final = 40
CHUNK: Final = 4 << 20

_Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Unread:
    """A place that could not be listed, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What a scan saw. A file that serves two folders stands in it once for each."""

    files: tuple[LocalFile, ...]
    unread: tuple[Unread, ...] = ()


class Hashing(Protocol):
    """What `hasher.Hasher` offers: bytes in, digests out."""

    def update(self, chunk: bytes, /) -> object:
        """Take the next bytes of the file."""

    def digests(self) -> tuple[Digest, ...]:
        """The digests of all bytes taken so far."""


def scan_roots(
    roots: Iterable[Root], *, known: Iterable[LocalFile] = (), max_entries: int = MAX_ENTRIES
) -> Listing:
    """List the model files below roots, in the roots' order and sorted below each.

    A root that does not exist has no files. Beyond `max_entries` directory entries the scan stops and
    says so in `unread`. Of files that are as they were when they were `known`, those same values are given:
    thousands of new ones at each look would keep the garbage collector busy.
    """
    scan = _Scan(max_entries, known)
    for root in roots:
        scan.list_root(root)
    return Listing(tuple(scan.files), tuple(scan.unread))


def hash_file(
    file: LocalFile,
    hashing: Hashing,
    *,
    stopped: Callable[[], bool] = bool,
    tell: Callable[[int], None] = lambda _done: None,
) -> tuple[Digest, ...]:
    """Hash a file, holding a few MiB of it at a time; `tell` hears how many bytes are done.

    Raises:
        FileChanged: it is not the file that was listed, or changed while it was read.
        Interrupted: `stopped` said so; it is asked once a chunk.
        OSError: the disk fails.
    """
    path = Path(file.root, file.path)
    with path.open("rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK):
            if stopped():
                raise Interrupted(f"{file.path}: hashing was stopped")
            hashing.update(chunk)
            tell(stream.tell())
        now = os.fstat(stream.fileno())
    if (now.st_size, now.st_mtime_ns) != (file.size, file.mtime_ns):
        raise FileChanged(f"{file.path}: was {file.size:,} bytes when listed and has changed since")
    return hashing.digests()


def list_file(root: str, folder: str, path: str) -> LocalFile:
    """One file below a root, as a scan would list it.

    Raises:
        OSError: it is not there.
    """
    stat = Path(root, path).stat()
    return LocalFile(folder=folder, path=path, root=root, size=stat.st_size, mtime_ns=stat.st_mtime_ns)


class _Scan:
    """One scan: what it found so far and how much it may still look at."""

    def __init__(self, max_entries: int, known: Iterable[LocalFile]) -> None:
        self.files: list[LocalFile] = []
        self.unread: list[Unread] = []
        self._left = max_entries
        self._known = {(file.folder, file.root, file.path): file for file in known}

    def list_root(self, root: Root) -> None:
        """Go through a root, folder by folder, without recursion."""
        where = str(root.path)
        first = len(self.files)
        pending: list[tuple[str, str, tuple[_Identity, ...]]] = [(where, "", ())]
        while pending:
            directory, prefix, above = pending.pop()
            chain = self._enter(directory, above, optional=not prefix)
            for entry in self._entries(directory) if chain else ():
                if entry.name.startswith("."):
                    continue
                if _is_directory(entry):
                    pending.append((entry.path, f"{prefix}{entry.name}/", chain))
                elif is_wanted(entry.name, root.folder):
                    self._take(entry, root.folder, where, prefix + entry.name)
        self.files[first:] = sorted(self.files[first:], key=lambda file: file.path)

    def _enter(
        self, directory: str, above: tuple[_Identity, ...], *, optional: bool
    ) -> tuple[_Identity, ...]:
        """The way down to a directory with itself added; empty when it must not be entered."""
        try:
            stat = os.stat(directory)  # noqa: PTH116 - a Path for each of 50,000 costs more than the call
        except OSError as fault:
            if not (optional and isinstance(fault, FileNotFoundError)):
                self.unread.append(Unread(directory, fault.strerror or str(fault)))
            return ()
        identity = (stat.st_dev, stat.st_ino)
        if identity in above:
            return ()  # a link back up
        if len(above) >= MAX_DEPTH:
            self.unread.append(Unread(directory, f"more than {MAX_DEPTH} folders deep"))
            return ()
        return (*above, identity)

    def _entries(self, directory: str) -> Iterator[os.DirEntry[str]]:
        if self._left <= 0:
            return
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    self._left -= 1
                    if self._left < 0:
                        self.unread.append(
                            Unread(directory, "too many files and folders; the rest is not listed")
                        )
                        return
                    yield entry
        except OSError as fault:
            self.unread.append(Unread(directory, fault.strerror or str(fault)))

    def _take(self, entry: os.DirEntry[str], folder: str, root: str, path: str) -> None:
        try:
            if not entry.is_file():
                return  # a socket, a device, a link that leads nowhere
            stat = entry.stat()
        except OSError as fault:
            self.unread.append(Unread(entry.path, fault.strerror or str(fault)))
            return
        if not path.isascii() and not _is_text(path):
            self.unread.append(Unread(ascii(entry.path), "the name is no text"))
            return
        file = self._known.get((folder, root, path))
        if file is None or (file.size, file.mtime_ns) != (stat.st_size, stat.st_mtime_ns):
            size, mtime_ns = stat.st_size, stat.st_mtime_ns
            file = LocalFile(folder=folder, path=path, root=root, size=size, mtime_ns=mtime_ns)
        self.files.append(file)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle; whatever it is, it is no directory to enter
        return False


def _is_text(name: str) -> bool:
    """Whether a name is Unicode: Linux allows any bytes, which Python shows as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
