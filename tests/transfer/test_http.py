"""What leaves the HTTP module is ours: typed errors for every answer and every exception."""

from __future__ import annotations

import inspect
import json
import re
import socket
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3.exceptions
from transfer.faults import Exchange, FaultServer, cut_at, good, status, then
from transfer.models import NAME, QUICK, guard_for, no_token, safetensors, transfer

from comfywatchman import errors
from comfywatchman.errors import HubError, HubUnavailable, Interrupted, Refused, TransferError, WatchmanError
from comfywatchman.transfer.ask import Ask
from comfywatchman.transfer.events import State
from comfywatchman.transfer.guard import Guard
from comfywatchman.transfer.http import Client, UnknownName, translate
from comfywatchman.transfer.line import shut
from comfywatchman.transfer.queue import run
from comfywatchman.transfer.refusals import refusal, retry_after

HOP = Guard().check_url("https://example.com/m?token=canary")
POOL = urllib3.HTTPSConnectionPool("example.com")
INTERNALS = re.compile(r"Pool|Connection\(|object at|0x|urllib3|requests|Error|canary|_ssl|token")

DISABLED = "The creator of this asset has disabled downloads on this file"
LOGIN = "The creator of this asset requires you to be logged in to download it"


@pytest.mark.parametrize(
    ("code", "headers", "body", "expected"),
    [
        (401, {}, {"error": "Unauthorized", "message": LOGIN}, errors.LoginRequired),
        (401, {}, {"error": "Unauthorized", "message": DISABLED}, errors.Withdrawn),
        (
            403,
            {},
            {"error": "Early Access", "deadline": "2026-10-01T00:00:00Z", "message": "x"},
            errors.EarlyAccess,
        ),
        (403, {}, {"error": "Early Access", "message": "x"}, errors.EarlyAccess),
        (403, {}, {"error": "You do not have access to download this file"}, errors.Gated),
        (403, {}, {"error": "Forbidden"}, errors.Gated),
        (404, {}, {"error": "File not found"}, errors.NotFound),
        (404, {"Cache-Control": "private, no-store"}, {"error": "File not found"}, errors.HubUnavailable),
        (410, {}, {"error": "Model archived, not available for download"}, errors.Withdrawn),
        (429, {}, {"error": "We've noticed an unusual amount of downloading"}, errors.HubUnavailable),
        (401, {"X-Error-Code": "GatedRepo"}, None, errors.Gated),
        (403, {"X-Error-Code": "GatedRepo"}, None, errors.Gated),
        (401, {"X-Error-Code": "RepoNotFound"}, None, errors.NotFound),
        (404, {"X-Error-Code": "EntryNotFound"}, None, errors.NotFound),
        (403, {"X-Error-Message": "Access to this resource is disabled."}, None, errors.Withdrawn),
        (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, None, errors.LoginRequired),
        (400, {}, {"error": "bad"}, errors.Refused),
        (451, {}, None, errors.Refused),
        (500, {}, None, errors.HubUnavailable),
        (503, {}, None, errors.HubUnavailable),
        (418, {}, ["no", "object"], errors.Refused),
    ],
)
def test_refusals(code: int, headers: dict[str, str], body: object, expected: type[WatchmanError]) -> None:
    """Each answer of either hub has its own meaning."""
    text = b"" if body is None else json.dumps(body).encode()
    fault = refusal(code, headers, text, hub="civitai", what=NAME, elsewhere=False)
    assert type(fault) is expected
    assert NAME in fault.message


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410])
def test_storage_refuses(code: int) -> None:
    """A storage host's no is an expired address: ask the hub again."""
    assert type(refusal(code, {}, b"", hub="civitai", what=NAME, elsewhere=True)) is Interrupted


@pytest.mark.parametrize(("hub", "giver"), [("civitai", "CivitAI"), ("web", "the server")])
def test_who_refuses(hub: str, giver: str) -> None:
    """A refusal names the hub as it writes itself; who is no hub has no name."""
    assert refusal(404, {}, b"", hub=hub, what="m", elsewhere=False).message == f"m: {giver} answered 404"


