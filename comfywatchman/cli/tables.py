"""Tables and amounts for a terminal. Text from outside has its control characters removed here."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import zip_longest

from ..names import printable

_GAP = "  "


def format_size(size: int | None) -> str:
    """Bytes as people read them, in powers of 1000 as drives and hubs count.

    >>> format_size(6938078334), format_size(999), format_size(None)
    ('6.94 GB', '999 B', '?')
    """
    if size is None:
        return "?"
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}" if unit != "B" else f"{size} B"
        amount /= 1000
    return f"{amount:.3g} TB"


def render_table(head: Sequence[str], rows: Sequence[Sequence[str]], *, width: int) -> list[str]:
    """Lines of a table with aligned columns; the widest column gives way when `width` is short."""
    clean = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(columns, cells)) for cells in zip_longest(head, *clean, fillvalue="")]
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    widest = widths.index(max(widths))
    widths[widest] = max(widths[widest] - max(excess, 0), 12)
    return [_line(cells, widths) for cells in (head, *clean)]


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
    head, tail = text, ""
    while columns(head) + columns(tail) + 1 > width:
        half = len(head) // 2 if not tail else None
        if half is not None:
            head, tail = head[:half], head[half:]
        elif columns(head) >= columns(tail):
            head = head[:-1]
        else:
            tail = tail[1:]
    return f"{head}…{tail}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        (text := shorten(cell, width)) + " " * (width - columns(text))
        for cell, width in zip(cells, widths, strict=True)
    )
    return _GAP.join(padded).rstrip()
