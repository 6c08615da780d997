"""Writing `<stem>.civitai.info`: whose it is, what it holds, and that nothing else is ever touched."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from comfywatchman.air import parse_air
from comfywatchman.catalog import Json, RemoteFile
from comfywatchman.digest import Digest
from comfywatchman.library.origin import origin_of
from comfywatchman.library.sidecars.civitai_info import read
from comfywatchman.library.sidecars.fields import JSON_LIMIT
from comfywatchman.library.sidecars.writing import find_standing, fits, make_record, write_sidecar

MARK = {"comfywatchman": {"version": 1}}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "ink v1.5.safetensors"
    path.touch()
    return path


def info(model: Path) -> Path:
    return model.with_name("ink v1.5.civitai.info")


def written(model: Path) -> Any:
    return json.loads(info(model).read_text(encoding="utf-8"))


def test_free_name(model: Path) -> None:
    """A record is written whole, marked as ours, with nothing else left in the folder."""
    assert find_standing(model) == "free"
    assert write_sidecar(model, {"id": 22, "name": "墨"})
    assert written(model) == {"id": 22, "name": "墨", "extensions": MARK}
    assert find_standing(model) == "ours"
    assert sorted(path.name for path in model.parent.iterdir()) == [info(model).name, model.name]


def test_ours_is_merged(model: Path) -> None:
    """What others added to our sidecar stays; what we know anew is put in."""
    write_sidecar(model, {"id": 22, "name": "v1"})
    added = {**written(model), "images": [1], "extensions": {**MARK, "sd_civitai_helper": {"version": "1"}}}
    info(model).write_text(json.dumps(added), encoding="utf-8")
    assert write_sidecar(model, {"id": 22, "name": "v1.0"})
    assert written(model) == {**added, "name": "v1.0"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_pipe_in_its_place(model: Path) -> None:
    """A pipe is another program's, and is not waited for."""
    os.mkfifo(info(model))
    assert find_standing(model) == "others"
    assert write_sidecar(model, {"id": 22}) is False


def test_same_again_is_not_written(model: Path) -> None:
    """Nothing is written when nothing is new."""
    write_sidecar(model, {"id": 22})
    os.utime(info(model), ns=(1, 1))
    assert write_sidecar(model, {"id": 22})
    assert info(model).stat().st_mtime_ns == 1


def test_ours_of_another_release(model: Path) -> None:
    """The sidecar of another file that has, or had, this stem is left alone."""
    write_sidecar(model, {"id": 22})
    assert not write_sidecar(model, {"id": 23})
    assert written(model)["id"] == 22


@pytest.mark.parametrize("data", ['{"id": 1}', "[]", "not JSON", "", '{"extensions": {"comfywatchman": 1}}'])
def test_of_another_program(model: Path, data: str) -> None:
    """A sidecar that we did not write is never touched, whatever is in it."""
    info(model).write_text(data, encoding="utf-8")
    assert find_standing(model) == "others"
    assert not write_sidecar(model, {"id": 22})
    assert info(model).read_text(encoding="utf-8") == data


def test_links_and_other_names(model: Path, tmp_path: Path) -> None:
    """A link that the user made is not replaced, and a sidecar under the whole name counts too."""
    info(model).symlink_to(tmp_path / "nowhere")
    assert not write_sidecar(model, {"id": 22})
    assert info(model).is_symlink()
    info(model).unlink()
    model.with_name(model.name + ".civitai.info").touch()
    assert not write_sidecar(model, {"id": 22})
    assert not info(model).exists()


def test_name_without_a_model_extension(tmp_path: Path) -> None:
    """A dot that is no extension of a model belongs to the name."""
    (tmp_path / "ink-v1.5").touch()
    assert write_sidecar(tmp_path / "ink-v1.5", {"id": 22})
    assert (tmp_path / "ink-v1.5.civitai.info").exists()


ADDRESSES = {
    "https://civitai.com/api/download/models/22?fileId=33&token=secret": "https://civitai.com/api/download/models/22?fileId=33",
    "https://civitai.com/models/11?modelVersionId=22#x": "https://civitai.com/models/11?modelVersionId=22",
    "https://me:secret@cdn.example/a?X-Amz-Signature=secret": "https://cdn.example/a",
    "http://[secret": None,
    "a text with https://in.it/?key=kept": "a text with https://in.it/?key=kept",
}


@pytest.mark.parametrize(("given", "kept"), ADDRESSES.items())
def test_addresses(model: Path, given: str, kept: str | None) -> None:
    """Addresses lose everything in which a secret could stand, however deep in the record they are."""
    record: Json = {"id": 22, "files": [{"downloadUrl": given}], "size": 1.5, "nsfw": None}
    assert write_sidecar(model, record)
    assert written(model) == {"id": 22, "files": [{"downloadUrl": kept}], "size": 1.5, "nsfw": None} | {
        "extensions": MARK
    }


@pytest.mark.parametrize("record", [None, [], "x", {"description": "x" * JSON_LIMIT}])
def test_records_that_do_not_fit(record: Json) -> None:
    """What is no record, or too large to be read again, is none to keep."""
    assert not fits(record)
    assert fits({"id": 1})


def test_made_record() -> None:
    """The record made of what is known is read back as the same."""
    sha256 = Digest("sha256", "ab" * 32)
    file = RemoteFile(
        hub="civitai",
        name="ink.safetensors",
        url="https://civitai.com/api/download/models/22?fileId=33",
        page="https://civitai.com/models/11?modelVersionId=22",
        id="33",
        size=2048,
        digests=(Digest("autov2", "ab" * 5),),
        air=parse_air("urn:air:sdxl:lycoris:civitai:11@22"),
        folder="loras",
        model_name="Ink",
        version_name="v1",
        base_model="SDXL 1.0",
        trigger_words=("ink wash",),
    )
    record = make_record(file, origin_of(file), (sha256,))
    assert record["model"] == {"name": "Ink", "type": "LoCon"}
    assert record["files"] == [
        {"id": 33, "name": "ink.safetensors", "sizeKB": 2.0, "type": "Model", "primary": True}
        | {"hashes": {"AutoV2": "AB" * 5, "SHA256": "AB" * 32}}
    ]
    facts = read(json.dumps(record).encode(), "ink.safetensors")
    assert facts is not None
    assert (facts.model_id, facts.version_id, facts.base_model) == (11, 22, "SDXL 1.0")
    assert sha256 in facts.digests
    bare = make_record(RemoteFile(hub="civitai", name="a", url="x"), origin_of(file), ())
    assert "baseModel" not in bare
