"""CivitAI: by digest, by link and by name.

Many references are looked up together: digests in one request, then the models they belong to, 25 a
request; links likewise; a name costs at most two searches, since the site's search knows the names of works,
not of files, and what it finds is compared here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from ...air import CIVITAI_HOSTS, CivitaiLink, HubLink, parse_link
from ...catalog import Access, Json, Model, RemoteFile
from ...decode import DecodeError, Value
from ...digest import Digest
from ...errors import EarlyAccess, HubError, NotFound, Withdrawn
from ...resolution import Evidence
from ...workflow.references import Reference
from ..answers import Answers
from ..base import Answer, SearchQuery
from ..choosing import Offer, by_digest, by_link, by_name, has_digest
from ..hosts import HostGroup, HubSite
from ..likeness import is_same_name, search_texts
from ..lookup import Lookup
from ..patience import at_once
from ..session import Session
from .api import CivitaiApi
from .records import Record, Site, model_of, objects, records_of_model, records_of_version
from .terms import HUB, TITLE, access_of, id_of, model_types

HOME: Final = "https://civitai.com"
_SORTS: Final = {"downloads": "Most Downloaded", "likes": "Most Liked", "newest": "Newest"}
_HITS: Final = "40"  # the search puts popular works before exact ones, so a few more are looked at


class Civitai(HubSite):
    """The hub CivitAI, under all its names.

    `now` judges whether early access has ended.
    """

    def __init__(
        self,
        session: Session,
        *,
        endpoint: str = HOME,
        token: Callable[[], str | None],
        answers: Answers | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(HostGroup(hub=HUB, hosts=CIVITAI_HOSTS, endpoint=endpoint), token)
        self._api = CivitaiApi(session, self._group, token=token, answers=answers)
        self._now = now

    def find(self, references: Sequence[Reference]) -> list[Answer]:
        """Look for many references at once: by digest, then by link, then by name."""
        return _Search(self, references).answers()

    def open(self, link: HubLink) -> tuple[RemoteFile, ...]:
        """The weight files of the version a link points at, the one meant first.

        Raises:
            NotFound: there is no such thing, or the link is another hub's.
            Withdrawn: the work is archived or taken down.
            EarlyAccess: files are not even shown before access is bought.
            HubError: as every question.
        """
        if not isinstance(link, CivitaiLink):
            raise NotFound(f"{TITLE}: {link} is another hub's", hub=HUB)
        return tuple(record.file for record in self.records(link, {}))

    def identify(self, digest: Digest) -> tuple[RemoteFile, ...]:
        """The files with that digest, of any algorithm."""
        if digest.algorithm == "sha256":
            return self.files_by_sha256([digest.hex]).get(digest.hex, ())
        version = self._api.version_by_hash(digest.hex)
        if version is None and digest.algorithm == "autov3":
            version = self._api.version_by_hash(digest.hex[:12])  # the site's form since 2024
        return _having(self._records_of_lone(version), digest) if version else ()

    def search(self, query: SearchQuery) -> tuple[Model, ...]:
        """Models for a person to browse, sorted here where the site's text search does not."""
        parameters = [("limit", str(min(max(query.limit, 1), 100)))]
        parameters += [("query", query.text)] if query.text.strip() else []
        parameters += [("types", kind) for kind in model_types(query.type)]
        parameters += [("baseModels", query.base_model)] if query.base_model else []
        parameters += [("sort", _SORTS[query.sort])] if query.sort in _SORTS else []
        parameters += [("nsfw", "true")] if query.nsfw else []
        models = [self._model(item) for item in self._api.listing(parameters)]
        shown = [model for model in models if model is not None and (query.nsfw or not model.nsfw)]
        if query.sort == "downloads":
            shown.sort(key=lambda model: -(model.downloads or 0))
        return tuple(shown[: query.limit])

    def record(self, file: RemoteFile) -> Json:
        """The version a file belongs to, as `/api/v1/model-versions/:id` has it, without example images."""
        links = [link for address in (file.page, file.url) if (link := self.link_in(address))]
        version_id = next((link.version_id for link in links if link.version_id), None)
        version = self._api.version(version_id) if version_id else None
        if version is None or not isinstance(version.json, dict):
            return None
        return {key: value for key, value in version.json.items() if key != "images"}

    def whoami(self) -> str:
        """The account name behind the token."""
        return self._api.account()

    # ── for a look-up ──

    def link_in(self, url: str | None) -> CivitaiLink | None:
        """The CivitAI thing a URL names, on the site itself or on the configured endpoint."""
        link = parse_link(self._group.at_home(url, home=HOME)) if url else None
        return link if isinstance(link, CivitaiLink) else None

    def files_by_sha256(self, digests: Sequence[str]) -> dict[str, tuple[RemoteFile, ...]]:
        """The files with each of many SHA-256 digests (lower-case hex)."""
        ids = self._api.ids_by_sha256(digests)
        models = self._api.models(model_id for model_id, _ in ids.values())
        files: dict[str, tuple[RemoteFile, ...]] = {}
        for digest, (model_id, version_id) in ids.items():
            model = models.get(model_id)
            records = records_of_model(model, self._site()).get(version_id, ()) if model else ()
            files[digest] = _having(records, Digest.sha256(digest))
        hidden = [digest for digest, found in files.items() if not found]
        for version in self._api.versions_by_sha256(hidden):
            records = self._records_of_lone(version)
            for digest in hidden:
                files[digest] = files[digest] or _having(records, Digest.sha256(digest))
        return files

    def models(self, model_ids: Sequence[int]) -> dict[int, Value]:
        """Many models by id, those that listings show."""
        return self._api.models(model_ids)

    def records(self, link: CivitaiLink, models: Mapping[int, Value]) -> tuple[Record, ...]:
        """What a link points at, with `models` already at hand; the one meant first."""
        model = (models.get(link.model_id) or self._api.model(link.model_id)) if link.model_id else None
        version = self._version_of(link, model)
        work = model or version["model"]
        records = records_of_version(version, work, self._site())
        chosen = [r for r in records if link.file_id is None or r.file.id == str(link.file_id)]
        if not chosen:
            raise _why_none(link, access_of(version, work, self._now()))
        return tuple(chosen)

    def search_files(self, text: str) -> list[Offer]:
        """The files of the works that the site's search finds for a text, as offers for a name."""
        offers = []
        for model in self._api.listing([("query", text), ("limit", _HITS), ("nsfw", "true")]):
            work = model["name"].text_or_none() or ""
            for records in records_of_model(model, self._site()).values():
                offers += [Offer(r.file, r.names, work if r is records[0] else "") for r in records]
        return offers

    def _version_of(self, link: CivitaiLink, model: Value | None) -> Value:
        """The version a link names, or the first one shown; null when the model shows none."""
        listed = list(objects(model["modelVersions"])) if model else []
        if link.version_id is None:
            if model is None:
                raise NotFound(f"{TITLE}: there is no model {link.model_id}", hub=HUB)
            return listed[0] if listed else Value(None)
        for version in listed:
            if id_of(version["id"]) == link.version_id:
                return version
        alone = self._api.version(link.version_id)
        if alone is None or (link.model_id and id_of(alone["modelId"]) not in (None, link.model_id)):
            raise NotFound(f"{TITLE}: there is no version {link.version_id}, or not of that model", hub=HUB)
        return alone

    def _records_of_lone(self, version: Value) -> tuple[Record, ...]:
        """The files of a version that came by itself, with a few facts on its model inside."""
        return records_of_version(version, version["model"], self._site())

    def _model(self, item: Value) -> Model | None:
        try:
            return model_of(item, self._site())
        except DecodeError:  # one record without an id does not spoil the list
            return None

    def _site(self) -> Site:
        return Site(self._group.endpoint, self._now())


