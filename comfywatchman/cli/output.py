"""What goes to stdout: data, as text or as one JSON document; and talk, which goes to stderr."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Mapping
from typing import Final

import click

from ..catalog import Json

# For terminals and files whose encoding has no such signs: old Windows consoles, LC_ALL=C.
_PLAIN: Final = str.maketrans(
    {"✓": "ok", "✗": "FAILED", "–": "-", "→": "->", "…": "...", "×": "x", "·": "-", "•": "*"}
)


def print_json(document: Mapping[str, Json]) -> None:
    """Print one JSON document; lone surrogates from outside stay escaped."""
    click.echo(json.dumps(document, indent=2))


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of text as they come."""
    for line in lines:
        click.echo(fit(line, sys.stdout.encoding))


def say(line: str = "", *, quiet: bool = False) -> None:
    """Talk: to stderr, so that stdout stays data."""
    if not quiet:
        click.echo(fit(line, sys.stderr.encoding), err=True)


def fit(text: str, encoding: str | None) -> str:
    """The text in signs that the encoding has.

    >>> fit("✓ 墨 → …", "cp1252"), fit("✓", "utf-8")
    ('ok ? -> ...', '✓')
    """
    try:
        text.encode(encoding or "ascii")
    except UnicodeEncodeError:
        plain = text.translate(_PLAIN)
        return plain.encode(encoding or "ascii", "replace").decode(encoding or "ascii")
    return text


def make_forgiving() -> None:
    """Let nothing that is written to stdout or stderr fail for its letters."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
