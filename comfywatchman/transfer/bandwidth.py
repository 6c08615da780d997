"""A limit on the bytes a second of all transfers of a run together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

_BURST: Final = 0.1  # seconds of saved-up quiet that may be made up for


class Bucket:
    """Says how long to wait after bytes came, so that they keep to `rate` bytes a second; None: never.

    Threads that share it queue up in the order they came: what one takes, the next waits for.
    """

    def __init__(self, rate: int | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._lock = threading.Lock()
        self._free_at = 0.0  # when all that was taken will have been paid for

    def take(self, count: int) -> float:
        """Seconds to wait before asking for more."""
        if not self._rate:
            return 0.0
        with self._lock:
            now = self._clock()
            self._free_at = max(self._free_at, now - _BURST) + count / self._rate
            return max(0.0, self._free_at - now)
