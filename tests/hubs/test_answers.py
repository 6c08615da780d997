"""The kept answers: fresh, apart, and never in the way."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from comfywatchman.catalog import Json
from comfywatchman.hubs.answers import Answers, Kept, make_question


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "answers.sqlite3"


@pytest.mark.parametrize("answer", [None, [], {"a": ["\ud800", 1.5]}, "x", 0])
def test_recall(path: Path, answer: Json) -> None:
    """What was remembered is recalled, also by the next process; null is an answer."""
    with Answers(path) as answers:
        assert answers.recall("q") is None
        answers.remember("q", answer, seconds=60)
        assert answers.recall("q") == Kept(answer)
    with Answers(path) as answers:
        assert answers.recall("q") == Kept(answer)
        assert answers.recall("other") is None


def test_expiry(path: Path) -> None:
    """An answer is forgotten after its time, and when the clock went back behind it."""
    now = 1000.0
    with Answers(path, clock=lambda: now) as answers:
        answers.remember("q", 1, seconds=60)
        now = 1059.0
        assert answers.recall("q")
        now = 1060.0
        assert answers.recall("q") is None
        now = 900.0
        assert answers.recall("q") is None


def test_old_answers_go(path: Path) -> None:
    """Opening the file throws away what is out of date."""
    with Answers(path, clock=lambda: 0.0) as answers:
        answers.remember("old", 1, seconds=60)
        answers.remember("new", 1, seconds=600)
    with Answers(path, clock=lambda: 100.0):
        pass
    with closing(sqlite3.connect(path)) as base:
        assert base.execute("SELECT question FROM answers").fetchall() == [("new",)]


def test_questions_apart() -> None:
    """Endpoint, account and question are in the key, and the token is not."""
    keys = {
        make_question(endpoint, token, *what)
        for endpoint in ("https://a", "https://b")
        for token in (None, "one-token", "two-token")
        for what in (("model", 1), ("model", 2), ("version", 1))
    }
    assert len(keys) == 18
    assert not [key for key in keys if "token" in key]


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database " * 1000)


def _other_form(path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        base.execute("CREATE TABLE answers (x)")
        base.commit()


def _cut(path: Path) -> None:
    with Answers(path) as answers:
        for n in range(2000):
            answers.remember(f"q{n}", "x" * 100, seconds=600)
    path.write_bytes(path.read_bytes()[:5000])


def _spoilt(path: Path) -> None:
    with Answers(path) as answers:
        for n in range(2000):
            answers.remember(f"q{n}", "x" * 100, seconds=600)
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)


@pytest.mark.parametrize("spoil", [_garbage, _other_form, _cut, _spoilt])
def test_spoilt_file(path: Path, spoil: object) -> None:
    """A file that is no such database is made anew without a word."""
    path.parent.mkdir()
    assert callable(spoil)
    spoil(path)
    with Answers(path) as answers:
        answers.recall("q1")
        answers.remember("q1", 1, seconds=60)
        answers.remember("q1", 1, seconds=60)
        assert answers.recall("q1") == Kept(1)


def test_spoilt_while_open(path: Path) -> None:
    """A file spoilt under way is made anew."""
    with Answers(path) as answers:
        answers.remember("q", 1, seconds=60)
        path.write_bytes(b"\xff" * path.stat().st_size)
        assert answers.recall("q") in (None, Kept(1))
        answers.remember("q", 2, seconds=60)
        answers.remember("q", 2, seconds=60)
        assert answers.recall("q") == Kept(2)


def test_spoilt_row(path: Path) -> None:
    """A row that somebody else wrote is no answer."""
    with Answers(path) as answers:
        answers.remember("q", 1, seconds=60)
        with closing(sqlite3.connect(path)) as base:
            base.execute("UPDATE answers SET answer = '{'")
            base.commit()
        assert answers.recall("q") is None


def test_no_place(tmp_path: Path) -> None:
    """Where no file can be, nothing is kept and nothing fails."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "file" / "answers.sqlite3", tmp_path / "folder"):
        with Answers(place) as answers:
            answers.remember("q", 1, seconds=60)
            assert answers.recall("q") is None


def test_closed(path: Path) -> None:
    """After closing nothing is kept and nothing fails."""
    answers = Answers(path)
    answers.close()
    answers.remember("q", 1, seconds=60)
    assert answers.recall("q") is None


def test_threads(path: Path) -> None:
    """Several threads use one file."""
    with Answers(path) as answers:

        def work(start: int) -> None:
            for n in range(start, start + 20):
                answers.remember(f"q{n}", n, seconds=60)
                assert answers.recall(f"q{n}") == Kept(n)

        threads = [threading.Thread(target=work, args=(100 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers.recall("q319") == Kept(319)
