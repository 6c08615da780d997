"""The JSON documents that commands print, as `docs/reference/json.md` promises them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from ..catalog import Json
from ..errors import HubError, WatchmanError
from ..library.examination import Examination
from ..plan import Plan, Transfer
from ..report import Answer, Description, Listing, Report
from ..resolution import Ambiguous, Found, Missing, Present, Resolution
from ..transfer.events import Outcome


def inspect_document(answer: Answer) -> dict[str, Json]:
    """`comfywatchman.inspect/1`."""
    return {
        "schema": "comfywatchman.inspect/1",
        "workflows": [_workflow(report) for report in answer.reports],
    }


def resolve_document(answer: Answer, plan: Plan) -> dict[str, Json]:
    """`comfywatchman.resolve/1`."""
    return {
        "schema": "comfywatchman.resolve/1",
        "workflows": [_workflow(report) for report in answer.reports],
        "plan": plan.to_dict(),
        "problems": _problems(answer.faults),
    }


def fetch_document(
    plan: Plan, outcomes: Sequence[Outcome], *, answer: Answer, withheld: Sequence[Transfer], dry_run: bool
) -> dict[str, Json]:
    """`comfywatchman.fetch/1`; with `dry_run` the plan stands in it and nothing was fetched."""
    document: dict[str, Json] = {
        "schema": "comfywatchman.fetch/1",
        "transfers": [outcome.to_dict() for outcome in outcomes],
        "kept": [kept.to_dict() for kept in plan.kept],
        "unresolved": [still_open.to_dict() for still_open in plan.unresolved],
        "withheld": [transfer.to_dict() for transfer in withheld],
        "errors": [_error(report) for report in answer.reports if report.error],
        "problems": _problems(answer.faults),
    }
    if dry_run:
        document["plan"] = plan.to_dict()
    return document


def describe_document(description: Description) -> dict[str, Json]:
    """`comfywatchman.describe/1`."""
    return {
        "schema": "comfywatchman.describe/1",
        "subject": description.subject,
        "local": description.local.to_dict() if description.local else None,
        **_examined(description.examined),
        "trigger_words": list(description.trigger_words),
        "files": [file.to_dict() for file in description.files],
        "problems": _problems(description.faults),
    }


def _examined(examined: Examination | None) -> dict[str, Json]:
    """What a file here and its neighbours say; empty where no file was meant."""
    if examined is None:
        return {"content": None, "header": None, "sidecars": [], "preview": None, "unread": []}
    inside, beside = examined.inside, examined.beside
    error: Json = {**inside.error.to_dict()} if inside.error else None
    return {
        "content": {"format": inside.format, "exact": inside.exact, "error": error},
        "header": inside.facts.to_dict(),
        "sidecars": [
            {
                "name": sidecar.name,
                "dialect": sidecar.dialect,
                "is_of_this_file": sidecar.is_of(examined.file.digests),
                **sidecar.facts.to_dict(),
            }
            for sidecar in beside.sidecars
        ],
        "preview": beside.preview,
        "unread": [{"name": unread.path, "reason": unread.reason} for unread in beside.unread],
    }


def search_document(listing: Listing) -> dict[str, Json]:
    """`comfywatchman.search/1`."""
    return {
        "schema": "comfywatchman.search/1",
        "models": [model.to_dict() for model in listing.models],
        "problems": _problems(listing.faults),
    }


def error_document(error: WatchmanError) -> dict[str, Json]:
    """`comfywatchman.error/1`: what `--json` prints when a command could not do its work."""
    return {"schema": "comfywatchman.error/1", "error": {**error.to_dict()}}


def _workflow(report: Report) -> dict[str, Json]:
    pairs = zip(report.survey.references, report.resolutions, strict=True) if report.resolutions else ()
    return {
        "path": report.path,
        "format": report.format,
        "error": {**report.error.to_dict()} if report.error else None,
        "references": [{**r.to_dict(), "resolution": _resolution(decided)} for r, decided in pairs],
        "strangers": [stranger.to_dict() for stranger in report.strangers],
        "self_fetched": [reference.to_dict() for reference in report.survey.self_fetched],
        "unknown_nodes": [
            {"type": node.type, "node_ids": list(node.node_ids)} for node in report.survey.unknown_nodes
        ],
    }


def _resolution(resolution: Resolution) -> dict[str, Json]:
    document: dict[str, Json] = {
        "state": "missing",
        "evidence": None,
        "file": None,
        "candidates": [],
        "searched": [],
    }
    match resolution:
        case Present(file=file, placement=placement, evidence=evidence):
            document |= {"state": "present", "evidence": evidence.word, "file": file.to_dict()}
            document["placement"] = placement.value
        case Found(file=remote, evidence=evidence):
            document |= {"state": "found", "evidence": evidence.word, "file": remote.to_dict()}
        case Ambiguous(candidates=candidates):
            document |= {"state": "ambiguous"}
            document["candidates"] = [{**c.file.to_dict(), "evidence": c.evidence.word} for c in candidates]
        case Missing(searched=searched):
            document["searched"] = list(searched)
        case _:
            assert_never(resolution)
    return document


def _problems(faults: Sequence[HubError]) -> list[Json]:
    return [{**fault.to_dict(), "hub": fault.hub} for fault in faults]


def _error(report: Report) -> dict[str, Json]:
    error = report.error
    return {"path": report.path, **(error.to_dict() if error else {})}
