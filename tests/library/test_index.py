"""The index of local files: what is remembered, when it counts, and what befalls its file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.air import parse_thing
from comfywatchman.catalog import LocalFile, RemoteFile, Verification
from comfywatchman.digest import Digest
from comfywatchman.errors import FileChanged, IndexLocked, IndexTooNew, Interrupted
from comfywatchman.library.index import ACTIVE_CHECKPOINT, FILE_NAME, KEPT, READING, Index
from comfywatchman.library.indexed import Indexed, read_row, write_row
from comfywatchman.library.origin import Origin, origin_of
from comfywatchman.library.scan import list_file

PROJECT = Path(__file__).parents[2]
BLAKE3 = Digest("blake3", "b3" * 32)


def digest_of(path: Path) -> Digest:
    return Digest("sha256", sha256(path.read_bytes()).hexdigest())


class Disk:
    """A data folder and a root with files."""

    def __init__(self, folder: Path) -> None:
        self.home, self.root = folder / "data", folder / "loras"
        self.root.mkdir()

    def file(self, path: str, text: str = "weights") -> LocalFile:
        """Make a file and list it as a scan would."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return list_file(str(self.root), "loras", path)

    def fetched(self, path: str, text: str = "weights", **ids: str) -> Indexed:
        """A file that came from CivitAI."""
        file = self.file(path, text)
        whole = replace(file, digests=(digest_of(self.root / path),))
        given = {"hub": "civitai", "model_id": "11", "version_id": "22", "file_id": "33", **ids}
        return Indexed(file=whole, verification=Verification.DIGEST, origin=Origin(**given))  # type: ignore[arg-type] - texts


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


@pytest.fixture
def index(disk: Disk) -> Iterator[Index]:
    with Index(disk.home) as opened:
        yield opened


def paths(found: tuple[Indexed, ...]) -> list[str]:
    return [known.file.path for known in found]


def test_row_survives(disk: Disk) -> None:
    """Everything of a row is there after a restart, by path, digest and link."""
    origin = Origin(
        hub="civitai", model_id="11", version_id="22", file_id="33", page="https://civitai.com/models/11",
        air="urn:air:sdxl:lora:civitai:11@22", model_name="Ink", version_name="v1", base_model="SDXL 1.0",
        trigger_words=("ink wash", "墨"), licence="credit required", weight=0.8, weight_min=0.5,
        weight_max=1.0, fetched=1.5,
    )  # fmt: skip
    row = replace(disk.fetched("style/ink.safetensors"), origin=origin)
    row = replace(row, file=replace(row.file, digests=(*row.file.digests, BLAKE3), origin=origin.page))
    with Index(disk.home) as index:
        assert index.put(row) == row
    with Index(disk.home) as index:
        assert index.find(disk.root / "style/ink.safetensors") == row
        assert [index.find_digest(digest) for digest in row.file.digests] == [(row,), (row,)]
        assert index.find_link(parse_thing("v:22")) == (row,)


def test_looking_makes_no_file(disk: Disk) -> None:
    """A command that only reads leaves no index behind."""
    file = disk.file("a.safetensors")
    with Index(disk.home) as index:
        assert index.find(disk.root / "a.safetensors") is None
        assert index.find_listed(file) is None
        assert index.find_digest(BLAKE3) == ()
        assert index.recall(ACTIVE_CHECKPOINT) is None
    assert not disk.home.exists()


def test_changed_file_is_another(disk: Disk, index: Index) -> None:
    """A row counts only while size and time of its file are those that were seen."""
    row = index.put(disk.fetched("a.safetensors"))
    path = disk.root / "a.safetensors"
    os.utime(path, ns=(1, row.file.mtime_ns + 1))
    assert index.find(path) is None
    assert index.find_digest(row.file.digests[0]) == ()
    assert index.find_link(parse_thing("v:22")) == ()
    os.utime(path, ns=(1, row.file.mtime_ns))
    assert index.find(path) == row
    path.write_text("weights and more", encoding="utf-8")
    assert index.find(path) is None


