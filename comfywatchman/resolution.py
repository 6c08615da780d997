"""Deciding what a reference means: Present, Found, Ambiguous or Missing.

A wrong file is worse than none. One certain answer is Found; several answers of equal evidence
that are not the same file are Ambiguous; none is Missing, with what was searched.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from .catalog import LocalFile, RemoteFile
from .workflow.references import Reference


class Evidence(IntEnum):
    """Why a file counts; ordered, never a score."""

    SIMILAR_NAME = 1
    NAME = 2
    URL = 3
    KNOWN = 4
    DIGEST = 5

    @property
    def word(self) -> str:
        """The word in JSON and tables."""
        return self.name.lower().replace("_", "-")


class Placement(StrEnum):
    """How the file on disk stands to the name in the widget."""

    EXACT = "exact"
    SPELLING = "spelling"  # other case or Unicode form
    SUBFOLDER = "subfolder"  # same folder, other sub-folder
    FOLDER = "folder"  # another folder: ComfyUI does not see it there


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file on a hub that may be meant, and why."""

    file: RemoteFile
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class LocalMatch:
    """A file on this disk that may be meant, and how it stands to the name."""

    file: LocalFile
    placement: Placement


@dataclass(frozen=True, slots=True)
class Present:
    """The file is here. Any placement but EXACT needs a relink before ComfyUI loads it."""

    reference: Reference
    file: LocalFile
    placement: Placement = Placement.EXACT
    evidence: Evidence = Evidence.NAME


@dataclass(frozen=True, slots=True)
class Found:
    """Exactly one file on a hub is meant."""

    reference: Reference
    file: RemoteFile
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Several files may be meant; a person must choose."""

    reference: Reference
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing was found in the places searched: workflow, known, civitai, huggingface."""

    reference: Reference
    searched: tuple[str, ...] = ()


Resolution = Present | Found | Ambiguous | Missing
