"""nginx as a hub and its storage: a redirect with the hub's headers, then bytes by sendfile.

/bench/fast/resolve/main/NAME ──302──► /fast/NAME    as fast as it goes
/bench/slow/resolve/main/NAME ──302──► /slow/NAME    20 MB/s a connection
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CONFIGURATION = """
daemon off; {user} worker_processes 1; pid {own}/pid; error_log {own}/errors;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; keepalive_requests 100000; default_type application/octet-stream;
  client_body_temp_path {own}/1; proxy_temp_path {own}/2; fastcgi_temp_path {own}/3;
  uwsgi_temp_path {own}/4; scgi_temp_path {own}/5;
  server {{
    listen 127.0.0.1:{hub};
    location ~ ^/bench/(fast|slow)/resolve/main/(.+)$ {{
      add_header X-Repo-Commit 0123456789012345678901234567890123456789 always;
      add_header X-Linked-Etag '"{sha256}"' always;
      add_header X-Linked-Size {size} always;
      return 302 http://127.0.0.1:{storage}/$1/$2;
    }}
  }}
  server {{
    listen 127.0.0.1:{storage};
    location /fast/ {{ alias {files}/; }}
    location /slow/ {{ alias {files}/; limit_rate 20m; }}
  }}
}}
"""


@contextmanager
def serve(files: Path, own: Path, *, size: int, sha256: str) -> Iterator[str]:
    """Serve a folder while the context lasts; gives the hub's origin.

    `size` and `sha256` are those of the big file, which the hub's headers tell.
    """
    hub, storage = _free_ports(2)
    user = "user root;" if hasattr(os, "geteuid") and os.geteuid() == 0 else ""
    own.mkdir()
    text = _CONFIGURATION.format(
        user=user, own=own, files=files, hub=hub, storage=storage, size=size, sha256=sha256
    )
    (own / "nginx.conf").write_text(text, encoding="ascii")
    command = ["nginx", "-p", str(own), "-e", str(own / "errors"), "-c", str(own / "nginx.conf")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            _await(storage)
            yield f"http://127.0.0.1:{hub}"
        finally:
            server.terminate()


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _await(port: int) -> None:
    """Wait until it answers, five seconds at most."""
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nginx does not answer on port {port}")
