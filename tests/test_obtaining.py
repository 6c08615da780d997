"""Obtaining the file that a node's input means: here, by its pin, from its hub, or not at all and why."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import pytest
from fakehub import faults
from fakehub.server import FakeHub

from comfywatchman.air import CivitaiLink
from comfywatchman.catalog import LocalFile
from comfywatchman.demo import models
from comfywatchman.demo.shelf import Blob, PaidAccess, ServedFile, ServedModel, ServedVersion
from comfywatchman.digest import Digest
from comfywatchman.errors import (
    DigestMismatch,
    EarlyAccess,
    Interrupted,
    InvalidAir,
    InvalidPin,
    LoginRequired,
    NotFound,
    NotHere,
    Refused,
    SeveralFiles,
    WatchmanError,
    Withdrawn,
    WrongFolder,
)
from comfywatchman.house import House
from comfywatchman.library.indexed import Indexed
from comfywatchman.library.named import find_named, find_stem
from comfywatchman.library.origin import Origin
from comfywatchman.library.roots import Root, find_roots
from comfywatchman.obtained import Obtained
from comfywatchman.tokens import TokenStore
from comfywatchman.transfer.events import Progress, State

INK = models.lora("ink", trigger="ink wash")
FOG = models.lora("fog")
MODEL = models.checkpoint("lamp")


@dataclass
class Room:
    """A ComfyUI's folders, a data folder, and the stand-in as both hubs."""

    folder: Path
    hub: FakeHub

    def house(self, *, offline: bool = False) -> House:
        home = self.folder / "data"
        return House(
            home,
            self.hub.environment,
            tokens=TokenStore(home, self.hub.environment),
            roots=lambda _: find_roots(models_dir=self.folder / "models"),
            offline=offline,
        )

    def obtain(
        self, thing: str, *, folder: str = "loras", pinned: str = "", offline: bool = False
    ) -> Obtained:
        with self.house(offline=offline) as house:
            return house.obtainer().obtain(thing, folder=folder, pinned=pinned)

    def find(self, thing: str, *, folder: str | None = "loras", pinned: str = "") -> Obtained | None:
        with self.house(offline=True) as house:
            return house.obtainer().find(thing, folder=folder, pinned=pinned)

    def put(self, path: str, data: bytes) -> Path:
        place = self.folder / "models" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return place

    def know(self, path: str, data: bytes) -> None:
        """Put a file there and let the index know its digest."""
        place = self.put(path, data)
        folder, _, name = path.partition("/")
        stat = place.stat()
        file = LocalFile(
            folder=folder,
            path=name,
            root=str(self.folder / "models" / folder),
            size=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            digests=(Digest.sha256(Blob.of(data).sha256),),
        )
        with self.house() as house:
            house.index.put(Indexed(file=file))

    def settings(self, **values: object) -> None:
        home = self.folder / "data"
        home.mkdir(exist_ok=True)
        (home / "settings.json").write_text(json.dumps(values), encoding="utf-8")

    def files(self) -> set[str]:
        found = (self.folder / "models").rglob("*.s*")
        return {path.relative_to(self.folder / "models").as_posix() for path in found if path.is_file()}


@pytest.fixture
def room(fakehub: FakeHub, tmp_path: Path) -> Room:
    for folder in ("loras", "checkpoints"):
        (tmp_path / "models" / folder).mkdir(parents=True)
    return Room(tmp_path, fakehub)


def version_of(model: ServedModel) -> str:
    return f"v:{model.versions[0].id}"


# ── here ──


@pytest.mark.parametrize(
    "name", ["style/ink.safetensors", r"style\ink.safetensors", " style//ink.safetensors "]
)
def test_local_name(room: Room, name: str) -> None:
    """A name is found as ComfyUI finds it, whichever slash it has, and nobody is asked."""
    path = room.put("loras/style/ink.safetensors", INK)
    obtained = room.obtain(name)
    assert (obtained.path, obtained.file.path, obtained.pin) == (path, "style/ink.safetensors", None)
    assert room.hub.requests == []


