"""The CivitAI half of the test server, asked by plain requests."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from fakehub import faults
from fakehub.server import FakeHub, blob_of

from comfywatchman.demo.shelf import PaidAccess, ServedFile, ServedModel, ServedVersion
from comfywatchman.demo.wire import html_answer

DATA = b"weights" * 1000
SHA256 = blob_of(DATA).sha256
_BREAKING = '"\r\n'


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["User-Agent"] = "tests/1"
        yield session


def get(
    session: requests.Session, hub: FakeHub, path: str, method: str = "GET", **options: Any
) -> requests.Response:
    return session.request(method, hub.civitai_endpoint + path, timeout=5, **options)


def version_id(model: ServedModel) -> int:
    return model.versions[0].id


def test_download(fakehub, session):
    """A download is a 307 to another host, which gives the bytes under the file's name."""
    model = fakehub.add_model("Ink", {"ink.safetensors": DATA})
    hop = get(session, fakehub, f"/api/download/models/{version_id(model)}", allow_redirects=False)
    assert hop.status_code == 307
    assert not hop.headers["Location"].startswith(fakehub.civitai_endpoint)
    answer = session.get(hop.headers["Location"], timeout=5)
    assert answer.content == DATA
    assert answer.headers["Content-Disposition"] == 'attachment; filename="ink.safetensors"'


def test_token_at_the_second_host(fakehub, session):
    """The second host refuses a request with any Authorization, and the log keeps the header."""
    model = fakehub.add_model("Ink", {"ink.safetensors": DATA})
    hop = get(session, fakehub, f"/api/download/models/{version_id(model)}", allow_redirects=False)
    answer = session.get(hop.headers["Location"], headers={"Authorization": "Bearer x"}, timeout=5)
    assert answer.status_code == 400
    assert "InvalidRequest" in answer.text
    assert [one.request.headers["Authorization"] for one in fakehub.log.of("delivery")] == ["Bearer x"]


@pytest.mark.parametrize(
    "name", ["仿ヒト.safetensors", "naïve ink.safetensors", 'a"b\r\nX-Evil: 1.safetensors']
)
def test_names_in_headers(fakehub, session, name):
    """A name in any script arrives as UTF-8 in the disposition; one that would break the header cannot."""
    model = fakehub.add_model("Ink", {name: DATA})
    answer = get(session, fakehub, f"/api/download/models/{version_id(model)}")
    told = answer.headers["Content-Disposition"].encode("latin-1").decode()
    assert told == f'attachment; filename="{name.translate(dict.fromkeys(map(ord, _BREAKING), "_"))}"'
    assert "X-Evil" not in answer.headers


def test_expired_address(fakehub, session):
    """A signed address is forgotten; asking again gives a new one."""
    model = fakehub.add_model("Ink", {"ink.safetensors": DATA})
    place = f"/api/download/models/{version_id(model)}"
    old = get(session, fakehub, place, allow_redirects=False).headers["Location"]
    fakehub.delivery.expire()
    assert session.get(old, timeout=5).status_code == 403
    assert get(session, fakehub, place).content == DATA


@pytest.mark.parametrize(
    ("version", "model", "status", "error"),
    [
        ({"needs_login": True}, {}, 401, "Unauthorized"),
        ({"usage_control": "Generation"}, {}, 401, "Unauthorized"),
        ({"paid": PaidAccess(ends_at="2199-01-01T00:00:00.000Z")}, {}, 403, "Early Access"),
        ({"paid": PaidAccess(permanent=True)}, {}, 403, "Early Access"),
        ({"paid": PaidAccess()}, {}, 403, "Early Access"),
        ({"paid": PaidAccess(ends_at="2020-01-01T00:00:00.000Z")}, {}, 200, None),
        ({"status": "Unpublished"}, {}, 404, "File not found"),
        ({}, {"mode": "Archived"}, 410, "Model archived, not available for download"),
    ],
)
def test_refusals(fakehub, session, version, model, status, error):
    """Each gate answers a stranger with its own status and words."""
    served = fakehub.add_model("Ink", {"ink.safetensors": DATA}, version=version, **model)
    answer = get(session, fakehub, f"/api/download/models/{version_id(served)}")
    assert answer.status_code == status
    assert error is None or answer.json()["error"] == error


