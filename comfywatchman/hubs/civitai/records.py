"""CivitAI's JSON as values: models, versions and files of all its generations (2023 to 2026).

    model   {id, name, type, mode?, creator{username}, allow…, modelVersions[]}
    version {id, modelId?, baseModel, publishedAt, trainedWords[], paidAccess?, usageControl?, files[],
             images[]}
    file    {id, name, overrideName?, sizeKB, type, metadata{fp, size, quantType, format}, hashes{}, primary?}

Only ids are needed; every other field may be missing, null or of another type and is then not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ...catalog import Model, RemoteFile, Scan, Version
from ...decode import DecodeError, Value
from ...records import digests_of, licence_of
from ..prose import plain_text
from .images import preview_of
from .terms import HUB, access_of, air_of, folder_of, has_weights, id_of

_LARGEST: Final = 1 << 50


@dataclass(frozen=True, slots=True)
class Site:
    """Where the records came from and when; early access is judged by the latter."""

    endpoint: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A weight file, the names it goes by, and whether its version means it first."""

    file: RemoteFile
    names: tuple[str, ...]
    primary: bool = False


def records_of_model(model: Value, site: Site) -> dict[int, tuple[Record, ...]]:
    """The weight files of every version by its id, in the site's order; unreadable ones are left out."""
    records = {}
    for version in objects(model["modelVersions"]):
        if (version_id := id_of(version["id"])) is not None:
            records[version_id] = records_of_version(version, model, site)
    return records


def records_of_version(version: Value, model: Value, site: Site) -> tuple[Record, ...]:
    """The weight files of one version, the primary one first."""
    if id_of(version["id"]) is None:
        return ()
    release = _release(version, model, site)
    records = [_record(file, model, release) for file in objects(version["files"]) if has_weights(file)]
    return tuple(sorted(records, key=lambda record: not record.primary))


def model_of(model: Value, site: Site) -> Model:
    """The whole work.

    Raises:
        DecodeError: it has no id.
    """
    model_id = id_of(model["id"])
    if model_id is None:
        raise model["id"].fault("an id")
    return Model(
        hub=HUB,
        id=str(model_id),
        name=model["name"].text_or_none() or str(model_id),
        page=f"{site.endpoint}/models/{model_id}",
        type=model["type"].text_or_none(),
        uploader=_uploader(model),
        licence=licence_of(model),
        downloads=_count(model["stats"]["downloadCount"]),
        nsfw=model["nsfw"].flag(),
        description=plain_text(model["description"].text_or_none()),
        access=access_of(Value(None), model, site.now),
        versions=tuple(_version(version, model, site) for version in objects(model["modelVersions"])),
    )


def _release(version: Value, model: Value, site: Site) -> RemoteFile:
    """What all files of a version share; without a name yet."""
    version_id = id_of(version["id"])
    model_id = id_of(model["id"]) or id_of(version["modelId"])
    return RemoteFile(
        hub=HUB,
        name="",
        url=f"{site.endpoint}/api/download/models/{version_id}",
        page=f"{site.endpoint}/models/{model_id}?modelVersionId={version_id}" if model_id else None,
        air=air_of(version, model, model_id),
        access=access_of(version, model, site.now),
        model_name=model["name"].text_or_none(),
        version_name=version["name"].text_or_none(),
        base_model=version["baseModel"].text_or_none(),
        trigger_words=_trigger_words(version),
        licence=licence_of(model),
        uploader=_uploader(model),
        downloads=_count(version["stats"]["downloadCount"]),
        published_at=version["publishedAt"].text_or_none(),
        preview=preview_of(version),
    )


def _record(file: Value, model: Value, release: RemoteFile) -> Record:
    file_id = id_of(file["id"])
    names = [name for key in ("name", "overrideName") if (name := file[key].text_or_none())]
    whole = replace(
        release,
        name=names[0] if names else f"{file_id}",
        url=f"{release.url}{_query(file, file_id)}",
        id=str(file_id) if file_id is not None else None,
        size=_size(file["sizeKB"]),
        digests=digests_of(file["hashes"]),
        folder=folder_of(file, model),
        scan=_scan(file),
        precision=_precision(file["metadata"]),
    )
    return Record(file=whole, names=tuple(names), primary=file["primary"].flag())


def _query(file: Value, file_id: int | None) -> str:
    """How the download address names just this file.

    The answer's own `downloadUrl` is not used: its form changed in 2026 and its host may be `undefined`.
    Only a VAE that another version lends has no address by its id here.
    """
    address = file["downloadUrl"].text_or_none() or ""
    if address.endswith("?type=VAE"):
        return "?type=VAE"
    return f"?fileId={file_id}" if file_id is not None else ""


def _version(version: Value, model: Value, site: Site) -> Version:
    return Version(
        id=str(id_of(version["id"])),
        name=version["name"].text_or_none() or str(id_of(version["id"])),
        base_model=version["baseModel"].text_or_none(),
        published_at=version["publishedAt"].text_or_none(),
        trigger_words=_trigger_words(version),
        files=tuple(record.file for record in records_of_version(version, model, site)),
    )


def _scan(file: Value) -> Scan | None:
    """Both scanners' words together. `Error` is the scanner's own fault and says nothing."""
    words = [file["pickleScanResult"].text_or_none(), file["virusScanResult"].text_or_none()]
    if "Danger" in words:
        return Scan.FAILED
    if words == ["Success", "Success"]:
        return Scan.PASSED
    return Scan.PENDING if "Pending" in words else None


def _precision(metadata: Value) -> str | None:
    """What tells packings of the same weights apart: `fp16`, `Q4_K_M`, `fp16 pruned`."""
    size = metadata["size"].text_or_none()
    words = [
        metadata["fp"].text_or_none(),
        metadata["quantType"].text_or_none(),
        size if size != "full" else None,
    ]
    return " ".join(word for word in words if word) or None


def _trigger_words(version: Value) -> tuple[str, ...]:
    """The entries of `trainedWords` without outer spaces and commas; an entry may be a list."""
    words = version["trainedWords"]
    texts = [word.text_or_none() for word in words.items()] if isinstance(words.json, list) else []
    cleaned = (text.strip(" ,\t\r\n") for text in texts if text)
    return tuple(dict.fromkeys(text for text in cleaned if text))


def _uploader(model: Value) -> str | None:
    """The author's name; one made of digits comes as a number."""
    name = model["creator"]["username"].json
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) else None


def _size(kibibytes: Value) -> int | None:
    """`sizeKB` times 1024, which is exact in every recorded answer."""
    try:
        size = kibibytes.number() * 1024
    except (DecodeError, OverflowError):
        return None
    return round(size) if 0 < size < _LARGEST else None


def _count(value: Value) -> int | None:
    count = value.integer_or_none()
    return count if count is not None and 0 <= count < _LARGEST else None


def objects(value: Value) -> Iterator[Value]:
    """The objects of a list; anything else has none."""
    items = value.items() if isinstance(value.json, list) else iter(())
    return (item for item in items if isinstance(item.json, dict))
