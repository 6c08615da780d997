"""From workflow files to an answer: read, look on this disk, ask the hubs, decide.

path ──▶ Report(survey) ──▶ Sighting, Case ──▶ Report(resolutions, strangers) ──▶ Answer
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .errors import HubError, InputError, InvalidWorkflow
from .hubs.base import Hub
from .inquiry import Case, KnownModels, inquire_once
from .report import Answer, Report, Stranger
from .resolution import LocalMatch, Resolution, resolve
from .whereabouts import Lookout, Sighting
from .workflow.document import read_workflow
from .workflow.loaders import Loaders
from .workflow.references import Reference, find_references


def inspect_workflows(paths: Sequence[Path], *, lookout: Lookout, loaders: Loaders) -> Answer:
    """What workflows need, against this disk."""
    reports = []
    for path in paths:
        report = _read(path, loaders)
        seen = {reference: lookout.find(reference) for reference in report.survey.references}
        decided = {reference: resolve(reference, local=s.matches) for reference, s in seen.items()}
        reports.append(_with(report, seen, decided))
    return Answer(reports=tuple(reports))


def resolve_workflows(
    paths: Sequence[Path], *, lookout: Lookout, loaders: Loaders, known: KnownModels, hubs: Sequence[Hub]
) -> Answer:
    """What workflows need, and what the hubs have for what is missing; each thing is asked for once."""
    reports = [_read(path, loaders) for path in paths]
    seen = {r: lookout.find(r) for report in reports for r in report.survey.references}
    wanted = [reference for reference, s in seen.items() if reference.active and not s.is_here]
    cases = inquire_once(wanted, known=known, hubs=hubs)
    decided = {r: _decide(r, s.matches, cases.get(r)) for r, s in seen.items()}
    return Answer(
        reports=tuple(_with(report, seen, decided) for report in reports),
        faults=_distinct(fault for case in cases.values() for fault in case.faults),
    )


def _read(path: Path, loaders: Loaders) -> Report:
    """What one workflow names; a file that cannot be read makes a report of its error."""
    try:
        with path.open("rb") as stream:
            workflow = read_workflow(stream)
    except OSError as fault:
        error = InvalidWorkflow(f"{path}: cannot be read: {fault.strerror}", hint="Check the path.")
        return Report(path=str(path), error=error)
    except InputError as fault:
        return Report(path=str(path), error=fault)
    survey = find_references(workflow, loaders)
    return Report(path=str(path), format=workflow.format, survey=survey)


def _decide(reference: Reference, local: Sequence[LocalMatch], case: Case | None) -> Resolution:
    if case is None:
        return resolve(reference, local=local)
    return resolve(
        reference,
        local=local,
        remote=case.candidates,
        searched=tuple(case.searched),
        all_answered=case.all_answered,
    )


def _with(
    report: Report, seen: Mapping[Reference, Sighting], decided: Mapping[Reference, Resolution]
) -> Report:
    references = report.survey.references
    strangers = (Stranger(reference=r, file=file) for r in references for file in seen[r].strangers)
    return replace(report, resolutions=tuple(decided[r] for r in references), strangers=tuple(strangers))


def _distinct(faults: Iterable[HubError]) -> tuple[HubError, ...]:
    """One fault for each hub and message."""
    return tuple({(fault.hub, fault.message): fault for fault in faults}.values())
