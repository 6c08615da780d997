"""Previews of models on a hub, for pages: fetched here, so that no page speaks with a hub; drawn anew; kept.

    address ──► the hub's image hosts only ──► at most 8 MiB in 10 s, no token ──► a small JPEG ──► memory

Every redirect is judged as one of a transfer's is. A host that fails three times in a row is left alone for a
while, since a browser has few connections to us and pictures must not hold them.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from .catalog import hub_title
from .errors import HubError, HubUnavailable, Interrupted, Refused
from .hubs.civitai.images import IMAGE_HOSTS
from .hubs.hosts import HostGroup
from .library.previews import NotAnImage, make_preview
from .transfer.ask import Ask
from .transfer.guard import Guard, strip_query
from .transfer.http import Client
from .transfer.limits import Limits

HUB: Final = "civitai"
DOMAIN: Final = "civitai.com"  # the hub moves its pictures between hosts below it
MIB: Final = 1 << 20
LIMITS: Final = Limits(connect=5.0, stall=5.0, redirects=3, connections=4)
_FAILURES: Final = 3
_REST: Final = 30.0  # seconds


class Previews:
    """The previews of one process; threads share its connections. `endpoint` is where the hub is asked.

    `most` bytes and `seconds` are for one picture, `room` are the bytes of drawn ones in memory. `guard` is
    another policy for connections, and `clock` another time, for tests.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        guard: Guard | None = None,
        most: int = 8 * MIB,
        seconds: float = 10.0,
        room: int = 8 * MIB,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hosts = HostGroup(hub=HUB, hosts=IMAGE_HOSTS, endpoint=endpoint)
        self._most, self._seconds, self._room, self._clock = most, seconds, room, clock
        self._stop = threading.Event()
        parts = urlsplit(endpoint)
        guard = guard or Guard(trusted=frozenset({f"{parts.scheme}://{parts.netloc}"}))
        # What comes has no published digest: a redirect leads to the hub's own hosts or stays where it is.
        guard = replace(guard, storage=(DOMAIN,))
        self._opened = ExitStack()
        self._client = self._opened.enter_context(
            Client(guard=guard, limits=LIMITS, authorize=lambda _url: {}, stop=self._stop)
        )
        self._lines = itertools.count(1)
        self._drawing = threading.Lock()  # one at a time: a big picture takes 128 MiB for a moment
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._failures = 0
        self._rests_until = 0.0

    def close(self) -> None:
        """Give up what is being fetched."""
        self._stop.set()
        self._client.abort()
        self._opened.close()

    def get(self, url: str) -> bytes:
        """The picture at an address, as a small JPEG.

        Raises:
            Refused: the address is not one of the hub's pictures, or leads elsewhere.
            NotAnImage: no picture came, or one that is too large.
            HubError, Interrupted: it did not come.
        """
        with self._lock:
            if url in self._kept:
                self._kept.move_to_end(url)
                return self._kept[url]
        picture = self._draw(self._fetch(url))
        with self._lock:
            self._kept[url] = picture
            while sum(map(len, self._kept.values())) > self._room:
                self._kept.popitem(last=False)
        return picture

    def _draw(self, data: bytes) -> bytes:
        with self._drawing:
            return make_preview(data)

    def _fetch(self, url: str) -> bytes:
        if not self._hosts.owns(url):
            raise Refused(f"{strip_query(url)}: not a picture on {hub_title(HUB)}'s own hosts")
        if self._clock() < self._rests_until:
            raise HubUnavailable(f"{hub_title(HUB)}: its pictures did not come just now", hub=HUB)
        try:
            data = self._read(url)
        except (HubUnavailable, Interrupted):
            self._note(failed=True)
            raise
        except HubError:
            self._note(failed=False)  # it answers
            raise
        self._note(failed=False)
        return data

    def _note(self, *, failed: bool) -> None:
        with self._lock:
            self._failures = self._failures + 1 if failed else 0
            if self._failures >= _FAILURES:
                self._failures, self._rests_until = 0, self._clock() + _REST

    def _read(self, url: str) -> bytes:
        """The bytes at an address; its line is broken when the time is over."""
        line, is_over = next(self._lines), threading.Event()

        def end() -> None:
            is_over.set()
            self._client.abort(line)

        timer = threading.Timer(self._seconds, end)
        timer.daemon = True
        timer.start()
        try:
            with self._client.open(Ask(url=url, hub=HUB, name="preview", line=line)) as body:
                data = bytearray()
                while piece := body.read():
                    data += piece
                    if len(data) > self._most or (body.size or 0) > self._most:
                        raise NotAnImage(f"a picture of more than {self._most:,} bytes is not looked at")
            if is_over.is_set():  # a body without a length seems to have ended well
                raise Interrupted(f"{hub_title(HUB)}: a picture did not come within {self._seconds:g} s")
            return bytes(data)
        finally:
            timer.cancel()
