"""How long a hub is waited for, and when it is left alone.

`Patience` asks again after a moment; a `Breaker` stops asking a hub that was found out of reach.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from ..errors import HubUnavailable
from ..hands import Hands

T = TypeVar("T")
S = TypeVar("S")

AT_ONCE: Final = 4  # requests to one host at a time
_LONGEST_RETRY_AFTER: Final = 3600.0  # whoever says more is asked again in an hour
_RATE_LIMIT: Final = re.compile(r";\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,9})")


class Unreachable(HubUnavailable):
    """The hub as a whole does not answer; `again` says whether it may in a moment, `once` not to insist."""

    def __init__(
        self,
        message: str,
        *,
        hub: str,
        again: bool = False,
        once: bool = False,
        hint: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hub=hub, hint=hint, retry_after=retry_after)
        self.again, self.once = again, once


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Ask up to `tries` times, waiting 1, 2, 4 … seconds, or what the hub says up to `longest`."""

    tries: int = 3
    longest: float = 30.0
    sleep: Callable[[float], None] = time.sleep

    def ask(self, question: Callable[[], T]) -> T:
        """The answer to a question that may raise `Unreachable`.

        Raises:
            HubUnavailable: the last try's.
        """
        for done in range(1, self.tries):
            try:
                return question()
            except Unreachable as fault:
                wait = fault.retry_after if fault.retry_after is not None else 2.0 ** (done - 1)
                if not fault.again or wait > self.longest or (fault.once and done > 1):
                    raise
            self.sleep(wait)
        return question()


class Breaker:
    """Once a hub is out of reach, every further question gets the same answer without a request."""

    def __init__(self) -> None:
        self._fault: Unreachable | None = None

    def ask(self, question: Callable[[], T]) -> T:
        """The answer, unless an earlier question found nobody there.

        Raises:
            HubError: the question's own, or the one that opened this breaker.
        """
        if self._fault is not None:
            raise self._fault
        try:
            return question()
        except Unreachable as fault:
            self._fault = fault
            raise


def at_once(work: Callable[[S], T], items: Iterable[S]) -> list[T]:
    """The work done for every item, a few at a time, in the items' order."""
    todo = list(items)
    if len(todo) < 2:
        return [work(item) for item in todo]
    with Hands(AT_ONCE, name="comfywatchman-hub") as pool:
        return list(pool.map(work, todo))


def parse_retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Seconds to wait, from `Retry-After` in both forms or Hugging Face's `RateLimit`; None when not said.

    A date is measured against the answer's own `Date`, so that a wrong clock here does no harm.

    >>> parse_retry_after({"retry-after": "7"}, now=datetime(2026, 1, 1, tzinfo=UTC))
    7.0
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    if spent := _RATE_LIMIT.search(lower.get("ratelimit", "")):
        return min(float(spent[1]), _LONGEST_RETRY_AFTER)
    said = lower.get("retry-after", "")
    if re.fullmatch(r"[0-9]{1,9}", said):
        return min(float(said), _LONGEST_RETRY_AFTER)
    until = _parse_date(said)
    if until is None:
        return None
    since = _parse_date(lower.get("date", "")) or now
    return min(max((until - since).total_seconds(), 0.0), _LONGEST_RETRY_AFTER)


def _parse_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):  # what its Raises says, and what it raises
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
