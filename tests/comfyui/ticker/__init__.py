"""A pack for tests: sees how late ComfyUI's event loop wakes who sleeps on it: so long it was blocked.

GET /cw_test_ticker         {"late": [the longest delays in seconds, the last is the longest], "count": n,
                             "collections": seconds of each full garbage collection, left out of `late`}
GET /cw_test_ticker/block   keeps the loop from everybody for a tenth of a second, as the control
"""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

from aiohttp import web
from server import PromptServer

_TICK = 0.002
_late: list[float] = []
_collections: list[float] = []  # of ComfyUI's whole heap: whoever makes an object may set one off
_marks: list[float] = []  # when each began and ended
_tasks: list[asyncio.Task[None]] = []


async def _tick() -> None:
    while True:
        begun, collected = time.perf_counter(), sum(_collections)
        await asyncio.sleep(_TICK)
        late = time.perf_counter() - begun - _TICK
        while len(_marks) % 2:  # noqa: ASYNC110 - who collected has yet to note the end, and may do no more
            await asyncio.sleep(_TICK)
        _late.append(late - (sum(_collections) - collected))


def _note(phase: str, info: dict[str, int]) -> None:
    if info["generation"] == 2:
        _marks.append(time.perf_counter())
        if phase == "stop":
            _collections.append(_marks[-1] - _marks[-2])


async def _begin(_app: Any) -> None:
    _tasks.append(asyncio.get_running_loop().create_task(_tick()))


async def _tell(_request: web.Request) -> web.Response:
    told = {"late": sorted(_late)[-10:], "count": len(_late), "collections": [*_collections]}
    _late.clear()
    return web.json_response(told)


async def _block(_request: web.Request) -> web.Response:
    time.sleep(0.1)  # noqa: ASYNC251 - this is what must be seen
    return web.json_response({})


gc.callbacks.append(_note)
PromptServer.instance.app.on_startup.append(_begin)
PromptServer.instance.routes.get("/cw_test_ticker")(_tell)
PromptServer.instance.routes.get("/cw_test_ticker/block")(_block)

NODE_CLASS_MAPPINGS: dict[str, type] = {}
