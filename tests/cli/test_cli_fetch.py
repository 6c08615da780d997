"""`fetch`, `resolve` and `inspect` from workflow to files, against a hub that is really there."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import unicodedata
from pathlib import Path

import pytest
from cli_desk import LORA, OTHER_LORA, VAE, Desk, lines_with
from fakehub import faults

from comfywatchman.demo.shelf import Blob
from comfywatchman.library.index import Index
from comfywatchman.library.scan import list_file

HF = "https://huggingface.co"
SHA = Blob.of(LORA).sha256


def stock(desk: Desk) -> Path:
    """Two certain models on the hubs, one of them named by two nodes, and one muted."""
    desk.hub.add_model("Ink Wash", {"ink v3.safetensors": LORA})
    desk.hub.add_repo("Comfy-Org/lamp", {"vae/lamp.safetensors": VAE})
    return desk.workflow(
        desk.lora("style/ink.safetensors", hash=SHA, hash_type="SHA256"),
        desk.lora("style/ink.safetensors", hash=SHA, hash_type="SHA256"),
        desk.lora("muted.safetensors", mode=2, url=f"{HF}/Comfy-Org/lamp/resolve/main/vae/lamp.safetensors"),
        desk.vae("lamp.safetensors", url=f"{HF}/Comfy-Org/lamp/resolve/main/vae/lamp.safetensors"),
    )


def test_inspect(desk: Desk) -> None:
    """What is missing is said with status 3, and no hub is asked."""
    flow = stock(desk)
    ran = desk.json("inspect", flow)
    assert ran.status == 3
    (workflow,) = ran.document["workflows"]
    assert (workflow["format"], workflow["error"]) == ("ui", None)
    assert [r["active"] for r in workflow["references"]] == [True, True, False, True]
    assert {r["resolution"]["state"] for r in workflow["references"]} == {"missing"}
    assert desk.hub.requests == []
    assert "2 missing" in desk.run("inspect", flow).out


def test_resolve_writes_nothing(desk: Desk) -> None:
    """It says where everything is to be had, as a plan, and leaves the disk alone."""
    ran = desk.json("resolve", stock(desk))
    assert (ran.status, ran.err) == (0, "")
    plan = ran.document["plan"]
    assert [(t["folder"], t["path"], t["consent"], len(t["references"])) for t in plan["transfers"]] == [
        ("loras", "style/ink.safetensors", "automatic", 2),
        ("vae", "lamp.safetensors", "automatic", 1),
    ]
    assert plan["size"] == len(LORA) + len(VAE)
    assert plan["transfers"][0]["digests"][0] == f"sha256:{SHA}"
    assert desk.files() == {}


def test_fetch(desk: Desk) -> None:
    """Both files come, verified; the model two nodes name comes once, the muted one not at all."""
    flow = stock(desk)
    ran = desk.json("fetch", flow)
    assert (ran.status, ran.err) == (0, "")
    assert desk.files() == {"loras/style/ink.safetensors": LORA, "vae/lamp.safetensors": VAE}
    told = [(t["path"], t["state"], t["verification"]) for t in ran.document["transfers"]]
    assert told == [
        ("style/ink.safetensors", "verified", "digest"),
        ("lamp.safetensors", "verified", "digest"),
    ]
    assert desk.hub.log.counts()["delivery.bytes"] == 2


def test_weak_publish(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that cannot refuse to replace a file is told, in words and in JSON."""

    def no_link(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_link)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    flow = stock(desk)
    assert "cannot refuse to replace" in desk.run("fetch", flow).out
    for path in desk.files():
        (desk.models / path).unlink()
    ran = desk.json("fetch", flow)
    assert {t["weak_publish"] for t in ran.document["transfers"]} == {True}


def test_fetch_again(desk: Desk) -> None:
    """A second run finds everything here and asks nobody for bytes."""
    flow = stock(desk)
    desk.run("fetch", flow)
    fetched = desk.hub.log.counts()
    ran = desk.json("fetch", flow)
    assert (ran.status, ran.document["transfers"], len(ran.document["kept"])) == (0, [], 3)
    assert desk.hub.log.counts() == fetched
    assert "2 here already. Ready to queue." in desk.run("fetch", flow).out


