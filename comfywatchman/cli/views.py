"""What a person reads: answers, plans and outcomes as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, assert_never

from ..catalog import Access, LocalFile, Model, RemoteFile
from ..errors import WatchmanError
from ..names import printable
from ..plan import Consent, Plan, Transfer
from ..resolution import Ambiguous, Candidate, Evidence, Found, Missing, Placement, Present, Resolution
from ..transfer.events import Outcome, State, Verification
from ..watchman import Answer, Description, Listing, Report
from ..workflow.references import Reference, Survey
from .tables import format_size, render_table

_HEAD: Final = ("FOLDER", "NAME", "STATE", "WHERE", "SIZE", "TO DO")

_EVIDENCE: Final[Mapping[Evidence, str]] = {
    Evidence.SIMILAR_NAME: "similar name",
    Evidence.NAME: "same name",
    Evidence.URL: "workflow's link",
    Evidence.KNOWN: "known model",
    Evidence.DIGEST: "same digest",
}

_ACCESS: Final[Mapping[Access, str]] = {
    Access.OPEN: "",
    Access.LOGIN: "needs a token",
    Access.GATED: "gated: ask for access on its page",
    Access.EARLY: "early access: see its page",
    Access.WITHDRAWN: "withdrawn",
}

_VERIFIED: Final[Mapping[Verification, str]] = {
    Verification.DIGEST: "matches the digest published by {hub}",
    Verification.SIZE: "size and structure fit; {hub} publishes no digest",
    Verification.STRUCTURE: "structure fits; nothing was published to check against",
    Verification.NONE: "nothing was known to check against",
}

Row = tuple[str, str, str, str, str, str]


def render_answer(answer: Answer, plan: Plan | None, *, width: int | None) -> Iterator[str]:
    """The tables of all workflows, then what kept hubs from answering."""
    transfers = {r: t for t in plan.transfers for r in t.references} if plan else {}
    refused = {still_open.reference: still_open.reason for still_open in plan.unresolved} if plan else {}
    for report in answer.reports:
        yield from _render_report(report, transfers, refused, width)
    for fault in answer.faults:
        yield from render_error(fault)


def render_plan(plan: Plan) -> str:
    """One line: how much will be fetched, what is here, what stays open."""
    parts = []
    if plan.wanted:
        parts.append(f"{_count(len(plan.wanted), 'file')} to fetch ({format_size(plan.size)})")
    if plan.kept:
        parts.append(f"{len({(k.file.root, k.file.path) for k in plan.kept})} present")
    still_open = {(o.reference.folder, o.reference.name) for o in plan.unresolved}
    still_open |= {(t.folder, t.path) for t in plan.transfers if t.consent is Consent.REFUSED}
    if still_open:
        parts.append(f"{len(still_open)} open")
    return ", ".join(parts) or "nothing to do"


def render_outcome(outcome: Outcome) -> Iterator[str]:
    """How one transfer ended, with what its file was checked against."""
    where = printable(f"{outcome.transfer.folder}/{outcome.path}")
    if outcome.state is State.VERIFIED:
        words = _VERIFIED[outcome.verification].format(hub=_hub(outcome.transfer.source.hub))
        yield f"✓ {where}  {format_size(outcome.size)}  {words}"
    elif outcome.state is State.SKIPPED:
        yield f"✓ {where}  already there with the same content"
    elif outcome.error is not None:
        yield f"✗ {where}"
        yield from ("  " + line for line in render_error(outcome.error))
    else:
        yield f"– {where}  {outcome.state.value}"


def render_withheld(transfers: Sequence[Transfer]) -> Iterator[str]:
    """What was not fetched because nobody allowed it, and which option would."""
    for transfer in transfers:
        yield f"– {printable(transfer.folder)}/{printable(transfer.path)}  not fetched: {_withheld(transfer)}"


def render_error(error: WatchmanError) -> Iterator[str]:
    """A fault and what to do about it."""
    yield f"{printable(error.message)}  [{error.code}]"
    if error.hint:
        yield f"  → {printable(error.hint)}"


def render_description(description: Description) -> Iterator[str]:
    """The facts of one model, a line each."""
    if description.local:
        yield from _facts(_local_facts(description.local))
    for number, file in enumerate(description.files):
        if number or description.local:
            yield ""
        yield from _facts(_remote_facts(file))
    if not description.files:
        yield "No hub that was asked knows it."
    for fault in description.faults:
        yield from render_error(fault)


def render_listing(listing: Listing, *, width: int | None) -> Iterator[str]:
    """Models found by a search, a row each."""
    head = ("HUB", "MODEL", "TYPE", "BASE MODEL", "BY", "DOWNLOADS", "FETCH WITH")
    if listing.models:
        yield from render_table(head, [_model_row(model) for model in listing.models], width=width)
    else:
        yield "Nothing found."
    for fault in listing.faults:
        yield from render_error(fault)


def render_candidates(candidates: Sequence[Candidate]) -> Iterator[str]:
    """Numbered candidates with what tells them apart."""
    for index, candidate in enumerate(candidates, 1):
        file = candidate.file
        facts = (
            _hub(file.hub),
            file.model_name or file.page or file.url,
            file.version_name,
            file.name,
            format_size(file.size),
            file.precision,
            file.base_model,
            f"by {file.uploader}" if file.uploader else None,
            f"{file.downloads:,} downloads" if file.downloads else None,
            _EVIDENCE[candidate.evidence],
            _ACCESS[file.access],
        )
        yield printable(f"{index}. {', '.join(fact for fact in facts if fact)}")


def _render_report(
    report: Report,
    transfers: Mapping[Reference, Transfer],
    refused: Mapping[Reference, str],
    width: int | None,
) -> Iterator[str]:
    yield f"{printable(report.path)}"
    if report.error:
        yield from ("  " + line for line in render_error(report.error))
        yield ""
        return
    groups = _by_file(report)
    if groups:
        rows = [_row(group, transfers) for group in groups]
        yield from ("  " + line for line in render_table(_HEAD, rows, width=width and width - 2))
    else:
        yield "  names no model files"
    for group in groups:
        yield from ("  " + line for line in _note(group[0], transfers, refused))
    yield from ("  " + line for line in _asides(report.survey))
    yield ""


def _by_file(report: Report) -> list[list[Resolution]]:
    """The resolutions of one file together, active ones first."""
    groups: dict[tuple[str, str], list[Resolution]] = {}
    for resolution in sorted(report.resolutions, key=lambda r: not r.reference.active):
        reference = resolution.reference
        groups.setdefault((reference.folder, reference.name.casefold()), []).append(resolution)
    return list(groups.values())


def _note(
    resolution: Resolution, transfers: Mapping[Reference, Transfer], refused: Mapping[Reference, str]
) -> Iterator[str]:
    """What the table has no room for: choices, and why a file is not simply fetched."""
    reference = resolution.reference
    name = printable(reference.name)
    if isinstance(resolution, Ambiguous) and reference.active:
        yield f"{name} may be one of:"
        yield from ("  " + line for line in render_candidates(resolution.candidates))
        yield f"  choose with --pick {name.rpartition('/')[2]}=N"
    elif reference in refused and not isinstance(resolution, Missing):
        yield f"{name}: {printable(refused[reference])}"
    elif (transfer := transfers.get(reference)) and transfer.consent is not Consent.AUTOMATIC:
        page = transfer.source.page if transfer.consent is Consent.REFUSED else None
        yield printable(" ".join(filter(None, (f"{name}: {transfer.reason}", page))))


def _asides(survey: Survey) -> Iterator[str]:
    fetched = sorted({reference.name for reference in survey.self_fetched})
    if fetched:
        yield printable(f"fetched by their own nodes: {', '.join(fetched)}")
    for node in survey.unknown_nodes:
        yield printable(f"unknown node {node.type} ({', '.join(node.node_ids)}) names something like a model")


def _row(group: Sequence[Resolution], transfers: Mapping[Reference, Transfer]) -> Row:
    resolution = group[0]
    reference = resolution.reference
    name = reference.name + (f" (×{len(group)})" if len(group) > 1 else "")
    state, where, size, to_do = _cells(resolution, transfers.get(reference))
    if not reference.active and state != "present":
        state, to_do = "muted", ""
    return (reference.folder, name, state, where, size, to_do)


def _cells(resolution: Resolution, transfer: Transfer | None) -> tuple[str, str, str, str]:
    """State, where, size and what to do about one resolution."""
    match resolution:
        case Present(file=file, placement=placement):
            return "present", _place(file, placement), format_size(file.size), _relink(file, placement)
        case Found(file=remote, evidence=evidence):
            where = f"{_hub(remote.hub)}, {_EVIDENCE[evidence]}"
            return "found", where, format_size(remote.size), _fetching(transfer) if transfer else ""
        case Ambiguous(candidates=candidates):
            return "ambiguous", _count(len(candidates), "candidate"), "", "choose"
        case Missing(searched=searched):
            return "missing", "found nowhere" if searched else "not on this disk", "", ""
        case _:
            assert_never(resolution)


def _place(file: LocalFile, placement: Placement) -> str:
    if placement is Placement.EXACT:
        return file.root
    return f"{file.folder}/{file.path}"


def _relink(file: LocalFile, placement: Placement) -> str:
    match placement:
        case Placement.EXACT:
            return ""
        case Placement.SPELLING | Placement.SUBFOLDER:
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
            return "fetch --yes"
        case Consent.FILE:
            return "decide"
        case Consent.REFUSED:
            return "see below"
        case _:
            assert_never(transfer.consent)


def _withheld(transfer: Transfer) -> str:
    if transfer.consent is Consent.REFUSED:
        return " ".join(filter(None, (transfer.reason, transfer.source.page)))
    if transfer.source.format == "pickle":
        return f"{transfer.reason}; --yes --allow-pickle fetches it"
    if transfer.consent is Consent.FILE:
        return f"{transfer.reason}; answer in a terminal, or allow its host with --allow-host"
    return f"{transfer.reason}; --yes fetches it"


def _facts(facts: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    for label, value in facts:
        if value:
            yield f"{label:<14}{printable(value)}"


def _local_facts(file: LocalFile) -> Iterator[tuple[str, str | None]]:
    yield "file", f"{file.root}/{file.path}"
    yield "size", format_size(file.size)
    for digest in file.digests:
        yield digest.algorithm, digest.hex


def _remote_facts(file: RemoteFile) -> Iterator[tuple[str, str | None]]:
    yield "model", " · ".join(filter(None, (file.model_name, file.version_name))) or file.name
    yield "hub", _hub(file.hub)
    yield "file", file.name
    yield "folder", file.folder
    yield "size", format_size(file.size)
    yield "base model", file.base_model
    yield "precision", file.precision
    yield "trigger words", ", ".join(file.trigger_words)
    yield "by", file.uploader
    yield "licence", file.licence
    yield "access", _ACCESS[file.access]
    yield "AIR", str(file.air) if file.air else None
    yield "page", file.page
    yield "address", file.url
    for digest in file.digests:
        yield digest.algorithm, digest.hex


def _model_row(model: Model) -> tuple[str, ...]:
    version = model.versions[0] if model.versions else None
    thing = f"hf:{model.id}/…" if model.hub == "huggingface" else (f"v:{version.id}" if version else model.id)
    return (
        _hub(model.hub),
        model.name,
        model.type or "",
        (version.base_model if version else None) or "",
        model.uploader or "",
        f"{model.downloads:,}" if model.downloads is not None else "",
        thing,
    )


def _hub(name: str) -> str:
    return {"civitai": "CivitAI", "huggingface": "Hugging Face"}.get(name, name)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
