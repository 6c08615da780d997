"""Small JSON files: whole or not at all."""

import os
from pathlib import Path
from typing import Any

import pytest

from comfywatchman.decode import DecodeError
from comfywatchman.jsonfile import PUBLIC, add_json, read_json, write_json


def test_round_trip(tmp_path: Path):
    """What is written is read, in folders that did not exist, text of any kind included."""
    value: Any = {"ключ": ["\ud800", None, 1.5]}
    write_json(tmp_path / "a/b/x.json", value)

    assert read_json(tmp_path / "a/b/x.json") == value


def test_missing(tmp_path: Path):
    """No file is null."""
    assert read_json(tmp_path / "x.json") is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
@pytest.mark.parametrize("is_written_to", [False, True])
def test_pipe(tmp_path: Path, is_written_to: bool):
    """A pipe in a file's place is no JSON, and nobody waits for who might write to it."""
    path = tmp_path / "x.json"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR) if is_written_to else os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(DecodeError):
            read_json(path)
    finally:
        os.close(writer)


@pytest.mark.parametrize(("limit", "is_read"), [(2, True), (1, False)])
def test_limit(tmp_path: Path, limit: int, is_read: bool):
    """A file over the limit is refused before it is all in memory."""
    (tmp_path / "x.json").write_text("{}")

    if is_read:
        assert read_json(tmp_path / "x.json", limit=limit) == {}
    else:
        with pytest.raises(DecodeError, match=r"x\.json: JSON of 2 bytes"):
            read_json(tmp_path / "x.json", limit=limit)


def test_failed_write(tmp_path: Path):
    """When writing fails half way the old file is whole and no temporary is left."""
    path = tmp_path / "x.json"
    write_json(path, {"old": 1})
    value: Any = {"new": 1, "bad": object()}

    with pytest.raises(TypeError):
        write_json(path, value)

    assert read_json(path) == {"old": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_folder_in_the_way(tmp_path: Path):
    """A folder of that name stays, and no temporary is left."""
    (tmp_path / "x.json").mkdir()

    with pytest.raises(OSError, match=r"x\.json"):
        write_json(tmp_path / "x.json", 1)

    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_add(tmp_path: Path):
    """A file is added where there is none, and never in place of one; no temporary is left."""
    assert add_json(tmp_path / "x.json", 1)
    assert not add_json(tmp_path / "x.json", 2)

    assert read_json(tmp_path / "x.json") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_add_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The same where the file system has no hard links."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    test_add(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_modes(tmp_path: Path):
    """A file is its owner's alone unless it is meant for all."""
    write_json(tmp_path / "own.json", 1)
    add_json(tmp_path / "all.json", 1, mode=PUBLIC)
    (tmp_path / "other").touch()

    assert (tmp_path / "own.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "all.json").stat().st_mode == (tmp_path / "other").stat().st_mode
