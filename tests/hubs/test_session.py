"""The session: bounded, patient, and silent about tokens."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import requests
from hubs.hubserver import HTML, JSON, Asked, Rush, Said, Server, down, says
from requests.adapters import BaseAdapter

from comfywatchman.errors import HubError, HubUnavailable, InvalidSettings, LoginRequired
from comfywatchman.hubs.hosts import HostGroup, bearer
from comfywatchman.hubs.patience import Patience, Unreachable, parse_retry_after
from comfywatchman.hubs.session import Limits, Session

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
SECRET = "abcdef0123456789abcdef0123456789"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(lambda _asked: says({"ok": True})).running() as server:
        yield server


def group(server: Server) -> HostGroup:
    return HostGroup(hub="test", hosts=frozenset({"hub.example"}), endpoint=server.url)


def session(waits: list[float] | None = None, **more: object) -> Session:
    sleep = waits.append if waits is not None else lambda _seconds: None
    return Session(patience=Patience(sleep=sleep), now=lambda: NOW, **more)  # type: ignore[arg-type]


def ask(server: Server, waits: list[float] | None = None, **more: object) -> object:
    with session(waits, **more) as lines:
        return lines.get(group(server), "/x", headers=bearer("test", SECRET)).body.json


# ── one question ──


def test_headers(server: Server) -> None:
    """A question says who asks and that it wants JSON; it carries its token and no cookies."""
    with session() as lines:
        server.app = lambda _asked: says({}, Set_Cookie="a=b; Path=/")
        for _ in range(2):
            lines.get(group(server), "/x", parameters=[("q", "a b"), ("q", "ü")], headers=bearer("t", SECRET))

    headers = server.asked[1].headers
    assert headers["user-agent"].startswith("comfywatchman/")
    assert headers["accept"] == "application/json"
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert "cookie" not in headers
    assert server.asked[0].query == [("q", "a b"), ("q", "ü")]


def test_netrc(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in netrc is not sent, though plain requests would."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with session() as lines:
        lines.get(group(server), "/x", headers={})
    requests.get(f"{server.url}/x", timeout=5)

    assert ["authorization" in asked.headers for asked in server.asked] == [False, True]


def test_post(server: Server) -> None:
    """A question with a body is JSON."""
    with session() as lines:
        lines.post(group(server), "/x", json=["A"], headers={})
    assert (server.asked[0].method, server.asked[0].body) == ("POST", b'["A"]')


def test_inflated_size(server: Server) -> None:
    """The limit counts inflated bytes: a small answer that grows is refused, one below it is not."""
    body = gzip.compress(b'"' + b"x" * 500_000 + b'"')
    server.app = lambda _asked: Said(200, body, {**JSON, "Content-Encoding": "gzip"})

    assert len(body) < 1000
    assert len(str(ask(server, limits=Limits(size=600_000)))) == 500_000
    with pytest.raises(HubUnavailable, match="over 400,000 bytes"):
        ask(server, limits=Limits(size=400_000))


def test_slow_answer(server: Server) -> None:
    """An answer that takes longer in all than it may is given up."""
    ticks = iter(range(0, 10_000, 100))
    server.app = lambda _asked: Said(200, b" " * 100_000 + b"1")
    with pytest.raises(Unreachable, match="over 120 s"):
        ask(server, clock=lambda: next(ticks))


def test_stalled_answer(server: Server) -> None:
    """A hub that says nothing is asked three times, then left."""
    gate = threading.Event()

    def stall(_asked: Asked) -> Said:
        gate.wait(5)
        return says({})

    server.app = stall
    with pytest.raises(Unreachable, match="no answer in time"):
        ask(server, limits=Limits(read=0.05))
    gate.set()
    assert len(server.asked) == 3


# ── redirects ──


def test_redirect_inside(server: Server) -> None:
    """A redirect inside the hub is followed, with the token."""
    server.app = lambda asked: says(1) if asked.path == "/y" else Said(302, b"", {"Location": "/y"})
    assert ask(server) == 1
    assert server.asked[1].headers["authorization"] == f"Bearer {SECRET}"


def test_redirect_outside(server: Server) -> None:
    """A redirect to anybody else is refused before it is asked."""
    with Server(lambda _asked: says(1)).running() as other:
        server.app = lambda _asked: Said(302, b"", {"Location": f"{other.url}/y"})
        with pytest.raises(HubUnavailable, match="another host"):
            ask(server)
        assert other.asked == []


def test_redirect_circle(server: Server) -> None:
    """Five redirects are enough."""
    server.app = lambda _asked: Said(302, b"", {"Location": "/x"})
    with pytest.raises(HubUnavailable, match="5 redirects"):
        ask(server)
    assert len(server.asked) == 6


@pytest.mark.parametrize(("status", "followed"), [(302, False), (307, True)])
def test_redirect_of_post(server: Server, status: int, followed: bool) -> None:
    """A POST is repeated only where the redirect says so."""
    server.app = lambda asked: says(1) if asked.path == "/y" else Said(status, b"", {"Location": "/y"})
    with session() as lines:
        if followed:
            assert lines.post(group(server), "/x", json=[1], headers={}).body.json == 1
            assert server.asked[1].body == b"[1]"
        else:
            with pytest.raises(HubUnavailable):
                lines.post(group(server), "/x", json=[1], headers={})


# ── patience ──


@pytest.mark.parametrize("status", [429, 502, 503, 504, 520, 524])
def test_passing_faults(server: Server, status: int) -> None:
    """A fault that passes is waited for, a little longer each time."""
    waits: list[float] = []
    server.app = lambda _asked: says({}, status) if len(server.asked) < 3 else says("at last")

    assert ask(server, waits) == "at last"
    assert waits == [1.0, 2.0]


def test_tries_end(server: Server) -> None:
    """After three tries the fault is told, with what the hub said about waiting."""
    waits: list[float] = []
    server.app = lambda _asked: says({}, 503, Retry_After="2")
    with pytest.raises(HubUnavailable) as caught:
        ask(server, waits)
    assert (waits, caught.value.retry_after, len(server.asked)) == ([2.0, 2.0], 2.0, 3)


def test_long_retry_after(server: Server) -> None:
    """Nobody waits for an hour inside a question."""
    waits: list[float] = []
    server.app = lambda _asked: says({}, 429, Retry_After="3600")
    with pytest.raises(HubUnavailable) as caught:
        ask(server, waits)
    assert (waits, caught.value.retry_after, len(server.asked)) == ([], 3600.0, 1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "120"}, 120.0),
        ({"Retry-After": "99999"}, 3600.0),
        ({"Retry-After": "Tue, 01 Sep 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Tue, 01 Sep 2026 15:00:30 GMT", "Date": "Tue, 01 Sep 2026 15:00:00 GMT"}, 30.0),
        ({"Retry-After": "Tue, 01 Sep 2026 11:00:00 -0000"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "Tue, 99 Sep 2026 99:00:00 GMT"}, None),
        ({"RateLimit": '"api";r=0;t=55'}, 55.0),
        ({"RateLimit": '"api";r=3;t=55'}, None),
        ({}, None),
    ],
    ids=str,
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Both forms are read; a date counts against the answer's own clock."""
    assert parse_retry_after(headers, now=NOW) == seconds


