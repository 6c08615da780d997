"""Where a workflow cannot make this machine connect to: counted at a real listener, not by return codes.

    spelling ──► first address, or a redirect's at hop 1…5 (301 302 303 307 308) ──► listener: 0 connections

Every name and address that is asked of the resolver is led to the listener, so an attempt to connect
anywhere is one connection there. Each guard is tried alone, with the other one off.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from transfer.faults import FaultServer, redirect, status
from transfer.models import QUICK, guard_for, no_token, safetensors, transfer
from transfer.test_guard import HOSTS

from comfywatchman.errors import Refused, WatchmanError
from comfywatchman.transfer.events import Outcome, State
from comfywatchman.transfer.guard import Guard
from comfywatchman.transfer.queue import run

DATA = safetensors(20_000)
CODES = (301, 302, 303, 307, 308)
HUB = "hub.example.com"
Resolved = list[tuple[Any, Any, int, str, tuple[Any, ...]]]


@dataclass
class Net:
    """A hub that is asked under a public name, and a listener that every other name and address leads to."""

    hub: FaultServer
    listener: FaultServer
    asked: list[str] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://{HUB}:{self.hub.port}"

    def resolve(self, host: str, port: int, **_: object) -> Resolved:
        port = self.hub.port if host == HUB else self.listener.port
        self.asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    def guard(self, *trusted: str, judge: Callable[[Any], bool] = lambda _: True) -> Guard:
        """A guard whose check at the socket is off, so that only the check of the address stands."""
        return Guard(trusted=frozenset({self.origin, *trusted}), resolve=self.resolve, judge=judge)

    def fetch(self, root: Path, url: str, guard: Guard) -> Outcome:
        (outcome,) = run([transfer(root, url, DATA)], authorize=no_token, limits=QUICK, guard=guard)
        return outcome

    def lead_to(self, url: str, *, after: int, code: int) -> str:
        """An address that leads to `url` after so many redirects; with none it is `url` itself."""
        if not after:
            return url
        for hop in range(1, after):
            self.hub.put(f"/{hop}", b"", redirect(f"/{hop + 1}", code))
        self.hub.put(f"/{after}", b"", redirect(url.encode().decode("latin-1"), code))
        return f"{self.origin}/1"


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Iterator[Net]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with FaultServer() as hub, FaultServer() as listener:
        yield Net(hub, listener)


SPELLINGS = [
    *HOSTS, "civitai.com.evil.test:444", "evilcivitai.com:8443", "civitai.com:80", "huggingface.co:22",
    "civitai.com#@127.0.0.1:1", "civitai.com?@127.0.0.1\\", "127.0.0.1:443", "[::1]:443", "0x7f.1",
    "0177.1", "127.0.0.1%2f.example.com", "localhost%00.example.com", "localhost:443",
    "[::ffff:169.254.169.254]", "[0::1]", "[::ffff:0:7f00:1]", "metadata.google.internal:443",
    "instance-data.internal", "xn--.local", "kubernetes.default.svc.cluster.local",
]  # fmt: skip


def _is_parsed(spelling: str) -> bool:
    """Whether it gets past the parser of URLs at all; the others never become a transfer."""
    try:
        return bool(urlsplit(f"https://{spelling}/m").netloc)
    except ValueError:
        return False


@pytest.mark.parametrize(
    "positions",
    [
        pytest.param((0, 1), id="quick"),
        pytest.param(tuple(range(6)), id="full", marks=pytest.mark.full),
    ],
)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_spellings_at_every_hop(net: Net, tmp_path: Path, scheme: str, positions: tuple[int, ...]) -> None:
    """No spelling of an address here is connected to, at no hop, whatever the redirect's code."""
    tried = 0
    for number, spelling in enumerate(dict.fromkeys(SPELLINGS)):
        if scheme == "https" and spelling.startswith("civitai.com#"):
            continue  # a fragment: the host is civitai.com, which may be asked
        for position in positions:
            codes = CODES if len(positions) > 2 and position else (CODES[number % 5],)
            for code in codes:
                if not position and not _is_parsed(spelling):
                    continue
                url = net.lead_to(f"{scheme}://{spelling}/m", after=position, code=code)
                outcome = net.fetch(tmp_path, url, net.guard())
                assert isinstance(outcome.error, Refused), (spelling, position, code, outcome.error)
                tried += 1
    print(f"{tried} attempts, {net.listener.connections} connections")
    assert set(net.asked) <= {HUB}
    assert net.listener.connections == 0


def test_there_are_enough() -> None:
    """The table is as long as the policy asks for, and more."""
    assert len(set(SPELLINGS)) >= 80


