"""Hugging Face: the contract of all hubs, and its own ways, through the real huggingface_hub."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import huggingface_hub.errors
import pytest
from hubs.contract import CIVITAI, HUGGINGFACE, HubContract, Stand, reference
from hubs.hubapps import HuggingFaceApp, repo, sha
from hubs.hubserver import Asked, Rush, Said, Server, says

from comfywatchman.air import HuggingFaceLink
from comfywatchman.catalog import Access
from comfywatchman.digest import Digest
from comfywatchman.errors import Gated, HubError, HubUnavailable, LoginRequired, NotFound, Withdrawn
from comfywatchman.hubs.answers import Answers
from comfywatchman.hubs.base import SearchQuery
from comfywatchman.hubs.huggingface import HuggingFace
from comfywatchman.hubs.huggingface.api import Ways
from comfywatchman.hubs.patience import Patience
from comfywatchman.resolution import Evidence

QUIET = Patience(sleep=lambda _seconds: None)
SIZE = 4_000_000_000
BASE = "black-forest-labs/FLUX.1-dev"
FLUX = repo("Comfy-Org/flux", "split_files/vae/ae.safetensors", "split_files/unet/flux1-dev_fp8.safetensors")


def huggingface(
    url: str, token: str | None = None, answers: Answers | None = None, **more: Any
) -> HuggingFace:
    more = {"authors": ("Comfy-Org", "Kijai"), "ways": Ways(patience=QUIET), **more}
    return HuggingFace(endpoint=url, token=lambda: token, answers=answers, **more)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(HuggingFaceApp([FLUX])).running() as server:
        yield server


@pytest.fixture
def hub(server: Server) -> HuggingFace:
    return huggingface(server.url)


def link(path: str | None, repo: str = "Comfy-Org/flux", revision: str = "main") -> HuggingFaceLink:
    return HuggingFaceLink(repo=repo, path=path, revision=revision)


class TestHuggingFace(HubContract):
    most_requests = 3  # two authors, one paths-info

    @pytest.fixture
    def stand(self, server: Server) -> Stand:
        server.app = HuggingFaceApp([FLUX, repo("somebody/flux-other", "x.safetensors")])
        return Stand(
            server=server,
            make=huggingface,
            name="ae.safetensors",
            folder="vae",
            sha256=sha("split_files/vae/ae.safetensors"),
            size=SIZE,
            link=link("split_files/vae/ae.safetensors"),
            url="https://huggingface.co/Comfy-Org/flux/blob/main/split_files/vae/ae.safetensors?download=true",
            absent=HUGGINGFACE,
            foreign=CIVITAI,
            text="flux",
        )


# ── links ──


def test_facts(hub: HuggingFace, server: Server) -> None:
    """A file is pinned to the commit it was found at and says which folder it was laid out for."""
    (found,) = hub.open(link("split_files/unet/flux1-dev_fp8.safetensors"))

    assert found.revision == FLUX["sha"]
    assert found.url == (
        f"{server.url}/Comfy-Org/flux/resolve/{FLUX['sha']}/split_files/unet/flux1-dev_fp8.safetensors"
    )
    assert (found.folder, found.precision, found.licence) == ("diffusion_models", "fp8", "apache-2.0")
    assert (found.base_model, found.uploader) == (BASE, "Comfy-Org")
    assert (found.downloads, found.access) == (1000, Access.OPEN)


def test_open_cost(hub: HuggingFace, server: Server) -> None:
    """Many links into one repository cost two requests."""
    base = "https://huggingface.co/Comfy-Org/flux/resolve/main/"
    answers = hub.find([reference("a.pt", "x", url=base + s["rfilename"]) for s in FLUX["siblings"][1:]])

    assert len(server.asked) == 2
    assert all(isinstance(a, tuple) and a[0].evidence is Evidence.URL for a in answers)


@pytest.mark.parametrize(
    ("path", "names"),
    [
        (None, ["ae.safetensors", "flux1-dev_fp8.safetensors"]),
        ("split_files/vae/", ["ae.safetensors"]),
        ("nowhere/", []),
    ],
)
def test_open_many(hub: HuggingFace, path: str | None, names: list[str]) -> None:
    """A link to a repository or a folder opens to its weight files."""
    if not names:
        with pytest.raises(NotFound):
            hub.open(link(path))
    else:
        assert [f.name for f in hub.open(link(path))] == names


def test_link_to_a_repository(hub: HuggingFace) -> None:
    """A link to a repository or folder finds the file of the right name in it, and no other."""
    url = "https://huggingface.co/Comfy-Org/flux/tree/main/split_files"
    first, second = hub.find(
        [reference("ae.safetensors", "vae", url=url), reference("zz.pt", "vae", url=url)]
    )

    assert isinstance(first, tuple)
    assert [(c.file.name, c.evidence) for c in first] == [("ae.safetensors", Evidence.URL)]
    assert second == ()


def test_moved_file(hub: HuggingFace) -> None:
    """A file that its link no longer leads to is looked for by name."""
    url = "https://huggingface.co/Comfy-Org/flux/resolve/main/old/ae.safetensors"
    (answer,) = hub.find([reference("ae.safetensors", "vae", url=url)])

    assert isinstance(answer, tuple)
    assert [c.evidence for c in answer] == [Evidence.NAME]


def test_other_revision(hub: HuggingFace) -> None:
    """A commit opens; an unknown revision is NotFound."""
    assert hub.open(link("split_files/vae/ae.safetensors", revision=FLUX["sha"]))
    with pytest.raises(NotFound):
        hub.open(link("split_files/vae/ae.safetensors", revision="refs/pr/1"))


@pytest.mark.parametrize("name", ["../x", "a/..", "a/b/c", "a b/c", "", "a/" + "b" * 97, "a/b?c"])
def test_impossible_repository(hub: HuggingFace, server: Server, name: str) -> None:
    """A name that no repository can have does not get into a URL."""
    with pytest.raises(NotFound):
        hub.repo(name, "main")
    assert server.asked == []


def test_gated(hub: HuggingFace, server: Server) -> None:
    """A gated repository shows what it has; where it shows no digest, the file comes without one."""
    app = HuggingFaceApp([repo("Comfy-Org/gated", "g.safetensors", gated="auto")])
    server.app = app
    (found,) = hub.open(link("g.safetensors", "Comfy-Org/gated"))
    app.closed.add("Comfy-Org/gated")
    (closed,) = hub.open(link("g.safetensors", "Comfy-Org/gated"))

    assert (found.access, closed.access) == (Access.GATED, Access.GATED)
    assert found.digests
    assert closed.digests == ()


@pytest.mark.parametrize(
    ("changes", "access"),
    [
        ({"private": True}, Access.LOGIN),
        ({"disabled": True}, Access.WITHDRAWN),
        ({"gated": False}, Access.OPEN),
    ],
)
def test_access(hub: HuggingFace, server: Server, changes: dict[str, Any], access: Access) -> None:
    """What a repository asks for is told with its files."""
    server.app = HuggingFaceApp([repo("a/b", "x.gguf", **changes)])
    assert hub.open(link("x.gguf", "a/b"))[0].access is access


@pytest.mark.parametrize(
    ("changes", "licence", "base"),
    [
        ({"cardData": {"license": "other", "license_name": "flux-1-dev"}}, "flux-1-dev", BASE),
        ({"cardData": {"license": ["mit"], "base_model": ["a/b", "c/d"]}}, "mit", "a/b"),
        ({"cardData": None}, "apache-2.0", BASE),
        ({"cardData": 7, "tags": None}, None, None),
    ],
)  # fmt: skip
def test_card(hub: HuggingFace, server: Server, changes: Any, licence: str | None, base: str | None) -> None:
    """Licence and base model come from the card, else from the tags, in every form they take."""
    server.app = HuggingFaceApp([repo("a/b", "x.gguf", **changes)])
    (found,) = hub.open(link("x.gguf", "a/b"))
    assert (found.licence, found.base_model) == (licence, base)


def test_junk_digest(hub: HuggingFace, server: Server) -> None:
    """What stands where a SHA-256 should is left out when it is none."""
    app = HuggingFaceApp([FLUX])
    path = {"type": "file", "path": "vae/x.pt", "size": "?", "lfs": {"oid": "0" * 40}}
    server.app = lambda asked: says([path]) if asked.method == "POST" else app(asked)
    (found,) = hub.open(link("vae/x.pt"))
    assert (found.digests, found.size) == ((), None)


# ── names ──


def test_equal_files(hub: HuggingFace, server: Server) -> None:
    """Equal bytes in several repositories are one candidate, the most trusted author's."""
    server.app = HuggingFaceApp(
        [
            repo("Kijai/copies", "ae.safetensors"),
            repo("Comfy-Org/flux", "vae/ae.safetensors"),
            repo("Kijai/another", "x/ae.safetensors"),
        ],
        same={"vae/ae.safetensors": "bytes", "ae.safetensors": "bytes"},
    )
    (answer,) = hub.find([reference("ae.safetensors", "vae")])

    assert isinstance(answer, tuple)
    assert [c.file.model_name for c in answer] == ["Comfy-Org/flux", "Kijai/another"]


