"""CivitAI's answers of autumn 2026, built from the shelf.

Key sets and types follow recorded answers; tests compare them. Three views of a version differ:

    in a list        `primary` only on the primary file, nulls and empty lists present
    in /models/:id   as in a list plus createdAt, status, covered; null and empty keys left out
    /model-versions  `primary` on every file, the model's name and type, the AIR
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..air import Air
from .shelf import ServedFile, ServedImage, ServedModel, ServedVersion

Fields = dict[str, object]

PUBLIC: Final = {
    "Cache-Control": "public, s-maxage=300, stale-while-revalidate=150",
    "Access-Control-Allow-Origin": "*",
}
_ECOSYSTEMS: Final = {
    "SD 1.5": "sd1", "SDXL 1.0": "sdxl", "Pony": "sdxl", "Illustrious": "sdxl", "NoobAI": "sdxl",
    "SD 3.5": "sd3", "Flux.1 D": "flux1", "Flux.1 S": "flux1",
}  # fmt: skip
_AIR_TYPES: Final = {
    "TextualInversion": "embedding", "LoCon": "lycoris", "Hypernetwork": "hypernet",
    "TextEncoder": "text_encoders", "AestheticGradient": "ag", "MotionModule": "motion",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Link:
    """How answers name a download, by file id, and an image that this host has itself."""

    host: str

    def __call__(self, version: ServedVersion, file: ServedFile) -> str:
        """The address of a file."""
        return f"http://{self.host}/api/download/models/{version.id}?fileId={file.id}"

    def image(self, image: ServedImage) -> str:
        """The address of an image, in its full size as the site gives it."""
        if image.data is None:
            return image.url
        return f"http://{self.host}/images/{image.id}/original=true/{image.id}.png"


def air_of(model: ServedModel, version: ServedVersion) -> Air:
    """The AIR of a version."""
    return Air(
        ecosystem=_ECOSYSTEMS.get(version.base_model, version.base_model.lower()),
        type=_AIR_TYPES.get(model.type, model.type.lower()),
        source="civitai",
        id=str(model.id),
        version=str(version.id),
    )


def model_item(model: ServedModel, link: Link) -> Fields:
    """A model as `/models` lists it."""
    return {
        **_model(model),
        "modelVersions": [_listed(version, index, link) for index, version in _numbered(model)],
    }


def model_page(model: ServedModel, link: Link) -> Fields:
    """A model as `/models/:id` shows it: its versions without null and empty keys."""
    versions = []
    for index, version in _numbered(model):
        listed = _listed(version, index, link)
        del listed["supportsGeneration"]
        listed |= {"createdAt": version.published_at, "status": version.status, "covered": False}
        versions.append({key: value for key, value in listed.items() if value not in (None, [])})
    return {**_model(model), "modelVersions": versions}


def version_page(model: ServedModel, version: ServedVersion, link: Link) -> Fields:
    """A version as `/model-versions/:id` and `by-hash` show it."""
    files = [_file(version, file, link) | {"primary": index == 0} for index, file in enumerate(version.files)]
    return {
        "id": version.id,
        "modelId": model.id,
        "name": version.name,
        "nsfwLevel": model.nsfw_level,
        "createdAt": version.published_at,
        "updatedAt": version.published_at,
        "status": version.status,
        "publishedAt": version.published_at,
        "trainedWords": list(version.trained_words),
        "trainingStatus": None,
        "trainingDetails": None,
        "baseModel": version.base_model,
        "baseModelType": "Standard",
        "description": version.description,
        "uploadType": "Created",
        "usageControl": version.usage_control,
        "licensingFee": None,
        "paidAccess": _paid(version),
        "air": str(air_of(model, version)),
        "stats": {"downloadCount": version.downloads, "thumbsUpCount": model.thumbs_up},
        "model": {"name": model.name, "type": model.type, "nsfw": model.nsfw, "poi": False, **_mode(model)},
        "files": files,
        "images": [_image(image, link) | _image_details(image) for image in version.images],
        **_download_url(version, link),
    }


def mini_page(model: ServedModel, version: ServedVersion, link: Link) -> Fields:
    """A version as `/model-versions/mini/:id` shows it: the only answer that tells `requireAuth`."""
    file = version.files[0]
    return {
        "air": str(air_of(model, version)),
        "versionName": version.name,
        "modelName": model.name,
        "userId": _user_id(model),
        "baseModel": version.base_model,
        "availability": "Public",
        "publishedAt": version.published_at,
        "size": len(file.blob.data) / 1024,
        "fileType": file.type,
        "fileName": file.name,
        "hashes": dict(file.published),
        "downloadUrls": [link(version, file)],
        "format": file.format,
        "canGenerate": False,
        "isFeatured": False,
        "requireAuth": version.needs_login,
        "checkPermission": version.paid is not None,
        "additionalResourceCharge": False,
        "minor": False,
        "sfwOnly": False,
        "fees": [],
        "payoutEnabled": False,
    }


def _numbered(model: ServedModel) -> list[tuple[int, ServedVersion]]:
    return [(index, one) for index, one in enumerate(model.versions) if one.status == "Published"]


def _model(model: ServedModel) -> Fields:
    """What a model says of itself, before its versions."""
    return {
        "id": model.id,
        "name": model.name,
        "description": model.description,
        "allowNoCredit": True,
        "allowCommercialUse": list(model.commercial_use),
        "allowDerivatives": True,
        "allowDifferentLicense": False,
        "type": model.type,
        "minor": False,
        "sfwOnly": False,
        "poi": False,
        "nsfw": model.nsfw,
        "nsfwLevel": model.nsfw_level,
        "availability": "Public",
        "userId": _user_id(model),
        "baseModels": sorted({version.base_model for version in model.versions}),
        "cosmetic": None,
        "supportsGeneration": False,
        "stats": {
            "downloadCount": model.downloads,
            "thumbsUpCount": model.thumbs_up,
            "thumbsDownCount": 0,
            "commentCount": 0,
            "tippedAmountCount": 0,
        },
        "creator": {"username": model.creator, "image": None},
        "tags": list(model.tags),
        **_mode(model),
    }


def _listed(version: ServedVersion, index: int, link: Link) -> Fields:
    files = [_file(version, file, link) for file in version.files]
    if files:
        files[0]["primary"] = True
    deadline = version.paid.ends_at if version.paid else None
    return {
        "id": version.id,
        "index": index,
        "name": version.name,
        "baseModel": version.base_model,
        "baseModelType": "Standard",
        "publishedAt": version.published_at,
        "flags": 0,
        "availability": "Public",
        "nsfwLevel": 0,
        "description": version.description,
        "trainedWords": list(version.trained_words),
        "vaeId": None,
        **({"earlyAccessDeadline": deadline} if deadline else {}),
        "paidAccess": _paid(version),
        "stats": {"downloadCount": version.downloads, "thumbsUpCount": 1, "thumbsDownCount": 0},
        "supportsGeneration": False,
        "files": files,
        "images": [{"id": image.id, **_image(image, link)} for image in version.images],
        **_download_url(version, link),
    }


def _file(version: ServedVersion, file: ServedFile, link: Link) -> Fields:
    scanned = bool(file.published)
    metadata = {"format": file.format, "size": file.size, "fp": file.fp}
    return {
        "id": file.id,
        "sizeKB": len(file.blob.data) / 1024,
        "name": file.name,
        "overrideName": file.name,
        "type": file.type,
        "pickleScanResult": file.scan if scanned else "Pending",
        "pickleScanMessage": None,
        "virusScanResult": file.scan if scanned else "Pending",
        "virusScanMessage": None,
        "scannedAt": version.published_at if scanned else None,
        "metadata": {key: value for key, value in metadata.items() if value is not None},
        "hashes": dict(file.published),
        "downloadUrl": link(version, file),
    }


def _image(image: ServedImage, link: Link) -> Fields:
    return {
        "url": link.image(image),
        "nsfwLevel": image.nsfw_level,
        "width": image.width,
        "height": image.height,
        "hash": "U2BW6.ov03_30exH=Cxt00xt~p0M8^NftAn2",
        "type": "image",
        "minor": False,
        "poi": False,
        "hasMeta": image.meta is not None,
        "hasPositivePrompt": image.meta is not None,
        "onSite": False,
        "remixOfId": None,
    }


def _image_details(image: ServedImage) -> Fields:
    size = {"width": image.width, "height": image.height}
    return {"metadata": size, "meta": image.meta, "availability": "Public"}


def _paid(version: ServedVersion) -> Fields | None:
    return (
        None
        if version.paid is None
        else {"permanent": version.paid.permanent, "endsAt": version.paid.ends_at}
    )


def _mode(model: ServedModel) -> Fields:
    return {} if model.mode is None else {"mode": model.mode}


def _download_url(version: ServedVersion, link: Link) -> Fields:
    return {"downloadUrl": link(version, version.files[0])} if version.files else {}


def _user_id(model: ServedModel) -> int:
    return 1000 + sum(model.creator.encode())
