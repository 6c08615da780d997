"""Who is let in: every way in which another page, name or machine may ask, and what each step is good for."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from routes_kit import BY_PLACE, Server, served, serving, ui

from comfywatchman.demo import models
from comfywatchman.errors import WatchmanError
from comfywatchman.routes.api import ROUTES
from comfywatchman.routes.guard import BODY, STEPS, Caller, Doors, Gate
from comfywatchman.routes.serving import PREFIX

ALL_STEPS = [name for name, _ in STEPS] + [BODY]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("guard"), offline=True) as running:
        yield running


def own(server: Server, **changes: str | None) -> dict[str, str]:
    """The headers of a page of ours, with some changed or, with None, left out."""
    headers: dict[str, str | None] = {
        "Host": server.host,
        "Origin": f"http://{server.host}",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/json",
        "X-Comfywatchman": "1",
    }
    headers |= {key.replace("_", "-"): value for key, value in changes.items()}
    return {key: value for key, value in headers.items() if value is not None}


# What a browser or a program may send instead, and the step that stops it.
ATTACKS: dict[str, tuple[str, dict[str, str | None]]] = {
    "rebound name": ("host", {"Host": "evil.test:{port}", "Origin": "http://evil.test:{port}"}),
    "rebound name, reading": ("host", {"Host": "evil.test:{port}", "Origin": None}),
    "other port in the host": ("host", {"Host": "127.0.0.1:1", "Origin": "http://127.0.0.1:1"}),
    "no port in the host": ("host", {"Host": "127.0.0.1", "Origin": "http://127.0.0.1"}),
    "all addresses": ("host", {"Host": "0.0.0.0:{port}", "Origin": "http://0.0.0.0:{port}"}),
    "address of the network": ("host", {"Host": "192.168.1.5:{port}", "Origin": "http://192.168.1.5:{port}"}),
    "dot after the name": ("host", {"Host": "localhost.:{port}", "Origin": "http://localhost.:{port}"}),
    "name that begins like ours": ("host", {"Host": "localhost.evil.test:{port}", "Origin": None}),
    "user in the host": ("host", {"Host": "127.0.0.1@evil.test:{port}", "Origin": None}),
    "empty host": ("host", {"Host": "", "Origin": None}),
    "another site": ("origin", {"Origin": "https://evil.test", "Sec-Fetch-Site": None}),
    "sandboxed frame": ("origin", {"Origin": "null", "Sec-Fetch-Site": None}),
    "another port": ("origin", {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": None}),
    "another scheme": ("origin", {"Origin": "https://{host}", "Sec-Fetch-Site": None}),
    "our other name": ("origin", {"Origin": "http://localhost:{port}", "Sec-Fetch-Site": None}),
    "empty origin": ("origin", {"Origin": "", "Sec-Fetch-Site": None}),
    "cross-site without origin": ("site", {"Origin": None, "Sec-Fetch-Site": "cross-site"}),
    "same site, other port": ("site", {"Origin": None, "Sec-Fetch-Site": "same-site"}),
    "nonsense of a site": ("site", {"Origin": None, "Sec-Fetch-Site": "?"}),
}
WRITES: dict[str, tuple[str, dict[str, str | None]]] = {
    "address bar": ("site", {"Origin": None, "Sec-Fetch-Site": "none"}),
    "form as text": ("type", {"Content-Type": "text/plain"}),
    "form": ("type", {"Content-Type": "application/x-www-form-urlencoded"}),
    "form with files": ("type", {"Content-Type": "multipart/form-data; boundary=x"}),
    "no type": ("type", {"Content-Type": None}),
    "type like ours": ("type", {"Content-Type": "application/json-seq"}),
    "packed body": ("type", {"Content-Encoding": "deflate"}),
    "no header": ("header", {"X-Comfywatchman": None}),
    "other header": ("header", {"X-Comfywatchman": "2"}),
}


def fill(server: Server, headers: dict[str, str | None]) -> dict[str, str | None]:
    return {k: v and v.format(port=server.port, host=server.host) for k, v in headers.items()}


def state(server: Server) -> Any:
    """Everything that a request could change."""
    return {
        "data": {p.name: p.read_bytes() for p in server.home.iterdir() if p.suffix == ".json"},
        "queue": server.desk.queue.standings(),
        "files": server.files(),
        "checkpoint": server.desk.house.watchman(asks=False).active_checkpoint,
        "events": len(server.events.seen),
    }


BODIES: dict[tuple[str, str], Any] = {
    ("POST", "inspections"): {"workflow": ui()},
    ("POST", "plans"): {"workflow": ui()},
    ("POST", "plans/{id}/fetch"): {"consent": "plan", "remember": True},
    ("PATCH", "transfers/all"): {"state": "paused"},
    ("PATCH", "transfers/{id}"): {"state": "paused"},
    ("PATCH", "settings"): {"bandwidth": "1 MiB"},
    ("PUT", "tokens/{hub}"): {"token": "a-token-of-evil"},
    ("PUT", "checkpoint"): {"name": "evil.safetensors"},
}


def call(server: Server, route: Any, prefix: str, headers: dict[str, str]) -> Any:
    path = (
        route.path.replace("{id}", "x")
        .replace("{folder}", "loras")
        .replace("{name}", "x")
        .replace("{hub}", "civitai")
    )
    body = json.dumps(BODIES.get((route.method, route.path), {})).encode() if route.method != "GET" else b""
    if "Content-Encoding" in headers:
        body = zlib.compress(body)
    return server.raw(route.method, prefix + path, body, headers)


@pytest.mark.parametrize("prefix", [PREFIX, "/api" + PREFIX])
def test_matrix(server: Server, prefix: str) -> None:
    """No attack gets through on any route or its twin, and none changes anything."""
    before = state(server)
    passed = []
    for route in ROUTES:
        attacks = {**ATTACKS, **(WRITES if route.method != "GET" else {})}
        for name, (step, headers) in attacks.items():
            answer = call(server, route, prefix, own(server, **fill(server, headers)))
            expected = 415 if step == "type" else 403
            if answer.status != expected or answer.code not in ("not-allowed", "wrong-content-type"):
                passed.append((route.method, route.path, name, answer.status))
    assert passed == []
    assert state(server) == before


@pytest.mark.parametrize("step", ALL_STEPS)
def test_controls(tmp_path: Path, step: str) -> None:
    """With one step left out just its attacks get through."""
    target = BY_PLACE["PATCH", "settings"]
    with serving(tmp_path, offline=True, without=frozenset({step})) as server:
        for name, (stopper, headers) in {**ATTACKS, **WRITES}.items():
            answer = call(server, target, PREFIX, own(server, **fill(server, headers)))
            if stopper == step:
                assert answer.status == 200, (name, answer.body)
            else:
                assert answer.status in (403, 415, 400), name
        big = server.raw("PATCH", PREFIX + "settings", b" " * (2 << 20) + b"{}", own(server))
        assert (big.status == 413) is (step != BODY)


def test_own_page(server: Server) -> None:
    """A page of ours is let in under each of this machine's names, and so is a program without a browser."""
    for host in (f"127.0.0.1:{server.port}", f"LOCALHOST:{server.port}", f"[::1]:{server.port}"):
        headers = own(server, Host=host, Origin=f"http://{host.lower()}")
        assert server.raw("GET", PREFIX + "status", headers=headers).status == 200
    assert server.raw("GET", PREFIX + "status").status == 200
    assert server.raw("GET", PREFIX + "status", headers={"Sec-Fetch-Site": "none"}).status == 200
    plain = {"Content-Type": "application/json; charset=utf-8", "X-Comfywatchman": "1"}
    assert server.raw("PATCH", PREFIX + "settings", b"{}", plain).status == 200