@pytest.mark.parametrize("mtime_ns", [1 << 63, -(1 << 63) - 1])
def test_times_out_of_bounds(disk: Disk, index: Index, mtime_ns: int) -> None:
    """A file of a time that SQLite has no number for is known by no row, and stops nothing."""
    kept = disk.fetched("a.safetensors")
    index.put(kept)
    odd = replace(kept, file=replace(kept.file, mtime_ns=mtime_ns))
    assert index.put(odd) == odd
    assert index.find_listed(odd.file) is None
    assert index.find_listed(kept.file) == kept


def test_vanished(disk: Disk, index: Index) -> None:
    """A file that is gone is not found, told as lost, and found again when it is back."""
    row = index.put(disk.fetched("a.safetensors"))
    path = disk.root / "a.safetensors"
    path.rename(disk.root / "away")
    assert index.find_link(parse_thing("v:22")) == ()
    assert index.find_lost(parse_thing("v:22")) == (row,)
    (disk.root / "away").rename(path)
    assert index.find_link(parse_thing("v:22")) == (row,)
    assert index.find_lost(parse_thing("v:22")) == ()


def test_vanished_for_long(disk: Disk) -> None:
    """Rows of files that have been gone for months are forgotten when something else is written."""
    now = [1e9]
    with Index(disk.home, clock=lambda: now[0]) as index:
        index.put(disk.fetched("a.safetensors"))
        (disk.root / "a.safetensors").unlink()
        assert index.find_link(parse_thing("v:22")) == ()
        index.put(Indexed(file=disk.file("b.safetensors", "other")))
        assert index.find_lost(parse_thing("v:22"))
        now[0] += KEPT + 1
        index.put(Indexed(file=disk.file("b.safetensors", "another")))
        assert index.find_lost(parse_thing("v:22")) == ()


def test_moved_file_keeps_its_origin(disk: Disk, index: Index) -> None:
    """What is known of a content goes with it to another name, and the old row is forgotten."""
    index.put(disk.fetched("a.safetensors"))
    (disk.root / "b.safetensors").write_bytes((disk.root / "a.safetensors").read_bytes())
    (disk.root / "a.safetensors").unlink()
    assert index.find_link(parse_thing("v:22")) == ()
    found = index.hashed(list_file(str(disk.root), "loras", "b.safetensors"))
    assert found.origin == Origin(hub="civitai", model_id="11", version_id="22", file_id="33")
    assert paths(index.find_link(parse_thing("v:22"))) == ["b.safetensors"]
    assert index.find_lost(parse_thing("v:22")) == ()


def test_put_again(disk: Disk, index: Index) -> None:
    """A row that says less than before loses nothing, unless the content is another."""
    row = index.put(disk.fetched("a.safetensors"))
    assert index.put(Indexed(file=replace(row.file, digests=(), origin=None))) == row
    other = disk.file("a.safetensors", "other weights")
    assert index.put(Indexed(file=other)) == Indexed(file=other)


LINKS = {
    "v:22": ["a", "b"],
    "v:23": ["c"],
    "11": ["c", "a", "b"],
    "12": [],
    "https://civitai.com/models/11?modelVersionId=22&fileId=34": ["b"],
    "urn:air:sdxl:lora:civitai:11@23": ["c"],
    "hf:org/repo/x/d": ["d"],
    "hf:org/repo": ["d"],
    "hf:org/repo@abc/x/d": ["d"],
    "hf:org/repo@def/x/d": [],
}


@pytest.mark.parametrize(("thing", "expected"), LINKS.items())
def test_by_link(disk: Disk, index: Index, thing: str, expected: list[str]) -> None:
    """A link finds what came from what it names: newest release first, then what was fetched last."""
    rows = {
        "a": Origin(hub="civitai", model_id="11", version_id="22", file_id="33", fetched=9.0),
        "b": Origin(hub="civitai", model_id="11", version_id="22", file_id="34", fetched=8.0),
        "c": Origin(hub="civitai", model_id="11", version_id="23", file_id="35", fetched=7.0),
        "d": Origin(hub="huggingface", model_id="org/repo", version_id="abc", file_id="x/d"),
    }
    for path, origin in rows.items():
        index.put(replace(disk.fetched(path, text=path), origin=origin))
    assert paths(index.find_link(parse_thing(thing))) == expected