def test_name_search(hub: HuggingFace, server: Server) -> None:
    """A name that known authors do not have is searched for, at most twice, in repository names."""
    server.app = HuggingFaceApp([FLUX, repo("somebody/Ink-Style", "ink_style_v2_fp16.safetensors")])
    exact, like, none = hub.find(
        [reference(f"{name}.safetensors") for name in ("ink_style_v2_fp16", "ink-style_v2", "zz_nowhere_9")]
    )

    assert isinstance(exact, tuple)
    assert isinstance(like, tuple)
    assert [c.evidence for c in exact + like] == [Evidence.SIMILAR_NAME] * 2 or exact[
        0
    ].evidence is Evidence.NAME
    assert none == ()
    searches = [a.value("search") for a in server.asked if a.value("search")]
    assert len(searches) == 6
    assert {"zz nowhere 9", "zz nowhere"} <= set(searches)


def test_at_most_four_at_once(hub: HuggingFace, server: Server) -> None:
    """Several names in several repositories each are still asked for four at a time."""
    names = [f"flux_{letter}.safetensors" for letter in "abcd"]
    rush = server.app = Rush(HuggingFaceApp([repo(f"x/flux-a-b-c-d-{n}", *names) for n in range(8)]))
    assert all(hub.find([reference(name, "x") for name in names]))
    assert rush.most == 4