def test_local_name_stays_below_its_root(room: Room) -> None:
    """A name that climbs names nothing."""
    room.put("secret.safetensors", INK)
    with pytest.raises(NotHere):
        room.obtain("../secret.safetensors")


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_local_name_in_another_form(room: Room, form: Literal["NFC", "NFD"]) -> None:
    """A name with accents, saved on a system that composes them or one that does not, is the same file."""
    path = room.put(f"loras/{normalize(form, 'café')}.safetensors", INK)
    for asked in ("NFC", "NFD"):
        assert room.obtain(normalize(asked, "café.safetensors")).path == path


def test_only_model_files_have_names(room: Room) -> None:
    """A file that ComfyUI does not list is none, whatever it is called, and hides no model of that id."""
    model = room.hub.add_model("Ink", {"ink.safetensors": INK})
    for name in (str(model.id), version_of(model), "notes.txt", "ink"):
        room.put(f"loras/{name}", b"\x80\x02}q\x00.")
    assert room.obtain(str(model.id)).name == "ink.safetensors"
    for name in ("notes.txt", "ink"):
        with pytest.raises(InvalidAir):
            room.obtain(name)


@pytest.mark.parametrize("thing", ["no model at all", "0"])
def test_thing_that_means_nothing(room: Room, thing: str) -> None:
    """What is neither a file's name nor a link is told."""
    with pytest.raises(InvalidAir):
        room.obtain(thing)


@pytest.mark.parametrize(
    "thing",
    ["https://example.org/ink.safetensors", "http://127.0.0.1:1/ink", "ftp://civitai.com/models/1", "a://"],
)
def test_free_addresses_are_never_fetched(room: Room, thing: str) -> None:
    """An address on no hub is refused whatever lies there."""
    with pytest.raises(Refused, match="on no hub"):
        room.obtain(thing)
    assert room.hub.requests == []


def test_free_address_off(room: Room) -> None:
    """A file that an address gives to who fetches it outright is refused by that address all the same."""
    model = room.hub.add_model("Ink", {"ink.safetensors": INK})
    with room.house() as house:
        watchman = house.watchman()
        (transfer,) = watchman.open([CivitaiLink(model_id=model.id)]).transfers
        with pytest.raises(Refused, match="on no hub"):
            house.obtainer().obtain(transfer.source.url, folder="loras")
        (outcome,) = watchman.fetch([transfer], listener=lambda _: None)
    assert outcome.state is State.VERIFIED


def test_missing_name(room: Room) -> None:
    """A name without a pin cannot be fetched: many files have it."""
    room.hub.add_model("Ink", {"ink.safetensors": INK})
    with pytest.raises(NotHere, match=r"ink\.safetensors is not in loras"):
        room.obtain("ink.safetensors")
    assert room.hub.requests == []


def test_file_that_somebody_else_brought(room: Room) -> None:
    """A file that was put there by hand is recognised by its hub's record and not fetched again."""
    model = room.hub.add_model("Ink", {"ink.safetensors": INK})
    room.put("loras/mine/ink.safetensors", INK)
    obtained = room.obtain(version_of(model))
    assert obtained.file.path == "mine/ink.safetensors"
    assert "delivery.bytes" not in room.hub.log.counts()
    assert room.find(version_of(model)) == obtained


def test_index_that_cannot_be_used(room: Room) -> None:
    """A broken index keeps nobody from loading what is here, or from fetching."""
    home = room.folder / "data"
    home.mkdir()
    with sqlite3.connect(home / "index.sqlite3") as base:
        base.execute("PRAGMA user_version = 999")
    base.close()
    room.put("loras/fog.safetensors", FOG)
    assert room.obtain("fog.safetensors", offline=True).pin is None
    model = room.hub.add_model("Ink", {"ink.safetensors": INK})
    assert room.obtain(version_of(model)).path.read_bytes() == INK


