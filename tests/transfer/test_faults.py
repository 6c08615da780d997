"""Every fault a server can have: no wrong file, a typed error, healed by running again."""

from __future__ import annotations

import gzip
import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transfer import faults
from transfer.faults import Behaviour, FaultServer, cut_at, good, redirect, status, then
from transfer.models import LANES, NAME, QUICK, guard_for, no_token, safetensors, sha256, transfer

from comfywatchman import errors
from comfywatchman.catalog import Verification
from comfywatchman.plan import Transfer
from comfywatchman.transfer.events import Outcome, State
from comfywatchman.transfer.journal import Identity
from comfywatchman.transfer.limits import MIB, Limits
from comfywatchman.transfer.partial import kept_bytes
from comfywatchman.transfer.place import Place
from comfywatchman.transfer.queue import run

DATA = safetensors()
HTML = b"<!DOCTYPE html><html><body>Sign in</body></html>" + b" " * 400
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
LATER = "Wed, 21 Oct 2015 07:28:01 GMT"
NOW = "Wed, 21 Oct 2015 07:28:00 GMT"

# name → behaviour, and how it ends: OK, an error, or None where either will do
OK = State.VERIFIED
FAULTS: dict[str, tuple[Behaviour, type[errors.WatchmanError] | State | None]] = {
    "good": (good, OK),
    "cut early": (cut_at(10), errors.Interrupted),
    "cut in the middle": (cut_at(9_000), None),
    "cut late": (cut_at(len(DATA) - 1), None),
    "cut once": (then(cut_at(5_000), good), OK),
    "cut with reset": (then(cut_at(70_000, reset=True), good), OK),
    "cut without length": (cut_at(9_000, length=False), None),
    "no length": (faults.unmeasured, OK),
    "HTTP/1.0": (faults.http10, OK),
    "chunked": (faults.chunked, OK),
    "chunked and cut": (lambda x: faults.chunked(x, cut=True), None),
    "200 for a range": (faults.no_ranges, OK),
    "Content-Range missing": (faults.bad_range(""), OK),
    "Content-Range elsewhere": (faults.bad_range("bytes {start}-{last}/{size}", shift=-3), OK),
    "Content-Range other total": (faults.bad_range("bytes {start}-{last}/{more}"), None),
    "Content-Range too long": (faults.bad_range("bytes {start}-{more}/{size}"), OK),
    "Content-Range in words": (faults.bad_range("bytes all of it"), OK),
    "Content-Range negative": (faults.bad_range("bytes -5--1/{size}"), OK),
    "Content-Range without total": (faults.bad_range("bytes {start}-{last}/*"), OK),
    "Content-Range other unit": (faults.bad_range("items {start}-{last}/{size}"), OK),
    "multipart ranges": (faults.multipart, OK),
    "short ranges": (faults.short_ranges, OK),
    "416": (lambda x: x.answer(416) if x.range else good(x), OK),
    "login page": (faults.typed("text/html", HTML, 200), errors.NotAModel),
    "login page as bytes": (
        faults.typed("application/octet-stream", HTML.ljust(len(DATA)), 200),
        errors.NotAModel,
    ),
    "login page 401": (status(401, HTML, ("Content-Type", "text/html")), errors.LoginRequired),
    "login page 403": (status(403, HTML, ("Content-Type", "text/html")), errors.Gated),
    "JSON error with 200": (faults.typed("application/json", b'{"error": "no"}', 200), errors.NotAModel),
    "model as text/html": (faults.typed("text/html; charset=utf-8"), errors.NotAModel),
    "XML error": (faults.typed("application/xml", b"<?xml version='1.0'?><Error/>", 200), errors.NotAModel),
    "LFS pointer": (faults.typed("application/octet-stream", POINTER, 200), errors.SizeMismatch),
    "gzip": (faults.encoded("gzip"), errors.NotAModel),
    "br": (faults.encoded("br"), errors.NotAModel),
    "deflate": (faults.encoded("deflate"), errors.NotAModel),
    "encoding identity": (faults.encoded("identity"), OK),
    "endless": (faults.endless, errors.SizeMismatch),
    "length too small": (faults.lying_length(-50), None),
    "length too great": (faults.lying_length(50), None),
    "two lengths": (faults.two_lengths, None),
    "404": (status(404, b'{"error":"File not found"}'), errors.NotFound),
    "404 for the moment": (then(status(404, b"", ("Cache-Control", "private, no-store")), good), OK),
    "410": (status(410, b'{"error":"Model archived"}'), errors.Withdrawn),
    "429": (status(429, b"slow down"), errors.HubUnavailable),
    "429 then well": (then(status(429, b"", ("Retry-After", "0")), good), OK),
    "429 by date": (then(status(429, b"", ("Retry-After", NOW), ("Date", NOW)), good), OK),
    "429 for a day": (status(429, b"", ("Retry-After", "86400")), errors.HubUnavailable),
    "429 with garbage": (then(status(429, b"", ("Retry-After", "soon")), good), OK),
    "503": (status(503), errors.HubUnavailable),
    "503 then well": (then(status(503, b"", ("Retry-After", "0")), good), OK),
    "500 twice": (then(status(500), status(502), good), OK),
    "408": (then(status(408), good), OK),
    "400": (status(400, b'{"error":"bad"}'), errors.Refused),
    "204": (status(204), errors.Refused),
    "stall at once": (faults.stall_at(0, 0.3), errors.Interrupted),
    "stall late": (then(faults.stall_at(15_000, 0.3), good), OK),
    "drip": (then(faults.drip(0.5), good), OK),
    "headers that drip": (faults.drip_head(0.02), errors.HubUnavailable),
    "headers that drip once": (then(faults.drip_head(0.02), good), OK),
    "chunk size that drips": (faults.drip_chunk(0.02), errors.Interrupted),
    "silent": (then(faults.silent(0.3), good), OK),
    "garbage": (faults.garbage, errors.HubUnavailable),
    "redirect to nowhere": (status(302), errors.HubUnavailable),
    "redirect loop": (redirect("/m"), errors.Refused),
    "redirect to a private address": (redirect("http://192.168.1.1/m"), errors.Refused),
    "redirect to another scheme": (redirect("file:///etc/passwd"), errors.Refused),
    "redirect far too long": (redirect("/" + "x" * 20_000), errors.Refused),
    "wrong byte": (faults.flipped, None),
}


