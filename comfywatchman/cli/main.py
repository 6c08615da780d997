"""The command line's front door: finds the command, runs it, turns faults into messages and exit statuses.

Exit statuses: 0 all present or verified · 1 a fault of ours · 2 input that cannot be used · 3 something
stays missing, ambiguous or needs consent · 4 a transfer failed · 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Final

import click

from .. import __version__
from ..errors import InputError, Interrupted, TransferError, WatchmanError
from .logs import logging_to_stderr
from .options import Common, common, common_options
from .output import ReaderGone, make_forgiving, print_json, say
from .words import render_error

OK: Final = 0
OUR_FAULT: Final = 1
BAD_INPUT: Final = 2
STILL_OPEN: Final = 3
TRANSFER_FAILED: Final = 4
INTERRUPTED: Final = 130

# Where each command lives; a command's module is imported when it runs or tells its help.
_COMMANDS: Final = {
    "inspect": "workflows",
    "resolve": "workflows",
    "fetch": "fetching",
    "script": "scripts",
    "search": "models",
    "describe": "models",
    "checkpoint": "checkpoints",
    "token": "accounts",
    "settings": "accounts",
    "demo": "demonstration",
    "completion": "completion",
}


class _Lazy(click.Group):
    """A group that imports a command's module only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(f".{module}", __package__), cmd_name)
        return command


def _tell_version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    if not asked:
        return
    if common(context).json:
        print_json({"schema": "comfywatchman.version/1", "version": __version__})
    else:
        click.echo(f"comfywatchman {__version__}")
    context.exit()


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, expose_value=False, callback=_tell_version, help="Print the version."
)
@common_options
def main() -> None:
    """Find the models a ComfyUI workflow needs, and bring them, verified, into their folders.

    \b
    comfywatchman inspect workflow.json      what it needs, against this disk
    comfywatchman resolve workflow.png       … and where the missing ones are
    comfywatchman fetch workflow.json        … and bring them here
    """


def run(arguments: Sequence[str], *, command: click.Command = main) -> int:
    """Run one command line and give its exit status."""
    common = Common()
    make_forgiving()
    try:
        with logging_to_stderr(common):
            status = command.main(
                list(arguments), prog_name="comfywatchman", standalone_mode=False, obj=common
            )
    except click.ClickException as fault:
        return _tell_usage(fault, as_json=common.json or "--json" in arguments)
    except (click.Abort, KeyboardInterrupt):
        _tell(Interrupted("interrupted"), common)
        return INTERRUPTED
    except WatchmanError as fault:
        _tell(fault, common)
        return status_of(fault)
    except ReaderGone:
        _drop_stdout()
        return OK
    except Exception:  # noqa: BLE001 - the last place that can tell; the traceback goes to the log
        _tell_crash(common)
        return OUR_FAULT
    return status if isinstance(status, int) else OK


def status_of(fault: WatchmanError) -> int:
    """The exit status that a fault means."""
    match fault:
        case InputError():
            return BAD_INPUT
        case TransferError():
            return TRANSFER_FAILED
        case _:
            return STILL_OPEN


def _tell(fault: WatchmanError, common: Common) -> None:
    if common.json:
        from .documents import error_document

        print_json(error_document(fault))
        return
    for line in render_error(fault):
        say(line)


def _tell_usage(fault: click.ClickException, *, as_json: bool) -> int:
    """A command line that click could not read."""
    if as_json:
        from .documents import error_document

        context = fault.ctx if isinstance(fault, click.UsageError) else None
        command = context.command_path if context else "comfywatchman"
        hint = f"See `{command} --help`."
        print_json(error_document(InputError(fault.format_message().partition("\n")[0], hint=hint)))
    else:
        fault.show()
    return BAD_INPUT


def _tell_crash(common: Common) -> None:
    from .crash import write_crash

    where = write_crash(traceback.format_exc())
    kind = sys.exc_info()[0]
    name = kind.__name__ if kind else "error"
    told = WatchmanError(
        f"a fault of comfywatchman itself ({name}); the traceback is in {where}",
        hint="Report it with that traceback; secrets have been taken out of it.",
    )
    _tell(told, common)


def _drop_stdout() -> None:
    """Let the interpreter's last flush go nowhere instead of failing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
