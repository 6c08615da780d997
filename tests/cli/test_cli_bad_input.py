"""Bad input and bad luck: each a clear error with what to do next, and nothing lost or half written."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_desk import LORA, OTHER_LORA, VAE, Desk, child_environment, make_desk
from cli_shapes import check_document
from fakehub import faults
from fakehub.server import FakeHub

from comfywatchman.demo.shelf import Blob

HF = "https://huggingface.co"
NODE = '{"id": 1, "type": "LoraLoader", "widgets_values": [%s, 1, 1]}'


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(b"\0\0"))
    + _chunk(b"IEND", b"")
)
DEEP = "[" * 100_000 + "]" * 100_000
FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "invalid-workflow"),
    "not JSON": (b"hello, workflow", "invalid-workflow"),
    "cut JSON": (b'{"nodes": [', "invalid-workflow"),
    "JSON that is no workflow": (b'{"last_node_id": 4, "models": []}', "invalid-workflow"),
    "a number": (b"7", "invalid-workflow"),
    "depth 100,000": (DEEP.encode(), "invalid-workflow"),
    "depth 100,000 in a node": (f'{{"nodes": [{NODE % DEEP}]}}'.encode(), "invalid-workflow"),
    "a PNG without a workflow": (PNG, "invalid-workflow"),
    "a PNG that is cut": (PNG[:20], "invalid-workflow"),
    "a model": (LORA, "invalid-workflow"),
    "a web page": (b"<!doctype html><title>Log in</title>", "invalid-workflow"),
    "a plan of another year": (b'{"schema": "comfywatchman.plan/9", "transfers": []}', "invalid-workflow"),
}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file with its bytes, but for what comfywatchman remembers in its data folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if path.relative_to(folder).parts[0] not in ("data", "person")
    }


@pytest.fixture
def kept(desk: Desk) -> Iterator[Desk]:
    """A desk with a model in it; whatever the test does, every file on it stays as it was."""
    (desk.models / "loras" / "mine.safetensors").write_bytes(OTHER_LORA)
    yield desk
    assert desk.files() == {"loras/mine.safetensors": OTHER_LORA}


@pytest.mark.parametrize("verb", ["inspect", "resolve", "fetch"])
@pytest.mark.parametrize("name", FILES)
def test_file_that_is_no_workflow(kept: Desk, name: str, verb: str) -> None:
    """Each is told for what it is, with a hint, at once, and leaves everything as it was."""
    data, code = FILES[name]
    path = kept.folder / "flow.json"
    path.write_bytes(data)
    before = tree(kept.folder)
    document = (ran := kept.json(verb, path)).document
    assert ran.status == 2
    (error,) = document["errors"] if verb == "fetch" else [document["workflows"][0]["error"]]
    assert (error["code"], bool(error["hint"])) == (code, True)
    assert len(error["message"]) < 300
    plain = kept.run(verb, path)
    assert (plain.status, f"[{code}]" in plain.out + plain.err) == (2, True)
    assert tree(kept.folder) == before
    assert kept.hub.requests == []


def test_100_megabytes(kept: Desk) -> None:
    """A file that is far too large is told so without being read whole."""
    path = kept.folder / "flow.json"
    path.write_bytes(b'{"nodes": [')
    os.truncate(path, 100 << 20)
    ran = kept.json("inspect", path)
    error = ran.document["workflows"][0]["error"]
    assert (ran.status, error["code"]) == (2, "invalid-workflow")
    path.unlink()


def test_numbers_of_5000_digits(kept: Desk) -> None:
    """A number nobody can use does no harm: it is read as none, or told."""
    digits = "9" * 5000
    path = kept.folder / "flow.json"
    path.write_text(f'{{"nodes": [{NODE % digits}, {NODE % json.dumps("a.safetensors")}], "x": -{digits}}}')
    ran = kept.json("inspect", path)
    assert ran.status in (2, 3)
    assert digits not in ran.out


def test_lone_surrogates(kept: Desk) -> None:
    """Half a character in a name is shown as what it is and never becomes a path."""
    name = '"\\ud800ink.safetensors"'
    kept.hub.add_model("Ink", {"ink.safetensors": LORA})
    path = kept.folder / "flow.json"
    node = {
        "id": 1, "type": "LoraLoader", "widgets_values": ["@", 1, 1],
        "properties": {"models": [{"name": "@", "hash": Blob.of(LORA).sha256, "hash_type": "SHA256"}]},
    }  # fmt: skip
    path.write_text(json.dumps({"nodes": [node]}).replace('"@"', name))
    for verb in ("inspect", "resolve", "fetch"):
        assert kept.json(verb, path).status == 3
        assert kept.run(verb, path).status == 3


# ── what is given besides files ──

Arrange = Callable[[Desk, pytest.MonkeyPatch], list[str]]


def _nowhere(desk: Desk, patch: pytest.MonkeyPatch) -> list[str]:
    patch.delenv("COMFYUI_PATH")
    patch.chdir("/")
    return ["inspect", str(desk.workflow(desk.lora("a.safetensors")))]


def _unknown_folder(desk: Desk, _patch: pytest.MonkeyPatch) -> list[str]:
    desk.hub.add_model("Ink", {"ink.safetensors": LORA})
    return ["fetch", str(desk.hub.shelf.models[0].id), "--folder", "sorcery"]


def _comfyui_gone(desk: Desk, patch: pytest.MonkeyPatch) -> list[str]:
    patch.setenv("COMFYUI_PATH", str(desk.folder / "gone"))
    return ["inspect", str(desk.workflow(desk.lora("a.safetensors")))]


def _models_gone(desk: Desk, _patch: pytest.MonkeyPatch) -> list[str]:
    return ["inspect", str(desk.workflow(desk.lora("a.safetensors"))), "--models-dir", "gone"]


def _wrong_token(desk: Desk, patch: pytest.MonkeyPatch) -> list[str]:
    patch.setenv("CIVITAI_API_KEY", "0123456789abcdef0123456789abcdef")
    return ["token", "test", "civitai"]


def _no_token(_desk: Desk, patch: pytest.MonkeyPatch) -> list[str]:
    patch.setenv("HF_TOKEN", "\x1b[31m")
    return ["token", "test", "huggingface"]


def _broken_settings(desk: Desk, _patch: pytest.MonkeyPatch) -> list[str]:
    desk.home.mkdir()
    (desk.home / "settings.json").write_text("{")
    return ["settings", "show"]


def _broken_loaders(desk: Desk, _patch: pytest.MonkeyPatch) -> list[str]:
    desk.home.mkdir()
    (desk.home / "loaders.json").write_text('{"mine": {"Loader": {"name@0": 7}}}')
    return ["inspect", str(desk.workflow(desk.lora("a.safetensors")))]


def _broken_plan(desk: Desk, _patch: pytest.MonkeyPatch) -> list[str]:
    (desk.folder / "plan.json").write_text('{"schema": "comfywatchman.plan/1", "transfers": [{}]}')
    return ["fetch", "plan.json"]


def _climbing_plan(desk: Desk, _patch: pytest.MonkeyPatch) -> list[str]:
    desk.hub.add_model("Ink", {"ink.safetensors": LORA})
    plan = desk.json("resolve", desk.workflow(desk.lora("ink.safetensors"))).document["plan"]
    plan["transfers"][0]["path"] = "../../evil.safetensors"
    (desk.folder / "plan.json").write_text(json.dumps(plan))
    return ["fetch", "plan.json", "--yes"]


def _foreign_comfyui(desk: Desk, _patch: pytest.MonkeyPatch) -> list[str]:
    url = "http://192.0.2.1:8188"
    return ["inspect", str(desk.workflow(desk.lora("a.safetensors"))), "--comfyui-url", url]


def _words(*words: str) -> Arrange:
    return lambda _desk, _patch: list(words)


SITUATIONS: dict[str, tuple[Arrange, int, str, str]] = {
    "no such file": (_words("fetch", "flow.json"), 2, "invalid-workflow", "Check the path"),
    "no such file below": (_words("fetch", "a/b"), 2, "invalid-workflow", "Check the path"),
    "no such file at home": (_words("fetch", "~/flow"), 2, "invalid-workflow", "Check the path"),
    "no such plan": (_words("script", "plan.json"), 2, "invalid-plan", "Check the path"),
    "no model's name": (_words("fetch", "flux"), 2, "invalid-air", "hf:owner/repo"),
    "another site": (_words("fetch", "https://example.org/a.safetensors"), 2, "invalid-air", "link"),
    "a name that is too long": (_words("fetch", "x" * 5000), 2, "invalid-air", "link"),
    "a null character": (_words("fetch", "a\0b.json"), 2, "invalid-workflow", "Check the path"),
    "an id nobody has": (_words("fetch", "v:7"), 3, "not-found", "Check the link"),
    "a repository nobody has": (_words("fetch", "hf:no/body/x.sft"), 3, "not-found", "private"),
    "a hub offline": (_words("fetch", "--offline", "7"), 2, "needs-network", "without --offline"),
    "unknown folder": (_unknown_folder, 2, "unknown-folder", "folder"),
    "no ComfyUI found": (_nowhere, 2, "no-comfyui", "--comfyui PATH"),
    "ComfyUI gone": (_comfyui_gone, 2, "no-comfyui", "--comfyui PATH"),
    "models gone": (_models_gone, 2, "no-comfyui", "--models-dir PATH"),
    "a token that is wrong": (_wrong_token, 3, "login-required", "token set"),
    "a token that is none": (_no_token, 2, "invalid-settings", "value"),
    "broken settings": (_broken_settings, 2, "invalid-settings", "Mend the file"),
    "broken loaders": (_broken_loaders, 2, "invalid-settings", "Mend the file"),
    "a broken plan": (_broken_plan, 2, "invalid-plan", "resolve WORKFLOW --json"),
    "a plan that climbs": (_climbing_plan, 2, "invalid-plan", "resolve WORKFLOW --json"),
    "another machine's ComfyUI": (_foreign_comfyui, 2, "invalid-settings", "mirrors"),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_situation(kept: Desk, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its code, status and hint, and leaves everything as it was."""
    arrange, status, code, hint = SITUATIONS[name]
    words = arrange(kept, monkeypatch)
    before = tree(kept.folder)
    ran = kept.json(*words)
    assert (ran.status, ran.error["code"]) == (status, code), ran.error
    assert hint in ran.error["hint"]
    plain = kept.run(*words)
    assert (plain.status, plain.out, f"[{code}]" in plain.err) == (status, "", True)
    assert tree(kept.folder) == before


