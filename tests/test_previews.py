"""Fetching pictures: from where, how much, how long, and what is kept. Real servers on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from comfywatchman.demo.pictures import png, seascape
from comfywatchman.demo.wire import Answer, Log, Origin, Request, Route, straight
from comfywatchman.errors import HubUnavailable, Interrupted, NotFound, Refused, WatchmanError
from comfywatchman.library.previews import NotAnImage
from comfywatchman.previews import Previews
from comfywatchman.transfer.guard import Guard

PICTURE = seascape("ink")


@dataclass
class Pictures:
    """A server of pictures; `answers` says what is at a path."""

    answers: dict[str, Answer] = field(default_factory=lambda: {"/ink.png": Answer(body=PICTURE)})
    log: Log = field(default_factory=Log)

    def give(self, request: Request) -> Answer:
        return self.answers.get(request.path, Answer(status=404))

    @contextmanager
    def served(self) -> Iterator[str]:
        with Origin("pictures", [Route("any", "GET", ".*", self.give)], self.log, straight) as origin:
            yield origin.url

    @property
    def paths(self) -> list[str]:
        return [seen.request.path for seen in self.log.seen]


@pytest.fixture
def pictures() -> Pictures:
    return Pictures()


@pytest.fixture
def origin(pictures: Pictures) -> Iterator[str]:
    with pictures.served() as url:
        yield url


@contextmanager
def opened(endpoint: str, **more: object) -> Iterator[Previews]:
    previews = Previews(endpoint, **more)  # type: ignore[arg-type]
    try:
        yield previews
    finally:
        previews.close()


def test_picture(pictures: Pictures, origin: str) -> None:
    """A picture is fetched once, without anything that tells who asks, and kept drawn."""
    with opened(origin) as previews:
        drawn = previews.get(f"{origin}/ink.png")
        assert drawn.startswith(b"\xff\xd8\xff")
        assert previews.get(f"{origin}/ink.png") is drawn
    (seen,) = pictures.log.seen
    told = {name.lower() for name in seen.request.headers}
    assert told <= {"host", "user-agent", "accept", "accept-encoding", "connection"}


ELSEWHERE = [
    "https://image.civitai.com.evil.test/x.png",
    "https://evil.test/image.civitai.com/x.png",
    "https://image.civitai.com@evil.test/x.png",
    "https://image.civitai.com:444/x.png",
    "http://image.civitai.com/x.png",
    "https://image.civitai.com\\@evil.test/x.png",
    "https://notimage.civitai.com/x.png",
    "https://huggingface.co/x.png",
    "https://169.254.169.254/latest/meta-data",
    "http://127.0.0.1:1/x.png",
    "//image.civitai.com/x.png",
    "file:///etc/passwd",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "",
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_hosts(url: str, origin: str) -> None:
    """Only the hub's image hosts, by https, and the configured endpoint itself are asked."""
    with opened(origin, guard=unlooked()) as previews, pytest.raises(Refused):
        previews.get(url)


@pytest.mark.parametrize("host", ["image.civitai.com", "image-b2.civitai.com"])
def test_image_hosts(host: str, origin: str) -> None:
    """The hub's own image hosts are; the control for the rest, as far as the name look-up."""
    with opened(origin, guard=unlooked()) as previews, pytest.raises(HubUnavailable):
        previews.get(f"https://{host}/x.png")


def test_hosts_off(pictures: Pictures, origin: str) -> None:
    """The control: an address that is refused under one endpoint is fetched where it is that one's own."""
    with opened("https://civitai.com") as previews, pytest.raises(Refused):
        previews.get(f"{origin}/ink.png")
    assert pictures.paths == []
    with opened(origin) as previews:
        assert previews.get(f"{origin}/ink.png")


def unlooked(trusted: frozenset[str] = frozenset()) -> Guard:
    """A guard for which no name leads anywhere but this machine's address."""

    def resolve(host: str, port: int, **__: object) -> list[object]:
        if host == "127.0.0.1":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    return Guard(trusted=trusted, resolve=resolve)  # type: ignore[arg-type]


REDIRECTS = [
    "https://evil.test/x.png",
    "https://civitai.com.evil.test/x.png",
    "https://notcivitai.com/x.png",
    "http://image.civitai.com:81/x.png",
    "https://storage.r2.cloudflarestorage.com/x.png",
    "https://huggingface.co/x.png",
    "https://10.0.0.1/x.png",
    "http://169.254.169.254/latest/meta-data",
    "ftp://image.civitai.com/x.png",
    "file:///etc/passwd",
]


@pytest.mark.parametrize("location", REDIRECTS)
def test_redirects_elsewhere(pictures: Pictures, origin: str, location: str) -> None:
    """A redirect to any other host is not followed, not even to where models may come from."""
    pictures.answers["/away"] = Answer(status=302, headers={"Location": location})
    with opened(origin, guard=unlooked(frozenset({origin}))) as previews, pytest.raises(Refused):
        previews.get(f"{origin}/away")


def test_redirects(pictures: Pictures, origin: str) -> None:
    """Redirects within the host are followed, three at most."""
    for n in range(6):
        pictures.answers[f"/{n}"] = Answer(
            status=302, headers={"Location": f"/{n + 1}" if n < 5 else "/ink.png"}
        )
    with opened(origin) as previews:
        assert previews.get(f"{origin}/3")
        with pytest.raises(Refused, match="more than 3 times"):
            previews.get(f"{origin}/0")


@pytest.mark.parametrize("host", ["image-b2.civitai.com", "pictures.civitai.com"])
def test_redirects_to_the_hubs_own_hosts(pictures: Pictures, origin: str, host: str) -> None:
    """A redirect to a host of the hub's own is followed, as far as to ask where that host is."""
    pictures.answers["/moved"] = Answer(status=302, headers={"Location": f"https://{host}/x.png"})
    with opened(origin, guard=unlooked(frozenset({origin}))) as previews, pytest.raises(HubUnavailable):
        previews.get(f"{origin}/moved")