def test_by_short_digest(disk: Disk, index: Index) -> None:
    """The ten digits people copy from pages are enough; forms that the index does not keep find nothing."""
    row = index.put(disk.fetched("a.safetensors"))
    digits = row.file.digests[0].hex
    assert index.find_digest(Digest("autov2", digits[:10])) == (row,)
    assert index.find_digest(Digest("autov2", "0" * 10)) == ()
    assert index.find_digest(Digest("autov3", digits[:12])) == ()


def test_links_lead_to_one_row(disk: Disk, index: Index) -> None:
    """A file that several names lead to is known by each of them."""
    row = index.put(disk.fetched("a.safetensors"))
    (disk.root / "b.safetensors").symlink_to(disk.root / "a.safetensors")
    assert index.find(disk.root / "b.safetensors") == row
    listed = list_file(str(disk.root), "loras", "b.safetensors")
    found = index.find_listed(listed)
    assert found is not None
    assert (found.file.path, found.file.digests) == ("b.safetensors", row.file.digests)


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_name_that_is_no_text(disk: Disk, index: Index) -> None:
    """What cannot be written down is hashed, and not remembered."""
    name = os.fsdecode(b"\xff.safetensors")
    (disk.root / name).write_bytes(b"x")
    file = list_file(str(disk.root), "loras", name)
    assert index.hashed(file).file.digests == (digest_of(disk.root / name),)
    assert index.find(disk.root / name) is None
    assert index.find(Path("\0")) is None


def test_hashed_once(disk: Disk, index: Index) -> None:
    """A file is read for its digest once, and again only when it changed."""
    told: list[int] = []
    file = disk.file("a.safetensors")
    assert index.hashed(file, tell=told.append).file.digests == (digest_of(disk.root / "a.safetensors"),)
    assert told == [7]
    assert index.hashed(file, tell=told.append).file.digests
    assert told == [7]
    changed = disk.file("a.safetensors", "other weights")
    assert index.hashed(changed, tell=told.append).file.digests == (digest_of(disk.root / "a.safetensors"),)
    assert told == [7, 13]


def test_hashing_is_stopped(disk: Disk, index: Index) -> None:
    """Hashing ends when it is told to, and keeps nothing."""
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        index.hashed(disk.file("a.safetensors"), stop=stop)
    assert index.find(disk.root / "a.safetensors") is None


def test_changes_while_hashed(disk: Disk, index: Index) -> None:
    """A file that is written to meanwhile gets no digest."""
    file = disk.file("a.safetensors")
    path = disk.root / "a.safetensors"
    with pytest.raises(FileChanged):
        index.hashed(file, tell=lambda _done: os.utime(path, ns=(1, 1)))
    assert index.find(path) is None


def test_choice(disk: Disk) -> None:
    """A choice is the same for all who look; its revision tells of a change, and only of a change."""
    with Index(disk.home, clock=lambda: 5.0) as one, Index(disk.home) as two:
        first = one.remember(ACTIVE_CHECKPOINT, "sdxl/a.safetensors")
        assert (first.value, first.revision, first.changed) == ("sdxl/a.safetensors", 1, 5.0)
        assert two.recall(ACTIVE_CHECKPOINT) == first
        assert two.remember(ACTIVE_CHECKPOINT, "sdxl/a.safetensors") == first
        assert two.remember(ACTIVE_CHECKPOINT, "b").revision == 2
        assert one.recall(ACTIVE_CHECKPOINT) == two.recall(ACTIVE_CHECKPOINT)
        assert one.recall("another") is None


def test_modes(disk: Disk, index: Index) -> None:
    """The file is its owner's alone."""
    index.put(disk.fetched("a.safetensors"))
    assert {path.stat().st_mode & 0o077 for path in (disk.home, *disk.home.iterdir())} == {0}