def test_inventory(server: Server) -> None:
    """Every route of the server is ours and behind the gate, and so is its twin."""
    found = [one.route for one in served(server.app)]
    assert sorted(route.path for route in found) == sorted(route.path for route in ROUTES for _ in range(2))
    assert all(one.gate for one in served(server.app))
    paths = {resource.canonical for resource in server.app.router.resources()}
    assert paths == {p + route.path for route in ROUTES for p in (PREFIX, "/api" + PREFIX)}


def test_reading_changes_nothing(server: Server) -> None:
    """No GET or HEAD changes anything, whatever it is asked."""
    server.ask("GET", "status")
    before = state(server)
    for route in ROUTES:
        if route.method == "GET":
            path = PREFIX + route.path.replace("{id}", "x").replace("{folder}", "loras").replace(
                "{name}", "x"
            )
            for method in ("GET", "HEAD"):
                server.raw(method, path + "?state=paused&token=x")
    assert state(server) == before


def test_methods(server: Server) -> None:
    """A method that a route does not have is refused by the server, guard or not."""
    for method in ("POST", "PUT", "TRACE", "OPTIONS"):
        assert server.raw(method, PREFIX + "status", b"{}", own(server)).status == 405


@pytest.mark.parametrize("path", ["inspections", "plans"])
def test_body_limits(server: Server, path: str) -> None:
    """A body over the limit is refused by its announced and by its real length."""
    big = json.dumps({"workflow": {"nodes": [], "x": "x" * (21 << 20)}}).encode()
    assert server.raw("POST", PREFIX + path, big, own(server)).code == "too-large"
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(big), big)
    headers = own(server) | {"Transfer-Encoding": "chunked"}
    assert send_chunked(server, path, chunked, headers) == 413