# ── fetched ──


def test_version_is_fetched(room: Room) -> None:
    """A version id brings its file, verified, with all that is needed to get it again."""
    model = room.hub.add_model("Ink", {"ink v3.safetensors": INK})
    heard: list[Progress] = []
    with room.house() as house:
        obtained = house.obtainer().obtain(version_of(model), folder="loras", listener=heard.append)
    sha = Blob.of(INK).sha256
    version = model.versions[0]
    assert obtained.path.read_bytes() == INK
    assert str(obtained.digest) == f"sha256:{sha}"
    assert (
        str(obtained.pin)
        == f"civitai:{model.id}@{version.id}+{version.files[0].id} sha256:{sha} ink v3.safetensors"
    )
    assert heard[-1].done == len(INK)


@pytest.mark.parametrize("way", ["model", "version", "page", "air"])
def test_second_time_nobody_is_asked(room: Room, way: str) -> None:
    """What was fetched is found by every way of naming it, offline."""
    model = room.hub.add_model("Ink", {"ink.safetensors": INK})
    version = model.versions[0].id
    thing = {
        "model": str(model.id),
        "version": f"v:{version}",
        "page": f"https://civitai.com/models/{model.id}/ink?modelVersionId={version}",
        "air": f"urn:air:sdxl:lora:civitai:{model.id}@{version}",
    }[way]
    first = room.obtain(f"v:{version}")
    asked = len(room.hub.requests)
    again = room.obtain(thing, offline=True)
    assert (again.path, again.pin, len(room.hub.requests)) == (first.path, first.pin, asked)


def test_repository_file(room: Room) -> None:
    """A file of Hugging Face goes where the node needs it, since that hub does not say."""
    room.hub.add_repo("owner/ink", {"style/ink a.safetensors": INK})
    obtained = room.obtain("hf:owner/ink/style/ink a.safetensors")
    assert obtained.file.path == "ink a.safetensors"
    assert str(obtained.pin).startswith("hf:owner/ink@")
    assert room.obtain("hf:owner/ink/style/ink a.safetensors", offline=True).pin == obtained.pin
    room.hub.add_repo("owner/two", {"a.safetensors": INK, "b.safetensors": FOG})
    with pytest.raises(SeveralFiles):
        room.obtain("hf:owner/two")


def test_offline(room: Room) -> None:
    """Offline, what is missing is told so."""
    with pytest.raises(NotHere, match="offline"):
        room.obtain("v:1", offline=True)


def test_stopped_fetch_leaves_a_partial(room: Room) -> None:
    """A fetch that is stopped goes on the next time where it stopped."""
    big = models.safetensors({"a": (1024, 1024)}, seed="big")
    model = room.hub.add_model("Big", {"big.safetensors": big})
    room.hub.bend("delivery.bytes", faults.slow(1 << 20))
    stop = threading.Event()

    def listen(progress: Progress) -> None:
        if progress.done > 1 << 19:
            stop.set()

    with room.house() as house, pytest.raises(Interrupted):
        house.obtainer().obtain(version_of(model), folder="loras", listener=listen, stop=stop)
    (partial,) = (room.folder / "models" / "loras").glob("big*.cwpart")
    assert partial.stat().st_size > 1 << 19
    room.hub.straighten()
    before = len(room.hub.requests)
    assert room.obtain(version_of(model)).path.read_bytes() == big
    ranges = [
        seen.request.headers.get("Range", "")
        for seen in room.hub.requests[before:]
        if seen.route == "delivery.bytes"
    ]
    assert ranges
    assert all(text.startswith("bytes=") and not text.startswith("bytes=0-") for text in ranges)


