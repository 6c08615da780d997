"""A small JSON file of ours that is never half there and never readable by others.

    write_json(path, value)     temporary beside it → fsync → replace → fsync of the folder
    read_json(path, limit=…)    the value, or null when there is no such file

Files are made with mode 0600, folders with 0700. The data folder's files all go through here.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Final

from .catalog import Json
from .decode import MIB, DecodeError, parse_json

PRIVATE_DIRECTORY: Final = 0o700


def read_json(path: Path, *, limit: int = MIB) -> Json:
    """The value in a file of at most `limit` bytes; null when the file does not exist.

    Raises:
        DecodeError: it is larger, or no JSON.
        OSError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return parse_json(file.read(limit + 1), limit=limit)
    except FileNotFoundError:
        return None
    except DecodeError as fault:
        raise DecodeError(f"{path}: {fault.message}") from fault


def write_json(path: Path, value: Json) -> None:
    """Put a value in place of a file; whatever happens, the old or the new one is there whole.

    Raises:
        OSError: the folder cannot be made or written.
    """
    path.parent.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)  # 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(value, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    """Make a rename last through a power cut; Windows cannot open a directory and needs nothing."""
    if os.name != "posix":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
