"""A process that works on a queue, for tests that need several, or one to kill.

python queueprocess.py fetch|serial|work JOB    data, roots, origin, files: [[url, root, path, size, sha256]]

Prints a line of JSON for each outcome, and at its end what it used.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from transfer.models import QUICK, guard_for, no_token, transfer  # noqa: E402

from comfywatchman.digest import Digest  # noqa: E402
from comfywatchman.plan import Transfer  # noqa: E402
from comfywatchman.transfer.queue import Queue  # noqa: E402


def write_job(path: Path, data: Path, origin: str, transfers: list[Transfer]) -> Path:
    """A job for this script."""
    files = [[t.source.url, t.root, t.path, t.source.size, t.source.digests[0].hex] for t in transfers]
    roots = sorted({t.root for t in transfers})
    path.write_text(json.dumps({"data": str(data), "roots": roots, "origin": origin, "files": files}))
    return path


def command(mode: str, job: Path) -> list[str]:
    return [sys.executable, __file__, mode, str(job)]


def transfers_of(job: dict[str, Any]) -> list[Transfer]:
    return [
        transfer(Path(root), url, b"", path=path, size=size, digests=(Digest("sha256", digest),))
        for url, root, path, size, digest in job["files"]
    ]


def usage() -> dict[str, int]:
    """Resident memory in KiB and open descriptors."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]
    return {"rss": int(resident), "fds": len(list(Path("/proc/self/fd").iterdir()))}


def main(mode: str, path: str) -> None:
    job = json.loads(Path(path).read_bytes())
    guard = guard_for(job["origin"])
    limits = replace(QUICK, stall=5.0, together=1 if mode == "serial" else 4)
    before: dict[str, int] = {}

    def first_seen(_progress: object) -> None:
        before.update(before or usage())

    with Queue(Path(job["data"]), roots=tuple(job["roots"])) as queue:
        queue.listen(first_seen)
        if mode == "work":
            queue.work(authorize=no_token, limits=limits, guard=guard)
            outcomes = [entry.outcome for entry in queue.entries()]
        else:
            outcomes = queue.fetch(transfers_of(job), authorize=no_token, limits=limits, guard=guard)
    for outcome in outcomes:
        code = outcome.error.code if outcome.error else ""
        sys.stdout.write(json.dumps([outcome.state, outcome.path, code]) + "\n")
    sys.stdout.write(json.dumps([before, usage()]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