def test_two_at_once(room: Room) -> None:
    """A file that another run, or a page, is fetching is waited for and not fetched twice."""
    big = models.safetensors({"a": (512, 1024)}, seed="shared")
    model = room.hub.add_model("Big", {"big.safetensors": big})
    room.hub.bend("delivery.bytes", faults.slow(2 << 20))
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(room.obtain, version_of(model)) for _ in range(2)]
    assert len({future.result().path for future in both}) == 1
    sent = [
        seen for seen in room.hub.requests if seen.route == "delivery.bytes" and seen.request.method == "GET"
    ]
    starts = [seen.request.headers.get("Range", "bytes=0-") for seen in sent]
    assert len([start for start in starts if start.startswith("bytes=0-")]) == 1


def test_stopped_before_it_begins(room: Room) -> None:
    """A stop during the hub's answer fetches nothing."""
    model = room.hub.add_model("Ink", {"ink.safetensors": INK})
    stop = threading.Event()
    stop.set()
    with room.house() as house, pytest.raises(Interrupted):
        house.obtainer().obtain(version_of(model), folder="loras", stop=stop)
    assert room.files() == set()


# ── not given ──


@pytest.mark.parametrize(
    ("made", "error", "says"),
    [
        ({"version": {"needs_login": True}}, LoginRequired, "token set civitai"),
        ({"version": {"paid": PaidAccess(permanent=True)}}, (Refused, EarlyAccess), "page"),
        ({"mode": "Archived"}, (Refused, Withdrawn), ""),
        ({"type": "Checkpoint"}, WrongFolder, "loader for that kind"),
        ({"type": "TextualInversion"}, WrongFolder, "loader for that kind"),
    ],
)
def test_why_not(room: Room, made: dict[str, object], error: type[WatchmanError], says: str) -> None:
    """What stands in the way is told with what to do, and nothing is fetched."""
    model = room.hub.add_model("Ink", {"ink.safetensors": INK}, **made)
    with pytest.raises(error) as fault:
        room.obtain(version_of(model))
    assert says in f"{fault.value.message} {fault.value.hint}"
    assert room.files() == set()


def test_no_such_version(room: Room) -> None:
    """An id that nobody has."""
    with pytest.raises(NotFound):
        room.obtain("v:424242")


def test_wrong_kind_that_is_here(room: Room) -> None:
    """A LoRA's id in a checkpoint loader is told without asking anybody."""
    model = room.hub.add_model("Ink", {"ink.safetensors": INK})
    room.obtain(version_of(model))
    asked = len(room.hub.requests)
    with pytest.raises(WrongFolder, match="belongs to loras"):
        room.obtain(version_of(model), folder="checkpoints")
    assert len(room.hub.requests) == asked


def test_file_without_a_digest(room: Room) -> None:
    """What could not be checked is not fetched without a person."""
    file = ServedFile(id=1, name="ink.safetensors", blob=Blob.of(INK), hashes={})
    room.hub.shelf.models.append(
        ServedModel(id=7, name="Ink", type="LORA", versions=(ServedVersion(id=8, files=(file,)),))
    )
    with pytest.raises(Refused, match="no digest"):
        room.obtain("v:8")
    sha = Blob.of(INK).sha256
    assert room.obtain("v:8", pinned=f"civitai:7@8 sha256:{sha} ink.safetensors").path.read_bytes() == INK


@pytest.mark.parametrize("allowed", [False, True])
def test_pickles(room: Room, allowed: bool) -> None:
    """A pickle is neither fetched nor used unless the settings allow it."""
    room.settings(node_pickles=allowed)
    data = b"\x80\x02}q\x00."
    model = room.hub.add_model("Old", {"old.pt": data})
    room.put("loras/mine.ckpt", data)
    if allowed:
        assert room.obtain("mine.ckpt").file.path == "mine.ckpt"
        assert room.obtain(version_of(model)).path.read_bytes() == data
    else:
        for thing in ("mine.ckpt", version_of(model)):
            with pytest.raises(Refused, match="is a pickle") as fault:
                room.obtain(thing)
            assert "node_pickles" in fault.value.hint


