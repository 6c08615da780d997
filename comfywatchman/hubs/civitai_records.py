"""CivitAI's JSON as values: models, versions and files of all its generations (2023 to 2026).

    model   {id, name, type, mode?, creator{username}, allow…, modelVersions[]}
    version {id, modelId?, baseModel, publishedAt, trainedWords[], paidAccess?, usageControl?, files[], model{}?}
    file    {id, name, overrideName?, sizeKB, type, metadata{fp, size, quantType, format}, hashes{}, primary?}

Only ids are needed; every other field may be missing, null or of another type and is then not known.
Field names and enums: https://github.com/civitai/civitai (src/server, ebed661630d3).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Final, get_args

from ..air import Air, parse_air
from ..catalog import Access, Model, RemoteFile, Scan, Version, format_of
from ..decode import DecodeError, Value
from ..digest import Algorithm, Digest
from ..errors import InvalidAir, InvalidDigest

HUB: Final = "civitai"

_FOLDER_OF_FILE: Final = {
    "vae": "vae",
    "text encoder": "text_encoders",
    "vision encoder": "clip_vision",
    "clipvision": "clip_vision",
    "unet": "diffusion_models",
    "diffusion model": "diffusion_models",
    "controlnet": "controlnet",
    "upscaler": "upscale_models",
    "enhancement lora": "loras",
}
_FOLDER_OF_MODEL: Final = {
    "checkpoint": "checkpoints",
    "vae": "vae",
    "lora": "loras",
    "locon": "loras",
    "dora": "loras",
    "textualinversion": "embeddings",
    "aestheticgradient": "embeddings",
    "hypernetwork": "hypernetworks",
    "controlnet": "controlnet",
    "upscaler": "upscale_models",
    "motionmodule": "animatediff_models",
    "unet": "diffusion_models",
    "textencoder": "text_encoders",
    "clip": "text_encoders",
    "clipvision": "clip_vision",
    "visionlanguage": "LLM",
    "llm": "LLM",
}
_NO_WEIGHTS: Final = frozenset({"training data", "config", "archive", "workflow"})

# src/shared/utils/air.ts
_AIR_TYPES: Final = {
    "checkpoint": "checkpoint",
    "vae": "vae",
    "lora": "lora",
    "dora": "dora",
    "locon": "lycoris",
    "textualinversion": "embedding",
    "aestheticgradient": "ag",
    "hypernetwork": "hypernet",
    "controlnet": "controlnet",
    "upscaler": "upscaler",
    "motionmodule": "motion",
}
# Families by how their base model's name begins; basemodel.constants.ts. Where this says nothing, no AIR is made.
_ECOSYSTEMS: Final = (
    ("SDXL Distilled", "sdxldistilled"),
    ("SDXL", "sdxl"),
    ("Pony V7", "auraflow"),
    ("Pony", "sdxl"),
    ("Illustrious", "sdxl"),
    ("NoobAI", "sdxl"),
    ("SD 1", "sd1"),
    ("SD 2", "sd2"),
    ("SD 3.5 Medium", "sd3_5m"),
    ("SD 3", "sd3"),
    ("Flux.1 Krea", "fluxkrea"),
    ("Flux.1 Kontext", "flux1kontext"),
    ("Flux.1", "flux1"),
    ("Flux.2", "flux2"),
    ("Other", "other"),
    ("Upscaler", "other"),
)
_LARGEST: Final = 1 << 50


@dataclass(frozen=True, slots=True)
class Site:
    """Where the records came from and when: URLs are made for the one, early access is judged by the other."""

    endpoint: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A weight file with what its version says of it: other names it goes by, and whether it is the one meant."""

    file: RemoteFile
    names: tuple[str, ...]
    primary: bool = False


def records_of_model(model: Value, site: Site) -> dict[int, tuple[Record, ...]]:
    """The weight files of every version by version id, in the site's order; unreadable versions are left out."""
    records = {}
    for version in _objects(model["modelVersions"]):
        if (version_id := _id(version["id"])) is not None:
            records[version_id] = records_of_version(version, model, site)
    return records


def records_of_version(version: Value, model: Value, site: Site) -> tuple[Record, ...]:
    """The weight files of one version, the primary one first."""
    if _id(version["id"]) is None:
        return ()
    release = _release(version, model, site)
    records = [_record(file, model, release) for file in _objects(version["files"]) if _has_weights(file)]
    return tuple(sorted(records, key=lambda record: not record.primary))