def test_tokens(fakehub, session):
    """A token opens what it was granted; an invalid one is an anonymous visitor, but not to /me."""
    login = fakehub.add_model("A", {"a.safetensors": DATA}, version={"needs_login": True})
    paid = fakehub.add_model("B", {"b.safetensors": b"b" * 99}, version={"paid": PaidAccess(permanent=True)})
    buyer = fakehub.add_account("buyer", version_id(paid))

    def status(path: str, token: str) -> int:
        return get(session, fakehub, path, headers={"Authorization": f"Bearer {token}"}).status_code

    for model in (login, paid):
        path = f"/api/download/models/{version_id(model)}"
        assert status(path, buyer.token) == 200
        assert status(path, "wrong") in (401, 403)
        assert get(session, fakehub, f"{path}?token={buyer.token}").status_code == 200
    assert status("/api/v1/models", "wrong") == 200
    assert status("/api/v1/me", "wrong") == 401
    assert status("/api/v1/me", buyer.token) == 200


def test_browsers(fakehub, session):
    """A browser is led to a login page with status 200 under the model's address."""
    model = fakehub.add_model("Ink", {"ink.safetensors": DATA}, version={"needs_login": True})
    place = f"/api/download/models/{version_id(model)}"
    answer = get(session, fakehub, place, headers={"User-Agent": "Mozilla/5.0"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    paid = fakehub.add_model("Ink", {"i.safetensors": b"x"}, version={"paid": PaidAccess(permanent=True)})
    place = f"/api/download/models/{version_id(paid)}"
    assert "html" in get(session, fakehub, place, headers={"User-Agent": "Mozilla/5.0"}).text


@pytest.mark.parametrize("head", [401, 307, 405])
def test_head(fakehub, session, head):
    """HEAD on a download is refused, redirected, or not known, by habit; GET works with all three."""
    fakehub.habits.head = head
    model = fakehub.add_model("Ink", {"ink.safetensors": DATA})
    place = f"/api/download/models/{version_id(model)}"
    assert get(session, fakehub, place, method="HEAD", allow_redirects=False).status_code == head
    assert get(session, fakehub, place).content == DATA


def test_download_url_generations(fakehub, session):
    """Addresses name the file by id today; until August 2026 by nothing or by its metadata; both work."""
    files = tuple(
        ServedFile(id=10 + number, name=f"{fp}.safetensors", blob=blob_of(fp.encode()), fp=fp, size="full")
        for number, fp in enumerate(("fp16", "fp32"))
    )
    version = ServedVersion(id=7, files=files)
    fakehub.shelf.models.append(ServedModel(id=5, name="Two", versions=(version,)))
    for habit, ends in (
        ("file-id", ["?fileId=10", "?fileId=11"]),
        ("query", ["/7", "?type=Model&format=SafeTensor&size=full&fp=fp32"]),
    ):
        fakehub.habits.download_url = habit
        told = get(session, fakehub, "/api/v1/model-versions/7").json()["files"]
        assert [file["downloadUrl"].endswith(end) for file, end in zip(told, ends, strict=True)] == [
            True,
            True,
        ]
        assert [session.get(file["downloadUrl"], timeout=5).content for file in told] == [b"fp16", b"fp32"]
    assert get(session, fakehub, "/api/download/models/7?fileId=99").status_code == 404


def test_host_of_addresses(fakehub, session):
    """Addresses in answers are on the host the request was sent to."""
    model = fakehub.add_model("Ink", {"ink.safetensors": DATA})
    for path in (f"/api/v1/models/{model.id}", f"/api/v1/model-versions/{version_id(model)}"):
        told = get(session, fakehub, path, headers={"Host": "civitai.red"}).json()
        version = told["modelVersions"][0] if "modelVersions" in told else told
        assert version["files"][0]["downloadUrl"].startswith("http://civitai.red/api/download/models/")


def test_by_hash(fakehub, session):
    """Any hash finds the oldest version, in any case; a miss is 404."""
    newer = {"published_at": "2026-09-01T00:00:00.000Z"}
    fakehub.add_model("Newer", {"b.safetensors": DATA}, version=newer)
    older = fakehub.add_model("Older", {"a.safetensors": DATA})
    for value in blob_of(DATA).hashes.values():
        for written in (value, value.lower()):
            answer = get(session, fakehub, f"/api/v1/model-versions/by-hash/{written}")
            assert answer.json()["modelId"] == older.id
    assert get(session, fakehub, "/api/v1/model-versions/by-hash/AB").status_code == 404


def test_batches(fakehub, session):
    """Both batch look-ups leave misses out and give a row for each copy; one has addresses without a host."""
    ids = {fakehub.add_model(name, {"a.safetensors": DATA}).id for name in ("A", "B")}
    wanted = [SHA256.upper(), "0" * 64, blob_of(DATA).hashes["BLAKE3"]]  # the last is no SHA-256
    rows = get(session, fakehub, "/api/v1/model-versions/by-hash/ids", method="POST", json=wanted).json()
    assert {row["modelId"] for row in rows} == ids
    assert {row["hash"] for row in rows} == {SHA256.upper()}
    rows = get(session, fakehub, "/api/v1/model-versions/by-hash", method="POST", json=wanted).json()
    assert {row["modelId"] for row in rows} == ids
    assert rows[0]["downloadUrl"].startswith("http://undefined/")
    fakehub.habits.batch_host = "request"
    rows = get(session, fakehub, "/api/v1/model-versions/by-hash", method="POST", json=wanted).json()
    assert session.get(rows[0]["downloadUrl"], timeout=5).content == DATA


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{}", b"[]", b"[1]", b'["AB"]', b"[" + b'"x",' * 10001 + b'"x"]']
)
def test_bad_batches(fakehub, session, body):
    """A batch that is no list of SHA-256 is 400."""
    for path in ("by-hash", "by-hash/ids"):
        answer = get(session, fakehub, f"/api/v1/model-versions/{path}", method="POST", data=body)
        assert answer.status_code == 400


def test_listing_pages(fakehub, session):
    """Pages follow `nextPage` to the end, every model once."""
    for number in range(5):
        fakehub.add_model(f"Model {number}", {"m.safetensors": b"m%d" % number}, thumbs_up=number)
    page = get(session, fakehub, "/api/v1/models?limit=2").json()
    names = [item["name"] for item in page["items"]]
    while following := page["metadata"].get("nextPage"):
        assert following.startswith(fakehub.civitai_endpoint)
        page = session.get(following, timeout=5).json()
        names += [item["name"] for item in page["items"]]
    assert names == [f"Model {number}" for number in (4, 3, 2, 1, 0)]


def test_search(fakehub, session):
    """Search ranks by popularity, knows names, triggers and hashes, and does not know file names."""
    words = {"trained_words": ("ink wash",)}
    fakehub.add_model("Ink Wash", {"exact.safetensors": DATA}, thumbs_up=1, version=words)
    fakehub.add_model("Ink Something Popular", {"x.safetensors": b"x"}, thumbs_up=900)

    def found(query: str) -> list[str]:
        answer = get(session, fakehub, "/api/v1/models", params={"query": query, "limit": 1})
        items, metadata = answer.json()["items"], answer.json()["metadata"]
        names = [item["name"] for item in items]
        return names + (["…"] if "nextCursor" in metadata else [])

    assert found("Ink Wash") == ["Ink Something Popular", "…"]
    assert found("exact") == found("ink_wash") == found("-") == []
    assert found(SHA256) == ["Ink Wash"]
    page = get(session, fakehub, "/api/v1/models?query=ink&limit=1&sort=Newest").json()
    following = session.get(page["metadata"]["nextPage"], timeout=5).json()
    assert [item["name"] for item in following["items"]] == ["Ink Wash"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["A"]),
        ("nsfw=true", ["B", "A"]),
        ("nsfw=true&archived=true&types=Checkpoint", ["C"]),
        ("types=LORA&types=Checkpoint&archived=1", ["C", "A"]),
        ("baseModels=Pony&nsfw=true", ["B"]),
        ("tag=sea", ["A"]),
        ("username=KEEPER&sort=Newest", ["A"]),
        ("ids=1,x,2&nsfw=1&sort=Most+Downloaded", []),
        ("page=2&limit=1&nsfw=true", ["A"]),
        ("ids=1001&nsfw=true", []),
    ],
)
def test_filters(fakehub, session, query, names):
    """A listing hides what is not PG, archived or without files, and filters as asked."""
    fakehub.add_model("A", {"a.safetensors": b"a"}, tags=("sea",))
    fakehub.add_model("B", {"b.safetensors": b"b"}, nsfw_level=4, version={"base_model": "Pony"})
    fakehub.add_model("C", {"c.safetensors": b"c"}, mode="Archived", type="Checkpoint")
    fakehub.add_model("D", {})
    items = get(session, fakehub, f"/api/v1/models?{query}").json()["items"]
    assert [item["name"] for item in items] == names


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("models?limit=101", 400),
        ("models?limit=x", 400),
        ("models?query=a&page=1", 400),
        ("models?page=11&limit=100", 429),
        ("models?page=x", 400),
        ("models?cursor=x", 400),
        ("models?cursor=9%7C9%7C999", 400),
        ("models?username=nobody", 404),
        ("models/0", 400),
        ("models/2147483648", 400),
        ("models/77", 404),
        ("model-versions/77", 404),
        ("model-versions/mini/77", 404),
        ("me", 401),
        ("nothing", 404),
    ],
)
def test_errors(fakehub, session, path, status):
    """What cannot be answered is told by its status."""
    assert get(session, fakehub, f"/api/v1/{path}").status_code == status