def test_private_address(pictures: Pictures) -> None:
    """A name of the hub's that leads into this network is not connected to."""
    inside = Guard(resolve=lambda *_, **__: [(socket.AF_INET, 1, 6, "", ("127.0.0.1", 9))])
    with (
        opened("https://civitai.com", guard=inside) as previews,
        pytest.raises(Refused, match=r"127\.0\.0\.1"),
    ):
        previews.get("https://image.civitai.com/x.png")


@pytest.mark.parametrize("length", [True, False])
def test_bytes(pictures: Pictures, origin: str, length: bool) -> None:
    """A picture of too many bytes is given up, whether its length is announced or not; else it is drawn."""
    big = png(40, 40, lambda x, y: (x, y, 0)) + bytes(100_000)
    pictures.answers["/big.png"] = Answer(body=big, length=length)
    with opened(origin, most=100_000) as previews, pytest.raises(NotAnImage, match="100,000 bytes"):
        previews.get(f"{origin}/big.png")
    with opened(origin, most=len(big)) as previews:  # the control
        assert previews.get(f"{origin}/big.png")


@pytest.mark.parametrize("length", [True, False])
def test_drip(pictures: Pictures, origin: str, length: bool) -> None:
    """A picture that drips is given up when its time is over; with more time it comes."""
    slow = Answer(body=PICTURE + bytes(200_000), rate=200_000, length=length)
    pictures.answers["/slow.png"] = slow
    begun = time.monotonic()
    with opened(origin, seconds=0.3) as previews, pytest.raises((Interrupted, HubUnavailable)):
        previews.get(f"{origin}/slow.png")
    assert time.monotonic() - begun < 1.5
    with opened(origin, seconds=8) as previews:  # the control
        assert previews.get(f"{origin}/slow.png")


def test_silence() -> None:
    """A host that takes the line and says nothing is given up in time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        begun = time.monotonic()
        with opened(endpoint, seconds=0.3) as previews, pytest.raises((Interrupted, HubUnavailable)):
            previews.get(f"{endpoint}/x.png")
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(status=404), NotFound),
        (Answer(status=500), WatchmanError),
        (Answer(status=200, headers={"Content-Type": "text/html"}, body=b"<html>log in</html>"), NotAnImage),
        (Answer(headers={"Content-Type": "image/svg+xml"}, body=b"<svg onload='alert(1)'/>"), NotAnImage),
        (Answer(headers={"Content-Encoding": "gzip"}, body=PICTURE), WatchmanError),
        (Answer(body=PICTURE, cut_after=100), WatchmanError),
        (Answer(dropped=True), HubUnavailable),
    ],
    ids=["404", "500", "a page", "SVG", "packed", "cut", "hung up"],
)
def test_bad_answers(pictures: Pictures, origin: str, answer: Answer, error: type[WatchmanError]) -> None:
    """What is no picture is an error of ours, and is asked for again the next time."""
    pictures.answers["/x.png"] = answer
    with opened(origin) as previews:
        with pytest.raises(error):
            previews.get(f"{origin}/x.png")
        pictures.answers["/x.png"] = Answer(body=PICTURE)
        assert previews.get(f"{origin}/x.png")


def test_rest(pictures: Pictures, origin: str) -> None:
    """A host that fails three times in a row is left alone for half a minute; one that answers is not."""
    now = [0.0]
    with opened(origin, clock=lambda: now[0]) as previews:
        pictures.answers["/down.png"] = Answer(dropped=True)
        for path in ("down", "down", "missing", "down", "down", "down", "ink"):
            with pytest.raises(WatchmanError):
                previews.get(f"{origin}/{path}.png")
        assert pictures.paths == [
            f"/{path}.png" for path in ("down", "down", "missing", "down", "down", "down")
        ]
        now[0] = 30.0
        assert previews.get(f"{origin}/ink.png")


def test_room(pictures: Pictures, origin: str) -> None:
    """Only so many bytes are kept, those looked at last."""
    for name in "abc":
        pictures.answers[f"/{name}"] = Answer(body=seascape(name))
    with opened(origin) as previews:
        sizes = [len(previews.get(f"{origin}/{name}")) for name in "abc"]
    pictures.log.seen.clear()
    with opened(origin, room=sum(sizes) - 1) as previews:
        for name in "abacab":
            previews.get(f"{origin}/{name}")
    assert pictures.paths == ["/a", "/b", "/c", "/b"]


def test_many_at_once(pictures: Pictures, origin: str) -> None:
    """Threads get the right pictures over shared connections."""
    for n in range(24):
        pictures.answers[f"/{n}"] = Answer(body=seascape(str(n)))
    drawn: dict[int, bytes] = {}
    with opened(origin) as previews:

        def run(first: int) -> None:
            for n in range(first, 24, 4):
                drawn[n] = previews.get(f"{origin}/{n}")

        threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(set(drawn.values())) == 24
        assert all(previews.get(f"{origin}/{n}") == drawn[n] for n in range(24))


def test_close(pictures: Pictures, origin: str) -> None:
    """Closing ends what is on its way."""
    pictures.answers["/slow.png"] = Answer(body=bytes(1 << 20), rate=10_000)
    previews = Previews(origin)
    faults: list[Exception] = []

    def run() -> None:
        try:
            previews.get(f"{origin}/slow.png")
        except WatchmanError as fault:
            faults.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.3)
    previews.close()
    thread.join(3)
    assert not thread.is_alive()
    assert len(faults) == 1