def send_chunked(server: Server, path: str, body: bytes, headers: dict[str, str]) -> int:
    head = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    with socket.create_connection(("127.0.0.1", server.port), 10) as line:
        line.sendall(f"POST {PREFIX}{path} HTTP/1.1\r\n{head}\r\n".encode())
        with contextlib.suppress(OSError):  # the server has heard enough
            line.sendall(body)
        return int(line.recv(100).split()[1])


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("Host: {host}\r\nHost: {host}", {400, 403}),
        ("Host: {host}\r\nOrigin: http://{host}\r\nOrigin: https://evil.test", {403}),
        ("Host: {host}\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site", {403}),
    ],
)
def test_doubled_headers(server: Server, lines: str, status: set[int]) -> None:
    """A header that comes twice cannot say one thing to us and another to somebody else."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as line:
        line.sendall(f"GET {PREFIX}status HTTP/1.1\r\n{lines.format(host=server.host)}\r\n\r\n".encode())
        assert int(line.recv(100).split()[1]) in status


def test_own_header_twice(server: Server) -> None:
    """Our own header may not say two things either."""
    write = "Content-Type: application/json\r\nContent-Length: 2"
    for twice, status in (("1\r\nX-Comfywatchman: 0", 403), ("0\r\nX-Comfywatchman: 1", 403), ("1", 200)):
        with socket.create_connection(("127.0.0.1", server.port), 10) as line:
            head = f"PATCH {PREFIX}settings HTTP/1.1\r\nHost: {server.host}\r\n{write}"
            line.sendall(f"{head}\r\nX-Comfywatchman: {twice}\r\n\r\n{{}}".encode())
            assert int(line.recv(100).split()[1]) == status


def test_names_of_this_machine(server: Server) -> None:
    """No other spelling of an address of this machine, and no name beside it, is taken for ours."""
    port = server.port
    spellings = ["127.0.0.1.", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]", "[0:0:0:0:0:0:0:1]"]
    spellings += ["[::1%25lo]", "[::1%lo]", "localhost.localdomain", "a@127.0.0.1", "local\u017fhost"]
    hosts = [f"{spelling}:{port}" for spelling in spellings]
    hosts += [f"127.0.0.1:{port}, evil.test", f"127.0.0.1:{port}/x", f"127.0.0.1:0{port}", "127.0.0.1:"]
    for host in hosts:
        head = f"GET {PREFIX}status HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: {server.host}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", port), 10) as line:
            line.sendall(head.encode())
            assert int(line.recv(100).split()[1]) == 403, host


@pytest.mark.parametrize(
    "path",
    [
        "words/loras/..%2f..%2f..%2foutside.safetensors",
        "words/loras/..%2f..%2foutside.safetensors",
        "words/loras/..%5c..%5coutside.safetensors",
        "words/..%2f/outside.safetensors",
        "words/%2e%2e/outside.safetensors",
        "words/loras/..%2fvae%2fother.safetensors",
        "words/loras/%00",
        "words/loras/%ed%a0%80",
        "transfers/..%2fsettings",
        "plans/..%2fsettings",
        "previews/..%2fstatus",
    ],
)
def test_paths_with_more_in_them(server: Server, path: str) -> None:
    """A slash or dots hidden in a part of a path lead nowhere: not to another file, nor to another route."""
    for place in (server.folder, server.folder / "ComfyUI", server.models):
        (place / "outside.safetensors").write_bytes(models.lora("outside", trigger="outside"))
    (server.models / "vae" / "other.safetensors").write_bytes(models.vae("other"))
    answer = server.raw("GET", PREFIX + path)
    assert answer.status in (400, 404)
    assert answer.code in ("not-here", "unknown-folder", "invalid-air", "transfer-gone", "plan-gone")


@pytest.mark.parametrize("scheme", ["ftp", "https", "http"])
def test_whole_address(server: Server, scheme: str) -> None:
    """A request line with a whole address does not say what scheme we are reached by."""
    lines = f"GET {scheme}://evil.test{PREFIX}status HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with socket.create_connection(("127.0.0.1", server.port), 10) as line:
        line.sendall(f"{lines}Origin: https://127.0.0.1\r\n\r\n".encode())
        assert int(line.recv(100).split()[1]) == 403


@pytest.mark.parametrize("head", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_body_that_breaks_off(server: Server, head: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who hangs up amid a body leaves no traceback behind."""
    write = "Content-Type: application/json\r\nX-Comfywatchman: 1"
    with socket.create_connection(("127.0.0.1", server.port), 10) as line:
        lines = f"POST {PREFIX}plans HTTP/1.1\r\nHost: {server.host}\r\n{write}\r\n{head}\r\n\r\n"
        line.sendall(f'{lines}4\r\n{{"pr'.encode())
        time.sleep(0.2)
    server.get("status")
    time.sleep(0.2)
    assert "Traceback" not in caplog.text


