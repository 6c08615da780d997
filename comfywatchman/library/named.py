"""A model file by the name that a widget or a prompt gives it, found as ComfyUI finds it."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable

from ..catalog import LocalFile, base_name
from ..names import fold
from .folders import has_model_extension
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


def find_stem(files: Iterable[str], stem: str) -> str | None:
    """The name a LoRA tag of a prompt means in a list of names: with its folder or without, no extension.

    >>> find_stem(["style/ink v2.safetensors", "fog.safetensors"], "Ink v2")
    'style/ink v2.safetensors'
    """
    wanted = fold(stem.replace("\\", "/"))
    by_rank: dict[int, str] = {}
    for name in files:
        plain = fold(name.replace("\\", "/"))
        bare = plain.rpartition(".")[0] if has_model_extension(plain) else plain
        ways = (plain, bare, base_name(plain), base_name(bare))
        if wanted in ways:
            by_rank.setdefault(ways.index(wanted), name)
    return by_rank[min(by_rank)] if by_rank else None


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
