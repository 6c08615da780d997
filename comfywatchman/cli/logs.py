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

# The loggers that tell each request, in a record of many parts; their other records have few.
_REQUESTS: Final = frozenset({"urllib3.connectionpool", "httpx", "httpx2"})
_PARTS: Final = 4


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
        if self._common.quiet or self._common.verbose > 1:
            return record.levelno >= (logging.ERROR if self._common.quiet else logging.DEBUG)
        if record.name.partition(".")[0] == __name__.partition(".")[0]:
            return record.levelno >= (logging.INFO if self._common.verbose else logging.WARNING)
        is_request = record.name in _REQUESTS and len(record.args or ()) > _PARTS
        return record.levelno >= logging.ERROR or (is_request and self._common.verbose > 0)
