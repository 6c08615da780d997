"""Sidecars of every dialect, as the programs write them, and as nobody should."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.decode import DecodeError
from comfywatchman.digest import Digest
from comfywatchman.facts import Facts
from comfywatchman.library.sidecars import (
    a1111,
    civitai_info,
    custom_scripts,
    lora_manager,
    model_manager,
    rgthree,
    stability_matrix,
)
from comfywatchman.library.sidecars.beside import Beside, find_beside
from comfywatchman.library.sidecars.fields import JSON_LIMIT, TEXT_LIMIT

NAME = "ink.safetensors"
SHA = "ab" * 32
OTHER = "cd" * 32
PAGE = "https://civitai.com/models/7?modelVersionId=70"
IS_SHA = (Digest("sha256", SHA),)

VERSION = {
    "id": 70,
    "modelId": 7,
    "name": "v2",
    "baseModel": "SDXL 1.0",
    "trainedWords": ["ink wash, ", "<lora:ink:1>", "brush"],
    "model": {"name": "Ink Wash", "type": "LORA", "allowNoCredit": True, "allowCommercialUse": ["Image"]},
    "creator": {"username": "brush"},
    "files": [{"name": "other.safetensors", "hashes": {"SHA256": SHA.upper()}}],
}
OF_VERSION = Facts(
    model_name="Ink Wash",
    version_name="v2",
    base_model="SDXL 1.0",
    author="brush",
    licence="commercial use: Image; no credit required",
    trigger_words=("ink wash", "brush"),
    model_id=7,
    version_id=70,
    page=PAGE,
    digests=IS_SHA,
)
JSON_READERS = (
    civitai_info.read, lora_manager.read, stability_matrix.read, a1111.read, rgthree.read,
)  # fmt: skip
TEXT_READERS = (
    a1111.read_description, custom_scripts.read_note, custom_scripts.read_hash, model_manager.read,
)  # fmt: skip


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


# ── the dialects ──


def test_civitai_info() -> None:
    """CivitAI's own record, with the only file's digests whatever its name."""
    assert civitai_info.read(dump(VERSION), NAME) == OF_VERSION


@pytest.mark.parametrize(
    ("names", "digests"),
    [(["a.sft", "INK.safetensors"], 1), (["a.sft", "b.sft"], None), ([NAME, NAME], None), ([], None)],
)
def test_civitai_info_of_several_files(names: list[str], digests: int | None) -> None:
    """The digests are those of the file by its name; where that does not decide, none."""
    files = [{"name": name, "hashes": {"SHA256": f"{at}" * 64}} for at, name in enumerate(names)]
    facts = civitai_info.read(dump({"files": files}), NAME)
    assert facts is not None
    assert facts.digests == (() if digests is None else (Digest("sha256", f"{digests}" * 64),))


def test_lora_manager() -> None:
    """Its own fields win over the record of CivitAI inside it; the weights stand as JSON in a text."""
    record = {
        "file_name": "ink",
        "model_name": "My ink",
        "base_model": "Unknown",
        "sha256": OTHER,
        "autov3": "ab" * 6,
        "notes": " good \n at dusk ",
        "trainedWords": ["Brush", "sumi"],
        "civitai": VERSION,
        "usage_tips": '{"strength": 0.8, "strength_min": 0, "strength_max": "x"}',
    }
    facts = lora_manager.read(dump(record), NAME)
    assert facts is not None
    assert (facts.model_name, facts.base_model, facts.page) == ("My ink", "SDXL 1.0", PAGE)
    assert facts.trigger_words == ("Brush", "sumi", "ink wash")
    assert (facts.weight, facts.weight_min, facts.weight_max) == (0.8, 0.0, None)
    assert facts.notes == "good \n at dusk"
    assert [str(d) for d in facts.digests] == [f"sha256:{OTHER}", f"autov3:{'ab' * 6}"]


@pytest.mark.parametrize("tips", [None, "", "{", 7, "[" * 70_000, "[]"])
def test_lora_manager_with_bad_tips(tips: Any) -> None:
    """Weights that cannot be read cost nothing of the rest."""
    assert lora_manager.read(dump({"civitai": VERSION, "usage_tips": tips}), NAME) == OF_VERSION


def test_stability_matrix() -> None:
    """Ids are CivitAI's only where it is the source."""
    record = {
        "ModelId": 7,
        "ModelName": "Ink Wash",
        "VersionId": 70,
        "VersionName": "v2",
        "AuthorUsername": "brush",
        "BaseModel": "SDXL 1.0",
        "TrainedWords": ["ink wash", "brush"],
        "Hashes": {"SHA256": SHA.upper(), "CRC32": None, "BLAKE3": ""},
    }
    facts = stability_matrix.read(dump(record), NAME)
    assert facts == Facts(
        model_name="Ink Wash",
        version_name="v2",
        base_model="SDXL 1.0",
        author="brush",
        trigger_words=("ink wash", "brush"),
        model_id=7,
        version_id=70,
        page=PAGE,
        digests=IS_SHA,
    )
    other = {**record, "Source": "OpenModelDb", "SourceUrl": "https://openmodeldb.info/models/7"}
    told = stability_matrix.read(dump(other), NAME)
    assert told is not None
    assert (told.model_id, told.page) == (None, "https://openmodeldb.info/models/7")


