"""Families of base models: which LoRA can have an effect on which model at all.

    "SD 1.5", "stable-diffusion-v1/lora", "sd_v1.5"  ──family_of──▶  SD1     what people and trainers write
    class SDXL                                       ──class_family▶ SDXL    what ComfyUI made of a file

Within a family a LoRA fits more or less; between two of them its weights have no place to go. A word or a
class that is not known has no family, and nothing is concluded from it.
Words: CivitAI's `baseModel` (basemodel.constants.ts), kohya's `ss_base_model_version`
(library/model_util.py) and ModelSpec's `architecture` (library/sai_model_spec.py). Classes: ComfyUI's
comfy/supported_models.py, 0.3.60 to 0.33.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Family(StrEnum):
    """A family, by the name that people call it."""

    SD1 = "SD 1.5"
    SD2 = "SD 2"
    SDXL = "SDXL"
    SD3 = "SD 3"
    CASCADE = "Stable Cascade"
    FLUX = "Flux.1"
    FLUX2 = "Flux.2"
    AURAFLOW = "AuraFlow"
    PIXART = "PixArt"
    HUNYUAN_DIT = "Hunyuan DiT"
    HUNYUAN_VIDEO = "Hunyuan Video"
    WAN = "Wan"
    LTXV = "LTXV"
    MOCHI = "Mochi"
    COGVIDEO = "CogVideoX"
    HIDREAM = "HiDream"
    LUMINA = "Lumina"
    Z_IMAGE = "Z-Image"
    QWEN = "Qwen Image"
    ANIMA = "Anima"


# The first pattern that fits the start of a name decides; the name is in small letters, its signs are gaps.
_WORDS: Final = tuple(
    (re.compile(pattern), family)
    for pattern, family in (
        (r"pony( diffusion)? v7\b", Family.AURAFLOW),
        (r"auraflow", Family.AURAFLOW),
        (r"sdxl|stable diffusion xl\b|pony|illustrious|noobai", Family.SDXL),
        (r"(sd|stable diffusion) ?v?1\b", Family.SD1),
        (r"(sd|stable diffusion) ?v?2\b", Family.SD2),
        (r"(sd|stable diffusion) ?v?3\b", Family.SD3),
        (r"stable cascade\b", Family.CASCADE),
        (r"flux ?2\b", Family.FLUX2),
        (r"flux(1| 1)?\b(?! \d)", Family.FLUX),
        (r"pixart", Family.PIXART),
        (r"hunyuan (dit|1)\b", Family.HUNYUAN_DIT),
        (r"hunyuan ?video", Family.HUNYUAN_VIDEO),
        (r"wan ?(video|2 ?[12])\b", Family.WAN),
        (r"ltxv|ltx video", Family.LTXV),
        (r"mochi\b", Family.MOCHI),
        (r"cogvideox", Family.COGVIDEO),
        (r"hidream\b(?! o1)", Family.HIDREAM),
        (r"lumina", Family.LUMINA),
        (r"z ?image", Family.Z_IMAGE),
        (r"qwen( ?image|\Z)", Family.QWEN),
        (r"anima\Z", Family.ANIMA),
    )
)
# Chroma (made from Flux.1), the small SDXLs without a middle, and others that take a neighbour's LoRAs in
# part are left out on purpose.
_CLASSES: Final = {
    "SD15": Family.SD1,
    "SD15_instructpix2pix": Family.SD1,
    "SD20": Family.SD2,
    "SD21UnclipL": Family.SD2,
    "SD21UnclipH": Family.SD2,
    "SDXL": Family.SDXL,
    "SDXLRefiner": Family.SDXL,
    "SDXL_instructpix2pix": Family.SDXL,
    "SSD1B": Family.SDXL,
    "Segmind_Vega": Family.SDXL,
    "SD3": Family.SD3,
    "Stable_Cascade_B": Family.CASCADE,
    "Stable_Cascade_C": Family.CASCADE,
    "Flux": Family.FLUX,
    "FluxInpaint": Family.FLUX,
    "FluxSchnell": Family.FLUX,
    "Flux2": Family.FLUX2,
    "AuraFlow": Family.AURAFLOW,
    "PixArtAlpha": Family.PIXART,
    "PixArtSigma": Family.PIXART,
    "HunyuanDiT": Family.HUNYUAN_DIT,
    "HunyuanDiT1": Family.HUNYUAN_DIT,
    "HunyuanVideo": Family.HUNYUAN_VIDEO,
    "HunyuanVideoI2V": Family.HUNYUAN_VIDEO,
    "LTXV": Family.LTXV,
    "LTXAV": Family.LTXV,
    "GenmoMochi": Family.MOCHI,
    "CogVideoX_T2V": Family.COGVIDEO,
    "CogVideoX_I2V": Family.COGVIDEO,
    "HiDream": Family.HIDREAM,
    "Lumina2": Family.LUMINA,
    "ZImage": Family.Z_IMAGE,
    "QwenImage": Family.QWEN,
    "Anima": Family.ANIMA,
}


def family_of(base_model: str) -> Family | None:
    """The family that a base model's name belongs to; None when it is not known.

    >>> family_of("SD 1.5 LCM"), family_of("stable-diffusion-xl-v1-base/lora"), family_of("Krea 2")
    (<Family.SD1: 'SD 1.5'>, <Family.SDXL: 'SDXL'>, None)
    """
    name = re.sub(r"[\W_]+", " ", base_model.casefold()).strip()
    return next((family for pattern, family in _WORDS if pattern.match(name)), None)


def class_family(name: str) -> Family | None:
    """The family of a model class of ComfyUI's; None when it is not known.

    >>> class_family("SDXL"), class_family("Chroma")
    (<Family.SDXL: 'SDXL'>, None)
    """
    if name.startswith(("WAN21", "WAN22")):
        return Family.WAN
    return _CLASSES.get(name)


def find_mismatch(model_class: str, base_models: Iterable[str]) -> tuple[Family, Family] | None:
    """The model's and the LoRA's family where they surely do not go together, else None.

    `base_models` is everything said of the LoRA: one statement that agrees is enough to let it pass.

    >>> find_mismatch("SDXL", ["SD 1.5"])
    (<Family.SDXL: 'SDXL'>, <Family.SD1: 'SD 1.5'>)
    >>> find_mismatch("SDXL", ["SD 1.5", "sdxl_base_v1-0"]) is None
    True
    """
    model = class_family(model_class)
    said = [family for name in base_models if (family := family_of(name)) is not None]
    if model is None or not said or model in said:
        return None
    return model, said[0]
