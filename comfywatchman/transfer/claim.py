"""Who may have a partial: its names, the lock on it, and how a leftover one is claimed.

Each process writes a partial of its own name and keeps it locked. One that is left over is claimed only by
a process that gets its lock, on a file system where locks are seen to work; elsewhere nobody can, and old
ones are removed. Windows has no need of locks: it renames nothing that is open.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from .place import Place

if sys.platform != "win32":
    import fcntl

_LEFT: Final = re.compile(r"(.+)\.[0-9a-f]{8}\.cw(?:part|journal(?:\.new)?)", re.DOTALL)
_ABANDONED: Final = 14 * 24 * 3600.0  # seconds since the last byte; no clock of a file server is that wrong


def part_name(target: str) -> str:
    """A fresh name for a partial of a file."""
    return f"{target}.{secrets.token_hex(4)}.cwpart"


def journal_name(part: str) -> str:
    """The name of a partial's journal."""
    return f"{part.removesuffix('.cwpart')}.cwjournal"


def parts_of(place: Place, target: str) -> list[str]:
    """All partials of files of that name here, whosever they are."""
    pattern = _pattern(target)
    return [name for name in place.names() if pattern.fullmatch(name)]


def _pattern(target: str) -> re.Pattern[str]:
    return re.compile(re.escape(target) + r"\.[0-9a-f]{8}\.cwpart")


def begun_in(folder: Path) -> set[str]:
    """The names of the files of which a partial or a journal lies in a folder, whosever it is."""
    with suppress(OSError, ValueError):  # not there, or a name that no folder can have
        return {found[1] for found in map(_LEFT.fullmatch, os.listdir(folder)) if found}  # noqa: PTH208 - names are all that counts
    return set()


def held_room(folder: Path, target: str) -> int:
    """Bytes of the disk that a partial of a file has for itself here, those set aside included."""
    pattern = _pattern(target)
    room = 0
    with suppress(OSError):
        for path in folder.iterdir():
            if pattern.fullmatch(path.name):
                room = max(room, getattr(path.lstat(), "st_blocks", 0) * 512)
    return room


def claim(place: Place, name: str) -> tuple[str, int] | None:
    """Open a leftover partial so that no other process can; None if one has it."""
    try:
        found = place.stat(name)
        if found is None or not stat.S_ISREG(found.st_mode):
            return None
        if sys.platform == "win32":  # pragma: no cover - an open file cannot be renamed there
            fresh = part_name(re.sub(r"\.[0-9a-f]{8}\.cwpart\Z", "", name))
            (place.folder / name).rename(place.folder / fresh)  # at once or not: who writes it holds it
            with suppress(OSError):
                place.rename(journal_name(name), journal_name(fresh))
            return fresh, place.open(fresh, os.O_RDWR)
        fd = place.open(name, os.O_RDWR)
    except OSError:
        return None
    with ExitStack() as unless_claimed, suppress(OSError):
        unless_claimed.callback(os.close, fd)
        if lock(fd):
            if _locks_work(place, name):
                unless_claimed.pop_all()
                return name, fd
            _clear_abandoned(place, name, found.st_mtime)
    return None


def _clear_abandoned(place: Place, name: str, changed: float) -> None:
    """Remove a partial that nobody can ever take over, once it is so old that nobody writes it any more.

    Were somebody to, the publishing would notice: the name no longer belongs to the file.
    """
    if time.time() - changed > _ABANDONED:
        for one in (journal_name(name), f"{journal_name(name)}.new", name):
            place.unlink(one)


def lock(fd: int) -> bool:
    """Lock a partial for as long as it is open; the system frees it when the process dies."""
    if sys.platform == "win32":  # pragma: no cover
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # no locks on this file system: nobody will adopt the partial
        return True
    return True


def _locks_work(place: Place, name: str) -> bool:
    """Whether a second lock on a locked file is refused here, as it is not on some network drives.

    Raises:
        OSError: it cannot be found out.
    """
    if sys.platform == "win32":  # pragma: no cover
        return True
    second = place.open(name, os.O_RDWR)
    try:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(second)
    return False