NFD = unicodedata.normalize("NFD", "café.safetensors")


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("ink v3.safetensors", "ink v3.safetensors"),
        ("ink v3.gguf", "ink v3.safetensors"),  # another format than the hub has
        (NFD, unicodedata.normalize("NFC", NFD)),
    ],
    ids=["same", "format", "Unicode form"],
)
def test_other_name_than_the_widgets(desk: Desk, name: str, saved: str) -> None:
    """What had to be saved under another name than a node asks for is not called ready, now or later."""
    desk.hub.add_model("Ink Wash", {"ink v3.safetensors": LORA})
    flow = desk.workflow(desk.lora(name, hash=SHA, hash_type="SHA256"))
    is_exact = name == saved
    told = f"the workflow writes its name otherwise: choose {saved} in the node"
    out = desk.run("fetch", flow).out
    assert list(desk.files()) == [f"loras/{saved}"]
    assert (told in out, "Ready to queue." in out) == (not is_exact, is_exact)
    again = desk.run("fetch", flow).out
    assert (f"is here as loras/{saved}" in again, "Ready to queue." in again) == (not is_exact, is_exact)
    if not is_exact:
        assert f"→ choose {saved} in the node" in again


def test_what_a_link_means(desk: Desk) -> None:
    """What our own node names by a link it finds under any name: nothing is left to choose, now or later."""
    desk.hub.add_repo("owner/ink", {"style/ink v3.safetensors": LORA})
    prompt = desk.folder / "prompt.json"
    inputs = {"source": "hf:owner/ink/style/ink v3.safetensors"}
    prompt.write_text(json.dumps({"1": {"class_type": "ComfyWatchmanLoRALoader", "inputs": inputs}}))
    for _ in range(2):
        out = desk.run("fetch", prompt).out
        assert list(desk.files()) == ["loras/ink v3.safetensors"]
        assert ("choose" in out, "Ready to queue." in out) == (False, True)


def test_words_for_a_person(desk: Desk) -> None:
    """The plan and the talk go to stderr, what became of each file to stdout, nothing is said twice."""
    ran = desk.run("fetch", stock(desk))
    assert ran.out.splitlines() == [
        f"✓ loras/style/ink.safetensors  {len(LORA) / 1000:.3g} kB, matches the digest published by CivitAI",
        f"✓ vae/lamp.safetensors  {len(VAE) / 1000:.3g} kB, matches the digest published by Hugging Face",
        f"2 files fetched ({(len(LORA) + len(VAE)) / 1000:.3g} kB). Ready to queue.",
    ]
    assert "style/ink.safetensors (×2)" in ran.err
    assert "fetching vae/lamp.safetensors" in ran.err
    both = [line for line in (ran.out + ran.err).splitlines() if line.strip()]
    assert len(set(both)) == len(both)


def test_quiet(desk: Desk) -> None:
    """With -q only the answer is left."""
    ran = desk.run("-q", "fetch", stock(desk))
    assert (ran.status, ran.err, len(ran.out.splitlines())) == (0, "", 3)


def test_verbose(desk: Desk) -> None:
    """With -v stderr tells what the hubs were asked, without the signatures of addresses."""
    ran = desk.run("fetch", "-v", stock(desk))
    assert list(lines_with(ran.err, "GET", "/api/models/Comfy-Org/lamp"))
    assert "Signature=" not in ran.err.replace("Signature=***", "")
    assert not list(lines_with(ran.out, "GET"))
    assert "Starting new HTTP connection" in desk.run("search", "-vv", "lamp").err


def test_dry_run(desk: Desk) -> None:
    """--dry-run prints the plan, fetches nothing, and says with 3 that there is something to do."""
    flow = stock(desk)
    ran = desk.json("fetch", "--dry-run", flow)
    assert (ran.status, ran.document["transfers"], len(ran.document["plan"]["transfers"])) == (3, [], 2)
    assert "2 files to fetch" in desk.run("fetch", "--dry-run", flow).out
    assert desk.files() == {}


