"""CivitAI's answers of earlier years, made from those of 2026 by taking away and adding keys.

The key sets are those of recorded answers: `models_2023-07/`, `list_models_2024-08…` and
`model_version_byhash_1050496_2024-11.json`; a test compares them when the recordings are there.
"""

from __future__ import annotations

from typing import Any, Literal

Generation = Literal[2023, 2025, 2026]
Fields = dict[str, Any]

_KIND_KEYS = {"model": "modelVersions", "version": "baseModel", "file": "hashes", "image": "width"}

_UNKNOWN_2025 = {
    "model": {"sfwOnly", "availability", "userId", "baseModels", "supportsGeneration"},
    "version": {"flags", "vaeId", "paidAccess", "licensingFee", "supportsGeneration", "covered"},
    "file": {"overrideName"},
    "image": {"minor", "poi", "hasPositivePrompt", "remixOfId"},
}
_UNKNOWN_2023 = {
    "model": _UNKNOWN_2025["model"] | {"minor", "nsfwLevel", "cosmetic"},
    "version": _UNKNOWN_2025["version"]
    | {"index", "baseModelType", "availability", "nsfwLevel", "publishedAt", "status", "uploadType", "air"}
    | {"usageControl", "trainingStatus", "trainingDetails", "earlyAccessDeadline"},
    "file": _UNKNOWN_2025["file"] | {"virusScanMessage"},
    "image": _UNKNOWN_2025["image"] | {"nsfwLevel", "type", "hasMeta", "onSite", "metadata", "availability"},
}


def as_of(generation: Generation, value: Any, *, page: bool = False) -> Any:
    """The JSON of an answer as that generation gave it; `page` is True for a version's own page."""
    if generation == 2026:
        return value
    if isinstance(value, list):
        return [as_of(generation, inner, page=page) for inner in value]
    if not isinstance(value, dict):
        return value
    fields = {key: as_of(generation, inner) for key, inner in value.items()}
    kind = next((kind for kind, key in _KIND_KEYS.items() if key in fields), None)
    if kind is None:
        return _listing(fields) if generation == 2023 and "items" in fields else fields
    unknown = _UNKNOWN_2025 if generation == 2025 else _UNKNOWN_2023
    added = _ADDED[generation, kind](value, page)
    return {key: inner for key, inner in fields.items() if key not in unknown[kind]} | added


def _model_2025(value: Fields, page: bool) -> Fields:
    return {"stats": {**value["stats"], "favoriteCount": 0, "ratingCount": 0, "rating": 0}}


def _model_2023(value: Fields, page: bool) -> Fields:
    stats = {"downloadCount": value["stats"]["downloadCount"], "favoriteCount": 0, "commentCount": 0}
    use = value["allowCommercialUse"]
    return {
        "stats": {**stats, "ratingCount": 0, "rating": 0},
        "allowCommercialUse": use[0] if use else "None",
    }


def _version_2025(value: Fields, page: bool) -> Fields:
    paid = value.get("paidAccess")
    gate = {
        "earlyAccessEndsAt": paid["endsAt"] if paid else None,
        "earlyAccessConfig": {"timeframe": 7} if paid else None,
    }
    stats = {"stats": {**value["stats"], "ratingCount": 0, "rating": 0}}
    if page:
        return stats | gate
    return stats | {"availability": "EarlyAccess" if paid else "Public"} | (gate if paid else {})


def _version_2023(value: Fields, page: bool) -> Fields:
    stats = {"downloadCount": value["stats"]["downloadCount"], "ratingCount": 0, "rating": 0}
    return {
        "modelId": value.get("modelId", 0),
        "createdAt": value["publishedAt"],
        "updatedAt": value["publishedAt"],
        "earlyAccessTimeFrame": 7 if value.get("paidAccess") else 0,
        "description": value.get("description"),
        "trainedWords": value.get("trainedWords", []),
        "stats": stats,
    }


def _file(value: Fields, page: bool) -> Fields:
    return {"metadata": {"format": None, "size": None, "fp": None, **value["metadata"]}}


def _image_2023(value: Fields, page: bool) -> Fields:
    return {"nsfw": "None", "meta": None}


def _as_it_is(value: Fields, page: bool) -> Fields:
    return {}


_ADDED = {
    (2025, "model"): _model_2025,
    (2025, "version"): _version_2025,
    (2025, "file"): _file,
    (2025, "image"): _as_it_is,
    (2023, "model"): _model_2023,
    (2023, "version"): _version_2023,
    (2023, "file"): _file,
    (2023, "image"): _image_2023,
}


def _listing(fields: Fields) -> Fields:
    """A page of 2023 counted everything."""
    count = len(fields["items"])
    totals = {"totalItems": count, "currentPage": 1, "pageSize": max(1, count), "totalPages": 1}
    return {**fields, "metadata": {**fields["metadata"], **totals}}
