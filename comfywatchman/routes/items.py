"""The models of a plan as a page shows them: each with its candidates and what they ask of a person.

references that mean the same ─┐
what is known of them so far ──┴─▶ Item(state, options) ──grant(choice)──▶ Transfer | why not
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

from ..air import HubLink, hub_of, parse_link
from ..catalog import Access, RemoteFile, base_name
from ..consent import Consent
from ..errors import EarlyAccess, Gated, HubError, LoginRequired, WatchmanError
from ..inquiry import question_of
from ..plan import Plan, Transfer, say_ambiguous, say_missing
from ..report import Answer
from ..resolution import Ambiguous, Candidate, Evidence, Found, Missing, Present, Resolution, prefer
from ..workflow.references import Reference

_LOCKS: Final = {
    Access.LOGIN: "login-required",
    Access.GATED: "gated",
    Access.EARLY: "early-access",
}
_REFUSALS: Final[dict[type[WatchmanError], Access]] = {
    LoginRequired: Access.LOGIN,
    Gated: Access.GATED,
    EarlyAccess: Access.EARLY,
}


@dataclass(frozen=True, slots=True)
class Keyed:
    """A reference under the key that a page knows it by."""

    key: str
    reference: Reference


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate, and the transfer that would bring it; None where none can, with the reason."""

    candidate: Candidate
    transfer: Transfer | None
    reason: str

    @property
    def consent(self) -> Consent:
        """What a person must say to it."""
        return self.transfer.consent if self.transfer else Consent.REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One model. `asked`: hubs have yet to answer about it; `chosen` is the index of what is offered.

    `is_choice`: a person must say which of the options is meant. `why` says why there are none.
    """

    key: str
    name: str
    folder: str
    references: tuple[Keyed, ...] = ()
    present: Present | None = None
    options: tuple[Option, ...] = ()
    chosen: int | None = None
    is_choice: bool = False
    asked: bool = False
    why: str = ""

    @property
    def option(self) -> Option | None:
        """The candidate that is offered."""
        return None if self.chosen is None else self.options[self.chosen]

    @property
    def state(self) -> str:
        """present, certain, confirm, choose, locked, refused, missing or asking."""
        if self.asked:
            return "asking"
        if self.present is not None:
            return "present"
        if not self.options:
            return "missing"
        return "choose" if self.is_choice else _state_of(self.options[0])

    @property
    def reason(self) -> str:
        """Why it is so, in words for a person."""
        if self.asked or self.present is not None:
            return ""
        if not self.options:
            return self.why
        if self.option is not None:
            return self.option.reason
        return say_ambiguous(len(self.options))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a person said to one item."""

    candidate: int | None = None
    agreed: bool = False
    root: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """An item of which nothing is taken, and why."""

    key: str
    code: str
    message: str
    hint: str


MakePlan = Callable[[Iterable[Resolution]], Plan]


def key_references(references: Sequence[Reference]) -> list[Keyed]:
    """Every reference with its key: node and input, and a number where one input names several files."""
    seen: Counter[str] = Counter()
    keyed = []
    for reference in references:
        place = f"{reference.node_id}:{reference.input_name}"
        seen[place] += 1
        keyed.append(Keyed(place if seen[place] == 1 else f"{place}#{seen[place]}", reference))
    return keyed


def make_items(
    answer: Answer,
    *,
    asked: frozenset[Reference],
    only: frozenset[str] | None,
    make_plan: MakePlan,
    precision: str | None,
) -> tuple[Item, ...]:
    """The items of what is known of a workflow; `only` limits them to references with these keys."""
    groups: dict[object, list[tuple[Keyed, Resolution]]] = {}
    references = [reference for report in answer.reports for reference in report.survey.references]
    for keyed, resolution in zip(key_references(references), answer.resolutions, strict=True):
        if keyed.reference.active and (only is None or keyed.key in only):
            groups.setdefault(question_of(keyed.reference), []).append((keyed, resolution))
    return tuple(
        _make_item(
            tuple(keyed for keyed, _ in group),
            group[0][1],
            asked=group[0][0].reference in asked,
            make_plan=make_plan,
            precision=precision,
            refusals=answer.refusals,
        )
        for group in groups.values()
    )


def _make_item(
    references: tuple[Keyed, ...],
    resolution: Resolution,
    *,
    asked: bool,
    make_plan: MakePlan,
    precision: str | None,
    refusals: Mapping[Reference, HubError],
) -> Item:
    first = references[0].reference
    item = Item(
        key=references[0].key, name=first.name, folder=first.folder, references=references, asked=asked
    )
    match resolution:
        case Present():
            return replace(item, present=resolution)
        case Missing() if (link := parse_link(first.url or "")) and first in refusals:
            return lock_item(item, link, refusals[first])
        case Missing(searched=searched):
            return replace(item, why=say_missing(searched))
        case Found(file=file, evidence=evidence):
            return replace(
                item, options=(_option(Candidate(file, evidence), references, make_plan),), chosen=0
            )
        case Ambiguous(candidates=candidates):
            options = tuple(_option(candidate, references, make_plan) for candidate in candidates)
            return replace(item, options=options, chosen=prefer(candidates, precision), is_choice=True)
        case _:
            assert_never(resolution)