def test_base_models_narrow_versions(fakehub, session):
    """A filter by base model leaves the model's other versions out."""
    files = (ServedFile(id=1, name="a.safetensors", blob=blob_of(DATA)),)
    versions = tuple(
        ServedVersion(id=7 + n, files=files, base_model=base) for n, base in enumerate(("Pony", "SD 1.5"))
    )
    fakehub.shelf.models.append(ServedModel(id=5, name="Two", versions=versions))
    item = get(session, fakehub, "/api/v1/models?baseModels=Pony").json()["items"][0]
    assert [version["id"] for version in item["modelVersions"]] == [7]


def test_archived_model(fakehub, session):
    """An archived model is shown by id, without files."""
    model = fakehub.add_model("Old", {"old.safetensors": DATA}, mode="Archived")
    told = get(session, fakehub, f"/api/v1/models/{model.id}").json()
    assert told["mode"] == "Archived"
    assert "files" not in told["modelVersions"][0]
    assert get(session, fakehub, f"/api/v1/model-versions/{version_id(model)}").json()["files"] == []


def test_mini(fakehub, session):
    """The short form tells whether a login is needed."""
    model = fakehub.add_model("Ink", {"ink.safetensors": DATA}, version={"needs_login": True})
    empty = fakehub.add_model("None", {})
    assert (
        get(session, fakehub, f"/api/v1/model-versions/mini/{version_id(model)}").json()["requireAuth"]
        is True
    )
    assert get(session, fakehub, f"/api/v1/model-versions/mini/{version_id(empty)}").status_code == 404


