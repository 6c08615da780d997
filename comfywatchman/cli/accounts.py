"""`token` and `settings`: what the user keeps here."""

from __future__ import annotations

import os
import sys

import click

from ..catalog import hub_title
from ..house import HUBS
from ..settings import read_settings, set_setting
from .house import find_own_home, open_house, open_tokens
from .main import OK, STILL_OPEN
from .options import common, common_options
from .output import print_json, print_lines, say
from .tables import render_table, table_width
from .words import one_line

_HUB = click.argument("hub", type=click.Choice(HUBS))


@click.group()
@common_options
def token() -> None:
    """Set, test or remove a hub's token.

    It is read from the terminal or stdin, never from an argument, and kept in the system's keyring where
    there is one, else in a file that only you can read.
    """


@token.command("set")
@_HUB
@common_options
@click.pass_context
def set_token(context: click.Context, hub: str) -> int:
    """Keep the token of HUB; read from the terminal without echo, or from stdin."""
    options = common(context)
    if sys.stdin.isatty():
        text = click.prompt(f"Token for {hub}", hide_input=True, err=True)
    else:
        text = sys.stdin.readline()
    kept = open_tokens(options).set(hub, text)
    if options.json:
        print_json({"schema": "comfywatchman.token/1", "hub": hub, "has_token": True, "where": kept.where})
    else:
        say(f"Kept the token of {hub} in {kept.where}.", quiet=options.quiet)
    return OK


@token.command("test")
@_HUB
@common_options
@click.pass_context
def test_token(context: click.Context, hub: str) -> int:
    """Ask HUB whose token it is."""
    options = common(context)
    with open_house(options, needs_models=False) as house:
        name = house.hub(hub).whoami()
    if options.json:
        print_json({"schema": "comfywatchman.token/1", "hub": hub, "has_token": True, "account": name})
    else:
        print_lines([f"{hub_title(hub)} knows this token as {one_line(name)}."])
    return OK


@token.command("remove")
@_HUB
@common_options
@click.pass_context
def remove_token(context: click.Context, hub: str) -> int:
    """Forget the token of HUB."""
    options = common(context)
    store = open_tokens(options)
    had_one = store.remove(hub)
    left = store.get(hub)
    if options.json:
        print_json({"schema": "comfywatchman.token/1", "hub": hub, "has_token": left is not None})
    else:
        say(f"Forgot the token of {hub}." if had_one else f"No token of {hub} was kept.", quiet=options.quiet)
        if left is not None:
            say(f"There is still one in {left.where}.", quiet=options.quiet)
    return OK if left is None else STILL_OPEN


@click.group()
@common_options
def settings() -> None:
    """Show and change settings."""


@settings.command("show")
@common_options
@click.pass_context
def show_settings(context: click.Context) -> int:
    """Print every setting, its value, and where the value comes from."""
    options = common(context)
    shown = read_settings(find_own_home(options), os.environ).show()
    if options.json:
        table = {entry.key: {"value": entry.value, "origin": entry.origin.value} for entry in shown}
        print_json({"schema": "comfywatchman.settings/1", "settings": {**table}})
        return OK
    width = table_width(sys.stdout)
    rows = [(entry.key, entry.text, entry.origin.value, entry.help) for entry in shown]
    print_lines(render_table(("SETTING", "VALUE", "FROM", "MEANS"), rows, width=width, below=3))
    return OK


@settings.command("set")
@click.argument("key")
@click.argument("value")
@common_options
@click.pass_context
def change_setting(context: click.Context, key: str, value: str) -> int:
    """Write setting KEY; VALUE `default` takes it out of the file again."""
    options = common(context)
    kept = set_setting(find_own_home(options), key, value)
    if options.json:
        print_json({"schema": "comfywatchman.settings/1", "settings": {key: {"value": kept.value}}})
    else:
        say(f"{key} = {kept.text}", quiet=options.quiet)
    return OK
