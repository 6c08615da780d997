"""Small JSON files: whole or not at all."""

from pathlib import Path
from typing import Any

import pytest

from comfywatchman.decode import DecodeError
from comfywatchman.jsonfile import read_json, write_json


def test_round_trip(tmp_path: Path):
    """What is written is read, in folders that did not exist, text of any kind included."""
    value: Any = {"ключ": ["\ud800", None, 1.5]}
    write_json(tmp_path / "a/b/x.json", value)

    assert read_json(tmp_path / "a/b/x.json") == value


def test_missing(tmp_path: Path):
    """No file is null."""
    assert read_json(tmp_path / "x.json") is None


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