@pytest.mark.parametrize("name", ["ink.gguf", "ink.npz", "ink.bin", "INK.PTH"])
def test_what_would_be_loaded_as_a_pickle(room: Room, name: str) -> None:
    """Whatever is not called safetensors goes to torch's reader in ComfyUI, so that it counts as a pickle."""
    room.put(f"loras/{name}", b"\x80\x02}q\x00.")
    with pytest.raises(Refused, match="pickle"):
        room.obtain(name)
    with pytest.raises(Refused, match="pickle"):
        room.find(name)


def test_damaged_download(room: Room) -> None:
    """Other bytes than the hub's record names never become the file."""
    model = room.hub.add_model("Ink", {"ink.safetensors": INK})
    room.hub.bend("delivery.bytes", faults.wrong_bytes())
    with pytest.raises(WatchmanError):
        room.obtain(version_of(model))
    assert not (room.folder / "models/loras/ink.safetensors").exists()


# ── pinned ──


def two_versions(room: Room) -> ServedModel:
    """A model whose newer release is shown first."""
    files = [
        ServedFile(id=11, name="ink.safetensors", blob=Blob.of(FOG)),
        ServedFile(id=10, name="ink.safetensors", blob=Blob.of(INK)),
    ]
    versions = tuple(ServedVersion(id=file.id * 10, files=(file,)) for file in files)
    model = ServedModel(id=5, name="Ink", type="LORA", versions=versions)
    room.hub.shelf.models.append(model)
    return model


def test_pin_decides_the_version(room: Room) -> None:
    """A model id alone is its newest version; with a pin it is the pinned one."""
    two_versions(room)
    pin = f"civitai:5@100+10 sha256:{Blob.of(INK).sha256} ink.safetensors"
    assert room.obtain("5", pinned=pin).path.read_bytes() == INK
    newest = room.obtain("v:110")
    assert newest.path.read_bytes() == FOG
    assert room.find("5") == newest
    assert room.obtain("5", pinned=pin, offline=True).path.read_bytes() == INK


def test_pin_of_another_model_is_ignored(room: Room) -> None:
    """A pin that is left over from another model changes nothing."""
    two_versions(room)
    other = f"civitai:6@100 sha256:{Blob.of(INK).sha256} fog.safetensors"
    assert room.obtain("5", pinned=other).path.read_bytes() == FOG


def test_pinned_name_is_fetched(room: Room) -> None:
    """A workflow that names a local file runs elsewhere when it carries the file's pin."""
    two_versions(room)
    pin = f"civitai:5@100+10 sha256:{Blob.of(INK).sha256} ink.safetensors"
    obtained = room.obtain("style/ink.safetensors", pinned=pin)
    assert (obtained.path.read_bytes(), obtained.name) == (INK, "ink.safetensors")
    assert str(obtained.pin) == pin
    with room.house() as house:
        pins = [house.obtainer().pin_of(thing, folder="loras", pinned=pin) for thing in ("5", "6", "what")]
    assert pins == [obtained.pin, None, None]


def test_pinned_file_under_another_name(room: Room) -> None:
    """The pinned bytes are used whatever they are called here, rather than another file of the name."""
    room.know("loras/mine/renamed.safetensors", INK)
    room.know("loras/ink.safetensors", FOG)
    pin = f"sha256:{Blob.of(INK).sha256} ink.safetensors"
    assert room.obtain("ink.safetensors", pinned=pin).name.endswith("renamed.safetensors")
    assert room.obtain("ink.safetensors").name == "ink.safetensors"
    gone = f"sha256:{'0' * 64} ink.safetensors"
    with pytest.raises(NotHere, match="its pin does not say"):
        room.obtain("ink.safetensors", pinned=gone)


