"""`completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .main import OK, main
from .options import common, common_options
from .output import print_json, print_lines


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common_options
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """Print the completion script for SHELL.

    \b
    bash   comfywatchman completion bash > ~/.local/share/bash-completion/completions/comfywatchman
    zsh    comfywatchman completion zsh > "${fpath[1]}/_comfywatchman"
    fish   comfywatchman completion fish > ~/.config/fish/completions/comfywatchman.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # the choices are those click knows
    script = kind(main, {}, "comfywatchman", "_COMFYWATCHMAN_COMPLETE").source()
    if common(context).json:
        print_json({"schema": "comfywatchman.completion/1", "shell": shell, "script": script})
    else:
        print_lines([script])
    return OK
