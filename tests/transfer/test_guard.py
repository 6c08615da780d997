"""Where bytes may come from, and who gets a token: nothing else is even connected to."""

from __future__ import annotations

import ipaddress
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transfer.faults import FaultServer, good, redirect, status
from transfer.models import NAME, QUICK, guard_for, no_token, safetensors, transfer

from comfywatchman.errors import LoginRequired, Refused
from comfywatchman.transfer.ask import Ask
from comfywatchman.transfer.events import State
from comfywatchman.transfer.guard import Guard, is_public, strip_query
from comfywatchman.transfer.http import Client
from comfywatchman.transfer.queue import run

DATA = safetensors(20_000)

# Every one of these leads, for one parser or another, to this machine, its network or its cloud.
HOSTS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001",
    "127.000.000.001", "127.0.0.1.", "0", "0.0.0.0", "00000000.0", "localhost", "localhost.", "LOCALHOST",
    "localhost.localdomain.local", "a.localhost", "printer.local", "metadata.google.internal", "nas.lan",
    "router.home.arpa", "x.intranet", "example.onion",
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[fe80::1]",
    "[fe80::1%25eth0]", "[fc00::1]", "[fd00:ec2::254]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fec0::1]",
    "[2001:db8::1]", "[v1.fe]", "[::1", "::1",
    "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "168.63.129.16", "192.0.0.9",
    "224.0.0.1", "255.255.255.255", "8.8.8.8", "1.1", "0x08080808",
    "user@civitai.com", "civitai.com@127.0.0.1", "user:pw@example.com", "civitai.com%2f@127.0.0.1",
    "127.0.0.1\\@civitai.com", "civitai.com\\.evil.test", "civitai.com%00.evil.com", "exa mple.com",
    "１２７.０.０.１", "ⓛocalhost", "сivitai.com", "civitai。com", "civitai.com.", "-a.com", "a-.com",
    "a..com",
    ".com", "com", "*.com", "a_b", "example.com:8080", "example.com:0", "example.com:99999", "example.com:x",
    "example.com:22", "a.123", "a.0x1", "x" * 64 + ".com", "a." * 130 + "com",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_spellings_of_hosts(host: str) -> None:
    """No spelling of an address or a local name is a URL to ask, neither first nor after a redirect."""
    guard = Guard()
    start = guard.check_url("https://example.com/m")
    for scheme in ("https", "http"):
        with pytest.raises(Refused):
            guard.check_url(f"{scheme}://{host}/m")
        with pytest.raises(Refused):
            guard.check_redirect(start, f"{scheme}://{host}/m", known=True)


def test_there_are_enough_spellings() -> None:
    """The table is as long as the policy asks for."""
    assert len(HOSTS) >= 60


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/m", "ftp://example.com/m", "file:///etc/passwd", "gopher://example.com",
        "data:,x",
        "blob:https://example.com/1", "jar:https://example.com!/", "unix:/run/x", "ws://example.com",
        "//example.com",
        "/m", "", "https:/example.com/m", "https:example.com", "https:///m", "javascript:1", "https://example.com/\n",
        "https://example.com/a b", "https://example.com/ä", "HTTP://example.com", "https://" + "a" * 9000,
    ],
)  # fmt: skip
def test_schemes_and_forms(url: str) -> None:
    """Only https with a plain host is fetched."""
    with pytest.raises(Refused):
        Guard().check_url(url)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::6810:1", True), ("64:ff9b::808:808", True),
        ("127.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False), ("fec0::1", False),
        ("::127.0.0.1", False), ("ff0e::1", False), ("224.0.0.1", False), ("192.0.0.9", False),
        ("168.63.129.16", False), ("3fff::1", False), ("5f00::1", False), ("100.64.0.1", False),
        ("::", False),
        ("2001::1", False), ("169.254.169.254", False), ("0.0.0.0", False), ("240.0.0.1", False),
    ],
)  # fmt: skip
def test_public_addresses(address: str, public: bool) -> None:
    """What Python calls global is not always the public internet."""
    assert is_public(ipaddress.ip_address(address)) is public


@given(st.ip_addresses(v=4))
def test_no_private_address_is_public(address: ipaddress.IPv4Address) -> None:
    """An address with any special use is not public, whatever clothes it wears."""
    special = address.is_private or address.is_multicast or address.is_reserved or address.is_loopback
    assert not (special and is_public(address))
    assert is_public(ipaddress.IPv6Address((0x64FF9B << 96) + int(address))) is is_public(address)


