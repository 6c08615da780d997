"""CivitAI: the contract of all hubs, and its own ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hubs.contract import CIVITAI, HUGGINGFACE, HubContract, Stand, reference
from hubs.hubapps import CivitaiApp, file, model, sha
from hubs.hubserver import Asked, Said, Server, says

from comfywatchman.air import Air, CivitaiLink
from comfywatchman.catalog import Access, Scan
from comfywatchman.digest import Digest
from comfywatchman.errors import (
    EarlyAccess,
    Gated,
    HubError,
    HubUnavailable,
    LoginRequired,
    NotFound,
    Withdrawn,
)
from comfywatchman.hubs.answers import Answers
from comfywatchman.hubs.base import SearchQuery
from comfywatchman.hubs.civitai import Civitai
from comfywatchman.hubs.patience import Patience
from comfywatchman.hubs.session import Session
from comfywatchman.resolution import Evidence

NOW = datetime(2026, 9, 1, tzinfo=UTC)
INK = model(7, "Ink Style XL", file(71, "ink_style_xl.safetensors"))


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(patience=Patience(sleep=lambda _seconds: None)) as session:
        yield session


def civitai(session: Session, url: str, token: str | None = None, answers: Answers | None = None) -> Civitai:
    return Civitai(session, endpoint=url, token=lambda: token, answers=answers, now=lambda: NOW)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server whose app a test fills with its own models."""
    with Server(CivitaiApp([INK])).running() as server:
        yield server


@pytest.fixture
def hub(server: Server, session: Session) -> Civitai:
    return civitai(session, server.url)


class TestCivitai(HubContract):
    @pytest.fixture
    def stand(self, server: Server, session: Session) -> Stand:
        server.app = CivitaiApp([INK, model(8, "Ink Other", file(81, "other_thing.safetensors"))])
        return Stand(
            server=server,
            make=lambda url, token, answers: civitai(session, url, token, answers),
            name="ink_style_xl.safetensors",
            folder="loras",
            sha256=sha("71"),
            size=228588904,
            link=CivitaiLink(model_id=7, version_id=100_007, file_id=71),
            url="https://civitai.red/models/7/ink?modelVersionId=100007",
            absent=CIVITAI,
            foreign=HUGGINGFACE,
            text="ink",
        )


# ── records ──


def test_facts(hub: Civitai, server: Server) -> None:
    """A file carries all that tells it from its siblings; its URL names version and file id."""
    (found,) = hub.open(CivitaiLink(model_id=7))

    assert found.url == f"{server.url}/api/download/models/100007?fileId=71"
    assert found.page == f"{server.url}/models/7?modelVersionId=100007"
    assert found.size == round(223231.3515625 * 1024)
    assert found.air == Air(ecosystem="sdxl", type="lora", source="civitai", id="7", version="100007")
    assert (found.folder, found.precision, found.scan) == ("loras", "fp16", Scan.PASSED)
    assert found.trigger_words == ("ink style", "<lora:ink:1>")
    assert found.licence == (
        "commercial use: Image, RentCivit; no credit required; derivatives allowed; "
        "same licence for derivatives"
    )
    assert (found.uploader, found.downloads, found.base_model) == ("somebody", 107, "SDXL 1.0")
    assert [d.algorithm for d in found.digests] == ["sha256", "autov2", "autov3"]


def test_model_for_people(hub: Civitai) -> None:
    """A search result has its description as plain text."""
    (found,) = hub.search(SearchQuery(text="ink"))

    assert found.description == "An ink style.\nTwo lines"
    assert [v.name for v in found.versions] == ["v1.0"]


PAST, FUTURE = "2026-08-23T20:55:59.248Z", "2026-09-23T20:55:59.248Z"


