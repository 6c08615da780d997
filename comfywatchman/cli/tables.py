"""Tables and amounts for a terminal. Text from outside has its control characters removed here."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, TextIO

from .words import one_line

_GAP: Final = "  "
_LEAST: Final = 12  # columns that a cell keeps however narrow the terminal is


def table_width(stream: TextIO) -> int | None:
    """The columns of a terminal, or None for a pipe or file, where nothing is cut."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def format_size(size: int | None) -> str:
    """Bytes as people read them, in powers of 1000 as drives and hubs count.

    >>> format_size(6938078334), format_size(999), format_size(None)
    ('6.94 GB', '999 B', '?')
    """
    if size is None:
        return "?"
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"


def format_total(sizes: Sequence[int | None]) -> str:
    """Many sizes added up, with how many are not known.

    >>> format_total([1000, 500]), format_total([1000, None]), format_total([None, None])
    ('1.5 kB', '1 kB, 1 of unknown size', 'size unknown')
    """
    unknown = sum(size is None for size in sizes)
    total = format_size(sum(size or 0 for size in sizes))
    if not unknown:
        return total
    return f"{total}, {unknown} of unknown size" if unknown < len(sizes) else "size unknown"


def render_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None, below: int | None = None
) -> list[str]:
    """Lines of a table with aligned columns.

    Where `width` is short, the column `below` moves to a line of its own under each row, then the widest
    columns give way.
    """
    clean = [[one_line(cell) for cell in row] for row in rows]
    if width is not None and below is not None and sum(_widths(head, clean)) > _room(head, width):
        return _render_folded(head, clean, width, below)
    widths = _widths(head, clean)
    if width is not None:
        widths = _fit(widths, _room(head, width))
    return [_line(cells, widths) for cells in (head, *clean)]


def _render_folded(head: Sequence[str], rows: Sequence[list[str]], width: int, below: int) -> list[str]:
    """The table with one column's cells on lines of their own, indented to the second column."""
    rest = [[cell for at, cell in enumerate(cells) if at != below] for cells in (head, *rows)]
    lines = render_table(rest[0], rest[1:], width=width)
    indent = min(_widths(rest[0], rest[1:])[0], width // 4) + len(_GAP)
    folded = [lines[0]]
    for line, row in zip(lines[1:], rows, strict=True):
        folded.append(line)
        if row[below]:
            folded.append(" " * indent + shorten(row[below], width - indent))
    return folded


def _widths(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(columns, cells)) for cells in zip_longest(head, *rows, fillvalue="")]


def _room(head: Sequence[str], width: int) -> int:
    """The columns that are left for cells between the gaps."""
    return width - len(_GAP) * (len(head) - 1)


def columns(text: str) -> int:
    """How many terminal columns a text takes: East Asian wide characters take two, marks none.

    >>> columns("墨.sft"), columns("é"), columns("abc")
    (6, 1, 3)
    """
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def shorten(text: str, width: int) -> str:
    """Cut the middle out of a text that is too wide; both ends of a file name tell it apart.

    >>> shorten("flux1-dev-fp8-e4m3fn.safetensors", 20)
    'flux1-dev…afetensors'
    """
    if columns(text) <= width:
        return text
    half = len(text) // 2
    head, tail = text[:half], text[half:]
    while columns(head) + columns(tail) >= width and (head or tail):
        head, tail = (head, tail[1:]) if columns(tail) > columns(head) else (head[:-1], tail)
    return f"{head}…{tail}"


def _fit(widths: Sequence[int], room: int) -> list[int]:
    """The widths with the widest taken down, a column at a time, until they fit or cannot give more."""
    fitted = list(widths)
    while sum(fitted) > room and max(fitted) > _LEAST:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        (text := shorten(cell, width)) + " " * (width - columns(text))
        for cell, width in zip(cells, widths, strict=True)
    )
    return _GAP.join(padded).rstrip()
