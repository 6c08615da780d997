"""Canary tokens, set everywhere a token may be set, and looked for in everything that is written.

CIVITAI_API_KEY   tokens.json   HF_TOKEN   a URL in the workflow
    │ fetch resolve search describe token test settings, at -vv, against hubs that fail in many ways
    ▼
stdout, stderr, logs, data folder with its databases, models folder, partials, journals, caches:  0 hits
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, quote_plus

import click
import pytest
from cli_desk import LORA, VAE, VARIABLES, Desk, Ran, child_environment, make_desk
from fakehub import faults
from fakehub.server import FakeHub

from comfywatchman.cli.main import run
from comfywatchman.demo import models
from comfywatchman.demo.shelf import Account, Blob
from comfywatchman.demo.wire import html_answer

# With characters that every encoding changes, and of no shape that a filter knows.
CIVITAI = 'CANARY"civ\\+/=&%41one'
HUGGING = 'CANARY"hug\\+/=&%42two'
KEPT = 'CANARY"kep\\+/=&%43three'
EMBEDDED = "CANARY-embedded-four"  # in a link of the workflow itself
CANARIES = (CIVITAI, HUGGING, KEPT)
SIGNED = re.compile(rb"X-Amz-Signature=[0-9a-f]{8}|[?&]Signature=[0-9a-f]{8}")

HF = "https://huggingface.co"
BIG = models.safetensors({"w": (400, 1000)}, seed="big")
SECRETS_OF_ITS_OWN = {"tokens.json"}


def spellings(token: str) -> set[bytes]:
    """A token as it might have been written: raw, quoted, in JSON, in base64 at each of its three offsets."""
    found = {token, quote(token, safe=""), quote(token), quote_plus(token)}
    found |= {json.dumps(token)[1:-1], repr(token)[1:-1], repr(token.encode())[2:-1]}
    found |= {json.dumps(json.dumps(token))[3:-3], token.replace('"', '\\"')}
    for shift in range(3):
        packed = base64.b64encode(b"x" * shift + token.encode())
        found |= {packed[4:-4].decode(), packed[4:-4].decode().translate(str.maketrans("+/", "-_"))}
    found.add(token[6:16])  # a piece of it, where it was cut
    return {text.encode() for text in found}


def hits(data: bytes, tokens: tuple[str, ...] = CANARIES) -> list[bytes]:
    """Spellings of canaries in some bytes."""
    return [spelling for token in tokens for spelling in spellings(token) if spelling in data]


def written(desk: Desk) -> dict[str, bytes]:
    """Every file below the desk, databases and their logs included; not what holds secrets by its nature."""
    return {
        path.relative_to(desk.folder).as_posix(): path.read_bytes()
        for path in desk.folder.rglob("*")
        if path.is_file() and path.name not in SECRETS_OF_ITS_OWN
    }


def check_disk(desk: Desk) -> None:
    """No canary and no signed address lies anywhere; a file's name may tell as much as its bytes."""
    for name, data in written(desk).items():
        assert hits(data + name.encode()) == [], name
        assert not SIGNED.search(data), name
        if not name.endswith("flow.json"):  # the workflow itself
            assert hits(data, (EMBEDDED,)) == [], name


def check(ran: Ran, desk: Desk) -> None:
    """Neither what was printed nor what was written holds a canary or a signed address."""
    for text in (ran.out, ran.err):
        assert hits(text.encode(), (*CANARIES, EMBEDDED)) == []
        assert not SIGNED.search(text.encode()), text
    check_disk(desk)


