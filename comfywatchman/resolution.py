"""Deciding what a reference means: Present, Found, Ambiguous or Missing.

A wrong file is worse than none. One certain answer is Found; several answers of equal evidence
that are not the same file are Ambiguous; none is Missing, with what was searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import assert_never

from .catalog import Access, LocalFile, RemoteFile
from .digest import match_digests
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
    RENAMED = "renamed"  # same folder, another name, the digest of the reference
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


def pick(resolution: Ambiguous, index: int) -> Found:
    """The resolution after a person chose the candidate with that index, from 0.

    Raises:
        IndexError: there is no such candidate.
    """
    chosen = resolution.candidates[index]
    return Found(resolution.reference, chosen.file, chosen.evidence)


def prefer(candidates: Sequence[Candidate], precision: str | None) -> int | None:
    """The index to offer first: the preferred precision, where all are one model in several precisions.

    `fp8` also stands for `fp8_e4m3fn`. None where the candidates differ in more, or none or several fit.
    """
    models = {(c.file.hub, c.file.model_name, c.file.version_name) for c in candidates}
    if precision is None or len(models) != 1 or candidates[0].file.model_name is None:
        return None
    wanted = precision.casefold()
    offered = [(c.file.precision or "").casefold() for c in candidates]
    for fits in (str.__eq__, str.startswith):
        fitting = [index for index, given in enumerate(offered) if fits(given, wanted)]
        if len(fitting) == 1:
            return fitting[0]
    return None


def resolve(
    reference: Reference,
    *,
    local: Sequence[LocalMatch] = (),
    remote: Sequence[Candidate] = (),
    searched: tuple[str, ...] = (),
    all_answered: bool = True,
) -> Resolution:
    """Decide what a reference means, given everything found on this disk and on the hubs.

    `local` is best placement first. A file in the reference's own folder is Present. A file of that name in
    another folder is Present only while no hub names a file that it is not. Unless `all_answered`, one
    file of that name need not be the only one: a person must choose.
    """
    here = [match for match in local if not _contradicts(reference, match)]
    for match in here:
        if match.placement is not Placement.FOLDER:
            return Present(reference, match.file, match.placement, _local_evidence(reference, match))
    decided = _choose(reference, remote, searched, all_answered=all_answered)
    elsewhere = next(iter(here), None)
    if elsewhere is None or _differs(elsewhere.file, decided):
        return decided
    return Present(reference, elsewhere.file, Placement.FOLDER, _local_evidence(reference, elsewhere))


def is_settled(candidates: Sequence[Candidate]) -> bool:
    """Whether the candidates leave no doubt, so that asking further hubs is of no use."""
    best = [c for c in merge_same_files(candidates) if c.evidence >= Evidence.URL]
    return any(c.evidence is Evidence.DIGEST for c in best) or len(best) == 1


def merge_same_files(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The candidates without repeats of one file, best evidence first, otherwise in the order given.

    Two are the same file when an identifying digest agrees or they have one URL. The one kept has the
    best evidence; among equals the one that can be had without asking anybody, then the first.
    """
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (-c.evidence, c.file.access is not Access.OPEN)):
        if not any(_same_file(candidate.file, other.file) for other in kept):
            kept.append(candidate)
    return tuple(kept)


def _choose(
    reference: Reference, remote: Sequence[Candidate], searched: tuple[str, ...], *, all_answered: bool
) -> Resolution:
    """Found when one candidate stands out, Ambiguous when a person must choose, else Missing."""
    fitting = [c for c in remote if not _denies(reference, c.file)]
    if not fitting and not remote:
        return Missing(reference, searched)
    candidates = merge_same_files(fitting)
    enough = Evidence.NAME if all_answered else Evidence.URL
    if candidates and candidates[0].evidence >= enough:
        best = [c for c in candidates if c.evidence is candidates[0].evidence]
        if len(best) == 1 or _are_mirrors(best):
            return Found(reference, best[0].file, best[0].evidence)
    return Ambiguous(reference, merge_same_files(remote))


def _are_mirrors(candidates: Sequence[Candidate]) -> bool:
    """Whether the known-models table offers one file at several addresses.

    Its authors publish shared files (`ae.safetensors`, `qwen_image_vae.safetensors`) in several of their
    repositories. What digests and sizes are known must not disagree.
    """
    if any(c.evidence is not Evidence.KNOWN for c in candidates):
        return False
    first = candidates[0].file
    return not any(_distinct(first, c.file) for c in candidates[1:])


def _same_file(one: RemoteFile, other: RemoteFile) -> bool:
    return one.url == other.url or match_digests(one.digests, other.digests) is True


def _distinct(one: RemoteFile | LocalFile, other: RemoteFile) -> bool:
    """Whether two files are known to differ."""
    sizes = one.size is not None and other.size is not None and one.size != other.size
    return sizes or match_digests(one.digests, other.digests) is False


def _differs(file: LocalFile, decided: Resolution) -> bool:
    """Whether the hubs name another file than the one found in another folder."""
    match decided:
        case Found(file=remote, evidence=evidence):
            return evidence >= Evidence.URL and (remote.size is None or _distinct(file, remote))
        case Ambiguous() | Missing() | Present():
            return False
        case _:
            assert_never(decided)


def _denies(reference: Reference, file: RemoteFile) -> bool:
    """Whether the digest in the workflow says that it is another file."""
    return reference.digest is not None and match_digests((reference.digest,), file.digests) is False


def _contradicts(reference: Reference, match: LocalMatch) -> bool:
    return reference.digest is not None and match_digests((reference.digest,), match.file.digests) is False


def _local_evidence(reference: Reference, match: LocalMatch) -> Evidence:
    same = reference.digest is not None and match_digests((reference.digest,), match.file.digests)
    if same:
        return Evidence.DIGEST
    return Evidence.URL if reference.linked else Evidence.NAME