@pytest.mark.parametrize("generation", [2023, 2025, 2026])
def test_early_access_generations(fakehub, session, generation):
    """Each generation tells a gate in its own field, and no other generation's."""
    fakehub.habits.fields = generation
    gate = {"paid": PaidAccess(ends_at="2199-01-01T00:00:00.000Z")}
    model = fakehub.add_model("Ink", {"ink.safetensors": DATA}, version=gate)
    version = get(session, fakehub, f"/api/v1/models/{model.id}").json()["modelVersions"][0]
    signs = {"earlyAccessTimeFrame": 2023, "earlyAccessEndsAt": 2025, "paidAccess": 2026}
    assert {signs[key] for key in signs if key in version} == {generation}
    listing = get(session, fakehub, "/api/v1/models").json()
    assert ("totalItems" in listing["metadata"]) == (generation == 2023)
    assert get(session, fakehub, f"/models/{model.id}").status_code == 200


def test_faults(fakehub, session):
    """Bends apply to their routes, as often as asked, sparing the first ones; then all is straight."""
    fakehub.bend("civitai.models", faults.overloaded(), times=1, after=1)
    answers = [get(session, fakehub, "/api/v1/models") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 503, 200]
    assert answers[1].headers["Retry-After"] == "2"
    fakehub.bend("civitai", faults.cloudflare(403))
    assert "Retry-After" not in get(session, fakehub, "/api/v1/models").headers
    fakehub.bend("civitai.me", faults.quota())
    fakehub.straighten()
    assert get(session, fakehub, "/api/v1/models").status_code == 200
    assert fakehub.log.counts() == {"civitai.models": 5}


