"""A model file by the name that a widget gives it, found as ComfyUI finds it."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable

from ..catalog import LocalFile
from .roots import Root


def find_named(roots: Iterable[Root], name: str) -> LocalFile | None:
    r"""The first file of that name below the roots of a folder; None if there is none.

    As `folder_paths.get_full_path`: a name stays below the root whatever it says. Both `/` and `\` separate,
    so that a workflow saved on Windows works elsewhere; where a name really holds a `\`, it is found too.
    """
    if not name or "\0" in name:
        return None
    paths = dict.fromkeys(posixpath.normpath(f"/{text}").lstrip("/") for text in (name, _slashed(name)))
    for root in roots:
        for path in paths:
            if (file := _stat(root, path)) is not None:
                return file
    return None


def _slashed(name: str) -> str:
    return name.replace("\\", "/")


def _stat(root: Root, path: str) -> LocalFile | None:
    where = os.path.join(root.path, path)  # noqa: PTH118 - a Path would drop what get_full_path keeps
    try:
        if not os.path.isfile(where):  # noqa: PTH113 - unlike Path.is_file it never raises
            return None
        stat = os.stat(where)  # noqa: PTH116
    except (OSError, ValueError):
        return None
    return LocalFile(
        folder=root.folder, path=path, root=str(root.path), size=stat.st_size, mtime_ns=stat.st_mtime_ns
    )
