"""The queue's file: damaged, deleted, newer, locked, on the wrong disk, or its writer killed."""

from __future__ import annotations

import logging
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transfer.faults import Exchange, FaultServer, good
from transfer.models import QUICK, guard_for, no_token, safetensors, transfer

from comfywatchman.errors import IndexLocked, IndexTooNew
from comfywatchman.plan import Transfer
from comfywatchman.sqlitefile import is_network
from comfywatchman.transfer.entry import parse_transfer
from comfywatchman.transfer.events import State
from comfywatchman.transfer.owner import find_self
from comfywatchman.transfer.queue import Queue
from comfywatchman.transfer.rows import FILE_NAME, open_base
from comfywatchman.transfer.store import Store

PROJECT = Path(__file__).parents[2]


def files(root: Path, count: int, origin: str = "https://example.com") -> list[Transfer]:
    return [
        transfer(root, f"{origin}/{n}", bytes([n % 256]) * 9, path=f"{n}.safetensors") for n in range(count)
    ]


def whole(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as base:
        return base.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_modes(tmp_path: Path) -> None:
    """The file is readable by its owner alone, and written so that readers do not wait."""
    with Queue(tmp_path / "data") as queue:
        queue.add(files(tmp_path, 1))
        for path in (tmp_path / "data").iterdir():
            assert path.stat().st_mode & 0o077 == 0, path
        assert (tmp_path / "data").stat().st_mode & 0o077 == 0
        with closing(sqlite3.connect(tmp_path / "data" / FILE_NAME)) as base:
            assert base.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_survives(tmp_path: Path) -> None:
    """What was queued is there after a restart, in order, with priority, state and reason."""
    listed = files(tmp_path, 5)
    with Queue(tmp_path) as queue:
        ids = queue.add(listed)
        queue.prioritize([ids[3]], 7)
        queue.pause([ids[1]])
    with Queue(tmp_path) as queue:
        entries = queue.entries()
    assert [e.transfer for e in entries] == [listed[n] for n in (3, 0, 1, 2, 4)]
    assert [e.state for e in entries].index(State.PAUSED) == 2
    assert entries[0].priority == 7


def test_damaged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever region of the file is overwritten: it opens, it works, and never raises an error of SQLite."""
    saved = 0
    for seed in range(60):
        rng = random.Random(seed)
        folder = tmp_path / str(seed)
        listed = files(tmp_path, 60)
        with Queue(folder) as queue:
            queue.add(listed)
        path = folder / FILE_NAME
        data = bytearray(path.read_bytes())
        at, count = rng.randrange(len(data)), rng.choice([1, 16, 512, 4096, len(data)])
        data[at : at + count] = rng.randbytes(len(data[at : at + count]))
        path.write_bytes(data[: rng.choice([len(data), len(data), rng.randrange(len(data))])])
        with Queue(folder) as queue:
            entries = queue.entries()
            assert {e.transfer.path for e in entries} <= {t.path for t in listed} or entries
            saved += len(entries)
            (id_,) = queue.add(files(tmp_path, 1))
            assert id_ in {e.id for e in queue.entries()}
            queue.cancel()
            queue.remove()
            assert queue.entries() == []
        assert whole(path)
    assert saved > 600


def test_damaged_while_open(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is ruined under an open queue is made anew; what came through stays."""
    with Queue(tmp_path) as queue:
        queue.add(files(tmp_path, 3))
        with (tmp_path / FILE_NAME).open("r+b") as file:
            file.write(b"not a database at all" * 500)
        for ending in ("-wal", "-shm"):
            (tmp_path / (FILE_NAME + ending)).write_bytes(b"\0" * 40_000)
        queue.add(files(tmp_path, 3))
        assert len(queue.entries()) == 3
    with Queue(tmp_path) as queue:
        queue.entries()


@pytest.mark.parametrize("how", ["delete", "replace", "empty"])
def test_gone_while_working(server: FaultServer, tmp_path: Path, how: str) -> None:
    """A file that is deleted or replaced in the middle of a run costs the run nothing."""
    data = [safetensors(20_000, seed=n) for n in range(12)]
    folder = tmp_path / "data"

    def behave(x: Exchange) -> None:
        if len(server.seen) == 5:
            for path in folder.iterdir():
                path.unlink()
            if how == "replace":
                Queue(folder).close()
            if how == "empty":
                (folder / FILE_NAME).touch()
        time.sleep(0.3)
        good(x)

    moved = [
        transfer(tmp_path / "m", server.put(f"/{n}", d, behave), d, path=f"{n}.safetensors")
        for n, d in enumerate(data)
    ]
    limits = replace(QUICK, stall=5.0)
    with Queue(folder) as queue:
        outcomes = queue.fetch(moved, authorize=no_token, limits=limits, guard=guard_for(server.origin))
    assert {o.state for o in outcomes} == {State.VERIFIED}
    assert len(server.seen) == 12
    with Queue(folder) as queue:
        assert {e.state for e in queue.entries()} == {State.VERIFIED}


def test_newer(tmp_path: Path) -> None:
    """A file of a newer version is left alone and said to be one."""
    Queue(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as base:
        base.execute("PRAGMA user_version = 99")
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(IndexTooNew, match="newer version"):
        Queue(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_newer_while_open(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One that appears in the middle of a run does not end it."""
    with Queue(tmp_path) as queue:
        queue.add(files(tmp_path, 2))
        for path in tmp_path.iterdir():
            path.unlink()
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as base:
            base.execute("PRAGMA user_version = 99")
        queue.add(files(tmp_path, 3))
        assert len(queue.entries()) == 3
    assert "memory" in caplog.text


def test_foreign(tmp_path: Path) -> None:
    """A table of another shape is replaced by ours."""
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as base:
        base.execute("CREATE TABLE entries (a, b)")
        base.commit()
    with Queue(tmp_path) as queue:
        assert len(queue.add(files(tmp_path, 2))) == 2


def test_missing_table(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that says it is ours and has no table is made anew."""
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as base:
        base.execute("PRAGMA user_version = 1")
    with Queue(tmp_path) as queue:
        queue.add(files(tmp_path, 2))
        assert len(queue.entries()) == 2
    assert "anew" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        "state = 'lost'",
        "transfer = '{}'",
        "transfer = 'x'",
        "transfer = replace(transfer, '.safetensors\"', '/../../x\"')",
        "transfer = x'ff00'",
        "priority = 'high'",
        "added = NULL",
        "end = '{}'",
        "id = 7",
    ],
)
def test_tampered_row(tmp_path: Path, caplog: pytest.LogCaptureFixture, change: str) -> None:
    """A row that means nothing is dropped with a word; the others stay."""
    with Queue(tmp_path) as queue:
        ids = queue.add(files(tmp_path, 3))
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as base:
            base.execute("PRAGMA ignore_check_constraints = 1")
            try:
                base.execute(f"UPDATE entries SET {change} WHERE id = ?", (ids[1],))
            except sqlite3.IntegrityError:
                pytest.skip("the schema itself forbids it")
            base.commit()
        kept = [e.id for e in queue.entries()]
        assert ids[0] in kept
        assert ids[2] in kept
        assert "dropped" in caplog.text or change == "id = 7"


def test_unwritable(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a place for the file the queue works in memory, with a warning."""
    (tmp_path / "file").touch()
    with Queue(tmp_path / "file" / "data") as queue:
        queue.add(files(tmp_path, 2))
        assert len(queue.entries()) == 2
    assert caplog.records[0].levelno == logging.WARNING
    assert "memory only" in caplog.text


def test_read_only_while_open(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that goes bad under an open queue does not end it either."""
    folder = tmp_path / "data"
    with Queue(folder) as queue:
        queue.add(files(tmp_path, 2))
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        folder.touch()
        queue.add(files(tmp_path, 3))
        assert len(queue.entries()) == 3
    assert "memory only" in caplog.text


def test_fault_of_ours() -> None:
    """A statement that is wrong is no fault of the file: it raises, and does not go round for ever."""
    base = open_base(None)
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        base.do(lambda connection: connection.execute("SELECT lost FROM entries"))
    assert base.path is None
    base.close()


def test_fault_of_ours_on_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The same where there is a file, which is tried anew a few times first."""
    base = open_base(tmp_path)
    assert base.path == tmp_path / FILE_NAME
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        base.do(lambda connection: connection.execute("SELECT lost FROM entries"))
    base.close()
    assert "keeps breaking" in caplog.text


def test_damaged_for_two(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Of two processes that find the file ruined one makes it anew, and the other takes that."""
    with Queue(tmp_path) as one, Queue(tmp_path) as two:
        one.add(files(tmp_path, 3))
        for path in tmp_path.iterdir():
            path.write_bytes(b"\xff" * path.stat().st_size)
        one.add(files(tmp_path, 5))
        two.add(files(tmp_path, 6))
        assert {e.id for e in one.entries()} == {e.id for e in two.entries()}
        assert len(one.entries()) == 6


def test_damaged_beyond_help(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot even be cleared away is done without."""
    (tmp_path / FILE_NAME).write_bytes(b"nonsense" * 1000)
    (tmp_path / f"{FILE_NAME}-shm").mkdir()
    with Queue(tmp_path) as queue:
        queue.add(files(tmp_path, 2))
        assert len(queue.entries()) == 2
    assert "memory only" in caplog.text


@pytest.mark.parametrize("is_released", [True, False])
def test_locked_at_first(tmp_path: Path, is_released: bool) -> None:
    """Opening waits for a lock as well, and says so when it stays."""
    blocker = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None, check_same_thread=False)
    blocker.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, blocker.execute, ["ROLLBACK"])
    try:
        if is_released:
            timer.start()
            with Queue(tmp_path, patience=5) as queue:
                assert len(queue.add(files(tmp_path, 1))) == 1
        else:
            with pytest.raises(IndexLocked):
                Queue(tmp_path, patience=0.1)
    finally:
        if is_released:
            timer.join()
        blocker.close()


def test_network_drive(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """On a network drive no file is made."""
    base = open_base(tmp_path, is_remote=lambda _path: True)
    store = Store(base, find_self())
    store.add(files(tmp_path, 2))
    assert len(store.entries()) == 2
    store.close()
    assert list(tmp_path.iterdir()) == []
    assert "network drive" in caplog.text


@pytest.mark.parametrize(
    ("path", "remote"),
    [("/home/me/data", False), ("/net/x", True), ("/net", True), ("/network/x", False),
     ("/mnt/my share/x", True), ("/win/x", False), ("/cloud/x", True)],
)  # fmt: skip
def test_mounts(path: str, remote: bool) -> None:
    """The mount that a path lies on tells; the longest that fits counts."""
    mounts = """1 0 8:1 / / rw - ext4 /dev/sda1 rw
        2 1 0:5 / /net rw,relatime shared:1 - nfs4 server:/export rw
        3 1 0:6 / /mnt/my\\040share rw - cifs //server/share rw
        4 1 0:7 / /win rw - fuseblk /dev/sdb1 rw
        5 1 0:8 / /cloud rw - fuse.rclone remote: rw
        nonsense"""
    assert is_network(Path(path), mounts) is remote


def test_this_disk(tmp_path: Path) -> None:
    assert is_network(tmp_path) in (True, False)
    assert is_network(tmp_path, "") is False


def test_locked(tmp_path: Path) -> None:
    """A lock of somebody else is waited for, and then told as what it is."""
    Queue(tmp_path).close()
    store = Store(open_base(tmp_path, patience=0.1), find_self())
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as base:
        base.execute("BEGIN IMMEDIATE")
        with pytest.raises(IndexLocked, match="locked"):
            store.add(files(tmp_path, 1))
        assert store.entries() == []
        base.execute("ROLLBACK")
    assert store.add(files(tmp_path, 1))
    store.close()


@pytest.mark.parametrize("only", [True, False])
def test_locked_while_working(server: FaultServer, tmp_path: Path, only: bool) -> None:
    """A file that is locked for a while holds nothing up for good, and no transfer fails of it."""
    data, root, folder = safetensors(20_000), tmp_path / "m", tmp_path / "data"

    def behave(x: Exchange) -> None:
        if x.seen.path == "/n":
            return good(x)
        with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as blocker:
            blocker.execute("BEGIN IMMEDIATE")
            good(x)
            time.sleep(0.7)
            blocker.execute("ROLLBACK")
        return None

    moved = [transfer(root, server.put(f"/{n}", data, behave), data, path=f"{n}.safetensors") for n in "mn"]
    with Queue(folder, roots=(str(root),), patience=0.02) as queue:
        queue.add(moved)
        how: dict[str, Any] = {
            "authorize": no_token,
            "limits": replace(QUICK, together=1),
            "guard": guard_for(server.origin),
        }
        if only:
            assert {o.state for o in queue.fetch(moved, **how)} == {State.VERIFIED}
        else:
            queue.work(**how)
        assert {e.state for e in queue.entries()} == {State.VERIFIED}
    assert len(server.seen) == 2


def test_locked_for_good(tmp_path: Path) -> None:
    """Nothing can be queued then, and that is said."""
    Queue(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")
        with Queue(tmp_path, patience=0.02) as queue, pytest.raises(IndexLocked):
            queue.fetch(files(tmp_path, 1), authorize=no_token)


WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[2] + "/tests"]
from transfer.models import transfer
from comfywatchman.transfer.queue import Queue
root = Path(sys.argv[1])
with Queue(root) as queue:
    print("ready", flush=True)
    while True:
        for n in range(40):
            ids = queue.add([transfer(root, f"https://example.com/{m}", b"x", path=f"{m}.safetensors")
                             for m in range(n, n + 20)])
            queue.pause(ids); queue.resume(ids[::2]); queue.prioritize(ids, n); queue.cancel(ids[:5])
"""


@pytest.mark.parametrize("kills", [8, pytest.param(150, marks=pytest.mark.full)])
def test_killed_while_writing(tmp_path: Path, kills: int) -> None:
    """Killed at any moment of writing: the file is whole, and so is every row."""
    rng = random.Random(kills)
    for _ in range(kills):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(PROJECT)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(rng.uniform(0, 0.15))
        child.kill()
        child.wait()
        child.stdout.close()
        with Queue(tmp_path) as queue:
            entries = queue.entries()
            assert all(e.transfer.path.endswith(".safetensors") for e in entries)
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as base:
            rows = base.execute("SELECT transfer FROM entries").fetchall()
        assert len(rows) == len(entries)
        assert all(parse_transfer(text) for (text,) in rows)
        assert whole(tmp_path / FILE_NAME)
    assert (tmp_path / FILE_NAME).stat().st_size < 1 << 20