@pytest.mark.parametrize(
    ("version", "access"),
    [
        ({}, Access.OPEN),
        ({"paidAccess": {"permanent": False, "endsAt": FUTURE}}, Access.EARLY),
        ({"paidAccess": {"permanent": False, "endsAt": PAST}}, Access.OPEN),
        ({"paidAccess": {"permanent": True, "endsAt": None}}, Access.EARLY),
        ({"paidAccess": {"permanent": False, "endsAt": None}}, Access.EARLY),
        ({"earlyAccessDeadline": FUTURE}, Access.EARLY),
        ({"availability": "EarlyAccess"}, Access.EARLY),
        ({"availability": "EarlyAccess", "earlyAccessEndsAt": PAST, "earlyAccessConfig": {}}, Access.OPEN),
        ({"earlyAccessEndsAt": FUTURE}, Access.EARLY),
        ({"earlyAccessTimeFrame": 30}, Access.EARLY),
        ({"earlyAccessTimeFrame": 3}, Access.OPEN),
        ({"earlyAccessTimeFrame": 3, "publishedAt": "2026-08-31T00:00:00"}, Access.EARLY),
        ({"usageControl": "Generation"}, Access.WITHDRAWN),
        ({"usageControl": "Download"}, Access.OPEN),
        ({"status": "UnpublishedViolation"}, Access.WITHDRAWN),
        ({"availability": "Private"}, Access.GATED),
        ({"requireAuth": True}, Access.LOGIN),
    ],
    ids=str,
)
def test_access(hub: Civitai, server: Server, version: dict[str, Any], access: Access) -> None:
    """Every generation's way to say what a file asks for is understood."""
    server.app = CivitaiApp([model(7, "Ink", file(71, "ink.safetensors"), version=version)])
    assert hub.open(CivitaiLink(version_id=100_007))[0].access is access
    assert hub.open(CivitaiLink(model_id=7))[0].access is access


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"mode": "Archived", "modelVersions": []}, Withdrawn),
        ({"version": {"files": [], "paidAccess": {"permanent": True}}}, EarlyAccess),
        ({"version": {"files": []}}, NotFound),
        ({"modelVersions": None}, NotFound),
    ],
)
def test_no_files(hub: Civitai, server: Server, changes: dict[str, Any], error: type[Exception]) -> None:
    """Where a model shows no files, the reason is the error."""
    server.app = CivitaiApp([model(7, "Ink", **changes)])
    with pytest.raises(error):
        hub.open(CivitaiLink(model_id=7))


@pytest.mark.parametrize(
    ("model_type", "changes", "folder"),
    [
        ("LORA", {}, "loras"),
        ("DoRA", {}, "loras"),
        ("Checkpoint", {}, "checkpoints"),
        ("Checkpoint", {"type": "Pruned Model"}, "checkpoints"),
        ("Checkpoint", {"type": "VAE"}, "vae"),
        ("Checkpoint", {"type": "Diffusion Model"}, "diffusion_models"),
        ("Checkpoint", {"type": "Text Encoder"}, "text_encoders"),
        ("Checkpoint", {"metadata": {"format": "GGUF", "quantType": "Q4_K_M"}}, "diffusion_models"),
        ("TextualInversion", {"type": "Negative"}, "embeddings"),
        ("Upscaler", {}, "upscale_models"),
        ("Workflows", {}, None),
        (None, {"metadata": 7}, None),
    ],
)
def test_folder(
    hub: Civitai, server: Server, model_type: str | None, changes: dict[str, Any], folder: str | None
) -> None:
    """What a file says of its kind beats what its model says."""
    server.app = CivitaiApp([model(7, "Ink", file(71, "ink.safetensors", **changes), type=model_type)])
    assert hub.open(CivitaiLink(model_id=7))[0].folder == folder


def test_only_weights(hub: Civitai, server: Server) -> None:
    """Configs, archives and training sets are no weight files; the primary file is the first."""
    files = [
        file(1, "a.yaml", type="Config"),
        file(2, "b.zip", type="Training Data"),
        file(3, "c.txt", type="Other"),
        file(4, "d.safetensors"),
        file(5, "e.safetensors", primary=True),
        file(6, "f.vae.pt", type="VAE", downloadUrl="https://civitai.com/api/download/models/9?type=VAE"),
    ]
    server.app = CivitaiApp([model(7, "Ink", *files)])
    found = hub.open(CivitaiLink(version_id=100_007))

    assert [f.name for f in found] == ["e.safetensors", "d.safetensors", "f.vae.pt"]
    assert found[2].url.endswith("/100007?type=VAE")


