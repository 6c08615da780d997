"""Nodes the shipped table does not know: told by a running ComfyUI, or by the user's own table."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cli_desk import Desk, Node

ANSWERS: dict[str, Any] = {
    "/object_info": {
        "StrangeLoader": {"input": {"required": {"which": [["a.safetensors", "deep\\b.safetensors"], {}]}}}
    },
    "/models": ["loras", "vae", "my models"],
    "/models/loras": ["a.safetensors", "deep\\b.safetensors"],
    "/models/vae": ["c.safetensors"],
    "/models/my%20models": [],
}


class _ComfyUI(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answer = json.dumps(self.server.answers.get(self.path)).encode()  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def comfyui() -> Iterator[ThreadingHTTPServer]:
    """A ComfyUI that runs, as far as its three routes go."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _ComfyUI) as server:
        server.answers = dict(ANSWERS)  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def strange(desk: Desk) -> str:
    return str(desk.workflow(Node(type="StrangeLoader", values=("a.safetensors",))))


def folders(document: dict[str, Any]) -> list[str]:
    return [reference["folder"] for reference in document["workflows"][0]["references"]]


def test_running_comfyui(desk: Desk, comfyui: ThreadingHTTPServer) -> None:
    """It tells which folder a node of an unknown pack loads from."""
    flow = strange(desk)
    unknown = desk.json("inspect", flow).document
    assert (folders(unknown), unknown["workflows"][0]["unknown_nodes"][0]["type"]) == ([], "StrangeLoader")
    assert "unknown node StrangeLoader (1)" in desk.run("inspect", flow).out
    url = f"http://127.0.0.1:{comfyui.server_port}"
    for verb in ("inspect", "resolve"):
        assert folders(desk.json(verb, flow, "--comfyui-url", f"{url}/").document) == ["loras"]
    assert folders(desk.json("inspect", flow, "--comfyui-url", url, "--offline").document) == []


@pytest.mark.parametrize("route", ["/object_info", "/models", "/models/loras"])
def test_something_else_runs_there(desk: Desk, comfyui: ThreadingHTTPServer, route: str) -> None:
    """Answers that are not a ComfyUI's teach nothing, and the work goes on."""
    comfyui.answers[route] = {"a": 1} if route != "/object_info" else [1]  # type: ignore[attr-defined]
    url = f"http://127.0.0.1:{comfyui.server_port}"
    ran = desk.run("inspect", strange(desk), "--comfyui-url", url)
    assert (ran.status, "unknown node StrangeLoader" in ran.out) == (0, True)
    assert ("going on with the nodes that are known here" in ran.err) == (route != "/object_info")


def test_nothing_runs_there(desk: Desk, comfyui: ThreadingHTTPServer) -> None:
    """Nobody there: that is said and the work goes on."""
    ran = desk.run("inspect", strange(desk), "--comfyui-url", "http://127.0.0.1:9")
    assert (ran.status, "cannot be reached" in ran.err) == (0, True)


def test_own_table(desk: Desk) -> None:
    """Rows of loaders.json in the data folder count, and win over those that ship."""
    desk.home.mkdir()
    own = {"mine": {"StrangeLoader": {"which@0": "unet"}, "VAELoader": {"vae_name@0": "vae_approx"}}}
    (desk.home / "loaders.json").write_text(json.dumps(own))
    flow = desk.workflow(Node(type="StrangeLoader", values=("a.safetensors",)), desk.vae("b.safetensors"))
    assert folders(desk.json("inspect", flow).document) == ["diffusion_models", "vae_approx"]


def test_own_table_out_of_reach(desk: Desk) -> None:
    """A table that cannot be read is told."""
    (desk.home / "loaders.json").mkdir(parents=True)
    assert desk.json("inspect", strange(desk)).error["code"] == "invalid-settings"


def test_notes_on_extra_paths(desk: Desk) -> None:
    """What was left out of extra_model_paths.yaml is said."""
    (desk.comfyui / "extra_model_paths.yaml").write_text("a:\n  base_path: /x\n  loras: D:\\\\loras\n")
    ran = desk.run("inspect", strange(desk), "--comfyui", desk.comfyui)
    assert (ran.status, "is a path of another system; left out" in ran.err) == (0, True)