def model_of(model: Value, site: Site) -> Model:
    """The whole work.

    Raises:
        DecodeError: it has no id.
    """
    model_id = _id(model["id"])
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
        access=_mode_access(model) or Access.OPEN,
        versions=tuple(_version(version, model, site) for version in _objects(model["modelVersions"])),
    )


def access_of(version: Value, model: Value, now: datetime) -> Access:
    """What the site asks for before it gives files of a version; understands all its generations.

    2023 has `earlyAccessTimeFrame` in days, 2024 `availability` and `earlyAccessEndsAt`, 2026 `paidAccess`
    beside an `availability` that says Public.
    """
    if withdrawn := _mode_access(model) or _mode_access(version["model"]):
        return withdrawn
    if (version["usageControl"].text_or_none() or "Download") != "Download":
        return Access.WITHDRAWN
    if (version["status"].text_or_none() or "Published") not in ("Published", "Scheduled"):
        return Access.WITHDRAWN
    if _is_paid(version["paidAccess"], now) or _is_early(version, now):
        return Access.EARLY
    if "Private" in (version["availability"].json, model["availability"].json):
        return Access.GATED
    return Access.LOGIN if version["requireAuth"].flag() else Access.OPEN


def folder_of(file: Value, model: Value) -> str | None:
    """ComfyUI's folder for a file; what the file says beats what the model says."""
    kind = (file["type"].text_or_none() or "").lower()
    folder = _FOLDER_OF_FILE.get(kind) or _FOLDER_OF_MODEL.get((model["type"].text_or_none() or "").lower())
    is_gguf = (file["metadata"]["format"].text_or_none() or "").lower() == "gguf"
    return "diffusion_models" if is_gguf and folder == "checkpoints" else folder


def licence_of(model: Value) -> str | None:
    """The author's permissions in one line, or None when the record has none.

    `allowCommercialUse` is a list today, was a word in 2023 and is `{A,B}` on some ways.
    """
    uses = model["allowCommercialUse"].json
    words = uses if isinstance(uses, list) else str(uses or "").strip("{}").split(",")
    said = [str(word).strip() for word in words if isinstance(word, str) and word.strip()]
    known = [key for key in _PERMISSIONS if isinstance(model[key].json, bool)]
    if uses is None and not known:
        return None
    commercial = ", ".join(said) if said and said != ["None"] else "none"
    return "; ".join([f"commercial use: {commercial}", *(_PERMISSIONS[k][model[k].flag()] for k in known)])


_PERMISSIONS: Final = {
    "allowNoCredit": ("credit required", "no credit required"),
    "allowDerivatives": ("no derivatives", "derivatives allowed"),
    "allowDifferentLicense": ("same licence for derivatives", "other licence for derivatives allowed"),
}


def digests_of(hashes: Value) -> tuple[Digest, ...]:
    """The digests of a `hashes` object; what is none is left out."""
    digests = []
    for name, value in _entries(hashes):
        for algorithm in get_args(Algorithm):
            if name.lower() == algorithm and (text := value.text_or_none()):
                digests.extend(_digest(algorithm, text))
    return tuple(sorted(digests, key=lambda digest: get_args(Algorithm).index(digest.algorithm)))


def plain_text(html: str | None) -> str | None:
    """The words of an HTML description, a line a block, or None."""
    if html is None:
        return None
    reader = _Words()
    reader.feed(html)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.words).splitlines())
    return "\n".join(line for line in lines if line) or None


