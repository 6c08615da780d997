"""Each guard switched off: the attack it stands against succeeds then. The list is tests/controls.md.

Guards go off by parameters of ours, or by a server that lies so well that they cannot see it. A control that
fails says that the test beside it proves nothing any more.
"""

from __future__ import annotations

import ast
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transfer import faults
from transfer.faults import FaultServer, cut_at, flipped, redirect
from transfer.models import NAME, QUICK, guard_for, no_token, safetensors, sha256, transfer

from comfywatchman.catalog import Verification
from comfywatchman.errors import NoSpace, NotAModel, Refused, UnsafePath, WatchmanError
from comfywatchman.header import check_promise
from comfywatchman.names import safe_path
from comfywatchman.transfer.ask import Ask, check_headers
from comfywatchman.transfer.events import Outcome, State
from comfywatchman.transfer.guard import Guard
from comfywatchman.transfer.limits import Limits
from comfywatchman.transfer.place import Place
from comfywatchman.transfer.queue import preflight, run

DATA = safetensors()
HTML = b"<!DOCTYPE html><html>Sign in</html>"
TESTS = Path(__file__).parents[1]
LISTS = (TESTS / "controls.md", TESTS.parent / "docs" / "explanation" / "trust.md")


def fetch(server: FaultServer, root: Path, url: str, limits: Limits = QUICK, **published: Any) -> Outcome:
    (outcome,) = run(
        [transfer(root, url, DATA, **published)],
        authorize=no_token,
        limits=limits,
        guard=guard_for(server.origin),
    )
    return outcome


# ── the guard of addresses ──


def test_scheme_off() -> None:
    """Plain http is asked once its origin is agreed to."""
    url = "http://models.example.com/m"
    with pytest.raises(Refused):
        Guard().check_url(url)
    assert Guard(agreed=frozenset({"http://models.example.com"})).check_url(url).url == url


def test_port_off() -> None:
    """So is an unusual port."""
    url = "https://models.example.com:8443/m"
    with pytest.raises(Refused):
        Guard().check_url(url)
    assert Guard(agreed=frozenset({"https://models.example.com:8443"})).check_url(url).url == url


def test_downgrade_off() -> None:
    """The same plain target is followed from a hop that was plain itself."""
    guard = Guard(agreed=frozenset({"http://a.example.com", "http://b.example.com"}))
    target = "http://b.example.com/m"
    with pytest.raises(Refused):
        guard.check_redirect(guard.check_url("https://a.example.com/m"), target, known=True)
    assert guard.check_redirect(guard.check_url("http://a.example.com/m"), target, known=True).url == target


@pytest.mark.parametrize(("redirects", "state"), [(5, State.FAILED), (6, State.VERIFIED)])
def test_hop_count_off(tmp_path: Path, redirects: int, state: State) -> None:
    """Six redirects are followed where the limit says six."""
    with FaultServer() as server:
        for hop in range(6):
            server.put(f"/{hop}", b"", redirect(f"/{hop + 1}"))
        server.put("/6", DATA)
        outcome = fetch(server, tmp_path, f"{server.origin}/0", replace(QUICK, redirects=redirects))
    assert outcome.state is state


# ── what an answer must say ──


def test_encoding_off() -> None:
    """Packed bytes whose header says nothing are taken for the file's."""
    ask = Ask(url="https://a.example.com/m", hub="web", name=NAME)
    with pytest.raises(NotAModel):
        check_headers({"Content-Encoding": "gzip"}, ask, shown="a")
    check_headers({}, ask, shown="a")


def test_content_type_off() -> None:
    """A page is taken where no model was expected."""
    for name, is_model in ((NAME, True), ("readme.html", False)):
        ask = Ask(url="https://a.example.com/m", hub="web", name=name)
        if is_model:
            with pytest.raises(NotAModel):
                check_headers({"Content-Type": "text/html"}, ask, shown="a")
        else:
            check_headers({"Content-Type": "text/html"}, ask, shown="a")


def test_magic_off() -> None:
    """A page's first bytes pass under a name that promises no format."""
    with pytest.raises(NotAModel):
        check_promise(HTML, NAME)
    with pytest.raises(NotAModel):
        check_promise(DATA[:64], "m.gguf")
    check_promise(DATA[:64], NAME)