@pytest.fixture
def desk(fakehub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk with all canaries set; the hubs know two of them."""
    made = make_desk(tmp_path, fakehub)
    environment = {
        **made.environment, "CIVITAI_API_KEY": CIVITAI, "HF_TOKEN": HUGGING, "TMPDIR": str(tmp_path / "tmp")
    }  # fmt: skip
    (tmp_path / "tmp").mkdir()
    made = replace(made, environment=environment)
    for name in (*VARIABLES, "CIVITAI_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    made.home.mkdir()
    store = made.home / "tokens.json"
    store.write_text(json.dumps({"civitai": KEPT, "huggingface": KEPT}))
    store.chmod(0o600)
    fakehub.shelf.accounts.append(Account(name="ann", token=CIVITAI))
    fakehub.shelf.accounts.append(Account(name="bob", token=HUGGING))
    fakehub.shelf.accounts.append(Account(name="cat", token=KEPT))
    return made


def stock(desk: Desk) -> Path:
    """A model on each hub, and a link with a token in it."""
    model = desk.hub.add_model("Ink Wash", {"ink.safetensors": LORA})
    desk.hub.add_repo("Comfy-Org/lamp", {"vae/lamp.safetensors": VAE})
    version = model.versions[0]
    link = f"https://civitai.com/api/download/models/{version.id}?token={EMBEDDED}"
    return desk.workflow(
        desk.lora("style/ink.safetensors", url=link, hash=Blob.of(LORA).sha256, hash_type="SHA256"),
        desk.vae("lamp.safetensors", url=f"{HF}/Comfy-Org/lamp/resolve/main/vae/lamp.safetensors"),
    )


FAULTS = {
    "none": None,
    "401": faults.status(401),
    "403": faults.status(403),
    "404": faults.status(404),
    "500": faults.status(500),
    "503": faults.status(503, "later", **{"Retry-After": "9999"}),
    "a page": faults.login_page(),
    "a wall": faults.cloudflare(403),
    "dropped": faults.dropped(),
    "not JSON": faults.not_json(),
    "cut": faults.cut(1000),
    "told back": faults.gives(html_answer(f"Your token {CIVITAI} or {HUGGING} is wrong")),
}
ROUTES = ("civitai", "huggingface", "delivery.bytes", "civitai.download", "huggingface.resolve")
BYTES = ROUTES[2:]  # a transfer waits longer with every failure, and nobody waits here for long
QUICK = {("none", "civitai"), ("401", "civitai"), ("403", "huggingface"), ("500", "delivery.bytes"),
         ("a page", "civitai.download"), ("cut", "delivery.bytes"), ("403", "delivery.bytes")}  # fmt: skip


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait a moment only: time itself is not under test here."""
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.01)))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("fault", "route"),
    [
        pytest.param(fault, route, marks=() if (fault, route) in QUICK else pytest.mark.full)
        for fault in FAULTS
        for route in ROUTES
    ],
)
def test_commands(desk: Desk, fault: str, route: str) -> None:
    """Whatever a hub answers, no command writes or prints a token or a signed address."""
    flow = stock(desk)
    bend = FAULTS[fault]
    if bend is not None:
        desk.hub.bend(route, bend, times=1 if route in BYTES else 8)
    for words in (
        ("token", "test", "civitai"),
        ("token", "test", "huggingface"),
        ("search", "ink"),
        ("describe", Blob.of(LORA).sha256),
        ("resolve", flow),
        ("settings", "show"),
        ("fetch", "--yes", flow),
    ):
        ran = desk.run(*words, "-vv", *(("--json",) if words[0] in ("resolve", "fetch") else ()))
        assert ran.status in (0, 2, 3, 4), ran.err
        check(ran, desk)
    asked = [seen for seen in desk.hub.requests if seen.request.headers.get("Authorization")]
    assert asked, "no token was sent, so nothing was shown"
    assert {seen.route.split(".")[0] for seen in asked} <= {"civitai", "huggingface"}
    for seen in desk.hub.requests:
        sent = str(seen.request.headers) + seen.request.path + str(dict(seen.request.query))
        other = HUGGING if seen.route.startswith("civitai") else CIVITAI
        assert other not in sent
        assert KEPT not in sent
        assert EMBEDDED not in sent


