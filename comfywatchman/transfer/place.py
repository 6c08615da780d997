"""The folder a file goes to, held open: everything under it is named relative to its descriptor.

Holding the folder means that nobody can swap a link in between check and write. Where the system has no
`dir_fd` (Windows) the same calls go by path.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final, Self

from ..errors import Interrupted, NoSpace, NotWritable, Refused, WatchmanError
from ..names import safe_path

_LOG: Final = logging.getLogger(__name__)
_HAS_DIR_FD: Final = os.open in os.supports_dir_fd and os.link in os.supports_dir_fd
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_BASE: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
_SYNC_FILE_RANGE_WRITE: Final = 2  # linux/fs.h
_FALLOC_FL_KEEP_SIZE: Final = 1  # linux/falloc.h
_NO_LINKS: Final = frozenset(
    {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}
)
# Windows' own numbers, of which several become the same errno: learn.microsoft.com, "System Error Codes"
_NO_LINKS_WINDOWS: Final = frozenset({1, 50})  # ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED: exFAT, FAT32
_DENIED_WINDOWS: Final = 5  # ERROR_ACCESS_DENIED, also said of a file that is being deleted
_HELD_WINDOWS: Final = frozenset({32, 33})  # ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION
_HELD: Final = frozenset({errno.EBUSY, errno.ETXTBSY})  # what becomes of those on a mounted share
_PAUSES: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # seconds between two tries at a file that others hold


def disk_error(fault: OSError, where: str) -> WatchmanError:
    """Our error for one of the file system; only what another program holds may go better later."""
    reason = fault.strerror or type(fault).__name__
    if fault.errno in _FULL:
        return NoSpace(f"{where}: {reason}")
    if is_held(fault):
        return Interrupted(
            f"{where}: another program holds the file open ({reason})",
            hint="A virus scanner or a backup may read it. Run the same command again; what came is kept.",
        )
    return NotWritable(f"{where}: {reason}")


def is_held(fault: OSError) -> bool:
    """Whether another program has the file open in a way that bars us from renaming or removing it."""
    return fault.errno in _HELD or getattr(fault, "winerror", None) in _HELD_WINDOWS


def patiently(call: Callable[[], object]) -> None:
    """Do something to a name, again after a while where a virus scanner or an indexer may have held the file.

    Raises:
        OSError: the last try's; at once where waiting cannot help, as with rights on POSIX.
    """
    for pause in _PAUSES:
        try:
            call()
        except OSError as fault:
            if not is_held(fault) and getattr(fault, "winerror", None) != _DENIED_WINDOWS:
                raise
        else:
            return
        time.sleep(pause)
    call()


@contextmanager
def disk_errors(where: str) -> Iterator[None]:
    """Turn what the file system raises inside into our errors.

    Raises:
        NoSpace, NotWritable: see `disk_error`.
    """
    try:
        yield
    except OSError as fault:
        raise disk_error(fault, where) from fault


class Place:
    """An open folder below a root. Close it, or use it as a context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fd: int | None = _open_folder(folder) if _HAS_DIR_FD else None

    @classmethod
    def below(cls, root: str, path: str, *, roots: tuple[str, ...] = ()) -> tuple[Self, str]:
        """The folder of `path` below `root`, made if need be, and the file's name in it.

        Links on the way are followed only to places inside the root, or inside one of `roots`.

        Raises:
            UnsafePath, Refused: the path is not one for below this root.
            NoSpace, NotWritable: the folder cannot be made or opened.
        """
        safe = PurePosixPath(safe_path(path))
        base = Path(root)
        with disk_errors(str(base / safe.parent)):
            folder = _real_folder(base, safe.parent, roots)
            return cls(folder), safe.name

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the folder go."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    @property
    def device(self) -> int:
        """The file system's number."""
        return self.folder.stat().st_dev if self._fd is None else os.fstat(self._fd).st_dev

    def open(self, name: str, flags: int) -> int:
        """A descriptor of a file here; links are not followed."""
        return os.open(self._at(name), flags | _BASE, 0o666, dir_fd=self._fd)

    def create(self, name: str) -> int:
        """A descriptor of a new file here, for reading and writing.

        Raises:
            FileExistsError: the name is taken.
        """
        return self.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL)

    def stat(self, name: str) -> os.stat_result | None:
        """What lies under a name, links not followed; None if nothing."""
        with suppress(FileNotFoundError):
            return os.stat(self._at(name), dir_fd=self._fd, follow_symlinks=False)
        return None

    def names(self) -> list[str]:
        """All names here."""
        return [entry.name for entry in self.folder.iterdir()] if self._fd is None else os.listdir(self._fd)  # noqa: PTH208 - by descriptor

    def link(self, name: str, new: str) -> bool:
        """Give a file a second name that must be free; False where this file system has no links.

        Raises:
            FileExistsError: the new name is taken.
        """
        old, new = self._at(name), self._at(new)
        try:
            patiently(lambda: os.link(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd))
        except OSError as fault:
            if fault.errno in _NO_LINKS or getattr(fault, "winerror", None) in _NO_LINKS_WINDOWS:
                return False
            raise
        return True

    def rename(self, name: str, new: str) -> None:
        """Rename; what lay under the new name is gone."""
        old, new = self._at(name), self._at(new)
        patiently(lambda: os.replace(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd))

    def unlink(self, name: str) -> None:
        """Remove a name if it is there."""
        with suppress(FileNotFoundError):
            patiently(lambda: os.unlink(self._at(name), dir_fd=self._fd))

    def sync(self) -> None:
        """Make the names themselves last; a no-op where folders cannot be synced."""
        if self._fd is not None:
            sync(self._fd)

    def write_whole(self, name: str, data: bytes, *, lasting: bool) -> None:
        """Put a small file here at once: written aside, synced if `lasting`, renamed over the old one."""
        aside = f"{name}.new"
        self.unlink(aside)
        fd = self.create(aside)
        try:
            view = memoryview(data)
            while view:  # a write may take only a part
                view = view[os.write(fd, view) :]
            if lasting:
                sync(fd)
        finally:
            os.close(fd)
        self.rename(aside, name)
        if lasting:
            self.sync()

    def read_whole(self, name: str, *, limit: int) -> bytes | None:
        """The first `limit` bytes of a small file here; None if there is no plain file of that name."""
        found = self.stat(name)
        if found is None or not stat.S_ISREG(found.st_mode):
            return None
        with os.fdopen(self.open(name, os.O_RDONLY), "rb") as file:
            return file.read(limit)

    def _at(self, name: str) -> str:
        return name if self._fd is not None else str(self.folder / name)


