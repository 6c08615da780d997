"""`fetch`: the main job."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from ..plan import Plan, Transfer
from ..report import Answer
from ..resolution import Ambiguous, Found, prefer
from ..transfer.events import Outcome, State
from .bars import Bars, Lines
from .consent import Ask, Decision, Grants, choose, decide, parse_picks
from .documents import fetch_document
from .house import open_house
from .main import BAD_INPUT, INTERRUPTED, OK, STILL_OPEN, TRANSFER_FAILED
from .options import Common, comfyui_url_option, common, common_options
from .outcomes import render_ends
from .output import print_json, print_lines, say
from .tables import table_width
from .things import Things, sort_things
from .views import render_answer, render_candidates, render_plan
from .words import one_line, render_error

if TYPE_CHECKING:
    from ..watchman import Watchman


@dataclass(frozen=True, slots=True, kw_only=True)
class _Errand:
    """What is to be fetched: the workflows' answer and the plan for it, for saved plans and for links.

    `picked` are the addresses that a person named or chose by hand; a saved plan can add none.
    """

    answer: Answer
    plan: Plan
    rest: Plan
    picked: frozenset[str] = frozenset()

    @property
    def whole(self) -> Plan:
        """Everything in one plan; a file that is meant twice is brought once."""
        transfers: dict[tuple[str, str, str], Transfer] = {}
        for transfer in (*self.plan.transfers, *self.rest.transfers):
            key = (transfer.root, transfer.path.casefold(), transfer.source.url)
            before = transfers.setdefault(key, transfer)
            if before is not transfer:
                joined = dict.fromkeys((*before.references, *transfer.references))
                transfers[key] = replace(before, references=tuple(joined))
        return Plan(
            transfers=tuple(transfers.values()),
            kept=(*self.plan.kept, *self.rest.kept),
            unresolved=(*self.plan.unresolved, *self.rest.unresolved),
        )


@click.command(short_help="Bring what THINGs need into their folders, verified.")
@click.argument("things", nargs=-1, required=True, metavar="THING…")
@click.option("--dry-run", is_flag=True, help="Print the plan and fetch nothing.")
@click.option("--yes", "-y", is_flag=True, help="Take what is certain and unique exact names without asking.")
@click.option("--pick", "picks", multiple=True, metavar="NAME=INDEX", help="Choose among several candidates.")
@click.option("--allow-host", "hosts", multiple=True, metavar="HOST", help="Fetch from this host too.")
@click.option(
    "--allow-pickle", is_flag=True, help="With --yes: fetch pickle formats (.ckpt .pt .pth .bin) too."
)
@click.option(
    "--folder", metavar="NAME", help="For a link or id: the folder it goes to, if its hub does not say."
)
@comfyui_url_option
@common_options
@click.pass_context
def fetch(
    context: click.Context,
    things: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    picks: tuple[str, ...],
    hosts: tuple[str, ...],
    allow_pickle: bool,
    folder: str | None,
) -> int:
    """Bring the models that THINGs need into their folders, verified.

    A THING is a workflow file (or an image with one), a plan saved from `resolve --json`, a hub page, an
    AIR, a CivitAI model id (929497) or version id (v:2247497), or hf:owner/repo/path/file. Safe to
    interrupt and run again.
    """
    options = common(context)
    chosen = parse_picks(picks)
    sorted_things = sort_things(things)
    with open_house(options, hosts=hosts, pickles=allow_pickle) as house:
        errand = _prepare(house.watchman, sorted_things, chosen, folder=folder)
        _show(errand, options, dry_run=dry_run)
        if dry_run:
            return _end_dry(errand, options)
        ask = None if yes else _asker(options)
        if ask is not None:
            errand = _choose_by_hand(house.watchman, errand, precision=house.settings.precision)
        grants = Grants(
            yes=yes,
            certain=house.settings.fetch_certain is True,
            allow_pickle=allow_pickle,
            picked=errand.picked,
            ask=ask,
        )
        decision = decide(errand.whole.transfers, grants)
        outcomes = _transfer(house.watchman, decision, options)
    _tell_ends(errand, decision, outcomes, options)
    return _status(errand, decision, outcomes)


def _prepare(watchman: Watchman, things: Things, picks: dict[str, int], *, folder: str | None) -> _Errand:
    """Look for everything; `picks` are the choices made on the command line."""
    saved = [watchman.reopen(plan) for plan in things.plans]
    opened = watchman.open(things.links, folder=folder)
    rest = Plan(
        transfers=tuple(t for plan in (*saved, opened) for t in plan.transfers),
        kept=tuple(k for plan in saved for k in plan.kept),
        unresolved=tuple(o for plan in saved for o in plan.unresolved),
    )
    answer = watchman.resolve(things.workflows) if things.workflows else Answer(reports=())
    named = frozenset(transfer.source.url for transfer in opened.transfers)
    return _chosen(watchman, _Errand(answer=answer, plan=Plan(), rest=rest, picked=named), picks)


def _chosen(watchman: Watchman, errand: _Errand, picks: dict[str, int]) -> _Errand:
    """The errand after a choice, with the plan that follows from it."""
    before = errand.answer.resolutions
    after = choose(before, picks)
    pairs = zip(before, after, strict=True)
    picked = {new.file.url for old, new in pairs if new is not old and isinstance(new, Found)}
    return replace(
        errand,
        answer=errand.answer.with_resolutions(after),
        plan=watchman.plan(after),
        picked=errand.picked | picked,
    )


def _choose_by_hand(watchman: Watchman, errand: _Errand, *, precision: str | None) -> _Errand:
    """Let a person choose among candidates; 0 leaves one open. `precision` is what is offered first."""
    picks: dict[str, int] = {}
    seen: set[str] = set()
    for resolution in errand.answer.resolutions:
        name = f"{resolution.reference.folder}/{resolution.reference.name}"
        if not isinstance(resolution, Ambiguous) or not resolution.reference.active or name in seen:
            continue
        seen.add(name)
        say(f"{one_line(name)} may be one of:")
        for line in render_candidates(resolution.candidates):
            say("  " + line)
        numbers = click.IntRange(0, len(resolution.candidates))
        offered = prefer(resolution.candidates, precision)
        default = 0 if offered is None else offered + 1
        answer = click.prompt("Which one? (0: none)", type=numbers, default=default, err=True)
        if answer:
            picks[name] = answer
    return _chosen(watchman, errand, picks)


def _asker(options: Common) -> Ask | None:
    """A way to ask, when a person sits at the terminal."""
    if options.json or options.quiet or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(question: str, default: bool) -> bool:
        return click.confirm(question, default=default, err=True)

    return ask


def _show(errand: _Errand, options: Common, *, dry_run: bool) -> None:
    """The table of what the workflows need, and what kept anything from being found."""
    if options.json:
        return
    if not options.quiet:
        width = table_width(sys.stdout if dry_run else sys.stderr)
        lines = render_answer(errand.answer, errand.whole, width=width, notes=dry_run)
        if dry_run:
            print_lines(lines)
        else:
            for line in lines:
                say(line)
    for report in errand.answer.reports if options.quiet else ():
        for line in render_error(report.error) if report.error else ():
            say(f"{report.path}: {line}")
    for fault in errand.answer.faults:
        for line in render_error(fault):
            say(line)


def _transfer(watchman: Watchman, decision: Decision, options: Common) -> list[Outcome]:
    if not decision.granted:
        return []
    bars = sys.stderr.isatty() and not (options.quiet or options.json or options.verbose)
    listener = Bars(decision.granted) if bars else Lines(quiet=options.quiet or options.json)
    with _interruptible() as stop, listener:
        return watchman.fetch(decision.granted, listener=listener, stop=stop)


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, so that transfers stop in good order; a second Ctrl-C stops at once."""
    stop = threading.Event()

    def on_interrupt(_number: int, _frame: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _end_dry(errand: _Errand, options: Common) -> int:
    """The end of a dry run: the plan, and whether a real run would leave nothing to do."""
    nothing = Decision(granted=())
    if options.json:
        print_json(fetch_document(errand.whole, [], answer=errand.answer, withheld=(), dry_run=True))
    else:
        print_lines([render_plan(errand.whole)])
    status = _status(errand, nothing, [])
    return STILL_OPEN if status == OK and errand.whole.transfers else status


def _tell_ends(errand: _Errand, decision: Decision, outcomes: Sequence[Outcome], options: Common) -> None:
    if options.json:
        withheld = decision.withheld
        document = fetch_document(
            errand.whole, outcomes, answer=errand.answer, withheld=withheld, dry_run=False
        )
        print_json(document)
        return
    print_lines(render_ends(errand.whole, decision, outcomes, errand.answer.resolutions))
    if any(outcome.state is State.CANCELLED for outcome in outcomes):
        say("Interrupted; run the same command again to go on.", quiet=options.quiet)


def _status(errand: _Errand, decision: Decision, outcomes: Sequence[Outcome]) -> int:
    states = {outcome.state for outcome in outcomes}
    if State.CANCELLED in states:
        return INTERRUPTED
    if State.FAILED in states:
        return TRANSFER_FAILED
    if any(report.error for report in errand.answer.reports):
        return BAD_INPUT
    return STILL_OPEN if errand.whole.unresolved or decision.withheld else OK