class _Words(HTMLParser):
    """Collects text; `script` and `style` hold none."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 (its signature)
        self._silent = tag in ("script", "style")
        if tag in ("p", "br", "li", "div", "h1", "h2", "h3"):
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._silent = self._silent and tag not in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)


def _release(version: Value, model: Value, site: Site) -> RemoteFile:
    """What all files of a version share; without a name yet."""
    version_id = _id(version["id"])
    model_id = _id(model["id"]) or _id(version["modelId"])
    return RemoteFile(
        hub=HUB,
        name="",
        url=f"{site.endpoint}/api/download/models/{version_id}",
        page=f"{site.endpoint}/models/{model_id}?modelVersionId={version_id}" if model_id else None,
        air=_air(version, model, model_id),
        access=access_of(version, model, site.now),
        model_name=model["name"].text_or_none(),
        version_name=version["name"].text_or_none(),
        base_model=version["baseModel"].text_or_none(),
        trigger_words=_trigger_words(version),
        licence=licence_of(model),
        uploader=_uploader(model),
        downloads=_count(version["stats"]["downloadCount"]),
        published_at=version["publishedAt"].text_or_none(),
    )


def _record(file: Value, model: Value, release: RemoteFile) -> Record:
    file_id = _id(file["id"])
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


def _has_weights(file: Value) -> bool:
    kind = (file["type"].text_or_none() or "").lower()
    return kind not in _NO_WEIGHTS and (
        kind != "other" or format_of(file["name"].text_or_none() or "") != "other"
    )


def _version(version: Value, model: Value, site: Site) -> Version:
    return Version(
        id=str(_id(version["id"])),
        name=version["name"].text_or_none() or str(_id(version["id"])),
        base_model=version["baseModel"].text_or_none(),
        published_at=version["publishedAt"].text_or_none(),
        trigger_words=_trigger_words(version),
        files=tuple(record.file for record in records_of_version(version, model, site)),
    )


def _air(version: Value, model: Value, model_id: int | None) -> Air | None:
    """The AIR the site gives, or one made from facts; None where a part is not known."""
    if given := version["air"].text_or_none():
        try:
            return parse_air(given)
        except InvalidAir:
            pass  # the parts below are as good
    kind = _AIR_TYPES.get((model["type"].text_or_none() or "").lower())
    base = (version["baseModel"].text_or_none() or "").lower()
    ecosystem = next((name for head, name in _ECOSYSTEMS if base.startswith(head.lower())), None)
    if kind is None or ecosystem is None or model_id is None:
        return None
    return Air(ecosystem=ecosystem, type=kind, source=HUB, id=str(model_id), version=str(_id(version["id"])))


def _mode_access(model: Value) -> Access | None:
    return Access.WITHDRAWN if model["mode"].text_or_none() in ("Archived", "TakenDown") else None


def _is_paid(paid: Value, now: datetime) -> bool:
    """Whether `paidAccess` asks for money: for ever, until a date, or with no date told."""
    if not isinstance(paid.json, dict):
        return False
    ends = _moment(paid["endsAt"])
    return paid["permanent"].flag() or ends is None or ends > now


def _is_early(version: Value, now: datetime) -> bool:
    ends = _moment(version["earlyAccessEndsAt"]) or _moment(version["earlyAccessDeadline"])
    days = version["earlyAccessTimeFrame"].integer_or_none() or 0
    published = _moment(version["publishedAt"])
    if ends is None and published is not None and 0 < days < 3650:
        ends = published + timedelta(days=days)
    if ends is not None:
        return ends > now
    return version["availability"].text_or_none() == "EarlyAccess"


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
    """The entries of `trainedWords` without their outer spaces and commas; an entry may be a list of words."""
    words = version["trainedWords"]
    texts = [word.text_or_none() for word in words.items()] if isinstance(words.json, list) else []
    cleaned = (text.strip(" ,\t\r\n") for text in texts if text)
    return tuple(dict.fromkeys(text for text in cleaned if text))


def _uploader(model: Value) -> str | None:
    """The author's name; one made of digits comes as a number."""
    name = model["creator"]["username"].json
    return str(name) if isinstance(name, str | int) and not isinstance(name, bool) else None


def _digest(algorithm: Algorithm, text: str) -> list[Digest]:
    try:
        return [Digest(algorithm, text.strip().lower())]
    except InvalidDigest:
        return []


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


def _id(value: Value) -> int | None:
    """An id of the site: 1 to 2147483647."""
    number = value.integer_or_none()
    return number if number is not None and 0 < number < 1 << 31 else None


def _moment(value: Value) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value.text_or_none() or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _objects(value: Value) -> Iterator[Value]:
    """The objects of a list; anything else has none."""
    items = value.items() if isinstance(value.json, list) else iter(())
    return (item for item in items if isinstance(item.json, dict))


def _entries(value: Value) -> Iterator[tuple[str, Value]]:
    return value.entries() if isinstance(value.json, dict) else iter(())
