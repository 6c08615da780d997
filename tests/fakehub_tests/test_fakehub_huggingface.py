"""The Hugging Face half of the test server, asked by the real huggingface_hub and by plain requests."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from fakehub import faults
from fakehub.server import FakeHub, blob_of

from comfywatchman.demo.huggingface_json import pointer

LAMP = b"lamp" * 1000
LARGE = "/Comfy-Org/lighthouse/resolve/main/vae/lamp.safetensors"
SMALL = "/Comfy-Org/lighthouse/resolve/main/README.md"


def stock(hub: FakeHub) -> str:
    """Put on the shelf what the tests ask for; returns the older commit of the repository."""
    repo = hub.add_repo("Comfy-Org/lighthouse", {"lamp.safetensors": b"old"})
    old = repo.commits[0].sha
    hub.add_commit(repo, {"README.md": b"# Lighthouse", "vae/lamp.safetensors": LAMP})
    hub.add_repo("Comfy-Org/private", {"p.safetensors": b"p"}, private=True)
    hub.add_repo("Comfy-Org/disabled", {"d.safetensors": b"d"}, disabled=True)
    hub.add_repo("Comfy-Org/busy", {"x.gguf": b"x"})
    hub.add_repo("black-forest-labs/gated", {"g.safetensors": b"gated"}, gated="manual")
    hub.add_account("friend", "black-forest-labs/gated")
    hub.add_account("stranger")
    return old


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeHub, dict[str, Any]]]:
    """What the real client saw, and the server it saw it on."""
    cache = tmp_path_factory.mktemp("hf")
    with FakeHub() as hub:
        old = stock(hub)
        for number in range(1005):  # the hub gives 1000 on a page
            hub.add_repo(f"many/page-{number}", {"a.safetensors": b"a"})
        hub.bend("huggingface.resolve", _busy())
        environment = {
            **os.environ,
            "HF_ENDPOINT": hub.huggingface_endpoint,
            "HF_HOME": str(cache),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        done = subprocess.run(
            [sys.executable, Path(__file__).with_name("real_client.py"), cache, "token-of-friend", old],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        yield hub, {"old_sha": old, **json.loads(done.stdout)}
        assert hub.log.faults == []


def _busy() -> faults.Fault:
    """429 for one repository, the truth for the others."""
    limited = faults.rate_limited()
    return lambda request, handle: limited(request, handle) if "/busy/" in request.path else handle()


def test_real_client_listing(seen):
    """The real client lists an author's files in one request, follows pages, and searches ids."""
    _, told = seen
    assert told["listed"][0] == ["Comfy-Org/lighthouse", ["README.md", "vae/lamp.safetensors"]]
    assert len(told["listed"]) == 2
    assert told["paged"] == 1005
    assert told["searched"] == ["Comfy-Org/lighthouse"]


def test_real_client_info(seen):
    """The real client reads sizes, digests, older commits and folders."""
    _, told = seen
    sha, gated, files = told["info"]
    assert len(sha) == 40
    assert gated is False
    assert files == [["README.md", 12, None], ["vae/lamp.safetensors", 4000, blob_of(LAMP).sha256]]
    assert told["old"] == ["lamp.safetensors"]
    assert told["paths"] == ["vae/lamp.safetensors", "vae"]
    assert told["tree"] == ["README.md", "vae", "vae/lamp.safetensors"]
    assert told["whoami"] == "friend"


def test_real_client_download(seen):
    """The real client gets commit, digest and size before a byte, then the bytes; the token stays home."""
    hub, told = seen
    sha = told["info"][0]
    assert told["large"] == [sha, blob_of(LAMP).sha256, len(LAMP)]
    assert told["small"] == [sha, blob_of(b"# Lighthouse").git_oid, 12]
    assert told["bytes"] == [LAMP.decode(), "# Lighthouse"]
    assert told["gated_info"] == "manual"
    assert told["granted"] == "gated"
    assert all(one.request.headers["Authorization"] is None for one in hub.log.of("delivery"))


def test_real_client_refusals(seen):
    """The real client raises the error each refusal stands for."""
    _, told = seen
    assert told["refusals"] == {
        "gated": "GatedRepoError",
        "ungranted": "GatedRepoError",
        "auth-check": "GatedRepoError",
        "repo": "RepositoryNotFoundError",
        "private": "RepositoryNotFoundError",
        "signed-in": "RepositoryNotFoundError",
        "revision": "RevisionNotFoundError",
        "entry": "RemoteEntryNotFoundError",
        "disabled": "DisabledRepoError",
        "bad-token": "HfHubHTTPError",
        "rate": "HfHubHTTPError",
    }


@pytest.fixture
def stocked(fakehub: FakeHub) -> FakeHub:
    stock(fakehub)
    return fakehub


def ask(hub: FakeHub, method: str, path: str, **options: Any) -> requests.Response:
    return requests.request(method, hub.huggingface_endpoint + path, timeout=5, **options)


def test_both_styles_of_resolve(stocked):
    """A large file is a 302 to another host with the digest told; a small one a relative 307; HEAD too."""
    for method in ("HEAD", "GET"):
        large = ask(stocked, method, LARGE, allow_redirects=False)
        assert large.status_code == 302
        assert large.headers["X-Linked-Etag"] == f'"{blob_of(LAMP).sha256}"'
        assert large.headers["X-Linked-Size"] == str(len(LAMP))
        small = ask(stocked, method, SMALL, allow_redirects=False)
        assert small.status_code == 307
        assert small.headers["Location"].startswith("/api/resolve-cache/models/Comfy-Org/lighthouse/")
    assert ask(stocked, "GET", LARGE).content == LAMP
    assert ask(stocked, "GET", SMALL).text == "# Lighthouse"
    partial = ask(stocked, "GET", LARGE, headers={"Range": "bytes=4-7"})
    assert (partial.status_code, partial.content) == (206, b"lamp")
    assert partial.headers["ETag"].strip('"') != blob_of(LAMP).sha256


