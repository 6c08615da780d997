"""Recorded answers of both hubs, replayed through the clients; and the same, broken in every way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hubs.contract import reference
from hubs.hubapps import CivitaiApp, HuggingFaceApp, file, model, repo
from hubs.hubserver import App, Asked, Said, Server, says
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comfywatchman.air import CivitaiLink, HuggingFaceLink, parse_air
from comfywatchman.catalog import Access
from comfywatchman.decode import Value
from comfywatchman.digest import Digest
from comfywatchman.errors import HubError
from comfywatchman.hubs.base import Hub, SearchQuery
from comfywatchman.hubs.civitai import Civitai
from comfywatchman.hubs.civitai.records import Site, records_of_model
from comfywatchman.hubs.civitai.terms import access_of
from comfywatchman.hubs.huggingface import HuggingFace
from comfywatchman.hubs.huggingface.api import Ways
from comfywatchman.hubs.huggingface.records import file_of, repo_of
from comfywatchman.hubs.patience import Patience
from comfywatchman.hubs.session import Session
from comfywatchman.resolution import Candidate

QUIET = Patience(sleep=lambda _seconds: None)
NOW = datetime(2026, 8, 12, tzinfo=UTC)
NO_WEIGHTS = ("Training Data", "Config", "Archive")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(lambda _asked: says({})).running() as server:
        yield server


@pytest.fixture(scope="module")
def civitai(server: Server) -> Iterator[Civitai]:
    with Session(patience=QUIET) as session:
        yield Civitai(session, endpoint=server.url, token=lambda: None, now=lambda: NOW)


@pytest.fixture(scope="module")
def huggingface(server: Server) -> HuggingFace:
    return HuggingFace(endpoint=server.url, token=lambda: None, authors=("a",), ways=Ways(patience=QUIET))


def recorded_models(data: Path) -> list[dict[str, Any]]:
    """Every recorded CivitAI model of 2023 to 2026."""
    hubs = data / "hubs" / "civitai"
    models = [json.loads(path.read_text()) for path in sorted((hubs / "models_2023-07").glob("*.json"))]
    models += [json.loads((hubs / "modern" / f"{name}.json").read_text()) for name in ("model_215485",)]
    models += [json.loads((hubs / "modern" / "model_2833924_2026-08.json").read_text())]
    models += json.loads((hubs / "modern" / "list_models_2024-08_checkpoint_top3.json").read_text())["items"]
    models += json.loads((hubs / "modern" / "list_models_2024_comflowy.json").read_text())["data"]["items"]
    return models


def test_recorded_models(shared_data: Path, server: Server, civitai: Civitai) -> None:
    """Every recorded model opens; each weight file has its size, digests, address and folder."""
    models = recorded_models(shared_data)
    server.app = CivitaiApp(models)
    checked = 0
    for record in models:
        records = records_of_model(Value(record), Site(server.url, NOW))
        for version in record["modelVersions"]:
            wanted = [f for f in version["files"] if f["type"] not in NO_WEIGHTS]
            assert {r.file.id for r in records[version["id"]]} <= {str(f["id"]) for f in wanted}
            for one in records[version["id"]]:
                raw = next(f for f in wanted if str(f["id"]) == one.file.id)
                checked += 1
                assert one.file.size == round(raw["sizeKB"] * 1024)
                assert abs(one.file.size - raw["sizeKB"] * 1024) < 0.001
                assert one.file.name == raw["name"]
                assert {d.algorithm.lower() for d in one.file.digests} == {h.lower() for h in raw["hashes"]}
                assert one.file.digest("sha256") == Digest.sha256(raw["hashes"]["SHA256"])
                assert one.file.url.endswith(f"/{version['id']}?fileId={raw['id']}")
                assert one.file.folder is not None
                assert one.file.access in (Access.OPEN, Access.WITHDRAWN)
                assert one.file.base_model == version["baseModel"]
                assert one.file.licence
    assert checked > 200
    assert civitai.open(CivitaiLink(model_id=215485))[0].digests


def test_recorded_search(shared_data: Path, server: Server, civitai: Civitai) -> None:
    """Every recorded model can be browsed, and its files found by name."""
    models = recorded_models(shared_data)
    server.app = lambda _asked: says({"items": models})
    found = civitai.search(SearchQuery(text="", nsfw=True, limit=100))
    assert len(found) == 100

    wanted = models[-1]["modelVersions"][0]["files"][0]
    (answer,) = civitai.find([reference(wanted["name"], "checkpoints")])
    assert isinstance(answer, tuple)
    assert str(wanted["id"]) in {c.file.id for c in answer}


def test_recorded_version(shared_data: Path, server: Server, civitai: Civitai) -> None:
    """The recorded version of 2024 opens with the AIR that the site gave it."""
    path = shared_data / "hubs/civitai/modern/model_version_byhash_1050496_2024-11.json"
    record = json.loads(path.read_text())
    server.app = lambda _asked: says(record)
    (found,) = civitai.open(CivitaiLink(version_id=1050496))

    assert found.air == parse_air(record["air"])
    assert found.size == 167938.8828125 * 1024
    assert found.model_name == "Realistic/Aesthetic Poses FluxDev"
    assert (found.folder, found.access, found.trigger_words) == (
        "loras",
        Access.OPEN,
        ("aesthetic_pos3", "dynamic_pos3"),
    )


@pytest.mark.parametrize(("day", "access"), [(12, Access.EARLY), (24, Access.OPEN)])
def test_recorded_early_access(shared_data: Path, day: int, access: Access) -> None:
    """The recorded version of August 2026 is early access until the day it says."""
    path = shared_data / "hubs/civitai/modern/version_earlyaccess_3220184_2026-08.json"
    version = Value(json.loads(path.read_text()))
    assert access_of(version, Value(None), datetime(2026, 8, day, tzinfo=UTC)) is access


def test_recorded_repositories(shared_data: Path, server: Server, huggingface: HuggingFace) -> None:
    """The recorded repositories open; SHA-256 and size are those of the large files."""
    for path in sorted((shared_data / "hubs" / "hf").glob("model_info_*.json")):
        record = json.loads(path.read_text())
        server.app = _replay(record)
        opened = huggingface.open(HuggingFaceLink(repo=record["id"]))
        large = {s["rfilename"]: s["lfs"] for s in record["siblings"] if "lfs" in s}
        assert opened
        for found in opened:
            raw = large[(found.id or "").removeprefix(f"{record['id']}/")]
            assert (found.size, found.digests) == (raw["size"], (Digest.sha256(raw["sha256"]),))
            assert found.revision == record["sha"]


def _replay(record: dict[str, Any]) -> Any:
    """A repository with its blobs, whose paths-info is made from its siblings."""

    def app(asked: Asked) -> Said:
        if asked.method == "GET":
            return says(record)
        return says([_entry(s) for s in record["siblings"]])

    return app


def _entry(sibling: dict[str, Any]) -> dict[str, Any]:
    entry = {"type": "file", "path": sibling["rfilename"], "size": sibling["size"], "oid": sibling["blobId"]}
    if "lfs" in sibling:
        entry["lfs"] = {"oid": sibling["lfs"]["sha256"], "size": sibling["lfs"]["size"], "pointerSize": 135}
    return entry


def test_recorded_tree(shared_data: Path) -> None:
    """A git file's 40-digit id is no digest; a large file's 64 digits are."""
    tree = json.loads(
        (shared_data / "hubs/hf/tree_google-bert_bert-base-uncased_dd4bc8b2_plain.json").read_text()
    )
    repository = repo_of(Value({"id": "google-bert/bert-base-uncased", "sha": "dd4bc8b2" * 5}))
    assert repository is not None
    files = {e["path"]: file_of(repository, e["path"], Value(e), "https://huggingface.co") for e in tree}

    assert files["vocab.txt"].digests == ()
    assert files["pytorch_model.bin"].size == 440473133
    assert str(files["pytorch_model.bin"].digests[0]).startswith("sha256:097417381d6c")


# ── the same, broken ──

JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**64, -1, 10**400, 1e308, 0.5]),
    st.text(max_size=8),
    st.sampled_from(["../../etc/passwd", "CON", "a\x00b", "\ud800", "<script>", "9" * 5000, "x" * 3000]),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=4), st.none(), max_size=2),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside a JSON value."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(place for key, sub in inner for place in places(sub, (*path, key)))]


# Which value, whether it goes away, and what else takes its place.
EDITS = st.lists(st.tuples(st.integers(0, 10_000), st.booleans(), JUNK), min_size=1, max_size=4)
Edits = list[tuple[int, bool, Any]]


def broken(edits: Edits, value: Any) -> Any:
    """A copy with some of its values exchanged for junk or taken away."""
    holder = [deepcopy(value)]
    for number, goes, junk in edits:
        inside = places(holder)[1:]
        *way, last = inside[number % len(inside)]
        parent: Any = holder
        for key in way:
            parent = parent[key]
        if goes and way:
            del parent[last]
        else:
            parent[last] = deepcopy(junk)
    return holder[0]


def breaking(edits: Edits, app: App) -> App:
    """An app whose good answers are broken."""

    def answer(asked: Asked) -> Said:
        good = app(asked)
        return good if good.status != 200 else says(broken(edits, json.loads(good.body)))

    return answer


def check(hub: Hub, link: CivitaiLink | HuggingFaceLink, references: list[Any]) -> None:
    """Whatever was answered, the hub gives results or a hub's error."""
    for ask in (lambda: hub.open(link), lambda: hub.search(SearchQuery(text="ink", nsfw=True))):
        with suppress(HubError):
            assert isinstance(ask(), tuple)
    for answer in hub.find(references):
        assert isinstance(answer, HubError) or all(isinstance(c, Candidate) for c in answer)


