"""A small JSON file of ours that is never half there and, unless it is meant to be, never readable by others.

    write_json(path, value)     temporary beside it → fsync → replace → fsync of the folder
    add_json(path, value)       the same, but never in place of a file
    read_json(path, limit=…)    the value, or null when there is no such file

Files are made with mode 0600, folders with 0700. The data folder's files all go through here.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
from pathlib import Path
from typing import Final

from .catalog import Json
from .decode import MIB, DecodeError, parse_json

PRIVATE_DIRECTORY: Final = 0o700
PRIVATE: Final = 0o600
PUBLIC: Final = 0o666  # less what the umask takes
ACCESS: Final = "Check that the data folder is a folder that you may read and write."  # a hint


def read_json(path: Path, *, limit: int = MIB) -> Json:
    """The value in a file of at most `limit` bytes; null when the file does not exist.

    Raises:
        DecodeError: it is larger, or no JSON.
        OSError: it cannot be read.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            return parse_json(file.read(limit + 1) or b"", limit=limit)
    except FileNotFoundError:
        return None
    except DecodeError as fault:
        raise DecodeError(f"{path}: {fault.message}") from fault


def write_json(path: Path, value: Json, *, mode: int = PRIVATE) -> None:
    """Put a value in place of a file; whatever happens, the old or the new one is there whole.

    Raises:
        OSError: the folder cannot be made or written.
    """
    path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    temporary = _write_beside(path, value, mode)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def add_json(path: Path, value: Json, *, mode: int = PRIVATE) -> bool:
    """Write a file that is not there yet; False, and nothing done, if the name is taken.

    Raises:
        OSError: the folder is not there or cannot be written.
    """
    temporary = _write_beside(path, value, mode)
    try:
        _take_name(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    _sync_directory(path.parent)
    return True


def _open_at_once(name: str, flags: int) -> int:
    """A descriptor even of a pipe that nobody writes to: it reads as empty, and is waited for by nobody."""
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))


def _write_beside(path: Path, value: Json, mode: int) -> Path:
    """A whole and synced temporary beside a file."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(value, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _take_name(temporary: Path, path: Path) -> None:
    """Give a temporary a free name; where there are no hard links (exFAT), look and then rename."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        if os.name == "posix" and os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        temporary.rename(path)  # Windows refuses a name that is taken


def _sync_directory(directory: Path) -> None:
    """Make a rename last through a power cut; Windows cannot open a directory and needs nothing."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