def fetch(server: FaultServer, root: Path, url: str, limits: Limits = QUICK, **changes: Any) -> Outcome:
    (outcome,) = run(
        [transfer(root, url, DATA, **changes)],
        authorize=no_token,
        limits=limits,
        guard=guard_for(server.origin),
    )
    return outcome


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


FULL = pytest.mark.full  # the other half of the table runs with the long tests


@pytest.mark.parametrize(
    ("lanes", "begun"),
    [
        (False, False),
        (True, True),
        pytest.param(True, False, marks=FULL),
        pytest.param(False, True, marks=FULL),
    ],
    ids=["stream-fresh", "lanes-resume", "lanes-fresh", "stream-resume"],
)
@pytest.mark.parametrize("fault", FAULTS)
def test_faulty_server(server: FaultServer, tmp_path: Path, fault: str, lanes: bool, begun: bool) -> None:
    """The final file is absent or right, the error is typed, and running again heals."""
    behave, expected = FAULTS[fault]
    limits = replace(QUICK, **LANES) if lanes else QUICK
    url = server.put("/m", DATA, cut_at(120_000))
    if begun:
        once = fetch(server, tmp_path, url, replace(QUICK, retries=0))
        assert isinstance(once.error, errors.Interrupted)
        assert any(name.endswith(".cwjournal") for name in names(tmp_path))
    server.put("/m", DATA, behave)
    server.seen.clear()

    outcome = fetch(server, tmp_path, url, limits)

    if isinstance(expected, State):
        assert outcome.state is expected, outcome.error
    elif expected is not None:
        assert isinstance(outcome.error, expected), outcome.error
    assert len(server.seen) <= 80
    if outcome.state is State.VERIFIED:
        assert (tmp_path / NAME).read_bytes() == DATA
    else:
        assert isinstance(outcome.error, errors.TransferError | errors.HubError)
        assert not (tmp_path / NAME).exists()
    server.put("/m", DATA)
    healed = fetch(server, tmp_path, url, limits)
    assert healed.verification is Verification.DIGEST
    assert (tmp_path / NAME).read_bytes() == DATA
    assert [name for name in names(tmp_path) if ".mismatch-" not in name] == [NAME]