def test_wrong_token_of_one_hub(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that Hugging Face does not know is told in the end; what CivitAI has comes all the same."""
    monkeypatch.setenv("HF_TOKEN", "hf_" + "x" * 34)
    desk.hub.add_model("Ink", {"ink.safetensors": LORA})
    desk.hub.add_repo("Comfy-Org/lamp", {"lamp.safetensors": VAE})
    flow = desk.workflow(
        desk.lora("ink.safetensors", hash=Blob.of(LORA).sha256, hash_type="SHA256"),
        desk.vae("lamp.safetensors", url=f"{HF}/Comfy-Org/lamp/resolve/main/lamp.safetensors"),
    )
    ran = desk.json("fetch", flow, "--yes")
    told = [*(t["error"] for t in ran.document["transfers"] if t["error"]), *ran.document["problems"]]
    assert (ran.status in (3, 4), {error["code"] for error in told}) == (True, {"login-required"})
    assert list(desk.files()) == ["loras/ink.safetensors"]


@pytest.mark.full
def test_hub_that_is_not_there(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at CivitAI's address: Hugging Face's file comes, and the fault is told."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("COMFYWATCHMAN_CIVITAI_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        desk.hub.add_repo("Comfy-Org/lamp", {"lamp.safetensors": VAE})
        url = f"{HF}/Comfy-Org/lamp/resolve/main/lamp.safetensors"
        flow = desk.workflow(desk.lora("ink.safetensors"), desk.vae("lamp.safetensors", url=url))
        ran = desk.json("fetch", flow)
    assert (ran.status, list(desk.files())) == (3, ["vae/lamp.safetensors"])
    assert {p["code"] for p in ran.document["problems"]} == {"hub-unavailable"}


def test_web_page_instead_of_a_model(kept: Desk) -> None:
    """A login page with status 200 never becomes a file."""
    kept.hub.add_repo("Comfy-Org/lamp", {"lamp.safetensors": VAE})
    kept.hub.bend("delivery.bytes", faults.login_page())
    before = tree(kept.folder)
    ran = kept.json("fetch", "hf:Comfy-Org/lamp/lamp.safetensors", "--folder", "vae")
    (transfer,) = ran.document["transfers"]
    assert (ran.status, transfer["error"]["code"]) == (4, "not-a-model")
    assert "browser" in transfer["error"]["hint"]
    assert tree(kept.folder) == before


# ── what the file system refuses: in a process of its own ──


@pytest.fixture
def open_desk(fakehub: FakeHub) -> Iterator[Desk]:
    """A desk in a folder that every user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="comfywatchman-test-"))
    folder.chmod(0o755)
    made = make_desk(folder, fakehub)
    (made.models / "loras" / "mine.safetensors").write_bytes(OTHER_LORA)
    fakehub.add_model("Ink", {"ink.safetensors": LORA})
    yield made
    shutil.rmtree(folder)


