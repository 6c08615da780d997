"""Matching: which of the files of a scan a reference may mean, by their names.

It lives in memory and is built in a blink. What is known of the files' content stands in the index.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from ..catalog import LocalFile, base_name, canonical_folder, is_generic
from ..resolution import LocalMatch, Placement
from ..workflow.references import Reference
from .folders import DIFFUSERS_FILE, has_model_extension

_RANK: Final = {placement: rank for rank, placement in enumerate(Placement)}

# ComfyUI tries an embedding's extensions in this order (comfy/sd1_clip.py, load_embed).
_EXTENSION_ORDER: Final = (".safetensors", ".pt", ".bin")

_ODD: Final = re.compile(r"(?:^|/)(?:/|\.{1,2}(?:/|$))")  # what normpath would change


class LocalNames:
    """Look-up over the files of a scan."""

    def __init__(self, files: Iterable[LocalFile]) -> None:
        self.files = tuple(files)
        by_name: defaultdict[str, list[int]] = defaultdict(list)
        by_stem: defaultdict[str, list[int]] = defaultdict(list)
        for number, file in enumerate(self.files):
            name = base_name(_fold(_listed_name(file)))
            by_name[name].append(number)
            by_stem[_stem(name)].append(number)
        self._by_name: Mapping[str, list[int]] = by_name
        self._by_stem: Mapping[str, list[int]] = by_stem

    def find(self, reference: Reference) -> tuple[LocalMatch, ...]:
        """The files a reference may mean, best first.

        Exactly placed ones come first, then those that differ in case or Unicode form, then those in
        another sub-folder, then those in another folder. A name without an extension, as embeddings
        and LoRA tags have, fits any model file of that stem. A generic name (`model.safetensors`)
        fits only its whole path.
        """
        question = _Question(reference)
        found = (
            (question.order(self.files[number], placement, number), LocalMatch(self.files[number], placement))
            for number in self._candidates(question)
            if (placement := question.place(self.files[number])) is not None
        )
        return tuple(match for _, match in sorted(found, key=lambda pair: pair[0]))

    def _candidates(self, question: _Question) -> Iterator[int]:
        yield from self._by_name.get(question.name, ())
        if question.any_extension:
            stem = question.name
            named = set(self._by_name.get(stem, ()))
            yield from (number for number in self._by_stem.get(stem, ()) if number not in named)


class LastLook:
    """The names of the files that the last scan found; made anew only where another finds others.

    Kept by a process that stays and looks often; from any thread.
    """

    def __init__(self) -> None:
        self._names = LocalNames(())

    def again(self, scan: Callable[[Iterable[LocalFile]], tuple[LocalFile, ...]]) -> LocalNames:
        """The names of the files that a scan finds now; it is given those that are known."""
        names = self._names
        files = scan(names.files)
        if files != names.files:
            self._names = names = LocalNames(files)
        return names


class _Question:
    """A reference made ready for comparing."""

    def __init__(self, reference: Reference) -> None:
        folders = (reference.folder, *reference.other_folders)
        self.folders = tuple(dict.fromkeys(map(canonical_folder, folders)))
        self.path = _normal(reference.name)
        self.folded = _fold(self.path)
        self.name = base_name(self.folded)
        self.any_extension = not has_model_extension(self.name)
        self.generic = is_generic(self.name)

    def place(self, file: LocalFile) -> Placement | None:
        """How a file of the same base name stands to the reference; None when the name says nothing."""
        here = file.folder in self.folders
        path = _listed_name(file)
        if here and self.path in self._names(path):
            return Placement.EXACT
        if here and self.folded in self._names(_fold(path)):
            return Placement.SPELLING
        if self.generic:
            return None
        return Placement.SUBFOLDER if here else Placement.FOLDER

    def order(self, file: LocalFile, placement: Placement, number: int) -> tuple[int, ...]:
        """The sort key: placement, the reference's own folder, extension, sub-folder, ComfyUI's order."""
        folder = self.folders.index(file.folder) if file.folder in self.folders else len(self.folders)
        path = _listed_name(file)
        suffix = path[len(_stem(path)) :].lower()
        rank = _EXTENSION_ORDER.index(suffix) if suffix in _EXTENSION_ORDER else len(_EXTENSION_ORDER)
        elsewhere = self.folded not in self._names(_fold(path))
        return (_RANK[placement], folder, rank, elsewhere, path.count("/"), number)

    def _names(self, path: str) -> tuple[str, ...]:
        """What a reference may call a path."""
        return (path, _stem(path)) if self.any_extension else (path,)


def placement_of(file: LocalFile, reference: Reference) -> Placement:
    """How a file that a reference means stands to its name; what it means by a link has any name."""
    if reference.linked:
        return Placement.EXACT
    question = _Question(reference)
    other = Placement.RENAMED if file.folder in question.folders else Placement.FOLDER
    return question.place(file) or other


def _stem(path: str) -> str:
    """A path without the extension of a model file; any other dot belongs to the name."""
    return path[: path.rindex(".")] if has_model_extension(path) else path


def _listed_name(file: LocalFile) -> str:
    """What ComfyUI's list calls a file: its path below the root, for diffusers the folder it is in."""
    path = _normal(file.path)
    return path.removesuffix(f"/{DIFFUSERS_FILE}") if file.folder == "diffusers" else path


def _normal(path: str) -> str:
    r"""A path as get_full_path reads it: relative to the root whatever it says, `\` as `/`."""
    path = path.replace("\\", "/")
    return posixpath.normpath(f"/{path}").lstrip("/") if _ODD.search(path) else path


def _fold(path: str) -> str:
    """A path without what file systems and people do not tell apart: case and Unicode form."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
