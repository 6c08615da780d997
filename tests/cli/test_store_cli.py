"""`fetch` and the queue in the data folder."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from cli_desk import LORA, VAE, Desk

from comfywatchman.planfile import read_plan
from comfywatchman.transfer.events import State
from comfywatchman.transfer.queue import Queue
from comfywatchman.transfer.rows import FILE_NAME

HF = "https://huggingface.co/Comfy-Org/lamp/resolve/main/vae"


def stock(desk: Desk) -> Path:
    desk.hub.add_repo("Comfy-Org/lamp", {"vae/lamp.safetensors": VAE, "vae/ink.safetensors": LORA})
    return desk.workflow(desk.vae("lamp.safetensors", url=f"{HF}/lamp.safetensors"))


def test_queue_file(desk: Desk) -> None:
    """What was fetched stands in the queue's file with how it ended."""
    assert desk.run("fetch", stock(desk)).status == 0
    with Queue(desk.home) as queue:
        (entry,) = queue.entries()
    assert (entry.state, entry.transfer.path, entry.done) == (State.VERIFIED, "lamp.safetensors", len(VAE))


def test_left_over(desk: Desk) -> None:
    """What an earlier command left queued is not fetched by one that asks for something else."""
    flow = stock(desk)
    plan = read_plan(desk.json("resolve", flow).out.encode())
    old = plan.transfers[0]
    old = replace(old, path="old.safetensors", source=replace(old.source, url=f"{HF}/ink.safetensors"))
    with Queue(desk.home) as queue:
        queue.add([old])
        assert desk.run("fetch", flow).status == 0
        assert [e.state for e in queue.entries()] == [State.QUEUED, State.VERIFIED]
    assert sorted(desk.files()) == ["vae/lamp.safetensors"]


def test_newer_queue(desk: Desk) -> None:
    """A queue of a newer version is told, not touched."""
    flow = stock(desk)
    Queue(desk.home).close()
    with closing(sqlite3.connect(desk.home / FILE_NAME)) as base:
        base.execute("PRAGMA user_version = 99")
    ran = desk.json("fetch", flow)
    assert ran.error["code"] == "index-too-new"
    assert desk.files() == {}


def test_token_is_not_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token that a fetch uses stands nowhere in the data folder."""
    monkeypatch.setenv("HF_TOKEN", desk.hub.add_account("canary").token)
    assert desk.run("fetch", stock(desk)).status == 0
    assert (desk.home / FILE_NAME).exists()
    for path in desk.home.rglob("*"):
        assert not path.is_file() or b"token-of-canary" not in path.read_bytes(), path
