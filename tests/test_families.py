"""Families of base models: known words are known, and nothing is concluded from the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comfywatchman.families import Family, class_family, family_of, find_mismatch


@pytest.mark.parametrize(
    ("family", "words"),
    [
        (
            Family.SD1,
            [
                "SD 1.4",
                "SD 1.5",
                "SD 1.5 LCM",
                "SD 1.5 Hyper",
                "sd_v1",
                "sd_1.5",
                "stable-diffusion-v1",
                "stable-diffusion-v1/lora",
                "Stable Diffusion 1.x",
            ],
        ),
        (
            Family.SD2,
            ["SD 2.0", "SD 2.1 768", "SD 2.1 Unclip", "sd_v2", "sd_v2_v", "stable-diffusion-v2-768-v/lora"],
        ),
        (
            Family.SDXL,
            [
                "SDXL 0.9",
                "SDXL 1.0",
                "SDXL Turbo",
                "SDXL 1.0 LCM",
                "Pony",
                "Illustrious",
                "NoobAI",
                "sdxl_base_v1-0",
                "stable-diffusion-xl-v1-base/lora",
                "Pony Diffusion",
            ],
        ),
        (
            Family.SD3,
            ["SD 3", "SD 3.5", "SD 3.5 Large Turbo", "sd3", "sd3-m", "stable-diffusion-3-medium/lora"],
        ),
        (Family.FLUX, ["Flux.1 D", "Flux.1 S", "Flux.1 Kontext", "flux1", "flux-1-dev/lora", "Flux"]),
        (Family.FLUX2, ["Flux.2 D", "Flux.2 Klein 9B-base", "flux-2-dev/lora"]),
        (Family.AURAFLOW, ["AuraFlow", "Pony V7", "Pony Diffusion V7"]),
        (Family.WAN, ["Wan Video", "Wan Video 2.2 I2V-A14B", "wan2.1", "wan2.2/lora"]),
        (Family.HUNYUAN_VIDEO, ["Hunyuan Video", "hunyuan-video/lora"]),
        (Family.HUNYUAN_DIT, ["Hunyuan 1", "hunyuan-dit"]),
        (Family.QWEN, ["Qwen", "Qwen-Image/lora"]),
        (Family.Z_IMAGE, ["ZImageTurbo", "ZImageBase", "z-image/lora"]),
        (Family.LTXV, ["LTXV", "LTXV2", "LTX Video"]),
        (
            None,
            [
                "",
                "Other",
                "Upscaler",
                "Krea 2",
                "Chroma",
                "HiDream-O1",
                "Qwen 3",
                "SD 4",
                "SD 15",
                "SDNext",
                "Flux 3 Video",
                "Hunyuan3D",
                "Wan Image 2.7",
                "Animagine",
                "墨",
                "sd",
            ],
        ),
    ],
)
def test_words(family: Family | None, words: list[str]) -> None:
    """What hubs and trainers write."""
    assert {word: family_of(word) for word in words} == dict.fromkeys(words, family)


def test_every_name_of_civitai_is_looked_at(shared_data: Path) -> None:
    """Names that CivitAI itself counts to one ecosystem never stand in two families here."""
    table = json.loads((shared_data / "hubs/civitai/base_models_2026-08.json").read_text(encoding="utf-8"))
    families: dict[str, set[Family]] = {}
    for entry in table["baseModels"]:
        if (family := family_of(entry["baseModel"])) is not None:
            families.setdefault(entry["rootEcosystem"], set()).add(family)
    assert len(families) > 15
    assert {root: found for root, found in families.items() if len(found) > 1} == {}


@pytest.mark.parametrize(
    ("name", "family"),
    [
        *(("SD15", Family.SD1), ("SDXL", Family.SDXL), ("SSD1B", Family.SDXL), ("Flux2", Family.FLUX2)),
        *(("WAN21_I2V", Family.WAN), ("WAN22_T2V", Family.WAN), ("Chroma", None), ("NoneType", None)),
    ],
)
def test_classes(name: str, family: Family | None) -> None:
    """What ComfyUI calls a model."""
    assert class_family(name) is family


@pytest.mark.parametrize(
    ("model", "said", "found"),
    [
        ("SDXL", ["SD 1.5"], (Family.SDXL, Family.SD1)),
        ("SD15", ["Other", "Flux.1 D"], (Family.SD1, Family.FLUX)),
        ("SDXL", ["SD 1.5", "Illustrious"], None),
        ("SDXL", [], None),
        ("SDXL", ["Other"], None),
        ("Chroma", ["SD 1.5"], None),
        ("SDXL", ["SDXL 1.0"], None),
    ],
)
def test_mismatch(model: str, said: list[str], found: tuple[Family, Family] | None) -> None:
    """Only what is surely of another family is told; one agreeing statement is enough."""
    assert find_mismatch(model, said) == found