# The interpreter may lie where nobody else can read it, so what is needed is imported as root.
AS_NOBODY = """
import os, sys
import comfywatchman.cli.fetching, comfywatchman.hubs.huggingface.api, comfywatchman.transfer.http
import comfywatchman.hubs.answers, comfywatchman.hubs.civitai.hub, comfywatchman.hubs.comfyui
import comfywatchman.hubs.huggingface.hub, comfywatchman.hubs.session, comfywatchman.watchman
import encodings.idna, stringprep, tqdm, click, blake3, huggingface_hub, platformdirs
from comfywatchman.cli.main import run
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.exit(run(sys.argv[1:]))
"""


def run_child(desk: Desk, *words: str, limit: int | None = None, as_nobody: bool = False) -> tuple[int, str]:
    """Run a fetch of the model in a process of its own; status and code."""

    def prepare() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    program = ["-c", AS_NOBODY] if as_nobody else ["-m", "comfywatchman"]
    fetch = [sys.executable, *program, "fetch", str(desk.hub.shelf.models[0].id), "--json"]
    ran = subprocess.run(
        [*words, *fetch],
        env=child_environment(desk),
        cwd=desk.folder,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=prepare,
        check=False,
    )
    document = json.loads(ran.stdout)
    check_document(document)
    codes = [t["error"]["code"] for t in document["transfers"] if t["error"]]
    return ran.returncode, ",".join(codes)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_no_write_access(open_desk: Desk) -> None:
    """A folder of somebody else's: told before the first byte, nothing is written."""
    (open_desk.models / "loras").chmod(0o555)
    before = tree(open_desk.folder)
    status, code = run_child(open_desk, as_nobody=os.geteuid() == 0)
    (open_desk.models / "loras").chmod(0o755)
    assert (status, code) == (4, "not-writable")
    assert tree(open_desk.folder) == before
    assert "delivery.bytes" not in open_desk.hub.log.counts()
    assert run_child(open_desk) == (0, "")


