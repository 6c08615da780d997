"""The questions Hugging Face's API answers, put through huggingface_hub's own client.

Taken from that package: the connection (proxies, mirrors, offline mode), headers, and what a status and
`X-Error-Code` mean. Its `HfApi` is not: in 2.4 its listings wait without a time limit and sleep up to 23 s
before they say that nobody answers, and its records fail on an unexpected type with a KeyError.
The functions used here exist from 0.26 (requests) over 1.x (httpx) to 2.4 (httpx2).

    info      GET  /api/models/{repo}/revision/{revision}?expand=…
    paths     POST /api/models/{repo}/paths-info/{commit}         sizes and SHA-256, all paths of a repository
    listing   GET  /api/models?author=…|search=…&expand=siblings  pages of 100
    account   GET  /api/whoami-v2

https://huggingface.co/docs/hub/api
"""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from ...catalog import Json
from ...decode import MIB, DecodeError, Value, parse_json
from ...errors import Gated, HubError, HubUnavailable, LoginRequired, NotFound, Withdrawn
from ...outage import find_cause, is_unknown, tell_lookup
from ..answers import DAY, HOUR, MINUTE, Answers, make_question
from ..hosts import USER_AGENT, HostGroup, bearer
from ..patience import AT_ONCE, Patience, Unreachable, parse_retry_after
from .records import HUB, TITLE, trimmed

_FACTS: Final = (
    "author",
    "cardData",
    "disabled",
    "downloads",
    "gated",
    "lastModified",
    "pipeline_tag",
    "private",
)
_EXPAND: Final = [("expand", name) for name in (*_FACTS, "sha", "siblings", "tags")]
_FOR_EVER: Final = 30 * DAY  # what a commit holds does not change
_TIMEOUT: Final = 30.0
_LIMIT: Final = 10 * MIB
_PATHS_A_CALL: Final = 200
_REPO: Final = re.compile(r"(?:[\w-][\w.-]{0,95}/)?[\w-][\w.-]{0,95}\Z", re.ASCII)
_COMMIT: Final = re.compile(r"[0-9a-f]{40}\Z")

