"""What a person reads when a fetch has ended: a line for each file, what is still to do, and the sum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, assert_never

from ..catalog import LocalFile, Verification, page_of
from ..consent import Consent
from ..library.matching import placement_of
from ..plan import Open, Plan, Transfer
from ..resolution import Ambiguous, Placement, Present, Resolution
from ..transfer.events import Outcome, State
from ..workflow.references import Reference
from .consent import Decision, pick_keys
from .tables import format_size
from .views import render_candidates, say_relink
from .words import count, one_line, render_error

_VERIFIED: Final[Mapping[Verification, str]] = {
    Verification.DIGEST: "matches the digest published by {giver}",
    Verification.SIZE: "size and structure fit; {giver} publishes no digest",
    Verification.STRUCTURE: "structure fits; nothing was published to check against",
    Verification.NONE: "nothing was known to check against",
}


def render_ends(
    plan: Plan, decision: Decision, outcomes: Sequence[Outcome], resolutions: Sequence[Resolution]
) -> Iterator[str]:
    """How a fetch ended, file by file."""
    for outcome in outcomes:
        yield from _render_outcome(outcome)
    yield from _render_elsewhere(resolutions)
    for transfer in decision.withheld:
        yield from _render_withheld(transfer)
    yield from _render_open(plan.unresolved, resolutions)
    finds_all = not any(_elsewhere(resolutions)) and not any(map(_is_misnamed, outcomes))
    yield _render_sum(plan, decision, outcomes, finds_all=finds_all)


def _render_outcome(outcome: Outcome) -> Iterator[str]:
    """How one transfer ended, with what its file was checked against."""
    where = one_line(f"{outcome.transfer.folder}/{outcome.path}")
    match outcome.state:
        case State.VERIFIED:
            words = _VERIFIED[outcome.verification].format(giver=outcome.transfer.source.giver)
            yield f"✓ {where}  {format_size(outcome.size)}, {words}"
            if outcome.weak_publish:
                yield "  this disk cannot refuse to replace a file: one made at the same moment would be lost"
            yield from _render_name(outcome)
        case State.SKIPPED:
            yield f"✓ {where}  already there with the same content"
            yield from _render_name(outcome)
        case State.CANCELLED:
            yield f"– {where}  stopped; what came is kept"
        case _:
            yield f"✗ {where}"
            yield from ("  " + line for line in (render_error(outcome.error) if outcome.error else ()))


def _render_name(outcome: Outcome) -> Iterator[str]:
    """What to choose in a node that asks for another name."""
    path, taken = one_line(outcome.path), one_line(outcome.transfer.path)
    if path != taken:
        way_on = "; choose the new name in the node" if _is_misnamed(outcome) else ""
        yield f"  {taken} is taken by other content{way_on}"
    elif _is_misnamed(outcome):
        yield f"  the workflow writes its name otherwise: choose {path} in the node"


def _is_misnamed(outcome: Outcome) -> bool:
    """Whether a file is here and lies under another name than a node asks for."""
    if outcome.state not in (State.VERIFIED, State.SKIPPED):
        return False
    transfer = outcome.transfer
    file = LocalFile(
        folder=transfer.folder, path=outcome.path, root=transfer.root, size=outcome.size or 0, mtime_ns=0
    )
    return any(placement_of(file, reference) is not Placement.EXACT for reference in transfer.references)


def _elsewhere(resolutions: Iterable[Resolution]) -> Iterator[Present]:
    """What was here before and is not where a node looks for it."""
    for here in resolutions:
        if isinstance(here, Present) and here.reference.active and here.placement is not Placement.EXACT:
            yield here


def _render_elsewhere(resolutions: Iterable[Resolution]) -> Iterator[str]:
    """What to do about those, once a name."""
    distinct = {(here.reference.folder, here.reference.name): here for here in _elsewhere(resolutions)}
    for place, here in distinct.items():
        found = f"{here.file.folder}/{here.file.path}"
        yield f"– {one_line('/'.join(place))}  is here as {one_line(found)}"
        yield f"  → {one_line(say_relink(here.file, here.placement))}"


def _render_withheld(transfer: Transfer) -> Iterator[str]:
    """Why a file was not fetched, and what would change that."""
    yield f"– {one_line(f'{transfer.folder}/{transfer.path}')}  not fetched:"
    yield f"    {one_line(transfer.reason)}"
    yield f"  → {one_line(_way_on(transfer))}"


def _way_on(transfer: Transfer) -> str:
    source = transfer.source
    match transfer.consent:
        case Consent.REFUSED:
            return page_of(source) or source.url
        case Consent.AUTOMATIC | Consent.PLAN if source.format != "pickle":
            return "--yes fetches it"
        case Consent.AUTOMATIC | Consent.PLAN | Consent.FILE:
            return _file_way_on(transfer)
        case _:
            assert_never(transfer.consent)


def _file_way_on(transfer: Transfer) -> str:
    """What fetches a file that needs a yes of its own."""
    source = transfer.source
    if source.format == "pickle":
        return f"--yes --allow-pickle fetches it, if you trust {source.url}"
    if source.hub == "web" and source.url.startswith("https:"):
        host = source.url.split("/")[2]
        return f"--yes --allow-host {host} fetches it, if you trust {source.url}"
    return f"answer yes in a terminal, if you trust {source.url}"


def _render_open(unresolved: Iterable[Open], resolutions: Sequence[Resolution]) -> Iterator[str]:
    """What no file was found or chosen for, once a file."""
    by_reference: dict[Reference, Resolution] = {r.reference: r for r in resolutions}
    keys = pick_keys(resolutions)
    distinct = {(o.reference.folder, o.reference.name): o for o in unresolved}
    for place, still_open in distinct.items():
        yield f"– {one_line('/'.join(place))}  {still_open.state}: {one_line(still_open.reason)}"
        resolution = by_reference.get(still_open.reference)
        if isinstance(resolution, Ambiguous):
            yield from ("    " + line for line in render_candidates(resolution.candidates))
            yield f"  → --pick {one_line(keys[place])}=N takes one"
        elif still_open.state == "missing":
            yield f"  → ask whoever made the workflow, or: comfywatchman fetch LINK --folder {place[0]}"


def _render_sum(plan: Plan, decision: Decision, outcomes: Sequence[Outcome], *, finds_all: bool) -> str:
    done = [outcome for outcome in outcomes if outcome.state is State.VERIFIED]
    failed = [outcome for outcome in outcomes if outcome.state is State.FAILED]
    stopped = [outcome for outcome in outcomes if outcome.state is State.CANCELLED]
    same = [outcome for outcome in outcomes if outcome.state is State.SKIPPED]
    here = {(kept.file.root, kept.file.path) for kept in plan.kept} | {
        (outcome.transfer.root, outcome.path) for outcome in same
    }
    still_open = {(o.reference.folder, o.reference.name) for o in plan.unresolved}
    left = len(still_open) + len(decision.withheld)
    parts = [
        f"{count(len(done), 'file')} fetched ({format_size(sum(o.size or 0 for o in done))})" if done else "",
        f"{len(here)} here already" if here else "",
        f"{len(stopped)} stopped" if stopped else "",
        f"{len(failed)} failed" if failed else "",
        f"{left} open" if left else "",
    ]
    told = ", ".join(filter(None, parts)) or "nothing to do"
    is_ready = bool(plan.kept or any(o.transfer.references for o in outcomes))
    return f"{told}." + (
        " Ready to queue." if is_ready and finds_all and not (stopped or failed or left) else ""
    )