def test_a1111() -> None:
    """What the user wrote is the user's own; 0 means that no weight was set."""
    record = {
        "description": "soft",
        "sd version": "SDXL",
        "activation text": "ink wash, brush",
        "preferred weight": 0.75,
        "notes": "mine",
    }
    own = Facts(
        base_model="SDXL", description="soft", own_words=("ink wash", "brush"), notes="mine", weight=0.75
    )
    assert a1111.read(dump(record), NAME) == own
    unset = a1111.read(dump({"activation text": "", "preferred weight": 0, "sd version": "Unknown"}), NAME)
    assert unset == Facts()


def test_browser_plus() -> None:
    """With the version a downloader writes, the words are the author's."""
    record = {
        "activation text": "ink wash",
        "activation text groups": ["brush", 7],
        "modelId": "7",
        "modelVersionId": 70,
        "sha256": SHA.upper(),
        "modelPageURL": "javascript:alert(1)",
    }
    facts = Facts(trigger_words=("ink wash", "brush"), model_id=7, version_id=70, page=PAGE, digests=IS_SHA)
    assert a1111.read(dump(record), NAME) == facts


def test_rgthree() -> None:
    """Words of the user, of the author and of the training's tags are told apart."""
    record = {
        "name": "Ink Wash - v2",
        "sha256": SHA,
        "strengthMin": -1,
        "strengthMax": 1.5,
        "userNote": "mine",
        "triggerWords": ["old"],
        "trainedWords": [
            {"word": "1girl", "count": 40, "metadata": True},
            {"word": "brush", "count": 3, "metadata": True, "civitai": True},
            {"word": "dusk", "user": True},
            {"word": None},
            "text",
        ],
        "raw": {"civitai": {**VERSION, "model": {"name": "Ink Wash"}}},
    }
    facts = rgthree.read(dump(record), NAME)
    assert facts is not None
    assert (facts.model_name, facts.version_name, facts.page) == ("Ink Wash", "v2", PAGE)
    assert facts.trigger_words == ("brush", "old")
    assert (facts.own_words, facts.common_tags) == (("dusk",), ("1girl",))
    assert (facts.weight_min, facts.weight_max, facts.notes) == (-1.0, 1.5, "mine")
    bare = rgthree.read(dump({"name": "Ink", "links": ["x", "https://a.example/ink"], "raw": None}), NAME)
    assert bare == Facts(model_name="Ink", page="https://a.example/ink")


def test_texts() -> None:
    """Notes, descriptions and hashes in files of their own; blank ones say nothing."""
    note = "\ufeffgood at dusk\n".encode()
    assert custom_scripts.read_note(note, NAME) == Facts(notes="good at dusk")
    assert a1111.read_description(b"soft", NAME) == Facts(description="soft")
    assert custom_scripts.read_hash(f"{SHA.upper()}  {NAME}\n".encode(), NAME) == Facts(digests=IS_SHA)
    assert model_manager.read(b"---\ntype: lora\n---\n\n# Ink\n", NAME) == Facts(description="# Ink")
    assert model_manager.read(b"# Ink\n---\nmore", NAME) == Facts(description="# Ink\n---\nmore")
    assert [read(b" \n", NAME) for read in TEXT_READERS] == [None] * len(TEXT_READERS)


# ── hostile ──


@pytest.mark.parametrize("read", JSON_READERS, ids=lambda read: read.__module__.rpartition(".")[2])
def test_other_json(read: Any) -> None:
    """JSON of another program is none of the dialect, and says nothing."""
    assert read(b'{"architectures": ["T5"], "description": "a config"}', NAME) is None


