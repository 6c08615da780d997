"""What goes to stdout: data, as text or as one JSON document; and talk, which goes to stderr."""

from __future__ import annotations

import io
import json
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping
from typing import Final, TextIO

import click

from ..catalog import Json

# For terminals and files whose encoding has no such signs: old Windows consoles, LC_ALL=C.
_PLAIN: Final = str.maketrans(
    {"✓": "ok", "✗": "FAILED", "–": "-", "→": "->", "…": "...", "×": "x", "·": "-", "•": "*"}
)


class ReaderGone(Exception):
    """Nobody reads stdout any more: `comfywatchman … | head`."""


def print_json(document: Mapping[str, Json]) -> None:
    """Print one JSON document; lone surrogates from outside stay escaped.

    Raises:
        ReaderGone: nobody reads it.
    """
    print_lines([json.dumps(document, indent=2)])


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of text as they come.

    Raises:
        ReaderGone: nobody reads them.
    """
    for line in lines:
        try:
            click.echo(fit(_wrapped(line, sys.stdout), sys.stdout.encoding))
        except BrokenPipeError as fault:  # click would end the process with status 1
            raise ReaderGone from fault


def say(line: str = "", *, quiet: bool = False) -> None:
    """Talk: to stderr, so that stdout stays data."""
    if not quiet:
        click.echo(fit(_wrapped(line, sys.stderr), sys.stderr.encoding), err=True)


def _wrapped(line: str, stream: TextIO) -> str:
    """A line as a terminal shows it best: broken between words, its rest further in; addresses stay whole."""
    if not stream.isatty():
        return line
    indent = line[: len(line) - len(line.lstrip())]
    width = max(40, shutil.get_terminal_size().columns)
    lines = textwrap.wrap(
        line.lstrip(),
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)


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
