"""From workflow files to an answer: read, look on this disk, ask the hubs, decide.

path or JSON ──▶ Report(survey) ──▶ Sighting, Case ──▶ Report(resolutions, strangers) ──▶ Answer
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .errors import HubError, InputError, InvalidWorkflow
from .hubs.base import Hub
from .inquiry import Case, Cases, KnownModels, inquire_once
from .report import Answer, Pasted, Report, Stage, Stranger
from .resolution import Found, LocalMatch, Resolution, resolve
from .whereabouts import Lookout, Sighting
from .workflow.document import Workflow, read_document, read_workflow
from .workflow.loaders import Loaders
from .workflow.references import Reference, find_references

Source = Path | Pasted


@dataclass(frozen=True, slots=True)
class _Surveyed:
    """What workflows name, and what this disk has for it."""

    reports: Sequence[Report]
    seen: Mapping[Reference, Sighting]
    lookout: Lookout

    @property
    def wanted(self) -> list[Reference]:
        """What hubs are to be asked about."""
        return [reference for reference, s in self.seen.items() if reference.active and not s.is_here]

    def answer(self, cases: Cases) -> Answer:
        """The reports with a resolution for each reference."""
        decided = {r: self._decide(r, s.matches, cases.get(r)) for r, s in self.seen.items()}
        return Answer(
            reports=tuple(_with(report, self.seen, decided) for report in self.reports),
            faults=_distinct(fault for case in cases.values() for fault in case.faults),
            refusals={r: refusal for r, case in cases.items() if (refusal := case.refusal)},
        )

    def _decide(self, reference: Reference, local: Sequence[LocalMatch], case: Case | None) -> Resolution:
        decided = _decide(reference, local, case)
        if reference.linked and isinstance(decided, Found):
            same = self.lookout.find_same(reference, decided.file)
            return resolve(reference, local=same.matches) if same.is_here else decided
        return decided

    def stage(self, name: str, cases: Cases, left: Sequence[Hub], asked: Iterable[Reference]) -> Stage:
        """What is known before these hubs have answered about what is asked."""
        names = tuple(hub.name for hub in left)
        return Stage(name=name, answer=self.answer(cases), asking=names, asked=frozenset(asked))


def inspect_workflows(sources: Sequence[Source], *, lookout: Lookout, loaders: Loaders) -> Answer:
    """What workflows need, against this disk."""
    return _survey(sources, lookout, loaders).answer({})


def resolve_workflows(
    sources: Sequence[Source],
    *,
    lookout: Lookout,
    loaders: Loaders,
    known: KnownModels,
    hubs: Sequence[Hub],
    told: Callable[[Stage], None] | None = None,
) -> Answer:
    """What workflows need, and what the hubs have for what is missing; each thing is asked for once.

    `told` hears of what this disk and the table say at once, and of each hub but the last.
    """
    surveyed = _survey(sources, lookout, loaders)
    wanted = surveyed.wanted
    if told is None or not wanted:
        return surveyed.answer(inquire_once(wanted, known=known, hubs=hubs))
    told(surveyed.stage("local", {}, hubs, wanted))
    told(surveyed.stage("known", inquire_once(wanted, known=known, hubs=()), hubs, wanted))

    def tell(cases: Cases, left: Sequence[Hub]) -> None:
        told(surveyed.stage("hubs", cases, left, [r for r, case in cases.items() if case.is_open]))

    return surveyed.answer(inquire_once(wanted, known=known, hubs=hubs, told=tell))


def _survey(sources: Sequence[Source], lookout: Lookout, loaders: Loaders) -> _Surveyed:
    reports = [_read(source, loaders) for source in sources]
    seen = {r: lookout.find(r) for report in reports for r in report.survey.references}
    return _Surveyed(reports, seen, lookout)


def _read(source: Source, loaders: Loaders) -> Report:
    """What one workflow names; one that cannot be read makes a report of its error."""
    path = source.name if isinstance(source, Pasted) else str(source)
    try:
        workflow = _open(source)
        survey = find_references(workflow, loaders)
    except OSError as fault:
        error = InvalidWorkflow(f"{path}: cannot be read: {fault.strerror}", hint="Check the path.")
        return Report(path=path, error=error)
    except InputError as fault:
        return Report(path=path, error=fault)
    return Report(path=path, format=workflow.format, survey=survey)


def _open(source: Source) -> Workflow:
    if isinstance(source, Pasted):
        return read_document(source.document)
    with source.open("rb") as stream:
        return read_workflow(stream)


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
