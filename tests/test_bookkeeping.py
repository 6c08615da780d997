"""What is kept of a file once it is published, and what becomes of that when something goes wrong."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakehub import faults
from fakehub.server import FakeHub
from house_kit import House, open_house, silent

from comfywatchman.air import parse_thing
from comfywatchman.catalog import Verification
from comfywatchman.demo import models
from comfywatchman.library.index import FILE_NAME
from comfywatchman.library.sidecars.beside import find_beside
from comfywatchman.transfer.events import Outcome, State

INK = models.lora("ink", trigger="ink wash")
LAMP = models.vae("lamp")


def stock(hub: FakeHub) -> str:
    """A LoRA on CivitAI; says its version."""
    model = hub.add_model("Ink Wash", {"ink.safetensors": INK}, version={"trained_words": ("ink wash",)})
    return f"v:{model.versions[0].id}"


def fetch(house: House, thing: str, folder: str | None = None) -> Outcome:
    plan = house.watchman.open([parse_thing(thing)], folder=folder)
    (outcome,) = house.watchman.fetch(plan.transfers, listener=silent)
    return outcome


def sidecar(house: House) -> Any:
    return json.loads((house.models / "loras/ink.civitai.info").read_text(encoding="utf-8"))


def test_fetched_file_is_entered(fakehub: FakeHub, tmp_path: Path) -> None:
    """A fetched file's row tells its digests, how it was checked, and where it came from."""
    thing = stock(fakehub)
    before = time.time()
    with open_house(tmp_path, fakehub) as house:
        outcome = fetch(house, thing)
        assert (outcome.state, outcome.notes) == (State.VERIFIED, ())
    with open_house(tmp_path, fakehub, offline=True) as house:
        (row,) = house.index.find_link(parse_thing(thing))
        assert row == house.index.find(house.models / "loras/ink.safetensors")
        assert {digest.algorithm for digest in row.file.digests} == {"sha256", "blake3"}
        assert row.file.digests == tuple(sorted(outcome.digests, key=lambda d: d.algorithm != "sha256"))
        assert row.verification is Verification.DIGEST
        assert row.origin is not None
        assert (row.origin.model_name, row.origin.trigger_words) == ("Ink Wash", ("ink wash",))
        assert before <= (row.origin.fetched or 0) <= time.time()