@pytest.mark.parametrize("before", [True, False])
def test_options_before_and_after_the_command(desk: Desk, before: bool, tmp_path: Path) -> None:
    """Global options count on either side of the command."""
    other = tmp_path / "elsewhere"
    other.mkdir()
    options = ("--json", "--offline", "--models-dir", str(other))
    words = ("inspect", str(stock(desk)))
    ran = desk.run(*options, *words) if before else desk.run(*words, *options)
    assert ran.document["schema"] == "comfywatchman.inspect/1"


def test_comfyui_given(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """--comfyui beats the environment, and the data folder is then that ComfyUI's own."""
    monkeypatch.delenv("COMFYWATCHMAN_HOME")
    monkeypatch.setenv("COMFYUI_PATH", str(desk.folder / "nowhere"))
    ran = desk.json("fetch", stock(desk), "--comfyui", desk.comfyui)
    assert ran.status == 0
    assert (desk.comfyui / "user" / "__comfywatchman" / "verified-models.json").is_file()


def test_offline(desk: Desk) -> None:
    """Offline the workflow's own words are left, and nothing is fetched by them, whoever agrees."""
    flow = stock(desk)
    (desk.folder / "plan.json").write_text(desk.run("resolve", "--json", flow).out)
    desk.hub.requests.clear()
    ran = desk.json("fetch", "--offline", "--yes", "--allow-host", "huggingface.co", flow)
    assert ran.status == 3
    assert [t["reason"] for t in ran.document["withheld"]] == ["offline nothing is fetched"]
    saved = desk.json("fetch", "--offline", "--yes", "--allow-host", "127.0.0.1", desk.folder / "plan.json")
    assert [t["reason"] for t in saved.document["withheld"]] == ["offline nothing is fetched"] * 2
    assert [o["state"] for o in ran.document["unresolved"]] == ["missing", "missing"]
    assert desk.hub.requests == []


# ── several files, one choice ──


def ambiguous(desk: Desk) -> Path:
    """One name that two works of one kind have."""
    desk.hub.add_model("Fog", {"fog.safetensors": LORA}, creator="ann", version={"downloads": 10})
    desk.hub.add_model("Fog again", {"fog.safetensors": OTHER_LORA}, creator="bob", version={"downloads": 9})
    return desk.workflow(desk.lora("fog.safetensors"))


def test_ambiguous(desk: Desk) -> None:
    """Candidates are shown with what tells them apart, and nothing is fetched, not even with --yes."""
    flow = ambiguous(desk)
    ran = desk.run("fetch", "--yes", flow)
    assert ran.status == 3
    assert desk.files() == {}
    for words in (("1. CivitAI, Fog", "by ann", "10 downloads"), ("2. CivitAI, Fog again", "by bob")):
        assert list(lines_with(ran.out, *words, "SDXL 1.0", "same name"))
    assert "--pick fog.safetensors=N" in ran.out
    states = [o["state"] for o in desk.json("fetch", "--yes", flow).document["unresolved"]]
    assert states == ["ambiguous"]
    assert "--pick fog.safetensors=N" in desk.run("resolve", flow).out
    (reference,) = desk.json("resolve", flow).document["workflows"][0]["references"]
    assert [c["uploader"] for c in reference["resolution"]["candidates"]] == ["ann", "bob"]


def test_pick(desk: Desk) -> None:
    """--pick chooses; that is a yes for this file."""
    flow = ambiguous(desk)
    assert desk.json("fetch", flow, "--pick", "fog.safetensors=2").status == 0
    assert desk.files() == {"loras/fog.safetensors": OTHER_LORA}


def test_pick_between_folders_of_one_name(desk: Desk) -> None:
    """Where two open models share a file name, --pick wants the longer one."""
    ambiguous(desk)
    flow = desk.workflow(desk.lora("a/fog.safetensors"), desk.lora("b/fog.safetensors"))
    ran = desk.json("fetch", flow, "--pick", "fog.safetensors=1")
    assert (ran.status, ran.error["code"]) == (2, "invalid-input")
    assert "a/fog.safetensors, b/fog.safetensors" in ran.error["message"]
    assert desk.json("fetch", flow, "--pick", "b/fog.safetensors=1").status == 3
    assert list(desk.files()) == ["loras/b/fog.safetensors"]


def test_name_alone_needs_a_yes(desk: Desk) -> None:
    """One file with the exact name is fetched with --yes, not without."""
    desk.hub.add_model("Fog", {"fog.safetensors": LORA})
    flow = desk.workflow(desk.lora("fog.safetensors"))
    ran = desk.json("fetch", flow)
    assert (ran.status, [t["consent"] for t in ran.document["withheld"]]) == (3, ["plan"])
    assert "→ --yes fetches it" in desk.run("fetch", flow).out
    assert desk.json("fetch", flow, "--yes").status == 0
    assert list(desk.files()) == ["loras/fog.safetensors"]


def test_setting_fetch_certain_covers_what_is_certain(desk: Desk) -> None:
    """At a terminal the setting saves the question about certain files, never that about a name alone."""
    desk.hub.add_repo("Comfy-Org/ink", {"ink.safetensors": OTHER_LORA})
    desk.hub.add_model("Fog", {"fog.safetensors": LORA})
    url = f"{HF}/Comfy-Org/ink/resolve/main/ink.safetensors"
    flow = desk.workflow(desk.lora("ink.safetensors", url=url), desk.lora("fog.safetensors"))
    desk.run("settings", "set", "fetch_certain", "yes")
    ran = desk.run("fetch", flow, stdin="n\n", terminal=True)
    assert (ran.status, list(desk.files())) == (3, ["loras/ink.safetensors"])
    assert "Fetch fog.safetensors" in ran.err
    assert desk.json("fetch", flow).status == 3


def test_generic_name_is_no_match(desk: Desk) -> None:
    """A name that thousands of files have says nothing: even --yes leaves the choice to a person."""
    desk.hub.add_repo("Comfy-Org/some", {"pytorch_lora_weights.safetensors": LORA})
    flow = desk.workflow(desk.lora("styles/pytorch_lora_weights.safetensors"))
    ran = desk.json("fetch", flow, "--yes")
    assert (ran.status, desk.files()) == (3, {})
    assert ran.document["unresolved"][0]["state"] == "ambiguous"
    assert desk.run("fetch", flow, "--yes", "--pick", "pytorch_lora_weights.safetensors=1").status == 0


def test_a_generic_name_once_fetched_means_no_other(desk: Desk) -> None:
    """What was fetched as one folder's model.safetensors is not taken for another's without a question."""
    desk.hub.add_repo("Comfy-Org/some", {"model.safetensors": LORA})
    first = desk.workflow(desk.lora("a/model.safetensors"))
    assert desk.json("fetch", first, "--yes", "--pick", "model.safetensors=1").status == 0
    second = desk.workflow(desk.lora("b/model.safetensors"))
    assert desk.json("fetch", second, "--yes").status == 3
    assert list(desk.files()) == ["loras/a/model.safetensors"]


def test_two_files_fetched_under_one_name_are_a_choice(desk: Desk) -> None:
    """A name that has meant two contents here is known for neither."""
    for repo, data in (("Comfy-Org/one", LORA), ("Comfy-Org/two", OTHER_LORA)):
        desk.hub.add_repo(repo, {"ink.safetensors": data})
        url = f"{HF}/{repo}/resolve/main/ink.safetensors"
        assert desk.json("fetch", desk.workflow(desk.lora("ink.safetensors", url=url))).status == 0
        (desk.models / "loras" / "ink.safetensors").unlink()
    ran = desk.json("fetch", desk.workflow(desk.lora("ink.safetensors")), "--yes")
    assert (ran.status, desk.files()) == (3, {})
    assert ran.document["unresolved"][0]["state"] == "ambiguous"


def test_a_hub_out_of_reach_leaves_a_name_open(desk: Desk) -> None:
    """That a file is the only one of its name is not known while a hub is silent; --pick still takes it."""
    desk.hub.add_model("Fog", {"fog.safetensors": LORA})
    desk.hub.add_repo("Comfy-Org/fog", {"fog.safetensors": OTHER_LORA})
    desk.hub.bend("huggingface", faults.status(503))
    flow = desk.workflow(desk.lora("fog.safetensors"))
    assert desk.json("fetch", flow, "--yes").status == 3
    assert desk.json("fetch", flow, "--yes", "--pick", "fog.safetensors=1").status == 0
    assert desk.files() == {"loras/fog.safetensors": LORA}


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_allowed_pickles_still_name_their_host(desk: Desk, scheme: str) -> None:
    """--allow-pickle answers for the format alone, not for a foreign host or plain http."""
    url = f"{scheme}://files.example.com/old.pt"
    flow = desk.workflow(desk.vae("old.pt", url=url))
    ran = desk.json("fetch", flow, "--yes", "--allow-pickle")
    assert ran.status == 3
    assert [t["consent"] for t in ran.document["withheld"]] == ["file"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"path": "old.ckpt"}, "invalid-plan"),
        ({"path": "__init__.py"}, "invalid-plan"),
        ({"folder": "configs"}, "refused"),
        ({"folder": "custom_nodes"}, "unknown-folder"),
    ],
)
def test_an_edited_plan_gets_nothing_past(desk: Desk, change: dict[str, str], code: str) -> None:
    """A plan can neither give a file the name of another format nor a folder that is never written."""
    desk.hub.add_repo("Comfy-Org/ink", {"ink.safetensors": LORA})
    document = desk.json("resolve", desk.workflow(desk.lora("ink.safetensors"))).document
    document["plan"]["transfers"][0].update(change, root=str(desk.models / "configs"))
    saved = desk.folder / "plan.json"
    saved.write_text(json.dumps(document), encoding="utf-8")
    ran = desk.json("fetch", saved, "--yes", "--allow-pickle")
    assert (ran.error["code"], desk.files()) == (code, {})