def test_pinned_name_is_proven(room: Room) -> None:
    """A file of the pinned name is hashed once if nobody did; if it is another, the pinned one comes."""
    two_versions(room)
    pin = f"civitai:5@100+10 sha256:{Blob.of(INK).sha256} ink.safetensors"
    room.put("loras/mine/ink.safetensors", FOG)
    assert room.find("mine/ink.safetensors", pinned=pin) is not None, "a look asks nobody and hashes nothing"
    obtained = room.obtain("mine/ink.safetensors", pinned=pin)
    assert (obtained.path.read_bytes(), obtained.name) == (INK, "ink.safetensors")
    assert room.find("mine/ink.safetensors", pinned=pin) == obtained

    same = room.put("loras/same.safetensors", INK)
    pin = f"sha256:{Blob.of(INK).sha256} same.safetensors"
    obtained = room.obtain("same.safetensors", pinned=pin, offline=True)
    assert (obtained.path, str(obtained.digest)) == (same, f"sha256:{Blob.of(INK).sha256}")


def test_nobody_is_asked_twice(room: Room) -> None:
    """What was fetched has no other words than its record had: its hub is not asked for them again."""
    model = room.hub.add_model("Fog", {"fog.safetensors": FOG})
    obtained = room.obtain(version_of(model))
    asked = len(room.hub.requests)
    with room.house() as house:
        assert house.obtainer().summarize(obtained).words == ()
    assert len(room.hub.requests) == asked
    with room.house() as house:  # a record of other programs' may have known less
        origin = replace(obtained.origin, fetched=None) if obtained.origin else None
        house.obtainer().summarize(replace(obtained, origin=origin))
    assert len(room.hub.requests) > asked


def test_proof_is_told_and_stopped(room: Room) -> None:
    """Whoever waits for a file to be hashed sees how far it is, and can end it."""
    room.put("loras/ink.safetensors", INK)
    pinned = f"sha256:{Blob.of(INK).sha256} ink.safetensors"
    told: list[tuple[str, int]] = []
    stop = threading.Event()
    with room.house() as house:
        obtainer = house.obtainer()
        stop.set()
        with pytest.raises(Interrupted):
            obtainer.obtain("ink.safetensors", folder="loras", pinned=pinned, stop=stop)
        obtainer.obtain(
            "ink.safetensors", folder="loras", pinned=pinned, checking=lambda f, n: told.append((f.path, n))
        )
    assert told == [("ink.safetensors", len(INK))]


def test_pinned_name_without_an_origin(room: Room) -> None:
    """Where the pin says only what it contains, another file of that name is not used in its place."""
    room.put("loras/ink.safetensors", FOG)
    with pytest.raises(NotHere, match="its pin does not say"):
        room.obtain("ink.safetensors", pinned=f"sha256:{Blob.of(INK).sha256} ink.safetensors")


def test_pin_that_the_hub_contradicts(room: Room) -> None:
    """A release whose file was exchanged at the hub is not taken for the pinned one."""
    two_versions(room)
    with pytest.raises(DigestMismatch, match="no longer the file"):
        room.obtain("v:110", pinned=f"civitai:5@110+11 sha256:{'0' * 64} ink.safetensors")
    with pytest.raises(InvalidPin):
        room.obtain("5", pinned="ink")


# ── the values ──


def test_identity(room: Room) -> None:
    """It changes with the file, and not when the file's digest becomes known."""
    place = room.put("loras/ink.safetensors", INK)
    before = room.obtain("ink.safetensors")
    room.know("loras/ink.safetensors", INK)
    os.utime(place, ns=(before.file.mtime_ns, before.file.mtime_ns))
    again = room.obtain("ink.safetensors")
    assert again.identity == before.identity
    room.put("loras/ink.safetensors", FOG + b" ")
    assert room.obtain("ink.safetensors").identity != before.identity


