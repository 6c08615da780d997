"""From a workflow to verified files, over HTTP."""

from __future__ import annotations

from pathlib import Path

from fakehub.server import FakeHub
from routes_kit import lora, serving, ui

from comfywatchman.demo import models

INK = models.lora("ink", trigger="ink wash")


def test_main_way(fakehub: FakeHub, tmp_path: Path) -> None:
    """Inspect, plan, fetch: the file is verified in its folder, and pages were told."""
    fakehub.add_model("Ink Wash", {"ink.safetensors": INK})
    with serving(tmp_path, fakehub) as server:
        workflow = {"workflow": ui(lora("ink.safetensors"))}
        seen = server.do("POST", "inspections", workflow)
        assert seen["missing"] == 1
        plan = server.plan(workflow)
        (item,) = plan["items"]
        assert (item["state"], item["consent"]) == ("confirm", "plan")
        fetched = server.do("POST", f"plans/{plan['id']}/fetch", {"consent": "plan"})
        (transfer,) = server.ended(fetched["transfers"][0]["id"])
        assert transfer["state"] == "verified"
        assert server.files() == {
            "loras/ink.safetensors": INK,
            "loras/ink.civitai.info": server.files()["loras/ink.civitai.info"],
        }
        server.wait(lambda: server.events.of("library"))
        assert server.events.of("library")[0]["folders"] == ["loras"]
        assert server.do("POST", "inspections", workflow)["missing"] == 0
        assert server.get("status")["queue"]["verified"] == 1