Client = Callable[[], Any]  # a requests.Session or an httpx.Client, as the installed version has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How questions are put: `client` makes connections (by default huggingface_hub's own)."""

    patience: Patience = field(default_factory=Patience)
    client: Client | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class HuggingFaceApi:
    """Hugging Face's JSON."""

    def __init__(
        self, group: HostGroup, *, token: Callable[[], str | None], answers: Answers | None, ways: Ways
    ) -> None:
        self._group = group
        self._token = token
        self._answers = answers
        self._ways = ways
        self._gate = threading.BoundedSemaphore(AT_ONCE)

    def info(self, repo: str, revision: str) -> Value:
        """A repository at a revision: commit, access, licence and the names of its weight files.

        Raises:
            HubError: NotFound, Gated, LoginRequired, Withdrawn, HubUnavailable.
        """
        path = f"/api/models/{_repo_path(repo)}/revision/{quote(revision, safe='')}"
        seconds = _FOR_EVER if _COMMIT.match(revision) else 10 * MINUTE

        def ask() -> Json:
            return trimmed(_named(self._json("GET", path, params=_EXPAND)[0])).json

        return Value(self._kept(self._question("info", repo, revision), ask, seconds=seconds))

    def paths(self, repo: str, commit: str, paths: Sequence[str]) -> dict[str, Value]:
        """Size and SHA-256 of files at a commit; paths that are not there are absent.

        Raises:
            HubError: as `info`.
        """
        table: dict[str, Json] = {}
        for path in paths:
            if self._answers and (kept := self._answers.recall(self._question("path", repo, commit, path))):
                table[path] = kept.answer
        missing = [path for path in dict.fromkeys(paths) if path not in table]
        for start in range(0, len(missing), _PATHS_A_CALL):
            some = missing[start : start + _PATHS_A_CALL]
            for path, json in self._paths_info(repo, commit, some).items():
                table[path] = json
                if self._answers:
                    question = self._question("path", repo, commit, path)
                    self._answers.remember(question, json, seconds=_FOR_EVER)
        return {path: Value(json) for path, json in table.items()}

    def author(self, author: str, *, pages: int) -> list[Value]:
        """An author's repositories with the names of their weight files, most downloaded first."""
        parameters = [("author", author), ("sort", "downloads"), ("limit", "100"), *_EXPAND]
        return self._listing(parameters, pages=pages, seconds=DAY)

    def search(self, parameters: Sequence[tuple[str, str]]) -> list[Value]:
        """One page of repositories; `search` is compared with their ids only."""
        return self._listing([*parameters, *_EXPAND], pages=1, seconds=HOUR)

    def account(self) -> str:
        """The name behind the token; never kept.

        Raises:
            LoginRequired: there is no token, or the hub does not accept it.
        """
        if not (self._token() or "").strip():
            raise LoginRequired(f"{TITLE}: no token is set", hub=HUB)
        name = self._json("GET", "/api/whoami-v2")[0]["name"].text_or_none()
        if not name:
            raise LoginRequired(f"{TITLE}: the token is nobody's", hub=HUB)
        return name

    # ── asking ──

    def _listing(self, parameters: Sequence[tuple[str, str]], *, pages: int, seconds: float) -> list[Value]:
        def ask() -> Json:
            found: list[Json] = []
            url: str | None = "/api/models"
            for page in range(pages):
                if url is None:
                    break
                body, url = self._json("GET", url, params=parameters if page == 0 else None)
                found.extend(trimmed(item).json for item in _records(body))
            return found

        question = self._question("listing", pages, [list(pair) for pair in parameters])
        return _records(Value(self._kept(question, ask, seconds=seconds)))

    def _paths_info(self, repo: str, commit: str, paths: Sequence[str]) -> dict[str, Json]:
        path = f"/api/models/{_repo_path(repo)}/paths-info/{quote(commit, safe='')}"
        sendable = [name.encode("utf-8", "replace").decode() for name in paths]
        body, _ = self._json("POST", path, data={"paths": sendable, "expand": "False"})
        found = {record["path"].text_or_none(): record for record in _records(body)}
        return {
            name: found[name].json for name in paths if name in found and found[name]["type"].json == "file"
        }

    def _json(self, method: str, path: str, **content: object) -> tuple[Value, str | None]:
        """The answer and the URL of the next page, if there is one on this hub."""
        url = path if path.startswith("http") else f"{self._group.endpoint}{path}"
        return self._ways.patience.ask(lambda: self._once(method, url, content))

    def _once(self, method: str, url: str, content: Mapping[str, object]) -> tuple[Value, str | None]:
        tools = _tools()
        headers = self._headers()
        with self._gate, self._translated():
            client: Any = (self._ways.client or tools.get_session)()
            response = client.request(method, url, headers=headers, timeout=_TIMEOUT, **content)
            tools.hf_raise_for_status(response)
            following = response.links.get("next", {}).get("url")
            body = response.content
        try:
            answer = Value(parse_json(body, limit=_LIMIT))
        except DecodeError as fault:
            raise HubUnavailable(f"{TITLE}: expected JSON, got this: {fault.message}", hub=HUB) from fault
        return answer, following if following and self._group.owns(following) else None

    def _headers(self) -> Mapping[str, str]:
        """Our own headers: huggingface_hub's would first ask the hub what kind of agent calls it."""
        return {"accept": "application/json", "user-agent": USER_AGENT, **bearer(HUB, self._token())}

    def _kept(self, question: str, ask: Callable[[], Json], *, seconds: float) -> Json:
        if self._answers is None:
            return ask()
        if kept := self._answers.recall(question):
            return kept.answer
        answer = ask()
        self._answers.remember(question, answer, seconds=seconds if answer else 10 * MINUTE)
        return answer

    def _question(self, *what: Json) -> str:
        return make_question(self._group.endpoint, self._token(), *what)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what huggingface_hub and its HTTP library raise into a hub's errors."""
        from huggingface_hub import errors

        broken: tuple[type[Exception], ...] = (OSError, *_http_errors("HTTPError", "RequestException"))
        odd: tuple[type[Exception], ...] = (
            RuntimeError,
            ValueError,
            *_http_errors("InvalidURL", "CookieConflict"),
        )
        try:
            yield
        except errors.OfflineModeIsEnabled as fault:
            hint = "Unset HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) to ask this hub."
            raise Unreachable(f"{TITLE}: switched off by HF_HUB_OFFLINE", hub=HUB, hint=hint) from fault
        except (errors.HfHubHTTPError, errors.EntryNotFoundError) as fault:
            raise self._refusal(fault) from fault
        except broken as fault:
            lookup = find_cause(fault, socket.gaierror)
            if lookup is not None:
                told = tell_lookup(urlsplit(self._group.endpoint).hostname or HUB)
                raise Unreachable(told, hub=HUB, again=True, once=is_unknown(lookup)) from fault
            raise Unreachable(f"{TITLE}: cannot be reached, or broke off", hub=HUB, again=True) from fault
        except odd as fault:
            told = f"{TITLE}: the question could not be put ({type(fault).__name__})"
            raise HubUnavailable(told, hub=HUB) from fault

    def _refusal(self, fault: Exception) -> HubError:
        """What a refusal means; GatedRepoError is a kind of RepositoryNotFoundError, so the order counts."""
        from huggingface_hub import errors

        match fault:
            case errors.GatedRepoError():
                return Gated(f"{TITLE}: its owner must grant access first", hub=HUB)
            case errors.DisabledRepoError():
                return Withdrawn(f"{TITLE}: the repository is disabled", hub=HUB)
            case errors.RepositoryNotFoundError():
                # An anonymous question for a missing repository is answered as one for a private one.
                hint = "Check the spelling; if the repository is private, set a token that may read it."
                return NotFound(f"{TITLE}: no such repository, or a private one", hub=HUB, hint=hint)
            case errors.RevisionNotFoundError() | errors.EntryNotFoundError():
                return NotFound(f"{TITLE}: no such file or revision", hub=HUB)
        return self._by_status(getattr(fault, "response", None))

    def _by_status(self, response: Any) -> HubError:
        """What a status without a code of the hub's own means; 0 is no answer at all."""
        status = getattr(response, "status_code", 0)
        if status == 429 or status in (408, 502, 503, 504) or 520 <= status < 530:
            wait = parse_retry_after(response.headers, now=self._ways.now())
            words = "too many requests" if status == 429 else "overloaded or down"
            return Unreachable(f"{TITLE}: {words} ({status})", hub=HUB, again=True, retry_after=wait)
        if status == 403 and "html" in response.headers.get("content-type", ""):
            hint = "Wait some minutes, or switch a VPN or proxy off."
            return Unreachable(
                f"{TITLE}: its guard (403, a web page) let no request through", hub=HUB, hint=hint
            )
        match status:
            case 401:
                fault: HubError = LoginRequired(f"{TITLE}: does not accept the token (401)", hub=HUB)
            case 403:
                hint = "Give the token the right to read this repository, at huggingface.co/settings/tokens."
                fault = LoginRequired(f"{TITLE}: the token may not read this (403)", hub=HUB, hint=hint)
            case 404:
                fault = NotFound(f"{TITLE}: there is no such thing (404)", hub=HUB)
            case 451:
                fault = Unreachable(f"{TITLE}: not available in this region (451)", hub=HUB)
            case _:
                fault = HubUnavailable(f"{TITLE}: did not answer the question ({status})", hub=HUB)
        return fault