def test_pickles_need_their_own_word(desk: Desk) -> None:
    """A pickle is fetched with --yes and --allow-pickle together, never with one of them."""
    data = b"\x80\x02}q\x00." + b"\0" * 100
    desk.hub.add_repo("Comfy-Org/old", {"old.pt": data})
    url = f"{HF}/Comfy-Org/old/resolve/main/old.pt"
    flow = desk.workflow(desk.vae("old.pt", url=url))
    for options in ([], ["--yes"], ["--allow-pickle"]):
        ran = desk.json("fetch", flow, *options)
        assert (ran.status, desk.files()) == (3, {})
    assert "--yes --allow-pickle" in desk.run("fetch", flow, "--yes").out
    assert desk.json("fetch", flow, "--yes", "--allow-pickle").status == 0
    assert desk.files() == {"vae/old.pt": data}


def test_foreign_host(desk: Desk) -> None:
    """A file on another host is withheld, its host shown in full; --allow-host and --yes let it through."""
    url = "https://models.example.org/a/fog.safetensors"
    flow = desk.workflow(desk.lora("fog.safetensors", url=url))
    ran = desk.run("fetch", "--yes", flow)
    assert ran.status == 3
    assert "from models.example.org, which is no hub" in ran.out
    assert f"--yes --allow-host models.example.org fetches it, if you trust {url}" in ran.out
    allowed = desk.json("fetch", flow, "--allow-host", "Models.Example.org")
    assert [t["consent"] for t in allowed.document["withheld"]] == ["plan"]
    resolved = desk.json("resolve", flow, "--allow-host", "models.example.org").document["plan"]
    assert [t["reason"] for t in resolved["transfers"]] == ["no digest of it is known"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://models.example.org/fog.safetensors", "plain http from models.example.org"),
        ("https://models.example.org/fog.zip", "from models.example.org, which is no hub"),
    ],
)
def test_what_no_option_allows(desk: Desk, url: str, reason: str) -> None:
    """Plain http waits for a yes in a terminal, whatever options say."""
    flow = desk.workflow(desk.lora("fog.safetensors", url=url))
    ran = desk.json("fetch", flow, "--yes", "--allow-pickle")
    assert [t["reason"] for t in ran.document["withheld"]] == [reason]
    assert desk.files() == {}


