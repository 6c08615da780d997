"""Hugging Face: by link and by name; its records give SHA-256 and size before any byte is fetched.

The hub cannot search for files or digests. A name is looked for in the listings of authors whose files
ComfyUI workflows use, which are kept for a day, and then in at most two searches over repository names.
Everything found is pinned to the commit it was found at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from ...air import HUGGINGFACE_HOSTS, HubLink, HuggingFaceLink, parse_link
from ...catalog import Json, Model, RemoteFile
from ...decode import Value
from ...digest import Digest
from ...errors import Gated, HubError, LoginRequired, NotFound
from ...workflow.references import Reference
from ..answers import Answers
from ..base import Answer, SearchQuery
from ..choosing import MOST, Offer, by_link, by_name
from ..hosts import HostGroup, HubSite
from ..likeness import core_of, is_like, is_same_name, repository_texts
from ..lookup import Lookup
from ..patience import Unreachable, at_once
from .api import HuggingFaceApi, Ways
from .records import HUB, TITLE, Repo, file_of, model_of, repo_of

HOME: Final = "https://huggingface.co"

# In order of trust: of equal files the first one's is taken. The first is where ComfyUI's own templates
# point to 302 times out of 399.
KNOWN_AUTHORS: Final = (
    *("Comfy-Org", "comfyanonymous", "black-forest-labs", "stabilityai", "Lightricks", "Kijai", "lightx2v"),
    *("circlestone-labs", "alibaba-pai", "city96", "QuantStack", "h94", "lllyasviel", "xinsir", "VAST-AI"),
)
_PAGES: Final = 3  # of 100 repositories an author
_PICKS: Final = 8  # places of one name that are looked at closer
_SORTS: Final = {"downloads": "downloads", "likes": "likes", "newest": "createdAt"}
_TAGS: Final = {
    "loras": "lora",
    "lora": "lora",
    "embeddings": "textual_inversion",
    "controlnet": "controlnet",
}

Place = tuple[Repo, str]  # a repository and a path in it


class HuggingFace(HubSite):
    """The hub Hugging Face, or a mirror of it."""

    def __init__(
        self,
        *,
        endpoint: str = HOME,
        token: Callable[[], str | None],
        answers: Answers | None = None,
        authors: Sequence[str] = KNOWN_AUTHORS,
        ways: Ways | None = None,
    ) -> None:
        super().__init__(HostGroup(hub=HUB, hosts=HUGGINGFACE_HOSTS, endpoint=endpoint), token)
        self._api = HuggingFaceApi(self._group, token=token, answers=answers, ways=ways or Ways())
        self._authors = authors

    def find(self, references: Sequence[Reference]) -> list[Answer]:
        """Look for many references at once: by link, then by name."""
        return _Search(self, references).answers()

    def open(self, link: HubLink) -> tuple[RemoteFile, ...]:
        """The file a link points at, or all weight files of a repository or folder.

        Raises:
            NotFound: there is no such thing, or the link is another hub's.
            HubError: as every question.
        """
        if not isinstance(link, HuggingFaceLink):
            raise NotFound(f"{TITLE}: {link} is another hub's", hub=HUB)
        repo = self.repo(link.repo, link.revision)
        paths = _paths_of(link, repo)
        files = self.files([(repo, path) for path in paths])
        if not files:
            raise NotFound(f"{TITLE}: {link} has no such model file", hub=HUB)
        return tuple(files[place] for place in files)

    def identify(self, digest: Digest) -> tuple[RemoteFile, ...]:  # noqa: ARG002 (the protocol's)
        """Nothing: this hub has no look-up by digest."""
        return ()

    def search(self, query: SearchQuery) -> tuple[Model, ...]:
        """Repositories for a person to browse."""
        parameters = [("limit", str(min(max(query.limit, 1), 100)))]
        parameters += [("search", query.text)] if query.text.strip() else []
        parameters += [("filter", _TAGS.get(query.type.lower(), query.type))] if query.type else []
        parameters += [("filter", f"base_model:{query.base_model}")] if query.base_model else []
        parameters += [("sort", _SORTS[query.sort])] if query.sort in _SORTS else []
        repos = [repo_of(item) for item in self._api.search(parameters)]
        return tuple(model_of(repo, self._group.endpoint) for repo in repos if repo)[: query.limit]

    def record(self, file: RemoteFile) -> Json:  # noqa: ARG002 - no program keeps this hub's records
        """Null: no program keeps this hub's records beside files."""
        return None

    def whoami(self) -> str:
        """The account name behind the token."""
        return self._api.account()

    # ── for a look-up ──

    def link_in(self, url: str | None) -> HuggingFaceLink | None:
        """The Hugging Face thing a URL names, on the site itself or on the configured endpoint."""
        link = parse_link(self._group.at_home(url, home=HOME)) if url else None
        return link if isinstance(link, HuggingFaceLink) else None

    def repo(self, name: str, revision: str) -> Repo:
        """A repository at the commit that a revision is now."""
        repo = repo_of(self._api.info(name, revision))
        if repo is None:
            raise NotFound(f"{TITLE}: {name} has no readable record", hub=HUB)
        return repo

    def files(self, places: Iterable[Place]) -> dict[Place, RemoteFile]:
        """The files at some places with size and SHA-256, in one request a repository.

        A repository that shows no facts before access is granted gives its files without them; places
        that do not exist are absent.
        """
        by_repo: dict[Repo, list[str]] = {}
        for repo, path in places:
            by_repo.setdefault(repo, []).append(path)
        facts = dict(zip(by_repo, at_once(lambda item: self._facts(*item), by_repo.items()), strict=True))
        return {
            (repo, path): file_of(repo, path, facts[repo][path], self._group.endpoint)
            for repo, paths in by_repo.items()
            for path in paths
            if path in facts[repo]
        }

    def known_repos(self, notice: Callable[[HubError], None]) -> list[Repo]:
        """The known authors' repositories in order of trust; `notice` hears of listings that failed."""

        def listing(author: str) -> list[Value]:
            try:
                return self._api.author(author, pages=_PAGES)
            except Unreachable:
                raise
            except HubError as fault:
                notice(fault)
                return []

        # The first alone, so that a hub out of reach is asked once.
        first = [listing(author) for author in self._authors[:1]]
        return _repos(item for items in first + at_once(listing, self._authors[1:]) for item in items)

    def repos_named(self, text: str) -> list[Repo]:
        """Repositories whose id has that text, most downloaded first."""
        return _repos(self._api.search([("search", text), ("sort", "downloads"), ("limit", "20")]))

    def _facts(self, repo: Repo, paths: Sequence[str]) -> Mapping[str, Value]:
        try:
            return self._api.paths(repo.id, repo.commit or "main", paths)
        except (Gated, LoginRequired):
            return {path: Value(None) for path in paths if path in repo.paths}
        except NotFound:  # gone since it was listed
            return {}