def test_messages_are_harmless() -> None:
    """What a hub says cannot steer a terminal, and is short."""
    body = json.dumps({"message": "\x1b[31m\u202e" + "x\n" * 9000}).encode()
    message = refusal(500, {}, body, hub="civitai", what=NAME, elsewhere=False).message
    assert message.isprintable()
    assert len(message) < 300
    assert "CivitAI answered 500" in message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "5"}, 5.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "9" * 40}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 -0000", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:27:00 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:27:00 GMT"}, 0.0),
        ({"RateLimit": '"api";r=0;t=55'}, 55.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Both forms and Hugging Face's own; dates count from the server's clock."""
    assert retry_after(headers) == seconds


def _tls_pair() -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Two ends of a TLS connection that need no certificate."""
    ends: list[ssl.SSLSocket] = []
    contexts = [ssl.SSLContext(side) for side in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)]
    for context in contexts:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aNULL:@SECLEVEL=0")
    near, far = socket.socketpair()
    thread = threading.Thread(target=lambda: ends.append(contexts[0].wrap_socket(far, server_side=True)))
    thread.start()
    client = contexts[1].wrap_socket(near)
    thread.join()
    return client, ends[0]


@pytest.mark.parametrize("careless", [False, True], ids=["ours", "control"])
def test_shutting_a_tls_line(careless: bool) -> None:
    """Another thread that reads on gets the file's bytes; by `SSLSocket.shutdown` it gets TLS records."""
    try:
        client, server = _tls_pair()
    except ssl.SSLError:
        pytest.skip("this OpenSSL has no anonymous ciphers")
    with client, server:
        server.sendall(b"x" * 50_000)
        assert client.recv(10) == b"x" * 10
        if careless:
            client.shutdown(socket.SHUT_RDWR)
        else:
            shut(client)
        got = bytearray()
        with suppress(ssl.SSLError):
            while data := client.recv(16_384):
                got += data
        assert bool(got.strip(b"x")) is careless


def _kinds() -> list[type[Exception]]:
    found = [
        c
        for m in (requests.exceptions, urllib3.exceptions)
        for _, c in inspect.getmembers(m, inspect.isclass)
    ]
    return sorted(
        {c for c in found if issubclass(c, requests.RequestException | urllib3.exceptions.HTTPError)},
        key=lambda c: c.__module__ + c.__name__,
    )


