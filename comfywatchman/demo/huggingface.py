"""Speaks as the Hugging Face Hub does, from the shelf.

Facts: huggingface_hub 2.4.0, hub-docs, and answers recorded until September 2026. A large file is a 302 to
the CDN that carries commit, size and SHA-256 in `X-Linked-…` headers; a small one a relative 307 and
then the bytes. A repository that is missing or private is 401 for a visitor and 404 for an account.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import parse_qs, quote, urlencode

from ..decode import DecodeError
from .delivery import ranged
from .huggingface_json import Fields, author_of, pointer, repo_fields, repo_info, siblings, tree_entries
from .shelf import Account, Blob, Commit, ServedRepo, Shelf, is_large
from .wire import Answer, Request, Route, html_answer, json_answer

Sign = Callable[[Blob, str], str]
Entry = TypeVar("Entry")

_REPO: Final = r"(?P<repo_id>[^/]+/[^/]+)"
_REVISION: Final = r"(?P<revision>[^/]+)"
_PATH: Final = r"(?P<path>.+)"
_TREE_PAGE: Final = 1000


class Refusal(Exception):
    """A request ends here with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class HuggingFace:
    """The routes of Hugging Face over a shelf; `sign` makes the CDN address of a large file."""

    def __init__(self, shelf: Shelf, sign: Sign) -> None:
        self.shelf = shelf
        self.sign = sign

    def routes(self) -> tuple[Route, ...]:
        """Every route, by the names the log uses."""
        api = "/api/models"
        handlers: tuple[tuple[str, str, str, Callable[..., Answer]], ...] = (
            ("whoami", "GET", "/api/whoami-v2", self.whoami),
            (
                "resolve-cache",
                "GET",
                rf"/api/resolve-cache/models/{_REPO}/{_REVISION}/{_PATH}",
                self.small_file,
            ),
            ("models", "GET", api, self.models),
            ("auth-check", "GET", rf"{api}/{_REPO}/auth-check", self.auth_check),
            ("paths-info", "POST", rf"{api}/{_REPO}/paths-info/{_REVISION}", self.paths_info),
            ("tree", "GET", rf"{api}/{_REPO}/tree/{_REVISION}(/(?P<path>.*))?", self.tree),
            ("info", "GET", rf"{api}/{_REPO}(/revision/{_REVISION})?", self.info),
            ("resolve", "GET", rf"/{_REPO}/resolve/{_REVISION}/{_PATH}", self.resolve),
            ("raw", "GET", rf"/{_REPO}/raw/{_REVISION}/{_PATH}", self.raw),
            ("page", "GET", rf"/{_REPO}(/(blob|tree)/.+)?", self.page),
        )
        return tuple(Route(name, methods, path, _whole(handle)) for name, methods, path, handle in handlers)

    # ── who asks, and what they may see ──

    def account(self, request: Request) -> Account | None:
        """Who asks; None for a visitor and for a token nobody has."""
        return self.shelf.account(request.bearer)

    def repo(self, request: Request, repo_id: str) -> ServedRepo:
        """The repository, if this request may know of it.

        Raises:
            Refusal: 401 or 404 RepoNotFound, 401 for a bad token, 403 for a disabled one.
        """
        repo, account = self.shelf.repo(repo_id), self.account(request)
        if request.bearer is not None and account is None and not (repo and repo.gated):
            raise Refusal(_error(401, "Invalid credentials in Authorization header"))
        if repo is None or (repo.private and (account is None or repo.id not in account.granted)):
            if account is None:
                raise Refusal(_error(401, "Invalid username or password.", "RepoNotFound"))
            raise Refusal(_error(404, "Repository not found", "RepoNotFound"))
        if repo.disabled:
            raise Refusal(_error(403, "Access to this resource is disabled."))
        return repo

    def commit(self, request: Request, repo_id: str, revision: str) -> tuple[ServedRepo, Commit]:
        """The state of a repository that a revision names.

        Raises:
            Refusal: as `repo`, or 404 RevisionNotFound.
        """
        repo = self.repo(request, repo_id)
        commit = repo.commit(revision or "main")
        if commit is None:
            raise Refusal(_error(404, f"Invalid rev id: {revision}", "RevisionNotFound"))
        return repo, commit

    def file(
        self, request: Request, repo_id: str, revision: str, path: str
    ) -> tuple[ServedRepo, Commit, Blob]:
        """A file this request may have.

        Raises:
            Refusal: as `commit`, 401 or 403 GatedRepo, 404 EntryNotFound.
        """
        repo, commit = self.commit(request, repo_id, revision)
        self.admit(request, repo)
        blob = commit.files.get(path)
        if blob is None:
            raise Refusal(_error(404, "Entry not found", "EntryNotFound", {"X-Repo-Commit": commit.sha}))
        return repo, commit, blob

    def admit(self, request: Request, repo: ServedRepo) -> None:
        """Let only those into a gated repository who were granted access.

        Raises:
            Refusal: 401 for a visitor, 403 for an account.
        """
        account = self.account(request)
        if not repo.gated or (account is not None and repo.id in account.granted):
            return
        restricted = f"Access to model {repo.id} is restricted"
        if account is None:
            text = (
                f"{restricted}. You must have access to it and be authenticated to access it. Please log in."
            )
            raise Refusal(_error(401, text, "GatedRepo"))
        raise Refusal(_error(403, f"{restricted} and you are not in the authorized list.", "GatedRepo"))

    # ── files ──

    def resolve(self, request: Request, repo_id: str, revision: str, path: str) -> Answer:
        """The way to a file's bytes."""
        repo, commit, blob = self.file(request, repo_id, revision, path)
        if not is_large(path, blob):
            query = f"%2F{quote(f'{repo.id}/resolve/{revision}/{path}', safe='')}=&etag=%22{blob.git_oid}%22"
            place = f"/api/resolve-cache/models/{repo.id}/{commit.sha}/{quote(path)}?{query}"
            return Answer(status=307, headers={"Location": place, "X-Repo-Commit": commit.sha})
        headers = {
            "Location": self.sign(blob, path.rpartition("/")[2]),
            "X-Repo-Commit": commit.sha,
            "X-Linked-Size": str(len(blob.data)),
            "X-Linked-Etag": f'"{blob.sha256}"',
            "ETag": f'"{blob.git_oid}"',
            "Accept-Ranges": "bytes",
            "Vary": "Origin, Accept",
        }
        return Answer(status=302, headers=headers, body=b"Found. Redirecting")

    def small_file(self, request: Request, repo_id: str, revision: str, path: str) -> Answer:
        """A file that git itself holds; its ETag is git's id."""
        _, commit, blob = self.file(request, repo_id, revision, path)
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "X-Repo-Commit": commit.sha,
            "ETag": f'"{blob.git_oid}"',
            "Accept-Ranges": "bytes",
        }
        return ranged(request, Answer(headers=headers, body=blob.data))

    def raw(self, request: Request, repo_id: str, revision: str, path: str) -> Answer:
        """What git holds: for a large file the pointer text, which is no model."""
        _, commit, blob = self.file(request, repo_id, revision, path)
        body = pointer(blob) if is_large(path, blob) else blob.data
        headers = {"Content-Type": "text/plain; charset=utf-8", "X-Repo-Commit": commit.sha}
        return Answer(headers=headers, body=body)

    def page(self, request: Request, repo_id: str, **_: str) -> Answer:
        """A page for people: the repository, a `blob` or a `tree`."""
        return html_answer(f"{self.repo(request, repo_id).id} · Hugging Face")

    # ── the API ──

    def whoami(self, request: Request) -> Answer:
        """The account behind the token."""
        account = self.account(request)
        if account is None:
            return _error(401, "Invalid username or password.")
        token = {"type": "access_token", "accessToken": {"displayName": "standin", "role": "read"}}
        return json_answer(
            {"type": "user", "id": "65bef127", "name": account.name, "auth": token, "orgs": []}
        )

    def auth_check(self, request: Request, repo_id: str) -> Answer:
        """Whether this request may have the files."""
        self.admit(request, self.repo(request, repo_id))
        return json_answer({})

    def models(self, request: Request) -> Answer:
        """A page of repositories: `search` looks at the ids alone."""
        search, author = (request.first("search") or "").lower(), request.first("author")
        found = [
            repo
            for repo in self.shelf.repos
            if search in repo.id.lower()
            and author in (None, author_of(repo))
            and set(request.query.get("filter", ())) <= set(repo.tags)
            and not repo.private
        ]
        if request.first("sort") in ("downloads", "likes"):
            key = str(request.first("sort"))
            found.sort(key=lambda repo: -int(getattr(repo, key)))
        items, headers = _page(request, found, int(request.first("limit") or _TREE_PAGE))
        return json_answer([_item(request, repo) for repo in items], headers=headers)

    def info(self, request: Request, repo_id: str, revision: str) -> Answer:
        """A repository; a gated one too, for everybody."""
        repo, commit = self.commit(request, repo_id, revision)
        if expand := _expanded(request):
            return json_answer(repo_fields(repo, commit, expand))
        blobs = request.first("blobs") in ("true", "True", "1")
        return json_answer(repo_info(repo, commit) | {"siblings": siblings(commit, blobs=blobs)})

    def paths_info(self, request: Request, repo_id: str, revision: str) -> Answer:
        """What stands at some paths; those where nothing stands are left out."""
        _, commit = self.commit(request, repo_id, revision)
        paths, expand = _asked_paths(request)
        entries = {str(entry["path"]): entry for entry in tree_entries(commit, expand=expand)}
        return json_answer([entries[path] for path in paths if path in entries])

    def tree(self, request: Request, repo_id: str, revision: str, path: str) -> Answer:
        """The entries of a folder, or of everything below it."""
        _, commit = self.commit(request, repo_id, revision)
        below = f"{path.rstrip('/')}/" if path else ""
        recursive = request.first("recursive") in ("true", "True", "1")
        expand = request.first("expand") in ("true", "True", "1")
        entries = [
            entry
            for entry in tree_entries(commit, expand=expand)
            if str(entry["path"]).startswith(below)
            and (recursive or "/" not in str(entry["path"]).removeprefix(below))
        ]
        if path and not entries:
            return _error(404, f"{path} does not exist on {revision}", "EntryNotFound")
        items, headers = _page(
            request, entries, int(request.first("limit") or (50 if expand else _TREE_PAGE))
        )
        return json_answer(items, headers=headers)