def test_resume_asks_only_for_the_rest(server: FaultServer, tmp_path: Path) -> None:
    """A later run sends a closed range and If-Range, and brings only what is missing."""
    url = server.put("/m", DATA, cut_at(150_000))
    fetch(server, tmp_path, url, replace(QUICK, retries=0))
    server.put("/m", DATA)
    server.seen.clear()

    assert fetch(server, tmp_path, url).state is State.VERIFIED

    (seen,) = server.seen
    assert seen.headers["range"] == f"bytes=150000-{len(DATA) - 1}"
    assert seen.headers["if-range"] == '"1"'
    assert seen.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("etag", "new_etag", "modified", "new_modified"),
    [
        ('"1"', '"2"', None, None),
        ('"1"', '"1"', None, None),  # the tag is used again: only the digest can tell
        ('W/"1"', 'W/"2"', NOW, LATER),
        ('W/"1"', 'W/"1"', NOW, NOW),
        (None, None, NOW, LATER),
        (None, None, None, None),
    ],
)
@pytest.mark.parametrize("size", [200_000, 150_000])
def test_changed_file(
    server: FaultServer,
    tmp_path: Path,
    etag: str | None,
    new_etag: str | None,
    modified: str | None,
    new_modified: str | None,
    size: int,
) -> None:
    """A file that changed on the hub since its partial was begun is never spliced with it."""
    new = safetensors(size, seed=2)
    url = server.put("/m", DATA, cut_at(120_000), etag=etag, modified=modified)
    published: dict[str, Any] = {
        "size": None,
        "digests": (sha256(new),),
    }  # the hub's record is already of the new one
    fetch(server, tmp_path, url, replace(QUICK, retries=0), **published)
    server.put("/m", new, etag=new_etag, modified=new_modified)

    outcome = fetch(server, tmp_path, url, **published)

    assert outcome.state is State.VERIFIED, outcome.error
    assert (tmp_path / NAME).read_bytes() == new


def test_changed_file_of_unknown_digest(server: FaultServer, tmp_path: Path) -> None:
    """Without digest and strong validator nothing is resumed at all."""
    new = safetensors(seed=2)
    url = server.put("/m", DATA, cut_at(120_000), etag='W/"1"')
    fetch(server, tmp_path, url, replace(QUICK, retries=0), digests=())
    server.put("/m", new, etag='W/"1"')
    server.seen.clear()

    outcome = fetch(server, tmp_path, url, digests=())

    assert (tmp_path / NAME).read_bytes() == new
    assert outcome.verification is Verification.SIZE
    assert "range" not in server.seen[0].headers


def test_changed_while_in_lanes(server: FaultServer, tmp_path: Path) -> None:
    """A file that changes between two ranges is begun anew, not mixed."""
    new = safetensors(seed=2)

    def swap(x: faults.Exchange) -> None:
        if x.resource.count == 4:
            x.resource.data, x.resource.etag = new, '"2"'
        good(x)

    url = server.put("/m", DATA, swap)
    outcome = fetch(server, tmp_path, url, replace(QUICK, **LANES), digests=())

    assert outcome.state is State.VERIFIED, outcome.error
    assert (tmp_path / NAME).read_bytes() == new


def test_lanes_get_every_range_once(server: FaultServer, tmp_path: Path) -> None:
    """A well-behaved server is asked for each range once, on several connections."""
    url = server.put("/m", DATA)
    fetch(server, tmp_path, url, replace(QUICK, **LANES))

    ranges = sorted(int(seen.headers["range"][6:].split("-")[0]) for seen in server.seen)
    assert ranges == list(range(0, len(DATA), QUICK.segment))
    assert 1 < server.connections <= 4


def test_lanes_survive_one_that_fails(server: FaultServer, tmp_path: Path) -> None:
    """What one lane gives back, another brings."""

    def sometimes(x: faults.Exchange) -> None:
        (cut_at(5_000) if x.resource.count in (3, 5) else good)(x)

    url = server.put("/m", DATA, sometimes)
    outcome = fetch(server, tmp_path, url, replace(QUICK, **LANES, retries=0))

    assert outcome.state is State.VERIFIED, outcome.error


