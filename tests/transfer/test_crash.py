"""Dying at any moment, full disks, missing rights: never a wrong byte under a final name."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from transfer.faults import Exchange, FaultServer
from transfer.models import NAME, safetensors, sha256

DATA = safetensors(1_500_000)
PROJECT = Path(__file__).parents[2]

# Fetches one file as `MODE SEGMENTS URL ROOT SHA256 SIZE`; prints state and error code.
FETCH = """
import os, resource, sys
from dataclasses import replace
mode, segments, url, root, digest, size = sys.argv[1:]
if mode == "limited":
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
from comfywatchman.catalog import RemoteFile
from comfywatchman.digest import Digest
from comfywatchman.consent import Consent
from comfywatchman.plan import Transfer
from comfywatchman.resolution import Evidence
from comfywatchman.transfer.queue import Guard, Limits, preflight, run
limits = Limits(segments=int(segments), segment=64 << 10, segment_from=128 << 10, mark=64 << 10,
                checkpoint=0.0, margin=0, margin_share=0.0, retries=1, backoff=0.01, stall=5)
file = RemoteFile(hub="web", name="ink.safetensors", url=url, size=int(size),
                  digests=(Digest("sha256", digest),))
transfer = Transfer(source=file, root=root, folder="loras", path="ink.safetensors", evidence=Evidence.DIGEST,
                    consent=Consent.AUTOMATIC, reason="")
if mode.startswith("nobody"):
    import blake3, requests  # noqa
    os.setuid(65534)
if mode.endswith("preflight"):
    problems = preflight([transfer], limits=limits)
    sys.exit(print(*[problem.error.code for problem in problems]))
(outcome,) = run([transfer], authorize=lambda url: {}, limits=limits,
                 guard=Guard(trusted=frozenset({url.rsplit("/", 1)[0]})))
