"""Plans: what they show stage by stage, what each word of consent takes, and that each is for once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakehub import faults
from fakehub.server import FakeHub
from routes_kit import Server, lora, serving, ui

from comfywatchman.demo import models
from comfywatchman.demo.wire import Answer as HubAnswer
from comfywatchman.demo.wire import Request
from comfywatchman.routes.errors import PlanGone, PlanSpent
from comfywatchman.routes.plans import Plans, Snapshot

INK = models.lora("ink", trigger="ink wash")
FOG = models.lora("fog", trigger="fog")
SEA = models.lora("sea", trigger="sea")


def by_digest(name: str, data: bytes) -> Any:
    """A node whose metadata names the digest: what a hub has under it is certain."""
    return lora(name, hash=hashlib.sha256(data).hexdigest(), hash_type="SHA256")


def states(plan: Any) -> dict[str, str]:
    return {item["name"]: item["state"] for item in plan["items"]}


def everything(hub: FakeHub) -> dict[str, Any]:
    """A workflow with a model for each word of consent."""
    hub.add_model("Ink Wash", {"ink.safetensors": INK})
    hub.add_model("Fog", {"fog.safetensors": FOG})
    hub.add_model("Sea", {"sea.safetensors": SEA})
    hub.add_model("Another Sea", {"sea.safetensors": models.lora("other", trigger="o")})
    repo = hub.add_repo("Comfy-Org/gated", {"gate.safetensors": b"x" * 2000}, gated="manual")
    link = f"https://huggingface.co/{repo.id}/resolve/main/gate.safetensors"
    return {
        "workflow": ui(
            by_digest("ink.safetensors", INK),
            lora("fog.safetensors"),
            lora("sea.safetensors"),
            lora("gate.safetensors", url=link),
            lora("own.safetensors", url="https://models.invalid/own.safetensors"),
            lora("nowhere.safetensors"),
        )
    }


STATES = {
    "ink.safetensors": "certain",
    "fog.safetensors": "confirm",
    "sea.safetensors": "choose",
    "gate.safetensors": "locked",
    "own.safetensors": "confirm",
    "nowhere.safetensors": "missing",
}
KEYS = {name: f"{number}:lora_name" for number, name in enumerate(STATES, 1)}


def test_states(fakehub: FakeHub, tmp_path: Path) -> None:
    """Each model stands where its evidence, its hub and the policy put it, with what a person has to know."""
    with serving(tmp_path, fakehub) as server:
        plan = server.plan(everything(fakehub))
        items = {item["name"]: item for item in plan["items"]}
        status = server.get("status")

    assert states(plan) == STATES
    assert {name: item["key"] for name, item in items.items()} == KEYS
    assert [items[name]["consent"] for name in STATES] == ["automatic", "plan", None, "refused", "file", None]
    assert plan["size"] == len(INK)
    assert (plan["asking"], plan["faults"]) == ([], [])
    ink, sea = items["ink.safetensors"], items["sea.safetensors"]
    assert ink["nodes"] == [{"id": "1", "type": "LoraLoader", "title": None, "input": "lora_name"}]
    assert ink["candidates"][0]["evidence"] == "digest"
    assert ink["target"]["path"] == "ink.safetensors"
    assert {"id": ink["target"]["root"], "label": "models/loras"}.items() <= next(
        root for root in status["roots"] if root["id"] == ink["target"]["root"]
    ).items()
    assert [c["model_name"] for c in sea["candidates"]] == ["Sea", "Another Sea"]
    assert sea["chosen"] is None
    own = items["own.safetensors"]["candidates"][0]
    assert (own["hub"], own["hub_title"], own["host"]) == ("web", "", "models.invalid")
    assert "gated" in items["gate.safetensors"]["reason"]
    assert items["nowhere.safetensors"]["reason"] == (
        "not found in the workflow's links, the known models, CivitAI or Hugging Face"
    )
    (drive,) = plan["drives"]
    assert drive["needed"] == len(INK) + len(FOG)
    assert drive["enough"]
    assert {hub["state"] for hub in status["hubs"]} == {"reachable"}


@pytest.mark.parametrize(
    ("word", "choices", "taken", "withheld"),
    [
        ("certain", {}, ["ink"], {"fog": "needs-consent", "own": "needs-consent", "sea": "needs-choice"}),
        ("certain", {"sea": {"candidate": 0}}, ["ink"], {"sea": "needs-consent"}),
        ("plan", {}, ["ink", "fog"], {"sea": "needs-choice", "own": "needs-consent"}),
        ("plan", {"sea": {"candidate": 1}}, ["ink", "fog", "sea"], {"own": "needs-consent"}),
        ("plan", {"own": {"agreed": True}}, ["ink", "fog", "own"], {"sea": "needs-choice"}),
        ("plan", {"own": {"agreed": False}}, ["ink", "fog"], {"own": "needs-consent"}),
        ("plan", {"gate": {"agreed": True, "candidate": 0}}, ["ink", "fog"], {"gate": "gated"}),
        ("plan", {"sea": {"candidate": 9}}, ["ink", "fog"], {"sea": "no-such-candidate"}),
        ("selected", {"fog": {}}, ["fog"], {}),
        ("selected", {"sea": {"candidate": 0}, "own": {}}, ["sea"], {"own": "needs-consent"}),
        ("selected", {}, [], {}),
        ("selected", {"nowhere": {}}, [], {"nowhere": "missing"}),
    ],
)
def test_consent(
    fakehub: FakeHub, tmp_path: Path, word: str, choices: Any, taken: list[str], withheld: dict[str, str]
) -> None:
    """A word of consent takes what it says and no more; for the rest it is told what is wanting."""
    with serving(tmp_path, fakehub) as server:
        plan = server.plan(everything(fakehub))
        chosen = {KEYS[f"{name}.safetensors"]: choice for name, choice in choices.items()}
        fetched = server.do("POST", f"plans/{plan['id']}/fetch", {"consent": word, "items": chosen})
        server.do("PATCH", "transfers/all", {"state": "cancelled"})
    assert [transfer["name"] for transfer in fetched["transfers"]] == [
        f"{name}.safetensors" for name in taken
    ]
    codes = {one["key"]: one["code"] for one in fetched["skipped"]}
    assert {KEYS[f"{name}.safetensors"]: code for name, code in withheld.items()}.items() <= codes.items()


def test_once(fakehub: FakeHub, tmp_path: Path) -> None:
    """A plan is carried out once, by whoever of several pages comes first; a vain call does not spend it."""
    with serving(tmp_path, fakehub) as server:
        plan = server.plan(everything(fakehub))
        path = f"plans/{plan['id']}/fetch"
        assert server.do("POST", path, {"consent": "selected"})["transfers"] == []
        assert server.ask("POST", path, {"consent": "plan", "items": {"9:x": {}}}).code == "invalid-request"
        answers = together(lambda: server.ask("POST", path, {"consent": "certain"}), 6)
        assert sorted(answer.status for answer in answers) == [202, *[409] * 5]
        assert {answer.code for answer in answers if answer.status == 409} == {"plan-spent"}
        assert len(server.ended()) == 1
        assert server.get(f"plans/{plan['id']}")["stage"] == "done"


def together(call: Callable[[], Any], count: int) -> list[Any]:
    """What several threads get that call at the same time."""
    start, answers = threading.Barrier(count), []

    def run() -> None:
        start.wait(10)
        answers.append(call())

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers


def test_expiry(tmp_path: Path) -> None:
    """A plan is gone after its time, or when too many others were made since."""
    now = [0.0]
    plans = Plans(lambda _event, _data: None, life=600, most=3, clock=lambda: now[0])
    first = plans.open(lambda review: review.put(Snapshot(stage="done")))
    now[0] = 599.0
    assert plans.get(first.id) is first
    now[0] = 600.0
    with pytest.raises(PlanGone):
        plans.get(first.id)
    many = [plans.open(lambda review: review.put(Snapshot(stage="done"))) for _ in range(4)]
    with pytest.raises(PlanGone):
        plans.get(many[0].id)
    assert plans.get(many[3].id) is many[3]
    plans.close()
    with pytest.raises(PlanGone):
        plans.get(many[3].id)
    assert len({review.id for review in many}) == 4
    with many[3].spend() as spent:
        spent()
    with pytest.raises(PlanSpent), many[3].spend():
        pass


def test_unknown_plan(tmp_path: Path) -> None:
    """An id that nobody was given names nothing."""
    with serving(tmp_path, offline=True) as server:
        assert server.ask("GET", "plans/guess").code == "plan-gone"
        answer = server.ask("POST", "plans/guess/fetch", {"consent": "plan"})
        assert (answer.status, answer.code) == (404, "plan-gone")


class Dam:
    """Holds back what a hub answers until it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def __call__(self, _request: Request, handle: Callable[[], HubAnswer]) -> HubAnswer:
        assert self.open.wait(20)
        return handle()


