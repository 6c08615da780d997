"""Our routes on a real ComfyUI's server: both paths, its websocket, its lists, and its looser checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from comfyui.installation import Installation
from comfyui.running import ComfyUI
from fakehub.server import FakeHub

from comfywatchman.demo import models
from comfywatchman.routes.api import ROUTES
from comfywatchman.routes.serving import PREFIX

INK = models.lora("routes-ink", trigger="ink")
WRITE = {"Content-Type": "application/json", "X-Comfywatchman": "1"}
PROMPT = {"1": {"class_type": "LoraLoader", "inputs": {"lora_name": "routes_ink.safetensors"}}}


def write(comfyui: ComfyUI, method: str, path: str, body: Any) -> requests.Response:
    return comfyui.request(method, PREFIX + path, json=body, headers={"X-Comfywatchman": "1"})


def test_main_way(comfyui: ComfyUI, comfyui_hub: FakeHub) -> None:
    """A prompt's missing LoRA is planned and fetched, pages hear of it, and ComfyUI lists it at once."""
    comfyui_hub.add_model("routes_ink", {"routes_ink.safetensors": INK})
    seen = write(comfyui, "POST", "inspections", {"prompt": PROMPT}).json()
    assert seen["missing"] == 1
    with comfyui.listen() as ear:
        plan = write(comfyui, "POST", "plans", {"prompt": PROMPT}).json()
        ear.wait("comfywatchman.operation", where=lambda d: d["id"] == plan["id"] and d["stage"] == "done")
        fetched = write(comfyui, "POST", f"plans/{plan['id']}/fetch", {"consent": "plan"})
        assert fetched.status_code == 202, fetched.text
        arrived = ear.wait("comfywatchman.library")
        ear.wait("comfywatchman.transfer", where=lambda d: d["queue"]["verified"] == 1)
    assert arrived == {
        "folders": ["loras"],
        "files": [{"folder": "loras", "path": "routes_ink.safetensors"}],
    }
    assert "routes_ink.safetensors" in comfyui.get("/models/loras")
    assert write(comfyui, "POST", "inspections", {"prompt": PROMPT}).json()["missing"] == 0
    listed = comfyui.get("/api" + PREFIX + "transfers")["transfers"]
    assert [transfer["state"] for transfer in listed] == ["verified"]
    assert "HTTP Request" not in comfyui.log()  # what hubs are asked fills nobody's console
    write(comfyui, "DELETE", "transfers/all", {})
    (comfyui.models / "loras" / "routes_ink.safetensors").unlink()


def test_status(comfyui: ComfyUI) -> None:
    """The folders that ComfyUI knows by now are told, and no whole path."""
    text = comfyui.request("GET", PREFIX + "status").text
    assert str(comfyui.base) not in text
    status = comfyui.get(PREFIX + "status")
    assert {"checkpoints", "loras", "diffusion_models"} <= {root["folder"] for root in status["roots"]}
    loras = [root for root in status["roots"] if root["folder"] == "loras"]
    assert [root["label"] for root in loras if root["default"]] == ["models/loras"]


def test_data_folder_is_not_served(comfyui: ComfyUI) -> None:
    """What we keep is reached through none of ComfyUI's own routes."""
    folder = comfyui.base / "user" / "__comfywatchman"
    write(comfyui, "PATCH", "settings", {"nsfw": False})
    assert (folder / "settings.json").exists()
    for place in ("..%2F__comfywatchman", "../__comfywatchman", "__comfywatchman"):
        for route in ("/userdata/", "/api/userdata/", "/view?type=output&filename=", "/extensions/"):
            for name in ("settings.json", "queue.sqlite3"):
                answer = comfyui.request("GET", f"{route}{place}%2F{name}")
                assert answer.status_code in (400, 403, 404), (route, place)


@pytest.mark.full
def test_log_has_no_addresses(installation: Installation, tmp_path: Path) -> None:
    """Not even where ComfyUI logs everything does its log get our requests: their addresses are signed."""
    with FakeHub() as hub:
        hub.add_model("routes_ink", {"routes_ink.safetensors": INK})
        arguments = ["--verbose", "DEBUG"]
        with ComfyUI(installation, tmp_path, environment=hub.environment, arguments=arguments) as running:
            write(running, "PUT", "tokens/civitai", {"token": "canary0123456789canary"})
            with running.listen() as ear:
                plan = write(running, "POST", "plans", {"prompt": PROMPT}).json()
                ear.wait("comfywatchman.operation", where=lambda told: told["stage"] == "done")
                write(running, "POST", f"plans/{plan['id']}/fetch", {"consent": "plan"})
                ear.wait("comfywatchman.library")
            log = running.log().lower()
    assert "[debug]" in log or "receive_response_body" in log  # everything is logged
    for secret in ("x-amz-", "canary0123", "expand=", "models?"):
        assert secret not in log, log[log.index(secret) - 200 :][:400]


@pytest.fixture
def exposed(installation: Installation, tmp_path: Path) -> Iterator[ComfyUI]:
    """A ComfyUI that listens on all addresses and allows every origin."""
    arguments = ["--enable-cors-header", "*", "--listen", "0.0.0.0"]
    with ComfyUI(installation, tmp_path, arguments=arguments) as running:
        yield running


def test_exposed(exposed: ComfyUI) -> None:
    """Where ComfyUI lets every page and every machine in, our routes still do not."""
    evil = {"Origin": "https://evil.test"}
    assert exposed.request("GET", "/queue", headers=evil).status_code == 200
    for route in ROUTES:
        path = (
            route.path.replace("{id}", "x")
            .replace("{folder}", "loras")
            .replace("{name}", "x")
            .replace("{hub}", "civitai")
        )
        for prefix in (PREFIX, "/api" + PREFIX):
            for headers in (evil, {"Origin": "null"}, {"Host": f"evil.test:{exposed.port}"}):
                sent = {**(WRITE if route.method != "GET" else {}), **headers}
                answer = exposed.request(route.method, prefix + path, headers=sent, data="{}")
                assert answer.status_code == 403, (route.path, headers)
                assert answer.json()["error"]["code"] == "not-allowed"
            simple = {"Content-Type": "text/plain"}
            if route.method == "POST":
                assert exposed.request("POST", prefix + path, headers=simple, data="{}").status_code == 415
    preflight = {**evil, "Access-Control-Request-Method": "POST"}
    allowed = exposed.request("OPTIONS", PREFIX + "plans", headers=preflight).headers
    assert "comfywatchman" not in allowed.get("Access-Control-Allow-Headers", "").lower()
    assert exposed.request("GET", PREFIX + "status").status_code == 200
