"""The command line as a process: started with python -m, at a terminal, interrupted, in a pipe."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from cli_desk import LORA, OTHER_LORA, VAE, Desk, child_environment
from cli_shapes import check_document
from fakehub import faults

from comfywatchman import __version__
from comfywatchman.demo import models

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and terminals")

HF = "https://huggingface.co"
BIG = models.safetensors({"w": (1000, 1000)}, seed="big")  # 2 MB


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "comfywatchman", *map(str, words)]


def call(desk: Desk, *words: str | Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    environment = child_environment(desk) | variables
    return subprocess.run(
        command(*words), env=environment, cwd=desk.folder, capture_output=True, timeout=60, check=False
    )


def at_terminal(
    desk: Desk, words: Sequence[str | Path], answers: Sequence[tuple[str, str]] = (), *, columns: int = 100
) -> tuple[int, str]:
    """Run at a terminal and type each answer when its question has come; status and all that was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        os.chdir(desk.folder)
        environment = child_environment(desk) | {"TERM": "xterm", "COLUMNS": str(columns), "LINES": "40"}
        os.execve(sys.executable, command(*words), environment)
    shown, waiting, until = "", list(answers), time.monotonic() + 60
    while time.monotonic() < until:
        if not select.select([terminal], [], [], 1)[0]:
            if answers and not waiting and answers[-1][1] == "\x03":
                os.write(terminal, b"\x03")  # one that came just before the reading began is not seen
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # Linux says so at the end
            break
        if not data:
            break
        shown += data.decode(errors="replace")
        if waiting and waiting[0][0] in shown:
            os.write(terminal, waiting.pop(0)[1].encode())
    os.close(terminal)
    assert waiting == [], shown
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.replace("\r\n", "\n")


def test_module(desk: Desk) -> None:
    """python -m gives the same documents and statuses, and --version answers at once."""
    told = call(desk, "--version")
    assert (told.returncode, told.stdout.decode().strip()) == (0, f"comfywatchman {__version__}")
    for order in (("--version", "--json"), ("--json", "--version")):
        told = call(desk, *order)
        version = {"schema": "comfywatchman.version/1", "version": __version__}
        assert (told.returncode, json.loads(told.stdout)) == (0, version)
    ran = call(desk, "inspect", desk.workflow(desk.lora("a.safetensors")), "--json")
    assert (ran.returncode, check_document(json.loads(ran.stdout)), ran.stderr) == (3, "inspect", b"")


def test_help_is_light(desk: Desk) -> None:
    """--help, --version and the import pull nothing that speaks to a network."""
    code = (
        "import sys; from comfywatchman.cli.main import run; run(['--help'])\n"
        "assert not {'requests', 'urllib3', 'huggingface_hub', 'blake3'} & set(sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", code], env=child_environment(desk), check=True, capture_output=True, timeout=60
    )


def test_old_encoding(desk: Desk) -> None:
    """A terminal without the letters gets others; nothing fails."""
    desk.hub.add_model("墨", {"墨.safetensors": LORA})
    flow = desk.workflow(desk.lora("墨.safetensors"))
    ran = call(desk, "fetch", "--yes", flow, PYTHONIOENCODING="cp1252:strict", PYTHONUTF8="0")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(b"ok loras/?.safetensors")
    assert list(desk.files()) == ["loras/墨.safetensors"]