@pytest.mark.parametrize(
    "origin",
    [
        Origin(hub="civitai", model_id="none", version_id="-1"),
        Origin(hub="huggingface", model_id="../..", file_id="a"),
        Origin(hub="huggingface", model_id="gpt2", file_id="a"),
        Origin(hub="elsewhere", model_id="1"),
    ],
)
def test_origin_that_is_none(origin: Origin) -> None:
    """What an index of somebody else's making says of an origin is no link."""
    file = LocalFile(folder="loras", path="a.sft", root="/m", size=1, mtime_ns=1)
    assert (Obtained(file=file, origin=origin).link, Obtained(file=file, origin=origin).pin) == (None, None)


@pytest.mark.parametrize("name", ["", "\0", "a\0.safetensors", "x" * 5000, "."])
def test_names_of_nothing(tmp_path: Path, name: str) -> None:
    """No name makes the look-up fail."""
    assert find_named([Root(folder="loras", path=tmp_path)], name) is None


# ── what is known ──


def test_words_of_a_file(room: Room) -> None:
    """The user's own words, else the header's, else the hub's; nothing is hashed for them."""
    path = room.put("loras/ink.safetensors", models.lora("ink"))
    with room.house(offline=True) as house:
        obtainer = house.obtainer()
        assert obtainer.describe("ink.safetensors", folder="loras").words == ()
        path.with_suffix(".json").write_text(json.dumps({"activation text": "mine,"}), encoding="utf-8")
        assert obtainer.describe("ink.safetensors", folder="loras").words == ("mine",)


def test_words_from_the_hub(room: Room) -> None:
    """A file whose origin or digest is known gets its words from the hub; offline it has none."""
    data = models.lora("plain")
    room.hub.add_model("Ink", {"i.safetensors": data}, version={"trained_words": ("ink,", "fog")})
    room.put("loras/unknown.safetensors", data)
    with room.house() as house:
        assert house.obtainer().describe("unknown.safetensors", folder="loras").words == ()
    assert room.hub.requests == []
    room.know("loras/known.safetensors", data)
    with room.house() as house:
        assert house.obtainer().describe("known.safetensors", folder="loras").words == ("ink", "fog")
    with room.house(offline=True) as house:
        assert house.obtainer().describe("known.safetensors", folder="loras").words == ()


def test_hub_that_does_not_answer(room: Room) -> None:
    """Words are not worth a failure."""
    room.know("loras/known.safetensors", models.lora("plain"))
    room.hub.bend("civitai", faults.status(400))
    room.hub.bend("huggingface", faults.status(400))
    with room.house() as house:
        assert house.obtainer().describe("known.safetensors", folder="loras").words == ()


def test_summary_of_what_is_not_here(room: Room) -> None:
    """A link is described by its hub, and nothing is fetched."""
    model = room.hub.add_model("Ink Wash", {"i.safetensors": INK}, version={"trained_words": ("ink",)})
    with room.house() as house:
        summary = house.obtainer().describe(str(model.id), folder=None)
    assert (summary.title, summary.words, summary.base_model) == ("Ink Wash · v1.0", ("ink",), "SDXL 1.0")
    assert str(model.id) in (summary.page or "")
    assert "trigger words: ink" in str(summary)
    assert room.files() == set()
    with room.house() as house, pytest.raises(NotHere):
        house.obtainer().describe("absent.safetensors", folder=None)


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("ink", "ink.safetensors"),
        ("INK v1.5", "style/Ink v1.5.safetensors"),
        (r"style\Ink v1.5", "style/Ink v1.5.safetensors"),
        ("style/ink v1.5.safetensors", "style/Ink v1.5.safetensors"),
        ("fog", None),
        ("", None),
    ],
)
def test_names_in_tags(stem: str, name: str | None) -> None:
    """A tag names a LoRA without its extension, with or without its folder."""
    names = ["old/ink.safetensors", "ink.safetensors", "style/Ink v1.5.safetensors"]
    assert find_stem(names, stem) == name