def test_gated(desk: Desk) -> None:
    """A gated file is refused with its page; with the token of who was granted access it comes."""
    repo = desk.hub.add_repo("Comfy-Org/gated", {"g.safetensors": LORA}, gated="manual")
    account = desk.hub.add_account("keeper", repo.id)
    flow = desk.workflow(desk.lora("g.safetensors", url=f"{HF}/{repo.id}/resolve/main/g.safetensors"))
    ran = desk.run("fetch", "--yes", flow)
    assert ran.status == 3
    assert f"→ {desk.hub.huggingface_endpoint}/Comfy-Org/gated\n" in ran.out
    assert desk.run("resolve", flow).out.count("gated: ask for access") == 1
    assert desk.run("token", "set", "huggingface", stdin=account.token).status == 0
    assert desk.json("fetch", flow).status == 0
    assert desk.files() == {"loras/g.safetensors": LORA}


# ── a hub that is down, transfers that fail ──


def test_hub_down(desk: Desk) -> None:
    """The other hub's files come all the same, and what kept one from answering is said once."""
    flow = stock(desk)
    desk.hub.bend("civitai", faults.status(500))
    ran = desk.json("fetch", flow)
    assert (ran.status, [t["state"] for t in ran.document["transfers"]]) == (3, ["verified"])
    assert [(p["hub"], p["code"]) for p in ran.document["problems"]] == [("civitai", "hub-unavailable")]
    told = desk.run("fetch", "-q", flow)
    assert len(list(lines_with(told.err, "[hub-unavailable]"))) == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [(faults.wrong_bytes(), "digest-mismatch"), (faults.login_page(), "not-a-model")],
)
def test_transfer_fails(desk: Desk, fault: faults.Fault, code: str) -> None:
    """A file that is not what the hub promises fails with status 4; the other one comes."""
    flow = stock(desk)
    desk.hub.bend("delivery.bytes", fault, times=1)
    ran = desk.json("fetch", flow)
    assert ran.status == 4
    assert sorted(t["state"] for t in ran.document["transfers"]) == ["failed", "verified"]
    assert [t["error"]["code"] for t in ran.document["transfers"] if t["error"]] == [code]
    assert sum(name.endswith(".safetensors") for name in desk.files()) == 1
    assert desk.run("fetch", flow).status == 0


