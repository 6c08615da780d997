"""Files from nginx on loopback against aria2c, curl with sha256sum, and huggingface_hub.

All sides are whole processes, ask the same server through a redirect as a hub gives one, and write below
the same folder. Ours is the command line with a saved plan: SHA-256 verified, synced, published, and
remembered in the library. aria2c and curl verify too; huggingface_hub does not, and only curl syncs.
Where a program is not installed its row holds nulls. BENCH_DIR says where the files lie.
"""

from __future__ import annotations

import compileall
import hashlib
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import comfywatchman
from comfywatchman.catalog import RemoteFile
from comfywatchman.consent import Consent
from comfywatchman.digest import Digest
from comfywatchman.plan import Plan, Transfer
from comfywatchman.resolution import Evidence

from . import _nginx

MIB = 1 << 20
SIZE = int(os.environ.get("BENCH_TRANSFER_MIB", "1024")) * MIB
FILES = 200  # of 1 MiB, in the batch
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
MEMORY = 150  # MB

_HEADER = 4096

# One run of four files with eight ranges each, on connections of 20 MB/s, so that all are in use at once.
_FOUR = """
import json, resource, sys
from comfywatchman.planfile import read_plan
from comfywatchman.transfer.queue import Guard, Limits, run
origin, plan = sys.argv[1:]
limits = Limits(together=4, segments=8, connections=32, segment_from=0)
outcomes = run(read_plan(open(plan, "rb").read()).transfers, authorize=lambda url: {},
               guard=Guard(trusted=frozenset({origin})), limits=limits)
assert all(outcome.state == "verified" for outcome in outcomes), [str(o.error) for o in outcomes]
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

_HUB = """
import sys
from huggingface_hub import hf_hub_download
hf_hub_download("bench/fast", "big.safetensors", local_dir=sys.argv[1])
"""


@dataclass(frozen=True, slots=True)
class File:
    """A file on the server."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Bench:
    """The server and the folder that everybody writes below."""

    origin: str
    folder: Path

    @property
    def into(self) -> Path:
        """Where everybody writes; it looks like a ComfyUI."""
        return self.folder / "into"

    def url(self, file: File, speed: str) -> str:
        """Where the hub has a file; it redirects to a storage that is "fast" or "slow"."""
        return f"{self.origin}/bench/{speed}/resolve/main/{file.name}"

    def call(self, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """Run a program to its end; what it printed."""
        variables = {
            **os.environ,
            "HF_ENDPOINT": self.origin,
            "HF_HOME": str(self.into / "hub"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "COMFYUI_PATH": str(self.into),
            "COMFYWATCHMAN_HOME": str(self.into / "home"),
            **(environment or {}),
        }
        variables.pop(
            "PYTHONDONTWRITEBYTECODE", None
        )  # else Python's programs compile their modules each time
        ran = subprocess.run(command, check=True, env=variables, stdout=subprocess.PIPE, text=True)
        return ran.stdout

    def seconds(self, what: Callable[[], object]) -> float:
        """How long something takes in an empty folder, with nothing left to be written by others."""
        shutil.rmtree(self.into, ignore_errors=True)
        (self.into / "models" / "checkpoints").mkdir(parents=True)
        os.sync()
        began = time.perf_counter()
        what()
        return time.perf_counter() - began

    def plan(self, name: str, files: list[tuple[File, str]], speed: str) -> str:
        """A saved plan for files, each under a name; its path."""
        transfers = tuple(self._transfer(file, path, speed) for file, path in files)
        saved = self.folder / f"{name}.json"
        saved.write_text(json.dumps(Plan(transfers=transfers).to_dict()), encoding="utf-8")
        return str(saved)

    def _transfer(self, file: File, path: str, speed: str) -> Transfer:
        source = RemoteFile(
            hub="huggingface",
            name=path,
            url=self.url(file, speed),
            size=file.size,
            digests=(Digest("sha256", file.sha256),),
        )
        return Transfer(
            source=source,
            root=str(self.into / "models" / "checkpoints"),
            folder="checkpoints",
            path=path,
            evidence=Evidence.DIGEST,
            consent=Consent.AUTOMATIC,
            reason="",
        )

    def fetch(self, plan: str) -> None:
        """Ours: the command line."""
        answer = json.loads(
            self.call(sys.executable, "-m", "comfywatchman", "fetch", plan, "--yes", "--json")
        )
        states = {transfer["state"] for transfer in answer["transfers"]}
        if states != {"verified"}:
            raise RuntimeError(f"expected every file verified, got {states}")


def run() -> Iterator[dict[str, object]]:
    """One row against each program; medians of paired runs."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        if shutil.which("nginx") is None:
            for row in ("aria2-unthrottled", "aria2-20MBps", "curl-sha256sum", "huggingface-hub"):
                yield _nothing(row)
            yield from map(_nothing, ("batch-200x1MiB", "memory-4x8"))
            return
        compileall.compile_dir(comfywatchman.__path__[0], quiet=2)  # as an installer does
        folder = Path(name)
        (files := folder / "files").mkdir()
        big = _make_file(files / "big.safetensors", SIZE)
        with _nginx.serve(files, folder / "nginx", size=SIZE, sha256=big.sha256) as origin:
            bench = Bench(origin, folder)
            yield from _big_rows(bench, big)
            yield _batch_row(bench, [_make_file(files / f"{n:03}.safetensors", MIB) for n in range(FILES)])
            yield _memory_row(bench, _make_file(files / "quarter.safetensors", SIZE // 4))


def _big_rows(bench: Bench, big: File) -> Iterator[dict[str, object]]:
    """One big file against each of the others."""
    unit = f"s for {SIZE // MIB} MiB"
    fast, slow = (bench.plan(speed, [(big, "m.safetensors")], speed) for speed in ("fast", "slow"))
    yield _row(
        "aria2-unthrottled", bench, "aria2c", fast, lambda: _aria2c(bench, big, "fast"), limit=0.45, unit=unit
    )
    yield _row(
        "aria2-20MBps", bench, "aria2c", slow, lambda: _aria2c(bench, big, "slow"), limit=0.6, unit=unit
    )
    yield _row("curl-sha256sum", bench, "curl", fast, lambda: _curl(bench, big), limit=1.0, unit=unit)
    yield _row("huggingface-hub", bench, "huggingface_hub", fast, lambda: _hub(bench), limit=1.0, unit=unit)


def _batch_row(bench: Bench, files: list[File]) -> dict[str, object]:
    """Many small files in one run."""
    plan = bench.plan("batch", [(file, file.name) for file in files], "fast")
    entry = "{}\n  out={}\n  checksum=sha-256={}\n"
    listed = bench.folder / "batch.txt"
    listed.write_text(
        "".join(entry.format(bench.url(f, "fast"), f.name, f.sha256) for f in files), encoding="ascii"
    )
    command = ("aria2c", "-q", "-j16", "-d", str(bench.into), "-i", str(listed))
    unit = f"s for {FILES} MiB"
    return _row("batch-200x1MiB", bench, "aria2c", plan, lambda: bench.call(*command), limit=1.0, unit=unit)


def _memory_row(bench: Bench, file: File) -> dict[str, object]:
    """The most memory that four files in eight ranges each take."""
    plan = bench.plan("four", [(file, f"{n}.safetensors") for n in range(4)], "slow")
    peaks: list[float] = []
    bench.seconds(
        lambda: peaks.append(int(bench.call(sys.executable, "-c", _FOUR, bench.origin, plan)) / 1e3)
    )
    return _numbers("memory-4x8", peaks[0], MEMORY, 1.0, peaks[0] / MEMORY, "MB at most", 1)


def _row(
    name: str,
    bench: Bench,
    program: str,
    plan: str,
    other: Callable[[], object],
    *,
    limit: float,
    unit: str,
) -> dict[str, object]:
    """Paired runs against one other program."""
    if shutil.which(program) is None and importlib.util.find_spec(program) is None:
        return _nothing(name)
    pairs = [(bench.seconds(lambda: bench.fetch(plan)), bench.seconds(other)) for _ in range(ROUNDS)]
    mine, theirs = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    return _numbers(name, mine, theirs, limit, statistics.median(a / b for a, b in pairs), unit, ROUNDS)


def _numbers(
    name: str, ours: float, other: float, limit: float, ratio: float, unit: str, count: int
) -> dict[str, object]:
    return {
        "name": f"transfer.{name}",
        "ours": round(ours, 3),
        "other": round(other, 3),
        "limit": limit,
        "ratio": round(ratio, 3),
        "unit": unit,
        "n": count,
    }


def _nothing(name: str) -> dict[str, object]:
    """A row that could not be measured: a program it needs is not installed."""
    return {
        "name": f"transfer.{name}",
        "ours": None,
        "other": None,
        "limit": None,
        "ratio": None,
        "unit": "not installed",
        "n": 0,
    }


def _aria2c(bench: Bench, file: File, speed: str) -> None:
    check, into = f"--checksum=sha-256={file.sha256}", str(bench.into)
    many = ("-x16", "-s16", "-k1M")
    bench.call("aria2c", "-q", *many, check, "-d", into, "-o", "m", bench.url(file, speed))


def _curl(bench: Bench, file: File) -> None:
    """What a careful shell script does."""
    out = bench.into / "m"
    check = f'sync "{out}" && echo "{file.sha256}  {out}" | sha256sum -c --quiet'
    bench.call("sh", "-c", f'curl -sfL -o "{out}" "{bench.url(file, "fast")}" && {check}')


def _hub(bench: Bench) -> None:
    bench.call(sys.executable, "-c", _HUB, str(bench.into))


def _make_file(path: Path, size: int) -> File:
    """A safetensors file of that size whose weights do not compress."""
    weights = size - _HEADER - 8
    header = json.dumps({"w": {"dtype": "U8", "shape": [weights], "data_offsets": [0, weights]}})
    hasher, block = hashlib.sha256(), os.urandom(MIB)
    with path.open("wb") as file:
        parts = [_HEADER.to_bytes(8, "little") + header.encode().ljust(_HEADER)]
        for number in range(-(-weights // MIB)):
            parts.append(number.to_bytes(8, "little") + block[8 : min(MIB, weights - number * MIB)])
            for part in parts:
                file.write(part)
                hasher.update(part)
            parts.clear()
    return File(path.name, path.stat().st_size, hasher.hexdigest())
