"""ComfyUI ends at once though transfers run, and goes on with them when it is started again."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from comfyui.installation import Installation
from comfyui.running import ComfyUI
from fakehub.server import FakeHub

from comfywatchman.demo import models
from comfywatchman.routes.serving import PREFIX

WRITE = {"X-Comfywatchman": "1"}
BIG = {f"end{number}.safetensors": number for number in range(4)}


def settle(comfyui: ComfyUI, **values: Any) -> None:
    """Write our settings, as a person does by hand."""
    folder = comfyui.base / "user" / "__comfywatchman"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(values))


def fetch(comfyui: ComfyUI, names: list[str]) -> None:
    """Plan and fetch LoRAs, and wait until bytes of all come."""
    prompt = {name: {"class_type": "LoraLoader", "inputs": {"lora_name": name}} for name in names}
    made = comfyui.request("POST", PREFIX + "plans", json={"prompt": prompt}, headers=WRITE).json()
    wait(lambda: comfyui.get(PREFIX + f"plans/{made['id']}")["stage"] == "done")
    consent = {"consent": "plan"}
    told = comfyui.request("POST", PREFIX + f"plans/{made['id']}/fetch", json=consent, headers=WRITE)
    assert len(told.json()["transfers"]) == len(names), told.text
    wait(lambda: all(transfer["done"] for transfer in transfers(comfyui)))


def transfers(comfyui: ComfyUI) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = comfyui.get(PREFIX + "transfers")["transfers"]
    return found


def wait(look: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def seconds_to_stop(comfyui: ComfyUI) -> float:
    begun = time.monotonic()
    comfyui.stop()
    return time.monotonic() - begun


@pytest.mark.full
def test_ends_at_once(installation: Installation, tmp_path: Path) -> None:
    """Ctrl-C amid four transfers takes two seconds at most; the next start brings the rest, verified."""
    with FakeHub() as hub:
        for name, number in BIG.items():
            data = models.safetensors({"w": (40 * 512, 1024)}, seed=str(number))
            hub.add_model(name.partition(".")[0], {name: data})
        with ComfyUI(installation, tmp_path, environment=hub.environment) as running:
            idle = seconds_to_stop(running)
            settle(running, bandwidth="4 MiB", transfers_at_once=4)
            running.start()
            fetch(running, [*BIG])
            first = seconds_to_stop(running)
            running.start()
            wait(lambda: [one["state"] for one in transfers(running)].count("running") == len(BIG))
            # the better of two: others may keep the machine busy, what waits for bytes does so each time
            assert min(first, seconds_to_stop(running)) < max(2.0, 3 * idle)
            assert not [*running.models.rglob("*.safetensors")]
            kept = sum(part.stat().st_size for part in running.models.rglob("*.cwpart"))
            assert kept
            assert "comfywatchman/comfywatchman" not in running.log().partition("Traceback")[2]
            settle(running, transfers_at_once=4)
            running.start()
            wait(lambda: {one["state"] for one in transfers(running)} == {"verified"})
    assert {path.name for path in running.models.rglob("*.safetensors")} == {*BIG}


@pytest.mark.full
def test_goes_on_after_a_power_cut(installation: Installation, tmp_path: Path) -> None:
    """Killed amid transfers, ComfyUI brings them when it is started again, without being asked."""
    with FakeHub() as hub:
        for name, number in BIG.items():
            data = models.safetensors({"w": (40 * 512, 1024)}, seed=str(number))
            hub.add_model(name.partition(".")[0], {name: data})
        running = ComfyUI(installation, tmp_path, environment=hub.environment)
        settle(running, bandwidth="4 MiB", transfers_at_once=4)
        with running:
            fetch(running, [*BIG])
            running.kill()
            settle(running, transfers_at_once=4)
            running.start()
            wait(lambda: {one["state"] for one in transfers(running)} == {"verified"})
    assert {path.name for path in running.models.rglob("*.safetensors")} == {*BIG}
    assert not [*running.models.rglob("*.cw*")]
