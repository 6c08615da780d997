"""What CivitAI's words mean here: folders, access, licences, AIRs, ids.

Enums and field names: https://github.com/civitai/civitai (src/server, src/shared, ebed661630d3). All of
them are open sets: an unknown word means "not known", never a fault.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from ...air import Air, parse_air
from ...catalog import Access, canonical_folder, format_of, hub_title
from ...decode import Value
from ...errors import InvalidAir

HUB: Final = "civitai"
TITLE: Final = hub_title(HUB)

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
# The site's ModelType; in a search, ComfyUI's folder names stand for the first ones.
_MODEL_TYPES: Final = (
    *("Checkpoint", "VAE", "LORA", "LoCon", "DoRA", "TextualInversion", "AestheticGradient", "Hypernetwork"),
    *(
        "Controlnet",
        "Upscaler",
        "MotionModule",
        "UNet",
        "TextEncoder",
        "CLIP",
        "CLIPVision",
        "VisionLanguage",
    ),
    *("LLM", "Detection", "Wildcards", "Poses", "Workflows", "ComfyWorkflows", "Other"),
)
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
# Families by how their base model's name begins (basemodel.constants.ts). For others no AIR is made.
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


def access_of(version: Value, model: Value, now: datetime) -> Access:
    """What the site asks for before it gives files of a version; understands all its generations.

    2023 has `earlyAccessTimeFrame` in days, 2024 `availability` and `earlyAccessEndsAt`, 2026 `paidAccess`
    beside an `availability` that says Public.
    """
    if withdrawn := _withdrawn(model) or _withdrawn(version["model"]):
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


def model_types(kind: str | None) -> tuple[str, ...]:
    """The site's words for a type a person asks for, by the site's name or ComfyUI's folder.

    >>> model_types("loras"), model_types("checkpoint"), model_types(None)
    (('LORA', 'LoCon', 'DoRA'), ('Checkpoint',), ())
    """
    if not kind:
        return ()
    exact = tuple(name for name in _MODEL_TYPES if name.lower() == kind.lower())
    folder = canonical_folder(kind.lower())
    return exact or tuple(n for n in _MODEL_TYPES if _FOLDER_OF_MODEL.get(n.lower()) == folder) or (kind,)


def has_weights(file: Value) -> bool:
    """Whether a file of a version is a model, not a picture pack, a config or a training set."""
    kind = (file["type"].text_or_none() or "").lower()
    return kind not in _NO_WEIGHTS and (
        kind != "other" or format_of(file["name"].text_or_none() or "") != "other"
    )


def air_of(version: Value, model: Value, model_id: int | None) -> Air | None:
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
    return Air(
        ecosystem=ecosystem, type=kind, source=HUB, id=str(model_id), version=str(id_of(version["id"]))
    )


def id_of(value: Value) -> int | None:
    """An id of the site: 1 to 2147483647."""
    number = value.integer_or_none()
    return number if number is not None and 0 < number < 1 << 31 else None


def _withdrawn(model: Value) -> Access | None:
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


def _moment(value: Value) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value.text_or_none() or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