def test_junk_in_a_record(hub: Civitai, server: Server) -> None:
    """A field that cannot be read is not known; what the site gives in place of an AIR is made from facts."""
    junk = file(
        71, "ink.pt", hashes={"SHA256": "?", "AutoV2": None, "X": "1"}, sizeKB="9", virusScanResult="Danger"
    )
    server.app = CivitaiApp([model(7, "Ink", junk, version={"air": "no AIR"}, creator={"username": 123})])
    (found,) = hub.open(CivitaiLink(model_id=7))

    assert (found.digests, found.size, found.scan, found.uploader) == ((), None, Scan.FAILED, "123")
    assert str(found.air) == "urn:air:sdxl:lora:civitai:7@100007"


@pytest.mark.parametrize(
    "link",
    [
        CivitaiLink(version_id=5),
        CivitaiLink(model_id=7, version_id=100_008),
        CivitaiLink(model_id=7, version_id=5),
        CivitaiLink(version_id=100_007, file_id=5),
    ],
)
def test_open_wrong_ids(hub: Civitai, server: Server, link: CivitaiLink) -> None:
    """Ids that do not belong together open nothing."""
    server.app = CivitaiApp([INK, model(8, "B", file(81, "b.safetensors"))])
    with pytest.raises(NotFound):
        hub.open(link)


def test_unlisted_version(hub: Civitai, server: Server) -> None:
    """A version that its model's record leaves out is asked for by itself and keeps the model's facts."""
    app = CivitaiApp([INK])
    whole = {**INK, "modelVersions": []}
    server.app = lambda asked: says(whole) if asked.path == "/api/v1/models/7" else app(asked)

    assert hub.open(CivitaiLink(model_id=7, version_id=100_007))[0].uploader == "somebody"


# ── digests ──


def test_fifty_digests(hub: Civitai, server: Server) -> None:
    """Fifty missing models known by digest cost at most five requests; they are certain."""
    server.app = CivitaiApp(
        [model(n, f"Model {n}", file(1000 + n, f"m{n}.safetensors")) for n in range(1, 51)]
    )
    digests = [Digest.sha256(sha(str(1000 + n))) for n in range(1, 51)]
    digests = [Digest.sha256(sha(str(1000 + n))) for n in range(1, 51)]
    wanted = [reference(f"renamed{n}.safetensors", digest=digest) for n, digest in enumerate(digests)]

    answers = hub.find(wanted)

    assert len(server.asked) == 3
    assert [a[0].evidence for a in answers if isinstance(a, tuple)] == [Evidence.DIGEST] * 50
    names = [a[0].file.name for a in answers if isinstance(a, tuple)]
    assert names == [f"m{n}.safetensors" for n in range(1, 51)]


def test_fifty_hidden_digests(hub: Civitai, server: Server) -> None:
    """Models that listings hide are still found by digest within the five requests."""
    models = [model(n, f"Model {n}", file(1000 + n, f"m{n}.safetensors")) for n in range(1, 51)]
    server.app = CivitaiApp(models, hidden=set(range(1, 51, 2)))
    answers = hub.find([reference("x.pt", digest=Digest.sha256(sha(str(1000 + n)))) for n in range(1, 51)])

    assert len(server.asked) == 4
    assert all(answers)


def test_unknown_digest(hub: Civitai, server: Server) -> None:
    """A SHA-256 the site does not have is not looked for by name, for a file of that name is another one."""
    assert hub.find([reference("ink_style_xl.safetensors", digest=Digest.sha256("0" * 64))]) == [()]
    assert server.paths == ["/api/v1/model-versions/by-hash/ids"]


