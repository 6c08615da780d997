"""The stand-in as a server: what it opens it closes, and what goes wrong in it is kept."""

import os
import socket
import struct
import threading
import time

import pytest
import requests

from comfywatchman.demo.shelf import Shelf, repo_of
from comfywatchman.demo.standin import StandIn, serve
from comfywatchman.demo.wire import Answer, Log, Origin, Request, Route, straight

RESET_ON_CLOSE = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
PATH = "/a/b/resolve/main/x.safetensors"


def shelf(size: int = 1000) -> Shelf:
    return Shelf(repos=[repo_of("a/b", {"x.safetensors": b"x" * size})])


def test_shutdown():
    """No thread and no socket is left, although a client still holds its connections open."""
    before = set(threading.enumerate())
    with requests.Session() as session:
        with serve(shelf()) as standin:
            assert session.get(standin.huggingface_endpoint + PATH, timeout=5).content == b"x" * 1000
            assert set(threading.enumerate()) > before
            port = int(standin.huggingface_endpoint.rpartition(":")[2])
        assert set(threading.enumerate()) == before
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_shutdown_in_a_slow_body():
    """A body on its way is broken off."""
    with requests.Session() as session:
        with serve(shelf(4 << 20), rate=1 << 17) as standin:
            answer = session.get(standin.huggingface_endpoint + PATH, stream=True, timeout=5)
            begun = time.monotonic()
        assert time.monotonic() - begun < 5  # the body would take half a minute
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            _ = answer.content


def test_rate():
    """A rate makes a download take its time."""
    with serve(shelf(200_000), rate=1_000_000) as standin:
        begun = time.monotonic()
        requests.get(standin.huggingface_endpoint + PATH, timeout=5)
        assert time.monotonic() - begun > 0.15


def test_port_taken():
    """When a port is taken the origins already open are closed again."""
    with serve(shelf()) as other:
        port = int(other.huggingface_endpoint.rpartition(":")[2])
        with pytest.raises(OSError), StandIn(port=port - 1):  # noqa: PT011  # the words are the system's
            pass
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("standin")]


def three_free_ports() -> int:
    """The first of three ports in a row that nobody has."""
    for _ in range(20):
        with socket.socket() as first, socket.socket() as second, socket.socket() as third:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
                third.bind(("127.0.0.1", port + 2))
            except OSError:
                continue
            return port
    raise AssertionError("no three free ports in a row")


def test_fixed_ports():
    """A port given is CivitAI's, the others follow."""
    port = three_free_ports()
    with StandIn(shelf(), port=port) as standin:
        assert standin.civitai_endpoint.endswith(f":{port}")
        assert standin.huggingface_endpoint.endswith(f":{port + 1}")
        assert standin.delivery.url.endswith(f":{port + 2}")


def test_fault_in_a_handler():
    """An error in a handler closes the connection and is kept; a client that hangs up is no error."""

    def broken(request: Request) -> Answer:
        raise ZeroDivisionError

    log = Log()
    with Origin("x", [Route("broken", "GET", "/broken", broken)], log, straight) as origin:
        with pytest.raises(requests.exceptions.ConnectionError):
            requests.get(f"{origin.url}/broken", timeout=5)
        with socket.create_connection(("127.0.0.1", origin.server_address[1])) as rude:
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        assert requests.get(f"{origin.url}/nothing", timeout=5).status_code == 404
    assert [type(fault) for fault in log.faults] == [ZeroDivisionError]
    assert log.counts() == {"x.unknown": 1}
