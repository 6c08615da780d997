"""The log of faults of ours: tracebacks without secrets, where the user can find them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..errors import WatchmanError
from ..secret import Secret, redact
from ..settings import find_home
from ..tokens import VARIABLES, TokenStore


def write_crash(trace: str) -> Path:
    """Keep a traceback in the data folder, or where that cannot be written in the system's temporary one."""
    text = redact(trace, list(_secrets()))
    for folder in (find_home(os.environ), Path(tempfile.gettempdir())):
        path = folder / "comfywatchman.log"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8", errors="replace") as log:
                log.write(text + "\n")
        except OSError:
            continue  # the next place
        return path
    return Path(os.devnull)


def _secrets() -> Iterator[Secret]:
    """The tokens a traceback may hold; one that cannot be read cannot be in it."""
    store = TokenStore(find_home(os.environ), os.environ)
    for hub in VARIABLES:
        try:
            token = store.get(hub)
        except WatchmanError:
            continue
        if token is not None:
            yield token.secret
