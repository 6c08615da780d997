"""The commands besides the main job, and what all of them have in common."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest
from cli_desk import LORA, OTHER_LORA, VAE, Desk
from cli_shapes import SETTING, check
from fakehub import faults

from comfywatchman.cli.main import main, run
from comfywatchman.cli.output import fit, make_forgiving
from comfywatchman.demo.shelf import Blob
from comfywatchman.errors import Interrupted, WatchmanError

SHA = Blob.of(LORA).sha256
ALL = (
    "inspect",
    "resolve",
    "fetch",
    "script",
    "search",
    "describe",
    "checkpoint",
    "token",
    "settings",
    "demo",
    "completion",
)


# ── search, describe ──


def test_search(desk: Desk) -> None:
    """Models of both hubs, with what fetches them."""
    model = desk.hub.add_model("Ink Wash", {"ink.safetensors": LORA})
    desk.hub.add_repo("Comfy-Org/ink", {"ink.safetensors": VAE})
    ran = desk.json("search", "ink")
    assert (ran.status, [m["hub"] for m in ran.document["models"]]) == (0, ["civitai", "huggingface"])
    told = desk.run("search", "ink").out
    assert f"fetch v:{model.versions[0].id}" in told
    assert "fetch hf:Comfy-Org/ink" in told


def test_search_narrowed(desk: Desk) -> None:
    """One hub, a type and a base model narrow it down; nothing found is said and no fault."""
    desk.hub.add_model("Ink Wash", {"ink.safetensors": LORA})
    options = ("--hub", "civitai", "--type", "LORA", "--sort", "downloads", "--limit", "3", "--nsfw")
    assert len(desk.json("search", "ink", *options).document["models"]) == 1
    ran = desk.run("search", "ink", "--hub", "civitai", "--base-model", "Flux.1 D", "--sfw")
    assert (ran.status, ran.out) == (0, "Nothing found.\n")


def test_search_with_a_hub_down(desk: Desk) -> None:
    """The other hub's models are shown; with none at all the status is 3."""
    desk.hub.add_repo("Comfy-Org/ink", {"ink.safetensors": VAE})
    desk.hub.bend("civitai", faults.status(500))
    ran = desk.json("search", "ink")
    assert (ran.status, [p["hub"] for p in ran.document["problems"]]) == (0, ["civitai"])
    alone = desk.run("search", "ink", "--hub", "civitai")
    assert (alone.status, "[hub-unavailable]" in alone.out) == (3, True)


def test_describe_file(desk: Desk) -> None:
    """A file on this disk is known by its digest, whatever its name."""
    desk.hub.add_model("Ink Wash", {"ink.safetensors": LORA}, version={"trained_words": ("ink wash",)})
    path = desk.folder / "renamed.safetensors"
    path.write_bytes(LORA)
    ran = desk.json("describe", path)
    assert (ran.status, ran.document["local"]["size"]) == (0, len(LORA))
    assert ran.document["files"][0]["trigger_words"] == ["ink wash"]
    told = desk.run("describe", path).out
    assert "renamed.safetensors" in told
    assert "trigger words ink wash" in told


def test_describe_file_offline(desk: Desk) -> None:
    """Without a network a file is told from its header and its sidecars, and where each was read."""
    path = desk.folder / "ink.safetensors"
    path.write_bytes(LORA)
    own = {"activation text": "ink wash, brush", "preferred weight": 0.8, "notes": "long " * 200}
    path.with_suffix(".json").write_text(json.dumps(own), encoding="utf-8")
    other = {"name": "v9", "trainedWords": ["fog"], "files": [{"hashes": {"SHA256": "ab" * 32}}]}
    path.with_suffix(".civitai.info").write_text(json.dumps(other), encoding="utf-8")
    tips = json.dumps({"strength_min": 0.5, "strength_max": 1})
    path.with_suffix(".metadata.json").write_text(json.dumps({"file_name": "ink", "usage_tips": tips}))
    path.with_suffix(".info").write_bytes(b"{")
    ran = desk.json("describe", "--offline", path)
    document = ran.document
    assert (ran.status, document["files"], document["trigger_words"]) == (0, [], ["ink wash", "brush"])
    assert document["content"] == {"format": "safetensors", "exact": True, "error": None}
    assert document["header"]["common_tags"] == ["ink wash"]
    said = {sidecar["name"]: sidecar for sidecar in document["sidecars"]}
    assert (said["ink.json"]["dialect"], said["ink.json"]["weight"]) == ("a1111", 0.8)
    assert (said["ink.civitai.info"]["is_of_this_file"], said["ink.json"]["is_of_this_file"]) == (False, None)
    assert [unread["name"] for unread in document["unread"]] == ["ink.info"]
    told = desk.run("describe", "--offline", path).out
    for line in (
        "format        safetensors, complete",
        "said by       the file's own header",
        "said by       ink.json (a1111)",
        "said by       ink.civitai.info (civitai-helper); it names the digest of another file",
        "own words     ink wash, brush",
        "weight        0.8",
        "weight        from 0.5 to 1",
        "unreadable    ink.info: not JSON",
    ):
        assert line in told
    assert max(map(len, told.splitlines())) < 600


