"""Finding files on this disk: for links, by digest, and what a name is worth where a digest is known."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from fakehub.server import FakeHub
from house_kit import House, open_house, silent

from comfywatchman.air import parse_thing
from comfywatchman.catalog import LocalFile
from comfywatchman.demo import models
from comfywatchman.digest import Digest
from comfywatchman.errors import Interrupted, UnknownFolder
from comfywatchman.library.index import FILE_NAME
from comfywatchman.library.matching import LastLook
from comfywatchman.library.roots import find_roots
from comfywatchman.library.scan import list_file
from comfywatchman.report import Report
from comfywatchman.resolution import Evidence, Found, Missing, Placement, Present
from comfywatchman.transfer.events import State
from comfywatchman.whereabouts import list_files

INK = models.lora("ink")
FOG = models.lora("fog")
DIGEST = Digest("sha256", sha256(INK).hexdigest())


def stock(hub: FakeHub) -> str:
    """A LoRA on CivitAI; says its version."""
    model = hub.add_model("Ink Wash", {"ink.safetensors": INK})
    return f"v:{model.versions[0].id}"


def put(house: House, path: str, data: bytes = INK, folder: str = "loras") -> Path:
    place = house.models / folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return place


def hashed(house: House, path: str, folder: str = "loras") -> LocalFile:
    return house.index.hashed(list_file(str(house.models / folder), folder, path)).file


def find(house: House, thing: str, folder: str | None = None) -> str | None:
    """Where the file lies that a thing means, as folder and path."""
    found = house.watchman.find_local(parse_thing(thing), folder=folder)
    return f"{found.file.folder}/{found.file.path}" if found else None


def test_fetched_file_is_found_at_once(fakehub: FakeHub, tmp_path: Path) -> None:
    """What was fetched is found by every form of its link, offline, with digest and origin."""
    thing = stock(fakehub)
    model = fakehub.shelf.models[0]
    with open_house(tmp_path, fakehub) as house:
        house.watchman.fetch(house.watchman.open([parse_thing(thing)]).transfers, listener=silent)
    asked = len(fakehub.requests)
    with open_house(tmp_path, fakehub) as house:
        for form in (thing, f"{model.id}", f"urn:air:sdxl:lora:civitai:{model.id}@{thing[2:]}"):
            assert find(house, form) == "loras/ink.safetensors"
        assert find(house, thing, folder="loras") == "loras/ink.safetensors"
        found = house.watchman.find_local(DIGEST)
        assert found is not None
        assert DIGEST in found.file.digests
        assert found.origin is not None
        assert house.watchman.find_local(Digest("sha256", "0" * 64)) is None
        with pytest.raises(UnknownFolder):
            find(house, thing, folder="nonsense")
    assert len(fakehub.requests) == asked


def test_other_installation(fakehub: FakeHub, tmp_path: Path) -> None:
    """A file below no root of ours is none for us, though the index of both knows it."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        house.watchman.fetch(house.watchman.open([parse_thing(thing)]).transfers, listener=silent)
        (house.models / "loras").rename(tmp_path / "elsewhere")
        (house.models / "loras").symlink_to(tmp_path / "elsewhere")
        assert find(house, thing) == "loras/ink.safetensors"
        assert find(house, thing, folder="vae") is None


def test_root_under_another_name(fakehub: FakeHub, tmp_path: Path) -> None:
    """A file of the index is told as this installation's roots name it."""
    thing = stock(fakehub)
    (tmp_path / "two").mkdir()
    with open_house(tmp_path / "one", fakehub) as one:
        one.watchman.fetch(one.watchman.open([parse_thing(thing)]).transfers, listener=silent)
    (tmp_path / "two/models").symlink_to(tmp_path / "one/models")
    (tmp_path / "two/data").symlink_to(tmp_path / "one/data")
    with open_house(tmp_path / "two", fakehub, offline=True) as two:
        found = two.watchman.find_local(parse_thing(thing))
        assert found is not None
        assert found.file.root == str(tmp_path / "two/models/loras")


def test_moved_file(fakehub: FakeHub, tmp_path: Path) -> None:
    """A fetched file that the user sorted into another folder is found by name, size and content, offline."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        house.watchman.fetch(house.watchman.open([parse_thing(thing)]).transfers, listener=silent)
    (tmp_path / "models/loras/ink.civitai.info").unlink()
    with open_house(tmp_path, fakehub, offline=True) as house:
        (house.models / "loras/style").mkdir()
        (house.models / "loras/ink.safetensors").rename(house.models / "loras/style/Ink.safetensors")
        put(house, "ink.safetensors", FOG)
        assert find(house, thing) == "loras/style/Ink.safetensors"
        found = house.watchman.find_local(parse_thing(thing))
        assert found is not None
        assert found.origin is not None
        assert found.origin.model_name == "Ink Wash"


def write_info(path: Path, **record: Any) -> None:
    path.with_suffix(".civitai.info").write_text(json.dumps(record), encoding="utf-8")


@pytest.mark.parametrize("thing", ["v:22", "11"])
def test_sidecar_of_another_program(fakehub: FakeHub, tmp_path: Path, thing: str) -> None:
    """A file whose sidecar names the release and the file's own digest is that file, offline."""
    with open_house(tmp_path, fakehub, offline=True) as house:
        files = [{"name": "ink.safetensors", "hashes": {"SHA256": DIGEST.hex.upper()}}]
        path = put(house, "mine.safetensors")
        write_info(path, id=22, modelId=11, trainedWords=["ink wash"], files=files)
        wrong = put(house, "also.safetensors", FOG)
        write_info(wrong, id=22, modelId=11, files=files)
        silent_one = put(house, "another.safetensors", FOG)
        write_info(silent_one, id=22, modelId=11, trainedWords=[])
        assert find(house, thing) == "loras/mine.safetensors"
        found = house.watchman.find_local(parse_thing(thing))
        assert found is not None
        assert found.origin is not None
        assert (found.origin.version_id, found.origin.trigger_words) == ("22", ("ink wash",))
        assert find(house, "v:23") is None