def test_transfer_fails_in_words(desk: Desk) -> None:
    """A failure is told with its code and what to do."""
    flow = stock(desk)
    desk.hub.bend("delivery.bytes", faults.wrong_bytes(), times=2)
    ran = desk.run("fetch", flow)
    assert ran.status == 4
    assert "✗ vae/lamp.safetensors" in ran.out
    assert "[digest-mismatch]" in ran.out
    assert "2 failed." in ran.out


def test_name_taken_by_other_content(desk: Desk) -> None:
    """What is there stays; the fetched file gets a second name, which is said."""
    desk.hub.add_model("Ink Wash", {"ink.safetensors": LORA})
    (desk.models / "loras" / "ink.safetensors").write_bytes(OTHER_LORA)
    ran = desk.run("fetch", f"v:{desk.hub.shelf.models[0].versions[0].id}")
    assert ran.status == 0
    assert "ink.safetensors is taken by other content" in ran.out
    assert desk.files()["loras/ink.safetensors"] == OTHER_LORA
    assert LORA in desk.files().values()


# ── what fetch takes besides a workflow ──


def test_every_form_of_a_model(desk: Desk) -> None:
    """Page, AIR, model id, version id, hf: and a Hugging Face link name one file each."""
    model = desk.hub.add_model("Ink Wash", {"ink.safetensors": LORA})
    version = model.versions[0]
    desk.hub.add_repo("Comfy-Org/lamp", {"vae/lamp.safetensors": VAE})
    things = (
        f"https://civitai.com/models/{model.id}?modelVersionId={version.id}",
        f"urn:air:sdxl:lora:civitai:{model.id}@{version.id}",
        str(model.id),
        f"v:{version.id}",
        "hf:Comfy-Org/lamp/vae/lamp.safetensors",
        f"{HF}/Comfy-Org/lamp/blob/main/vae/lamp.safetensors",
    )
    ran = desk.json("fetch", *things)
    assert ran.status == 0
    assert desk.files() == {"loras/ink.safetensors": LORA, "vae/lamp.safetensors": VAE}
    assert len(ran.document["transfers"]) == 2


