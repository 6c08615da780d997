"""CivitAI's listing and search: what it hides, how it ranks, how it pages.

A search goes to an index that knows names, authors, trigger words and hashes but no file names, and puts
popular models before exact names; `sort` does not change that. Without `nsfw=true` only what is PG is shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlencode

from .civitai_json import PUBLIC, Fields, Link, model_item
from .shelf import ServedModel, ServedVersion, Shelf
from .wire import Answer, Request, error_answer, json_answer


def search(shelf: Shelf, request: Request, link: Link) -> Answer:
    """A page of models."""
    refusal = _refusal(request)
    if refusal is not None:
        return refusal
    query, limit = request.first("query"), int(request.first("limit") or 100)
    models = _shown(shelf, request)
    if (creator := request.first("username")) is not None:
        models = [one for one in models if one.creator.lower() == creator.lower()]
        if not models:
            return json_answer({"message": "User not found"}, 404)
    models = _ranked(models, query) if query else _sorted(models, request.first("sort"))
    start = _start(models, request.first("cursor"), by_offset=bool(query))
    if start is None:
        return json_answer({"message": f"Invalid cursor: {request.first('cursor')}"}, 400)
    if (page := request.first("page")) is not None:
        start = (int(page) - 1) * limit
    items = [model_item(model, link) for model in models[start : start + limit]]
    return json_answer(
        {"items": items, "metadata": _metadata(request, models, start + limit, limit)}, headers=PUBLIC
    )


def told(model: ServedModel) -> ServedModel:
    """The model as answers show it: an archived one without its files."""
    if model.mode is None:
        return model
    return replace(model, versions=tuple(replace(version, files=()) for version in model.versions))


def _shown(shelf: Shelf, request: Request) -> list[ServedModel]:
    """What a listing may show with these filters; `baseModels` narrows the versions too."""
    ids = {int(text) for text in (request.first("ids") or "").split(",") if text.strip().isdecimal()}
    types, bases = request.query.get("types", ()), request.query.get("baseModels", ())
    nsfw = request.first("nsfw") in ("true", "1", "yes")

    def fits(version: ServedVersion) -> bool:
        return bool(
            version.files and version.status == "Published" and (not bases or version.base_model in bases)
        )

    narrowed = [
        (model, tuple(version for version in model.versions if fits(version))) for model in shelf.models
    ]
    return [
        told(replace(model, versions=versions))
        for model, versions in narrowed
        if versions
        and (not ids or model.id in ids)
        and (nsfw or model.nsfw_level & 1)
        and (model.mode != "Archived" or request.first("archived"))
        and (not types or model.type in types)
        and request.first("tag") in (None, *model.tags)
    ]


def _refusal(request: Request) -> Answer | None:
    """What is wrong with the parameters of a listing."""
    limit, page = request.first("limit") or "100", request.first("page")
    if not limit.isdecimal() or int(limit) > 100:
        issue = '[{"code":"too_big","maximum":100,"path":["limit"],"message":"Too big"}]'
        return json_answer({"error": {"name": "ZodError", "message": issue}}, 400)
    if page is not None and not page.isdecimal():
        return error_answer(400, "Invalid page")
    if page is not None and request.first("query"):
        return error_answer(400, "Cannot use page param with query search. Use cursor-based pagination.")
    if page is not None and int(page) * int(limit) > 1000:
        return error_answer(429, "You've requested too many pages, please use cursors instead")
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"[^\s\-/|:,.()]+", text.lower())  # `_` does not part words


def _ranked(models: Sequence[ServedModel], query: str) -> list[ServedModel]:
    """The search index: name, author, hashes, trigger words; the last words may miss; popular ones first."""
    asked = _words(query)

    def known(model: ServedModel) -> set[str]:
        triggers = " ".join(word for version in model.versions for word in version.trained_words)
        hashes = " ".join(
            value for version in model.versions for file in version.files for value in file.published.values()
        )
        return set(_words(f"{model.name} {model.creator} {triggers} {hashes}"))

    found = [one for one in models if asked and any(word.startswith(asked[0]) for word in known(one))]
    return sorted(found, key=lambda one: -one.thumbs_up)


def _sorted(models: Sequence[ServedModel], sort: str | None) -> list[ServedModel]:
    match sort:
        case "Most Downloaded":
            return sorted(models, key=lambda one: (-one.downloads, -one.id))
        case "Newest":
            return sorted(models, key=lambda one: (one.versions[0].published_at, one.id), reverse=True)
        case _:
            return sorted(models, key=lambda one: (-one.thumbs_up, -one.id))


def _start(models: Sequence[ServedModel], cursor: str | None, *, by_offset: bool) -> int | None:
    """Where a page begins; None for a cursor that is none."""
    if cursor is None:
        return 0
    last = cursor.rpartition("|")[2]
    if not last.isdecimal():
        return None
    if by_offset:
        return int(last)
    return next((index for index, model in enumerate(models) if model.id == int(last)), None)


def _metadata(request: Request, models: Sequence[ServedModel], following: int, limit: int) -> Fields:
    metadata: Fields = {}
    if (page := request.first("page")) is not None:
        metadata |= {"currentPage": int(page), "pageSize": limit}
    if following < len(models):
        model = models[following]
        by_offset = bool(request.first("query"))
        cursor = str(following) if by_offset else f"{model.thumbs_up}|{model.downloads}|{model.id}"
        asked = {key: values for key, values in request.query.items() if key not in ("cursor", "page")}
        address = urlencode({**asked, "cursor": cursor}, doseq=True)
        metadata |= {"nextCursor": cursor, "nextPage": f"http://{request.host}/api/v1/models?{address}"}
    return metadata