def test_sidecar_that_lies(fakehub: FakeHub, tmp_path: Path) -> None:
    """A sidecar that gives another file's digest for the release convinces nobody who can ask the hub.

    Control: where nobody can be asked it does, for that moment only.
    """
    thing = stock(fakehub)
    version = fakehub.shelf.models[0].versions[0]
    lie = {"name": "fog.safetensors", "hashes": {"SHA256": sha256(FOG).hexdigest()}}
    with open_house(tmp_path, fakehub, offline=True) as house:
        write_info(put(house, "fog.safetensors", FOG), id=version.id, trainedWords=[], files=[lie])
        assert find(house, thing) == "loras/fog.safetensors"
    with open_house(tmp_path, fakehub) as house:
        assert find(house, thing) is None
        truth = {"name": "mine.safetensors", "hashes": {"SHA256": DIGEST.hex}}
        write_info(put(house, "mine.safetensors"), id=version.id, trainedWords=[], files=[truth])
        assert find(house, thing) == "loras/mine.safetensors"
    with open_house(tmp_path, fakehub, offline=True) as house:
        assert find(house, thing) == "loras/mine.safetensors"


def test_hub_says_which(fakehub: FakeHub, tmp_path: Path) -> None:
    """A file the user brought by hand is told by the hub's record and its content, and remembered."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        put(house, "a/ink.safetensors", bytes(reversed(INK)))
        put(house, "b/ink.safetensors", INK)
        assert find(house, thing) == "loras/b/ink.safetensors"
    with open_house(tmp_path, fakehub, offline=True) as house:
        assert find(house, thing) == "loras/b/ink.safetensors"


def test_hub_says_which_under_another_name(fakehub: FakeHub, tmp_path: Path) -> None:
    """A file whose digest is known already is found under any name."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        put(house, "whatever.safetensors")
        assert find(house, thing) is None
        hashed(house, "whatever.safetensors")
        assert find(house, thing) == "loras/whatever.safetensors"


def test_unknown_link(fakehub: FakeHub, tmp_path: Path) -> None:
    """What neither disk nor hub knows is not there."""
    with open_house(tmp_path, fakehub) as house:
        put(house, "ink.safetensors")
        assert find(house, "v:404404") is None
        assert find(house, "hf:org/none/ink.safetensors") is None


def test_search_is_stopped(fakehub: FakeHub, tmp_path: Path) -> None:
    """Hashing for a search ends when it is told to, and tells how far it is."""
    thing = stock(fakehub)
    stop, told = threading.Event(), list[tuple[str, int]]()
    with open_house(tmp_path, fakehub) as house:
        put(house, "ink.safetensors")
        stop.set()
        with pytest.raises(Interrupted):
            house.watchman.find_local(parse_thing(thing), stop=stop)
        assert house.watchman.find_local(parse_thing(thing), tell=lambda f, done: told.append((f.path, done)))
        assert told == [("ink.safetensors", len(INK))]