@pytest.mark.parametrize(
    ("digest", "evidence"),
    [
        (Digest("autov2", sha("71")[:10]), Evidence.DIGEST),
        (Digest("autov3", sha("weights 71")[:12]), Evidence.NAME),
        (Digest("autov3", sha("weights 71")), Evidence.NAME),
    ],
    ids=str,
)
def test_short_digests(hub: Civitai, digest: Digest, evidence: Evidence) -> None:
    """Other digests are looked up one by one; those that do not tell files apart count less."""
    (answer,) = hub.find([reference("x.safetensors", digest=digest)])

    assert isinstance(answer, tuple)
    assert [c.evidence for c in answer] == [evidence]
    assert [f.name for f in hub.identify(digest)] == ["ink_style_xl.safetensors"]


def test_identify(hub: Civitai) -> None:
    """A SHA-256 identifies a file with all its model's facts; an unknown short one does not."""
    assert [f.uploader for f in hub.identify(Digest.sha256(sha("71")))] == ["somebody"]
    assert hub.identify(Digest("autov1", "00000000")) == ()


@pytest.mark.parametrize(
    "rows",
    [[None, 7, {"hash": sha("71")}], [{"modelId": 7, "modelVersionId": -1, "hash": sha("71")}], []],
)
def test_bulk_junk(hub: Civitai, server: Server, rows: list[object]) -> None:
    """Rows of a bulk answer that say nothing are passed over."""
    server.app = lambda _asked: says(rows)
    assert hub.find([reference("x.pt", digest=Digest.sha256(sha("71")))]) == [()]


# ── names ──


def test_similar_names(hub: Civitai, server: Server) -> None:
    """Without an exact name, a like file name or the work's own name is offered as similar."""
    server.app = CivitaiApp([INK, model(8, "Blue Ink", file(81, "zz9.safetensors", metadata={"fp": "fp8"}))])
    first, second = hub.find([reference("ink_style_xl_fp8.safetensors"), reference("blueInk.safetensors")])

    for answer, name in ((first, "ink_style_xl.safetensors"), (second, "zz9.safetensors")):
        assert isinstance(answer, tuple)
        assert [(c.file.name, c.evidence) for c in answer] == [(name, Evidence.SIMILAR_NAME)]


def test_name_of_another_kind(hub: Civitai) -> None:
    """A LoRA is no checkpoint, whatever its name."""
    wanted = reference("ink_style_xl.safetensors", "checkpoints")
    assert hub.find([wanted]) == [()]
    assert hub.find([replace(wanted, folder="some_pack_loras")])[0]


def test_name_without_extension(hub: Civitai, server: Server) -> None:
    """An embedding is named without extension in a prompt; the uploader's own name counts too."""
    files = [file(71, "easynegative.safetensors"), file(72, "x.pt", overrideName="EasyNegative.pt")]
    server.app = CivitaiApp([model(7, "EasyNegative", *files, type="TextualInversion")])
    (answer,) = hub.find([reference("easynegative", "embeddings")])

    assert isinstance(answer, tuple)
    assert [c.file.id for c in answer if c.evidence is Evidence.NAME] == ["71", "72"]


def test_re_upload(hub: Civitai, server: Server) -> None:
    """The same bytes uploaded twice are one candidate, the more loaded one's; other bytes are another."""
    twice = {"hashes": {"SHA256": sha("same").upper()}}
    app = CivitaiApp([model(n, "Ink", file(70 + n, "ink.safetensors", **twice)) for n in (1, 2)])
    app.models.append(model(3, "Ink", file(73, "ink.safetensors", hashes=None)))
    server.app = app
    (answer,) = hub.find([reference("ink.safetensors")])

    assert isinstance(answer, tuple)
    assert [c.file.id for c in answer] == ["73", "72"]


def test_search_cost(hub: Civitai, server: Server) -> None:
    """A name nobody has costs two searches, shared by all references with its stem."""
    hub.find([reference(f"Zz_Nowhere_v2.{ending}") for ending in ("safetensors", "ckpt", "pt")])
    assert [asked.value("query") for asked in server.asked] == ["Zz Nowhere v2", "Zz_Nowhere_v2"]
    assert {asked.value("nsfw") for asked in server.asked} == {"true"}


