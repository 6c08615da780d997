"""Plans: what will be done, as data.

A plan can be printed (a dry run costs nothing), shown in a browser, saved, and run tomorrow.
Its form in JSON is `comfywatchman.plan/1`. Together its three parts hold every active reference once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from .catalog import Json, LocalFile, RemoteFile, base_name, canonical_folder, format_of, hub_title
from .consent import Consent, Policy, judge
from .errors import UnknownFolder, UnsafePath
from .names import safe_path
from .resolution import Ambiguous, Evidence, Found, Missing, Present, Resolution
from .workflow.references import Reference

SCHEMA: Final = "comfywatchman.plan/1"
_PLACES: Final = {"workflow": "the workflow's links", "known": "the known models"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One file to bring. `root` is the real directory, `path` the place below it with `/`."""

    source: RemoteFile
    root: str
    folder: str
    path: str
    evidence: Evidence
    consent: Consent
    reason: str
    references: tuple[Reference, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """The TRANSFER object of the JSON documents."""
        return {
            "folder": self.folder,
            "path": self.path,
            "root": self.root,
            "size": self.source.size,
            "url": self.source.url,
            "digests": [str(d) for d in self.source.digests],
            "consent": self.consent.value,
            "reason": self.reason,
            "evidence": self.evidence.word,
            "file": self.source.to_dict(),
            "references": [reference.to_dict() for reference in self.references],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A reference whose file is already here."""

    reference: Reference
    file: LocalFile

    def to_dict(self) -> dict[str, Json]:
        """The reference with its file."""
        return {**self.reference.to_dict(), "file": self.file.to_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A reference for which nothing will be fetched, and why: ambiguous, missing or refused."""

    reference: Reference
    state: str
    reason: str

    def to_dict(self) -> dict[str, Json]:
        """The reference with its state and reason."""
        return {**self.reference.to_dict(), "state": self.state, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be fetched, what is here, and what stays open."""

    transfers: tuple[Transfer, ...] = ()
    kept: tuple[Kept, ...] = ()
    unresolved: tuple[Open, ...] = ()

    @property
    def wanted(self) -> tuple[Transfer, ...]:
        """The transfers that may happen: all but the refused."""
        return tuple(transfer for transfer in self.transfers if transfer.consent is not Consent.REFUSED)

    @property
    def size(self) -> int:
        """The bytes to bring, as far as sizes are known."""
        return sum(transfer.source.size or 0 for transfer in self.wanted)

    def to_dict(self) -> dict[str, Json]:
        """The plan as `comfywatchman.plan/1`."""
        return {
            "schema": SCHEMA,
            "size": self.size,
            "transfers": [transfer.to_dict() for transfer in self.transfers],
            "kept": [kept.to_dict() for kept in self.kept],
            "unresolved": [still_open.to_dict() for still_open in self.unresolved],
        }


def make_plan(
    resolutions: Sequence[Resolution], *, target: Callable[[str], str], policy: Policy | None = None
) -> Plan:
    """Turn resolutions into a plan.

    `target(folder)` names the root that new files of a folder go to, or raises UnknownFolder. Muted and
    bypassed references are left out. References to one file become one transfer.
    """
    policy = policy or Policy()
    transfers: dict[tuple[str, str], Transfer] = {}
    kept: list[Kept] = []
    still_open: list[Open] = []
    for resolution in resolutions:
        if not resolution.reference.active:
            continue
        match resolution:
            case Present(reference, file):
                kept.append(Kept(reference=reference, file=file))
            case Found():
                made = _transfer_of(resolution, target, policy)
                _add(made, transfers, still_open)
            case Ambiguous(reference, candidates):
                reason = say_ambiguous(len(candidates))
                still_open.append(Open(reference=reference, state="ambiguous", reason=reason))
            case Missing(reference, searched):
                reason = say_missing(searched)
                still_open.append(Open(reference=reference, state="missing", reason=reason))
            case _:
                assert_never(resolution)
    return Plan(transfers=tuple(transfers.values()), kept=tuple(kept), unresolved=tuple(still_open))


def make_transfer(
    file: RemoteFile,
    *,
    folder: str,
    path: str,
    evidence: Evidence,
    target: Callable[[str], str],
    policy: Policy,
    references: tuple[Reference, ...] = (),
) -> Transfer:
    """Place one file below the root of its folder and say what consent it needs.

    Raises:
        UnsafePath: the name must not become a path.
        UnknownFolder: there is no such folder.
    """
    consent, reason = judge(file, evidence, policy)
    return Transfer(
        source=file,
        root=target(folder),
        folder=folder,
        path=safe_path(path),
        evidence=evidence,
        consent=consent,
        reason=reason,
        references=references,
    )


def say_ambiguous(count: int) -> str:
    """How many files a reference may mean."""
    return f"{count} files may be meant" if count > 1 else "one file may be meant"


def say_missing(searched: Sequence[str]) -> str:
    """Where a missing file was looked for.

    >>> say_missing(("known", "civitai", "huggingface"))
    'not found in the known models, CivitAI or Hugging Face'
    """
    if not searched:
        return "not searched"
    *first, last = (_PLACES.get(place, hub_title(place)) for place in searched)
    return f"not found in {', '.join(first)} or {last}" if first else f"not found in {last}"


def _transfer_of(found: Found, target: Callable[[str], str], policy: Policy) -> Transfer | Open:
    reference = found.reference
    told = found.file.folder
    if reference.linked and told is not None and canonical_folder(told) != reference.folder:
        reason = f"it belongs to {told}, and its node loads {reference.folder}"
        return Open(reference=reference, state="refused", reason=reason)
    try:
        transfer = make_transfer(
            found.file,
            folder=reference.folder,
            path=_path_for(reference, found.file),
            evidence=found.evidence,
            target=target,
            policy=policy,
            references=(reference,),
        )
        transfer = replace(transfer, source=_with_digest(transfer.source, reference))
    except (UnsafePath, UnknownFolder) as fault:
        return Open(reference=reference, state="refused", reason=fault.message)
    return transfer


def _with_digest(file: RemoteFile, reference: Reference) -> RemoteFile:
    """The file, checked against the workflow's digest where its hub publishes none."""
    if reference.digest is None or any(d.identifies for d in file.digests):
        return file
    return replace(file, digests=(*file.digests, reference.digest))


def _path_for(reference: Reference, file: RemoteFile) -> str:
    """The name the widget asks for, or the file's own where the widget gives no extension of that format.

    A node that names a link finds what came from there under any name.
    """
    if reference.linked:
        return base_name(file.name)
    if format_of(reference.name) == file.format:
        return reference.name
    folder = reference.name.rpartition("/")[0]
    name = base_name(file.name)
    return f"{folder}/{name}" if folder else name


def _add(made: Transfer | Open, transfers: dict[tuple[str, str], Transfer], still_open: list[Open]) -> None:
    """Take a transfer into the plan; the second reference to one target joins the first."""
    if isinstance(made, Open):
        still_open.append(made)
        return
    key = (made.root, made.path.casefold())
    before = transfers.get(key)
    if before is None:
        transfers[key] = made
    elif before.source == made.source:
        transfers[key] = replace(before, references=(*before.references, *made.references))
    else:
        reason = f"another model is already planned as {made.folder}/{made.path}"
        still_open.extend(Open(reference=r, state="refused", reason=reason) for r in made.references)
