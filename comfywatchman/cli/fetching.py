"""`fetch`: the main job."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from ..air import HubLink, parse_thing
from ..errors import InvalidAir, InvalidWorkflow
from ..plan import Plan
from ..resolution import Ambiguous, Found, Resolution
from ..transfer.events import Outcome, State
from ..watchman import Answer, Watchman
from .bars import Bars, Lines
from .consent import Ask, Decision, Grants, choose, decide, parse_picks
from .documents import fetch_document
from .house import open_house
from .main import BAD_INPUT, INTERRUPTED, OK, STILL_OPEN, TRANSFER_FAILED
from .options import Common, common, common_options
from .output import print_json, print_lines, say
from .tables import table_width
from .views import render_answer, render_candidates, render_outcome, render_plan, render_withheld


@click.command()
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

    A THING is a workflow file, a hub page, an AIR, a CivitAI model id (929497) or version id (v:2247497), or
    hf:owner/repo/path/file. Safe to interrupt and run again.
    """
    options = common(context)
    chosen = parse_picks(picks)
    files, links = _sort(things)
    with open_house(options, hosts=hosts) as house:
        watchman = house.watchman
        answer = watchman.resolve(files)
        ask = None if dry_run or yes else _asker(options)
        resolutions, picked = _chosen(answer.resolutions, chosen, ask)
        plan = _joined(watchman.plan(resolutions), watchman.open(links, folder=folder))
        _show_plan(answer, plan, options, dry_run=dry_run)
        if dry_run:
            return _finish(answer, plan, Decision(granted=(), withheld=()), [], options, dry_run=True)
        grants = Grants(
            yes=yes or house.settings.fetch_certain,
            allow_pickle=allow_pickle,
            picked=picked | {t.source.url for t in plan.transfers if not t.references},
            ask=ask,
        )
        decision = decide(plan.transfers, grants)
        outcomes = _transfer(watchman, decision, options)
    return _finish(answer, plan, decision, outcomes, options, dry_run=False)


def _sort(things: Sequence[str]) -> tuple[list[Path], list[HubLink]]:
    """Tell workflow files from what is meant on a hub; a file on this disk wins."""
    files: list[Path] = []
    links: list[HubLink] = []
    for thing in things:
        if Path(thing).exists():
            files.append(Path(thing))
            continue
        try:
            links.append(parse_thing(thing))
        except InvalidAir as fault:
            message = f"{thing}: no such file, and no model is meant by it"
            raise InvalidWorkflow(message, hint=fault.hint) from fault
    return files, links


def _asker(options: Common) -> Ask | None:
    """A way to ask, when a person sits at the terminal."""
    if options.json or options.quiet or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(question: str, default: bool) -> bool:
        return click.confirm(question, default=default, err=True)

    return ask


def _chosen(
    resolutions: Sequence[Resolution], picks: dict[str, int], ask: Ask | None
) -> tuple[list[Resolution], frozenset[str]]:
    """The resolutions after a person chose, and the addresses so chosen."""
    if ask is not None:
        picks = picks | _ask_picks([r for r in resolutions if isinstance(r, Ambiguous)], picks)
    after = choose(resolutions, picks)
    pairs = zip(resolutions, after, strict=True)
    return after, frozenset(new.file.url for old, new in pairs if new is not old and isinstance(new, Found))


def _ask_picks(ambiguous: Sequence[Ambiguous], picks: dict[str, int]) -> dict[str, int]:
    """Let a person choose among candidates; an empty answer leaves one open."""
    asked: dict[str, int] = {}
    for resolution in ambiguous:
        name = resolution.reference.name.rpartition("/")[2]
        if not resolution.reference.active or name in picks or name in asked:
            continue
        say(f"{name} may be one of:")
        for line in render_candidates(resolution.candidates):
            say("  " + line)
        count = len(resolution.candidates)
        answer = click.prompt("Which one? (0: none)", type=click.IntRange(0, count), default=0, err=True)
        if answer:
            asked[name] = answer
    return asked


def _joined(*plans: Plan) -> Plan:
    return Plan(
        transfers=tuple(t for plan in plans for t in plan.transfers),
        kept=tuple(k for plan in plans for k in plan.kept),
        unresolved=tuple(o for plan in plans for o in plan.unresolved),
    )


def _show_plan(answer: Answer, plan: Plan, options: Common, *, dry_run: bool) -> None:
    if options.json or options.quiet:
        return
    width = table_width(sys.stdout if dry_run else sys.stderr)
    for line in render_answer(answer, plan, width=width):
        click.echo(line, err=not dry_run)
    click.echo(render_plan(plan), err=not dry_run)


def _transfer(watchman: Watchman, decision: Decision, options: Common) -> list[Outcome]:
    if not decision.granted:
        return []
    size = sum(t.source.size or 0 for t in decision.granted)
    bars = sys.stderr.isatty() and not (options.quiet or options.json)
    with _interruptible() as stop, Bars(size=size) if bars else Lines(quiet=options.quiet) as listener:
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


def _finish(
    answer: Answer,
    plan: Plan,
    decision: Decision,
    outcomes: Sequence[Outcome],
    options: Common,
    *,
    dry_run: bool,
) -> int:
    """Print what came of it and give the exit status."""
    if options.json:
        print_json(fetch_document(plan, outcomes, answer=answer, withheld=decision.withheld, dry_run=dry_run))
    else:
        for outcome in outcomes:
            print_lines(render_outcome(outcome))
        print_lines(render_withheld(decision.withheld))
    states = {outcome.state for outcome in outcomes}
    if State.CANCELLED in states:
        say("Interrupted; run the same command again to go on.", quiet=options.quiet)
        return INTERRUPTED
    if State.FAILED in states:
        return TRANSFER_FAILED
    if any(report.error for report in answer.reports):
        return BAD_INPUT
    ends = plan.unresolved or decision.withheld or (dry_run and plan.transfers)
    return STILL_OPEN if ends else OK