def test_stages(fakehub: FakeHub, tmp_path: Path) -> None:
    """What this disk knows is shown at once, what each hub adds as it answers; a reload finds the plan."""
    fakehub.add_model("Ink Wash", {"ink.safetensors": INK})
    fakehub.add_repo("Comfy-Org/fog", {"fog.safetensors": FOG})
    slow, slower = Dam(), Dam()
    fakehub.bend("civitai.", slow)
    fakehub.bend("huggingface.", slower)
    with serving(tmp_path, fakehub) as server:
        (server.models / "loras" / "here.safetensors").write_bytes(SEA)
        workflow = ui(lora("here.safetensors"), lora("ink.safetensors"), lora("fog.safetensors"))
        first = server.do("POST", "plans", {"workflow": workflow})
        assert states(first) == {
            "here.safetensors": "present",
            "ink.safetensors": "asking",
            "fog.safetensors": "asking",
        }
        assert first["asking"] == ["civitai", "huggingface"]
        path = f"plans/{first['id']}"
        skipped = server.do("POST", f"{path}/fetch", {"consent": "plan"})["skipped"]
        assert {one["code"] for one in skipped} == {"still-asking"}
        slow.open.set()
        second = server.wait(lambda: (p := server.get(path))["asking"] == ["huggingface"] and p)
        assert second["stage"] == "hubs"
        assert states(second)["fog.safetensors"] == "asking"
        slower.open.set()
        last = server.wait(lambda: (p := server.get(path))["stage"] == "done" and p)
        assert states(last)["fog.safetensors"] == "confirm"
        told = [data for data in server.events.of("operation") if data["id"] == first["id"]]
        assert [one["stage"] for one in told] == ["local", "known", "hubs", "hubs", "done"]
        assert told[-1]["asking"] == []