def test_token_at_the_cdn(stocked):
    """The CDN refuses a token and forgets addresses."""
    place = ask(stocked, "GET", LARGE, allow_redirects=False).headers["Location"]
    assert requests.get(place, headers={"Authorization": "Bearer x"}, timeout=5).status_code == 400
    stocked.delivery.expire()
    assert requests.get(place, timeout=5).status_code == 403


def test_people_links(stocked):
    """`raw` gives the pointer of a large file; `blob`, `tree` and the repository are pages."""
    lighthouse = "/Comfy-Org/lighthouse"
    raw = ask(stocked, "GET", f"{lighthouse}/raw/main/vae/lamp.safetensors").content
    assert raw == pointer(blob_of(LAMP))
    assert raw.startswith(b"version https://git-lfs.github.com/spec/v1\n")
    assert ask(stocked, "GET", f"{lighthouse}/raw/main/README.md").text == "# Lighthouse"
    for path in ("/blob/main/vae/lamp.safetensors", "/tree/main", ""):
        answer = ask(stocked, "GET", lighthouse + path)
        assert answer.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"data": {"paths": ["README.md", "nope"], "expand": "False"}}, ["README.md"]),
        ({"data": {"paths": ["vae"], "expand": "true"}}, ["vae"]),
        ({"json": {"paths": ["vae/lamp.safetensors", 7], "expand": True}}, ["vae/lamp.safetensors"]),
        ({"json": {}}, []),
        ({"json": []}, []),
    ],
)
def test_paths_info(stocked, body, paths):
    """Paths may come as a form or as JSON; what is not there is left out."""
    told = ask(stocked, "POST", "/api/models/Comfy-Org/lighthouse/paths-info/main", **body).json()
    assert [entry["path"] for entry in told] == paths


def test_tree(stocked):
    """A tree is one level unless asked for all; folders can be asked for; pages are linked."""
    base = "/api/models/Comfy-Org/lighthouse/tree/main"

    def paths(path: str) -> list[str]:
        return [entry["path"] for entry in ask(stocked, "GET", base + path).json()]

    assert paths("") == ["vae", "README.md"]
    assert paths("?recursive=true") == ["vae", "README.md", "vae/lamp.safetensors"]
    assert paths("/vae") == ["vae/lamp.safetensors"]
    assert ask(stocked, "GET", f"{base}/nope").headers["X-Error-Code"] == "EntryNotFound"
    first = ask(stocked, "GET", f"{base}?recursive=true&limit=2")
    assert [entry["path"] for entry in requests.get(first.links["next"]["url"], timeout=5).json()] == [
        "vae/lamp.safetensors"
    ]


def test_listing_parameters(stocked):
    """A listing sorts by downloads, filters by tags and gives only the expanded keys."""
    stocked.add_repo("city96/flux-gguf", {"q.gguf": b"q"}, tags=("gguf",), downloads=9999)
    assert ask(stocked, "GET", "/api/models?sort=downloads&limit=1").json()[0]["id"] == "city96/flux-gguf"
    told = ask(stocked, "GET", "/api/models?filter=gguf&expand[]=siblings&expand[]=sha").json()
    assert [set(item) for item in told] == [{"_id", "id", "modelId", "sha", "siblings"}]
    info = ask(stocked, "GET", "/api/models/city96/flux-gguf?expand[]=gated").json()
    assert set(info) == {"_id", "id", "gated"}


def test_every_answer_tells_the_limit(stocked):
    """RateLimit headers stand on answers, refusals and redirects alike."""
    for path in ("/api/models", "/nobody/nothing/resolve/main/x", LARGE):
        answer = ask(stocked, "GET", path, allow_redirects=False)
        assert {"RateLimit", "RateLimit-Policy", "X-Request-Id"} <= set(answer.headers)


def test_codeless_refusal(stocked):
    """A refusal may come without its code, a limit with Retry-After alone."""
    stocked.bend("huggingface.info", faults.without("X-Error-Code"), times=1)
    codeless = ask(stocked, "GET", "/api/models/nobody/nothing")
    assert codeless.status_code == 401
    assert "X-Error-Code" not in codeless.headers
    assert "X-Error-Code" in ask(stocked, "GET", "/api/models/nobody/nothing").headers
    stocked.bend("huggingface", faults.status(429, Retry_After="5"))
    limited = ask(stocked, "GET", LARGE)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "5")
    assert "RateLimit" not in limited.headers


def test_access(stocked):
    """auth-check and whoami answer by token."""
    friend = {"headers": {"Authorization": "Bearer token-of-friend"}}
    assert ask(stocked, "GET", "/api/models/black-forest-labs/gated/auth-check", **friend).status_code == 200
    assert ask(stocked, "GET", "/api/whoami-v2").status_code == 401
    garbage = ask(
        stocked,
        "GET",
        "/black-forest-labs/gated/resolve/main/g.safetensors",
        headers={"Authorization": "Bearer x"},
    )
    assert (garbage.status_code, garbage.headers["X-Error-Code"]) == (401, "GatedRepo")