# ── other machines, and the settings that let them in ──


def caller(**changes: Any) -> Caller:
    fields: dict[str, Any] = {
        "method": "GET",
        "scheme": "http",
        "hosts": ("127.0.0.1:8188",),
        "origins": (),
        "sites": (),
        "content_type": "application/octet-stream",
        "encoding": None,
        "header": None,
        "own": ("127.0.0.1", 8188),
        "peer": "127.0.0.1",
    }
    return Caller(**(fields | changes))


LAN = {"own": ("192.168.1.5", 8188), "peer": "192.168.1.77"}
NOBODY = Doors()
LAN_OPEN = Doors(allow_lan=True)
PROXIED = Doors(allow_lan=True, served_as=frozenset({"comfy.example", "tunnel.example:9000"}))


@pytest.mark.parametrize(
    ("doors", "changes", "is_in"),
    [
        (NOBODY, {}, True),
        (NOBODY, {"peer": "::1"}, True),
        (NOBODY, {"peer": "::ffff:127.0.0.1"}, True),
        (NOBODY, {"peer": "127.0.0.53"}, True),
        (NOBODY, {"peer": "192.168.1.77"}, False),
        (NOBODY, {"peer": "::ffff:192.168.1.77"}, False),
        (NOBODY, {"peer": "fe80::1%eth0"}, False),
        (NOBODY, {"peer": "nonsense"}, False),
        (NOBODY, {"peer": None}, False),
        (NOBODY, {"own": None}, False),
        (NOBODY, {"scheme": "https", "hosts": ("localhost",), "own": ("127.0.0.1", 443)}, True),
        (NOBODY, {"hosts": ("localhost",), "own": ("127.0.0.1", 80)}, True),
        (NOBODY, {**LAN, "hosts": ("192.168.1.5:8188",)}, False),
        (NOBODY, {**LAN, "hosts": ("localhost:8188",)}, False),
        (LAN_OPEN, {**LAN, "hosts": ("192.168.1.5:8188",)}, True),
        (LAN_OPEN, {**LAN, "hosts": ("192.168.1.5:8188",), "origins": ("http://192.168.1.5:8188",)}, True),
        (LAN_OPEN, {**LAN, "hosts": ("192.168.1.5:8188",), "origins": ("http://evil.test",)}, False),
        (LAN_OPEN, {**LAN, "hosts": ("evil.test:8188",)}, False),
        (LAN_OPEN, {**LAN, "hosts": ("192.168.1.6:8188",)}, False),
        (LAN_OPEN, {"own": ("fd00::5", 8188), "peer": "fd00::7", "hosts": ("[fd00::5]:8188",)}, True),
        (PROXIED, {"hosts": ("comfy.example",), "origins": ("https://comfy.example",)}, True),
        (PROXIED, {"hosts": ("Comfy.Example",), "origins": ("https://Comfy.Example",)}, True),
        (PROXIED, {"hosts": ("tunnel.example:9000",)}, True),
        (PROXIED, {"hosts": ("tunnel.example",)}, False),
        (PROXIED, {"hosts": ("comfy.example:81",)}, False),
        (PROXIED, {"hosts": ("comfy.example",), "origins": ("https://evil.example",)}, False),
        (PROXIED, {"hosts": ("comfy.example",), "origins": ("null",)}, False),
    ],
)
def test_doors(doors: Doors, changes: dict[str, Any], is_in: bool) -> None:
    """Other machines and names get in only as the settings file says, and never pages of other sites."""
    try:
        Gate(lambda: doors).check(caller(**changes))
    except WatchmanError:
        assert not is_in
    else:
        assert is_in