def test_reader_that_goes_away(desk: Desk) -> None:
    """`… | head` ends quietly."""
    flow = desk.workflow(*(desk.lora(f"{n}.safetensors") for n in range(3000)))
    with subprocess.Popen(
        command("inspect", flow), env=child_environment(desk), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert (process.stderr.read(), process.wait(timeout=60)) == (b"", 0)


@pytest.mark.parametrize("as_json", [True, False])
def test_interrupt(desk: Desk, as_json: bool) -> None:
    """Ctrl-C ends a fetch with 130, keeps what came, and a second run completes it with the rest alone."""
    desk.hub.add_repo("Comfy-Org/big", {"big.safetensors": BIG})
    desk.hub.bend("delivery.bytes", faults.slow(400_000))
    words = ["fetch", "hf:Comfy-Org/big/big.safetensors", "--folder", "vae", *(["--json"] if as_json else [])]
    with subprocess.Popen(
        command(*words),
        env=child_environment(desk),
        cwd=desk.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        until = time.monotonic() + 30
        while time.monotonic() < until and not any(
            path.suffix == ".cwpart" and path.stat().st_size > 300_000 for path in desk.models.rglob("*")
        ):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    if as_json:
        document = json.loads(out)
        check_document(document)
        assert [t["state"] for t in document["transfers"]] == ["cancelled"]
    else:
        assert "run the same command again" in err.decode()
    assert not any(name.endswith(".safetensors") for name in desk.files())
    desk.hub.straighten()
    ran = call(desk, *words)
    assert ran.returncode == 0
    assert desk.files() == {"vae/big.safetensors": BIG}
    ranges = [seen.request.headers["Range"] for seen in desk.hub.requests if seen.route == "delivery.bytes"]
    assert re.fullmatch(r"bytes=[1-9]\d+-.*", ranges[-1] or "")


def test_questions(desk: Desk) -> None:
    """At a terminal one question covers the plan, a choice is offered, and doubtful files are asked alone."""
    desk.hub.add_model("Fog", {"fog.safetensors": LORA}, creator="ann")
    desk.hub.add_model("Fog again", {"fog.safetensors": OTHER_LORA}, creator="bob")
    desk.hub.add_repo("Comfy-Org/lamp", {"lamp.safetensors": VAE, "old.pt": b"\x80\x02}q\x00." + bytes(99)})
    flow = desk.workflow(
        desk.lora("fog.safetensors"),
        desk.vae("lamp.safetensors", url=f"{HF}/Comfy-Org/lamp/resolve/main/lamp.safetensors"),
        desk.vae("old.pt", url=f"{HF}/Comfy-Org/lamp/resolve/main/old.pt"),
    )
    answers = (("Which one? (0: none)", "2\n"), ("Fetch 2 files", "\n"), ("Fetch it? [y/N]", "\n"))
    status, shown = at_terminal(desk, ["fetch", flow], answers)
    assert status == 3
    assert "a pickle: it can run code" in shown
    assert desk.files() == {"loras/fog.safetensors": OTHER_LORA, "vae/lamp.safetensors": VAE}
    again, shown = at_terminal(desk, ["fetch", flow], (("Fetch it? [y/N]", "y\n"),))
    assert (again, "vae/old.pt" in desk.files()) == (0, True)


def test_a_no(desk: Desk) -> None:
    """No means no; leaving a choice open leaves it open."""
    desk.hub.add_model("Fog", {"fog.safetensors": LORA})
    flow = desk.workflow(desk.lora("fog.safetensors"))
    status, _ = at_terminal(desk, ["fetch", flow], (("Fetch fog.safetensors", "n\n"),))
    assert (status, desk.files()) == (3, {})
    desk.hub.add_model("Fog again", {"fog.safetensors": OTHER_LORA})
    for path in desk.home.glob("answers*"):
        path.unlink()
    status, _ = at_terminal(desk, ["fetch", flow], (("Which one?", "\n"),))
    assert (status, desk.files()) == (3, {})


def test_ctrl_c_at_a_question(desk: Desk) -> None:
    """Interrupted before anything began: 130, nothing fetched."""
    desk.hub.add_model("Fog", {"fog.safetensors": LORA})
    flow = desk.workflow(desk.lora("fog.safetensors"))
    status, _ = at_terminal(desk, ["fetch", flow], (("Fetch fog.safetensors", "\x03"),))
    assert (status, desk.files()) == (130, {})


def test_token_at_a_terminal(desk: Desk) -> None:
    """It is asked for without being shown."""
    status, shown = at_terminal(desk, ["token", "set", "civitai"], (("Token for civitai", "abcdef\n"),))
    assert (status, "abcdef" in shown, "Kept the token" in shown) == (0, False, True)


@pytest.mark.parametrize("columns", [80, 200])
def test_bars(desk: Desk, columns: int) -> None:
    """At a terminal every running file has a bar below the total's; no line is wider than the terminal."""
    names = [f"model-{n}-with-a-name-that-is-long-as-they-are.safetensors" for n in range(3)]
    desk.hub.add_repo("Comfy-Org/big", {name: BIG + bytes(0) for name in names})
    desk.hub.bend("delivery.bytes", faults.slow(2_000_000))
    url = f"{HF}/Comfy-Org/big/resolve/main"
    flow = desk.workflow(*(desk.vae(name, url=f"{url}/{name}") for name in names))
    status, shown = at_terminal(desk, ["fetch", "--yes", flow], columns=columns)
    assert status == 0
    assert len(desk.files()) == 3
    bars = [line for line in re.split(r"[\r\n]|\x1b\[A", shown) if "%" in line]
    assert any(line.startswith("total") and "/6.00M" in line for line in bars)
    assert any(line.startswith("model-0") for line in bars)
    plain = [re.sub(r"\x1b\[\w", "", line) for line in shown.splitlines() for line in line.split("\r")]
    tables = [line for line in plain if not line.startswith(("✓", "3 files"))]
    assert max(map(len, tables)) <= columns