def test_hub_down(fakehub: FakeHub, tmp_path: Path) -> None:
    """With one hub down the other still serves, and the plan and the status say what does not."""
    fakehub.add_repo("Comfy-Org/fog", {"fog.safetensors": FOG})
    fakehub.bend("civitai.", faults.status(500))
    with serving(tmp_path, fakehub) as server:
        plan = server.plan({"workflow": ui(lora("fog.safetensors"))})
        hubs = {hub["name"]: hub for hub in server.get("status")["hubs"]}
    (fault,) = plan["faults"]
    assert (fault["hub"], fault["code"]) == ("civitai", "hub-unavailable")
    assert plan["items"][0]["candidates"][0]["hub"] == "huggingface"
    assert (hubs["civitai"]["state"], hubs["huggingface"]["state"]) == ("unreachable", "reachable")
    assert hubs["civitai"]["message"]


def test_offline(tmp_path: Path) -> None:
    """Without network everything local works and the plan is done at once."""
    with serving(tmp_path, offline=True) as server:
        plan = server.plan({"workflow": ui(lora("ink.safetensors"))})
        assert states(plan) == {"ink.safetensors": "missing"}
        assert server.get("status")["offline"] is True
        plan = server.plan({"things": ["v:123"]})
        assert plan["faults"][0]["code"] == "needs-network"