print(outcome.state, outcome.error.code if outcome.error else "")
"""


def command(mode: str, segments: int, url: str, root: Path) -> list[str]:
    return [
        sys.executable,
        "-c",
        FETCH,
        mode,
        str(segments),
        url,
        str(root),
        sha256(DATA).hex,
        str(len(DATA)),
    ]


def fetch(mode: str, segments: int, url: str, root: Path) -> str:
    done = subprocess.run(
        command(mode, segments, url, root),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=PROJECT,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def slowly(x: Exchange) -> None:
    """The right answer, in pieces with a little time between."""
    code, headers, body = x.meta()
    x.head(code, ("Content-Length", str(len(body))), *headers)
    for at in range(0, len(body), 50_000):
        x.raw(body[at : at + 50_000])
        time.sleep(0.004)


CALLS = ["unlinkat", "ftruncate", "renameat", "openat"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _kill_many(server: FaultServer, root: Path, segments: int, times: int) -> tuple[int, int]:
    """Kill a fetch at random moments until it has come through or died that often; (landed, resumed)."""
    rng = random.Random(segments)
    url = server.put("/m", DATA, slowly)
    landed = resumed = 0
    for _ in range(times):
        server.seen.clear()
        child = subprocess.Popen(command("run", segments, url, root), stdout=subprocess.DEVNULL, cwd=PROJECT)
        while not server.seen and child.poll() is None:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.36 / (segments + 1)))
        child.kill()
        landed += child.wait() == -9
        resumed += any(
            int(seen.headers.get("range", "bytes=0-")[6:].split("-")[0]) > 0 for seen in server.seen[:1]
        )
        final = root / NAME
        if final.exists():
            assert final.read_bytes() == DATA
            final.unlink()
    server.put("/m", DATA)
    assert fetch("run", segments, url, root).startswith(("verified", "skipped"))
    assert (root / NAME).read_bytes() == DATA
    assert names(root) == [NAME]
    return landed, resumed


@pytest.mark.parametrize("segments", [1, 4])
def test_killed(server: FaultServer, tmp_path: Path, segments: int) -> None:
    """Ten kills at random moments: the name is absent or right, and one more run ends it cleanly."""
    landed, _ = _kill_many(server, tmp_path, segments, 10)
    assert landed >= 3


@pytest.mark.full
@pytest.mark.parametrize("segments", [1, 4])
def test_killed_often(server: FaultServer, tmp_path: Path, segments: int) -> None:
    """The same a hundred times, most of them in mid-transfer and many resumed."""
    landed, resumed = _kill_many(server, tmp_path, segments, 100)
    assert landed >= 60
    assert resumed >= 10


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize(
    "call", ["linkat", "fsync", *(pytest.param(c, marks=pytest.mark.full) for c in CALLS)]
)
def test_killed_at_a_call(server: FaultServer, tmp_path: Path, call: str) -> None:
    """Killed at the first calls of every kind that touches the disk: absent or right, then healed."""
    url = server.put("/m", DATA)
    for nth in (1, 2, 3):
        inject = (
            f"inject={call},{call}2:signal=KILL:when={nth}"
            if call == "renameat"
            else f"inject={call}:signal=KILL:when={nth}"
        )
        only_here = ["-P", str(tmp_path)] if call == "openat" else []
        subprocess.run(
            [
                "strace",
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                *only_here,
                "-e",
                inject,
                *command("run", 1, url, tmp_path),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            cwd=PROJECT,
        )
        final = tmp_path / NAME
        assert not final.exists() or final.read_bytes() == DATA
    assert fetch("run", 1, url, tmp_path).startswith(("verified", "skipped"))
    assert names(tmp_path) == [NAME]


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_order_of_publishing(server: FaultServer, tmp_path: Path) -> None:
    """Bytes synced, name linked, name synced, partial gone; and nobody ever opens the name itself."""
    url = server.put("/m", DATA)
    log = tmp_path / "log"
    root = tmp_path / "root"
    subprocess.run(
        [
            "strace",
            "-f",
            "-qq",
            "-o",
            str(log),
            "-e",
            "trace=fsync,linkat,unlinkat,openat",
            *command("run", 4, url, root),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=PROJECT,
    )
    lines = log.read_text().splitlines()
    linked = next(
        n for n, line in enumerate(lines) if "linkat(" in line and NAME in line and "unlinkat" not in line
    )
    calls = [line.split()[1].split("(")[0] for line in lines]
    assert "fsync" in calls[:linked]
    after = [
        c for c, line in zip(calls[linked:], lines[linked:], strict=True) if c == "fsync" or ".cwpart" in line
    ]
    assert after[:3] == ["linkat", "fsync", "unlinkat"]
    assert not [line for line in lines if f'"{NAME}"' in line and "openat(" in line]


@pytest.mark.full
def test_eight_processes(server: FaultServer, tmp_path: Path) -> None:
    """Eight processes for one file leave it once; the others say that it is there."""
    url = server.put("/m", DATA, slowly)
    for _ in range(5):
        children = [
            subprocess.Popen(command("run", 4, url, tmp_path), stdout=subprocess.PIPE, text=True, cwd=PROJECT)
            for _ in range(8)
        ]
        said = sorted(child.communicate()[0].strip() for child in children)
        assert said == ["skipped"] * 7 + ["verified"]
        assert names(tmp_path) == [NAME]
        (tmp_path / NAME).unlink()


@pytest.mark.parametrize("errno", ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EACCES", "EMFILE"])
@pytest.mark.parametrize("call", ["pwrite64", "fsync", "linkat", "preadv"])
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.full
def test_failing_calls(server: FaultServer, tmp_path: Path, errno: str, call: str) -> None:
    """A call that fails is a typed error without a second try, and nothing wrong is left."""
    url = server.put("/m", DATA)
    calls = "preadv,preadv2" if call == "preadv" else call
    inject = f"inject={calls}:error={errno}" + (":when=2+" if call == "pwrite64" else "")
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-e", inject, *command("run", 1, url, tmp_path)],
        capture_output=True, text=True, check=False, cwd=PROJECT,
    )  # fmt: skip
    expected = "no-space" if errno in ("ENOSPC", "EDQUOT") else "not-writable"
    assert done.stdout.split() == ["failed", expected], done.stderr
    assert not (tmp_path / NAME).exists()
    assert len(server.seen) == 1
    assert fetch("run", 1, url, tmp_path).startswith("verified")
    assert names(tmp_path) == [NAME]


@pytest.mark.parametrize("segments", [1, 4])
def test_file_size_limit(server: FaultServer, tmp_path: Path, segments: int) -> None:
    """EFBIG is no room: no second try, and what came is kept for a roomier day."""
    url = server.put("/m", DATA)
    assert fetch("limited", segments, url, tmp_path) == "failed no-space"
    assert not (tmp_path / NAME).exists()
    assert fetch("run", segments, url, tmp_path).startswith("verified")
    assert names(tmp_path) == [NAME]


@pytest.mark.parametrize("segments", [1, 4])
def test_full_disk(server: FaultServer, tmp_path: Path, segments: int) -> None:
    """On a disk of 1 MiB the transfer ends with a word, a journal, and no file; preflight knew."""
    url = server.put("/m", DATA)
    inner = " ".join(f"'{part}'" for part in command("MODE", segments, url, tmp_path / "small")[3:])
    (tmp_path / "fetch.py").write_text(FETCH)
    (tmp_path / "small").mkdir()
    script = (
        f"mount -t tmpfs -o size=1m none {tmp_path}/small || exit 9; export PYTHONPATH={PROJECT};"
        + "".join(
            f"{sys.executable} {tmp_path}/fetch.py {inner.replace('MODE', mode)};"
            for mode in ("preflight", "run")
        )
        + f"ls {tmp_path}/small"
    )
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, check=False)
    if done.returncode == 9 or "unshare" in done.stderr:
        pytest.skip("no mount namespaces here")
    lines = done.stdout.split("\n")
    assert lines[:2] == ["no-space", "failed no-space"], done.stderr
    assert not [name for name in lines[2:] if name == NAME]


@pytest.mark.skipif(os.geteuid() != 0, reason="drops root's rights")
def test_no_write_access(server: FaultServer) -> None:
    """Without rights the transfer fails before the network is asked."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        root.mkdir(mode=0o555)
        Path(folder).chmod(0o755)
        url = server.put("/m", DATA)
        assert fetch("nobody", 1, url, root) == "failed not-writable"
        assert server.seen == []
        assert names(root) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="drops root's rights")
def test_no_write_access_and_no_need(server: FaultServer) -> None:
    """What lies in a folder without rights already is there, not refused."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        root.mkdir(mode=0o555)
        Path(folder).chmod(0o755)
        url = server.put("/m", DATA)
        assert fetch("nobody preflight", 1, url, root) == "not-writable"
        (root / NAME).write_bytes(DATA)
        assert fetch("nobody preflight", 1, url, root) == ""
        assert fetch("nobody", 1, url, root) == "skipped"
        assert server.seen == []