def test_sidecar(fakehub: FakeHub, tmp_path: Path) -> None:
    """Beside it stands CivitAI's own record, readable by all, which other programs and ours understand."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        fetch(house, thing)
        record = sidecar(house)
        assert (record["id"], record["model"]["name"]) == (int(thing[2:]), "Ink Wash")
        assert record["model"]["type"] == "LORA"
        assert record["trainedWords"] == ["ink wash"]
        assert set(record["files"][0]["hashes"]) >= {"SHA256", "AutoV2", "BLAKE3"}
        path = house.models / "loras/ink.safetensors"
        assert path.with_suffix(".civitai.info").stat().st_mode & 0o777 == path.stat().st_mode & 0o777
        (found,) = find_beside(path).sidecars
        row = house.index.find(path)
        assert row is not None
        assert found.is_of(row.file.digests)
        assert found.facts.trigger_words == ("ink wash",)
        assert sorted(p.name for p in path.parent.iterdir()) == ["ink.civitai.info", "ink.safetensors"]


def test_sidecar_without_the_record(fakehub: FakeHub, tmp_path: Path) -> None:
    """When CivitAI does not give its record the sidecar is made of what is known, and says the same."""
    thing = stock(fakehub)
    fakehub.bend("civitai.version", faults.status(500), after=1)
    with open_house(tmp_path, fakehub) as house:
        assert fetch(house, thing).notes == ()
        record = sidecar(house)
        assert (record["id"], record["model"]) == (int(thing[2:]), {"name": "Ink Wash", "type": "LORA"})
        (found,) = find_beside(house.models / "loras/ink.safetensors").sidecars
        row = house.index.find(house.models / "loras/ink.safetensors")
        assert row is not None
        assert found.is_of(row.file.digests)
        assert (found.facts.trigger_words, found.facts.base_model) == (("ink wash",), "SDXL 1.0")


@pytest.mark.parametrize("name", ["ink.civitai.info", "ink.safetensors.civitai.info"])
def test_sidecar_of_another_program(fakehub: FakeHub, tmp_path: Path, name: str) -> None:
    """What another program wrote is left alone."""
    with open_house(tmp_path, fakehub) as house:
        (house.models / "loras" / name).write_text('{"id": 1}', encoding="utf-8")
        assert fetch(house, stock(fakehub)).state is State.VERIFIED
        assert [path.name for path in (house.models / "loras").glob("*.info")] == [name]
        assert (house.models / "loras" / name).read_text(encoding="utf-8") == '{"id": 1}'


def test_no_sidecars(fakehub: FakeHub, tmp_path: Path) -> None:
    """Nothing is written where the user wants none, nor for a hub whose records no program reads."""
    fakehub.add_repo("org/lamp", {"lamp.safetensors": LAMP})
    with open_house(tmp_path, fakehub, sidecars=False) as house:
        fetch(house, stock(fakehub))
        assert list(house.models.rglob("*.info")) == []
    with open_house(tmp_path, fakehub) as house:
        assert fetch(house, "hf:org/lamp/lamp.safetensors", "vae").state is State.VERIFIED
        assert list(house.models.rglob("*.info")) == []
        (row,) = house.index.find_link(parse_thing("hf:org/lamp/lamp.safetensors"))
        assert row.file.folder == "vae"


def test_fetched_again(fakehub: FakeHub, tmp_path: Path) -> None:
    """What lies here already is entered too, which mends what an interrupted run left undone."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        (house.models / "loras/ink.safetensors").write_bytes(INK)
        assert fetch(house, thing).state is State.SKIPPED
        assert house.index.find_link(parse_thing(thing))
        assert sidecar(house)["id"] == int(thing[2:])
        asked = len(fakehub.requests)
        assert fetch(house, thing).state is State.SKIPPED
        assert len(fakehub.requests) == asked + 1  # what the link means; the sidecar stands


def test_index_that_fails(fakehub: FakeHub, tmp_path: Path) -> None:
    """A file stays verified when it cannot be entered, and the outcome says so."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        (house.home).mkdir()
        (house.home / FILE_NAME).write_bytes(_newer())
        outcome = fetch(house, thing)
        assert outcome.state is State.VERIFIED
        assert "not entered in the index" in outcome.notes[0]
        assert outcome.to_dict()["notes"] == list(outcome.notes)
        assert sidecar(house)["id"] == int(thing[2:])


def test_sidecar_that_fails(fakehub: FakeHub, tmp_path: Path) -> None:
    """The same for a sidecar."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        (house.models / "loras/ink.civitai.info").mkdir()
        outcome = fetch(house, thing)
        assert (outcome.state, len(outcome.notes)) == (State.VERIFIED, 1)
        assert "no sidecar" in outcome.notes[0]
        assert house.index.find_link(parse_thing(thing))


def _newer() -> bytes:
    """An SQLite file of a version to come."""
    with closing(sqlite3.connect(":memory:")) as base:
        base.execute("PRAGMA user_version = 99")
        base.execute("CREATE TABLE t (a)")
        return base.serialize()