def _tools() -> Any:
    """huggingface_hub.utils: its public helpers, which its stubs do not all show."""
    from huggingface_hub import utils

    return utils


def _http_errors(*names: str) -> tuple[type[Exception], ...]:
    """Exceptions of the HTTP library below the installed huggingface_hub, those of the names it has."""
    from huggingface_hub.errors import HfHubHTTPError

    library = sys.modules[HfHubHTTPError.__bases__[0].__module__.partition(".")[0]]
    return tuple(getattr(library, name) for name in names if hasattr(library, name))


def _repo_path(repo: str) -> str:
    """A repository's id, when it can be one; nothing else gets into a path.

    Raises:
        NotFound: it cannot.
    """
    if not _REPO.match(repo) or ".." in repo:
        raise NotFound(f"{TITLE}: no repository can be called {repo[:120]!r}", hub=HUB)
    return repo


def _named(value: Value) -> Value:
    if not (value["id"].text_or_none() or value["modelId"].text_or_none()):
        raise HubUnavailable(f"{TITLE}: expected a repository, got something else", hub=HUB)
    return value


def _records(value: Value) -> list[Value]:
    if not isinstance(value.json, list):
        raise HubUnavailable(f"{TITLE}: expected a list of records, got something else", hub=HUB)
    return [item for item in value.items() if isinstance(item.json, dict)]