def test_search_without_an_index(fakehub: FakeHub, tmp_path: Path) -> None:
    """An index that cannot be used costs a look at the disk, nothing more."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        house.home.mkdir()
        (house.home / FILE_NAME).mkdir()
        put(house, "ink.safetensors")
        assert find(house, thing) == "loras/ink.safetensors"


def test_last_look(tmp_path: Path) -> None:
    """A look that finds what the last one found makes nothing new; what came, changed or went is seen."""
    (tmp_path / "loras").mkdir()
    scan, last = partial(list_files, find_roots(models_dir=tmp_path)), LastLook()
    first = last.again(scan)
    assert last.again(scan) is first

    file = tmp_path / "loras" / "ink.safetensors"
    for step in (lambda: file.write_bytes(b"x"), lambda: file.write_bytes(b"xy"), file.unlink):
        step()
        names = last.again(scan)
        assert names is not first
        assert names.files == scan()
        first = names


def test_unreadable_file_is_passed_over(fakehub: FakeHub, tmp_path: Path) -> None:
    """A file that disappears or cannot be read while it is looked for stops nothing."""
    thing = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        path = put(house, "a/ink.safetensors")
        put(house, "b/ink.safetensors")
        told = []

        def vanish(_file: LocalFile, done: int) -> None:
            told.append(done)
            path.write_bytes(INK + b"!")

        found = house.watchman.find_local(parse_thing(thing), tell=vanish)
        assert found is not None
        assert found.file.path == "b/ink.safetensors"


# ── references ──


def workflow(
    folder: Path, *names: str, digest: Digest | None = DIGEST, url: str = "https://example.com/x"
) -> Path:
    """A workflow whose nodes name LoRAs with that digest."""
    nodes = [
        {
            "id": number,
            "type": "LoraLoader",
            "inputs": [],
            "outputs": [],
            "widgets_values": [name, 1.0, 1.0],
            "properties": {
                "models": [
                    {"name": name.rpartition("/")[2], "directory": "loras", "url": url}
                    | ({"hash": digest.hex, "hash_type": digest.algorithm} if digest else {})
                ]
            },
        }
        for number, name in enumerate(names, 1)
    ]
    path = folder / "flow.json"
    path.write_text(json.dumps({"nodes": nodes, "links": [], "version": 0.4}), encoding="utf-8")
    return path


def inspect(house: House, path: Path) -> Report:
    (report,) = house.watchman.inspect([path]).reports
    return report


def test_wrong_file_of_that_name(fakehub: FakeHub, tmp_path: Path) -> None:
    """A file known to be another than the workflow means is not present, and it is said why."""
    with open_house(tmp_path, fakehub) as house:
        put(house, "ink.safetensors", FOG)
        flow = workflow(tmp_path, "ink.safetensors")
        assert isinstance(inspect(house, flow).resolutions[0], Present)  # nobody has looked inside yet
        stranger = hashed(house, "ink.safetensors")
        report = inspect(house, flow)
        assert isinstance(report.resolutions[0], Missing)
        assert [one.file for one in report.strangers] == [stranger]
        assert report.strangers[0].to_dict()["file"] == stranger.to_dict()


def test_wrong_file_is_fetched_beside(fakehub: FakeHub, tmp_path: Path) -> None:
    """`resolve` looks for the right file then, and it gets the second name."""
    url = f"https://civitai.com/api/download/models/{stock(fakehub)[2:]}"
    with open_house(tmp_path, fakehub) as house:
        put(house, "ink.safetensors", FOG)
        hashed(house, "ink.safetensors")
        answer = house.watchman.resolve([workflow(tmp_path, "ink.safetensors", url=url)])
        (found,) = answer.resolutions
        assert isinstance(found, Found)
        (outcome,) = house.watchman.fetch(house.watchman.plan([found]).transfers, listener=silent)
        assert outcome.state is State.VERIFIED
        assert (house.models / "loras/ink.safetensors").read_bytes() == FOG
        assert (house.models / "loras" / outcome.path).read_bytes() == INK
        again = inspect(house, workflow(tmp_path, "ink.safetensors")).resolutions[0]
        assert isinstance(again, Present)
        assert (again.file.path, again.placement) == (outcome.path, Placement.RENAMED)


@pytest.mark.parametrize(("folder", "placement"), [("loras", Placement.RENAMED), ("vae", Placement.FOLDER)])
def test_renamed_file(fakehub: FakeHub, tmp_path: Path, folder: str, placement: Placement) -> None:
    """A file with the reference's digest is present under whatever name it has."""
    with open_house(tmp_path, fakehub) as house:
        put(house, "x/other name.safetensors", folder=folder)
        file = hashed(house, "x/other name.safetensors", folder)
        (found,) = inspect(house, workflow(tmp_path, "ink.safetensors")).resolutions
        assert found == Present(found.reference, file, placement, Evidence.DIGEST)
        (found,) = inspect(house, workflow(tmp_path, "ink.safetensors", digest=None)).resolutions
        assert isinstance(found, Missing)


def test_right_file_of_that_name(fakehub: FakeHub, tmp_path: Path) -> None:
    """A file whose digest agrees is present by its digest, once, though nodes name it twice."""
    with open_house(tmp_path, fakehub) as house:
        put(house, "ink.safetensors")
        put(house, "copy.safetensors")
        file = hashed(house, "ink.safetensors")
        hashed(house, "copy.safetensors")
        report = inspect(house, workflow(tmp_path, "ink.safetensors", "ink.safetensors"))
        assert [r.file for r in report.resolutions if isinstance(r, Present)] == [file, file]
        assert {r.evidence for r in report.resolutions if isinstance(r, Present)} == {Evidence.DIGEST}
        assert report.strangers == ()


def test_names_do_without_the_index(fakehub: FakeHub, tmp_path: Path) -> None:
    """Workflows are read by names where the index cannot be used."""
    with open_house(tmp_path, fakehub) as house:
        put(house, "ink.safetensors")
        hashed(house, "ink.safetensors")
        house.index.close()
        with closing(sqlite3.connect(house.home / FILE_NAME)) as base:
            base.execute("PRAGMA user_version = 99")
        (found,) = inspect(house, workflow(tmp_path, "ink.safetensors")).resolutions
        assert isinstance(found, Present)
        assert found.evidence is Evidence.NAME
        assert find(house, "v:22") is None
