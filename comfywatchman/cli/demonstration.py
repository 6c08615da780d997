"""`demo`: the main job on this machine alone, against a stand-in hub."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from .main import OK
from .options import Common, common, common_options
from .output import say


@click.command()
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Play in DIR and leave it there.")
@common_options
@click.pass_context
def demo(context: click.Context, keep: Path | None) -> int:
    """Show the main job without a network.

    A small stand-in hub on this machine serves tiny invented models; a workflow goes in, verified files come
    out in a folder.
    """
