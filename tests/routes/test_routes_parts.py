"""The parts of the routes by themselves: what goes wrong inside, statuses, speed, places."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from routes_kit import Server, serving

from comfywatchman import errors
from comfywatchman.catalog import RemoteFile
from comfywatchman.consent import Consent
from comfywatchman.errors import HubUnavailable, WatchmanError
from comfywatchman.library.roots import find_roots
from comfywatchman.plan import Transfer
from comfywatchman.resolution import Evidence
from comfywatchman.routes.errors import TooManyPlans, error_document, status_of
from comfywatchman.routes.events import Feed, Meter, Pulse
from comfywatchman.routes.guard import Gate
from comfywatchman.routes.items import Item
from comfywatchman.routes.places import Places, shorten_paths
from comfywatchman.routes.plans import Plans, Review, Snapshot
from comfywatchman.routes.serving import Route, Served
from comfywatchman.transfer.queue import Queue


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidAir("x"), 400),
        (errors.UnknownFolder("x"), 400),
        (errors.NotFound("x", hub="civitai"), 404),
        (errors.Gated("x", hub="huggingface"), 403),
        (errors.Withdrawn("x", hub="civitai"), 410),
        (errors.HubError("x", hub="civitai"), 502),
        (HubUnavailable("x", hub="civitai", retry_after=3), 503),
        (errors.NeedsNetwork("x"), 503),
        (errors.IndexLocked("x"), 503),
        (errors.NoSpace("x"), 507),
        (errors.Refused("x"), 403),
        (errors.DigestMismatch("x"), 500),
        (WatchmanError("x"), 500),
    ],
)
def test_statuses(error: WatchmanError, status: int) -> None:
    """Every error has the status of the nearest class of its own line."""
    assert status_of(error) == status


def test_details() -> None:
    """Of a hub's error it is told which hub, and how long to wait where that is known."""
    busy: Any = error_document(HubUnavailable("busy", hub="civitai", retry_after=2.5))
    plain: Any = error_document(errors.InvalidAir("x"))
    assert busy["error"]["details"] == {"hub": "civitai", "retry_after": 2.5}
    assert plain["error"]["details"] is None


def test_fault_of_ours(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours is an answer of its own, without its text; the traceback stands in the log."""
    broken = Route(method="GET", path="broken", verb="status:there_is_none", gives="Status", about="x")
    with Server(tmp_path, {}, offline=True) as server:
        served = Served(broken, server.desk, Gate(server.desk.doors))
        status, body = served._work({}, b"")
    assert status == 500
    assert json.loads(body)["error"]["code"] == "error"
    assert "there_is_none" not in body.decode()
    assert "AttributeError" in caplog.text


def test_plan_that_breaks() -> None:
    """A plan whose making breaks off shows what it has, with the fault; one without anything raises it."""
    plans = Plans(lambda _event, _data: None)

    def break_off(review: Review) -> None:
        review.put(Snapshot(stage="local", items=(Item(key="1:x", name="a", folder="loras", asked=True),)))
        raise errors.IndexLocked("locked")

    review = plans.open(break_off)
    review.await_first()
    deadline = time.monotonic() + 10
    while review.snapshot.stage != "done" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [item.state for item in review.snapshot.items] == ["missing"]
    assert [fault.code for fault in review.snapshot.faults] == ["index-locked"]

    def refuse(_review: Review) -> None:
        raise errors.InvalidWorkflow("nothing in it")

    with pytest.raises(errors.InvalidWorkflow):
        plans.open(refuse).await_first()


def test_plan_that_nobody_wants() -> None:
    """Whoever makes a plan hears that its time is over, and nothing is told any more."""
    told: list[object] = []
    plans = Plans(lambda event, data: told.append((event, data)))
    review = plans.open(lambda review: review.put(Snapshot(stage="local")))
    review.await_first()
    plans.close()
    before = len(told)
    with pytest.raises(errors.Interrupted):
        review.put(Snapshot(stage="done"))
    review.fail(errors.Interrupted("x"))
    assert len(told) == before


def test_plans_that_wait() -> None:
    """Plans whose hub does not answer cannot pile up: past a number none is begun until one ends."""
    hub = threading.Event()
    plans = Plans(lambda _event, _data: None, most=2)

    def work(review: Review) -> None:
        review.put(Snapshot(stage="local"))
        hub.wait(20)

    opened = [plans.open(work) for _ in range(4)]
    with pytest.raises(TooManyPlans):
        plans.open(work)
    assert plans.get(opened[-1].id) is opened[-1]  # those that are there stay

    hub.set()
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            plans.open(work)
            break
        except TooManyPlans:
            time.sleep(0.01)
    else:
        raise AssertionError("no plan is begun any more")


def test_meter() -> None:
    """Speed is that of the last seconds; a transfer that begins anew is measured anew."""
    meter = Meter()
    assert meter.speed == 0
    for second in range(10):
        meter.take(second, second * 100 if second < 5 else 400 + (second - 4) * 1000)
    assert meter.speed == 1000
    meter.take(10.0, 50)
    assert meter.speed == 0
    pulse = Pulse("running", done=100, size=1100)
    pulse.meter.take(0, 0)
    pulse.meter.take(1, 100)
    assert (pulse.speed, pulse.eta) == (100, 10.0)
    pulse.state = "paused"
    assert (pulse.speed, pulse.eta) == (0.0, None)


def test_places(tmp_path: Path) -> None:
    """A root is known by its id for its own folder only; one that is not made yet is on its parent's disk."""
    (tmp_path / "models").mkdir()
    places = Places(find_roots(models_dir=tmp_path / "models"))
    roots = {root.folder: (id_, root) for id_, root in places}
    id_, root = roots["loras"]
    assert places.id_of("loras", str(root.path)) == id_
    assert places.id_of("vae", str(root.path)) is None
    assert places.path_of(id_, "loras") == str(root.path)
    with pytest.raises(errors.UnknownFolder):
        places.path_of(id_, "vae")
    with pytest.raises(errors.UnknownFolder):
        places.path_of("nonsense", "loras")
    drive = places.drive_of(root.path)
    assert drive is not None
    assert drive.total >= drive.free > 0
    assert places.is_writable(root.path)
    assert places.target_of("nowhere") is None


def test_veil(tmp_path: Path) -> None:
    """Nothing told to a page holds the paths of roots or data folder, nor an address's query."""
    with serving(tmp_path, offline=True) as server:
        text = f"{server.models}/loras/x: full; {server.home}/queue.sqlite3; https://h.test/a?token=1"
        veiled = server.desk.veil_text(text)
    assert veiled == "models/loras/x: full; the data folder/queue.sqlite3; https://h.test/a?***"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ada/a b/extra.yaml: not YAML", "…/extra.yaml: not YAML"),
        ("leads out, to /mnt/nas/loras", "leads out, to …/loras"),
        ("mv /a/b/c /d/e", "mv …/c …/e"),
        (r"C:\Users\Ada\models\x.safetensors is open", "…/x.safetensors is open"),
        (r"'\\nas\share\x.safetensors'", "'…/x.safetensors'"),
        ("either and/or, models/loras/x", "either and/or, models/loras/x"),
        ("https://example.com/a/b and hf:org/repo/x", "https://example.com/a/b and hf:org/repo/x"),
        ("/" * 5000, None),
    ],
)
def test_shortened_paths(text: str, shown: str | None) -> None:
    """Of an absolute path the end stands; relative ones and addresses stay as they are."""
    assert shown is None or shorten_paths(text) == shown
    assert shorten_paths(text).count("/home") == 0


