"""A big file over loopback, SHA-256 verified and synced, against curl with sha256sum, and aria2c.

All sides ask the same server, through a redirect as a hub gives one, and write to the same folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

SIZE = int(os.environ.get("BENCH_TRANSFER_MIB", "512")) << 20
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))

_SERVER = """
import os, re, socket, sys, threading
path, size = sys.argv[1], os.path.getsize(sys.argv[1])
file = os.open(path, os.O_RDONLY)
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
print(listener.getsockname()[1], flush=True)
def serve(sock):
    try:
        answer(sock)
    except OSError:
        pass  # clients may hang up at any time
def answer(sock):
    buffer = b""
    with sock:
        while True:
            while b"\\r\\n\\r\\n" not in buffer:
                more = sock.recv(65536)
                if not more: return
                buffer += more
            head, _, buffer = buffer.partition(b"\\r\\n\\r\\n")
            if head.split(b" ")[1] == b"/hub":
                sock.sendall(b"HTTP/1.1 302 Found\\r\\nLocation: /file\\r\\nContent-Length: 0\\r\\n\\r\\n")
                continue
            found = re.search(rb"(?i)\\r\\nrange: bytes=(\\d+)-(\\d*)", head)
            start, stop = (int(found[1]), int(found[2] or size - 1) + 1) if found else (0, size)
            status = f"206 Partial\\r\\nContent-Range: bytes {start}-{stop-1}/{size}" if found else "200 OK"
            count = stop - start
            tags = 'ETag: "1"\\r\\nAccept-Ranges: bytes'
            sock.sendall(f"HTTP/1.1 {status}\\r\\n{tags}\\r\\nContent-Length: {count}\\r\\n\\r\\n".encode())
            while start < stop:
                start += os.sendfile(sock.fileno(), file, start, stop - start)
while True:
    sock, _ = listener.accept()
    threading.Thread(target=serve, args=(sock,), daemon=True).start()
"""

_OURS = """
import sys
from comfywatchman.catalog import RemoteFile
from comfywatchman.digest import Digest
from comfywatchman.plan import Consent, Transfer
from comfywatchman.resolution import Evidence
from comfywatchman.transfer.queue import Guard, run
origin, root, sha256, size = sys.argv[1:]
file = RemoteFile(hub="web", name="m.bin", url=origin + "/hub", size=int(size),
                  digests=(Digest("sha256", sha256),))
transfer = Transfer(source=file, root=root, folder="x", path="m.bin", evidence=Evidence.DIGEST,
                    consent=Consent.AUTOMATIC, reason="")
(outcome,) = run([transfer], authorize=lambda url: {}, guard=Guard(trusted=frozenset({origin})))
sys.exit(0 if outcome.state == "verified" else str(outcome.error))
"""


def run() -> Iterator[dict[str, object]]:
    """One row against each program that is installed; whole processes, median of paired runs."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        source, digest = _make_file(Path(folder))
        with _serve(source) as server:
            assert server.stdout is not None
            origin = f"http://127.0.0.1:{int(server.stdout.readline())}"
            _await(origin)
            into = Path(folder) / "into"
            others = {"curl": _curl(origin, into, digest), "aria2c": _aria2c(origin, into, digest)}
            ours = [sys.executable, "-c", _OURS, origin, str(into), digest, str(SIZE)]
            for name, other in others.items():
                if shutil.which(name):
                    yield _row(name, lambda: _call(ours), other, into)
            server.terminate()


def _row(name: str, ours: Callable[[], None], other: Callable[[], None], into: Path) -> dict[str, object]:
    """Paired runs against one other program."""
    pairs = [(_seconds(ours, into), _seconds(other, into)) for _ in range(ROUNDS)]
    mine, theirs = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    return {
        "name": f"transfer against {name}",
        "ours": round(mine, 3),
        "other": round(theirs, 3),
        "limit": 1.0 if name == "curl" else 0.45,
        "ratio": round(statistics.median(a / b for a, b in pairs), 3),
        "unit": f"s for {SIZE >> 20} MiB",
        "n": ROUNDS,
    }


def _curl(origin: str, into: Path, digest: str) -> Callable[[], None]:
    """What a careful shell script does."""
    script = f'curl -sfL -o m.bin {origin}/hub && sync m.bin && echo "{digest}  m.bin" | sha256sum -c --quiet'
    return lambda: _call(["sh", "-c", script], cwd=into)


def _aria2c(origin: str, into: Path, digest: str) -> Callable[[], None]:
    command = [
        "aria2c",
        "-q",
        "-x16",
        "-s16",
        "-k1M",
        f"--checksum=sha-256={digest}",
        "-d",
        str(into),
        "-o",
        "m.bin",
    ]
    return lambda: _call([*command, f"{origin}/hub"])


def _call(command: list[str], cwd: Path | None = None) -> None:
    subprocess.run(command, check=True, cwd=cwd)


def _seconds(what: Callable[[], None], into: Path) -> float:
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    os.sync()
    began = time.perf_counter()
    what()
    return time.perf_counter() - began


def _make_file(folder: Path) -> tuple[Path, str]:
    """A file that does not compress, and its digest."""
    block = os.urandom(1 << 20)
    hasher, path = hashlib.sha256(), folder / "source"
    with path.open("wb") as file:
        for number in range(SIZE >> 20):
            part = number.to_bytes(8, "little") + block[8:]
            file.write(part)
            hasher.update(part)
    return path, hasher.hexdigest()


def _serve(source: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _SERVER, str(source)], stdout=subprocess.PIPE)


def _await(origin: str) -> None:
    host, port = origin.removeprefix("http://").split(":")
    socket.create_connection((host, int(port)), timeout=5).close()


if __name__ == "__main__":
    for row in run():
        print(row)
