"""What is logged, on stderr: warnings always, with -v what hubs were asked, with -vv everything.

Whatever goes out passes a filter that takes secrets out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ..secret import RedactingFilter
from .options import Common

# The loggers that tell each request, and the level at which they do.
_REQUESTS: Final = {"urllib3.connectionpool": logging.DEBUG, "httpx": logging.INFO}


@contextmanager
def logging_to_stderr(common: Common) -> Iterator[None]:
    """Show log records while a command runs; `common` is looked at when a record comes."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_Verbosity(common))
    handler.addFilter(RedactingFilter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


class _Verbosity(logging.Filter):
    """Lets through what the options ask for."""

    def __init__(self, common: Common) -> None:
        super().__init__()
        self._common = common

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is shown."""
        if self._common.quiet:
            return record.levelno >= logging.ERROR
        if self._common.verbose > 1:
            return True
        is_ours = record.name.partition(".")[0] == __name__.partition(".")[0]
        least = logging.WARNING if is_ours else logging.ERROR
        if self._common.verbose:
            least = logging.INFO if is_ours else _REQUESTS.get(record.name, logging.WARNING)
        return record.levelno >= least
