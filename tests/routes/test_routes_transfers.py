"""The queue over HTTP: changed by one page, seen by all, carried out by the worker of the process."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fakehub import faults
from fakehub.server import FakeHub
from routes_kit import Server, lora, serving, ui

from comfywatchman.demo import models
from comfywatchman.demo.wire import Answer, Request

FILES = {f"{name}.safetensors": models.lora(name, trigger=name) for name in ("ink", "fog", "sea")}
HEARD = 0.8  # seconds after which a run has heard what became of its transfers
BIG = models.safetensors({"w": (1024, 1024)}, seed="big")


class Dam:
    """Holds back the bytes until it is opened."""

    def __init__(self) -> None:
        self.open, self.reached = threading.Event(), threading.Event()

    def __call__(self, _request: Request, handle: Any) -> Answer:
        self.reached.set()
        assert self.open.wait(20)
        answer: Answer = handle()
        return answer


def stock(hub: FakeHub, files: dict[str, bytes] = FILES) -> dict[str, Any]:
    """A hub with these models, and a workflow that names them."""
    for name, data in files.items():
        hub.add_model(name, {name: data})
    return {"workflow": ui(*map(lora, files))}


def fetch(server: Server, workflow: Any) -> list[str]:
    """Queue everything; the ids in order."""
    plan = server.plan(workflow)
    fetched = server.do("POST", f"plans/{plan['id']}/fetch", {"consent": "plan"})
    return [transfer["id"] for transfer in fetched["transfers"]]


def standing(server: Server) -> dict[str, str]:
    return {t["id"]: t["state"] for t in server.get("transfers")["transfers"]}


def test_pause_and_resume(fakehub: FakeHub, tmp_path: Path) -> None:
    """One transfer or all are paused and go on, on every page alike."""
    workflow = stock(fakehub)
    dam = Dam()
    fakehub.bend("delivery.", dam)
    with serving(tmp_path, fakehub) as server:
        ids = fetch(server, workflow)
        assert dam.reached.wait(10)
        one = server.do("PATCH", f"transfers/{ids[0]}", {"state": "paused"})
        assert one["state"] == "paused"
        assert server.get("transfers")["paused"] is False
        paused = server.do("PATCH", "transfers/all", {"state": "paused"})
        assert paused["paused"] is True
        assert server.get("status")["queue"]["paused"] == 3
        time.sleep(HEARD)
        dam.open.set()
        server.do("PATCH", f"transfers/{ids[1]}", {"state": "queued"})
        assert server.ended(ids[1])[0]["state"] == "verified"
        assert standing(server)[ids[0]] == "paused"
        server.do("PATCH", "transfers/all", {"state": "queued"})
        assert {t["state"] for t in server.ended()} == {"verified"}
        assert {n: d for n, d in server.files().items() if n.endswith(".safetensors")} == {
            f"loras/{name}": data for name, data in FILES.items()
        }


def test_cancel_retry_and_forget(fakehub: FakeHub, tmp_path: Path) -> None:
    """What was cancelled or failed begins again when asked to; what has ended can be forgotten."""
    workflow = stock(fakehub)
    fakehub.bend("civitai.download", faults.status(404))
    with serving(tmp_path, fakehub) as server:
        ids = fetch(server, workflow)
        ended = server.ended()
        assert {t["state"] for t in ended} == {"failed"}
        assert all(t["error"]["code"] and t["error"]["hint"] for t in ended)
        server.do("PATCH", "transfers/all", {"state": "paused"})
        assert set(standing(server).values()) == {"failed"}
        fakehub.straighten()
        server.do("PATCH", "transfers/all", {"state": "queued"})
        assert set(standing(server).values()) == {"failed"}
        server.do("PATCH", "transfers/all", {"state": "queued", "of": ["failed"]})
        assert {t["state"] for t in server.ended()} == {"verified"}
        left = server.do("DELETE", f"transfers/{ids[0]}")
        assert ids[0] not in {t["id"] for t in left["transfers"]}
        assert server.do("DELETE", "transfers/all")["transfers"] == []
        assert len([n for n in server.files() if n.endswith(".safetensors")]) == 3


def test_open_is_not_forgotten(fakehub: FakeHub, tmp_path: Path) -> None:
    """A transfer on its way must be cancelled before it can be forgotten, and leaves nothing behind."""
    workflow = stock(fakehub, {"ink.safetensors": BIG})
    dam = Dam()
    fakehub.bend("delivery.", dam)
    with serving(tmp_path, fakehub) as server:
        (id_,) = fetch(server, workflow)
        assert dam.reached.wait(10)
        answer = server.ask("DELETE", f"transfers/{id_}")
        assert (answer.status, answer.code) == (409, "transfer-open")
        server.do("PATCH", f"transfers/{id_}", {"state": "cancelled"})
        time.sleep(HEARD)
        dam.open.set()
        server.wait(lambda: server.files() == {})
        assert server.do("DELETE", f"transfers/{id_}")["transfers"] == []


def test_order(fakehub: FakeHub, tmp_path: Path) -> None:
    """Dragging one in front of another, or giving it a priority, changes what comes next."""
    workflow = stock(fakehub)
    with serving(tmp_path, fakehub) as server:
        (server.home / "settings.json").write_text('{"transfers_at_once": 1}')
        fakehub.bend("delivery.", dam := Dam())
        ink, fog, sea = fetch(server, workflow)
        assert dam.reached.wait(10)

        def order() -> list[str]:
            listed = server.get("transfers")["transfers"]
            assert [t["position"] for t in listed] == [0, 1, 2]
            return [t["id"] for t in listed]

        assert order() == [ink, fog, sea]
        server.do("PATCH", f"transfers/{sea}", {"before": fog})
        assert order() == [ink, sea, fog]
        server.wait(lambda: any(told["transfers"] == [] for told in server.events.of("transfer")))
        server.do("PATCH", f"transfers/{sea}", {"before": None})
        assert order() == [ink, fog, sea]
        assert server.ask("PATCH", f"transfers/{sea}", {"before": "forgotten"}).code == "transfer-gone"
        assert server.do("PATCH", f"transfers/{sea}", {"before": sea})["position"] == 2
        assert server.do("PATCH", f"transfers/{sea}", {"priority": 5})["position"] == 0
        dam.open.set()
        assert {t["state"] for t in server.ended()} == {"verified"}


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "transfers/none", None, "transfer-gone"),
        ("PATCH", "transfers/none", {"state": "paused"}, "transfer-gone"),
        ("DELETE", "transfers/none", None, "transfer-gone"),
        ("PATCH", "transfers/all", {"priority": 1}, "invalid-request"),
        ("PATCH", "transfers/all", {"state": "verified"}, "invalid-request"),
        ("PATCH", "transfers/none", {"state": "running"}, "invalid-request"),
        ("PATCH", "transfers/none", {"priority": 10_000}, "invalid-request"),
        ("PATCH", "transfers/none", {"priority": True}, "invalid-request"),
        ("PATCH", "transfers/none", {"path": "../x"}, "invalid-request"),
    ],
)
def test_errors(tmp_path: Path, method: str, path: str, body: Any, code: str) -> None:
    """What is not there or makes no sense is refused."""
    with serving(tmp_path, offline=True) as server:
        assert server.ask(method, path, body).code == code


def test_events_stay_small(fakehub: FakeHub, tmp_path: Path) -> None:
    """What arrives all at once is told in messages of a hundred: the host writes each on its event loop."""
    files = {f"ink{n}.safetensors": models.lora(f"ink{n}", trigger="ink") for n in range(101)}
    workflow = stock(fakehub, files)
    with serving(tmp_path, fakehub) as server:
        plan = server.plan({"workflow": workflow})
        with server.events.change:  # nobody is told meanwhile
            server.do("POST", f"plans/{plan['id']}/fetch", {"consent": "plan"})
            standings = server.desk.queue.standings
            server.wait(lambda: {one.state.value for one in standings().values()} == {"verified"}, 60)
        server.wait(lambda: sum(len(told["files"]) for told in server.events.of("library")) == len(files))
        assert max(len(told["files"]) for told in server.events.of("library")) <= 100
        assert max(len(told["transfers"]) for told in server.events.of("transfer")) <= 100


def test_events(fakehub: FakeHub, tmp_path: Path) -> None:
    """Pages are told of every step, a few times a second, and of nothing they may not see."""
    workflow = stock(fakehub, {"ink.safetensors": BIG, "fog.safetensors": FILES["fog.safetensors"]})
    with serving(tmp_path, fakehub) as server:
        server.do("PATCH", "settings", {"bandwidth": "2 MiB"})
        begun = time.monotonic()
        ids = fetch(server, workflow)
        server.ended()
        server.wait(
            lambda: len(server.events.of("library")) and server.get("status")["queue"]["verified"] == 2
        )
        server.wait(lambda: server.events.of("transfer")[-1]["queue"]["verified"] == 2)
        seconds = time.monotonic() - begun
        told = server.events.of("transfer")
        assert len(told) <= 6 * seconds + 4
        mine = [one for event in told for one in event["transfers"] if one["id"] == ids[0]]
        assert [one["done"] for one in mine] == sorted(one["done"] for one in mine)
        assert mine[-1]["state"] == "verified"
        assert (mine[-1]["relink"], mine[-1]["verification"]) == ("ink.safetensors", "digest")
        assert max(one["speed"] for one in mine) > 1000
        assert any(one["eta"] for one in mine)
        names = {file["path"] for event in server.events.of("library") for file in event["files"]}
        assert names == {"ink.safetensors", "fog.safetensors"}
        everything = str(server.events.seen)
        assert str(tmp_path) not in everything
        assert "http" not in everything
        (done,) = server.ended(ids[0])
        assert (done["relink"], done["verification"], done["done"]) == ("ink.safetensors", "digest", len(BIG))
        assert done["references"] == [
            {
                "node_id": "1",
                "input": "lora_name",
                "name": "ink.safetensors",
                "folder": "loras",
                "linked": False,
            }
        ]


def test_left_over(fakehub: FakeHub, tmp_path: Path) -> None:
    """What an ended process left in the queue is gone on with some time after the next one serves."""
    workflow = stock(fakehub)
    dam = Dam()
    fakehub.bend("delivery.", dam)
    with serving(tmp_path, fakehub) as server:
        ids = fetch(server, workflow)
        assert dam.reached.wait(10)
        threading.Timer(0.2, dam.open.set).start()
    fakehub.straighten()
    with serving(tmp_path, fakehub) as server:
        assert "running" not in standing(server).values()
        time.sleep(0.2)
        before = standing(server)
        server.desk.start_later(0.05)
        assert {t["state"] for t in server.ended(*ids)} == {"verified"}
        assert "queued" in before.values()
        assert server.get("status")["queue"]["verified"] == 3


def test_new_limits(fakehub: FakeHub, tmp_path: Path) -> None:
    """A changed bandwidth holds for what is running, without a restart."""
    workflow = stock(fakehub, {"ink.safetensors": BIG})
    with serving(tmp_path, fakehub) as server:
        server.do("PATCH", "settings", {"bandwidth": 50_000})
        (id_,) = fetch(server, workflow)
        server.wait(lambda: server.get(f"transfers/{id_}")["done"] > 0)
        assert server.get(f"transfers/{id_}")["state"] == "running"
        begun = time.monotonic()
        server.do("PATCH", "settings", {"bandwidth": None})
        assert server.ended(id_)[0]["state"] == "verified"
        assert time.monotonic() - begun < len(BIG) / 50_000 / 2


def test_other_process(fakehub: FakeHub, tmp_path: Path) -> None:
    """What another program with the same data folder does to the queue is seen on the pages."""
    workflow = stock(fakehub)
    with serving(tmp_path, fakehub) as server, serving(tmp_path, fakehub) as other:
        server.get("status")
        fakehub.bend("delivery.", dam := Dam())
        ids = fetch(other, workflow)
        assert dam.reached.wait(10)
        assert set(standing(server)) == set(ids)
        server.wait(lambda: server.get("status")["queue"]["running"])
        server.do("PATCH", f"transfers/{ids[2]}", {"state": "cancelled"})
        time.sleep(HEARD)
        dam.open.set()
        assert sorted(t["state"] for t in other.ended()) == ["cancelled", "verified", "verified"]
        server.wait(lambda: server.get("status")["queue"]["verified"] == 2)
        server.wait(lambda: server.events.of("library"))
