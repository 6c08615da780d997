"""Asking about what is missing: the workflow's own words, the known-models table, then hub after hub.

Each place is asked once, with everything still open; a reference that has a certain answer is not asked
about again. A place that fails loses nothing of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import urlsplit

from .air import hub_of, parse_link
from .catalog import RemoteFile, base_name
from .digest import match_digests
from .errors import EarlyAccess, Gated, HubError, HubUnavailable, LoginRequired, NotFound, Withdrawn
from .hubs.base import Answer, Hub
from .resolution import Candidate, Evidence, is_settled
from .workflow.references import Reference


class KnownModels(Protocol):
    """A table of models whose address is known without asking anybody."""

    def find(self, references: Sequence[Reference]) -> list[tuple[Candidate, ...]]:
        """What the table has for each reference, in the same order."""


@dataclass(slots=True)
class Case:
    """What has been gathered about one reference so far."""

    reference: Reference
    candidates: list[Candidate] = field(default_factory=list)
    searched: list[str] = field(default_factory=list)
    faults: list[HubError] = field(default_factory=list)
    was_answered: bool = False  # some hub answered, be it with nothing

    @property
    def is_open(self) -> bool:
        """Whether asking further may still help."""
        return not is_settled(self.candidates)

    def may_be_at(self, hub: Hub) -> bool:
        """Whether to ask a hub what it has: of a link it is not the hub of, only by the content."""
        reference = self.reference
        if not reference.linked:
            return True
        return reference.digest is not None and not hub.owns(reference.url or "")

    @property
    def all_answered(self) -> bool:
        """Whether every hub asked said yes or no, so that what was found can count as the only one."""
        return all(isinstance(fault, (NotFound, Withdrawn)) for fault in self.faults)

    @property
    def refusal(self) -> HubError | None:
        """Why the hub that the workflow links to does not give it yet, where nothing else was found."""
        link = parse_link(self.reference.url) if self.reference.url and not self.candidates else None
        refusals = (fault for fault in self.faults if isinstance(fault, (LoginRequired, Gated, EarlyAccess)))
        return next((fault for fault in refusals if link and fault.hub == hub_of(link)), None)

    def take(self, answer: Answer) -> None:
        """Add a hub's answer."""
        self.was_answered |= not isinstance(answer, HubUnavailable)
        if isinstance(answer, HubError):
            self.faults.append(answer)
        else:
            self.candidates.extend(answer)


Cases = Mapping[Reference, Case]


def inquire(
    references: Sequence[Reference],
    *,
    known: KnownModels,
    hubs: Sequence[Hub],
    told: Callable[[Sequence[Case], Sequence[Hub]], None] = lambda _cases, _left: None,
) -> list[Case]:
    """Gather candidates for references, one case each in the same order.

    With no hubs only the workflow and the table speak: that is the offline answer. `told` hears of the cases
    after each place has answered, and which hubs are left.
    """
    cases = [Case(reference) for reference in references]
    _ask_workflow(cases, hubs)
    _ask_known([case for case in cases if case.is_open and not case.reference.linked], known, hubs)
    for number, hub in enumerate(hubs):
        told(cases, hubs[number:])
        still_open = [case for case in cases if case.is_open and case.may_be_at(hub)]
        _search(hub, still_open)
    return cases


def inquire_once(
    references: Sequence[Reference],
    *,
    known: KnownModels,
    hubs: Sequence[Hub],
    told: Callable[[Cases, Sequence[Hub]], None] = lambda _cases, _left: None,
) -> Cases:
    """The same for references of which several may ask for the same thing: those share a case."""
    asked = {question_of(reference): reference for reference in references}

    def spread(cases: Sequence[Case]) -> Cases:
        by_question = dict(zip(asked, cases, strict=True))
        return {reference: by_question[question_of(reference)] for reference in references}

    def tell(cases: Sequence[Case], left: Sequence[Hub]) -> None:
        told(spread(cases), left)

    return spread(inquire([*asked.values()], known=known, hubs=hubs, told=tell))


def question_of(reference: Reference) -> tuple[object, ...]:
    """What makes two references ask for the same thing."""
    name = reference.name.casefold()
    return reference.folder, reference.other_folders, name, reference.url, reference.digest, reference.linked