def test_listing_is_kept(server: Server, tmp_path: Any) -> None:
    """The authors' listings are asked for once a day, whatever names are looked for."""
    with Answers(tmp_path / "a.sqlite3") as answers:
        huggingface(server.url, answers=answers).find([reference("ae.safetensors", "vae")])
        before = len(server.asked)
        huggingface(server.url, answers=answers).find([reference("flux1-dev_fp8.safetensors", "unet")])

    assert [a.path.rsplit("/", 2)[1] for a in server.asked[before:]] == ["paths-info"]


def test_pages(hub: HuggingFace, server: Server) -> None:
    """A long listing is read page by page, up to a bound."""
    server.app = HuggingFaceApp([repo(f"Comfy-Org/r{n}", f"m{n}.safetensors") for n in range(9)], page=2)
    first, last = hub.find([reference("m5.safetensors", "x"), reference("m8.safetensors", "x")])

    assert first
    assert last == ()
    assert len([a for a in server.asked if a.value("author") == "Comfy-Org"]) == 3


def test_page_elsewhere(hub: HuggingFace, server: Server) -> None:
    """A next page on another host is not asked for."""
    server.app = lambda _asked: says([], Link='<https://elsewhere.example/x>; rel="next"')
    assert hub.find([reference("ae.safetensors", "vae")]) == [()]


def test_listing_that_fails(hub: HuggingFace, server: Server) -> None:
    """One author's listing that fails leaves the others; it is told when nothing was found."""
    app = HuggingFaceApp([FLUX, repo("Kijai/x", "k.safetensors")])

    def broken(asked: Asked) -> Said:
        return says({}, 500) if asked.value("author") == "Comfy-Org" else app(asked)

    server.app = broken
    found, missing = hub.find([reference("k.safetensors", "x"), reference("zz.safetensors", "x")])

    assert isinstance(found, tuple)
    assert isinstance(missing, HubUnavailable)


def test_gone_since_listed(hub: HuggingFace, server: Server) -> None:
    """A repository that went after it was listed is no candidate."""
    app = HuggingFaceApp([FLUX])
    server.app = lambda asked: (
        says({}, 404, X_Error_Code="RepoNotFound") if asked.method == "POST" else app(asked)
    )
    assert hub.find([reference("ae.safetensors", "vae")]) == [()]


def test_without_authors(server: Server) -> None:
    """With no known authors only the search is left."""
    assert huggingface(server.url, authors=()).find([reference("flux.pt", "x")]) == [()]


def test_identify(hub: HuggingFace) -> None:
    """This hub has no look-up by digest."""
    assert hub.identify(Digest.sha256(sha("split_files/vae/ae.safetensors"))) == ()


def test_browse(hub: HuggingFace, server: Server) -> None:
    """A query becomes the hub's parameters."""
    hub.search(SearchQuery(text="flux", type="loras", base_model="a/b", sort="newest", limit=7))
    asked = server.asked[0].query
    for pair in (("filter", "lora"), ("filter", "base_model:a/b"), ("sort", "createdAt"), ("limit", "7")):
        assert pair in asked