@pytest.mark.parametrize("read", JSON_READERS, ids=lambda read: read.__module__.rpartition(".")[2])
@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"7", b"\xff\xfe\x00", b"[" * 100_000, b'{"id": ' + b"9" * 5000 + b"}"]
)
def test_damaged_json(read: Any, data: bytes) -> None:
    """What is no JSON object is said to be none."""
    with pytest.raises(DecodeError):
        read(data, NAME)


@pytest.mark.parametrize("read", TEXT_READERS[:2])
def test_damaged_text(read: Any) -> None:
    """Bytes that are no text, and too many, are said to be so; as many as are allowed are read."""
    for data in (b"\xff\xd8\xff", b"x" * (TEXT_LIMIT + 1)):
        with pytest.raises(DecodeError):
            read(data, NAME)
    assert read(b"x" * TEXT_LIMIT, NAME) is not None


def test_damaged_hash() -> None:
    """A hash file without a hash is said to be damaged."""
    with pytest.raises(DecodeError):
        custom_scripts.read_hash(b"<html>", NAME)


LEAVES = st.sampled_from([None, True, 0, -1, 1 << 40, 1e308, "", "x", "\ud800", "9" * 400, SHA, "https://"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=2)
)
FIELDS = (
    *VERSION, *("usage_tips", "sha256", "notes", "model_name", "base_model", "civitai", "raw", "links"),
    *("activation text", "preferred weight", "sd version", "modelVersionId", "strengthMin", "userNote"),
    *("ModelId", "ModelName", "Hashes", "TrainedWords", "Source", "SourceUrl", "triggerWords"),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(FIELDS), VALUES), st.sampled_from(JSON_READERS))
def test_hostile_values(record: dict[str, Any], read: Any) -> None:
    """Whatever stands in the fields, nothing fails and what comes out can be written."""
    facts = read(json.dumps(record).encode(), NAME)
    if facts is not None:
        json.dumps(facts.to_dict(), ensure_ascii=False, allow_nan=False).encode()


def test_huge_values() -> None:
    """Names, prose and lists have bounds."""
    record = {"sd version": "x" * 501, "notes": "n" * 100_000, "activation text groups": ["w", "x" * 20_001]}
    facts = a1111.read(dump(record), NAME)
    assert facts is not None
    assert (facts.base_model, len(facts.notes or ""), facts.own_words) == (None, 20_000, ("w",))
    many = a1111.read(dump({"activation text groups": [f"w{n}" for n in range(5000)]}), NAME)
    assert many is not None
    assert len(many.own_words) == 1000


# ── beside a file ──


def beside(folder: Path, files: dict[str, Any], name: str = NAME) -> Beside:
    for at, value in files.items():
        (folder / at).write_bytes(value if isinstance(value, bytes) else dump(value))
    return find_beside(folder / name)


A1111 = {"activation text": "mine"}


@pytest.mark.parametrize(
    ("name", "content", "dialect"),
    [
        ("ink.json", A1111, "a1111"),
        ("ink.json", VERSION, "civitscraper"),
        ("ink.metadata.json", {"civitai": VERSION}, "lora-manager"),
        ("ink.safetensors.rgthree-info.json", {"sha256": SHA}, "rgthree"),
        ("ink.safetensors.modelresolver.json", {"sha256": SHA}, "model-resolver"),
        ("ink.civitai.info", VERSION, "civitai-helper"),
        ("ink.safetensors.civitai.info", VERSION, "civitai-helper"),
        ("ink.safetensors.civitai.json", VERSION, "model-vault"),
        ("ink.cm-info.json", {"ModelId": 7}, "stability-matrix"),
        ("ink.info", VERSION, "civitai"),
        ("ink.md", b"# Ink", "model-manager"),
        ("ink.txt", b"note", "custom-scripts"),
        ("ink.description.txt", b"soft", "a1111"),
        ("ink.sha256", SHA.encode(), "custom-scripts"),
    ],
)
def test_find_beside(tmp_path: Path, name: str, content: Any, dialect: str) -> None:
    """Each dialect is found by its file's name and told by its keys."""
    found = beside(tmp_path, {name: content, "inkwell.civitai.info": VERSION, "other.json": A1111})
    assert [(s.name, s.dialect) for s in found.sidecars] == [(name, dialect)]
    assert (found.unread, found.preview) == ((), None)


