"""A pack for tests: sees how late ComfyUI's event loop wakes who sleeps on it, and what kept it.

    a ticker on the loop        how late it wakes: what everybody else on the loop feels
    each step of our handlers   how long the processor worked for it, whatever else the machine does
    a thread that looks         at the stack of a loop that is overdue; and since it needs nothing but the
                                interpreter, its own delay says how long that was held, and the processor time
                                of all threads meanwhile by whom

GET /cw_test_ticker         what was seen since the last time; see `Seen`
GET /cw_test_ticker/block   a handler that works on the loop for a tenth of a second, as a control
GET /cw_test_ticker/hold    a thread named like ours that keeps the interpreter to itself, as another
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

from aiohttp import web
from server import PromptServer

_TICK: Final = 0.002
_LOOK: Final = 0.005  # seconds between two looks of the thread
_OVERDUE: Final = 0.025
_DEPTH: Final = 12  # calls of a stack that are told
_OURS: Final = "/comfywatchman/v1/"

Times = dict[
    int, tuple[float, float]
]  # by thread: seconds that it worked, and that it waited for a processor


@dataclass(slots=True)
class Seen:
    """What was seen; all times in seconds, moments as `time.perf_counter` tells them.

    late         {"at", "late", "waited": of it for a processor, "preempted": most that another thread waited
                 for one, "threads": {name: processor time}, "stacks": {stack of the loop: how often seen}}
    held         {"at", "late": the looking thread's delay without its waits, "threads"}
    steps        {route: [the longest step's processor time, how many steps]}
    collections  [when, how long, thread]: full ones, whose length is the host's heap, and which comes due in
                 whatever thread makes the next object; they are in no other figure
    """

    ticks: int = 0
    late: list[Any] = field(default_factory=list)
    held: list[Any] = field(default_factory=list)
    steps: dict[str, list[float]] = field(default_factory=dict)
    collections: list[Any] = field(default_factory=list)


class Threads:
    """What the kernel tells of each thread of this process."""

    def __init__(self) -> None:
        self._files: dict[int, int] = {}

    def look(self) -> Times:
        """The times of all threads until now."""
        return {number: times for number in self._numbers() if (times := self.times(number)) is not None}

    def times(self, number: int) -> tuple[float, float] | None:
        """The times of one; None when it has ended. https://docs.kernel.org/scheduler/sched-stats.html"""
        try:
            if number not in self._files:
                self._files[number] = os.open(f"/proc/self/task/{number}/schedstat", os.O_RDONLY)
            worked, waited, _ = os.pread(self._files[number], 100, 0).split()
        except OSError:
            if number in self._files:
                os.close(self._files.pop(number))
            return None
        return int(worked) / 1e9, int(waited) / 1e9

    def _numbers(self) -> list[int]:
        return [thread.native_id for thread in threading.enumerate() if thread.native_id is not None]


class Watch:
    """The ticker and the looking thread; begun on the loop when ComfyUI serves."""

    def __init__(self) -> None:
        self.seen = Seen()
        self.threads = Threads()
        self.loop = threading.current_thread()
        self.task = asyncio.get_running_loop().create_task(self._tick())
        self._collected = 0.0  # seconds, in all full collections that have ended
        self._collecting: float | None = None  # since when there is one
        self._beat = time.perf_counter()
        self._before: deque[tuple[float, Times]] = deque(maxlen=2000)  # for ten seconds
        self._stacks: Counter[str] = Counter()
        gc.callbacks.append(self._note_collection)
        threading.Thread(target=self._look, name="cw-test-look", daemon=True).start()

    async def _tick(self) -> None:
        number = self.loop.native_id or 0
        while True:
            self._beat = begun = time.perf_counter()
            self._stacks, collected = Counter(), self.collected()
            _, waited = self.threads.times(number) or (0.0, 0.0)
            await asyncio.sleep(_TICK)
            late = time.perf_counter() - begun - _TICK - (self.collected() - collected)
            self.seen.ticks += 1
            if late > _OVERDUE:
                own = (self.threads.times(number) or (0.0, 0.0))[1] - waited
                worked, preempted = self._since(begun, without=number)
                told = {"at": begun, "late": late, "waited": own, "preempted": preempted, "threads": worked}
                self.seen.late.append({**told, "stacks": {**self._stacks}})

    def _look(self) -> None:
        number = threading.get_native_id()
        while True:
            begun, collected = time.perf_counter(), self.collected()
            before = self.threads.look()
            self._before.append((begun, before))
            asleep = time.perf_counter()
            time.sleep(_LOOK)
            now = time.perf_counter()
            waited = (self.threads.times(number) or (0.0, 0.0))[1] - before[number][1]
            late = now - asleep - _LOOK - waited - (self.collected() - collected)
            if now - self._beat > _OVERDUE and self.loop.ident is not None:
                self._stacks[_stack(sys._current_frames().get(self.loop.ident))] += 1
            if late > _OVERDUE:
                self.seen.held.append({"at": begun, "late": late, "threads": self._since(begun)[0]})

    def _since(self, moment: float, *, without: int = 0) -> tuple[dict[str, float], float]:
        """For how long each thread has worked since then, and the longest that one waited for a processor."""
        before: Times = next((times for at, times in reversed(self._before) if at <= moment), {})
        names = {thread.native_id: thread.name for thread in threading.enumerate()}
        worked, waits = {}, [0.0]
        for number, (work, wait) in self.threads.look().items():
            work_before, wait_before = before.get(number, (0.0, 0.0))
            if work - work_before > 0.001:
                worked[f"{names.get(number)} {number}"] = round(work - work_before, 4)
            if number != without:
                waits.append(wait - wait_before)
        return worked, max(waits)

    def collected(self) -> float:
        """Seconds in full collections until now."""
        begun = self._collecting  # whoever collected may have yet to note the end
        return self._collected + (time.perf_counter() - begun if begun is not None else 0.0)

    def _note_collection(self, phase: str, info: dict[str, int]) -> None:
        if info["generation"] == 2:
            now = time.perf_counter()
            if phase == "start":
                self._collecting = now
            elif (begun := self._collecting) is not None:
                self._collected, self._collecting = self._collected + now - begun, None
                self.seen.collections.append([begun, now - begun, threading.current_thread().name])


def _stack(frame: FrameType | None) -> str:
    """A stack in a line, the innermost call first."""
    told = []
    while frame is not None and len(told) < _DEPTH:
        place = "/".join(Path(frame.f_code.co_filename).parts[-3:])
        told.append(f"{place}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(told)


class _Timed:
    """A handler's coroutine, awaited with `take` told the processor time of each step."""

    def __init__(self, handler: Any, take: Callable[[float], None]) -> None:
        self._handler, self._take = handler, take

    def __await__(self) -> Generator[Any, Any, Any]:
        inner = self._handler.__await__()
        step, given = inner.send, None
        while True:
            begun = time.thread_time()
            try:
                wanted = step(given)
            except StopIteration as end:
                return end.value
            finally:
                self._take(time.thread_time() - begun)
            try:
                step, given = inner.send, (yield wanted)
            except BaseException as fault:  # noqa: BLE001 - the loop's word to the handler
                step, given = inner.throw, fault


_watches: list[Watch] = []


@web.middleware
async def _time(request: web.Request, handler: Any) -> Any:
    """The innermost: times the handlers of ours and nothing around them."""
    resource = request.match_info.route.resource
    if not _watches or resource is None or _OURS not in resource.canonical:
        return await handler(request)
    watch = _watches[0]
    collected = watch.collected()

    def take(seconds: float) -> None:
        nonlocal collected
        longest, count = watch.seen.steps.get(f"{request.method} {resource.canonical}", (0.0, 0))
        until = watch.collected()
        seconds, collected = max(0.0, seconds - (until - collected)), until
        watch.seen.steps[f"{request.method} {resource.canonical}"] = [max(longest, seconds), count + 1]

    return await _Timed(handler(request), take)


async def _begin(_app: Any) -> None:
    _watches.append(Watch())


async def _tell(_request: web.Request) -> web.Response:
    seen, _watches[0].seen = _watches[0].seen, Seen()
    return web.Response(
        text=await asyncio.to_thread(lambda: json.dumps(asdict(seen))), content_type="application/json"
    )


async def _block(_request: web.Request) -> web.Response:
    time.sleep(0.1)  # noqa: ASYNC251 - this is what must be seen
    return web.json_response({})


async def _hold(_request: web.Request) -> web.Response:
    def hold() -> None:
        sum(range(10_000_000))  # C code, which lets go of the interpreter at its end only
        time.sleep(0.3)  # what has ended cannot be looked at

    threading.Thread(target=hold, name="comfywatchman-control").start()
    await asyncio.sleep(0.5)
    return web.json_response({})


PromptServer.instance.app.middlewares.append(_time)
PromptServer.instance.app.on_startup.append(_begin)
PromptServer.instance.routes.get("/cw_test_ticker")(_tell)
PromptServer.instance.routes.get("/cw_test_ticker/block")(_block)
PromptServer.instance.routes.get("/cw_test_ticker/hold")(_hold)

NODE_CLASS_MAPPINGS: dict[str, type] = {}