def test_veil_of_other_paths(tmp_path: Path) -> None:
    """A file beside the roots is not told by its path either, in an error and in a plan's fault."""
    with serving(tmp_path, offline=True) as server:

        def break_off(review: Review) -> None:
            review.put(Snapshot(stage="local"))
            raise errors.InvalidSettings(f"{server.home}/tokens.json: {tmp_path}/elsewhere is full")

        review = server.desk.plans.open(break_off)
        plan = server.wait(lambda: (p := server.get(f"plans/{review.id}"))["stage"] == "done" and p)
        (server.folder / "ComfyUI" / "extra_model_paths.yaml").write_text("a: [1")
        server.desk.look_again()
        error = server.ask("GET", "status")
    assert [fault["code"] for fault in plan["faults"]] == ["invalid-settings"]
    assert error.code == "invalid-settings"
    assert str(tmp_path) not in json.dumps([plan, error.json])


def transfer(root: Path, number: int) -> Transfer:
    name = f"file{number}.safetensors"
    return Transfer(
        source=RemoteFile(hub="url", url=f"https://example.com/{name}", name=name),
        root=str(root),
        folder="loras",
        path=name,
        evidence=Evidence.URL,
        consent=Consent.AUTOMATIC,
        reason="test",
    )


def test_telling_while_others_look(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is forgotten while pages are told of it breaks nothing: all is told once, then its loss."""
    told: list[Any] = []
    with Queue(None, roots=(str(tmp_path),)) as queue:

        def forget() -> None:
            queue.cancel()
            queue.remove()
            feed.counts()

        def send(_event: str, data: Any) -> None:
            if not told:
                threading.Thread(target=forget).start()
                time.sleep(0.2)
            told.append(data)

        feed = Feed(queue, send, veil=str)
        queue.add([transfer(tmp_path, number) for number in range(250)])
        feed.stir()
        deadline = time.monotonic() + 10
        while not (told and told[-1]["queue"]["queued"] == 0) and time.monotonic() < deadline:
            time.sleep(0.02)
        feed.close()
    assert [len(data["transfers"]) for data in told] == [100, 100, 50, 0]
    assert caplog.text == ""