@pytest.mark.parametrize(
    ("fault", "body"),
    [
        (faults.wrong_bytes(), DATA[:-1] + b"r"),
        (faults.other_bytes(b"other"), b"other"),
        (faults.no_length(), DATA),
        (faults.no_ranges(), DATA),
        (faults.slow(1 << 24), DATA),
        (faults.login_page(), html_answer("Log in to Civitai").body),
    ],
)
def test_bent_bytes(fakehub, session, fault, body):
    """Faults of a body arrive as such."""
    model = fakehub.add_model("Ink", {"ink.safetensors": DATA})
    fakehub.bend("delivery.bytes", fault)
    assert get(session, fakehub, f"/api/download/models/{version_id(model)}").content == body


def test_broken_lines(fakehub, session):
    """A cut body and a dropped connection are errors of the line."""
    model = fakehub.add_model("Ink", {"ink.safetensors": DATA})
    place = f"/api/download/models/{version_id(model)}"
    fakehub.bend("delivery.bytes", faults.cut(100), times=1)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(session, fakehub, place)
    fakehub.bend("delivery.bytes", faults.dropped(), times=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        get(session, fakehub, place)
    assert get(session, fakehub, place).content == DATA


def test_bent_answers(fakehub, session):
    """Batches with null, pages without items, JSON cut short, headers lost and changed."""
    model = fakehub.add_model("Ink", {"ink.safetensors": DATA})
    fakehub.bend("civitai.by-hashes", faults.with_null())
    rows = get(session, fakehub, "/api/v1/model-versions/by-hash", method="POST", json=[SHA256]).json()
    assert [row and row["modelId"] for row in rows] == [None, model.id]
    fakehub.bend("civitai.models", faults.empty_page(f"1|16|{model.id}"), times=1)
    page = get(session, fakehub, "/api/v1/models").json()
    assert page["items"] == []
    assert [item["id"] for item in session.get(page["metadata"]["nextPage"], timeout=5).json()["items"]] == [
        model.id
    ]
    fakehub.bend("civitai.models", faults.not_json(), times=1)
    with pytest.raises(requests.exceptions.JSONDecodeError):
        get(session, fakehub, "/api/v1/models").json()
    fakehub.bend("civitai.models", faults.without("Cache-Control"), times=1)
    assert "Cache-Control" not in get(session, fakehub, "/api/v1/models").headers
    fakehub.bend("civitai.models", faults.with_headers(Cache_Control="no-store"), times=1)
    assert get(session, fakehub, "/api/v1/models").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ("bytes=0-0", 206, "bytes 0-0/7000"),
        ("bytes=6990-", 206, "bytes 6990-6999/7000"),
        ("bytes=-5", 206, "bytes 6995-6999/7000"),
        ("bytes=10-99999", 206, "bytes 10-6999/7000"),
        ("bytes=7000-", 416, "bytes */7000"),
        ("bytes=9-3", 416, "bytes */7000"),
        ("bytes=-", 200, None),
        ("lines=1-2", 200, None),
    ],
)
def test_ranges(fakehub, session, asked, status, told):
    """The second host gives the part that is asked for; If-Range with another ETag gives the whole."""
    model = fakehub.add_model("Ink", {"ink.safetensors": DATA})
    place = f"/api/download/models/{version_id(model)}"
    answer = get(session, fakehub, place, headers={"Range": asked})
    assert (answer.status_code, answer.headers.get("Content-Range")) == (status, told)
    answer = get(session, fakehub, place, headers={"Range": asked, "If-Range": '"another"'})
    assert answer.status_code == 200
