"""The roots as a page sees them: an id and the end of a path, and never the whole of it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from ..errors import UnknownFolder, WatchmanError
from ..library.roots import Root, Roots

# The directories of an absolute path, on POSIX and on Windows; a slash amid a word or an address begins none.
_DIRECTORIES: Final = re.compile(
    r"""(?<![\w/.:~-])(?:[A-Za-z]:)?[\\/]{1,2}(?:[^\\/\n:;,'"()<>]{0,254}[^\\/\s:;,'"()<>][\\/]{1,2})+"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """A file system that roots lie on; sizes in bytes."""

    id: str
    label: str
    free: int
    total: int


class Places:
    """The roots of an installation by id. Looks at each file system once; made anew for every few seconds."""

    def __init__(self, roots: Roots) -> None:
        self._roots = roots
        self._drives: dict[int, Drive] = {}
        self._by_id = {id_of(root.folder, root.path): root for root in roots if not root.output}

    def __iter__(self) -> Iterator[tuple[str, Root]]:
        return iter(self._by_id.items())

    def id_of(self, folder: str, path: str) -> str | None:
        """The id of the root of a folder at that path; None for one that is not served any more."""
        found = id_of(folder, Path(path))
        return found if found in self._by_id else None

    def path_of(self, id_: str, folder: str) -> str:
        """The path of a root of that folder.

        Raises:
            UnknownFolder: there is no such root, or it serves another folder.
        """
        root = self._by_id.get(id_)
        if root is None or root.folder != folder:
            raise UnknownFolder(f"root {id_[:40]!r}: none of the folder {folder!r}")
        return str(root.path)

    def drive_of(self, path: str | Path) -> Drive | None:
        """The file system of a directory that may have to be made yet; None when the disk does not answer."""
        with suppress(OSError):
            here = _existing(Path(path))
            number = here.stat().st_dev
            if number not in self._drives:
                usage, label = shutil.disk_usage(here), label_of(_mount_of(here, number))
                self._drives[number] = Drive(
                    id=_short(str(number)), label=label, free=usage.free, total=usage.total
                )
            return self._drives[number]
        return None

    def is_writable(self, path: Path) -> bool:
        """Whether new files can be put there, as far as a look tells."""
        with suppress(OSError):
            return os.access(_existing(path), os.W_OK)
        return False

    def target_of(self, folder: str) -> Path | None:
        """Where new files of a folder go; None where nothing is ever written."""
        with suppress(WatchmanError):
            return self._roots.target(folder)
        return None

    @property
    def paths(self) -> tuple[str, ...]:
        """Every directory that serves a folder."""
        return tuple(str(root.path) for root in self._roots)

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """Every root's path with what a page is shown of it, longest first."""
        paths = {str(path) for root in self._roots for path in (root.path, os.path.realpath(root.path))}
        return {path: label_of(Path(path)) for path in sorted(paths, key=len, reverse=True)}


def id_of(folder: str, path: Path) -> str:
    """A short name for a root that stays the same: the directory it is, and what it serves."""
    return _short(f"{folder}\0{path}")


def label_of(path: Path) -> str:
    """What a page is shown of a path: its last two parts.

    >>> label_of(Path("/home/ada/ComfyUI/models/loras")), label_of(Path("/"))
    ('models/loras', '/')
    """
    return "/".join(path.parts[1:][-2:]) or path.as_posix()


def shorten_paths(text: str) -> str:
    """A text in which of absolute paths only the last part stands.

    >>> shorten_paths("/home/ada/my models/a.yaml: not YAML at line 1, see https://example.com/a/b")
    '…/a.yaml: not YAML at line 1, see https://example.com/a/b'
    """
    return _DIRECTORIES.sub("…/", text)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def _existing(path: Path) -> Path:
    """The directory, or the nearest above it that is there."""
    real = Path(os.path.realpath(path))
    return next(place for place in (real, *real.parents) if place.exists())


def _mount_of(path: Path, device: int) -> Path:
    """The highest directory on the same file system."""
    mount = path
    for above in path.parents:
        if above.stat().st_dev != device:
            break
        mount = above
    return mount