def _ask_workflow(cases: Sequence[Case], hubs: Sequence[Hub]) -> None:
    """Open the addresses that the workflow itself carries."""
    for case in cases:
        case.searched.append("workflow")
    linked = [case for case in cases if case.reference.url]
    for hub, owned in _by_owner(linked, hubs):
        _ask_hub(hub, owned, [case.reference for case in owned])
    for case in linked:
        if not case.candidates and not case.was_answered and not case.reference.linked:
            case.candidates.extend(_bare(case.reference))


def _ask_known(cases: Sequence[Case], known: KnownModels, hubs: Sequence[Hub]) -> None:
    """Take what the table has, and let the hubs add size and digest where they can."""
    rounds = list(zip(cases, known.find([case.reference for case in cases]), strict=True))
    for case, _ in rounds:
        case.searched.append("known")
    waiting = [(case, mirrors) for case, candidates in rounds for mirrors in _by_file(candidates)]
    while waiting:
        confirmed = _confirm([(case, candidates[0]) for case, candidates in waiting], hubs)
        rest: list[tuple[Case, list[Candidate]]] = []
        for (case, candidates), answer in zip(waiting, confirmed, strict=True):
            if answer is not None:
                case.candidates.append(answer)
            elif len(candidates) > 1:
                rest.append((case, candidates[1:]))
        waiting = rest


def _by_file(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    """Candidates that may be one file together: the first of them that is still there will do."""
    files: list[list[Candidate]] = []
    for candidate in candidates:
        for mirrors in files:
            certain = min(candidate.evidence, mirrors[0].evidence) >= Evidence.KNOWN
            if certain and match_digests(candidate.file.digests, mirrors[0].file.digests) is not False:
                mirrors.append(candidate)
                break
        else:
            files.append([candidate])
    return files


def _confirm(pairs: Sequence[tuple[Case, Candidate]], hubs: Sequence[Hub]) -> list[Candidate | None]:
    """Each candidate as its hub describes it now; None where the hub says that it is gone."""
    probes = [Case(replace(case.reference, url=candidate.file.url)) for case, candidate in pairs]
    for hub, owned in _by_owner(probes, hubs):
        _ask_hub(hub, owned, [probe.reference for probe in owned])
    return [
        _confirmed(case, candidate, probe) for (case, candidate), probe in zip(pairs, probes, strict=True)
    ]


def _confirmed(case: Case, candidate: Candidate, probe: Case) -> Candidate | None:
    opened = next((c.file for c in probe.candidates if c.evidence >= Evidence.URL), None)
    if opened is not None:
        return Candidate(opened, _evidence(candidate, probe))
    case.faults.extend(probe.faults)
    return None if probe.was_answered else candidate


def _evidence(candidate: Candidate, probe: Case) -> Evidence:
    """The table's evidence, unless the digest agrees: that its address answers says nothing of the name."""
    agrees = any(c.evidence is Evidence.DIGEST for c in probe.candidates)
    return Evidence.DIGEST if agrees else candidate.evidence


def _search(hub: Hub, cases: Sequence[Case]) -> None:
    """Ask a hub for all that is open; one that could not be asked was not searched."""
    if not cases:
        return
    for case, answer in zip(cases, hub.find([case.reference for case in cases]), strict=True):
        case.take(answer)
        if not isinstance(answer, HubUnavailable):
            case.searched.append(hub.name)


def _ask_hub(hub: Hub, cases: Sequence[Case], references: Sequence[Reference]) -> None:
    if not cases:
        return
    for case, answer in zip(cases, hub.find(references), strict=True):
        case.take(answer)


def _by_owner(cases: Sequence[Case], hubs: Sequence[Hub]) -> Iterator[tuple[Hub, list[Case]]]:
    """The cases whose URL belongs to a hub, hub by hub."""
    for hub in hubs:
        owned = [case for case in cases if case.reference.url and hub.owns(case.reference.url)]
        if owned:
            yield hub, owned


def _bare(reference: Reference) -> tuple[Candidate, ...]:
    """What an address says by itself: enough for a plan when nobody could be asked."""
    url = reference.url or ""
    if urlsplit(url).scheme not in ("http", "https"):
        return ()
    link = parse_link(url)
    name = base_name(urlsplit(url).path) or reference.name
    file = RemoteFile(
        hub=hub_of(link) if link else "web",
        name=base_name(reference.name) or name,
        url=url,
        folder=reference.folder,
    )
    return (Candidate(file, Evidence.URL),)
