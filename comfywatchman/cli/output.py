"""What goes to stdout: data, as text or as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import click

from ..catalog import Json


def print_json(document: Mapping[str, Json]) -> None:
    """Print one JSON document; lone surrogates from outside stay escaped."""
    click.echo(json.dumps(document, indent=2))


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of text as they come."""
    for line in lines:
        click.echo(line)


def say(line: str, *, quiet: bool = False) -> None:
    """Talk: to stderr, so that stdout stays data."""
    if not quiet:
        click.echo(line, err=True)