def _always(said: Said, _asked: Asked) -> Said:
    return said


def test_no_retry_for_good_faults(server: Server) -> None:
    """What will not pass is not asked again."""
    for said in (Said(200, b"<html>", HTML), says({}, 500), says({}, 451), Said(403, b"<html>", HTML)):
        server.app = partial(_always, said)
        server.asked.clear()
        with pytest.raises(HubUnavailable):
            ask(server)
        assert len(server.asked) == 1


def test_at_most_four_at_once(server: Server) -> None:
    """One host gets at most four questions at a time."""
    rush = server.app = Rush(lambda _asked: says({}), seconds=0.02)
    with session() as lines:
        threads = [
            threading.Thread(target=lambda: lines.get(group(server), "/x", headers={})) for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert rush.most == 4


# ── every exception ──


def _kinds(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(inner for sub in kind.__subclasses__() for inner in _kinds(sub))]


class _Raises(BaseAdapter):
    """A connection that raises one exception for everything."""

    def __init__(self, fault: Exception) -> None:
        super().__init__()
        self._fault = fault

    def send(self, *_args: object, **_more: object) -> requests.Response:
        raise self._fault

    def close(self) -> None:
        pass


@pytest.mark.parametrize("kind", _kinds(requests.exceptions.RequestException), ids=lambda kind: kind.__name__)
def test_every_exception_is_translated(kind: type[Exception]) -> None:
    """No exception of requests leaves the session, and none of its words, which may hold a URL."""
    made = kind("x", "y", 0) if issubclass(kind, ValueError) and "JSON" in kind.__name__ else kind(SECRET)
    with pytest.raises(HubUnavailable) as caught:
        ask(Server.__new__(_Nowhere), adapter=_Raises(made))
    assert caught.value.hub == "test"
    told = f"{caught.value} {caught.value.hint}"
    assert SECRET not in told
    assert kind.__name__ not in told


@pytest.mark.parametrize(("code", "waits"), [(socket.EAI_NONAME, [1.0]), (socket.EAI_AGAIN, [1.0, 2.0])])
def test_name_without_address(code: int, waits: list[float]) -> None:
    """A machine that is not online is told soon, and in words; a resolver in trouble is waited for."""
    fault = requests.exceptions.ConnectionError("HTTPSConnectionPool(host=…)")
    fault.__cause__ = socket.gaierror(code, "Name or service not known")
    waited: list[float] = []
    with pytest.raises(Unreachable) as caught:
        ask(Server.__new__(_Nowhere), waited, adapter=_Raises(fault))
    assert caught.value.message == "hub.example: this name could not be looked up; is this machine online?"
    assert waited == waits


class _Nowhere(Server):
    """Nobody's address."""

    @property
    def url(self) -> str:
        return "https://hub.example"


def test_nobody_there() -> None:
    """A refused connection is asked for three times."""
    waits: list[float] = []
    with pytest.raises(Unreachable, match="cannot be reached"):
        ask(down(), waits)
    assert waits == [1.0, 2.0]


# ── hosts ──


@pytest.mark.parametrize(
    "endpoint", ["", "civitai.com", "ftp://x", "https://x/", "https://u:p@x", "https://x?a=b"]
)
def test_endpoint(endpoint: str) -> None:
    """An endpoint is a plain web address."""
    with pytest.raises(InvalidSettings):
        HostGroup(hub="test", hosts=frozenset(), endpoint=endpoint)


@pytest.mark.parametrize(
    ("url", "owned"),
    [
        ("https://hub.example/x", True),
        ("https://HUB.example:443/x", True),
        ("http://127.0.0.1:81/x", True),
        ("https://127.0.0.1:81/x", False),
        ("http://127.0.0.1/x", False),
        ("http://hub.example/x", False),
        ("https://hub.example./x", False),
        ("https://hub.example:99999/x", False),
        ("https://sub.hub.example/x", False),
        ("https://hub.example\n/x", False),
    ],
)
def test_owns(url: str, owned: bool) -> None:
    """Only https on the usual port counts for public names; the endpoint counts as it was configured."""
    group = HostGroup(hub="test", hosts=frozenset({"hub.example"}), endpoint="http://127.0.0.1:81")
    assert group.owns(url) is owned


@pytest.mark.parametrize(
    ("url", "home"),
    [
        ("http://127.0.0.1:81/a?b", "https://hub.example/a?b"),
        ("http://127.0.0.1:81", "https://hub.example"),
        ("http://127.0.0.1:8100/a", "http://127.0.0.1:8100/a"),
        ("https://other.example/a", "https://other.example/a"),
    ],
)
def test_at_home(url: str, home: str) -> None:
    """Links to the endpoint are read as links to the hub; all others stay."""
    group = HostGroup(hub="test", hosts=frozenset(), endpoint="http://127.0.0.1:81")
    assert group.at_home(url, home="https://hub.example") == home


@pytest.mark.parametrize("token", ["a b", "a\nb", "ü", "a\x00"])
def test_broken_token(token: str) -> None:
    """A token that would break a header is told without being shown."""
    with pytest.raises(LoginRequired) as caught:
        bearer("test", token)
    assert isinstance(caught.value, HubError)
    assert token not in str(caught.value)
