"""How many lanes are worth it: found by trying, and given up where they bring nothing.

    4 ──brought more──► 8 ──brought no more──► 4 ──a while later──► 8 …
      └──a fault──► one fewer, and no more than that for a minute

A server that gives each connection its share of speed is asked on many; a line that is full is not
crowded; a server that answers 429 or 503, or hangs up, is spared. Pure: time comes from the caller.
"""

from __future__ import annotations

from typing import Final

_FIRST: Final = 4
_WINDOW: Final = 0.2  # seconds over which speed is measured; several round trips of most lines
_GAIN: Final = 1.15  # what the speed must grow by for a step to have paid
_AGAIN: Final = 10.0  # seconds until a step that did not pay is tried again
_SPARED: Final = 60.0  # seconds for which a fault bounds the number


class Pace:
    """The number of lanes for one file; kept over its attempts. Not for several threads at once.

    `most` is never passed, `first` is where it begins.
    """

    def __init__(self, most: int, *, first: int = _FIRST) -> None:
        self.wanted = min(first, most)
        self._most = self._bound = most
        self._before = 0  # the number before the last step; 0 when no step is on trial
        self._speed = 0.0  # bytes a second, of the last window
        self._since: tuple[float, int] | None = None  # begin of the window: seconds, bytes then
        self._next_step = 0.0
        self._spared_until = 0.0

    def look(self, now: float, *, done: int) -> int:
        """How many lanes there should be at the time `now`, when `done` bytes have come."""
        if now >= self._spared_until:
            self._bound = self._most
        if self._since is None or done < self._since[1]:
            self._since = (now, done)
        elif now - self._since[0] >= _WINDOW:
            self._judge(now, (done - self._since[1]) / (now - self._since[0]))
            self._since = (now, done)
        return self.wanted

    def slow_down(self, now: float) -> None:
        """A lane failed: there shall be one fewer for a while."""
        self._bound = self.wanted = max(1, self.wanted - 1)
        self._spared_until = now + _SPARED
        self._before = 0

    def _judge(self, now: float, speed: float) -> None:
        """Take back a step that brought nothing; take one if it is time."""
        paid = speed > self._speed * _GAIN
        if self._before and not paid:
            self.wanted, self._before = self._before, 0
            self._next_step = now + _AGAIN
        elif self.wanted < self._bound and (self._before or now >= self._next_step):
            self._before = self.wanted
            self.wanted = min(self.wanted * 2, self._bound)
        else:
            self._before = 0
        self._speed = speed