def test_spellings_with_the_guard_off(net: Net, tmp_path: Path) -> None:
    """Negative control: an origin in the settings is connected to under these very spellings."""
    through = 0
    for spelling in ("127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "[::1]", "printer.local"):
        origin = f"http://{spelling}:{net.listener.port}"
        for position in range(3):
            before = net.listener.connections
            url = net.lead_to(f"{origin}/m", after=position, code=302)
            net.fetch(tmp_path, url, net.guard(origin))
            through += net.listener.connections > before
    assert through == 21


PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "168.63.129.16", "192.0.0.9", "192.88.99.1", "198.18.0.1", "203.0.113.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001::1", "2001:db8::1", "3fff::1", "5f00::1",
    "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b:1::7f00:1",
]  # fmt: skip


def _leading(*addresses: str) -> Callable[..., Resolved]:
    def resolve(host: str, port: int, **_: object) -> Resolved:
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in addresses
        ]

    return resolve


@pytest.mark.parametrize("beside", [(), ("8.8.8.8",), ("2606:4700::6810:1",)], ids=["alone", "v4", "v6"])
def test_names_of_private_addresses(tmp_path: Path, beside: tuple[str, ...]) -> None:
    """A public name whose addresses, or one of whose addresses, is not public is not connected to."""
    for address in PRIVATE:
        for order in ((address, *beside), (*beside, address)):
            (outcome,) = run(
                [transfer(tmp_path, "https://models.example.com/m", DATA)],
                authorize=no_token,
                limits=QUICK,
                guard=Guard(resolve=_leading(*order)),
            )
            assert isinstance(outcome.error, Refused), (order, outcome.error)
            assert str(ipaddress.ip_address(address)) in outcome.error.message or "::ffff" in address


@pytest.mark.parametrize("rounds", [8])
def test_rebinding_resolver(net: Net, tmp_path: Path, rounds: int) -> None:
    """A name that is public when asked first and private ever after: the address asked is the address used.

    `judge` calls one loopback address public, so the check at the socket can pass; a second look-up would
    give the address of the listener.
    """
    with FaultServer("127.0.0.2") as public:
        public.put("/m", DATA)
        answers: list[str] = []

        def resolve(host: str, port: int, **_: object) -> Resolved:
            answers.append("127.0.0.2" if not answers else "127.0.0.1")
            where = (answers[-1], public.port if len(answers) == 1 else net.listener.port)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", where)]

        guard = Guard(
            resolve=resolve,
            judge=lambda address: str(address) == "127.0.0.2",
            agreed=frozenset({"http://rebind.example.com"}),
        )
        for _ in range(rounds):
            answers.clear()
            net.fetch(tmp_path, "http://rebind.example.com/m", guard)
            (tmp_path / "ink.safetensors").unlink(missing_ok=True)
            assert len(answers) == 1
        assert public.connections == rounds
    assert net.listener.connections == 0


# ── tokens ──

Groups = dict[str, str]


@dataclass
class Hosts:
    """Several hosts under names, each on a server of its own that remembers what it was sent."""

    servers: dict[str, FaultServer]

    def origin(self, name: str) -> str:
        return f"http://{name}:{self.servers[name].port}"

    def resolve(self, host: str, port: int, **_: object) -> Resolved:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", self.servers[host].port))]

    def authorize(self, url: str) -> dict[str, str]:
        """Each group's token for its own hosts."""
        group = GROUPS.get(urlsplit(url).hostname or "")
        return {"Authorization": f"Bearer canary-{group}"} if group else {}


GROUPS: Groups = {
    "civitai.example.com": "civitai",
    "red.example.com": "civitai",
    "green.example.com": "civitai",
    "hf.example.com": "huggingface",
    "mirror.example.com": "mirror",
}
OTHERS = ("r2.example.com", "b2.example.com", "evil.example.com")


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    servers = {name: FaultServer() for name in (*GROUPS, *OTHERS)}
    for server in servers.values():
        server.__enter__()
    yield Hosts(servers)
    for server in servers.values():
        server.__exit__(None, None, None)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("first", GROUPS)