@pytest.mark.parametrize("size", [len(DATA), None])
def test_size_off(tmp_path: Path, size: int | None) -> None:
    """Bytes beyond the hub's size are taken in where nobody says a size."""
    longer = safetensors(200_100)
    with FaultServer() as server:
        url = server.put("/m", longer, faults.unmeasured)
        outcome = fetch(server, tmp_path, url, size=size, digests=())
    assert (tmp_path / NAME).exists() is (size is None), outcome.error


@pytest.mark.parametrize("honest", [True, False])
def test_content_range_off(tmp_path: Path, honest: bool) -> None:
    """Bytes from elsewhere get in if Content-Range lies about them and no digest is published."""
    told = faults.bad_range("bytes {start}-{last}/{size}", shift=-3) if honest else _shifted
    with FaultServer() as server:
        url = server.put("/m", DATA, cut_at(100_000))
        fetch(server, tmp_path, url, replace(QUICK, retries=0), digests=())
        server.put("/m", DATA, told)
        # an honest answer says that it starts three bytes before what was asked for
        outcome = fetch(server, tmp_path, url, digests=())
    assert outcome.state is State.VERIFIED, outcome.error
    assert ((tmp_path / NAME).read_bytes() == DATA) is honest


def _shifted(x: faults.Exchange) -> None:
    """The right headers over bytes of three places before."""
    code, headers, body = x.meta()
    start = x.range[0] if x.range else 0
    x.answer(code, x.data[start - 3 : start - 3 + len(body)], *headers)


@pytest.mark.parametrize("published", [True, False])
def test_digest_off(tmp_path: Path, published: bool) -> None:
    """One wrong byte gets in where no digest is published, and the outcome does not claim one."""
    with FaultServer() as server:
        url = server.put("/m", DATA, flipped)
        outcome = fetch(server, tmp_path, url, digests=(sha256(DATA),) if published else ())
    assert (tmp_path / NAME).exists() is not published
    assert outcome.verification is (Verification.NONE if published else Verification.SIZE)


def test_marks_off(tmp_path: Path) -> None:
    """Rotten bytes of an earlier run get in if the journal's digests were made to fit them."""
    with FaultServer() as server:
        url = server.put("/m", DATA, cut_at(120_000))
        fetch(server, tmp_path, url, replace(QUICK, retries=0), digests=())
        (part,), (journal,) = tmp_path.glob("*.cwpart"), tmp_path.glob("*.cwjournal")
        rotten = bytearray(part.read_bytes())
        rotten[40_000:40_006] = b"rotten"
        part.write_bytes(rotten)
        told = json.loads(journal.read_text())
        told["marks"] = [[end, sha256(bytes(rotten[:end])).hex] for end, _ in told["marks"]]
        journal.write_text(json.dumps(told))
        server.put("/m", DATA)
        fetch(server, tmp_path, url, digests=())
    assert b"rotten" in (tmp_path / NAME).read_bytes()


def test_pieces_off(tmp_path: Path) -> None:
    """The same for what lies behind gaps."""
    limits = replace(QUICK, segments=4)
    with FaultServer() as server:
        url = server.put("/m", DATA, faults.stuck_at(50_000))
        fetch(server, tmp_path, url, limits, digests=())
        (part,), (journal,) = tmp_path.glob("*.cwpart"), tmp_path.glob("*.cwjournal")
        told = json.loads(journal.read_text())
        start, end, _ = told["pieces"][0]
        rotten = bytearray(part.read_bytes())
        rotten[start + 10 : start + 16] = b"rotten"
        part.write_bytes(rotten)
        told["pieces"] = [[start, end, sha256(bytes(rotten[start:end])).hex]]
        journal.write_text(json.dumps(told))
        server.put("/m", DATA)
        fetch(server, tmp_path, url, limits, digests=())
    assert b"rotten" in (tmp_path / NAME).read_bytes()


# ── the disk ──