def test_unsearchable_name(hub: Civitai, server: Server) -> None:
    """A name with nothing to search for costs nothing; lone surrogates do not break a question."""
    assert hub.find([reference("___"), reference("\ud800ink\udfff.safetensors")]) == [(), ()]
    assert len(server.asked) <= 2


# ── links ──


def test_many_links(hub: Civitai, server: Server) -> None:
    """Embedded model links are opened together."""
    server.app = CivitaiApp([model(n, f"M{n}", file(70 + n, f"m{n}.safetensors")) for n in range(1, 21)])
    link = "https://civitai.com/models/{0}?modelVersionId={1}".format
    answers = hub.find([reference(f"m{n}.pt", url=link(n, 100_000 + n)) for n in range(1, 21)])

    assert len(server.asked) == 1
    assert all(isinstance(a, tuple) and a[0].evidence is Evidence.URL for a in answers)


def test_link_to_a_work(hub: Civitai) -> None:
    """A link that names no version is no evidence for a file, unless the file has the name."""
    url = "https://civitai.com/models/7"
    first, second = hub.find([reference("ink_style_xl.safetensors", url=url), reference("a.pt", url=url)])

    assert isinstance(first, tuple)
    assert isinstance(second, tuple)
    assert [c.evidence for c in first] == [Evidence.URL]
    assert [c.evidence for c in second] == [Evidence.SIMILAR_NAME]


def test_link_to_the_endpoint(hub: Civitai, server: Server) -> None:
    """A link to the configured endpoint means what it would on the site."""
    url = f"{server.url}/api/download/models/100007?fileId=71"
    (answer,) = hub.find([reference("a.pt", url=url)])

    assert isinstance(answer, tuple)
    assert answer[0].file.url == url


def test_one_fault_among_many(hub: Civitai, server: Server) -> None:
    """What goes wrong for one reference leaves the others' answers alone."""
    app = CivitaiApp([INK])

    def broken(asked: Asked) -> Said:
        return says({}, 500) if asked.path.endswith("/5") else app(asked)

    server.app = broken
    bad = reference("zz.pt", url="https://civitai.com/api/download/models/5")
    first, second = hub.find([bad, reference("ink_style_xl.safetensors")])

    assert isinstance(first, HubUnavailable)
    assert second


# ── browsing ──


def test_browse(hub: Civitai, server: Server) -> None:
    """A query becomes the site's parameters; what its text search does not sort or hide is done here."""
    server.app = CivitaiApp([
        model(1, "Ink A", stats={"downloadCount": 5}),
        model(2, "Ink B", stats={"downloadCount": 50}),
        model(3, "Ink C", nsfw=True),
        model(0, "Ink D"),
    ])  # fmt: skip
    query = SearchQuery(text="ink", type="loras", base_model="Flux.1 D", sort="downloads", limit=5)

    assert [m.name for m in hub.search(query)] == ["Ink B", "Ink A"]
    assert [m.name for m in hub.search(replace(query, nsfw=True, type="Checkpoint"))] == [
        "Ink B",
        "Ink C",
        "Ink A",
    ]
    asked = server.asked[0].query
    assert ("types", "LORA") in asked
    assert ("types", "LoCon") in asked
    assert ("baseModels", "Flux.1 D") in asked
    assert ("sort", "Most Downloaded") in asked
    assert server.asked[1].value("nsfw") == "true"
    assert server.asked[1].value("types") == "Checkpoint"


@pytest.mark.parametrize(
    ("status", "error"), [(400, HubUnavailable), (401, LoginRequired), (403, Gated), (410, Withdrawn)]
)
def test_refusals(hub: Civitai, server: Server, status: int, error: type[HubError]) -> None:
    """A status is what decides; the site's own words are told on one line."""
    server.app = lambda _asked: says({"error": {"message": "no\n\x1b[31m" + "x" * 500}}, status)
    (answer,) = hub.find([reference("ink.safetensors")])

    assert isinstance(answer, error)
    assert "\n" not in str(answer)
    assert len(str(answer)) < 300
