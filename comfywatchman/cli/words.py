"""The words that every view shares: hubs, evidence, access, places, faults."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..catalog import Access
from ..errors import WatchmanError
from ..names import printable
from ..resolution import Evidence

EVIDENCE: Final[Mapping[Evidence, str]] = {
    Evidence.SIMILAR_NAME: "similar name",
    Evidence.NAME: "same name",
    Evidence.URL: "workflow's link",
    Evidence.KNOWN: "known model",
    Evidence.DIGEST: "same digest",
}

ACCESS: Final[Mapping[Access, str]] = {
    Access.OPEN: "",
    Access.LOGIN: "needs a token",
    Access.GATED: "gated: ask for access on its page",
    Access.EARLY: "early access: see its page",
    Access.WITHDRAWN: "withdrawn",
}


def count(number: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "file"), count(0, "file")
    ('1 file', '0 files')
    """
    return f"{number} {noun}" + ("" if number == 1 else "s")


def one_line(text: str) -> str:
    """Foreign text that stays on its line.

    >>> one_line("a\\n b")
    'a b'
    """
    return " ".join(printable(text).split())


def short_path(path: str) -> str:
    """A path as one would type it here: below the working directory, else below the home folder."""
    for find_base, prefix in ((Path.cwd, ""), (Path.home, f"~{os.sep}")):
        with suppress(OSError, RuntimeError):  # the working directory may be gone, the home unknown
            base = find_base()
            if base != Path(base.anchor) and Path(path).is_relative_to(base):
                return prefix + str(Path(path).relative_to(base))
    return path


def render_error(error: WatchmanError) -> Iterator[str]:
    """A fault and what to do about it."""
    yield f"{one_line(error.message)}  [{error.code}]"
    if error.hint:
        yield f"  → {one_line(error.hint)}"