def test_no_replace_off(tmp_path: Path) -> None:
    """A rename does replace; publishing does not use it where links are to be had."""
    (tmp_path / "mine").write_bytes(b"precious")
    (tmp_path / "theirs").write_bytes(b"new")
    with Place(tmp_path) as place:
        with pytest.raises(FileExistsError):
            place.link("theirs", "mine")
        place.rename("theirs", "mine")
    assert (tmp_path / "mine").read_bytes() == b"new"


def test_no_follow_off(tmp_path: Path) -> None:
    """Without the flag a link in a model folder is followed to what it points at."""
    (tmp_path / "secret").write_bytes(b"precious")
    (tmp_path / "link").symlink_to("secret")
    with Place(tmp_path) as place, pytest.raises(OSError, match=r".*"):
        place.open("link", os.O_RDWR)
    fd = os.open(tmp_path / "link", os.O_RDWR)
    os.write(fd, b"lost")
    os.close(fd)
    assert (tmp_path / "secret").read_bytes() == b"lostious"


@pytest.mark.parametrize("allowed", [False, True])
def test_links_out_off(tmp_path: Path, allowed: bool) -> None:
    """A link out of the model folders is followed once its target is a root."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "link").symlink_to(outside)
    roots = (str(outside),) if allowed else ()
    try:
        place, _ = Place.below(str(tmp_path / "models"), "link/m.safetensors", roots=roots)
    except Refused:
        assert not allowed
        return
    with place:
        assert place.folder == outside


def test_path_gate_off(tmp_path: Path) -> None:
    """What the gate refuses does lead out of the folder."""
    for name in ("../out", "a/../../out", "/tmp/out", "C:\\out", "\\\\host\\share"):
        with pytest.raises(UnsafePath):
            safe_path(name)
    assert not (tmp_path / "../out").resolve().is_relative_to(tmp_path)


@pytest.mark.parametrize(("largest", "state"), [(100_000, State.FAILED), (1 << 30, State.VERIFIED)])
def test_caps_off(tmp_path: Path, largest: int, state: State) -> None:
    """A file over the cap comes once the cap is raised."""
    with FaultServer() as server:
        url = server.put("/m", DATA, faults.unmeasured)
        outcome = fetch(server, tmp_path, url, replace(QUICK, largest=largest), size=None, digests=())
    assert outcome.state is state


@pytest.mark.parametrize("margin", [0, 1 << 60])
def test_room_off(tmp_path: Path, margin: int) -> None:
    """Too little room is seen only with a margin to keep."""
    problems = preflight(
        [transfer(tmp_path, "https://a.example.com/m", DATA)], limits=replace(QUICK, margin=margin)
    )
    errors: list[WatchmanError] = [problem.error for problem in problems]
    assert [type(error) for error in errors] == ([NoSpace] if margin else [])


# ── the lists ──


def _named(page: Path) -> list[tuple[str, str]]:
    """The tests a page names, as `file.py::test_name`."""
    return re.findall(r"`(test_\w+\.py)::(test_\w+)`", page.read_text(encoding="utf-8"))


def _existing() -> set[tuple[str, str]]:
    """Every test function there is."""
    return {
        (path.name, node.name)
        for path in TESTS.rglob("test_*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("page", LISTS, ids=lambda page: page.name)
def test_named_tests_exist(page: Path) -> None:
    """Every test that a page appeals to is there."""
    named = _named(page)
    assert len(named) >= 10
    assert sorted(set(named) - _existing()) == []


def test_every_guard_has_a_control() -> None:
    """Each row of the list of guards names a test and a control."""
    text = (TESTS / "controls.md").read_text(encoding="utf-8").partition("## Failures")[0]
    rows = [line for line in text.splitlines() if line.startswith("| ") and "::" in line]
    assert len(rows) >= 20
    for row in rows:
        _, _, proof, control, _ = row.split("|")
        assert "::" in proof, row
        assert "::" in control, row


def test_every_failure_has_a_test() -> None:
    """F1 to F28, each with a test."""
    text = (TESTS / "controls.md").read_text(encoding="utf-8").partition("## Failures")[2]
    rows = [
        line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| F") and "::" in line
    ]
    assert rows == [f"F{number}" for number in range(1, 29)]
