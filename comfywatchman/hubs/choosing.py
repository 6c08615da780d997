"""Which of a hub's files a reference may mean, and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..catalog import Access, RemoteFile, is_generic
from ..digest import Digest, match_digests
from ..resolution import Candidate, Evidence
from ..workflow.references import Reference
from .likeness import fits, is_like, is_same_name

MOST: Final = 10  # candidates a person can choose from

# Two files with equal 8 hex digits, or equal weights under another header, are not the same file.
_TELLING: Final = frozenset({"sha256", "blake3", "autov2"})


@dataclass(frozen=True, slots=True)
class Offer:
    """A file and all names it goes by: its own, its uploader's, its work's."""

    file: RemoteFile
    names: tuple[str, ...]
    work: str = ""


def by_digest(digest: Digest, files: Iterable[RemoteFile]) -> tuple[Candidate, ...]:
    """The files whose published digest is that one."""
    evidence = Evidence.DIGEST if digest.algorithm in _TELLING else Evidence.NAME
    return tuple(Candidate(file, evidence) for file in files if has_digest(file, digest))


def has_digest(file: RemoteFile, digest: Digest) -> bool:
    """Whether the file's record names this very digest; the short forms of a SHA-256 and an AutoV3 count."""
    one_kind = [d for d in file.digests if d.algorithm == digest.algorithm]
    if not one_kind and digest.algorithm == "autov2":
        one_kind = [Digest("autov2", d.hex[:10]) for d in file.digests if d.algorithm == "sha256"]
    return any(d.hex.startswith(digest.hex) or digest.hex.startswith(d.hex) for d in one_kind)


def by_link(reference: Reference, file: RemoteFile, *, exact: bool) -> tuple[Candidate, ...]:
    """The file an embedded link opens; `exact` is False when the link names a work, not a file of it."""
    same = match_digests((reference.digest,), file.digests) if reference.digest else None
    if same is False:
        return ()
    if same:
        return (Candidate(file, Evidence.DIGEST),)
    return (Candidate(file, Evidence.URL if exact else Evidence.SIMILAR_NAME),)


def by_name(reference: Reference, offers: Iterable[Offer]) -> tuple[Candidate, ...]:
    """The files with the reference's name, or where there are none, those with a like one.

    A name that thousands of files have (`model.safetensors`) counts as a like one only.
    Files that contradict the reference's digest or belong to another kind of folder are no candidates.
    Of files with equal SHA-256 the first one stays, so offers come in order of trust.
    """
    ranked = [(evidence, offer.file) for offer in offers if (evidence := _evidence(reference, offer))]
    best = max((evidence for evidence, _ in ranked), default=None)
    if best is None:
        return ()
    least = min(best, Evidence.NAME)
    kept = _distinct(Candidate(file, evidence) for evidence, file in ranked if evidence >= least)
    return tuple(sorted(kept, key=_order)[:MOST])


def _evidence(reference: Reference, offer: Offer) -> Evidence | None:
    same = match_digests((reference.digest,), offer.file.digests) if reference.digest else None
    if same is not None:
        return Evidence.DIGEST if same else None
    if not fits(reference, offer.file.folder):
        return None
    if any(is_same_name(reference.name, name) for name in offer.names):
        return Evidence.SIMILAR_NAME if is_generic(reference.name) else Evidence.NAME
    alike = any(is_like(reference.name, name) for name in (*offer.names, offer.work))
    return Evidence.SIMILAR_NAME if alike else None


def _distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    kept: dict[str, Candidate] = {}
    for candidate in candidates:
        digest = candidate.file.digest("sha256")
        kept.setdefault(str(digest) if digest else candidate.file.url, candidate)
    return list(kept.values())


def _order(candidate: Candidate) -> tuple[int, bool]:
    """Best evidence first, then what can be had; Python's sort keeps the order of trust within."""
    return -candidate.evidence, candidate.file.access is Access.WITHDRAWN
