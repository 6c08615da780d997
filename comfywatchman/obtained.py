"""A model file that is here, with what a workflow keeps to get the same file again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .air import CivitaiLink, HubLink, HuggingFaceLink
from .catalog import LocalFile
from .digest import Digest
from .errors import InvalidAir
from .library.origin import Origin
from .pins import Pin


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """A model file that is here, and where it is from, as far as that is known.

    `pinned` is the pin by which it was asked for.
    """

    file: LocalFile
    origin: Origin | None = None
    pinned: Pin | None = None

    @property
    def path(self) -> Path:
        """Where it lies."""
        return Path(self.file.root, self.file.path)

    @property
    def name(self) -> str:
        """Its name as ComfyUI lists it."""
        return self.file.path.replace("/", os.sep)

    @property
    def digest(self) -> Digest | None:
        """Its SHA-256, where it was ever computed."""
        return next((digest for digest in self.file.digests if digest.algorithm == "sha256"), None)

    @property
    def link(self) -> HubLink | None:
        """The very file on its hub."""
        return _link_of(self.origin) if self.origin else None

    @property
    def pin(self) -> Pin | None:
        """What to keep in a workflow to get the same file again; None where nothing is known of it.

        A pin that a workflow has stays as it is, whatever its file is called here.
        """
        if self.pinned is not None:
            return self.pinned
        if self.link is None and self.digest is None:
            return None
        return Pin(name=self.file.name, link=self.link, digest=self.digest)

    @property
    def identity(self) -> str:
        """What changes when the file does. Its digest is left out: that becomes known some time later."""
        file = self.file
        return f"{file.root}:{file.path}:{file.size}:{file.mtime_ns}"


def _link_of(origin: Origin) -> HubLink | None:
    try:
        if origin.hub == "civitai":
            return CivitaiLink(
                model_id=_number(origin.model_id),
                version_id=_number(origin.version_id),
                file_id=_number(origin.file_id),
            )
        if origin.hub == "huggingface" and origin.model_id and "/" in origin.model_id:
            return HuggingFaceLink(
                repo=origin.model_id, revision=origin.version_id or "main", path=origin.file_id
            )
    except InvalidAir:  # the index was written by something else
        pass
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