def test_kept_tokens(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for tokens that come from tokens.json, and for one that is set from stdin."""
    monkeypatch.delenv("CIVITAI_API_KEY")
    monkeypatch.delenv("HF_TOKEN")
    flow = stock(desk)
    fresh = KEPT.replace("three", "five")
    for words, stdin in (
        (("token", "test", "civitai"), ""),
        (("fetch", "--yes", flow), ""),
        (("token", "set", "civitai"), fresh + "\n"),
        (("token", "set", "civitai"), f"{fresh} with a space\n"),
        (("token", "test", "civitai"), ""),
        (("token", "remove", "civitai"), ""),
        (("token", "set", "no-hub"), fresh + "\n"),
    ):
        check(desk.run(*words, "-vv", stdin=stdin), desk)
    assert any(KEPT in str(seen.request.headers) for seen in desk.hub.requests)


def test_readable_token_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token file that others can read, or that is no token file, is refused without being quoted."""
    monkeypatch.delenv("CIVITAI_API_KEY")
    store = desk.home / "tokens.json"
    store.chmod(0o644)
    refused = desk.run("token", "test", "civitai", "-vv")
    assert refused.status == 2
    check(refused, desk)
    store.write_text(f'["{KEPT}"')
    store.chmod(0o600)
    refused = desk.run("token", "test", "civitai", "-vv")
    assert refused.status == 2
    check(refused, desk)


def test_crash(desk: Desk) -> None:
    """A fault of ours writes a traceback; tokens and signed addresses in it are taken out."""

    @click.command()
    def burst() -> None:
        raise ValueError(f"{CIVITAI} https://cdn.example.com/m?X-Amz-Signature=0123456789 {HUGGING}")

    out = desk.folder / "said"
    with out.open("w") as stream:
        before, sys.stderr = sys.stderr, stream
        try:
            assert run([], command=burst) == 1
        finally:
            sys.stderr = before
    log = (desk.home / "comfywatchman.log").read_text()
    assert "ValueError" in log
    check_disk(desk)


@pytest.fixture
def watched() -> Iterator[list[bytes]]:
    """What /proc says of the command lines of all processes, looked at again and again."""
    seen: list[bytes] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.02):
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.append(process.read_bytes())
                except OSError:
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    yield seen
    ended.set()
    thread.join()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc")
def test_killed_in_the_middle(desk: Desk, watched: list[bytes]) -> None:
    """What a killed fetch leaves behind holds no secret, nor does any command line while it runs."""
    desk.hub.add_repo("Comfy-Org/big", {"big.safetensors": BIG})
    desk.hub.bend("delivery.bytes", faults.slow(300_000))
    words = ["fetch", "hf:Comfy-Org/big/big.safetensors", "--folder", "vae", "-vv"]
    with subprocess.Popen(
        [sys.executable, "-m", "comfywatchman", *words],
        env=child_environment(desk),
        cwd=desk.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        until = time.monotonic() + 30
        while time.monotonic() < until and not any(
            path.suffix == ".cwpart" and path.stat().st_size > 200_000 for path in desk.models.rglob("*")
        ):
            time.sleep(0.02)
        process.kill()
        out, err = process.communicate(timeout=30)
    assert any(path.suffix == ".cwpart" for path in desk.models.rglob("*"))
    check(Ran(process.returncode, out.decode(), err.decode()), desk)
    assert any(b"comfywatchman" in line and b"fetch" in line for line in watched)
    assert hits(b"".join(watched)) == []


def test_canaries_are_found(desk: Desk) -> None:
    """Negative control: what is really there is found, in every spelling and in a database's log."""
    for spelling in spellings(CIVITAI):
        (desk.folder / "leak").write_bytes(b"before " + spelling + b" after")
        with pytest.raises(AssertionError):
            check_disk(desk)
    (desk.folder / "leak").write_bytes(b"GET /m?X-Amz-Signature=0123456789abcdef")
    with pytest.raises(AssertionError):
        check_disk(desk)
