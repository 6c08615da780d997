"""Temporary: JSON only. Replaced by the reader of images and media at the merge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a file carries: the container's name and the raw texts."""

    container: str
    workflow: bytes | None
    prompt: bytes | None


def read_container(source: bytes | BinaryIO) -> Embedded:
    """The texts in a file."""
    data = source if isinstance(source, bytes) else source.read()
    return Embedded("json", data, None)