def test_failed_transfer_leaves_nothing(fakehub: FakeHub, tmp_path: Path) -> None:
    """What did not come is not entered."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        plan = house.watchman.open([parse_thing(thing)])
        wrong = replace(plan.transfers[0].source, size=5)
        (outcome,) = house.watchman.fetch([replace(plan.transfers[0], source=wrong)], listener=silent)
        assert outcome.state is State.FAILED
        assert house.index.find_link(parse_thing(thing)) == ()
        assert list(house.models.rglob("*.info")) == []


def test_work(fakehub: FakeHub, tmp_path: Path) -> None:
    """A worker brings what others queue, and keeps the same of it."""
    thing = stock(fakehub)
    stop = threading.Event()
    with open_house(tmp_path, fakehub) as house, house.watchman.open_queue() as queue:
        worker = threading.Thread(
            target=house.watchman.work, args=(queue,), kwargs={"stop": stop, "lingers": True}
        )
        worker.start()
        with open_house(tmp_path, fakehub) as other, other.watchman.open_queue() as same:
            (id_,) = same.add(other.watchman.open([parse_thing(thing)]).transfers)
            until = time.monotonic() + 20
            while same.entries([id_])[0].state is not State.VERIFIED and time.monotonic() < until:
                time.sleep(0.05)
            assert other.index.find_link(parse_thing(thing))
        stop.set()
        worker.join(10)
        assert not worker.is_alive()
        assert sidecar(house)["id"] == int(thing[2:])
        assert "Ink" in repr(house.index.find(house.models / "loras/ink.safetensors"))
        assert "ink.safetensors" in (house.home / "verified-models.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("is_touched", [False, True])
def test_work_catches_up(fakehub: FakeHub, tmp_path: Path, is_touched: bool) -> None:
    """A worker enters what was brought before and has no row, unless somebody touched it since."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        fetch(house, thing)
    for path in (tmp_path / "data").glob(f"{FILE_NAME}*"):
        path.unlink()
    if is_touched:
        time.sleep(0.05)
        (tmp_path / "models/loras/ink.safetensors").write_bytes(b"\0" * len(INK))
    asked = len(fakehub.requests)
    with open_house(tmp_path, fakehub) as house, house.watchman.open_queue() as queue:
        house.watchman.work(queue, stop=threading.Event())
        assert bool(house.index.find_link(parse_thing(thing))) is not is_touched
    assert len(fakehub.requests) == asked


def test_catching_up_after_another_file_came(fakehub: FakeHub, tmp_path: Path) -> None:
    """A file of the same size that was moved here is not taken for the one that was fetched, however old."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house, house.watchman.open_queue() as queue:
        fetch(house, thing)
        other, path = tmp_path / "other.safetensors", house.models / "loras/ink.safetensors"
        other.write_bytes(b"\0" * len(INK))
        os.utime(other, (1, 1))
        time.sleep(0.05)
        other.replace(path)
        house.watchman.work(queue, stop=threading.Event())
        assert house.index.find(path) is None


def test_catching_up_believes_only_our_roots(fakehub: FakeHub, tmp_path: Path) -> None:
    """The queue's word for a file elsewhere on the disk is not taken."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        fetch(house, thing)
    with open_house(tmp_path, fakehub) as house, house.watchman.open_queue() as queue:
        house.books.index.close()
        for path in (tmp_path / "data").glob(f"{FILE_NAME}*"):
            path.unlink()
        house.books.catch_up(queue.entries(), roots=(str(tmp_path / "other"),))
        assert house.index.find_link(parse_thing(thing)) == ()
        (tmp_path / "models/loras/ink.safetensors").unlink()
        house.books.catch_up(queue.entries(), roots=(str(tmp_path / "models/loras"),))
        assert house.index.find_link(parse_thing(thing)) == ()
        (house.home / FILE_NAME).write_bytes(_newer())
        (tmp_path / "models/loras/ink.safetensors").write_bytes(INK)
        for entry in queue.entries():
            house.books.catch_up([replace(entry, changed=time.time() + 9)], roots=(str(tmp_path),))


def test_fault_of_the_bookkeeping(fakehub: FakeHub, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A callback that breaks is logged and costs no outcome."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house, house.watchman.open_queue() as queue:
        transfers = house.watchman.open([parse_thing(thing)]).transfers
        seen: list[Outcome] = []

        def broken(outcome: Outcome) -> Outcome:
            seen.append(outcome)
            raise RuntimeError("broken")

        (outcome,) = queue.fetch(
            transfers, authorize=lambda _url: {}, guard=house.watchman._guard, on_end=broken
        )
        assert outcome.state is State.VERIFIED
        assert seen == [outcome]
        assert "bookkeeping failed" in caplog.text


def test_active_checkpoint(fakehub: FakeHub, tmp_path: Path) -> None:
    """The active checkpoint is one for all processes."""
    with open_house(tmp_path, fakehub) as one, open_house(tmp_path, fakehub) as two:
        assert one.watchman.active_checkpoint is None
        chosen = one.watchman.activate_checkpoint("v:22")
        assert (chosen.value, chosen.revision) == ("v:22", 1)
        assert two.watchman.active_checkpoint == chosen
