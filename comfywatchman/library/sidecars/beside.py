"""What lies beside a model file: every dialect's sidecars, and its preview.

    ink.safetensors ─find_beside─▶ Beside(sidecars: ink.civitai.info, ink.metadata.json …, preview, unread)

Names are tried as `<stem>.…` and as `<file.ext>.…`. `<stem>.…` may belong to another file of that stem;
where a sidecar names a digest, `Sidecar.is_of` tells. Nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...decode import DecodeError
from ...digest import Digest, match_digests
from ...facts import Facts
from ..folders import has_model_extension
from ..scan import Unread
from . import a1111, civitai_info, custom_scripts, lora_manager, model_manager, rgthree, stability_matrix
from .fields import JSON_LIMIT

Read = Callable[[bytes, str], Facts | None]

# The files that hold what a user wrote come first. One name can be of several dialects: keys tell.
_DIALECTS: Final[Mapping[str, tuple[tuple[str, Read], ...]]] = {
    ".json": (("a1111", a1111.read), ("civitscraper", civitai_info.read)),
    ".metadata.json": (("lora-manager", lora_manager.read),),
    ".rgthree-info.json": (("rgthree", rgthree.read),),
    ".modelresolver.json": (("model-resolver", lora_manager.read),),
    ".civitai.info": (("civitai-helper", civitai_info.read),),
    ".civitai.json": (("model-vault", civitai_info.read),),
    ".cm-info.json": (("stability-matrix", stability_matrix.read),),
    ".info": (("civitai", civitai_info.read),),
    ".md": (("model-manager", model_manager.read),),
    ".txt": (("custom-scripts", custom_scripts.read_note),),
    ".description.txt": (("a1111", a1111.read_description),),
    ".sha256": (("custom-scripts", custom_scripts.read_hash),),
}
# Lora-Manager's order.
_PREVIEWS: Final = (
    *(".webp", ".preview.webp", ".preview.png", ".preview.jpeg", ".preview.jpg", ".preview.mp4"),
    *(".png", ".jpeg", ".jpg", ".mp4", ".gif", ".webm", ".avif", ".jxl"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """One file beside a model file, in which dialect it is and what it says. `name` is its file name."""

    name: str
    dialect: str
    facts: Facts

    def is_of(self, digests: tuple[Digest, ...]) -> bool | None:
        """Whether it speaks of the file with these digests; None when it names none to compare."""
        return match_digests(digests, self.facts.digests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What lies beside one model file, the user's own words first. `preview` is a file name."""

    sidecars: tuple[Sidecar, ...] = ()
    preview: str | None = None
    unread: tuple[Unread, ...] = ()


def find_beside(path: Path, *, names: Container[str] | None = None) -> Beside:
    """Read every sidecar of a model file; what cannot be read is told in `unread`, once a file.

    `names` is what lies in its folder, where that is known: it saves a hundred looks at the disk.
    """
    sidecars: list[Sidecar] = []
    unread: list[Unread] = []
    for ending, dialects in _DIALECTS.items():
        for candidate in _candidates(path, ending, names):
            try:
                if sidecar := _read(candidate, dialects, path.name):
                    sidecars.append(sidecar)
            except DecodeError as fault:
                unread.append(Unread(candidate.name, fault.message))
            except OSError as fault:
                unread.append(Unread(candidate.name, fault.strerror or str(fault)))
    return Beside(sidecars=tuple(sidecars), preview=_preview(path, names), unread=tuple(unread))


def _read(path: Path, dialects: tuple[tuple[str, Read], ...], name: str) -> Sidecar | None:
    with path.open("rb") as stream:
        data = stream.read(JSON_LIMIT + 1)
    for dialect, read in dialects:
        if facts := read(data, name):
            return Sidecar(name=path.name, dialect=dialect, facts=facts)
    return None


def _preview(path: Path, names: Container[str] | None) -> str | None:
    found = (candidate.name for ending in _PREVIEWS for candidate in _candidates(path, ending, names))
    return next(found, None)


def _candidates(path: Path, ending: str, names: Container[str] | None) -> Iterator[Path]:
    """The files that are there under the names an ending gives; a pipe or device is none."""
    stem = path.stem if has_model_extension(path.name) else path.name
    for name in dict.fromkeys((stem + ending, path.name + ending)):
        if names is not None and name not in names:
            continue
        candidate = path.with_name(name)
        if candidate != path and os.path.isfile(candidate):  # noqa: PTH113 - unlike Path.is_file it never raises
            yield candidate