def _leading_to(*addresses: str) -> Any:
    def resolve(host: str, port: int, **_: object) -> list[tuple[Any, Any, int, str, tuple[Any, ...]]]:
        kinds = [socket.AF_INET6 if ":" in a else socket.AF_INET for a in addresses]
        return [
            (kind, socket.SOCK_STREAM, 6, "", (a, port)) for kind, a in zip(kinds, addresses, strict=True)
        ]

    return resolve


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("::1",), ("::ffff:127.0.0.1",), ("fe80::1%1",)]
)
def test_names_that_lead_home(addresses: tuple[str, ...]) -> None:
    """A public name with a private address, even beside a public one, gets no connection."""
    with FaultServer() as server:
        guard = Guard(resolve=_leading_to(*addresses))
        with pytest.raises(Refused):
            guard.connect("models.example.com", server.port, reach="public", timeout=1)
    assert server.connections == 0


def test_names_that_lead_home_with_the_guard_off() -> None:
    """Negative control: with a judge that permits everything the same name does get through."""
    with FaultServer() as server:
        guard = Guard(resolve=_leading_to("127.0.0.1"), judge=lambda _: True)
        guard.connect("models.example.com", server.port, reach="public", timeout=1).close()


def _anything(_address: object) -> bool:
    return True


def test_rebinding() -> None:
    """The name is looked up once, and the socket goes to the address that was checked."""
    with FaultServer() as server:
        answers = [_leading_to("127.0.0.1"), _leading_to("8.8.8.8")]

        def resolve(host: str, port: int, **kind: object) -> Any:
            return answers.pop()(host, port, **kind)

        guard = Guard(resolve=resolve, judge=_anything)
        with pytest.raises(OSError, match=r".*"):
            guard.connect("rebind.example.com", server.port, reach="public", timeout=0.05)
        assert len(answers) == 1
    assert server.connections == 0


def test_client_uses_the_guarded_socket() -> None:
    """The check at the socket holds for what requests opens, too."""
    guard = Guard(resolve=_leading_to("127.0.0.1"))
    stop = threading.Event()
    with Client(guard=guard, limits=QUICK, authorize=no_token, stop=stop) as client, pytest.raises(Refused):
        client.open(Ask(url="https://models.example.com/m", hub="web", name=NAME))


def test_dead_ends() -> None:
    """The error of the last address tried is what one learns; no address at all is an error too."""
    with pytest.raises(OSError, match=r".*"):
        Guard(resolve=_leading_to()).connect("a.example.com", 1, reach="any", timeout=1)
    with pytest.raises(ConnectionRefusedError):
        Guard(resolve=_leading_to("127.0.0.1")).connect("a.example.com", 1, reach="any", timeout=1)


@pytest.mark.parametrize(
    ("start", "location", "known", "allowed"),
    [
        ("https://civitai.com/m", "https://x.r2.cloudflarestorage.com/m", False, True),
        ("https://civitai.com/m", "https://cdn.example.com/m", True, True),
        ("https://civitai.com/m", "https://cdn.example.com/m", False, False),
        ("https://civitai.com/m", "https://evilhf.co/m", False, False),
        ("https://civitai.com/m", "/api/other", False, True),
        ("https://civitai.com/m", "//huggingface.co/m", False, True),
        ("https://civitai.com/m", "http://civitai.com/m", True, False),
        ("https://civitai.com/m", "http://127.0.0.1:8123/m", True, False),
        ("http://127.0.0.1:8123/m", "http://127.0.0.1:9/m", False, True),
        ("http://127.0.0.1:8123/m", "http://localhost:9/m", False, True),
        ("http://127.0.0.1:8123/m", "http://192.168.0.1/m", True, False),
        ("http://127.0.0.1:8123/m", "https://cdn.example.com/m", True, True),
        ("http://10.0.0.5:8000/m", "http://127.0.0.1:9/m", True, False),
        ("http://plain.example.com/m", "https://cdn.example.com/m", True, True),
        ("https://civitai.com/m", "http://plain.example.com/m", True, False),
        ("https://civitai.com/m", "https://u:p@civitai.com/m", True, False),
    ],
)
def test_redirect_policy(start: str, location: str, known: bool, allowed: bool) -> None:
    """Each hop is judged anew; only what is known to the byte may come from any public host."""
    guard = Guard(
        trusted=frozenset({"http://127.0.0.1:8123", "http://10.0.0.5:8000"}),
        agreed=frozenset({"http://plain.example.com"}),
    )
    hop = guard.check_url(start)
    if allowed:
        guard.check_redirect(hop, location, known=known)
    else:
        with pytest.raises(Refused):
            guard.check_redirect(hop, location, known=known)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("position", [1, 3, 5, 6])
