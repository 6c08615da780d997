"""`completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .main import OK, main
from .options import common_options


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common_options
def completion(shell: str) -> int:
    """Print the completion script for SHELL.

    \b
    bash   comfywatchman completion bash > ~/.local/share/bash-completion/completions/comfywatchman
    zsh    comfywatchman completion zsh > "${fpath[1]}/_comfywatchman"
    fish   comfywatchman completion fish > ~/.config/fish/completions/comfywatchman.fish
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click knows no completion for {shell}")
    click.echo(kind(main, {}, "comfywatchman", "_COMFYWATCHMAN_COMPLETE").source())
    return OK
