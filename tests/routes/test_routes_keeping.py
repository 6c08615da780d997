"""Settings, tokens and the active checkpoint, as far as a page may touch them; what it must never see."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fakehub.server import FakeHub
from routes_kit import Answer, Server, lora, serving, ui

from comfywatchman.demo import models
from comfywatchman.routes.api import ROUTES
from comfywatchman.routes.serving import PREFIX
from comfywatchman.settings import Settings

CANARY = "canary-0123456789abcdef0123456789abcdef"


def values(document: Any) -> dict[str, Any]:
    return {one["key"]: one["value"] for one in document["settings"]}


def test_settings_beside_a_newer_queue(tmp_path: Path) -> None:
    """What is written is told as written, whatever else in the data folder cannot be used."""
    with serving(tmp_path, offline=True) as server:
        with closing(sqlite3.connect(server.home / "queue.sqlite3")) as base:
            base.execute("PRAGMA user_version = 999")
        assert server.ask("GET", "transfers").code == "index-too-new"
        assert values(server.do("PATCH", "settings", {"bandwidth": "20 MB"}))["bandwidth"] == 20_000_000


def test_settings(tmp_path: Path) -> None:
    """Every setting is shown with what a page needs to ask for it; what is written holds at once."""
    with serving(tmp_path, offline=True) as server:
        shown = {one["key"]: one for one in server.get("settings")["settings"]}
        assert set(shown) == {one.key for one in Settings(home=tmp_path).show()}
        assert shown["sidecars"]["choices"] == ["civitai-info", "none"]
        assert shown["bandwidth"] == {
            "key": "bandwidth",
            "value": None,
            "default": None,
            "origin": "default",
            "kind": "size",
            "choices": None,
            "help": "the most bytes a second over all transfers, like 20 MB",
            "writable": True,
        }
        written = server.do("PATCH", "settings", {"bandwidth": "20 MiB", "nsfw": True})
        assert (values(written)["bandwidth"], values(written)["nsfw"]) == (20 << 20, True)
        assert server.house.limits().bandwidth == 20 << 20
        written = server.do("PATCH", "settings", {"bandwidth": None})
        assert values(written)["bandwidth"] is None
        assert json.loads((server.home / "settings.json").read_text()) == {"nsfw": True}
        assert server.events.of("settings") == [{}, {}]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"fetch_certain": True}, 403, "setting-guarded"),
        ({"nsfw": True, "allow_lan": True}, 403, "setting-guarded"),
        ({"extra_model_paths": ["/etc"]}, 403, "setting-guarded"),
        ({"comfyui": "/"}, 403, "setting-guarded"),
        ({"nsfw": True, "bandwidth": "much"}, 400, "invalid-settings"),
        ({"unheard": 1}, 400, "invalid-settings"),
        ({"transfers_at_once": 99}, 400, "invalid-settings"),
        ({"precision": "../x"}, 400, "invalid-settings"),
        ({"targets": {"loras": "/etc"}}, 400, "unknown-folder"),
        ({"targets": {"loras": None}}, 400, "invalid-json"),
        ({"targets": []}, 400, "invalid-json"),
    ],
)
def test_refused_settings(tmp_path: Path, body: Any, status: int, code: str) -> None:
    """Security settings and what means nothing are refused, and nothing of the call is written."""
    with serving(tmp_path, offline=True) as server:
        answer = server.ask("PATCH", "settings", body)
        assert (answer.status, answer.code) == (status, code)
        assert not (server.home / "settings.json").exists()


def test_targets(tmp_path: Path) -> None:
    """Where new files of a folder go is chosen among its roots by their ids; no path is shown or taken."""
    (tmp_path / "big").mkdir()
    (tmp_path / "ComfyUI").mkdir()
    text = f"more:\n  base_path: {tmp_path}\n  loras: big\n"
    (tmp_path / "ComfyUI" / "extra_model_paths.yaml").write_text(text)
    with serving(tmp_path, offline=True) as server:
        roots = lora_roots(server)
        assert (roots["loras"]["default"], roots["big"]["default"]) == (True, False)
        written = server.do("PATCH", "settings", {"targets": {"loras": roots["big"]["id"]}})
        assert values(written)["targets"] == {"loras": roots["big"]["id"]}
        roots = lora_roots(server)
        assert (roots["loras"]["default"], roots["big"]["default"]) == (False, True)
        wrong = server.ask("PATCH", "settings", {"targets": {"vae": roots["big"]["id"]}})
        assert wrong.code == "unknown-folder"
        assert str(tmp_path) not in server.ask("GET", "settings").body.decode()
        server.do("PATCH", "settings", {"targets": None})
        assert server.house.settings().targets == {}


def test_checkpoint(tmp_path: Path) -> None:
    """The active checkpoint is one for all, and its revision grows with each change."""
    with serving(tmp_path, offline=True) as server:
        assert server.get("checkpoint") == {
            "schema": "comfywatchman.checkpoint/1",
            "name": None,
            "revision": 0,
        }
        first = server.do("PUT", "checkpoint", {"name": "a.safetensors"})
        second = server.do("PUT", "checkpoint", {"name": " v:123 "})
        assert (first["name"], second["name"]) == ("a.safetensors", "v:123")
        assert second["revision"] > first["revision"]
        assert server.get("checkpoint") == second
        assert server.events.of("checkpoint")[-1] == {"name": "v:123", "revision": second["revision"]}
        for body in ({}, {"name": ""}, {"name": None}, {"name": "x" * 2001}):
            assert server.ask("PUT", "checkpoint", body).code == "invalid-request"


def lora_roots(server: Server) -> dict[str, Any]:
    """The roots of the LoRAs by the names of their directories."""
    roots = server.get("status")["roots"]
    return {root["label"].rpartition("/")[2]: root for root in roots if root["folder"] == "loras"}


# ── tokens ──


def test_tokens(fakehub: FakeHub, tmp_path: Path) -> None:
    """A token is kept, tested and forgotten, and never told."""
    token = fakehub.add_account("ada").token
    with serving(tmp_path, fakehub) as server:
        assert server.ask("POST", "tokens/civitai/test").code == "login-required"
        kept = server.do("PUT", "tokens/civitai", {"token": token})
        assert kept == {"hub": "civitai", "has_token": True, "where": "file"}
        assert server.do("POST", "tokens/civitai/test", {}) == {"hub": "civitai", "account": "ada"}
        hubs = {hub["name"]: hub for hub in server.get("status")["hubs"]}
        assert (hubs["civitai"]["has_token"], hubs["civitai"]["token_where"]) == (True, "file")
        assert hubs["huggingface"]["has_token"] is False
        gone = server.do("DELETE", "tokens/civitai")
        assert gone == {"hub": "civitai", "has_token": False, "where": None}
        assert (server.home / "tokens.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("tokens/nobody", {"token": "x"}, "invalid-settings"),
        ("tokens/civitai", {"token": ""}, "invalid-settings"),
        ("tokens/civitai", {"token": "two words"}, "invalid-settings"),
        ("tokens/civitai", {"token": "x" * 2001}, "invalid-request"),
        ("tokens/civitai", {"token": 1}, "invalid-request"),
        ("tokens/civitai", {}, "invalid-request"),
    ],
)
def test_refused_tokens(tmp_path: Path, path: str, body: Any, code: str) -> None:
    """What is no token of a hub is refused, and not quoted."""
    with serving(tmp_path, offline=True) as server:
        answer = server.ask("PUT", path, body)
        assert answer.code == code
        assert "two words" not in answer.body.decode()


def test_environment_token(fakehub: FakeHub, tmp_path: Path) -> None:
    """A token of the environment is used, named as that, and stays when the kept one is forgotten."""
    environment = {**fakehub.environment, "CIVITAI_API_KEY": fakehub.add_account("ada").token}
    with Server(tmp_path, environment) as server:
        hubs = {hub["name"]: hub for hub in server.get("status")["hubs"]}
        assert hubs["civitai"]["token_where"] == "environment"
        assert server.do("DELETE", "tokens/civitai")["has_token"] is True


@pytest.mark.parametrize("place", ["environment", "file"])
def test_canary(fakehub: FakeHub, tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture) -> None:
    """No answer, event or log of any route ever holds a token, on the way of success or of errors."""
    caplog.set_level("DEBUG")
    fakehub.add_model("Ink Wash", {"ink.safetensors": models.lora("ink", trigger="ink")})
    variable = {"CIVITAI_API_KEY": CANARY, "HF_TOKEN": CANARY} if place == "environment" else {}
    seen: list[Answer] = []
    with Server(tmp_path, {**fakehub.environment, **variable}) as server:
        for hub in ("civitai", "huggingface"):
            seen.append(server.ask("PUT", f"tokens/{hub}", {"token": CANARY}))
            seen.append(server.ask("POST", f"tokens/{hub}/test", {}))
            seen.append(server.ask("PUT", f"tokens/{hub}", {"token": CANARY + " "}))
            seen.append(server.ask("PUT", f"tokens/{hub}", {"token": CANARY, "more": CANARY}))
        plan = server.plan({"workflow": ui(lora("ink.safetensors"))})
        seen.append(server.ask("POST", f"plans/{plan['id']}/fetch", {"consent": "plan"}))
        seen.append(server.ask("PUT", "tokens/civitai", {CANARY: 1}))
        server.ended()
        for route in ROUTES:
            if route.method == "GET":
                path = (
                    route.path.replace("{id}", plan["id"]).replace("{folder}", "loras").replace("{name}", "x")
                )
                seen.append(server.raw("GET", PREFIX + path))
        (server.home / "tokens.json").write_text('{"civitai": ["' + CANARY + '"]}')
        seen += [server.ask("GET", "status"), server.ask("POST", "tokens/civitai/test", {})]
        everything = [answer.body.decode() for answer in seen] + [json.dumps(server.events.seen)]
    # a member that a request itself named is told back to it, and is no token of ours
    assert [text for text in everything if CANARY in text and "is unknown" not in text] == []
    assert CANARY not in caplog.text


# ── trigger words ──


def test_words(tmp_path: Path) -> None:
    """A local file's words are read beside it, offline too; only the name of a file here is answered."""
    with serving(tmp_path, offline=True) as server:
        path = server.models / "loras" / "style" / "ink #1.safetensors"
        path.parent.mkdir()
        path.write_bytes(models.lora("ink", trigger="ink wash"))
        beside = path.with_name("ink #1.civitai.info")
        beside.write_text(json.dumps({"id": 7, "modelId": 3, "trainedWords": ["ink wash", "sumi"]}), "utf-8")
        server.desk.look_again()
        told = server.get("words/loras/style%2Fink%20%231.safetensors")
        assert told["folder"] == "loras"
        assert told["name"] == "style/ink #1.safetensors"
        assert told["trigger_words"] == ["ink wash", "sumi"]
        for name in ("none.safetensors", "..%2Fsecret.safetensors", "%2Fetc%2Fpasswd"):
            assert server.ask("GET", f"words/loras/{name}").code in {"not-here", "unsafe-path", "invalid-air"}
        assert server.ask("GET", "words/none-such/x.safetensors").status >= 400
