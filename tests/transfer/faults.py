"""A server that goes wrong on purpose, at the level of sockets, and remembers what it was asked.

    with FaultServer() as server:
        server.put("/m.safetensors", data, cut_at(1000))
        … server.origin + "/m.safetensors" …
        server.seen[0].headers["range"]

A behaviour is a function of an Exchange. `good` is the one that keeps every rule.
"""

from __future__ import annotations

import gzip
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

Behaviour = Callable[["Exchange"], None]


@dataclass(frozen=True)
class Seen:
    """A request as it came in."""

    path: str
    headers: Mapping[str, str]
    text: str


@dataclass
class Resource:
    """What lies under a path."""

    data: bytes
    behave: Behaviour
    etag: str | None = '"1"'
    modified: str | None = None
    count: int = 0  # how often it was asked for


@dataclass
class Exchange:
    """One request and the connection it came on."""

    seen: Seen
    resource: Resource
    sock: socket.socket
    server: FaultServer
    close: bool = False
    sent: list[str] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        return self.resource.data

    @property
    def range(self) -> tuple[int, int] | None:
        """The range asked for, stop exclusive, if `If-Range` lets it hold."""
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.seen.headers.get("range", ""))
        if found is None:
            return None
        if_range = self.seen.headers.get("if-range")
        if if_range is not None and if_range != self.resource.etag:
            return None
        stop = int(found[2]) + 1 if found[2] else len(self.data)
        return int(found[1]), min(stop, len(self.data))

    def raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def head(self, status: int, *headers: tuple[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Told", *(f"{k}: {v}" for k, v in headers), "", ""]
        self.raw("\r\n".join(lines).encode("latin-1"))

    def answer(self, status: int, body: bytes = b"", *headers: tuple[str, str]) -> None:
        self.head(status, ("Content-Length", str(len(body))), *headers)
        self.raw(body)

    def tags(self) -> list[tuple[str, str]]:
        tags = [("ETag", self.resource.etag)] if self.resource.etag else []
        return tags + ([("Last-Modified", self.resource.modified)] if self.resource.modified else [])

    def meta(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, headers and body of the right answer."""
        if self.range is None:
            return 200, [("Accept-Ranges", "bytes"), *self.tags()], self.data
        start, stop = self.range
        if start >= len(self.data):
            return 416, [("Content-Range", f"bytes */{len(self.data)}")], b""
        where = ("Content-Range", f"bytes {start}-{stop - 1}/{len(self.data)}")
        return 206, [where, *self.tags()], self.data[start:stop]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients break connections here all the time."""


class FaultServer:
    """A server on a free port of loopback."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.seen: list[Seen] = []
        self.resources: dict[str, Resource] = {}
        self.connections = 0
        self._sockets: list[socket.socket] = []
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                outer._serve(self.request)

        self._server = _Server((host, 0), Handler)
        self.port = self._server.server_address[1]
        self.origin = f"http://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        for sock in self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._server.server_close()
        self._thread.join()

    def put(
        self,
        path: str,
        data: bytes,
        behave: Behaviour | None = None,
        *,
        etag: str | None = '"1"',
        modified: str | None = None,
    ) -> str:
        """Put something under a path; its URL."""
        self.resources[path] = Resource(data, behave or good, etag, modified)
        return self.origin + path

    def _serve(self, sock: socket.socket) -> None:
        self.connections += 1
        self._sockets.append(sock)
        sock.settimeout(20)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                if not (more := sock.recv(65536)):
                    return
                buffer += more
            text, _, buffer = buffer.partition(b"\r\n\r\n")
            if self._one(sock, text.decode("latin-1")):
                return

    def _one(self, sock: socket.socket, text: str) -> bool:
        first, *lines = text.split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        path = first.split(" ")[1]
        seen = Seen(path, headers, text)
        self.seen.append(seen)
        resource = self.resources.get(path.split("?")[0], Resource(b"", status(404)))
        resource.count += 1
        exchange = Exchange(seen, resource, sock, self)
        resource.behave(exchange)
        return exchange.close


# ── behaviours ──


def good(x: Exchange) -> None:
    """Keeps every rule."""
    status, headers, body = x.meta()
    x.answer(status, body, *headers)


def status(code: int, body: bytes = b"", *headers: tuple[str, str]) -> Behaviour:
    """Answers with a status."""
    return lambda x: x.answer(code, body, *headers)


def then(*steps: Behaviour) -> Behaviour:
    """One behaviour after another, the last for ever."""
    return lambda x: steps[min(x.resource.count, len(steps)) - 1](x)


def cut_at(count: int, *, length: bool = True, reset: bool = False) -> Behaviour:
    """Sends `count` bytes of the right answer and breaks the connection."""

    def behave(x: Exchange) -> None:
        code, headers, body = x.meta()
        size = [("Content-Length", str(len(body)))] if length else [("Connection", "close")]
        x.head(code, *size, *headers)
        x.raw(body[:count])
        x.close = True
        if reset:
            x.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return behave


def unmeasured(x: Exchange) -> None:
    """The whole file without its length, ended by closing."""
    x.head(200, ("Connection", "close"), *x.tags())
    x.raw(x.data)
    x.close = True


def http10(x: Exchange) -> None:
    x.raw(b"HTTP/1.0 200 OK\r\n\r\n" + x.data)
    x.close = True


def chunked(x: Exchange, *, cut: bool = False) -> None:
    x.head(200, ("Transfer-Encoding", "chunked"), *x.tags())
    for at in range(0, len(x.data), 10_000):
        part = x.data[at : at + 10_000]
        x.raw(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        if cut and at > len(x.data) // 2:
            x.close = True
            return
    x.raw(b"0\r\n\r\n")


def no_ranges(x: Exchange) -> None:
    """200 with everything, whatever range was asked for."""
    x.answer(200, x.data, *x.tags())


def bad_range(form: str, *, shift: int = 0) -> Behaviour:
    """206 with a Content-Range of another form; `shift` moves the bytes it really sends."""

    def behave(x: Exchange) -> None:
        if x.range is None:
            return good(x)
        start, stop = x.range
        at = max(0, start + shift)
        body = x.data[at : at + stop - start]
        said = form.format(
            start=at, last=at + len(body) - 1, stop=stop, size=len(x.data), more=len(x.data) + 7
        )
        headers = [("Content-Range", said)] if said else []
        return x.answer(206, body, *headers, *x.tags())

    return behave


def tagless_ranges(x: Exchange) -> None:
    """Honours no If-Range and leaves the tag out of its ranges, against RFC 9110 (13.1.5, 15.3.7)."""
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", x.seen.headers.get("range", ""))
    if found is None:
        return good(x)
    start, last = int(found[1]), int(found[2])
    where = ("Content-Range", f"bytes {start}-{last}/{len(x.data)}")
    return x.answer(206, x.data[start : last + 1], where)


def multipart(x: Exchange) -> None:
    if x.range is None:
        return good(x)
    return x.answer(206, x.data[:100], ("Content-Type", "multipart/byteranges; boundary=x"))


def short_ranges(x: Exchange) -> None:
    """Right answers to fewer bytes than were asked for."""
    code, _, _ = x.meta()
    if code != 206 or x.range is None:
        return good(x)
    start, stop = x.range
    stop = min(stop, start + 12_000)
    where = ("Content-Range", f"bytes {start}-{stop - 1}/{len(x.data)}")
    return x.answer(206, x.data[start:stop], where, *x.tags())


def typed(kind: str, body: bytes | None = None, code: int | None = None) -> Behaviour:
    """The right bytes or others under a content type."""

    def behave(x: Exchange) -> None:
        right, headers, data = x.meta()
        x.answer(code or right, data if body is None else body, ("Content-Type", kind), *headers)

    return behave


def encoded(name: str) -> Behaviour:
    def behave(x: Exchange) -> None:
        body = gzip.compress(x.data) if name == "gzip" else x.data
        x.answer(200, body, ("Content-Encoding", name), *x.tags())

    return behave


def endless(x: Exchange) -> None:
    """Goes on for ever, without saying how long."""
    x.head(200, ("Connection", "close"), *x.tags())
    x.raw(x.data)
    x.close = True
    for _ in range(4000):
        x.raw(bytes(65536))


def lying_length(delta: int) -> Behaviour:
    def behave(x: Exchange) -> None:
        code, headers, body = x.meta()
        x.head(code, ("Content-Length", str(len(body) + delta)), *headers)
        x.raw(body)
        x.close = True

    return behave


def two_lengths(x: Exchange) -> None:
    x.head(200, ("Content-Length", str(len(x.data))), ("Content-Length", "7"), *x.tags())
    x.raw(x.data)
    x.close = True


def stall_at(count: int, seconds: float, *, length: bool = True) -> Behaviour:
    """Sends `count` bytes and then nothing for a while."""

    def behave(x: Exchange) -> None:
        code, headers, body = x.meta()
        size = [("Content-Length", str(len(body)))] if length else [("Connection", "close")]
        x.head(code, *size, *headers)
        x.raw(body[:count])
        time.sleep(seconds)
        x.close = True

    return behave


def stuck_at(place: int) -> Behaviour:
    """Never gets past one place of the file; what lies behind it can be had."""

    def behave(x: Exchange) -> None:
        code, headers, body = x.meta()
        start = x.range[0] if x.range else 0
        if not start <= place < start + len(body):
            return good(x)
        x.head(code, ("Content-Length", str(len(body))), *headers)
        x.raw(body[: place - start])
        x.close = True
        return None

    return behave


def drip(seconds: float) -> Behaviour:
    """A byte now and then."""

    def behave(x: Exchange) -> None:
        code, headers, body = x.meta()
        x.head(code, ("Content-Length", str(len(body))), *headers)
        until = time.monotonic() + seconds
        for at in range(len(body)):
            x.raw(body[at : at + 1])
            time.sleep(0.02)
            if time.monotonic() > until:
                break
        x.close = True

    return behave


def drip_head(pause: float, count: int = 10_000) -> Behaviour:
    """Headers that go on and on, a byte now and then; for a while."""

    def behave(x: Exchange) -> None:
        x.raw(b"HTTP/1.1 200 OK\r\nX-Long: ")
        for _ in range(count):
            x.raw(b"x")
            time.sleep(pause)
        x.close = True

    return behave


def drip_chunk(pause: float, count: int = 10_000) -> Behaviour:
    """A chunk whose size has an extension without end, a byte now and then."""

    def behave(x: Exchange) -> None:
        x.head(200, ("Transfer-Encoding", "chunked"), *x.tags())
        x.raw(f"{len(x.data):x};".encode())
        for _ in range(count):
            x.raw(b"x")
            time.sleep(pause)
        x.close = True

    return behave


def silent(seconds: float) -> Behaviour:
    """Takes the request and says nothing."""

    def behave(x: Exchange) -> None:
        time.sleep(seconds)
        x.close = True

    return behave


def garbage(x: Exchange) -> None:
    x.raw(b"\x00\x01\x02 no http at all\r\n\r\n")
    x.close = True


def redirect(location: str, code: int = 302) -> Behaviour:
    return status(code, b"", ("Location", location))


def flipped(x: Exchange) -> None:
    """The right size with one wrong byte near the end."""
    code, headers, body = x.meta()
    x.answer(code, body[:-5] + bytes([body[-5] ^ 1]) + body[-4:] if len(body) > 5 else body, *headers)