@pytest.mark.parametrize("last", ["well", "private"])
def test_redirect_positions(tmp_path: Path, code: int, position: int, last: str) -> None:
    """Five hops are followed, six are not, and the last is judged as the first."""
    with FaultServer() as server, FaultServer() as forbidden:
        for hop in range(position):
            server.put(f"/{hop}", b"", redirect(f"/{hop + 1}", code))
        end = good if last == "well" else redirect(f"http://0.0.0.0:{forbidden.port}/m", code)
        server.put(f"/{position}", DATA, end)
        (outcome,) = run(
            [transfer(tmp_path, f"{server.origin}/0", DATA)],
            authorize=no_token,
            limits=QUICK,
            guard=guard_for(server.origin),
        )
    if last == "well" and position <= 5:
        assert outcome.state is State.VERIFIED
    else:
        assert isinstance(outcome.error, Refused)
    assert forbidden.connections == 0


def test_token_stays_with_its_host(tmp_path: Path) -> None:
    """Where the hub sends us on, no token, cookie or netrc entry goes along."""
    asked: list[str] = []

    def authorize(url: str) -> dict[str, str]:
        asked.append(url)
        return {"Authorization": "Bearer canary"} if url.startswith(hub.origin) else {}

    with FaultServer() as hub, FaultServer() as store:
        store.put("/m", DATA)
        hub.put(
            "/m", b"", status(307, b"", ("Location", f"{store.origin}/m?sig=1"), ("Set-Cookie", "c=canary"))
        )
        outcomes = run(
            [transfer(tmp_path, f"{hub.origin}/m", DATA)],
            authorize=authorize,
            limits=QUICK,
            guard=guard_for(hub.origin),
        )
    assert outcomes[0].state is State.VERIFIED
    assert hub.seen[0].headers["authorization"] == "Bearer canary"
    assert "canary" not in "".join(seen.text for seen in store.seen)
    assert asked == [f"{hub.origin}/m"]  # a plain hop elsewhere is not even asked for


def test_token_canary_with_a_careless_hub(tmp_path: Path) -> None:
    """Negative control: a token for every URL does reach a trusted second host, so the capture works."""
    with FaultServer() as hub, FaultServer() as store:
        store.put("/m", DATA)
        hub.put("/m", b"", redirect(f"{store.origin}/m"))
        run(
            [transfer(tmp_path, f"{hub.origin}/m", DATA)],
            authorize=lambda _: {"Authorization": "Bearer canary"},
            limits=QUICK,
            guard=guard_for(hub.origin, store.origin),
        )
    assert "canary" in store.seen[0].text


def test_no_token_over_plain_http() -> None:
    """A plain-http host that was agreed to still gets no token."""
    guard = Guard(agreed=frozenset({"http://plain.example.com:8080"}))
    hop = guard.check_url("http://plain.example.com:8080/m")
    assert guard.credentials(hop, lambda _: {"Authorization": "canary"}) == {}
    assert hop.reach == "public"


def test_netrc_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords of ~/.netrc are for other programs."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login canary password canary\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with FaultServer() as server:
        url = server.put("/m", DATA, status(401))
        (outcome,) = run(
            [transfer(tmp_path, url, DATA)], authorize=no_token, limits=QUICK, guard=guard_for(server.origin)
        )
    assert isinstance(outcome.error, LoginRequired)
    assert "authorization" not in server.seen[0].headers


def test_proxy_is_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY carries requests to other machines; what it may be asked is still judged by URL."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with FaultServer() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        monkeypatch.setenv("http_proxy", proxy.origin)
        proxy.put("http://models.example.com/m", DATA)
        (outcome,) = run(
            [transfer(tmp_path, "http://models.example.com/m", DATA)],
            authorize=no_token,
            limits=QUICK,
            guard=Guard(agreed=frozenset({"http://models.example.com"})),
        )
    assert outcome.state is State.VERIFIED, outcome.error


def test_queries_are_not_shown() -> None:
    """What is logged, shown and kept of a URL holds no signature, token or password."""
    assert strip_query("https://u:p@a.example.com/x?token=1#y") == "https://a.example.com/x"


def test_known_files_need_both() -> None:
    """Negative control of the storage rule: with the host listed, the same redirect passes."""
    hop = Guard().check_url("https://example.com/m")
    with pytest.raises(Refused):
        Guard().check_redirect(hop, "https://cdn.example.net/m", known=False)
    listed = replace(Guard(), storage=("example.net",))
    assert listed.check_redirect(hop, "https://cdn.example.net/m", known=False).host == "cdn.example.net"
