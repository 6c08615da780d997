"""`inspect` and `resolve`: what workflows need, and where it can be had."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..consent import Consent
from ..plan import Plan
from ..report import Answer
from ..resolution import Missing
from .documents import inspect_document, resolve_document
from .house import open_house
from .main import BAD_INPUT, OK, STILL_OPEN
from .options import comfyui_url_option, common, common_options
from .output import print_json, print_lines, say
from .tables import table_width
from .views import render_answer, render_counts, render_plan
from .words import render_error

_WORKFLOWS = click.argument("workflows", nargs=-1, required=True, type=click.Path(path_type=Path))


@click.command()
@_WORKFLOWS
@comfyui_url_option
@common_options
@click.pass_context
def inspect(context: click.Context, workflows: tuple[Path, ...]) -> int:
    """List the model files that WORKFLOWS need, against this disk.

    Reads saved workflows, API prompts, and images, videos and sounds that hold one. Asks no hub.
    """
    options = common(context)
    with open_house(options) as house:
        answer = house.watchman.inspect(workflows)
    if options.json:
        print_json(inspect_document(answer))
    else:
        print_lines(render_answer(answer, None, width=table_width(sys.stdout), notes=True))
        print_lines([render_counts(answer)])
    missing = any(isinstance(r, Missing) and r.reference.active for r in answer.resolutions)
    return _status(answer, open_ends=missing)


@click.command()
@_WORKFLOWS
@click.option("--allow-host", "hosts", multiple=True, metavar="HOST", help="Fetch from this host too.")
@comfyui_url_option
@common_options
@click.pass_context
def resolve(context: click.Context, workflows: tuple[Path, ...], hosts: tuple[str, ...]) -> int:
    """Find what WORKFLOWS lack on the hubs, and print the plan.

    Writes nothing: this is the dry run of `fetch`.
    """
    options = common(context)
    with open_house(options, hosts=hosts) as house:
        answer = house.watchman.resolve(workflows)
        plan = house.watchman.plan(answer.resolutions)
    if options.json:
        print_json(resolve_document(answer, plan))
    else:
        print_lines(render_answer(answer, plan, width=table_width(sys.stdout), notes=True))
        for fault in answer.faults:
            for line in render_error(fault):
                say(line)
        print_lines([render_plan(plan)])
    return _status(answer, open_ends=_needs_more(plan))


def _needs_more(plan: Plan) -> bool:
    return bool(plan.unresolved) or any(t.consent is not Consent.AUTOMATIC for t in plan.transfers)


def _status(answer: Answer, *, open_ends: bool) -> int:
    if any(report.error for report in answer.reports):
        return BAD_INPUT
    return STILL_OPEN if open_ends else OK