def _missing(data: bytes, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What of a file does not lie in pieces, each with a start and a stop."""
    edges = [0, *(edge for piece in pieces for edge in piece), len(data)]
    return [(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop]


def test_lanes_end_together(server: FaultServer, tmp_path: Path) -> None:
    """When one lane hears that the file has changed, nobody waits for the others."""
    data, slow = safetensors(1_000_000), threading.Event()

    def behave(x: faults.Exchange) -> None:
        if not (x.range and x.range[0]):
            return good(x)
        if slow.is_set():
            x.resource.etag = '"2"'
            return good(x)
        slow.set()
        return faults.stall_at(2_500, 20)(x)

    limits = replace(QUICK, **LANES, segment=64 << 10, stall=20.0)
    url = server.put("/m", data, behave)
    began = time.monotonic()
    (outcome,) = run(
        [transfer(tmp_path, url, data, digests=())],
        authorize=no_token,
        limits=limits,
        guard=guard_for(server.origin),
    )
    assert outcome.state is State.VERIFIED, outcome.error
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("lanes", [False, True])
def test_size_of_another_file(server: FaultServer, tmp_path: Path, lanes: bool) -> None:
    """A record that is wrong about the size is told as that, whether all was asked for or a part."""
    url = server.put("/m", DATA)
    outcome = fetch(server, tmp_path, url, replace(QUICK, **LANES) if lanes else QUICK, size=len(DATA) + 7)
    assert isinstance(outcome.error, errors.SizeMismatch)
    assert len(server.seen) == 1


def _kept(folder: Path, moved: Transfer) -> int:
    with Place(folder) as place:
        return kept_bytes(place, NAME, Identity.of(moved.source))


def _pieces(folder: Path) -> list[tuple[int, int]]:
    """What the journal in a folder says is kept."""
    (journal,) = folder.glob("*.cwjournal")
    told = json.loads(journal.read_text())
    return [(0, told["marks"][-1][0]), *((start, stop) for start, stop, _ in told["pieces"])]


def test_stopped_in_lanes(server: FaultServer, tmp_path: Path) -> None:
    """Stopping keeps what came of every range, and the next run asks for the rest and for nothing else."""
    limits = replace(QUICK, **LANES, stall=30, retries=0)
    url = server.put("/m", DATA, lambda x: faults.stall_at(5_000 + 1_000 * x.resource.count, 9)(x))
    stop = threading.Event()
    timer = threading.Timer(0.4, stop.set)
    timer.start()
    moved = transfer(tmp_path, url, DATA)
    guard = guard_for(server.origin)
    (outcome,) = run([moved], authorize=no_token, limits=limits, guard=guard, stop=stop)
    assert outcome.state is State.CANCELLED
    kept = _pieces(tmp_path)
    assert len(kept) == 4
    assert _kept(tmp_path, moved) == sum(stop - start for start, stop in kept) == 30_000
    server.put("/m", DATA)
    server.seen.clear()

    assert fetch(server, tmp_path, url, limits).state is State.VERIFIED

    assert (tmp_path / NAME).read_bytes() == DATA
    asked = sorted(tuple(map(int, seen.headers["range"][6:].split("-"))) for seen in server.seen)
    assert sum(last + 1 - first for first, last in asked) == len(DATA) - 30_000
    for start, stop_ in _missing(DATA, kept):
        assert start in [first for first, _ in asked]
        assert stop_ in [last + 1 for _, last in asked]
    assert {seen.headers["if-range"] for seen in server.seen} == {'"1"'}


@pytest.mark.parametrize(
    ("limits", "changes"),
    [
        (replace(QUICK, **LANES), {}),
        (QUICK, {}),  # in one stream, which has no use for what lies behind gaps
        (replace(QUICK, **LANES, segment_from=MIB), {}),
        (replace(QUICK, **LANES), {"etag": '"2"'}),  # the file has changed
        (replace(QUICK, **LANES), {"behave": faults.no_ranges}),
    ],
    ids=["lanes", "stream", "little", "changed", "whole"],
)
def test_taking_up_pieces(
    server: FaultServer, tmp_path: Path, limits: Limits, changes: dict[str, Any]
) -> None:
    """Whatever the next run is like, pieces of an earlier one spoil nothing."""
    url = server.put("/m", DATA, faults.stuck_at(50_000))
    published: dict[str, Any] = {"digests": ()} if "etag" in changes else {}
    fetch(server, tmp_path, url, replace(QUICK, **LANES), **published)
    assert len(_pieces(tmp_path)) > 1
    new = safetensors(seed=2) if "etag" in changes else DATA
    server.put("/m", new, **changes)

    outcome = fetch(server, tmp_path, url, limits, **published)

    assert outcome.state is State.VERIFIED, outcome.error
    assert (tmp_path / NAME).read_bytes() == new
    assert names(tmp_path) == [NAME]


def test_rotten_piece(server: FaultServer, tmp_path: Path) -> None:
    """A piece that rotted on this disk is not believed; nobody but its own digest would tell."""
    url = server.put("/m", DATA, faults.stuck_at(50_000))
    limits = replace(QUICK, **LANES)
    fetch(server, tmp_path, url, limits, digests=())
    (_, (start, stop), *_) = _pieces(tmp_path)
    (part,) = tmp_path.glob("*.cwpart")
    with part.open("r+b") as file:
        file.seek(start + 100)
        file.write(b"rotten")
    server.put("/m", DATA)
    server.seen.clear()

    assert fetch(server, tmp_path, url, limits, digests=()).state is State.VERIFIED

    assert (tmp_path / NAME).read_bytes() == DATA
    assert any(int(seen.headers["range"][6:].split("-")[0]) in range(start, stop) for seen in server.seen)


def test_damaged_partial(server: FaultServer, tmp_path: Path) -> None:
    """Bytes of an earlier run that rotted on this disk are found by the journal and fetched again."""
    url = server.put("/m", DATA, cut_at(120_000))
    fetch(server, tmp_path, url, replace(QUICK, retries=0))
    (part,) = tmp_path.glob("*.cwpart")
    with part.open("r+b") as file:
        file.seek(40_000)
        file.write(b"rotten")
    server.put("/m", DATA)
    server.seen.clear()

    outcome = fetch(server, tmp_path, url)

    assert outcome.state is State.VERIFIED, outcome.error
    assert len(server.seen) == 2
    assert (tmp_path / NAME).read_bytes() == DATA


@pytest.mark.parametrize("code", [401, 403, 404, 410])
@pytest.mark.parametrize("at", [0, 20_000, 150_000])
def test_signed_address_expires(tmp_path: Path, server: FaultServer, code: int, at: int) -> None:
    """A signed address that no longer holds is asked for again at the hub; it is never written down."""
    with FaultServer() as store:
        store.put("/old", DATA, then(cut_at(at), status(code)))
        store.put("/new", DATA)
        url = server.put(
            "/m",
            b"",
            then(*[redirect(f"{store.origin}/old?Signature=s3cret")] * 2, redirect(f"{store.origin}/new")),
        )

        outcome = fetch(server, tmp_path, url, replace(QUICK, retries=4))

    assert outcome.state is State.VERIFIED, outcome.error
    assert (tmp_path / NAME).read_bytes() == DATA


def test_journal_holds_no_secret(server: FaultServer, tmp_path: Path) -> None:
    """Neither the query of a URL nor a signed address stands in the journal."""
    with FaultServer() as store:
        store.put("/m", DATA, cut_at(100_000))
        server.put("/m", b"", redirect(f"{store.origin}/m?X-Amz-Signature=canary-signed"))
        fetch(server, tmp_path, f"{server.origin}/m?token=canary-token", replace(QUICK, retries=0))

    text = b"".join(path.read_bytes() for path in tmp_path.glob("*.cwjournal"))
    assert b"comfywatchman.partial/1" in text
    assert b"canary" not in text


def test_gzip_body_is_never_unpacked(server: FaultServer, tmp_path: Path) -> None:
    """A gzip file that is itself what was asked for stays packed."""
    packed = gzip.compress(DATA)
    url = server.put("/m", packed, faults.typed("application/gzip"))
    (outcome,) = run(
        [transfer(tmp_path, url, packed, path="a.tar.gz", name="a.tar.gz")],
        authorize=no_token,
        limits=QUICK,
        guard=guard_for(server.origin),
    )
    assert outcome.state is State.VERIFIED, outcome.error
    assert (tmp_path / "a.tar.gz").read_bytes() == packed
