"""Pictures for a page: only a plan's own, only as adult as the setting says, never as the hub has them."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakehub import faults
from fakehub.server import FakeHub
from PIL import Image
from routes_kit import Answer, Server, lora, serving, ui

from comfywatchman.demo import models
from comfywatchman.demo.pictures import seascape
from comfywatchman.demo.shelf import PaidAccess, ServedImage, ServedVersion
from comfywatchman.demo.wire import Answer as HubAnswer
from comfywatchman.demo.wire import Request
from comfywatchman.routes.serving import PREFIX

INK = models.lora("ink", trigger="ink wash")
SEA = models.lora("sea", trigger="sea")


def pictured(hub: FakeHub, *images: ServedImage) -> dict[str, Any]:
    """A workflow whose one model has two files in one version, with these images."""
    files = {"ink.safetensors": INK, "ink-fp8.safetensors": SEA}
    hub.add_model("Ink Wash", files, version={"images": images})
    return {"workflow": ui(lora("ink.safetensors"), lora("ink-fp8.safetensors"))}


def still(id_: int = 1, level: int = 1) -> ServedImage:
    return ServedImage(id=id_, data=seascape(str(id_)), nsfw_level=level)


def previews(plan: Any) -> list[str | None]:
    return [one["preview"] for item in plan["items"] for one in item["candidates"]]


def as_image(server: Server, path: str, **more: str) -> Answer:
    """The request of an <img> on a page of ours."""
    headers = {"Host": server.host, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "image", **more}
    return server.raw("GET", path, headers=headers)


def test_picture(fakehub: FakeHub, tmp_path: Path) -> None:
    """A candidate's picture comes through us, as an <img> asks for it, under both addresses, safe to show."""
    asked = pictured(fakehub, still(1, 4), still(2))
    with Server(tmp_path, {**fakehub.environment, "CIVITAI_API_KEY": "token-of-ours"}) as server:
        plan = server.plan(asked)
        first, second = previews(plan)
        assert first == second
        assert first is not None
        assert first.startswith(f"{PREFIX}previews/{plan['id']}.")
        answers = [as_image(server, first), as_image(server, f"/api{first}"), server.raw("GET", first)]
        assert as_image(server, first, **{"Sec-Fetch-Site": "cross-site"}).status == 403
        assert as_image(server, first, Origin="https://evil.test").status == 403
        assert server.ask("GET", first.removeprefix(PREFIX)).status == 200
        assert "previews" in server.get("status")["features"]
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert Image.open(io.BytesIO(answers[0].body)).size == (104, 152)
    headers = answers[0].headers
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "private, max-age=3600"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    (seen,) = fakehub.log.of("civitai.image")
    assert seen.request.path == "/images/2/width=450/2.png"
    assert seen.request.headers.get("Authorization") is None
    assert "token-of-ours" in {one.request.bearer for one in fakehub.log.of("civitai.")}  # the control


LEVELS = {"none": [], "safe": [1, 2], "mature": [1, 2, 4], "all": [1, 2, 4, 8, 16]}


def test_levels(fakehub: FakeHub, tmp_path: Path) -> None:
    """The setting, which a page may change, says how adult a picture may be, from then on in every plan."""
    names = {level: f"level{level}" for level in (1, 2, 4, 8, 16)}
    for level, name in names.items():
        data = models.lora(name, trigger=name)
        fakehub.add_model(name, {f"{name}.safetensors": data}, version={"images": (still(level, level),)})
    workflow = ui(*(lora(f"{name}.safetensors") for name in names.values()))
    with serving(tmp_path, fakehub) as server:
        plan = server.plan({"workflow": workflow})
        (setting,) = [one for one in server.get("settings")["settings"] if one["key"] == "preview_level"]
        assert (setting["value"], setting["choices"], setting["writable"]) == ("safe", [*LEVELS], True)
        shown: dict[int, str] = {}
        for word in ("all", "none", "safe", "mature", "all"):
            server.do("PATCH", "settings", {"preview_level": word})
            paths = dict(zip(names, previews(server.get(f"plans/{plan['id']}")), strict=True))
            assert [level for level, path in paths.items() if path] == LEVELS[word]
            shown |= {level: path for level, path in paths.items() if path}
            for level, path in shown.items():
                assert as_image(server, path).status == (200 if level in LEVELS[word] else 404)
        assert server.ask("PATCH", "settings", {"preview_level": "blocked"}).status == 400


def test_other_ids(fakehub: FakeHub, tmp_path: Path) -> None:
    """Nothing but a live plan's own picture has an id; an address is none."""
    asked = pictured(fakehub, still())
    with serving(tmp_path, fakehub) as server:
        path = previews(server.plan(asked))[0] or ""
        plan, _, mark = path.removeprefix(f"{PREFIX}previews/").partition(".")
        other = server.plan({"workflow": ui(lora("nowhere.safetensors"))})["id"]
        address = f"{fakehub.civitai_endpoint}/images/1/width=450/1.png"
        of_plan = [
            plan,
            *(f"{plan}.{end}" for end in ("", mark[:-1], f"{mark}x", "0" * 16, "%C3%A9", mark.upper())),
        ]
        encoded = address.replace("/", "%2F")
        for id_ in (*of_plan, f"{other}.{mark}", f".{mark}", mark, "x", "..%2Fstatus", encoded, "%00"):
            answer = as_image(server, f"{PREFIX}previews/{id_}")
            assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json"), id_
            assert answer.code in ("plan-gone", "preview-gone")
            assert answer.headers["Cache-Control"] == "no-store"
        assert as_image(server, path).status == 200
        server.desk.plans.close()
        assert as_image(server, path).code == "plan-gone"
    assert len(fakehub.log.of("civitai.image")) == 1


