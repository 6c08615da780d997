"""How little the routes take of ComfyUI's one event loop, and how fast they answer a drop."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from fakehub.server import FakeHub
from routes_kit import Server, lora, serving, ui

from comfywatchman.catalog import Json
from comfywatchman.decode import parse_json
from comfywatchman.demo import models
from comfywatchman.routes.serving import PREFIX, write_json

LONGEST = 0.05  # seconds that the event loop may be kept from others
NUMBERS = f"[{','.join(['1', '0.5'] * 700_000)}]"
ITEMS: list[Json] = [{"name": "x" * 40, "size": 1, "inner": [1, 2, {}]}] * 100_000


class Ticker:
    """Runs on the loop and sees how late it is woken; `worst` leaves out what the machine itself held up."""

    def __init__(self) -> None:
        self.late: list[float] = []

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            begun = time.perf_counter()
            await asyncio.sleep(0.002)
            self.late.append(time.perf_counter() - begun - 0.002)


@contextmanager
def ticking(server: Server) -> Iterator[Ticker]:
    """A ticker on the server's loop."""
    ticker, stop = Ticker(), asyncio.Event()
    loop = server._loop
    done = asyncio.run_coroutine_threadsafe(ticker.run(stop), loop)
    yield ticker
    loop.call_soon_threadsafe(stop.set)
    done.result(10)


