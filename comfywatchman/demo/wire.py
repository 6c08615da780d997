"""HTTP as a stand-in speaks it: a request in, an answer out, each seen request remembered.

    Request → Route.handle → Answer        with `around` between them, where a test puts its faults

An `Origin` is one port on loopback with a table of routes. It speaks HTTP/1.1, keeps connections alive,
answers HEAD as GET without the body, and closes every socket and thread it opened.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Final, Self
from urllib.parse import parse_qs, unquote, urlsplit

from ..catalog import Json
from ..decode import MIB, parse_json

_CHUNK: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client asked. `path` is as sent, still quoted; `host` is what the client calls this origin."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    headers: Message = field(default_factory=Message)
    body: bytes = b""

    @property
    def host(self) -> str:
        """The Host header: CivitAI and Hugging Face build the addresses in their answers from it."""
        return self.headers.get("Host", "")

    @property
    def bearer(self) -> str | None:
        """The token of the Authorization header, whatever its scheme; None without that header."""
        value = self.headers.get("Authorization")
        return None if value is None else value.partition(" ")[2]

    def first(self, name: str) -> str | None:
        """The first value of a query parameter."""
        return next(iter(self.query.get(name, ())), None)

    def json(self) -> Json:
        """The body as JSON.

        Raises:
            DecodeError: it is none.
        """
        return parse_json(self.body, limit=MIB)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What goes back.

    `rate` slows the body down to so many bytes a second. Three switches break it on purpose: `cut_after`
    closes the connection after so many bytes of the body, `length` False leaves Content-Length out, and
    `dropped` closes the connection without a word.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    rate: int | None = None
    cut_after: int | None = None
    length: bool = True
    dropped: bool = False

    def with_headers(self, **headers: str) -> Answer:
        """The same answer with more headers; `_` in a name stands for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **named})


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that carries JSON."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(
        status=status,
        headers={"Content-Type": "application/json; charset=utf-8", **(headers or {})},
        body=body,
    )


def error_answer(status: int, error: str, **more: object) -> Answer:
    """An answer that says in JSON what went wrong."""
    return json_answer({"error": error, **more}, status)


def html_answer(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that is a web page: what people paste links to, and what blockers send."""
    page = f"<!DOCTYPE html><html><head><title>{text}</title></head><body>{text}</body></html>"
    return Answer(
        status=status,
        headers={"Content-Type": "text/html; charset=utf-8", **(headers or {})},
        body=page.encode(),
    )


Handle = Callable[..., Answer]
Around = Callable[[str, Request, Callable[[], Answer]], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A name for the log, the methods and path it answers, and the handler.

    The handler is called with the request and the pattern's named groups, unquoted.
    """

    name: str
    methods: str
    pattern: str
    handle: Handle

    def match(self, request: Request) -> Mapping[str, str] | None:
        """The named groups of the path, or None when it is another's."""
        found = re.fullmatch(self.pattern, request.path)
        method = "GET" if request.method == "HEAD" else request.method
        if found is None or method not in self.methods.split():
            return None
        return {name: unquote(value or "") for name, value in found.groupdict().items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request an origin has answered, under its route's name."""

    origin: str
    route: str
    request: Request
    status: int


@dataclass(slots=True)
class Log:
    """All requests in the order of their answers; origins of one stand-in share it."""

    seen: list[Seen] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)

    def counts(self) -> Counter[str]:
        """How often each route was asked: the measure of "few requests"."""
        return Counter(one.route for one in self.seen)

    def of(self, prefix: str) -> list[Seen]:
        """The requests to routes whose names begin so (`civitai.`, `huggingface.resolve`)."""
        return [one for one in self.seen if one.route.startswith(prefix)]


def straight(_route: str, _request: Request, handle: Callable[[], Answer]) -> Answer:
    """The `around` that leaves everything as it is."""
    return handle()


class Origin(ThreadingHTTPServer):
    """One port on loopback with its routes. Use as a context manager; leaving it ends all connections."""

    allow_reuse_address = os.name != "nt"  # on Windows it would let two origins share a port
    daemon_threads = False
    block_on_close = True
    request_queue_size = 64

    def __init__(self, name: str, routes: Sequence[Route], log: Log, around: Around, port: int = 0) -> None:
        self.name = name
        self.routes = tuple(routes)
        self.log = log
        self.around = around
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Connection)
        self._thread = threading.Thread(target=self._listen, name=f"standin-{name}")

    @property
    def url(self) -> str:
        """The origin as a client writes it, without a final slash."""
        return f"http://127.0.0.1:{self.server_port}"

    def server_bind(self) -> None:
        """Bind without asking the name service who 127.0.0.1 is, which takes seconds on some machines."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        with socket.create_connection(("127.0.0.1", self.server_port)):  # wakes the listener
            self._thread.join()
        with self._lock:
            for connection in self._open:
                _hang_up(connection)
        self.server_close()  # waits for the threads of the connections

    def _listen(self) -> None:
        """Take connections until closing; unlike `serve_forever` without asking the clock."""
        while not self.closing.is_set():
            self.handle_request()

    def answer(self, request: Request) -> Answer:
        """Find the route, let `around` have its way, and remember the request."""
        route, groups = self._route(request)
        name = f"{self.name}.{route.name}"
        answer = self.around(name, request, lambda: route.handle(request, **groups))
        self.log.seen.append(Seen(origin=self.name, route=name, request=request, status=answer.status))
        return answer

    def _route(self, request: Request) -> tuple[Route, Mapping[str, str]]:
        for route in self.routes:
            if (groups := route.match(request)) is not None:
                return route, groups
        return Route("unknown", request.method, ".*", _not_here), {}

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client: object) -> None:
        """Remember the connection, so that an idle one can be ended."""
        assert isinstance(request, socket.socket)
        with self._lock:
            self._open.add(request)
        super().process_request(request, client)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Forget the connection when its thread is done with it."""
        assert isinstance(request, socket.socket)
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, *_: object) -> None:
        """Keep what went wrong in a handler; a client that hung up is nobody's fault."""
        fault = sys.exception()
        if fault is not None and not isinstance(fault, ConnectionError):
            self.log.faults.append(fault)


class _Connection(BaseHTTPRequestHandler):
    """One client's connection: reads requests until it is closed."""

    server: Origin
    protocol_version = "HTTP/1.1"
    server_version = "standin"
    sys_version = ""
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query, keep_blank_values=True),
            headers=self.headers,
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
        )
        self._send(self.server.answer(request))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_OPTIONS = _serve  # noqa: N815  # the base class calls these names

    def _send(self, answer: Answer) -> None:
        broken = answer.dropped or not answer.length or answer.cut_after is not None
        self.close_connection = self.close_connection or broken
        if answer.dropped:
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value.encode().decode("latin-1"))  # file names in any script, as UTF-8
        if answer.length:
            self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(answer)

    def _send_body(self, answer: Answer) -> None:
        body = memoryview(answer.body)[: answer.cut_after]
        for start in range(0, len(body), _CHUNK):
            chunk = body[start : start + _CHUNK]
            self.wfile.write(chunk)
            if answer.rate is not None and self.server.closing.wait(len(chunk) / answer.rate):
                self.close_connection = True
                return

    def log_message(self, format: str, *_args: object) -> None:  # noqa: A002  # the base class's name
        """Say nothing: the log keeps what was asked."""


def _not_here(request: Request) -> Answer:
    return html_answer(f"404: nothing at {request.path}", 404)


def _hang_up(connection: socket.socket) -> None:
    """End a connection under the thread that reads from it."""
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the client was faster
        return
