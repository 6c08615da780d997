"""Speaks as CivitAI does, from the shelf.

Facts: source of civitai/civitai v5.0.2257 (pages/api/v1, pages/api/download) and answers recorded until
September 2026. What surprises clients is kept: a bad token is an anonymous visitor, a listing hides what
is not PG, a search ranks by popularity and does not know file names, the batch look-up gives addresses
without a host, a download answers 307 to another host, and browsers get pages instead of statuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from ..decode import DecodeError
from .civitai_json import PUBLIC, Link, mini_page, model_page, version_page
from .civitai_search import search, told
from .shelf import Account, Blob, ServedFile, ServedModel, ServedVersion, Shelf
from .wire import Answer, Request, Route, error_answer, html_answer, json_answer

_BROWSER: Final = re.compile(r"mozilla|chrome|safari|firefox|opera|edge", re.IGNORECASE)
_HASHES_WANTED: Final = "Request must include an array of SHA256 Hashes."

Sign = Callable[[Blob, str], str]


class Civitai:
    """The routes of CivitAI over a shelf; `sign` makes the address a download redirects to."""

    def __init__(self, shelf: Shelf, sign: Sign) -> None:
        self.shelf = shelf
        self.sign = sign

    def routes(self) -> tuple[Route, ...]:
        """Every route, by the names the log uses."""
        version = r"/api/v1/model-versions"
        return (
            Route("models", "GET", "/api/v1/models", self.models),
            Route("model", "GET", r"/api/v1/models/(?P<model_id>[^/]+)", self.model),
            Route("by-hash-ids", "POST", f"{version}/by-hash/ids", self.by_hashes_ids),
            Route("by-hashes", "POST", f"{version}/by-hash", self.by_hashes),
            Route("by-hash", "GET", rf"{version}/by-hash/(?P<value>[^/]+)", self.by_hash),
            Route("mini", "GET", rf"{version}/mini/(?P<version_id>\d+)", self.mini),
            Route("version", "GET", rf"{version}/(?P<version_id>\d+)", self.version),
            Route("me", "GET", "/api/v1/me", self.me),
            Route("download", "GET", r"/api/download/models/(?P<version_id>\d+)", self.download),
            Route("image", "GET", r"/images/(?P<image_id>\d+)/[^/]+/[^/]+", self.image),
            Route("page", "GET", r"/(login|models/.+|model-versions/\d+)", self.page),
        )

    def link(self, host: str) -> Link:
        """How answers name downloads and images: on the host the request was sent to."""
        return Link(host)

    def account(self, request: Request) -> Account | None:
        """Who asks: the header wins over `?token=`; an unknown token is nobody."""
        return self.shelf.account(request.bearer or request.first("token"))

    # ── looking up ──

    def model(self, request: Request, model_id: str) -> Answer:
        """A model by id, archived and grown-up ones too."""
        if not re.fullmatch(r"\d{1,10}", model_id) or not 0 < int(model_id) < 2**31:
            return error_answer(400, "Invalid model id")
        for model in self.shelf.models:
            if model.id == int(model_id):
                return json_answer(model_page(told(model), self.link(request.host)), headers=PUBLIC)
        return error_answer(404, f"No model with id {model_id}")

    def version(self, request: Request, version_id: str) -> Answer:
        """A version by id."""
        found = self.shelf.version(int(version_id))
        if found is None:
            return error_answer(404, "Model not found")
        return json_answer(version_page(*_told_version(*found), self.link(request.host)), headers=PUBLIC)

    def mini(self, request: Request, version_id: str) -> Answer:
        """A version in short."""
        found = self.shelf.version(int(version_id))
        if found is None or not found[1].files:
            return error_answer(404, "Model not found" if found is None else "Missing model file")
        return json_answer(mini_page(*found, self.link(request.host)), headers=PUBLIC)

    def by_hash(self, request: Request, value: str) -> Answer:
        """The oldest version with that hash of any kind."""
        found = self.shelf.by_hash(value)
        if not found:
            return error_answer(404, "Model not found")
        model, version, _ = found[0]
        return json_answer(version_page(model, version, self.link(request.host)), headers=PUBLIC)

    def by_hashes(self, request: Request) -> Answer:
        """Versions for up to 100 SHA-256: one for each matching file, in no order, misses left out."""
        wanted = _sha256s(request, 100)
        if wanted is None:
            return error_answer(400, f"{_HASHES_WANTED} Maximum of 100")
        link = self.link("undefined")  # the site reads a header that is never sent
        return json_answer(
            [version_page(model, version, link) for model, version, _ in self._matches(wanted)]
        )

    def by_hashes_ids(self, request: Request) -> Answer:
        """Ids for up to 10,000 SHA-256."""
        wanted = _sha256s(request, 10_000)
        if wanted is None:
            return error_answer(400, f"{_HASHES_WANTED} Maximum of 10000")
        return json_answer(
            [
                {"modelVersionId": version.id, "modelId": model.id, "hash": file.published["SHA256"]}
                for model, version, file in self._matches(wanted)
            ]
        )

    def _matches(self, wanted: Sequence[str]) -> list[tuple[ServedModel, ServedVersion, ServedFile]]:
        found = [
            one
            for value in wanted
            for one in self.shelf.by_hash(value)
            if one[2].published.get("SHA256") == value.upper()
        ]
        return sorted(found, key=lambda one: -one[1].id)

    def me(self, request: Request) -> Answer:
        """The account behind the token."""
        account = self.account(request)
        if account is None:
            return error_answer(401, "Unauthorized")
        return json_answer(
            {
                "id": 1047,
                "username": account.name,
                "tier": "free",
                "status": "active",
                "isMember": False,
                "subscriptions": [],
            }
        )

    def models(self, request: Request) -> Answer:
        """A page of models."""
        return search(self.shelf, request, self.link(request.host))

    # ── downloading ──

    def download(self, request: Request, version_id: str) -> Answer:
        """A redirect to the bytes, or the first of the reasons against it."""
        found = self.shelf.version(int(version_id))
        account = self.account(request)
        refusal = _refusal(found, account)
        if refusal is not None:
            return _for_browser(request, refusal, version_id)
        assert found is not None
        file = _chosen(request, found[1])
        if file is None:
            return error_answer(404, "File not found")
        headers = {"Location": self.sign(file.blob, file.name), "Cache-Control": "no-store, max-age=0"}
        return Answer(status=307, headers=headers)

    def image(self, _request: Request, image_id: str) -> Answer:
        """An example image. The site has hosts of their own for these."""
        image = self.shelf.image(int(image_id))
        if image is None or image.data is None:
            return error_answer(404, "Image not found")
        return Answer(headers={"Content-Type": "image/png", **PUBLIC}, body=image.data)

    def page(self, request: Request) -> Answer:
        """A page for people."""
        return html_answer("Log in to Civitai" if request.path == "/login" else "Civitai")


def _refusal(found: tuple[ServedModel, ServedVersion] | None, account: Account | None) -> Answer | None:
    """Why a version may not be downloaded, in the order the site checks."""
    if found is None or found[1].status != "Published":
        return error_answer(404, "File not found")
    model, version = found
    if model.mode is not None:
        return error_answer(410, "Model archived, not available for download")
    if version.usage_control != "Download":
        text = "The creator of this asset has disabled downloads on this file"
        return error_answer(401, "Unauthorized", message=text)
    if version.needs_login and account is None:
        text = "The creator of this asset requires you to be logged in to download it"
        return error_answer(401, "Unauthorized", message=text)
    if _is_paid(version) and (account is None or version.id not in account.granted):
        text = "This asset is in Early Access. You can use Buzz access it now!"
        ends = version.paid.ends_at if version.paid else None
        return error_answer(403, "Early Access", **({"deadline": ends} if ends else {}), message=text)
    return None


def _is_paid(version: ServedVersion) -> bool:
    """Whether the gate is closed now: a date in the past has opened it."""
    if version.paid is None:
        return False
    ends = version.paid.ends_at
    return version.paid.permanent or ends is None or datetime.fromisoformat(ends) > datetime.now(UTC)


def _for_browser(request: Request, refusal: Answer, version_id: str) -> Answer:
    """What a browser gets in place of a refusal: a page, by way of a redirect."""
    if not _BROWSER.search(request.headers.get("User-Agent", "")) or refusal.status not in (401, 403):
        return refusal
    place = "/login" if refusal.status == 401 else f"/model-versions/{version_id}"
    return Answer(status=307, headers={"Location": place})


def _chosen(request: Request, version: ServedVersion) -> ServedFile | None:
    """The file of a version that the parameters name; the primary one without any."""
    if (file_id := request.first("fileId")) is not None:
        return next((file for file in version.files if str(file.id) == file_id), None)
    wanted = [(key, request.first(key)) for key in ("type", "format", "size", "fp") if request.first(key)]
    matching = (file for file in version.files if all(getattr(file, key) == value for key, value in wanted))
    return next(matching, None)


def _told_version(model: ServedModel, version: ServedVersion) -> tuple[ServedModel, ServedVersion]:
    shown = told(model)
    return shown, next(one for one in shown.versions if one.id == version.id)


def _sha256s(request: Request, most: int) -> list[str] | None:
    """The body of a batch look-up, or None when it is not what the site wants."""
    try:
        body = request.json()
    except DecodeError:
        return None
    if not isinstance(body, list) or not 0 < len(body) <= most:
        return None
    values = [value for value in body if isinstance(value, str) and len(value) == 64]
    return values if len(values) == len(body) else None
