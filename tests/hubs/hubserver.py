"""A small HTTP server on loopback that answers from a function and remembers what it was asked."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html; charset=utf-8"}


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query)

    def value(self, name: str) -> str:
        return dict(self.query).get(name, "")


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)
    dropped: bool = False


def says(value: object, status: int = 200, **headers: str) -> Said:
    """An answer in JSON; `_` in a header's name stands for `-`."""
    extra = {name.replace("_", "-"): text for name, text in headers.items()}
    return Said(status, json.dumps(value).encode(), {**JSON, **extra})


App = Callable[[Asked], Said]


class Rush:
    """An app that takes a while, and notes the `most` questions it was asked at a time."""

    def __init__(self, app: App, *, seconds: float = 0.005) -> None:
        self._app, self._seconds = app, seconds
        self._lock = threading.Lock()
        self._busy = self.most = 0

    def __call__(self, asked: Asked) -> Said:
        with self._lock:
            self._busy += 1
            self.most = max(self.most, self._busy)
        time.sleep(self._seconds)
        with self._lock:
            self._busy -= 1
        return self._app(asked)


class _Listener(ThreadingHTTPServer):
    """Keeps what goes wrong in a handler; that a client hung up is no fault."""

    daemon_threads = True

    def __init__(self, faults: list[BaseException], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._faults = faults

    def handle_error(self, _request: object, _address: object) -> None:
        fault = sys.exception()
        if fault is not None and not isinstance(fault, ConnectionError):
            self._faults.append(fault)


class Server:
    """The running server: `app` may be exchanged at any time, `asked` is all it was asked."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.asked: list[Asked] = []
        self.faults: list[BaseException] = []
        self._http = _Listener(self.faults, self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    @contextmanager
    def running(self) -> Iterator[Server]:
        thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()
        assert self.faults == []

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = Asked(
                    self.command,
                    self.path,
                    {name.lower(): value for name, value in self.headers.items()},
                    body,
                )
                server.asked.append(asked)
                self._say(server.app(asked))

            do_POST = do_GET  # noqa: N815 (http.server's name)

            def _say(self, said: Said) -> None:
                if said.dropped:
                    self.close_connection = True
                    return
                head = {"Content-Length": str(len(said.body)), **said.headers}
                self.send_response(said.status)
                for name, value in head.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(said.body)

            def log_message(self, *_args: Any) -> None:
                pass

        return Handler


def down() -> Server:
    """A server that nobody started: its port refuses connections."""
    server = Server(lambda _asked: Said())
    server._http.server_close()
    return server