@pytest.mark.parametrize("folder", [None, "file/data", "network"])
def test_in_memory(disk: Disk, folder: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """Where no file can be had the index works in memory."""
    (disk.root / "file").touch()
    home = disk.root / folder if folder else None
    with Index(home, is_remote=lambda path: "network" in path.parts) as index:
        row = index.put(disk.fetched("a.safetensors"))
        assert index.find_link(parse_thing("11")) == (row,)
        assert index.remember("k", "v") == index.recall("k")
    assert ("memory only" in caplog.text) is (folder is not None)


def test_newer(disk: Disk, index: Index) -> None:
    """A file of a newer version is left alone and said to be one."""
    index.put(disk.fetched("a.safetensors"))
    index.close()
    with closing(sqlite3.connect(disk.home / FILE_NAME)) as base:
        base.execute("PRAGMA user_version = 99")
    before = (disk.home / FILE_NAME).read_bytes()
    with pytest.raises(IndexTooNew, match="newer version"):
        index.find_digest(BLAKE3)
    assert (disk.home / FILE_NAME).read_bytes() == before


def test_locked(disk: Disk) -> None:
    """A lock of another program is waited for, then told; hashing goes on without."""
    with Index(disk.home, patience=0.05) as index:
        row = index.put(disk.fetched("a.safetensors"))
        other = disk.file("b.safetensors", "other")
        with closing(sqlite3.connect(disk.home / FILE_NAME, isolation_level=None)) as blocker:
            blocker.execute("BEGIN IMMEDIATE")
            with pytest.raises(IndexLocked):
                index.put(row)
            assert index.find(disk.root / "a.safetensors") == row
            assert index.hashed(other).file.digests == (digest_of(disk.root / "b.safetensors"),)
            (disk.root / "a.safetensors").unlink()
            assert index.find_link(parse_thing("11")) == ()
        assert index.find_listed(other) is None


@pytest.fixture
def held(disk: Disk, index: Index) -> Iterator[sqlite3.Connection]:
    """Another program with the index of a file that came and went; it has yet to lock it."""
    index.put(disk.fetched("a.safetensors"))
    with closing(sqlite3.connect(disk.home / FILE_NAME, isolation_level=None)) as blocker:
        yield blocker


def test_reading_waits_for_no_writer(disk: Disk, index: Index, held: sqlite3.Connection) -> None:
    """Who looks something up waits for no writer, also where it finds out that a file is gone."""
    held.execute("BEGIN EXCLUSIVE")
    (disk.root / "a.safetensors").unlink()
    began = time.monotonic()
    assert index.find_link(parse_thing("11")) == ()
    assert time.monotonic() - began < 0.5
    assert held.execute("SELECT gone FROM files").fetchall() == [(None,)]
    held.execute("ROLLBACK")
    index.find_link(parse_thing("11"))
    assert held.execute("SELECT gone IS NULL FROM files").fetchall() == [(0,)]


def test_reading_what_nobody_else_may(disk: Disk, index: Index, held: sqlite3.Connection) -> None:
    """A file that a program keeps for itself is not waited for long, opened or not; it is told who has it."""
    file = disk.fetched("a.safetensors").file
    index.close()
    held.execute("PRAGMA locking_mode = EXCLUSIVE")
    held.execute("BEGIN EXCLUSIVE")
    for opened in (Index(disk.home), Index(disk.home, patience=0.1)):
        with opened:
            began = time.monotonic()
            with pytest.raises(IndexLocked, match=r"index.sqlite3: another program keeps it locked"):
                opened.find_listed(file)
            assert time.monotonic() - began < 2 * READING


def test_writer_that_waits_keeps_no_reader_waiting(
    disk: Disk, index: Index, held: sqlite3.Connection
) -> None:
    """While one thread waits to write, others of the same process read."""
    other = disk.fetched("b.safetensors", "other")
    held.execute("BEGIN IMMEDIATE")
    writer = threading.Thread(target=lambda: index.put(other))
    writer.start()
    time.sleep(0.1)
    began = time.monotonic()
    for _ in range(3):
        assert index.find(disk.root / "a.safetensors") is not None
    assert time.monotonic() - began < 1
    assert writer.is_alive()
    held.execute("ROLLBACK")
    writer.join()
    assert index.find(disk.root / "b.safetensors") is not None


def test_half_characters(disk: Disk, index: Index) -> None:
    """What is no Unicode, in a chosen name or in what a hub says, breaks nothing."""
    odd = "ink\udcff\ud83d.safetensors"
    assert index.remember(ACTIVE_CHECKPOINT, odd) == index.recall(ACTIVE_CHECKPOINT)
    assert index.remember(ACTIVE_CHECKPOINT, odd).revision == 1
    assert index.remember(ACTIVE_CHECKPOINT, "ink.safetensors").revision == 2
    origin = Origin(hub="huggingface", model_id=odd, model_name=odd, trigger_words=("ink", odd))
    known = index.put(replace(disk.fetched("a.safetensors"), origin=origin))
    (found,) = index.find_digest(known.file.digests[0])
    assert found.origin is not None
    assert (found.origin.model_name, found.origin.trigger_words[0]) == ("ink??.safetensors", "ink")
    assert index.put(replace(known, file=replace(known.file, path=odd))).file.path == odd
    assert index.find(disk.root / odd) is None


def test_choice_of_another_hand(disk: Disk, index: Index) -> None:
    """A choice in bytes that are no text is none."""
    index.remember(ACTIVE_CHECKPOINT, "a")
    with closing(sqlite3.connect(disk.home / FILE_NAME)) as base:
        base.execute("UPDATE choices SET value = x'ff00'")
        base.commit()
    assert index.recall(ACTIVE_CHECKPOINT) is None


def test_rows_that_do_not_fit(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """A file with another table of files is made anew, and what fits is kept."""
    with Index(disk.home) as index:
        index.remember(ACTIVE_CHECKPOINT, "a")
    with closing(sqlite3.connect(disk.home / FILE_NAME)) as base:
        base.executescript("DROP TABLE files; CREATE TABLE files (real TEXT); INSERT INTO files VALUES ('x')")
    with Index(disk.home) as index:
        assert index.find_digest(BLAKE3) == ()
        known = index.put(disk.fetched("a.safetensors"))
    with Index(disk.home) as index:
        assert index.find(disk.root / "a.safetensors") == known
        assert (chosen := index.recall(ACTIVE_CHECKPOINT)) is not None
        assert chosen.value == "a"
    assert "made anew with 2" in caplog.text


def test_damaged(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """A ruined file is made anew and the choice of the user is saved where it can be read."""
    with Index(disk.home) as index:
        index.put(disk.fetched("a.safetensors"))
        index.remember(ACTIVE_CHECKPOINT, "a")
    with (disk.home / FILE_NAME).open("r+b") as file:
        file.write(b"nonsense" * 1000)
    with Index(disk.home) as index:
        assert index.find_link(parse_thing("11")) == ()
        row = index.put(disk.fetched("a.safetensors"))
        assert index.find_link(parse_thing("11")) == (row,)
    assert "anew" in caplog.text


def test_deleted_while_open(disk: Disk, index: Index) -> None:
    """An index that is deleted under a running program is begun anew."""
    index.put(disk.fetched("a.safetensors"))
    for path in disk.home.iterdir():
        path.unlink()
    assert index.find_link(parse_thing("11")) == ()
    row = index.put(disk.fetched("a.safetensors"))
    assert index.find_link(parse_thing("11")) == (row,)


@pytest.mark.parametrize(
    "change",
    [
        "path = '../../x'",
        "path = '/etc/passwd'",
        "size = 'big'",
        "trigger_words = '{'",
        "trigger_words = '[1]'",
        "folder = x'00'",
        "weight = 'heavy'",
    ],
)
def test_tampered_row(disk: Disk, index: Index, change: str) -> None:
    """A row that means nothing counts as none, and can be written again."""
    row = index.put(disk.fetched("a.safetensors"))
    with closing(sqlite3.connect(disk.home / FILE_NAME)) as base:
        base.execute(f"UPDATE files SET {change}")
        base.commit()
    assert index.find_link(parse_thing("11")) == ()
    assert index.put(row) == row
    assert index.find_link(parse_thing("11")) == (row,)


def test_tampered_digest(disk: Disk, index: Index) -> None:
    """A digest that is none is not known; so is a word for how it was checked."""
    row = index.put(disk.fetched("a.safetensors"))
    with closing(sqlite3.connect(disk.home / FILE_NAME)) as base:
        base.execute("UPDATE files SET sha256 = 'zz', verification = 'magic'")
        base.execute("INSERT INTO choices VALUES ('k', 'v', 'x', 'y')")
        base.commit()
    (found,) = index.find_link(parse_thing("11"))
    assert found == replace(row, verification=None, file=replace(row.file, digests=()))
    assert index.recall("k") is None


WRITER = """
import sys
from pathlib import Path
from comfywatchman.library.index import Index
from comfywatchman.library.indexed import Indexed
from comfywatchman.library.scan import list_file
home, root, name = sys.argv[1:]
with Index(Path(home)) as index:
    for n in range(40):
        index.hashed(list_file(root, "loras", f"{n}.safetensors"))
        index.remember("k", f"{name} {n}")
"""


def test_processes_share_it(disk: Disk) -> None:
    """Processes that write at once lose nothing of each other's."""
    for n in range(40):
        disk.file(f"{n}.safetensors", text=str(n))
    command = [sys.executable, "-c", WRITER, str(disk.home), str(disk.root)]
    writers = [subprocess.Popen([*command, name], cwd=PROJECT) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with Index(disk.home) as index:
        assert all(index.find(disk.root / f"{n}.safetensors") for n in range(40))
        choice = index.recall("k")
        assert choice is not None
        assert (choice.revision, choice.value[2:]) == (120, "39")


CIVITAI = RemoteFile(
    hub="civitai",
    name="ink.safetensors",
    url="http://127.0.0.1:1/api/download/models/22?fileId=33&token=secret",
    page="http://127.0.0.1:1/models/11?modelVersionId=22#comments",
    id="33",
)
HUGGING = RemoteFile(
    hub="huggingface",
    name="d.safetensors",
    url="https://huggingface.co/org/repo/resolve/abc/x/d.safetensors",
    page="https://user:pass@huggingface.co/org/repo/blob/abc/x/d.safetensors",
    revision="abc",
)
ORIGINS = [
    (CIVITAI, ("11", "22", "33"), "http://127.0.0.1:1/models/11"),
    (replace(CIVITAI, page=None), (None, "22", "33"), None),
    (replace(CIVITAI, page="http://127.0.0.1:1/models/11", id=None), ("11", "22", "33"), "http://127.0.0.1:1/models/11"),
    (HUGGING, ("org/repo", "abc", "x/d.safetensors"), "https://huggingface.co/org/repo/blob/abc/x/d.safetensors"),
    (RemoteFile(hub="web", name="a", url="https://example.com/a?key=1"), (None, None, None), None),
    (RemoteFile(hub="civitai", name="a", url="http://[:", page="http://[:"), (None, None, None), None),
]  # fmt: skip


@pytest.mark.parametrize(("file", "ids", "page"), ORIGINS)
def test_origin(file: RemoteFile, ids: tuple[str | None, ...], page: str | None) -> None:
    """A hub's record says where a file came from, on its own site or a stand-in; nothing secret is kept."""
    origin = origin_of(file, fetched=1.0)
    assert ((origin.model_id, origin.version_id, origin.file_id), origin.page) == (ids, page)
    assert "secret" not in repr(origin)
    assert "pass" not in repr(origin)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
WEIGHT = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@given(
    origin=st.builds(
        Origin, hub=TEXT, model_id=st.none() | TEXT, page=st.none() | TEXT, licence=st.none() | TEXT,
        trigger_words=st.lists(TEXT).map(tuple), weight=WEIGHT, weight_max=WEIGHT, fetched=WEIGHT,
    ),
    verification=st.none() | st.sampled_from(Verification),
    size=st.integers(0, 1 << 50),
)  # fmt: skip
def test_row_round_trip(origin: Origin, verification: Verification | None, size: int) -> None:
    """Whatever is written into a row is read from it."""
    file = LocalFile(folder="loras", path="a/b", root="/r", size=size, mtime_ns=size, origin=origin.page)
    row = Indexed(file=file, verification=verification, origin=origin)
    assert read_row(write_row("/r/a/b", row)) == (row, None)