def test_workflow_and_link_to_one_file(desk: Desk) -> None:
    """A file that a workflow and a link both mean is brought once."""
    flow = stock(desk)
    ran = desk.json("fetch", flow, "hf:Comfy-Org/lamp/vae/lamp.safetensors")
    assert (ran.status, len(ran.document["transfers"])) == (0, 2)


def test_several_workflows(desk: Desk) -> None:
    """Several workflows make one plan; one that cannot be read does not keep the others."""
    broken = desk.folder / "broken.json"
    broken.write_text("{")
    ran = desk.json("fetch", stock(desk), desk.workflow(desk.vae("lamp.safetensors"), name="b.json"), broken)
    assert (ran.status, len(ran.document["transfers"])) == (2, 2)
    assert [(e["path"], e["code"]) for e in ran.document["errors"]] == [(str(broken), "invalid-workflow")]
    assert "invalid-workflow" in desk.run("fetch", "-q", broken).err


def test_image(desk: Desk) -> None:
    """A picture that carries a workflow is a workflow."""
    ran = desk.json("inspect", Path(__file__).parents[1] / "workflow" / "samples" / "unicode.png")
    assert ran.document["workflows"][0]["error"] is None


def test_folder_of_a_link(desk: Desk) -> None:
    """Where the hub does not say which folder, the person must."""
    desk.hub.add_repo("somebody/thing", {"thing.safetensors": LORA})
    ran = desk.json("fetch", "hf:somebody/thing/thing.safetensors")
    assert (ran.status, ran.error["code"]) == (2, "unknown-folder")
    assert "--folder" in ran.error["hint"]
    assert desk.json("fetch", "hf:somebody/thing/thing.safetensors", "--folder", "unet").status == 0
    assert list(desk.files()) == ["diffusion_models/thing.safetensors"]


@pytest.mark.parametrize("thing", ["hf:Comfy-Org/many", f"{HF}/Comfy-Org/many/tree/main/vae"])
def test_repository_with_several_files(desk: Desk, thing: str) -> None:
    """A repository or folder of several models is a question back, with what can be given."""
    desk.hub.add_repo("Comfy-Org/many", {f"vae/{n:02}.safetensors": VAE + bytes(n) for n in range(14)})
    ran = desk.json("fetch", thing)
    assert (ran.status, ran.error["code"]) == (2, "several-files")
    assert "hf:Comfy-Org/many/vae/00.safetensors hf:Comfy-Org/many/vae/01" in ran.error["hint"]
    assert "and 2 more" in ran.error["hint"]


def test_repository_with_one_file(desk: Desk) -> None:
    """With one model there is nothing to ask."""
    desk.hub.add_repo("Comfy-Org/lamp", {"vae/lamp.safetensors": VAE, "README.md": b"# lamp"})
    assert desk.json("fetch", "hf:Comfy-Org/lamp").status == 0
    assert desk.files() == {"vae/lamp.safetensors": VAE}


# ── saved plans ──


def test_saved_plan(desk: Desk) -> None:
    """What resolve --json printed is fetched as planned, also from another installation's plan."""
    flow = stock(desk)
    (desk.folder / "plan.json").write_text(desk.json("resolve", flow).out)
    ran = desk.json("fetch", "plan.json")
    assert (ran.status, len(ran.document["transfers"])) == (0, 2)
    assert desk.files() == {"loras/style/ink.safetensors": LORA, "vae/lamp.safetensors": VAE}
    again = desk.json("fetch", "plan.json")
    assert [t["state"] for t in again.document["transfers"]] == ["skipped", "skipped"]
    assert "already there with the same content" in desk.run("fetch", "plan.json").out


