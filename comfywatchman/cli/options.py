"""Options that every command takes, before or after its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Common:
    """What the common options say; the innermost spelling of one wins."""

    comfyui: Path | None = None
    models_dir: Path | None = None
    comfyui_url: str | None = None
    offline: bool = False
    json: bool = False
    verbose: int = 0
    quiet: bool = False


def common_options(command: Command) -> Command:
    """Add the common options; their values are gathered in the context's `Common`."""
    folder = click.Path(path_type=Path, file_okay=False)
    for decorate in (
        _kept("--quiet", "-q", is_flag=True, help="Say nothing but faults and the answer."),
        _kept("--verbose", "-v", count=True, help="Say more; twice for everything."),
        _kept(
            "--json", is_flag=True, is_eager=True, help="Print one JSON document and nothing else to stdout."
        ),
        _kept("--offline", is_flag=True, help="Ask no hub and fetch nothing; what is here still works."),
        _kept("--models-dir", type=folder, help="A bare models folder to look into and fetch to."),
        _kept("--comfyui", type=folder, help="A ComfyUI folder. [default: found, see docs]"),
    ):
        command = decorate(command)
    return command


def comfyui_url_option(command: Command) -> Command:
    """Add the option for commands that read workflows."""
    told = "A running ComfyUI (http://127.0.0.1:8188) to ask about nodes that are not known here."
    return _kept("--comfyui-url", metavar="URL", help=told)(command)


def common(context: click.Context) -> Common:
    """The gathered values of this invocation."""
    return context.ensure_object(Common)


def _kept(*names: str, **attributes: Any) -> Callable[[Command], Command]:
    return click.option(*names, expose_value=False, callback=_keep, **attributes)


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value and parameter.name:
        setattr(common(context), parameter.name, value)