BAD: dict[str, HubAnswer] = {
    "SVG": HubAnswer(headers={"Content-Type": "image/svg+xml"}, body=b"<svg onload='alert(1)'/>"),
    "a page as PNG": HubAnswer(
        headers={"Content-Type": "image/png"}, body=b"<html><script>alert(1)</script>"
    ),
    "too much": HubAnswer(headers={"Content-Type": "image/png"}, body=seascape("x") + bytes(9 << 20)),
    "away": HubAnswer(status=302, headers={"Location": "https://evil.test/x.png"}),
    "a login": HubAnswer(status=401, body=b"{}"),
    "down": HubAnswer(dropped=True),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_pictures(fakehub: FakeHub, tmp_path: Path, name: str) -> None:
    """What is no picture does not reach the page; it gets an error in JSON, never the hub's bytes."""
    asked = pictured(fakehub, still())
    fakehub.bend("civitai.image", lambda _request, _handle: BAD[name])
    with serving(tmp_path, fakehub) as server:
        path = previews(server.plan(asked))[0] or ""
        answer = as_image(server, path)
    assert 400 <= answer.status < 600
    assert answer.headers["Content-Type"] == "application/json"
    assert b"alert" not in answer.body
    assert set(json.loads(answer.body)) == {"error"}


def test_polyglot(fakehub: FakeHub, tmp_path: Path) -> None:
    """A picture with markup behind it arrives without."""
    image = ServedImage(id=1, data=seascape("x") + b"<script>alert(1)</script>")
    asked = pictured(fakehub, image)
    with serving(tmp_path, fakehub) as server:
        answer = as_image(server, previews(server.plan(asked))[0] or "")
    assert answer.status == 200
    assert b"script" not in answer.body


def test_slow_pictures_hold_up_nobody(fakehub: FakeHub, tmp_path: Path) -> None:
    """While pictures are waited for, four at once, every other route answers as always."""
    names = [f"m{n}" for n in range(12)]
    for n, name in enumerate(names):
        data = models.lora(name, trigger=name)
        fakehub.add_model(name, {f"{name}.safetensors": data}, version={"images": (still(n),)})
    dam, waiting = threading.Event(), [0, 0]
    lock = threading.Lock()

    def hold(_request: Request, handle: Callable[[], HubAnswer]) -> HubAnswer:
        with lock:
            waiting[0] += 1
            waiting[1] = max(waiting)
        assert dam.wait(20)
        with lock:
            waiting[0] -= 1
        return handle()

    fakehub.bend("civitai.image", hold)
    with serving(tmp_path, fakehub) as server:
        paths = previews(server.plan({"workflow": ui(*(lora(f"{name}.safetensors") for name in names))}))
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda p=path: statuses.append(as_image(server, p or "").status))
            for path in paths
        ]
        for thread in threads:
            thread.start()
        server.wait(lambda: waiting[0] == 4)
        begun = time.monotonic()
        for _ in range(10):
            server.get("status")
        assert time.monotonic() - begun < 2
        dam.set()
        for thread in threads:
            thread.join(20)
    assert statuses == [200] * 12
    assert waiting[1] == 4


# ── what a hub refuses, at its row ──


@pytest.mark.parametrize(
    ("status", "access", "code"),
    [(401, "login", "login-required"), (403, "gated", "gated"), (None, "early", "early-access")],
)
def test_refused(fakehub: FakeHub, tmp_path: Path, status: int | None, access: str, code: str) -> None:
    """A link whose hub tells nothing before a login, a grant or a purchase is locked, with its page."""
    bare = ServedVersion(id=77, files=(), paid=PaidAccess(permanent=True))
    made = fakehub.add_model("Ink Wash", {"ink.safetensors": INK})
    fakehub.shelf.models.append(type(made)(id=7, name="Paid", type="LORA", versions=(bare,)))
    if status is not None:
        fakehub.bend("civitai.version", faults.status(status, "Ask first"))
    link = "https://civitai.com/api/download/models/77"
    asked = ui(lora("paid.safetensors", url=link), lora("nowhere.safetensors"))
    with serving(tmp_path, fakehub) as server:
        plan = server.plan({"workflow": asked})
        item, other = plan["items"]
        (thing,) = server.plan({"things": ["v:77"], "folder": "loras"})["items"]
        body = {"consent": "plan"}
        skipped = server.do("POST", f"plans/{plan['id']}/fetch", body)["skipped"]
    assert (item["state"], other["state"], thing["state"]) == ("locked", "missing", "locked")
    for locked in (item, thing):
        (candidate,) = locked["candidates"]
        assert (candidate["access"], candidate["transfer"], candidate["hub"]) == (access, False, "civitai")
        assert candidate["page"] == "https://civitai.com/model-versions/77"
        assert locked["reason"].startswith("CivitAI: ")
    assert {one["key"]: one["code"] for one in skipped}[item["key"]] == code
    assert code in {fault["code"] for fault in plan["faults"]}
