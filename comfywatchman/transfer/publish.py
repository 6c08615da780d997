"""From a verified partial to the file: a name in a model folder is absent or complete.

    fsync(partial) → link(partial, name), which never replaces → fsync(folder) → unlink(partial)

A crash between any two steps leaves the old state, the new one, or both names for the same bytes. A name
that is taken is compared: the same content is "already have", other content keeps its name and ours gets
a second one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..catalog import RemoteFile
from ..digest import Digest
from ..errors import NotWritable
from ..hasher import Hasher
from ..names import second_name
from .partial import Partial
from .place import Place, disk_errors, patiently, sync

_BLOCK: Final = 1 << 20
_RENAME_NOREPLACE: Final = 1  # linux/fs.h


@dataclass(frozen=True, slots=True)
class Published:
    """Under which name the content lies now; `fresh` is False if it had been there before.

    `weak`: nothing could refuse to replace the name, it was only looked at first.
    """

    name: str
    fresh: bool
    weak: bool = False


class _Take(Enum):
    """What came of giving a partial a name."""

    TAKEN = "the name is another file's"
    SURE = "done; nothing can have been replaced"
    WEAK = "done; the name was free when it was looked at"


def publish(partial: Partial, names: Iterator[str], sha256: Digest) -> Published:
    """Give a verified partial the first of `names` that is free, and remove the partial.

    Raises:
        NotWritable: every name is taken by other content, or the partial is no longer ours.
        OSError: the file system refuses.
    """
    sync(partial.fd)
    size = partial.size()
    with _closed(partial):
        for name in names:
            if not partial.is_ours():
                raise NotWritable(f"{partial.name}: another program moved the partial or linked to it")
            take = _take_name(partial.place, partial.name, name)
            if take is not _Take.TAKEN:
                partial.place.sync()
                partial.clear()
                return Published(name, fresh=True, weak=take is _Take.WEAK)
            if holds(partial.place, name, size=size, digest=sha256):
                partial.clear()
                return Published(name, fresh=False)
    raise NotWritable(f"{partial.name}: every name for it is taken by other content")


@contextmanager
def _closed(partial: Partial) -> Iterator[None]:
    """Closed where the system demands that for renaming; open again if it did not come to that."""
    partial.detach()
    try:
        yield
    except BaseException:
        partial.attach()
        raise


def target_names(name: str, source: RemoteFile, sha256: Digest | None) -> Iterator[str]:
    """The names a file may get, in this order and always the same ones.

    The second says where it came from, the third what it is; both differ for different content.
    """
    yield name
    if source.air is not None and source.air.version is not None:
        yield second_name(name, f"{source.air.source}-{source.air.version}")
    if sha256 is not None:
        hub = {"huggingface": "hf"}.get(source.hub, source.hub)
        yield second_name(name, f"{hub}-{sha256.hex[:8]}")


def find_same(
    place: Place, name: str, source: RemoteFile, *, check: Callable[[], None] = lambda: None
) -> str | None:
    """The name under which this very content already lies here, as far as a published digest tells.

    `check` is called again and again while files are hashed; what it raises ends that.
    """
    digest = source.digest("sha256") or source.digest("blake3")
    if digest is None:
        return None
    names = target_names(name, source, source.digest("sha256"))
    return next((n for n in names if holds(place, n, size=source.size, digest=digest, check=check)), None)


def holds(
    place: Place,
    name: str,
    *,
    size: int | None,
    digest: Digest,
    check: Callable[[], None] = lambda: None,
) -> bool:
    """Whether a file here has that content: its size is looked at first, then it is hashed."""
    found = place.stat(name)
    if found is not None and stat.S_ISLNK(found.st_mode):
        return _linked_holds(place, name, size=size, digest=digest, check=check)
    if found is None or not stat.S_ISREG(found.st_mode) or size not in (None, found.st_size):
        return False
    return _digest_of(place.open(name, os.O_RDONLY), digest, check) == digest


def _linked_holds(
    place: Place, name: str, *, size: int | None, digest: Digest, check: Callable[[], None]
) -> bool:
    """The same for a link that the user made; what it points at is only read."""
    try:
        fd = os.open(place.folder / name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or size not in (None, found.st_size):
        os.close(fd)
        return False
    return _digest_of(fd, digest, check) == digest


def _digest_of(fd: int, wanted: Digest, check: Callable[[], None]) -> Digest:
    """The digest of a file, in the algorithm of another; closes the descriptor."""
    hasher = Hasher({wanted.algorithm})
    buffer = memoryview(bytearray(_BLOCK))
    with os.fdopen(fd, "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            check()
            hasher.update(buffer[:count])
    return hasher.digests()[0]


def set_aside(partial: Partial, name: str, sha256: Digest) -> str:
    """Keep bytes that are not what the hub's record says, out of every loader's sight; says where.

    Raises:
        NotWritable: the file system refuses.
    """
    aside = f"{name}.mismatch-{sha256.hex[:8]}"
    with disk_errors(aside):
        sync(partial.fd)
        with _closed(partial):
            if partial.is_ours():
                _take_name(partial.place, partial.name, aside)  # taken: by the same bytes, set aside before
                partial.place.sync()
            partial.clear()
    return aside


def _take_name(place: Place, part: str, name: str) -> _Take:
    """Give the partial a name if that is free, without ever replacing a file."""
    try:
        if place.link(part, name):
            return _Take.SURE
        return _rename_free(place, part, name)
    except FileExistsError:
        return _Take.TAKEN


def _rename_free(place: Place, part: str, name: str) -> _Take:
    """Rename to a free name where there are no hard links (exFAT, some network drives).

    Windows refuses by itself to rename onto a name that is taken, Linux when asked. Where neither can be had,
    look, then rename: a weak publish, in which a file made in between by another program would be lost.
    """
    if sys.platform == "win32":  # pragma: no cover
        patiently(lambda: (place.folder / part).rename(place.folder / name))
        return _Take.SURE
    if _rename_noreplace(place, part, name):
        return _Take.SURE
    if place.stat(name) is not None:
        return _Take.TAKEN
    place.rename(part, name)
    return _Take.WEAK


def _rename_noreplace(place: Place, part: str, name: str) -> bool:
    """Linux's renameat2 with RENAME_NOREPLACE; False where kernel or file system has none."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    old, new = (os.fsencode(place.folder / one) for one in (part, name))
    at_cwd = -100
    if call(at_cwd, old, at_cwd, new, _RENAME_NOREPLACE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(code, os.strerror(code), name)