@pytest.mark.parametrize("kind", _kinds(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
@pytest.mark.parametrize("begun", [False, True])
def test_every_exception_is_ours(kind: type[Exception], begun: bool) -> None:
    """No exception of requests or urllib3 gets out, whichever a version adds."""
    fault = kind.__new__(kind)
    fault.args = ("<GuardedPool at 0x1>",)
    fault.__dict__.update(partial=1, expected=2, length=b"x", response=None)  # what some print
    ours = translate(fault, hop=HOP, hub="web", begun=begun)
    assert isinstance(ours, TransferError | HubError)
    assert ours.message.startswith(HOP.shown)
    assert INTERNALS.search(f"{ours.message} {ours.hint}") is None
    assert kind.__name__ not in f"{ours.message} {ours.hint}"


@pytest.mark.parametrize("begun", [False, True])
def test_what_a_person_reads(begun: bool) -> None:
    """However deep it is wrapped, the cause is told in words for people, with what the system says."""
    wrapped = {
        "Connection refused": ConnectionRefusedError(111, "Connection refused"),
        "proxy": urllib3.exceptions.ProxyError("p", socket.gaierror(socket.EAI_NONAME, "unknown")),
        "TLS": ssl.SSLEOFError(8, "EOF occurred in violation of protocol (_ssl.c:1006)"),
        "next to nothing came" if begun else "no answer": urllib3.exceptions.ReadTimeoutError(
            POOL, "/m", "x"
        ),
        "the line broke" if begun else "no HTTP": urllib3.exceptions.ProtocolError("x"),
    }
    for words, cause in wrapped.items():
        deep = requests.ConnectionError(urllib3.exceptions.MaxRetryError(POOL, "/m?token=1", cause))
        ours = translate(deep, hop=HOP, hub="web", begun=begun)
        assert type(ours) is (Interrupted if begun else HubUnavailable)
        assert words in ours.message
        assert INTERNALS.search(ours.message) is None


LOOKUPS = [
    (socket.EAI_NONAME, False, UnknownName),
    (getattr(socket, "EAI_NODATA", socket.EAI_NONAME), False, UnknownName),
    (socket.EAI_AGAIN, False, HubUnavailable),
    (socket.EAI_NONAME, True, HubUnavailable),
]


@pytest.mark.parametrize(("code", "met", "expected"), LOOKUPS)
def test_name_without_address(code: int, met: bool, expected: type[HubUnavailable]) -> None:
    """A name that nobody knows is told as such; one that was known a moment ago may come back."""
    cause = urllib3.exceptions.NewConnectionError(POOL, "x")  # type: ignore[arg-type]  # printed only
    cause.__cause__ = socket.gaierror(code, "Name or service not known")
    fault = requests.ConnectionError(urllib3.exceptions.MaxRetryError(POOL, "/m", cause))
    ours = translate(fault, hop=HOP, hub="web", begun=False, met=met)
    assert type(ours) is expected
    assert ours.message == "example.com: this name could not be looked up; is this machine online?"


@pytest.mark.parametrize(("code", "asked"), [(socket.EAI_NONAME, 2), (socket.EAI_AGAIN, 4)])
def test_offline(tmp_path: Path, code: int, asked: int) -> None:
    """Who is not online is told after one more try; a resolver that cannot tell is asked as often as ever."""
    names: list[str] = []

    def resolve(host: str, *_: object, **__: object) -> Any:
        names.append(host)
        raise socket.gaierror(code, "unknown")

    moved = transfer(tmp_path, "https://models.example.com/m", b"x" * 10)
    (outcome,) = run(
        [moved], authorize=no_token, limits=replace(QUICK, retries=3), guard=Guard(resolve=resolve)
    )
    assert outcome.error is not None
    assert outcome.error.message.startswith("models.example.com: this name could not be looked up")
    assert len(names) == asked


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:9", "socks5h://127.0.0.1:9", "ftp://[::1]:9", "http://"]
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_proxy_of_no_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, proxy: str) -> None:
    """A proxy that is none, or speaks SOCKS, is told as that: the address of the file is not to blame."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, proxy)
    moved = transfer(tmp_path, "https://models.example.com/m", b"x" * 10)
    (outcome,) = run([moved], authorize=no_token, limits=QUICK)
    assert isinstance(outcome.error, Refused)
    assert "no proxy that can be used here" in outcome.error.message


def test_host_that_vanishes(tmp_path: Path) -> None:
    """A host that was there in this run is waited for with all patience: the line may come back."""
    data = safetensors(60_000)
    known = iter([True, False, False, False, True])

    def resolve(host: str, port: int, **kind: Any) -> Any:
        if next(known):
            return socket.getaddrinfo("127.0.0.1", port, **kind)
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with FaultServer() as server:
        server.put("/m", data, then(cut_at(30_000), good))
        origin = server.origin.replace("127.0.0.1", "models.example.com")
        moved = transfer(tmp_path, f"{origin}/m", data)
        guard = Guard(trusted=frozenset({origin}), resolve=resolve)
        (outcome,) = run([moved], authorize=no_token, limits=replace(QUICK, retries=5), guard=guard)
    assert outcome.state is State.VERIFIED, outcome.error
    assert next(known, None) is None


def test_there_are_many_exceptions() -> None:
    """The list above is the libraries' own."""
    assert len(_kinds()) > 40


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (requests.exceptions.SSLError(ssl.SSLCertVerificationError("expired")), Refused),
        (requests.exceptions.SSLError(ssl.SSLEOFError("eof")), HubUnavailable),
        (requests.exceptions.InvalidURL("x"), Refused),
        (requests.exceptions.InvalidHeader("x"), Refused),
        (requests.exceptions.ConnectTimeout("x"), HubUnavailable),
        (ConnectionResetError(104, "reset"), HubUnavailable),
    ],
)
def test_what_they_become(fault: Exception, expected: type[WatchmanError]) -> None:
    """A bad certificate or address is final, a broken line is not."""
    assert type(translate(fault, hop=HOP, hub="web", begun=False)) is expected


def _broken_error(x: Exchange) -> None:
    x.head(404, ("Content-Length", "100"))
    x.close = True


def _dripping_error(x: Exchange) -> None:
    x.head(404, ("Content-Length", "60000"))
    with suppress(OSError):
        for _ in range(100):
            x.sock.sendall(b"x")
            time.sleep(QUICK.stall / 4)
    x.close = True


def test_error_body_that_drips() -> None:
    """The text of an error is not waited for longer than a silent line would be."""
    with FaultServer() as server:
        url = server.put("/m", b"", _dripping_error)
        with Client(
            guard=guard_for(server.origin), limits=QUICK, authorize=no_token, stop=threading.Event()
        ) as client:
            began = time.monotonic()
            with pytest.raises(errors.NotFound):
                client.open(Ask(url=url, hub="web", name=NAME))
            assert time.monotonic() - began < 10 * QUICK.stall


def test_error_body_that_breaks() -> None:
    """An error whose text never comes is still the error."""
    with FaultServer() as server:
        url = server.put("/m", b"", _broken_error)
        with Client(
            guard=guard_for(server.origin), limits=QUICK, authorize=no_token, stop=threading.Event()
        ) as client:
            with pytest.raises(errors.NotFound):
                client.open(Ask(url=url, hub="web", name=NAME))
            server.put("/m", b"", status(404, b"\xff not json"))
            with pytest.raises(errors.NotFound):
                client.open(Ask(url=url, hub="web", name=NAME))
