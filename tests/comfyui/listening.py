"""What ComfyUI tells the browser: the messages of its websocket, collected while a block runs."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import aiohttp


class Listener:
    """A browser's ear. `heard` holds (type, data) in the order of arrival; binary previews are left out."""

    def __init__(self, url: str) -> None:
        self.heard: list[tuple[str, Any]] = []
        self._url = url
        self._news = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="listener")
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self.wait("status")  # ComfyUI greets with it
        return self

    def __exit__(self, *_: object) -> None:
        task = self._task
        if task is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(task.cancel)
        self._thread.join(10)

    def wait(
        self, kind: str, *, where: Callable[[Any], bool] = lambda _: True, limit: float = 30
    ) -> dict[str, Any]:
        """The data of the first message of this type, since the beginning, for which `where` holds.

        Raises:
            TimeoutError: there is none within so many seconds.
        """
        deadline = time.monotonic() + limit
        with self._news:
            while True:
                for told, data in self.heard:
                    if told == kind and where(data):
                        found: dict[str, Any] = data
                        return found
                if not self._news.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError(f"no {kind!r} among {[told for told, _ in self.heard]}")

    def _run(self) -> None:
        self._task = self._loop.create_task(self._listen())
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()

    async def _listen(self) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(self._url) as socket:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    told = json.loads(message.data)
                    with self._news:
                        self.heard.append((told["type"], told["data"]))
                        self._news.notify_all()