def test_things(fakehub: FakeHub, tmp_path: Path) -> None:
    """A link, an id or an AIR makes a plan; several files are a choice; an error stands at its thing."""
    ink = fakehub.add_model("Ink Wash", {"ink.safetensors": INK})
    repo = fakehub.add_repo("Comfy-Org/fogs", {"fog.safetensors": FOG, "sea.safetensors": SEA})
    things = [f"v:{ink.versions[0].id}", f"hf:{repo.id}/", "v:999999", f"hf:{repo.id}/fog.safetensors"]
    with serving(tmp_path, fakehub) as server:
        plan = server.plan({"things": things, "folder": "loras"})
        assert [item["state"] for item in plan["items"]] == ["certain", "choose", "missing", "certain"]
        assert [item["key"] for item in plan["items"]] == [f"thing:{at}" for at in range(4)]
        assert [fault["code"] for fault in plan["faults"]] == ["not-found"]
        assert {c["name"] for c in plan["items"][1]["candidates"]} == {"fog.safetensors", "sea.safetensors"}
        sea = next(c["index"] for c in plan["items"][1]["candidates"] if c["name"] == "sea.safetensors")
        body = {"consent": "plan", "items": {"thing:1": {"candidate": sea}}}
        server.do("POST", f"plans/{plan['id']}/fetch", body)
        assert {t["state"] for t in server.ended()} == {"verified"}
        named = {"loras/ink.safetensors", "loras/fog.safetensors", "loras/sea.safetensors"}
        assert named <= set(server.files())
        (item,) = server.plan({"things": [f"hf:{repo.id}/sea.safetensors"]})["items"]
        assert (item["state"], item["candidates"][0]["transfer"]) == ("refused", False)
        assert "folder" in item["reason"]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("inspections", {}, "invalid-request"),
        ("inspections", {"workflow": {}, "prompt": {}}, "invalid-request"),
        ("inspections", {"workflow": []}, "invalid-request"),
        ("inspections", {"workflow": {"nothing": 1}}, "invalid-workflow"),
        ("inspections", {"workflow": {"nodes": []}, "path": "/etc/passwd"}, "invalid-request"),
        ("plans", {"workflow": {"nothing": 1}}, "invalid-workflow"),
        ("plans", {"things": []}, "invalid-request"),
        ("plans", {"things": ["file:///etc/passwd"]}, "invalid-air"),
        ("plans", {"things": ["v:1"] * 201}, "invalid-request"),
        ("plans", {"things": ["v:1"], "workflow": {"nodes": []}}, "invalid-request"),
        ("plans", {"things": ["x" * 2001]}, "invalid-request"),
        ("plans", None, "invalid-request"),
    ],
)
def test_invalid(tmp_path_factory: Any, offline: Server, path: str, body: Any, code: str) -> None:
    """What cannot be used is refused, with the place."""
    answer = offline.ask("POST", path, body)
    assert (answer.status, answer.code) == (400, code)


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with serving(tmp_path_factory.mktemp("offline"), offline=True) as server:
        yield server


def test_prompt_form(offline: Server) -> None:
    """The form that is queued is read too; a name that several nodes share is one item."""
    node = {"class_type": "LoraLoader", "inputs": {"lora_name": "a/ink.safetensors"}}
    body = {"prompt": {"4": node, "7": node}, "name": "my prompt"}
    seen = offline.do("POST", "inspections", body)
    assert (seen["format"], seen["name"], seen["missing"]) == ("api", "my prompt", 2)
    assert [one["key"] for one in seen["references"]] == ["4:lora_name", "7:lora_name"]
    (item,) = offline.plan(body)["items"]
    assert item["references"] == ["4:lora_name", "7:lora_name"]
    assert offline.plan({**body, "references": ["7:lora_name"]})["items"][0]["key"] == "7:lora_name"
    assert offline.plan({**body, "references": []})["items"] == []


def test_relink(offline: Server) -> None:
    """A file here under another spelling or sub-folder is present, with what the widget must say."""
    (offline.models / "loras" / "style").mkdir()
    for place in (
        "loras/style/Ink V2.safetensors",
        "loras/plain.safetensors",
        "checkpoints/lost.safetensors",
    ):
        (offline.models / place).write_bytes(INK)
    (offline.models / "embeddings" / "EasyNegative.safetensors").write_bytes(INK)
    names = ["ink v2.safetensors", "plain.safetensors", "lost.safetensors", "style\\Ink V2.safetensors"]
    text = ("CLIPTextEncode", ["a embedding:easynegative of"])
    seen = offline.do("POST", "inspections", {"workflow": ui(*map(lora, names), text)})
    told = [
        (r["resolution"]["state"], r["resolution"]["placement"], r["resolution"]["relink"])
        for r in seen["references"]
    ]
    assert told == [
        ("present", "subfolder", "style/Ink V2.safetensors"),
        ("present", "exact", None),
        ("present", "folder", None),
        ("present", "exact", "style/Ink V2.safetensors"),
        ("present", "spelling", "EasyNegative"),
    ]
    assert seen["references"][0]["resolution"]["file"]["path"] == "style/Ink V2.safetensors"
    assert str(offline.models) not in str(seen)