@pytest.mark.parametrize(
    ("changes", "commands"),
    [
        ({**LAN, "hosts": ("192.168.1.5:8188",)}, {"allow_lan": "true"}),
        ({**LAN, "peer": "192.168.1.5", "hosts": ("192.168.1.5:8188",)}, {"allow_lan": "true"}),
        ({**LAN, "hosts": ("Box.local:8188",)}, {"served_as": "box.local:8188", "allow_lan": "true"}),
        ({"hosts": ("comfy.example",)}, {"served_as": "comfy.example"}),
        ({"peer": "192.168.1.77"}, {"allow_lan": "true"}),
    ],
)
@pytest.mark.parametrize("before", [frozenset(), frozenset({"tunnel.example:9000"})])
def test_way_in(before: frozenset[str], changes: dict[str, Any], commands: dict[str, str]) -> None:
    """Who is refused by name or place is told the settings that let them in, and these do.

    Who was let in before still is.
    """
    with pytest.raises(WatchmanError) as caught:
        Gate(lambda: Doors(served_as=before)).check(caller(**changes))
    told = dict(re.findall(r"`comfywatchman settings set --comfyui PATH (\w+) (\S+)`", caught.value.hint))
    if "served_as" in commands:
        commands = commands | {"served_as": ",".join(sorted({*before, commands["served_as"]}))}
    assert told == commands
    served_as = frozenset(told["served_as"].split(",")) if "served_as" in told else before
    doors = Doors(allow_lan="allow_lan" in told, served_as=served_as)
    Gate(lambda: doors).check(caller(**changes))
    Gate(lambda: doors).check(caller(hosts=(next(iter(before), "127.0.0.1:8188"),)))


@pytest.mark.parametrize(
    "host",
    ["$(touch$IFS/tmp/x):8188", "--touch:8188", "\u202ehcuot\x1b[31m<b>touch:8188", "touch" + "é" * 200],
)
def test_way_in_for_no_name(host: str) -> None:
    """A name that might steer a shell is in no command, one that might steer a terminal in no message."""
    with pytest.raises(WatchmanError) as caught:
        Gate(lambda: NOBODY).check(caller(hosts=(host,)))
    assert "touch" not in caught.value.hint
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500


def test_peer_control() -> None:
    """Without the step another machine is let in."""
    Gate(lambda: NOBODY, without=frozenset({"peer"})).check(caller(peer="192.168.1.77"))


def test_settings_open_doors(tmp_path: Path) -> None:
    """The names in the settings file are ours from the next request on; no page can add one."""
    with serving(tmp_path, offline=True) as server:
        headers = own(server, Host="comfy.example", Origin="https://comfy.example")
        assert server.raw("GET", PREFIX + "status", headers=headers).status == 403
        assert server.ask("PATCH", "settings", {"served_as": ["comfy.example"]}).code == "setting-guarded"
        (server.home / "settings.json").write_text('{"served_as": ["comfy.example"]}')
        assert server.raw("GET", PREFIX + "status", headers=headers).status == 200
        (server.home / "settings.json").write_text("{")
        assert server.raw("GET", PREFIX + "status", headers=headers).status == 400


def test_headers_of_answers(server: Server) -> None:
    """Every answer, errors too, says that it is nobody else's, of a fixed type, and not to be kept."""
    for path in ("status", "transfers/x"):
        headers = server.raw("GET", PREFIX + path).headers
        assert headers["Content-Type"] == "application/json"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
