"""Workflows laid against this disk, and what has been found out about what is missing.

    reports + local matches ──questions──▶ inquire ──cases──▶ answer(cases)

References that ask for the same thing are one question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .digest import Digest
from .errors import HubError
from .hubs.base import Hub
from .inquiry import Case, KnownModels, inquire
from .report import Answer, Report, Stage
from .resolution import LocalMatch, Placement, Resolution, resolve
from .workflow.references import Reference

Question = tuple[str, tuple[str, ...], str, str | None, Digest | None]
Cases = Mapping[Question, Case]


@dataclass(frozen=True, slots=True)
class Gathering:
    """What workflows name, and the files on this disk that each reference may mean."""

    reports: Sequence[Report]
    local: Mapping[Reference, Sequence[LocalMatch]]

    @property
    def questions(self) -> dict[Question, Reference]:
        """What has to be asked about, with one reference each."""
        return {question_of(r): r for r, matches in self.local.items() if r.active and not _is_here(matches)}

    def asking(self, questions: Iterable[Question]) -> frozenset[Reference]:
        """All references that are asked about by these questions."""
        asked = set(questions)
        return frozenset(r for r in self.local if r.active and question_of(r) in asked)

    def answer(self, cases: Cases) -> Answer:
        """The reports with a resolution for each reference."""
        return Answer(
            reports=tuple(self._resolved(report, cases) for report in self.reports),
            faults=_distinct(fault for case in cases.values() for fault in case.faults),
        )

    def _resolved(self, report: Report, cases: Cases) -> Report:
        decided = (_decide(r, self.local[r], cases) for r in report.survey.references)
        return replace(report, resolutions=tuple(decided))


def ask(
    gathering: Gathering,
    *,
    known: KnownModels,
    hubs: Sequence[Hub],
    told: Callable[[Stage], None] | None = None,
) -> Answer:
    """Ask about everything that is missing; `told` hears of what is known before the last hub answers."""
    questions = gathering.questions
    references = list(questions.values())

    def tell(name: str, cases: Cases, left: Sequence[Hub], questions: Iterable[Question]) -> None:
        if told is not None:
            names = tuple(hub.name for hub in left)
            told(
                Stage(
                    name=name, answer=gathering.answer(cases), asking=names, asked=gathering.asking(questions)
                )
            )

    def tell_hubs(cases: Sequence[Case], left: Sequence[Hub]) -> None:
        by_question = dict(zip(questions, cases, strict=True))
        tell("hubs", by_question, left, [key for key, case in by_question.items() if case.is_open])

    if told is not None and references:
        tell("local", {}, hubs, questions)
        alone = inquire(references, known=known, hubs=())
        tell("known", dict(zip(questions, alone, strict=True)), hubs, questions)
    cases = inquire(references, known=known, hubs=hubs, told=tell_hubs)
    return gathering.answer(dict(zip(questions, cases, strict=True)))


def question_of(reference: Reference) -> Question:
    """What makes two references ask for the same thing."""
    return (
        reference.folder,
        reference.other_folders,
        reference.name.casefold(),
        reference.url,
        reference.digest,
    )


def _decide(reference: Reference, local: Sequence[LocalMatch], cases: Cases) -> Resolution:
    case = cases.get(question_of(reference))
    if case is None or not reference.active:
        return resolve(reference, local=local)
    return resolve(
        reference,
        local=local,
        remote=case.candidates,
        searched=tuple(case.searched),
        all_answered=case.all_answered,
    )


def _is_here(matches: Sequence[LocalMatch]) -> bool:
    """Whether no hub needs to be asked: the file lies in its own folder."""
    return any(match.placement is not Placement.FOLDER for match in matches)


def _distinct(faults: Iterable[HubError]) -> tuple[HubError, ...]:
    """One fault for each hub and message."""
    return tuple({(fault.hub, fault.message): fault for fault in faults}.values())