class _Search:
    """One call of `find`, step by step."""

    def __init__(self, hub: HuggingFace, references: Sequence[Reference]) -> None:
        self._hub = hub
        self._lookup = Lookup(references)
        self._known = _Places([])

    def answers(self) -> list[Answer]:
        self._by_link()
        self._by_listing()
        stems = self._lookup.open_by_stem()
        at_once(lambda numbers: self._lookup.ask(numbers, lambda: self._by_search(numbers)), stems)
        return self._lookup.answers()

    def _by_link(self) -> None:
        repos: dict[tuple[str, str], list[tuple[int, HuggingFaceLink]]] = {}
        for n, reference in self._lookup.still_open():
            if link := self._hub.link_in(reference.url):
                repos.setdefault((link.repo, link.revision), []).append((n, link))
        for (name, revision), linked in repos.items():
            numbers = [n for n, _ in linked]
            self._lookup.follow(numbers, partial(self._follow, (name, revision), linked))

    def _follow(self, named: tuple[str, str], linked: Sequence[tuple[int, HuggingFaceLink]]) -> None:
        repo = self._hub.repo(*named)
        places = {n: self._places(repo, link, self._lookup.references[n]) for n, link in linked}
        files = self._hub.files({place: None for some in places.values() for place in some})
        for n, some in places.items():
            reference = self._lookup.references[n]
            found = [files[place] for place in some if place in files]
            chosen = found if reference.linked else found[:1]
            offers = (by_link(reference, file, exact=len(chosen) == 1) for file in chosen)
            self._lookup.keep(n, tuple(candidate for offer in offers for candidate in offer))

    def _places(self, repo: Repo, link: HuggingFaceLink, reference: Reference) -> list[Place]:
        """The file a link names, or in the repository or folder it names, the one with the right name.

        Where there is no name, all of them.
        """
        is_file = link.path is not None and not link.path.endswith("/")
        paths = _paths_of(link, repo)
        if reference.linked:
            return [(repo, path) for path in paths[:MOST]]  # a repository may have thousands
        return [(repo, path) for path in paths if is_file or is_same_name(reference.name, path)]

    def _by_listing(self) -> None:
        numbers = [n for n, _ in self._lookup.open_by_name()]
        if numbers:
            self._lookup.ask(numbers, lambda: self._list(numbers))
            self._lookup.ask(numbers, lambda: self._offer(numbers, [self._known], is_same_name))

    def _list(self, numbers: Sequence[int]) -> None:
        self._known = _Places(self._hub.known_repos(lambda fault: self._lookup.note(numbers, fault)))

    def _by_search(self, numbers: Sequence[int]) -> None:
        shelves = [self._known]
        for text in repository_texts(self._lookup.references[numbers[0]].name):
            shelves.append(_Places(self._hub.repos_named(text)))
            if self._offer(numbers, shelves[-1:], is_same_name):
                return
        self._offer(numbers, shelves, is_like)

    def _offer(
        self, numbers: Sequence[int], shelves: Sequence[_Places], alike: Callable[[str, str], bool]
    ) -> bool:
        """Compare the names on some shelves with those wanted; whether every one was found."""
        picks = {n: self._pick(self._lookup.references[n], shelves, alike) for n in numbers}
        files = self._hub.files({place: None for some in picks.values() for place in some})
        found = True
        for n, places in picks.items():
            offers = [Offer(files[place], (files[place].name,)) for place in places if place in files]
            candidates = by_name(self._lookup.references[n], offers)
            self._lookup.keep(n, candidates)
            found = found and bool(candidates)
        return found

    def _pick(
        self, reference: Reference, shelves: Sequence[_Places], alike: Callable[[str, str], bool]
    ) -> list[Place]:
        places = [place for shelf in shelves for place in shelf.near(reference.name)]
        by_path = {
            (repo.id, path): (repo, path) for repo, path in reversed(places) if alike(reference.name, path)
        }
        return list(reversed(by_path.values()))[:_PICKS]


class _Places:
    """The weight files of some repositories, found by the core of their names, in order of trust."""

    def __init__(self, repos: Sequence[Repo]) -> None:
        self._by_core: dict[str, list[Place]] = {}
        for repo in repos:
            for path in repo.paths:
                self._by_core.setdefault(core_of(path), []).append((repo, path))

    def near(self, name: str) -> list[Place]:
        """The files whose names have the same core; all of the same name are among them."""
        return self._by_core.get(core_of(name), [])


def _repos(items: Iterable[Value]) -> list[Repo]:
    found = [repo for item in items if (repo := repo_of(item))]
    return list({repo.id: repo for repo in found}.values())


def _paths_of(link: HuggingFaceLink, repo: Repo) -> list[str]:
    """The paths a link means: one, or the weight files of its folder or repository."""
    if link.path is not None and not link.path.endswith("/"):
        return [link.path]
    return [path for path in repo.paths if path.startswith(link.path or "")]