def test_root_of_choice(fakehub: FakeHub, tmp_path: Path) -> None:
    """Where several directories serve a folder, a person says which; one of another folder is refused."""
    fakehub.add_model("Ink Wash", {"ink.safetensors": INK})
    (tmp_path / "big").mkdir()
    (tmp_path / "ComfyUI").mkdir()
    (tmp_path / "ComfyUI" / "extra_model_paths.yaml").write_text(
        f"more:\n  base_path: {tmp_path}\n  loras: big\n"
    )
    with serving(tmp_path, fakehub) as server:
        roots = {r["label"].rpartition("/")[2]: r["id"] for r in server.get("status")["roots"]}
        workflow = {"workflow": ui(by_digest("ink.safetensors", INK))}
        plan = server.plan(workflow)
        path = f"plans/{plan['id']}/fetch"
        key = KEYS["ink.safetensors"]
        wrong = {"consent": "certain", "items": {key: {"root": roots["checkpoints"]}}}
        assert server.ask("POST", path, wrong).code == "unknown-folder"
        right = {"consent": "certain", "items": {key: {"root": roots["big"]}}}
        (transfer,) = server.do("POST", path, right)["transfers"]
        assert transfer["root"] == roots["big"]
        assert server.ended()[0]["state"] == "verified"
        assert (tmp_path / "big" / "ink.safetensors").read_bytes() == INK


def test_clash(fakehub: FakeHub, tmp_path: Path) -> None:
    """Two models for one name: the first is taken, the other is told of."""
    fakehub.add_model("Ink Wash", {"ink.safetensors": INK})
    fakehub.add_model("Fog", {"other.safetensors": FOG})
    with serving(tmp_path, fakehub) as server:
        workflow = ui(by_digest("ink.safetensors", INK), by_digest("ink.safetensors", FOG))
        plan = server.plan({"workflow": workflow})
        fetched = server.do("POST", f"plans/{plan['id']}/fetch", {"consent": "certain"})
        assert [t["name"] for t in fetched["transfers"]] == ["ink.safetensors"]
        assert "already planned" in fetched["skipped"][0]["message"]


def test_remember(fakehub: FakeHub, tmp_path: Path) -> None:
    """The answer to the question of the first drop is kept, with the consent it came with."""
    fakehub.add_model("Ink Wash", {"ink.safetensors": INK})
    with serving(tmp_path, fakehub) as server:
        assert server.get("status")["fetch_certain"] is None
        for remembered in (True, False):
            plan = server.plan({"workflow": ui(by_digest("ink.safetensors", INK))})
            body = {"consent": "certain", "remember": remembered}
            server.do("POST", f"plans/{plan['id']}/fetch", body)
            assert server.get("status")["fetch_certain"] is remembered
        assert server.events.of("settings")


def test_preferred_precision(fakehub: FakeHub, tmp_path: Path) -> None:
    """The preferred precision is offered first among files of one model, and still has to be chosen."""
    full, half = models.lora("full", trigger="x"), models.lora("half", trigger="x")
    repo = fakehub.add_repo("Comfy-Org/ink", {"ink_fp32.safetensors": full, "ink_fp16.safetensors": half})
    with serving(tmp_path, fakehub) as server:
        server.do("PATCH", "settings", {"precision": "FP16"})
        plan = server.plan({"things": [f"hf:{repo.id}/"], "folder": "loras"})
        (item,) = plan["items"]
        assert item["state"] == "choose"
        assert item["candidates"][item["chosen"]]["name"] == "ink_fp16.safetensors"
        fetched = server.do("POST", f"plans/{plan['id']}/fetch", {"consent": "plan"})
        assert [one["code"] for one in fetched["skipped"]] == ["needs-choice"]


def test_no_room(fakehub: FakeHub, tmp_path: Path) -> None:
    """What the disk has no room for is told before the first byte, without whole paths."""
    fakehub.add_model("Ink Wash", {"ink.safetensors": INK})
    with serving(tmp_path, fakehub) as server:
        (server.home / "settings.json").write_text('{"file_cap": 1000}')
        plan = server.plan({"workflow": ui(by_digest("ink.safetensors", INK))})
        assert plan["items"][0]["state"] == "refused"
        (server.home / "settings.json").write_text('{"plan_cap": 1000}')
        plan = server.plan({"workflow": ui(by_digest("ink.safetensors", INK))})
        fetched = server.do("POST", f"plans/{plan['id']}/fetch", {"consent": "certain"})
        assert (fetched["transfers"], fetched["skipped"][0]["code"]) == ([], "refused")
        assert str(tmp_path) not in str(fetched)