def test_token_matrix(hosts: Hosts, tmp_path: Path, first: str, code: int) -> None:
    """From every hub to every host and back: each host gets its own group's token or none, and no cookie."""
    trail = [first, *(name for name in hosts.servers if name != first)][:4]
    rest = [name for name in hosts.servers if name not in trail]
    for names in (trail, [first, *rest[:3]], [first, "evil.example.com", first, "b2.example.com"]):
        for server in hosts.servers.values():
            server.seen.clear()
            server.resources.clear()
        for at, name in enumerate(names[:-1]):
            onward = ("Location", f"{hosts.origin(names[at + 1])}/{at + 1}?sig=s")
            cookies = ("Set-Cookie", f"session=canary-cookie-{at}; Domain=example.com; Path=/")
            hosts.servers[name].put(f"/{at}", b"", status(code, b"", onward, cookies))
        hosts.servers[names[-1]].put(f"/{len(names) - 1}", DATA)
        (outcome,) = run(
            [transfer(tmp_path, f"{hosts.origin(first)}/0", DATA)],
            authorize=hosts.authorize,
            limits=QUICK,
            guard=Guard(trusted=frozenset(map(hosts.origin, hosts.servers)), resolve=hosts.resolve),
        )
        assert outcome.state is State.VERIFIED, outcome.error
        (tmp_path / "ink.safetensors").unlink()
        for name, server in hosts.servers.items():
            assert bool(server.seen) is (name in names)
            for seen in server.seen:
                group = GROUPS.get(name)
                assert seen.headers.get("authorization") == (f"Bearer canary-{group}" if group else None)
                assert seen.text.count("canary") == (1 if group else 0)


def test_token_matrix_with_the_guard_off(hosts: Hosts, tmp_path: Path) -> None:
    """Negative control: with a token for every address the strangers are seen to get it."""
    hosts.servers["civitai.example.com"].put("/0", b"", redirect(f"{hosts.origin('evil.example.com')}/1"))
    hosts.servers["evil.example.com"].put("/1", DATA)
    run(
        [transfer(tmp_path, f"{hosts.origin('civitai.example.com')}/0", DATA)],
        authorize=lambda _: {"Authorization": "Bearer canary-civitai"},
        limits=QUICK,
        guard=Guard(trusted=frozenset(map(hosts.origin, hosts.servers)), resolve=hosts.resolve),
    )
    assert "canary" in hosts.servers["evil.example.com"].seen[0].text


# ── proxies and netrc ──


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FaultServer]:
    """A proxy for everything, and a netrc with a password for every host."""
    (tmp_path / ".netrc").write_text("default login canary password canary\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with FaultServer() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
        yield proxy


def test_spellings_behind_a_proxy(proxied: FaultServer, tmp_path: Path) -> None:
    """A proxy is not asked for what may not be asked: the check of the address needs no look-up."""
    for spelling in dict.fromkeys(SPELLINGS):
        if spelling.startswith("civitai.com#") or not _is_parsed(spelling):
            continue
        (outcome,) = run(
            [transfer(tmp_path / "m", f"https://{spelling}/m", DATA)],
            authorize=no_token,
            limits=QUICK,
            guard=Guard(),
        )
        assert isinstance(outcome.error, Refused)
    assert proxied.connections == 0


def test_what_a_proxy_is_sent(proxied: FaultServer, tmp_path: Path) -> None:
    """Over https a proxy hears host and port, and never a token or a password of netrc."""
    (outcome,) = run(
        [transfer(tmp_path / "m", "https://models.example.com/m?token=canary", DATA)],
        authorize=lambda _: {"Authorization": "Bearer canary"},
        limits=QUICK,
        guard=Guard(),
    )
    assert isinstance(outcome.error, WatchmanError)
    assert {seen.text.split("\r\n")[0] for seen in proxied.seen} == {
        "CONNECT models.example.com:443 HTTP/1.0"
    } or {seen.text.split("\r\n")[0] for seen in proxied.seen} == {"CONNECT models.example.com:443 HTTP/1.1"}
    assert "canary" not in "".join(seen.text for seen in proxied.seen)


def test_loopback_is_not_proxied(proxied: FaultServer, tmp_path: Path) -> None:
    """A stand-in on this machine is asked directly, and without what netrc has."""
    with FaultServer() as server:
        url = server.put("/m", DATA)
        (outcome,) = run(
            [transfer(tmp_path / "m", url, DATA)],
            authorize=no_token,
            limits=QUICK,
            guard=guard_for(server.origin),
        )
    assert outcome.state is State.VERIFIED
    assert "authorization" not in server.seen[0].headers
    assert proxied.connections == 0


def test_only_https_is_fetched_by_every_door(net: Net, tmp_path: Path) -> None:
    """Fourteen schemes, first or after a redirect: nothing is connected to, no file is read."""
    schemes = (
        "http", "ftp", "file", "gopher", "data", "blob", "jar", "unix", "ws", "wss", "dict", "ldap", "sftp",
        "javascript",
    )  # fmt: skip
    for scheme in schemes:
        for position in (0, 1, 5):
            url = net.lead_to(f"{scheme}://models.example.com/etc/passwd", after=position, code=307)
            outcome = net.fetch(tmp_path, url, net.guard())
            assert isinstance(outcome.error, Refused), (scheme, position, outcome.error)
    assert net.listener.connections == 0
    assert threading.active_count() < 60