def _whole(handle: Callable[..., Answer]) -> Callable[..., Answer]:
    """A handler whose refusals are answers, with the headers every answer of the hub has."""

    def answer(request: Request, **groups: str) -> Answer:
        try:
            given = handle(request, **groups)
        except Refusal as refusal:
            given = refusal.answer
        kind, most = ("api", 500) if request.path.startswith("/api/") else ("resolvers", 3000)
        return given.with_headers(
            X_Request_Id="Root=1-68c0ffee-0123456789abcdef01234567",
            RateLimit=f'"{kind}";r={most - 1};t=300',
            RateLimit_Policy=f'"fixed window";"{kind}";q={most};w=300',
        )

    return answer


def _error(
    status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    told = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(headers or {})}
    return json_answer({"error": message}, status, told)


def _page(request: Request, items: list[Entry], limit: int) -> tuple[list[Entry], dict[str, str]]:
    """One page of items, and the Link header while there are more."""
    start = int(request.first("cursor") or 0)
    if start + limit >= len(items):
        return items[start:], {}
    query = urlencode({**request.query, "cursor": start + limit}, doseq=True)
    link = f'<http://{request.host}{request.path}?{query}>; rel="next"'
    return items[start : start + limit], {"Link": link}


def _asked_paths(request: Request) -> tuple[list[str], bool]:
    """The paths and the wish to expand, from a form or from JSON."""
    try:
        body = request.json()
    except DecodeError:
        form = parse_qs(request.body.decode())
        return form.get("paths", []), form.get("expand", [""])[0].lower() == "true"
    if not isinstance(body, dict):
        return [], False
    paths = body.get("paths")
    listed = [path for path in paths if isinstance(path, str)] if isinstance(paths, list) else []
    return listed, body.get("expand") is True


def _expanded(request: Request) -> set[str]:
    return {*request.query.get("expand[]", ()), *request.query.get("expand", ())}


def _item(request: Request, repo: ServedRepo) -> Fields:
    """A repository in a listing."""
    if expand := _expanded(request):
        return repo_fields(repo, repo.commits[0], {"modelId", *expand})
    brief = {"modelId", "likes", "private", "downloads", "tags", "pipeline_tag", "library_name", "createdAt"}
    if request.first("full") in ("true", "True", "1"):
        brief |= {"author", "gated", "lastModified", "sha", "siblings"}
    return repo_fields(repo, repo.commits[0], brief)
