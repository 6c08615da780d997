"""The worker of a process that stays: begins when woken, rests when it cannot, ends when it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakehub.server import FakeHub
from routes_kit import Server, lora, serving, ui

from comfywatchman.demo import models
from comfywatchman.demo.pictures import seascape
from comfywatchman.demo.shelf import ServedImage
from comfywatchman.plan import Transfer
from comfywatchman.report import Pasted
from comfywatchman.routes.api import ROUTES
from comfywatchman.routes.serving import PREFIX, mount
from comfywatchman.transfer.queue import Queue
from comfywatchman.worker import Worker

INK = models.lora("ink", trigger="ink")


@pytest.fixture
def server(fakehub: FakeHub, tmp_path: Path) -> Iterator[Server]:
    fakehub.add_model("ink", {"ink.safetensors": INK})
    with serving(tmp_path, fakehub) as running:
        yield running


def planned(server: Server) -> tuple[Transfer, ...]:
    """What a plan for one LoRA would bring."""
    watchman = server.house.watchman()
    return watchman.plan(watchman.resolve([Pasted(ui(lora("ink.safetensors")))]).resolutions).transfers


def threads() -> set[str]:
    """Ours, but for those of requests, which end a moment after they are told to."""
    names = {thread.name for thread in threading.enumerate() if thread.name.startswith("comfywatchman")}
    return {name for name in names if not name.startswith("comfywatchman-route")}


def test_idle(server: Server) -> None:
    """A worker that is not woken has no thread; one that has nothing to do sleeps and can be closed."""
    worker = Worker(server.house, lambda: server.desk.queue)
    assert "comfywatchman-worker" not in threads()
    worker.wake()
    assert "comfywatchman-worker" in threads()
    worker.close()
    assert "comfywatchman-worker" not in threads()
    worker.wake()
    assert "comfywatchman-worker" not in threads()


def test_rests(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Settings that cannot be read keep it waiting, not from going on when they can."""
    with Queue(server.home, roots=(str(server.models / "loras"),)) as queue:
        (id_,) = queue.add(planned(server))
        worker = Worker(server.house, lambda: queue, rest=0.05)
        (server.home / "settings.json").write_text("{")
        worker.wake()
        server.wait(lambda: caplog.text.count("the queue rests") > 1)
        (server.home / "settings.json").unlink()
        server.wait(lambda: queue.standings()[id_].state.value == "verified")
        worker.close()


def test_offline(fakehub: FakeHub, tmp_path: Path) -> None:
    """Offline nothing reaches a hub, whatever was agreed to before; what is queued waits and then goes on."""
    picture = ServedImage(id=1, data=seascape("1"))
    fakehub.add_model("ink", {"ink.safetensors": INK}, version={"images": (picture,)})
    with serving(tmp_path, fakehub) as server:
        plan = server.plan({"workflow": ui(lora("ink.safetensors"))})
        preview = plan["items"][0]["candidates"][0]["preview"].removeprefix(PREFIX)
        server.do("PATCH", "settings", {"offline": True})
        asked = len(fakehub.requests)
        (queued,) = server.do("POST", f"plans/{plan['id']}/fetch", {"consent": "plan"})["transfers"]
        server.plan({"workflow": ui(lora("other.safetensors"))})
        server.plan({"things": ["v:7"]})
        assert server.ask("GET", preview).code == "preview-gone"
        assert server.ask("POST", "tokens/civitai/test").json["error"]["hint"].count("setting `offline`") == 1
        time.sleep(0.5)
        assert server.get(f"transfers/{queued['id']}")["state"] == "queued"
        assert len(fakehub.requests) == asked
        server.do("PATCH", "settings", {"offline": False})
        begun = time.monotonic()
        assert server.ended()[0]["state"] == "verified"
        assert time.monotonic() - begun < 4, "it waits for no look at the settings file"


def test_offline_amid_a_transfer(fakehub: FakeHub, tmp_path: Path) -> None:
    """Going offline stops what is under way, and going online in another program is seen soon."""
    big = models.safetensors({"w": (1024, 256)}, seed="big")
    fakehub.add_model("big", {"big.safetensors": big})
    with serving(tmp_path, fakehub) as server:
        server.do("PATCH", "settings", {"bandwidth": 200_000})
        with Queue(server.home, roots=(str(server.models / "loras"),)) as queue:
            watchman = server.house.watchman()
            found = watchman.resolve([Pasted(ui(lora("big.safetensors")))]).resolutions
            (id_,) = queue.add(watchman.plan(found).transfers)
            worker = Worker(server.house, lambda: queue, rest=0.05)
            worker.wake()
            server.wait(lambda: queue.entries([id_])[0].done > 0)
            (server.home / "settings.json").write_text('{"offline": true}')
            worker.refresh()
            server.wait(lambda: queue.standings()[id_].state.value == "queued")
            asked = len(fakehub.requests)
            time.sleep(0.3)
            assert len(fakehub.requests) == asked
            (server.home / "settings.json").write_text("{}")
            server.wait(lambda: queue.standings()[id_].state.value == "verified")
            worker.close()


def test_survives_our_faults(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours is logged with its traceback and does not end the worker."""
    with Queue(server.home, roots=(str(server.models / "loras"),)) as queue:
        faults = [ZeroDivisionError("a fault of ours")]

        def open_queue() -> Queue:
            if faults:
                raise faults.pop()
            return queue

        (id_,) = queue.add(planned(server))
        worker = Worker(server.house, open_queue, rest=0.05)
        worker.wake()
        server.wait(lambda: queue.standings()[id_].state.value == "verified")
        worker.close()
    assert "ZeroDivisionError" in caplog.text


def test_close_is_soon(fakehub: FakeHub, tmp_path: Path) -> None:
    """Closing stops a transfer in its middle, keeps what came, and leaves it queued."""
    big = models.safetensors({"w": (2048, 1024)}, seed="big")
    fakehub.add_model("big", {"big.safetensors": big})
    with serving(tmp_path, fakehub) as server:
        server.do("PATCH", "settings", {"bandwidth": 200_000})
        plan = server.plan({"workflow": ui(lora("big.safetensors"))})
        server.do("POST", f"plans/{plan['id']}/fetch", {"consent": "plan"})
        server.wait(lambda: server.get("transfers")["transfers"][0]["done"] > 0)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    assert threads() == set()
    assert [name for name in server.files() if name.endswith(".cwpart")]


def test_mount_twice(server: Server) -> None:
    """A second mount, as by a pack that is imported twice, adds nothing."""
    from aiohttp import web

    table = web.RouteTableDef()
    for _ in range(2):
        mount(table, server.desk, ROUTES)
    assert len(list(table)) == len(ROUTES)


def test_start_of_a_closed_desk(tmp_path: Path) -> None:
    """A desk that is closed before its time has come starts nothing."""
    with serving(tmp_path, offline=True) as server:
        server.desk.start_later(0.3)
    time.sleep(0.4)
    assert threads() == set()
