"""The questions CivitAI's API answers, each with what it costs and how long its answer is kept.

    models           GET  /api/v1/models?ids=…                  one request for 25 models
    model, version   GET  /api/v1/models/:id, model-versions/:id
    ids_by_sha256    POST /api/v1/model-versions/by-hash/ids    one for 10,000 digests
    versions_by_…    POST /api/v1/model-versions/by-hash        one for 100; may hold nulls and duplicates
    version_by_hash  GET  /api/v1/model-versions/by-hash/:hash  any algorithm
    listing          GET  /api/v1/models?query=…

https://developer.civitai.com and the site's source (src/pages/api/v1, ebed661630d3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from ...catalog import Json
from ...decode import Value
from ...errors import Gated, HubError, HubUnavailable, LoginRequired, NotFound, Withdrawn
from ..answers import DAY, HOUR, MINUTE, Answers, make_question
from ..hosts import HostGroup, bearer
from ..session import Parameters, Reply, Session
from .images import trimmed_images
from .terms import HUB, TITLE, id_of

# A model with many versions and example images was recorded with 87 KB: 25 stay far below the limit.
_MODELS_A_CALL: Final = 25
_DIGESTS_A_CALL: Final = 10_000
_VERSIONS_A_CALL: Final = 100

_FACT: Final = 30 * DAY  # which version a digest belongs to does not change
_RECORD: Final = 6 * HOUR  # versions are added, early access ends
_SEARCH: Final = HOUR
_ABSENCE: Final = 10 * MINUTE

T = TypeVar("T")


class CivitaiApi:
    """CivitAI's JSON. `token` is asked anew for every request, since it may be set while this runs."""

    def __init__(
        self,
        session: Session,
        group: HostGroup,
        *,
        token: Callable[[], str | None],
        answers: Answers | None,
    ) -> None:
        self._session = session
        self._group = group
        self._token = token
        self._answers = answers

    def model(self, model_id: int) -> Value | None:
        """One model with all its versions, archived ones too; None when there is none."""
        return self._record("model", f"/api/v1/models/{model_id}", model_id)

    def version(self, version_id: int) -> Value | None:
        """One version; None when there is none or it is not published."""
        return self._record("version", f"/api/v1/model-versions/{version_id}", version_id)

    def version_by_hash(self, hex_digits: str) -> Value | None:
        """The version with a file of that hash, of whichever algorithm; None when there is none."""
        return self._record("by-hash", f"/api/v1/model-versions/by-hash/{hex_digits.upper()}", hex_digits)

    def models(self, model_ids: Iterable[int]) -> dict[int, Value]:
        """Many models by id. What the site hides from listings (archived, some flags) is absent."""

        def ask(some: list[int]) -> dict[int, Json]:
            wanted = ",".join(map(str, some))
            reply = self._get("/api/v1/models", [("ids", wanted), ("nsfw", "true"), ("limit", "100")])
            found = {id_of(item["id"]): _trimmed(item.json) for item in _items(self._body(reply)["items"])}
            return {model_id: found.get(model_id) for model_id in some}

        kept = self._batched("model", model_ids, ask, a_call=_MODELS_A_CALL, seconds=_RECORD)
        return {model_id: Value(json) for model_id, json in kept.items() if json is not None}

    def ids_by_sha256(self, digests: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Model and version id for each SHA-256 (lower-case hex) the site knows."""

        def ask(some: list[str]) -> dict[str, Json]:
            reply = self._post("/api/v1/model-versions/by-hash/ids", [digest.upper() for digest in some])
            found: dict[str, Json] = dict.fromkeys(some)
            for row in _items(self._body(reply)):
                ids = [id_of(row["modelId"]), id_of(row["modelVersionId"])]
                digest = (row["hash"].text_or_none() or "").lower()
                if digest in found and found[digest] is None and None not in ids:
                    found[digest] = [*ids]
            return found

        kept = self._batched("digest", digests, ask, a_call=_DIGESTS_A_CALL, seconds=_FACT)
        pairs = {digest: (id_of(Value(json)[0]), id_of(Value(json)[1])) for digest, json in kept.items()}
        return {digest: (model, version) for digest, (model, version) in pairs.items() if model and version}

    def versions_by_sha256(self, digests: list[str]) -> list[Value]:
        """The versions with files of these SHA-256; for what `models` does not show."""
        found: list[Value] = []
        for some in _batches(digests, _VERSIONS_A_CALL):
            reply = self._post("/api/v1/model-versions/by-hash", [digest.upper() for digest in some])
            found.extend(_items(self._body(reply)))
        return found

    def listing(self, parameters: Parameters) -> list[Value]:
        """One page of models."""
        question = self._question("listing", [list(pair) for pair in parameters])
        kept = self._kept(
            question,
            lambda: [
                _trimmed(i.json) for i in _items(self._body(self._get("/api/v1/models", parameters))["items"])
            ],
            fresh=lambda found: _SEARCH if found else _ABSENCE,
        )
        return list(_items(Value(kept)))

    def account(self) -> str:
        """The name behind the token; never kept.

        Raises:
            LoginRequired: there is no token, or the site takes it for nobody's.
        """
        if not (self._token() or "").strip():
            raise LoginRequired(f"{TITLE}: no token is set", hub=HUB)
        body = self._body(self._get("/api/v1/me", ()))
        name = body["username"].json
        if isinstance(name, str | int) and not isinstance(name, bool):
            return str(name)
        raise LoginRequired(f"{TITLE}: the token is nobody's", hub=HUB)

    # ── asking ──

    def _record(self, kind: str, path: str, key: Json) -> Value | None:
        def ask() -> Json:
            reply = self._get(path, ())
            return None if reply.status == 404 else _trimmed(_identified(self._body(reply)).json)

        json = self._kept(self._question(kind, key), ask, fresh=lambda found: _RECORD if found else _ABSENCE)
        return Value(json) if json is not None else None

    def _batched(
        self,
        kind: str,
        keys: Iterable[T],
        ask: Callable[[list[T]], dict[T, Json]],
        *,
        a_call: int,
        seconds: float,
    ) -> dict[T, Json]:
        """Answers for many keys: the kept ones, and the others in few requests, each kept by itself."""
        table: dict[T, Json] = {}
        missing = []
        for key in dict.fromkeys(keys):
            kept = self._answers.recall(self._question(f"{kind}s", str(key))) if self._answers else None
            if kept is None:
                missing.append(key)
            else:
                table[key] = kept.answer
        for some in _batches(missing, a_call):
            for key, json in ask(some).items():
                table[key] = json
                if self._answers:
                    fresh = seconds if json is not None else _ABSENCE
                    self._answers.remember(self._question(f"{kind}s", str(key)), json, seconds=fresh)
        return table

    def _kept(self, question: str, ask: Callable[[], Json], *, fresh: Callable[[Json], float]) -> Json:
        if self._answers is None:
            return ask()
        if kept := self._answers.recall(question):
            return kept.answer
        answer = ask()
        self._answers.remember(question, answer, seconds=fresh(answer))
        return answer

    def _question(self, *what: Json) -> str:
        return make_question(self._group.endpoint, self._token(), *what)

    def _get(self, path: str, parameters: Parameters) -> Reply:
        return self._session.get(self._group, path, parameters=parameters, headers=self._headers())

    def _post(self, path: str, body: list[str]) -> Reply:
        return self._session.post(self._group, path, json=[*body], headers=self._headers())

    def _headers(self) -> Mapping[str, str]:
        return bearer(HUB, self._token())

    def _body(self, reply: Reply) -> Value:
        """The answer, when it is one."""
        if reply.status == 200:
            return reply.body
        raise _refusal(reply)


def _refusal(reply: Reply) -> HubError:
    """What a status other than 200 means; the site's words are shown and never decide."""
    said = reply.said or "no reason given"
    match reply.status:
        case 401:
            return LoginRequired(f"{TITLE}: {said} (401)", hub=HUB)
        case 403:
            return Gated(f"{TITLE}: {said} (403)", hub=HUB)
        case 404:
            return NotFound(f"{TITLE}: {said} (404)", hub=HUB)
        case 410:
            return Withdrawn(f"{TITLE}: {said} (410)", hub=HUB)
        case status:
            return HubUnavailable(f"{TITLE}: did not take the question: {said} ({status})", hub=HUB)


def _trimmed(json: Json) -> Json:
    """A record without its example images, which are most of its bytes, but for the one to show."""
    if isinstance(json, list):
        return [_trimmed(item) for item in json]
    if not isinstance(json, dict):
        return json
    trims = {"modelVersions": _trimmed, "images": trimmed_images}
    return {key: trims[key](value) if key in trims else value for key, value in json.items()}


def _identified(value: Value) -> Value:
    if id_of(value["id"]) is None:
        raise HubUnavailable(f"{TITLE}: expected a record with an id, got something else", hub=HUB)
    return value


def _items(value: Value) -> list[Value]:
    """The objects of a list; the site's lists may hold nulls."""
    if not isinstance(value.json, list):
        raise HubUnavailable(f"{TITLE}: expected a list of records, got something else", hub=HUB)
    return [item for item in value.items() if isinstance(item.json, dict)]


def _batches(items: list[T], size: int) -> list[list[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