COMMON = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@COMMON
@given(edits=EDITS)
def test_broken_civitai(edits: Edits, server: Server, civitai: Civitai) -> None:
    """CivitAI's answers, broken anywhere, never raise anything but a hub's error."""
    app = CivitaiApp([model(7, "Ink", file(71, "ink.safetensors"), file(72, "ink.vae.pt", type="VAE"))])
    server.app = breaking(edits, app)
    digest = Digest.sha256(app.models[0]["modelVersions"][0]["files"][0]["hashes"]["SHA256"])
    wanted = [
        reference("ink.safetensors"),
        reference("x.pt", digest=digest),
        reference("y.pt", digest=Digest("autov2", digest.hex[:10])),
        reference("z.pt", url="https://civitai.com/api/download/models/100007"),
    ]
    check(civitai, CivitaiLink(model_id=7, version_id=100_007), wanted)


@COMMON
@given(edits=EDITS)
def test_broken_huggingface(edits: Edits, server: Server, huggingface: HuggingFace) -> None:
    """Hugging Face's answers, broken anywhere, never raise anything but a hub's error."""
    server.app = breaking(edits, HuggingFaceApp([repo("a/b", "vae/ink.safetensors", "README.md")]))
    url = "https://huggingface.co/a/b/resolve/main/vae/ink.safetensors"
    wanted = [reference("ink.safetensors", "vae"), reference("x.pt", "vae", url=url)]
    check(huggingface, HuggingFaceLink(repo="a/b", path="vae/ink.safetensors"), wanted)