def stock(hub: FakeHub, count: int, size: int) -> list[str]:
    names = [f"big{number}.safetensors" for number in range(count)]
    for name in names:
        data = models.safetensors({"w": (size // 2048, 1024)}, seed=name)
        hub.add_model(name, {name: data})
    return names


def test_blocking_is_seen(tmp_path: Path) -> None:
    """The control: a handler that works on the loop makes the ticker late."""
    with serving(tmp_path, offline=True) as server, ticking(server) as ticker:
        server.wait(lambda: len(ticker.late) > 3)
        server._loop.call_soon_threadsafe(time.sleep, 0.1)
        server.wait(lambda: max(ticker.late, default=0) >= 0.08)


def measure(server: Server, names: list[str], seconds: float) -> Ticker:
    """Everything a page asks while transfers run at full speed."""
    workflow = {"workflow": ui(*map(lora, [*names, *(f"gone{n}.safetensors" for n in range(196))]))}
    for path in ("status", "settings", "openapi.json"):
        server.get(path)
    server.do("POST", "inspections", workflow)
    plan = server.plan({"workflow": ui(*map(lora, names))})
    with ticking(server) as ticker:
        fetched = server.do("POST", f"plans/{plan['id']}/fetch", {"consent": "plan"})
        assert len(fetched["transfers"]) == len(names), fetched["skipped"]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            server.do("POST", "inspections", workflow)
            for path in ("status", "transfers", "settings"):
                server.get(path)
    return ticker


def test_loop_is_free(fakehub: FakeHub, tmp_path: Path) -> None:
    """While four transfers run and pages ask, the loop is hardly ever kept from others."""
    names = stock(fakehub, 4, 4 << 20)
    with serving(tmp_path, fakehub) as server:
        (server.home / "settings.json").write_text('{"transfers_at_once": 4, "bandwidth": "6 MiB"}')
        ticker = measure(server, names, 1.5)
    late = sorted(ticker.late)
    assert late[len(late) * 98 // 100] < LONGEST


@pytest.mark.full
def test_loop_is_free_at_full_speed(tmp_path: Path) -> None:
    """The same with four big transfers as fast as they come: never longer than it may be.

    What this machine keeps any process waiting, as an idle one beside it sees, is not ours; others may keep
    it busy, while what blocks does so each time. `test_comfyui_loop.py` tells exactly whose fault a delay is.
    """
    tests = Path(__file__).parents[1]
    path = {"PYTHONPATH": f"{tests.parent}:{tests}"}
    hub_command = [sys.executable, "-m", "routes.hubprocess", "12", "100"]
    idle_command = [sys.executable, str(Path(__file__).with_name("idleticker.py"))]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    names, blocked = [f"big{n}.safetensors" for n in range(12)], []
    with subprocess.Popen(hub_command, env={**os.environ, **path}, **pipes) as hub:
        environment = json.loads(hub.stdout.readline())
        with Server(tmp_path, environment) as server:
            (server.home / "settings.json").write_text('{"transfers_at_once": 4}')
            for at in (0, 4, 8):
                with subprocess.Popen(idle_command, **pipes) as idle:
                    ticker = measure(server, names[at : at + 4], 3.0)
                    told = json.loads(idle.communicate()[0])
                blocked.append(max(ticker.late) - max((late for _, late in told), default=0.0))
                server.ended()
        hub.communicate()
    assert min(blocked) < LONGEST, blocked


def test_inspection_of_a_big_workflow(tmp_path: Path) -> None:
    """A workflow of 200 nodes is inspected in a tenth of a second, with everything local."""
    with serving(tmp_path, offline=True) as server:
        names = [f"model{number}.safetensors" for number in range(200)]
        for name in names[:100]:
            (server.models / "loras" / name).write_bytes(b"x")
        workflow = {"workflow": ui(*map(lora, names))}
        assert server.do("POST", "inspections", workflow)["missing"] == 100

        def once() -> float:
            begun = time.perf_counter()
            server.do("POST", "inspections", workflow)
            return time.perf_counter() - begun

        assert min(once() for _ in range(7)) < 0.1


def turns_of_others(work: Callable[[], object]) -> int:
    """How often another thread had its turn while this one worked."""

    def measured() -> tuple[float, float]:
        begun = time.perf_counter()
        work()
        return begun, time.perf_counter()

    with ThreadPoolExecutor(1) as pool:
        working, turns = pool.submit(measured), [0.0]
        while not working.done():
            time.sleep(0.0005)
            turns.append(time.perf_counter())
    begun, ended = working.result()
    return sum(begun < turn < ended for turn in turns)


@pytest.mark.parametrize(
    ("gently", "at_one_go"),
    [
        (lambda: parse_json(NUMBERS), lambda: json.loads(NUMBERS)),
        (lambda: write_json({"items": ITEMS}), lambda: json.dumps({"items": ITEMS})),
    ],
    ids=["body", "answer"],
)
def test_big_json_lets_others_run(gently: Callable[[], object], at_one_go: Callable[[], object]) -> None:
    """Big bodies and answers leave others their turns; at one go (the control) they do not."""
    assert turns_of_others(gently) >= 5
    assert turns_of_others(at_one_go) < 5


def test_answers_are_json() -> None:
    """What is written in pieces reads back as what it was."""
    given: dict[str, Json] = {'"\u00e4': [1, [2, {}], None, "\n"], "empty": [], "one": {"a": [1.5, True]}}
    assert json.loads(write_json(given)) == given
    assert write_json({}) == b"{}"


def test_big_body(tmp_path: Path) -> None:
    """A workflow of many megabytes is read without keeping the loop from others."""
    with serving(tmp_path, offline=True) as server:
        node = ("Note", ["x" * 100, 1, 2.5, None] * 5)
        body = json.dumps({"workflow": ui(*[node] * 28_000)}).encode()
        headers = {"Content-Type": "application/json", "X-Comfywatchman": "1"}
        assert len(body) > 16 << 20
        worst = []
        gc.freeze()  # what all other tests have left is not ours to be collected meanwhile
        for _ in range(5):
            with ticking(server) as ticker:
                assert server.raw("POST", PREFIX + "inspections", body, headers).status == 200
            worst.append(max(ticker.late))
        gc.unfreeze()
    assert min(worst) < 3 * LONGEST, worst  # read at one go it blocks 0.2 s each time


def test_hub_that_does_not_answer(tmp_path: Path) -> None:
    """However many requests wait for a hub, others are answered, and the loop's own threads stay free."""
    with ExitStack() as lines, socket.create_server(("127.0.0.1", 0), backlog=100) as hub:
        address = f"http://127.0.0.1:{hub.getsockname()[1]}"
        environment = {"COMFYWATCHMAN_CIVITAI_ENDPOINT": address, "CIVITAI_API_KEY": "0123456789abcdef"}
        with Server(tmp_path, environment) as server:
            for _ in range(40):
                end = lines.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                head = f"POST {PREFIX}tokens/civitai/test HTTP/1.1\r\nHost: {server.host}"
                write = "Content-Length: 0\r\nContent-Type: application/json\r\nX-Comfywatchman: 1"
                end.sendall(f"{head}\r\n{write}\r\n\r\n".encode())
            hub.accept()[0].close()
            time.sleep(0.3)
            assert server.get("status")["version"]  # nor is any other route held up

            async def free() -> int:
                return await asyncio.wait_for(asyncio.to_thread(int), 1)

            assert asyncio.run_coroutine_threadsafe(free(), server._loop).result(5) == 0
            lines.close()