def test_describe_damaged_file(desk: Desk) -> None:
    """A file that was cut short is described and its damage told."""
    path = desk.folder / "cut.safetensors"
    path.write_bytes(LORA[:-1])
    error = desk.json("describe", "--offline", path).document["content"]["error"]
    assert error["code"] == "not-a-model"
    assert "damage        'cut.safetensors': its header describes" in desk.run("describe", path).out


def test_describe_unreadable_subject(desk: Desk) -> None:
    """A subject too long for a file's name is no fault of ours."""
    ran = desk.json("describe", "x" * 5000)
    assert (ran.status, ran.error["code"]) == (2, "invalid-air")


@pytest.mark.parametrize(
    "subject", [f"sha256:{SHA}", SHA, "v:{version}", "{model}", "hf:Comfy-Org/ink/ink.sft"]
)
def test_describe(desk: Desk, subject: str) -> None:
    """A digest, an id and a link are described from the hubs' records."""
    model = desk.hub.add_model("Ink Wash", {"ink.safetensors": LORA})
    desk.hub.add_repo("Comfy-Org/ink", {"ink.sft": LORA})
    ran = desk.json("describe", subject.format(model=model.id, version=model.versions[0].id))
    assert (ran.status, ran.document["local"]) == (0, None)
    assert f"sha256:{SHA}" in ran.document["files"][0]["digests"]


def test_describe_what_nobody_knows(desk: Desk) -> None:
    """A digest no hub has is status 3; offline nobody was asked; other text is no model."""
    path = desk.folder / "mine.safetensors"
    path.write_bytes(OTHER_LORA)
    assert desk.run("describe", path).out.endswith("No hub that was asked knows it.\n")
    assert desk.json("describe", path).status == 3
    assert desk.run("describe", "--offline", path).out.endswith("Offline: no hub was asked.\n")
    ran = desk.json("describe", "ink wash")
    assert (ran.status, ran.error["code"]) == (2, "invalid-air")
    offline = desk.json("describe", "--offline", "v:7")
    assert (offline.status, offline.error["code"]) == (2, "needs-network")
    assert offline.error["message"] == "CivitAI is not asked offline"
    desk.run("settings", "set", "offline", "true")
    assert desk.run("describe", path).out.endswith("Offline: no hub was asked.\n")
    assert desk.json("describe", path).status == 0


def test_describe_with_a_hub_down(desk: Desk) -> None:
    """What kept a hub from answering stands below the file's own facts."""
    desk.hub.bend("civitai", faults.status(500))
    path = desk.folder / "mine.safetensors"
    path.write_bytes(LORA)
    ran = desk.json("describe", path)
    assert (ran.status, [p["hub"] for p in ran.document["problems"]]) == (3, ["civitai"])
    assert "[hub-unavailable]" in desk.run("describe", path).out


# ── token, settings ──