def sync(fd: int) -> None:
    """Bring a file's bytes to the disk itself; macOS needs its own call for that."""
    if sys.platform == "darwin":  # pragma: no cover
        import fcntl

        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fsync(fd)


def begin_sync(fd: int, start: int, count: int) -> None:
    """Have the system start to bring bytes to the disk, where it can; `sync` is still needed afterwards."""
    if sys.platform == "linux":
        call = getattr(ctypes.CDLL(None), "sync_file_range", None)
        if call is not None:
            offset = ctypes.c_int64
            call(fd, offset(start), offset(count), _SYNC_FILE_RANGE_WRITE)


def reserve(fd: int, size: int) -> bool:
    """Set room aside for a file of that size, whose own size stays as it is; False where that cannot be had.

    Not by `posix_fallocate`, which makes the file longer, and writes it full of zeroes where the file system
    knows no better. Cutting the file, even to its own length, gives the room back.

    Raises:
        OSError: there is not enough room.
    """
    if sys.platform != "linux":
        return False
    disk, taken = os.fstatvfs(fd), os.fstat(fd).st_blocks * 512
    if disk.f_blocks and size - taken > disk.f_bavail * disk.f_frsize:  # else it would fill the disk first
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    library = ctypes.CDLL(None, use_errno=True)
    call = getattr(library, "fallocate64", None) or getattr(library, "fallocate", None)  # musl has the latter
    if call is None or call(fd, _FALLOC_FL_KEEP_SIZE, ctypes.c_int64(0), ctypes.c_int64(size)) == 0:
        return call is not None
    code = ctypes.get_errno()
    if code in _FULL:
        raise OSError(code, os.strerror(code))
    _LOG.debug("no room can be set aside here: %s", os.strerror(code))
    return False


def _real_folder(base: Path, below: PurePosixPath, roots: tuple[str, ...]) -> Path:
    """The real folder for `below`, made step by step, each step checked to stay inside base or a root."""
    if not base.parent.is_dir():  # made anew, it would fill the disk that an absent one is mounted on
        hint = "Is its drive there? Look at extra_model_paths.yaml."
        raise NotWritable(f"{base}: {base.parent} does not exist", hint=hint)
    base.mkdir(exist_ok=True)
    folder = home = Path(os.path.realpath(base))
    for part in below.parts:
        step = folder / part
        with suppress(FileExistsError):
            step.mkdir()
            _sync_folder(folder)
        folder = Path(os.path.realpath(step))
        if not folder.is_relative_to(home) and not _is_below_any(folder, roots):
            raise Refused(
                f"{step} is a link that leads out of the model folders, to {folder}",
                hint="Name the target as a root in extra_model_paths.yaml, or replace the link.",
            )
    return folder


def _is_below_any(folder: Path, roots: tuple[str, ...]) -> bool:
    """Whether a real folder lies in one of the roots, wherever links lead them."""
    return any(folder.is_relative_to(os.path.realpath(root)) for root in roots)


def _sync_folder(folder: Path) -> None:
    """Make a folder's new names last."""
    with suppress(PermissionError), Place(folder) as place:  # a folder may be writable but not readable
        place.sync()


def _open_folder(folder: Path) -> int:
    """Open a real path without following any link: one that appears on the way was put there just now."""
    if not hasattr(os, "O_PATH"):
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _BASE)
    fd = os.open("/", os.O_PATH | os.O_DIRECTORY | _BASE)
    parts = folder.parts[1:] or (".",)
    for at, part in enumerate(parts, 1):
        kind = os.O_RDONLY if at == len(parts) else os.O_PATH
        try:
            deeper = os.open(part, kind | os.O_DIRECTORY | _BASE, dir_fd=fd)
        finally:
            os.close(fd)
        fd = deeper
    return fd