# ── refusals ──


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (says({}, 401, X_Error_Code="GatedRepo"), Gated),
        (says({}, 403, X_Error_Code="GatedRepo"), Gated),
        (says({}, 401, X_Error_Code="RepoNotFound"), NotFound),
        (says({}, 404, X_Error_Code="RepoNotFound"), NotFound),
        (says({}, 404, X_Error_Code="RevisionNotFound"), NotFound),
        (says({}, 404, X_Error_Code="EntryNotFound"), NotFound),
        (says({}, 404), NotFound),
        (says({}, 403, X_Error_Message="Access to this resource is disabled."), Withdrawn),
        (says({}, 401, X_Error_Message="Invalid credentials in Authorization header"), LoginRequired),
        (says({}, 403), LoginRequired),
        (says({}, 400), HubUnavailable),
        (says({}, 429), HubUnavailable),
        (says({}, 503), HubUnavailable),
        (says({}, 500), HubUnavailable),
        (says({}, 451), HubUnavailable),
    ],
    ids=lambda value: f"{value.status} {list(value.headers.values())[1:]}" if isinstance(value, Said) else "",
)
def test_refusals(hub: HuggingFace, server: Server, said: Said, error: type[HubError]) -> None:
    """Every status and code of the hub is the error a caller can act on."""
    server.app = lambda _asked: said
    with pytest.raises(HubError) as caught:
        hub.open(link("x.safetensors"))
    assert isinstance(caught.value, error)


def test_rate_limit(server: Server) -> None:
    """A 429 is waited for as `RateLimit` says, when that is short; else it is told."""
    waits: list[float] = []
    hub = huggingface(server.url, ways=Ways(patience=Patience(sleep=waits.append)))
    server.app = lambda _asked: says({}, 429, RateLimit='"api";r=0;t=7')
    with pytest.raises(HubUnavailable) as caught:
        hub.open(link("x.safetensors"))
    assert waits == [7.0, 7.0]
    assert caught.value.retry_after == 7.0

    server.app = lambda _asked: says({}, 429, RateLimit='"api";r=0;t=299')
    with pytest.raises(HubUnavailable):
        hub.open(link("x.safetensors"))
    assert waits == [7.0, 7.0]


class _Broken:
    """A connection that raises one exception for everything."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    def request(self, *_args: object, **_more: object) -> object:
        raise self._fault


# Raised by parts of huggingface_hub that no question goes through.
OTHER_PARTS = (
    *(
        "CLI",
        "DDUF",
        "Strict",
        "Inference",
        "Sandbox",
        "Cache",
        "Corrupted",
        "Safetensors",
        "NotASafetensors",
    ),
    *(
        "Xet",
        "FileDuplication",
        "OIDC",
        "DeviceCode",
        "RevisionResolution",
        "Confirmation",
        "DryRun",
        "HfUri",
        "Incomplete",
    ),
)


def _faults() -> list[Exception]:
    """One of every exception that huggingface_hub, or the HTTP library below it, raises for a question."""
    http = sys.modules[huggingface_hub.errors.HfHubHTTPError.__bases__[0].__module__.partition(".")[0]]
    request = http.Request("GET", "http://x")
    # Below huggingface_hub 1.0 this is requests, whose Response is made without arguments.
    response = http.Response(418, request=request) if hasattr(http, "AsyncClient") else http.Response()
    kinds = [kind for module in (huggingface_hub.errors, http) for kind in vars(module).values()]
    faults = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)]
    asking = [
        kind for kind in faults if not kind.__name__.startswith(OTHER_PARTS) and not issubclass(kind, Warning)
    ]
    return [_made(kind, request, response) for kind in asking]


def _made(kind: type[Exception], request: object, response: object) -> Exception:
    for more in ({}, {"response": response}, {"request": request, "response": response}):
        with suppress(TypeError):
            return kind("x", **more)
    with suppress(TypeError):
        return kind()
    return kind("x", "y", 0)


@pytest.mark.parametrize("fault", _faults(), ids=lambda fault: type(fault).__name__)
def test_every_exception_is_translated(fault: Exception) -> None:
    """No exception that a question can meet leaves the hub's module untranslated."""
    ways = Ways(patience=QUIET, client=lambda: _Broken(fault))
    hub = huggingface("http://127.0.0.1:1", "hf_abcdefghijklmnopqrstuvwxyz", ways=ways)
    with pytest.raises(HubError) as caught:
        hub.open(link("x.safetensors"))
    assert "hf_abc" not in str(caught.value)


def test_offline_switch(server: Server) -> None:
    """HF_HUB_OFFLINE is obeyed, and said to be the reason."""
    program = (
        "from comfywatchman.hubs.huggingface import HuggingFace\n"
        "from comfywatchman.errors import HubUnavailable\n"
        "from comfywatchman.air import HuggingFaceLink\n"
        f"hub = HuggingFace(endpoint={server.url!r}, token=lambda: None)\n"
        "try:\n    hub.open(HuggingFaceLink(repo='a/b', path='x'))\n"
        "except HubUnavailable as fault:\n    print(fault.hint)\n"
    )
    env = {"HF_HUB_OFFLINE": "1", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )
    assert "HF_HUB_OFFLINE" in done.stdout
    assert server.asked == []


def test_import_is_light() -> None:
    """Importing the hub does not load huggingface_hub or requests."""
    program = (
        "import sys, comfywatchman.hubs.huggingface as _\n"
        "print({'huggingface_hub', 'requests'} & {*sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
