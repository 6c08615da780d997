"""What the routes of one process work with: the house, the queue and its worker, plans, and who listens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ..errors import HubError, HubUnavailable, NoComfyUI, WatchmanError
from ..hands import Hands
from .errors import call_safely
from .guard import Doors

if TYPE_CHECKING:
    from ..catalog import Json
    from ..house import House
    from ..previews import Previews
    from ..report import Stage
    from ..transfer.queue import Queue
    from ..worker import Worker
    from .events import Feed
    from .places import Places
    from .plans import Plans

Send = Callable[[str, "Mapping[str, Json]"], None]
_FRESH: Final = 2.0  # seconds for which the roots are not looked for again
_TOGETHER: Final = 16  # requests at once; the threads of the event loop are everybody's
_WAITING: Final = 4  # requests at once that wait for a hub, so that a slow one holds up nobody else
_PATIENCE: Final = 20.0  # seconds for transfers to stop in good order
_LATER: Final = 5.0  # seconds after the server serves until what is left in the queue goes on


class Desk:
    """Opened lazily, so that making one costs nothing; kept as long as the process runs.

    `open_house` gives the house, the same each time. `send(event, data)` tells every open page and may be
    called from any thread. All methods may be too.
    """

    def __init__(self, open_house: Callable[[], House], *, send: Send) -> None:
        self._open_house = open_house
        self.send = send
        self.writing = threading.Lock()  # one change of settings or tokens at a time
        self.hands = Hands(_TOGETHER, name="comfywatchman-route")
        self.waiters = Hands(_WAITING, name="comfywatchman-route-waits")
        self._lock = threading.RLock()
        self._queue: Queue | None = None
        self._worker: Worker | None = None
        self._feed: Feed | None = None
        self._plans: Plans | None = None
        self._previews: Previews | None = None
        self._places: tuple[float, Places] | None = None
        self._hubs: dict[str, HubError | None] = {}
        self._closed = threading.Event()

    def close(self, *, patience: float = _PATIENCE) -> None:
        """Stop the transfers in good order, for at most so many seconds, and close what was opened."""
        self._closed.set()
        for hands in (self.hands, self.waiters):
            hands.shutdown(wait=False)  # a hub may keep one waiting
        with self._lock:  # but not while they close: their threads may want it
            opened = [self._previews, self._plans, self._feed, self._queue]
            worker = self._worker
        if worker is not None:
            worker.close(patience=patience)
        for one in opened:
            if one is not None:
                one.close()

    def start_later(self, seconds: float = _LATER) -> None:
        """Go on with what an earlier process left in the queue, once the server has come to rest."""

        def start() -> None:
            if not self._closed.wait(seconds):
                call_safely(self._start, what="going on with the queue")

        threading.Thread(target=start, name="comfywatchman-start", daemon=True).start()

    def _start(self) -> None:
        self.house.watchman(asks=False).inspect(())  # what is slow the first time is so now
        if self.queue.is_waiting():
            self.worker.wake()

    # ── what is there ──

    @property
    def house(self) -> House:
        """Where settings, tokens, hubs and library meet."""
        return self._open_house()

    @property
    def queue(self) -> Queue:
        """The queue of the data folder, with the roots as they are now.

        Raises:
            IndexTooNew, IndexLocked: its file cannot be used.
        """
        from ..transfer.queue import Queue

        roots = self.places().paths
        with self._lock:
            if self._queue is None:
                self._queue = Queue(self.house.home, roots=roots)
            self._queue.use_roots(roots)
            return self._queue

    @property
    def feed(self) -> Feed:
        """What tells pages how transfers go on."""
        from .events import Feed

        with self._lock:
            if self._feed is None:
                self._feed = Feed(self.queue, self.send, veil=self.veil_text)
            return self._feed

    @property
    def worker(self) -> Worker:
        """What carries out the queue."""
        from ..worker import Worker

        feed = self.feed  # so that it hears everything
        with self._lock:
            if self._worker is None:
                self._worker = Worker(self.house, lambda: self.queue)
            feed.stir()
            return self._worker

    @property
    def plans(self) -> Plans:
        """The plans that pages look at."""
        from .plans import Plans

        with self._lock:
            if self._plans is None:
                self._plans = Plans(self.send)
            return self._plans

    @property
    def previews(self) -> Previews:
        """The pictures of candidates."""
        from ..previews import Previews

        with self._lock:
            if self._previews is None:
                self._previews = Previews(self.house.settings().civitai_endpoint)
            return self._previews

    def places(self) -> Places:
        """The roots as they are now, or were a moment ago.

        Raises:
            NoComfyUI: there are none.
        """
        from .places import Places

        with self._lock:
            if self._places is None or self._places[0] < time.monotonic() - _FRESH:
                roots = self.house.roots()
                if roots is None:
                    raise NoComfyUI("there is no models folder here")
                self._places = (time.monotonic(), Places(roots))
            return self._places[1]

    def look_again(self) -> None:
        """The settings were changed: roots, and what transfers may use, may be others now."""
        with self._lock:
            self._places = None
            worker = self._worker
        if worker is not None:
            worker.refresh()

    def doors(self) -> Doors:
        """Who may come in, by the settings as they are now."""
        settings = self.house.settings()
        return Doors(served_as=frozenset(settings.served_as), allow_lan=settings.allow_lan)

    # ── hubs ──

    def note_hub(self, name: str, fault: HubError | None) -> None:
        """Keep whether a hub answered."""
        self._hubs[name] = fault if isinstance(fault, HubUnavailable) else None

    def note_answers(self, asking: Sequence[str], stage: Stage) -> None:
        """Keep how those hubs answered that are no longer asked; `asking` were asked before this stage."""
        faults = {fault.hub: fault for fault in stage.answer.faults if isinstance(fault, HubUnavailable)}
        for name in asking:
            if name not in stage.asking:
                self.note_hub(name, faults.get(name))

    def hub_state(self, name: str) -> tuple[str, str | None]:
        """Whether a hub answered when it was asked last, and what kept it from it."""
        if name not in self._hubs:
            return "unknown", None
        fault = self._hubs[name]
        return ("reachable", None) if fault is None else ("unreachable", self.veil_text(fault.message))

    # ── what a page must not see ──

    def veil(self, fault: WatchmanError) -> WatchmanError:
        """The same fault without absolute paths and secrets in its words."""
        fault.message, fault.hint = self.veil_text(fault.message), self.veil_text(fault.hint)
        return fault

    def veil_text(self, text: str) -> str:
        """A text without secrets and whole paths: roots and the data folder by name, others by their end."""
        from ..secret import redact
        from .places import shorten_paths

        for path, label in self._labels().items():
            text = text.replace(path, label)
        return redact(shorten_paths(text))

    def _labels(self) -> Mapping[str, str]:
        labels = {str(self.house.home): "the data folder"}
        try:
            return {**self.places().labels, **labels}
        except WatchmanError:
            return labels
