"""`checkpoint`: which one is active for the nodes that load the active checkpoint."""

from __future__ import annotations

import click

from ..errors import InputError
from ..library.index import Choice
from .house import open_house
from .main import OK, STILL_OPEN
from .options import common, common_options
from .output import print_json, print_lines
from .words import one_line


@click.command(short_help="Show or choose the active checkpoint.")
@click.argument("name", required=False, metavar="[NAME|LINK|ID|AIR]")
@common_options
@click.pass_context
def checkpoint(context: click.Context, name: str | None) -> int:
    """Show the active checkpoint, or make another one active.

    The node "CivitAI Active Checkpoint" loads it in every workflow; it may be a name as ComfyUI lists it, or
    a link, an id or an AIR, which the next run fetches if it is missing.
    """
    options = common(context)
    if name is not None and not name.strip():
        raise InputError("checkpoint: expected a name, a link, an id or an AIR", hint="Give one, or nothing.")
    with open_house(options, needs_models=False) as house:
        watchman = house.watchman
        choice = watchman.active_checkpoint if name is None else watchman.activate_checkpoint(name.strip())
    if options.json:
        print_json({"schema": "comfywatchman.checkpoint/1", **_told(choice)})
    else:
        print_lines([one_line(choice.value) if choice else "No checkpoint is active."])
    return OK if choice else STILL_OPEN


def _told(choice: Choice | None) -> dict[str, str | int | None]:
    return {"name": choice.value if choice else None, "revision": choice.revision if choice else 0}