def test_other_beside(tmp_path: Path) -> None:
    """A file that only has the name of a sidecar, or is blank, says nothing and is no fault."""
    assert beside(tmp_path, {"ink.json": {"nodes": []}, "ink.txt": b"\n"}) == Beside()


def test_order(tmp_path: Path) -> None:
    """The user's own comes before what downloaders wrote."""
    found = beside(tmp_path, {"ink.civitai.info": VERSION, "ink.json": A1111})
    assert [s.dialect for s in found.sidecars] == ["a1111", "civitai-helper"]


def test_damaged_beside(tmp_path: Path) -> None:
    """A damaged or oversized sidecar is told once, and loses nothing of the others."""
    large = b'{"files": [' + b" " * JSON_LIMIT + b"]}"
    found = beside(tmp_path, {"ink.json": b"{", "ink.civitai.info": VERSION, "ink.info": large})
    assert [s.name for s in found.sidecars] == ["ink.civitai.info"]
    assert sorted(unread.path for unread in found.unread) == ["ink.info", "ink.json"]


def test_names_that_are_known(tmp_path: Path) -> None:
    """Who knows the folder's names finds the same, and nothing that is not among them."""
    found = beside(tmp_path, {"ink.txt": b"note", "ink.png": b""})
    path = tmp_path / NAME
    assert (len(found.sidecars), found.preview) == (1, "ink.png")
    assert find_beside(path, names={entry.name for entry in tmp_path.iterdir()}) == found
    assert find_beside(path, names={"ink.png"}) == Beside(preview="ink.png")
    assert find_beside(path, names={"ink.md"}) == Beside()


def test_names_that_mislead(tmp_path: Path) -> None:
    """The file itself, folders, pipes and names too long to be tried are no sidecars."""
    (tmp_path / "ink.metadata.json").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "ink.json")
    assert beside(tmp_path, {"ink.txt": b"note"}, name="ink.txt") == Beside()
    assert find_beside(tmp_path / ("x" * 250)) == Beside()
    dotted = beside(tmp_path, {"ink-v1.5.txt": b"note", "ink-v1.txt": b"other"}, name="ink-v1.5")
    assert [s.name for s in dotted.sidecars] == ["ink-v1.5.txt"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="every file can be read")
def test_unreadable(tmp_path: Path) -> None:
    """A sidecar of somebody else is told and stops nothing."""
    (tmp_path / "ink.json").write_bytes(b"{}")
    (tmp_path / "ink.json").chmod(0)
    assert [unread.path for unread in find_beside(tmp_path / NAME).unread] == ["ink.json"]


def test_preview(tmp_path: Path) -> None:
    """The preview is the first in Lora-Manager's order."""
    found = beside(tmp_path, {"ink.png": b"", "ink.preview.png": b"", "inkwell.webp": b""})
    assert found.preview == "ink.preview.png"


@pytest.mark.parametrize(("sha", "is_of"), [(SHA, True), (OTHER, False), (None, None)])
def test_is_of(tmp_path: Path, sha: str | None, is_of: bool | None) -> None:
    """A sidecar of another file with the same stem is told by the digest it names."""
    found = beside(tmp_path, {"ink.metadata.json": {"model_name": "Ink", "sha256": sha}})
    assert found.sidecars[0].is_of(IS_SHA) is is_of


def test_recorded(tmp_path: Path, shared_data: Path) -> None:
    """Recorded answers of CivitAI are read as the sidecars that Civitai-Helper makes of them."""
    recorded = shared_data / "hubs/civitai/modern/model_version_byhash_1050496_2024-11.json"
    found = beside(tmp_path, {"pose.civitai.info": recorded.read_bytes()}, name="pose.safetensors")
    facts = found.sidecars[0].facts
    assert (facts.model_id, facts.version_id, facts.base_model) == (706978, 1050496, "Flux.1 D")
    assert facts.trigger_words == ("aesthetic_pos3", "dynamic_pos3")
    assert {d.algorithm for d in facts.digests} == {"sha256", "blake3", "crc32", "autov1", "autov2", "autov3"}
    older = random.Random(7).sample(sorted((shared_data / "hubs/civitai/models_2023-07").glob("*.json")), 20)
    for path in older:
        for version in json.loads(path.read_text(encoding="utf-8"))["modelVersions"]:
            assert civitai_info.read(dump(version), NAME) is not None