def test_saved_plan_of_another_place(desk: Desk) -> None:
    """A root that is not one of this installation's gives way to the folder's own."""
    document = desk.json("resolve", stock(desk)).document
    for transfer in document["plan"]["transfers"]:
        transfer["root"] = "/etc"
    (desk.folder / "plan.json").write_text(json.dumps(document["plan"]))
    assert desk.json("fetch", "plan.json").status == 0
    assert len(desk.files()) == 2


def test_saved_plan_cannot_consent(desk: Desk) -> None:
    """Whatever a plan claims of hub, consent, scans and evidence: who must agree is judged anew."""
    document = desk.json("resolve", stock(desk)).document
    for transfer in document["plan"]["transfers"]:
        for place in (transfer, transfer["file"]):
            place["url"] = "https://evil.example.org/m.safetensors"
        assert transfer["consent"] == "automatic"
    (desk.folder / "plan.json").write_text(json.dumps(document))
    ran = desk.json("fetch", "plan.json", "--yes")
    assert (ran.status, ran.document["transfers"], desk.files()) == (3, [], {})
    assert {t["consent"] for t in ran.document["withheld"]} == {"file"}


def test_saved_plan_cannot_name_by_hand(desk: Desk) -> None:
    """A link on the command line is a choice by hand; the same file in a plan without references is not."""
    desk.hub.add_repo("Comfy-Org/lamp", {"lamp.safetensors": VAE})
    link = ("hf:Comfy-Org/lamp/lamp.safetensors", "--folder", "vae")
    desk.run("settings", "set", "automatic_cap", "1000")
    saved = desk.json("fetch", *link, "--dry-run").document["plan"]
    assert [(t["consent"], t["references"]) for t in saved["transfers"]] == [("plan", [])]
    (desk.folder / "plan.json").write_text(json.dumps(saved))
    ran = desk.json("fetch", "plan.json")
    assert (ran.status, len(ran.document["withheld"]), desk.files()) == (3, 1, {})
    assert desk.json("fetch", *link).status == 0


def test_saved_plan_whose_file_is_gone(desk: Desk) -> None:
    """What was present when the plan was made and is no longer stays open."""
    flow = stock(desk)
    desk.run("fetch", flow)
    (desk.folder / "plan.json").write_text(desk.json("resolve", flow).out)
    (desk.models / "vae" / "lamp.safetensors").unlink()
    ran = desk.json("fetch", "plan.json")
    assert (ran.status, [o["state"] for o in ran.document["unresolved"]]) == (3, ["missing"])
    assert "no longer" in ran.document["unresolved"][0]["reason"]


def test_sidecar_and_index(desk: Desk) -> None:
    """A fetched file has CivitAI's record beside it, and a name alone no longer stands for it."""
    flow = stock(desk)
    assert desk.json("fetch", flow).status == 0
    assert [record["id"] for record in desk.sidecars().values()] == [desk.hub.shelf.models[0].versions[0].id]
    (workflow,) = desk.json("inspect", flow).document["workflows"]
    resolution = workflow["references"][0]["resolution"]
    assert (resolution["placement"], resolution["evidence"]) == ("exact", "digest")
    (desk.models / "loras/style/ink.safetensors").write_bytes(OTHER_LORA)
    assert desk.run("inspect", flow).status == 0  # nobody has looked inside
    with Index(desk.home) as index:
        index.hashed(list_file(str(desk.models / "loras"), "loras", "style/ink.safetensors"))
    ran = desk.json("inspect", flow)
    assert ran.status == 3
    (workflow,) = ran.document["workflows"]
    assert {stranger["file"]["path"] for stranger in workflow["strangers"]} == {"style/ink.safetensors"}
    assert "loras/style/ink.safetensors is here but another file" in desk.run("inspect", flow).out


def test_no_sidecars(desk: Desk) -> None:
    """None is written for who wants none."""
    desk.run("settings", "set", "sidecars", "none")
    assert desk.json("fetch", stock(desk)).status == 0
    assert desk.sidecars() == {}
