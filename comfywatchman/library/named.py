"""A model file by the name that a widget or a prompt gives it, found as ComfyUI finds it."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping
from functools import lru_cache
from unicodedata import normalize

from ..catalog import LocalFile, base_name
from ..names import fold
from .folders import has_model_extension
from .roots import Root


def find_named(roots: Iterable[Root], name: str) -> LocalFile | None:
    r"""The first file of that name below the roots of a folder; None if there is none.

    As `folder_paths.get_full_path`, a name stays below the root whatever it says; as in ComfyUI's lists, only
    model files have one. Both `/` and `\` separate, and Unicode may be composed or not, so that a workflow
    saved on Windows or a Mac works elsewhere; where a name really holds a `\`, it is found too.
    """
    if "\0" in name or not has_model_extension(name):
        return None
    ways = (name, _slashed(name), normalize("NFC", _slashed(name)), normalize("NFD", _slashed(name)))
    paths = dict.fromkeys(posixpath.normpath(f"/{text}").lstrip("/") for text in ways)
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
    return _by_stem(tuple(files)).get(fold(_slashed(stem)))


@lru_cache(maxsize=2)  # ComfyUI's list of LoRAs, before and after a change
def _by_stem(files: tuple[str, ...]) -> Mapping[str, str]:
    """Each file by all that a tag may call it; the fuller name counts more, then the earlier file."""
    ranks: tuple[dict[str, str], ...] = ({}, {}, {}, {})
    for name in files:
        plain = fold(_slashed(name))
        bare = plain.rpartition(".")[0] if has_model_extension(plain) else plain
        for rank, way in zip(ranks, (plain, bare, base_name(plain), base_name(bare)), strict=True):
            rank.setdefault(way, name)
    return {way: name for rank in reversed(ranks) for way, name in rank.items()}


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