def lock_item(item: Item, link: HubLink, fault: WatchmanError) -> Item:
    """The item with what its link leads to, which the hub does not give: its page is where to ask for it.

    Any other fault than a refusal leaves nothing but its words.
    """
    access = _REFUSALS.get(type(fault))
    if access is None:
        return replace(item, why=fault.message)
    file = RemoteFile(
        hub=hub_of(link),
        name=base_name(item.name),
        url=str(link),
        page=link.page,
        access=access,
        folder=item.folder or None,
    )
    return replace(item, options=(Option(Candidate(file, Evidence.URL), None, fault.message),), chosen=0)


def _option(candidate: Candidate, references: Sequence[Keyed], make_plan: MakePlan) -> Option:
    """The candidate with the transfer that a plan makes of it."""
    plan = make_plan(Found(keyed.reference, candidate.file, candidate.evidence) for keyed in references)
    if plan.transfers:
        return Option(candidate, plan.transfers[0], plan.transfers[0].reason)
    return Option(candidate, None, plan.unresolved[0].reason)


def _state_of(option: Option) -> str:
    match option.consent:
        case Consent.AUTOMATIC:
            return "certain"
        case Consent.PLAN | Consent.FILE:
            return "confirm"
        case Consent.REFUSED:
            return "locked" if option.candidate.file.access in _LOCKS else "refused"
        case _:
            assert_never(option.consent)


# ── what a person allows ──


def grant(item: Item, choice: Choice | None, *, consent: str) -> Transfer | Withheld | None:
    """The transfer a person allowed, or why there is none; None where nothing is to be done.

    `consent` is certain, plan or selected. Without a choice of its own an item is taken as it is offered,
    and only if nothing has to be chosen.
    """
    if item.present is not None or (consent == "selected" and choice is None):
        return None
    if item.asked:
        return _withhold(item, "still-asking", "hubs have yet to answer", "Wait, or fetch it afterwards.")
    option = _pick(item, choice)
    if isinstance(option, Withheld):
        return option
    if option.transfer is None or option.consent is Consent.REFUSED:
        code = _LOCKS.get(option.candidate.file.access, "refused")
        return _withhold(item, code, option.reason, "Open its page.")
    if not _is_covered(item, option, choice, consent):
        return _withhold(item, "needs-consent", option.reason, "Agree to it by itself.")
    return option.transfer


def _pick(item: Item, choice: Choice | None) -> Option | Withheld:
    """The candidate that is meant. A plan grows, so one that a page chose may be gone."""
    picked = choice.candidate if choice else None
    if picked is None and not item.is_choice:
        picked = item.chosen
    count = len(item.options)
    if not count:
        return _withhold(
            item, "missing", "nothing was found", "Ask whoever made the workflow, or give a link."
        )
    if picked is None:
        return _withhold(item, "needs-choice", "several files may be meant", "Choose one.")
    if picked >= count:
        message = f"candidate {picked} is not there; the last of them is {count - 1}"
        return _withhold(item, "no-such-candidate", message, "Look again, and choose one that is there.")
    return item.options[picked]


def _is_covered(item: Item, option: Option, choice: Choice | None, consent: str) -> bool:
    match option.consent:
        case Consent.AUTOMATIC:
            return consent != "certain" or item.state == "certain"
        case Consent.PLAN:
            return consent != "certain"
        case Consent.FILE:
            return consent != "certain" and choice is not None and choice.agreed
        case Consent.REFUSED:
            return False
        case _:
            assert_never(option.consent)


def _withhold(item: Item, code: str, message: str, hint: str) -> Withheld:
    return Withheld(key=item.key, code=code, message=message, hint=hint)


def join_transfers(granted: Iterable[tuple[str, Transfer]]) -> tuple[dict[str, Transfer], list[Withheld]]:
    """One transfer for each target, by the key of the first item; two models for one name are withheld."""
    joined: dict[str, Transfer] = {}
    places: dict[tuple[str, str], str] = {}
    clashes: list[Withheld] = []
    for key, transfer in granted:
        first = places.setdefault((transfer.root, transfer.path.casefold()), key)
        before = joined.setdefault(first, transfer)
        if before is transfer:
            continue
        if before.source == transfer.source:
            joined[first] = replace(before, references=(*before.references, *transfer.references))
        else:
            message = f"another model is already planned as {transfer.folder}/{transfer.path}"
            clashes.append(Withheld(key=key, code="refused", message=message, hint="Fetch them one by one."))
    return joined, clashes