@pytest.mark.parametrize("hub", ["civitai", "huggingface"])
def test_token(desk: Desk, hub: str) -> None:
    """A token comes by stdin, is kept for this user only, tells whose it is, and goes away again."""
    account = desk.hub.add_account("keeper")
    kept = desk.json("token", "set", hub, stdin=f"{account.token}\n")
    assert (kept.status, kept.document["has_token"]) == (0, True)
    path = Path(kept.document["where"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert desk.json("token", "test", hub).document["account"] == "keeper"
    assert "as keeper." in desk.run("token", "test", hub).out
    assert account.token not in kept.out + kept.err
    assert desk.json("token", "remove", hub).document["has_token"] is False
    assert desk.json("token", "test", hub).error["code"] == "login-required"


def test_token_in_words(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where it keeps a token, that it forgot it, and that another place still has one."""
    assert "Kept the token of civitai in" in desk.run("token", "set", "civitai", stdin="abcdef").err
    assert "Forgot the token" in desk.run("token", "remove", "civitai").err
    assert "No token of civitai" in desk.run("token", "remove", "civitai").err
    monkeypatch.setenv("CIVITAI_API_KEY", "abcdef")
    ran = desk.run("token", "remove", "civitai")
    assert (ran.status, "environment (CIVITAI_API_KEY)" in ran.err) == (3, True)


@pytest.mark.parametrize("text", ["", "\n", "two words", "nüll"])
def test_token_that_is_none(desk: Desk, text: str) -> None:
    """What cannot be a token is refused without being shown."""
    ran = desk.json("token", "set", "civitai", stdin=text)
    assert (ran.status, ran.error["code"]) == (2, "invalid-settings")
    assert text.strip() == "" or text not in ran.out


def test_token_of_the_user_is_found_with_comfyui(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept without --comfyui it counts with it too; the ComfyUI's own comes first."""
    monkeypatch.delenv("COMFYWATCHMAN_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(desk.folder / "xdg"))
    mine, theirs = desk.hub.add_account("mine"), desk.hub.add_account("theirs")
    desk.run("token", "set", "civitai", stdin=mine.token)
    asked = ("token", "test", "civitai", "--comfyui", desk.comfyui)
    assert desk.json(*asked).document["account"] == "mine"
    desk.run("token", "set", "civitai", "--comfyui", desk.comfyui, stdin=theirs.token)
    assert desk.json(*asked).document["account"] == "theirs"
    assert desk.json("token", "test", "civitai").document["account"] == "mine"


def test_settings(desk: Desk) -> None:
    """Every setting is shown with where it comes from; what is set is shown again."""
    shown = desk.json("settings", "show").document["settings"]
    check(list(shown.values()), [SETTING])
    assert shown["civitai_endpoint"]["origin"] == "environment"
    ran = desk.json("settings", "set", "automatic_cap", "2 GiB")
    assert ran.document["settings"] == {"automatic_cap": {"value": 2 << 30}}
    assert desk.json("settings", "show").document["settings"]["automatic_cap"]["origin"] == "file"
    assert desk.run("settings", "set", "nsfw", "yes").err == "nsfw = true\n"
    assert desk.run("settings", "set", "mirrors", "https://a.example, https://b.example").status == 0
    told = desk.run("settings", "show").out
    assert "https://a.example, https://b.example" in told
    assert desk.run("settings", "set", "mirrors", "default").err == "mirrors = none\n"


@pytest.mark.parametrize(
    "words", [("nonsense", "1"), ("plan_files", "many"), ("civitai_endpoint", "civitai")]
)
def test_settings_that_mean_nothing(desk: Desk, words: tuple[str, str]) -> None:
    """An unknown setting or value is told with what would be one."""
    ran = desk.json("settings", "set", *words)
    assert (ran.status, ran.error["code"], bool(ran.error["hint"])) == (2, "invalid-settings", True)


# ── script, completion, demo ──


def test_script(desk: Desk) -> None:
    """The script of a plan brings the same files with a shell and curl alone."""
    desk.hub.add_repo("Comfy-Org/lamp", {"vae/lamp.safetensors": VAE})
    url = "https://huggingface.co/Comfy-Org/lamp/resolve/main/vae/lamp.safetensors"
    plan = desk.json("resolve", desk.workflow(desk.vae("lamp.safetensors", url=url))).out
    (desk.folder / "plan.json").write_text(plan)
    text = desk.run("script", "plan.json").out
    assert desk.json("script", "-", stdin=plan).document["script"] == text
    assert desk.json("script", "plan.json").document["script"] == text
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    subprocess.run(["sh", "-c", text], check=True, capture_output=True, timeout=30)
    assert desk.files() == {"vae/lamp.safetensors": VAE}
    again = subprocess.run(["sh", "-c", text], check=True, capture_output=True, text=True, timeout=30)
    assert "already there" in again.stdout


def test_script_quotes_what_comes_from_outside(desk: Desk) -> None:
    """A name or address cannot leave its quotes, and tokens go to the hubs' own addresses alone."""
    desk.hub.add_model("Ink", {"ink.safetensors": LORA})
    plan = desk.json("resolve", desk.workflow(desk.lora("ink.safetensors"))).document["plan"]
    outside = (
        ("civitai", "https://civitai.com/$(touch evil)"),
        ("huggingface", "https://huggingface.co/'`touch evil`"),
        ("civitai", "https://civitai.com.example.org/x"),
        ("huggingface", "--config=evil"),
    )
    for hub, url in outside:
        transfer = json.loads(json.dumps(plan["transfers"][0]))
        transfer["file"] |= {"hub": hub, "url": url}
        transfer["path"] = "a 'b' $(touch evil).safetensors"
        transfer["reason"] = "one\ntouch evil"
        (desk.folder / "p.json").write_text(json.dumps({**plan, "transfers": [transfer]}))
        text = desk.run("script", "p.json").out
        assert ('"${CIVITAI_API_KEY:-}"' in text) == url.startswith("https://civitai.com/")
        assert ('"${HF_TOKEN:-}"' in text) == url.startswith("https://huggingface.co/")
        assert ("\nfetch " in text) == url.startswith("https:")
        call = "fetch() { :; }\n" + text.partition("\n}\n")[2]
        subprocess.run(["sh", "-c", call], check=True, cwd=desk.folder, timeout=10)
        assert not (desk.folder / "evil").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(desk: Desk, shell: str) -> None:
    """The script completes by asking the program, and stands in the document too."""
    ran = desk.json("completion", shell)
    assert ran.document["script"].strip() == desk.run("completion", shell).out.strip()
    assert "_COMFYWATCHMAN_COMPLETE" in ran.out


def test_demo(desk: Desk) -> None:
    """Four commands in order, as a person would type them; the ending is as told."""
    ran = desk.run("demo")
    assert ran.status == 0
    order = [ran.out.index(f"$ comfywatchman {verb}") for verb in ("inspect", "resolve", "fetch")]
    assert order == sorted(order)
    assert "5 files fetched" in ran.out
    assert "6 model files" in ran.out
    assert Path.cwd() == desk.folder
    assert os.environ["COMFYWATCHMAN_HOME"] == str(desk.home)


def test_demo_in_json(desk: Desk) -> None:
    """One document that holds every command's own, and the folder that was kept."""
    ran = desk.json("demo", "--keep", desk.folder / "stage")
    assert (ran.status, ran.err) == (0, "")
    assert [step["status"] for step in ran.document["steps"]] == [3, 3, 3, 3]
    assert all(model["as_told"] for model in ran.document["models"])
    assert (Path(ran.document["folder"]) / "models" / "vae" / "lighthouse_vae.safetensors").is_file()


def test_demo_that_ends_otherwise(desk: Desk) -> None:
    """A file that lies where the story has none is told, with status 1; -q leaves the commands' answers."""
    wrong = desk.folder / "stage" / "models" / "loras" / "night_watch.safetensors"
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes(LORA)
    ran = desk.run("demo", "-q", "--keep", desk.folder / "stage")
    assert "$ comfywatchman" not in ran.out
    assert (ran.status, "night_watch.safetensors should be inactive" in ran.err) == (1, True)


# ── what all commands have in common ──


@pytest.mark.parametrize("command", ALL)
def test_help(desk: Desk, command: str) -> None:
    """Every command tells what it does."""
    ran = desk.run(command, "--help")
    assert (ran.status, ran.out.startswith(f"Usage: comfywatchman {command}")) == (0, True)


@pytest.mark.parametrize(
    "words", [("fetch",), ("nonsense",), ("fetch", "--nonsense", "x"), ("search", "x", "--limit", "0"), ()]
)
def test_command_lines_that_cannot_be_read(desk: Desk, words: tuple[str, ...]) -> None:
    """They are status 2: with --json a document, without it the usage on stderr."""
    ran = desk.json(*words)
    assert (ran.status, ran.error["code"], ran.err) == (2, "invalid-input", "")
    plain = desk.run(*words)
    assert (plain.status, plain.out, "Usage: comfywatchman" in plain.err) == (2, "", True)


def test_pick_that_is_none(desk: Desk) -> None:
    """Options that cannot be read are told before anything is looked for."""
    ran = desk.json("fetch", "x.json", "--pick", "x")
    assert (ran.status, ran.error["code"]) == (2, "invalid-input")


TOKEN = "hf_" + "a1" * 17


@click.command()
@click.option("--kind", default="crash")
def failing(kind: str) -> None:
    """A command with a fault in it."""
    match kind:
        case "crash":
            raise RuntimeError(f"https://u:p@example.org/?token=abc Bearer xyz {TOKEN} own-secret-word")
        case "interrupt":
            raise KeyboardInterrupt
        case "transfer":
            raise Interrupted("the line broke")
        case _:
            raise WatchmanError("who: what", hint="do this")


def test_fault_of_ours(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Status 1; the traceback is in the log, and no secret is: neither one that looks so nor a known one."""
    monkeypatch.setenv("CIVITAI_API_KEY", "own-secret-word")
    monkeypatch.setenv("HF_TOKEN", "not a token")
    assert run([], command=failing) == 1
    log = (desk.home / "comfywatchman.log").read_text()
    told = capsys.readouterr()
    assert (told.out, "comfywatchman.log" in told.err) == ("", True)
    assert "RuntimeError" in log
    for secret in ("u:p", "abc", "xyz", TOKEN, "own-secret-word"):
        assert secret not in log + told.err


def test_log_where_the_data_folder_cannot_be_made(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The log goes to the system's temporary folder then."""
    (desk.folder / "file").touch()
    monkeypatch.setenv("COMFYWATCHMAN_HOME", str(desk.folder / "file" / "data"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run([], command=failing) == 1
    assert (tmp_path / "comfywatchman.log").is_file()
    monkeypatch.setattr("tempfile.tempdir", str(desk.folder / "file"))
    assert run([], command=failing) == 1
    assert os.devnull in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "status"), [("interrupt", 130), ("transfer", 4), ("other", 3)])
def test_statuses(capsys: pytest.CaptureFixture[str], kind: str, status: int) -> None:
    """An interruption is 130, a transfer's fault 4; what is nobody's input leaves something open."""
    assert run(["--kind", kind], command=failing) == status
    assert "→" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("✓ a → b", "cp1252", "ok a -> b"),
        ("✗ 墨", "ascii", "FAILED ?"),
        ("✓ 墨", "utf-8", "✓ 墨"),
        ("é", None, "?"),
    ],
)
def test_letters_a_terminal_does_not_have(text: str, encoding: str | None, shown: str) -> None:
    """Signs become words, other letters question marks; nothing fails."""
    assert fit(text, encoding) == shown


def test_streams_that_forgive(monkeypatch: pytest.MonkeyPatch) -> None:
    """What others write to stdout cannot fail for its letters either; other streams are left alone."""
    old = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", errors="strict")
    monkeypatch.setattr(sys, "stdout", old)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    make_forgiving()
    assert old.errors == "replace"


def test_every_command_is_listed() -> None:
    """The list these tests go by is the program's."""
    assert tuple(main.list_commands(click.Context(main))) == ALL
    assert main.get_command(click.Context(main), "nonsense") is None


def test_a_folder_that_cannot_be_read_is_told(desk: Desk) -> None:
    """Files below it would silently count as missing."""
    deep = desk.models / "loras" / "/".join("d" * 45)
    deep.mkdir(parents=True)
    ran = desk.run("inspect", desk.workflow(desk.lora("fog.safetensors")))
    assert "not looked through: more than 40 folders deep" in ran.err


def test_a_working_directory_that_is_gone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is needed for nothing but finding a ComfyUI, and then that is said."""
    gone = desk.folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    flow = desk.workflow(desk.lora("fog.safetensors"))
    assert "fog.safetensors" in desk.run("inspect", flow).out
    monkeypatch.delenv("COMFYUI_PATH")
    assert desk.json("inspect", flow).error["code"] == "no-comfyui"


def test_checkpoint(desk: Desk) -> None:
    """The active checkpoint is shown and chosen, for every process of this data folder."""
    assert (desk.json("checkpoint").status, desk.json("checkpoint").document["name"]) == (3, None)
    assert desk.run("checkpoint", " sd.safetensors ").out == "sd.safetensors\n"
    chosen = desk.json("checkpoint", "v:2247497")
    assert (chosen.status, chosen.document["name"], chosen.document["revision"]) == (0, "v:2247497", 2)
    assert desk.run("checkpoint").out == "v:2247497\n"
    assert desk.run("checkpoint", " ").status == 2