class _Search:
    """One call of `find`, step by step."""

    def __init__(self, hub: Civitai, references: Sequence[Reference]) -> None:
        self._hub = hub
        self._lookup = Lookup(references)
        self._unknown: set[int] = set()  # references whose SHA-256 the site does not have

    def answers(self) -> list[Answer]:
        self._by_digest()
        self._by_link()
        self._by_name()
        return self._lookup.answers()

    def _by_digest(self) -> None:
        named: dict[Digest, list[int]] = {}
        for n, reference in self._lookup.still_open():
            if reference.digest:
                named.setdefault(reference.digest, []).append(n)
        whole = {digest: named.pop(digest) for digest in list(named) if digest.algorithm == "sha256"}
        if whole:
            self._lookup.ask([n for numbers in whole.values() for n in numbers], lambda: self._look_up(whole))
        at_once(lambda item: self._lookup.ask(item[1], lambda: self._identify(*item)), named.items())

    def _look_up(self, whole: Mapping[Digest, Sequence[int]]) -> None:
        files = self._hub.files_by_sha256([digest.hex for digest in whole])
        for digest, numbers in whole.items():
            for n in numbers:
                self._lookup.keep(n, by_digest(digest, files.get(digest.hex, ())))
            if digest.hex not in files:
                self._unknown.update(numbers)

    def _identify(self, digest: Digest, numbers: Sequence[int]) -> None:
        candidates = by_digest(digest, self._hub.identify(digest))
        for n in numbers:
            self._lookup.keep(n, candidates)

    def _by_link(self) -> None:
        links: dict[CivitaiLink, list[int]] = {}
        for n, reference in self._lookup.still_open():
            if link := self._hub.link_in(reference.url):
                links.setdefault(link, []).append(n)
        models: dict[int, Value] = {}
        model_ids = sorted({link.model_id for link in links if link.model_id})
        if len(model_ids) > 1:
            numbers = [n for link, some in links.items() if link.model_id for n in some]
            self._lookup.ask(numbers, lambda: models.update(self._hub.models(model_ids)))
        at_once(lambda item: self._lookup.follow(item[1], lambda: self._follow(*item, models)), links.items())

    def _follow(self, link: CivitaiLink, numbers: Sequence[int], models: Mapping[int, Value]) -> None:
        records = self._hub.records(link, models)
        for n in numbers:
            reference = self._lookup.references[n]
            named = [r for r in records if any(is_same_name(reference.name, name) for name in r.names)]
            is_one = link.file_id is not None or (link.version_id is not None and len(records) == 1)
            is_one = is_one or reference.linked  # the release's own file, as the site's button downloads it
            chosen = named[:1] or (records[:1] if is_one else records)
            offers = (by_link(reference, record.file, exact=bool(named) or is_one) for record in chosen)
            self._lookup.keep(n, tuple(candidate for offer in offers for candidate in offer))

    def _by_name(self) -> None:
        """A file whose SHA-256 the site does not know is not there, so its name is not searched either."""
        stems = [[n for n in numbers if n not in self._unknown] for numbers in self._lookup.open_by_stem()]
        some = [numbers for numbers in stems if numbers]
        at_once(lambda numbers: self._lookup.ask(numbers, lambda: self._search(numbers)), some)

    def _search(self, numbers: Sequence[int]) -> None:
        references = [self._lookup.references[n] for n in numbers]
        offers: list[Offer] = []
        for text in search_texts(references[0].name):
            offers += self._hub.search_files(text)
            offers.sort(key=lambda offer: -(offer.file.downloads or 0))
            found = [by_name(reference, offers) for reference in references]
            for n, candidates in zip(numbers, found, strict=True):
                self._lookup.keep(n, candidates)
            if all(c and c[0].evidence >= Evidence.NAME for c in found):
                return


def _having(records: Sequence[Record], digest: Digest) -> tuple[RemoteFile, ...]:
    return tuple(record.file for record in records if has_digest(record.file, digest))


def _why_none(link: CivitaiLink, access: Access) -> HubError:
    """The reason why nothing is to be had."""
    match access:
        case Access.WITHDRAWN:
            return Withdrawn(f"{TITLE}: {link} was archived or taken down", hub=HUB)
        case Access.EARLY:
            return EarlyAccess(f"{TITLE}: {link} is for buyers and shows no files yet", hub=HUB)
        case _:
            return NotFound(f"{TITLE}: {link} has no such model file", hub=HUB)