def test_file_size_limit(open_desk: Desk) -> None:
    """A disk that takes no more in the middle of a file: told, and no name is half written."""
    status, code = run_child(open_desk, limit=len(LORA) // 2)
    assert (status, code) == (4, "no-space")
    names = {path.name for path in (open_desk.models / "loras").iterdir()}
    assert {name for name in names if not name.endswith((".cwpart", ".cwjournal"))} == {"mine.safetensors"}
    assert run_child(open_desk) == (0, "")


def test_full_disk(open_desk: Desk) -> None:
    """A file system with too little room: told before the first byte, and left as it was."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-rm", "true"], check=False).returncode:
        pytest.skip("no mount namespaces here")
    mount = f"mount -t tmpfs -o size=1m none {open_desk.models}/vae && mkdir {open_desk.models}/vae/loras"
    bind = f"mount --bind {open_desk.models}/vae/loras {open_desk.models}/loras"
    after = f"ls -A {open_desk.models}/loras > {open_desk.folder}/left"
    shell = f'{mount} && {bind} && "$@"; status=$?; {after}; exit $status'
    assert run_child(open_desk, unshare, "-rm", "sh", "-c", shell, "sh") == (4, "no-space")
    assert (open_desk.folder / "left").read_text() == ""
    assert "delivery.bytes" not in open_desk.hub.log.counts()
