"""What a person reads of workflows: what they name, where it is, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, assert_never

from ..catalog import LocalFile, page_of
from ..consent import Consent
from ..plan import Plan, Transfer
from ..report import Answer, Report, Stranger
from ..resolution import Ambiguous, Candidate, Found, Missing, Placement, Present, Resolution
from ..workflow.references import Reference, Survey
from .consent import pick_keys
from .tables import format_size, format_total, render_table
from .words import ACCESS, EVIDENCE, count, one_line, render_error, short_path

_HEAD: Final = ("FOLDER", "NAME", "STATE", "WHERE", "SIZE", "TO DO")
_WHERE: Final = _HEAD.index("WHERE")

Row = tuple[str, str, str, str, str, str]


def render_answer(answer: Answer, plan: Plan | None, *, width: int | None, notes: bool) -> Iterator[str]:
    """The tables of all workflows; `notes` adds choices and reasons below each."""
    transfers = {r: t for t in plan.transfers for r in t.references} if plan else {}
    refused = {still_open.reference: still_open.reason for still_open in plan.unresolved} if plan else {}
    keys = pick_keys(answer.resolutions)
    for report in answer.reports:
        yield one_line(short_path(report.path))
        yield from ("  " + line for line in _render_report(report, transfers, width))
        if notes:
            for group in _by_file(report):
                yield from ("  " + line for line in _note(group[0], transfers, refused, keys))
        yield ""


def render_plan(plan: Plan) -> str:
    """One line: how much will be fetched, what is here, what stays open."""
    parts = []
    if plan.wanted:
        total = format_total([transfer.source.size for transfer in plan.wanted])
        parts.append(f"{count(len(plan.wanted), 'file')} to fetch ({total})")
    if plan.kept:
        parts.append(f"{len({(k.file.root, k.file.path) for k in plan.kept})} present")
    still_open = {(o.reference.folder, o.reference.name) for o in plan.unresolved}
    still_open |= {(t.folder, t.path) for t in plan.transfers if t.consent is Consent.REFUSED}
    if still_open:
        parts.append(f"{len(still_open)} open")
    return ", ".join(parts) or "nothing to do"


def render_counts(answer: Answer) -> str:
    """One line: how many files are here and how many are not."""
    active = [r for r in answer.resolutions if r.reference.active]
    missing = {(r.reference.folder, r.reference.name) for r in active if isinstance(r, Missing)}
    present = {(r.reference.folder, r.reference.name) for r in active} - missing
    if missing:
        return f"{len(present)} present, {len(missing)} missing; `comfywatchman resolve` looks for them."
    return f"{len(present)} present, none missing."


def render_candidates(candidates: Sequence[Candidate]) -> Iterator[str]:
    """Numbered candidates with what tells them apart."""
    for index, candidate in enumerate(candidates, 1):
        file = candidate.file
        facts = (
            file.giver,
            file.model_name or file.page or file.url,
            file.version_name and file.version_name[:12],
            file.name,
            format_size(file.size),
            file.precision,
            file.base_model,
            f"by {file.uploader}" if file.uploader else None,
            f"{file.downloads:,} downloads" if file.downloads else None,
            EVIDENCE[candidate.evidence],
            ACCESS[file.access],
        )
        yield one_line(f"{index}. {', '.join(fact for fact in facts if fact)}")


def _render_report(
    report: Report, transfers: Mapping[Reference, Transfer], width: int | None
) -> Iterator[str]:
    if report.error:
        yield from render_error(report.error)
        return
    rows = [_row(group, transfers) for group in _by_file(report)]
    if rows:
        yield from render_table(_HEAD, rows, width=width and width - 2, below=_WHERE)
    else:
        yield "names no model files"
    yield from _asides(report.survey)
    yield from dict.fromkeys(one_line(_stranger(stranger)) for stranger in report.strangers)


def _by_file(report: Report) -> list[list[Resolution]]:
    """The resolutions of one file together, active ones first."""
    groups: dict[tuple[str, str], list[Resolution]] = {}
    for resolution in sorted(report.resolutions, key=lambda r: not r.reference.active):
        reference = resolution.reference
        groups.setdefault((reference.folder, reference.name.casefold()), []).append(resolution)
    return list(groups.values())


def _note(
    resolution: Resolution,
    transfers: Mapping[Reference, Transfer],
    refused: Mapping[Reference, str],
    keys: Mapping[tuple[str, str], str],
) -> Iterator[str]:
    """What the table has no room for: choices, and why a file is not simply fetched."""
    reference = resolution.reference
    name = one_line(reference.name)
    if isinstance(resolution, Ambiguous) and reference.active:
        yield f"{name} may be one of:"
        yield from ("  " + line for line in render_candidates(resolution.candidates))
        yield f"  → --pick {one_line(keys[reference.folder, reference.name])}=N takes one"
    elif reference in refused and not isinstance(resolution, Missing):
        yield f"{name}: {one_line(refused[reference])}"
    elif (transfer := transfers.get(reference)) and transfer.consent is not Consent.AUTOMATIC:
        yield f"{name}: {one_line(transfer.reason)}"
        page = page_of(transfer.source)
        if transfer.consent is Consent.REFUSED and page:
            yield f"  {one_line(page)}"


def _asides(survey: Survey) -> Iterator[str]:
    fetched = sorted({reference.name for reference in survey.self_fetched})
    if fetched:
        yield one_line(f"fetched by their own nodes: {', '.join(fetched)}")
    for node in survey.unknown_nodes:
        yield one_line(f"unknown node {node.type} ({', '.join(node.node_ids)}) names something like a model")


def _stranger(stranger: Stranger) -> str:
    """Why a file of the right name is not the one."""
    file, wanted = stranger.file, stranger.reference.digest
    here = next((d for d in file.digests if wanted and d.algorithm == wanted.algorithm), file.digests[0])
    return f"{file.folder}/{file.path} is here but another file: {here}, and the workflow means {wanted}"


def _row(group: Sequence[Resolution], transfers: Mapping[Reference, Transfer]) -> Row:
    resolution = group[0]
    reference = resolution.reference
    name = reference.name + (f" (×{len(group)})" if len(group) > 1 else "")
    state, where, size, to_do = _cells(resolution, transfers.get(reference))
    if not reference.active and state != "present":
        state, where, to_do = "muted", "", ""
    return (reference.folder, name, state, where, size, to_do)


def _cells(resolution: Resolution, transfer: Transfer | None) -> tuple[str, str, str, str]:
    """State, where, size and what to do about one resolution."""
    match resolution:
        case Present(file=file, placement=placement):
            return "present", _place(file, placement), format_size(file.size), say_relink(file, placement)
        case Found(file=remote, evidence=evidence):
            where = f"{remote.giver}, {EVIDENCE[evidence]}"
            return "found", where, format_size(remote.size), _fetching(transfer) if transfer else ""
        case Ambiguous(candidates=candidates):
            return "ambiguous", count(len(candidates), "candidate"), "", "choose"
        case Missing():
            return "missing", "", "", ""
        case _:
            assert_never(resolution)


def _place(file: LocalFile, placement: Placement) -> str:
    if placement is Placement.EXACT:
        return short_path(file.root)
    return f"{file.folder}/{file.path}"


def say_relink(file: LocalFile, placement: Placement) -> str:
    """What to do so that a node finds a file; empty where nothing is."""
    match placement:
        case Placement.EXACT:
            return ""
        case Placement.SPELLING | Placement.RENAMED | Placement.SUBFOLDER:
            return f"choose {file.path} in the node"
        case Placement.FOLDER:
            return f"move it out of {file.folder}"
        case _:
            assert_never(placement)


def _fetching(transfer: Transfer) -> str:
    match transfer.consent:
        case Consent.AUTOMATIC:
            return "fetch"
        case Consent.PLAN:
            return "ask first"
        case Consent.FILE:
            return "decide"
        case Consent.REFUSED:
            return "see below"
        case _:
            assert_never(transfer.consent)
