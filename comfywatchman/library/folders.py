"""ComfyUI's folders as facts: which directories serve them, and which files they hold.

    checkpoints        models/checkpoints
    diffusion_models   models/unet, models/diffusion_models
    ultralytics_bbox   models/ultralytics/bbox

`CORE` is `folder_paths.py` of ComfyUI 0.33; a folder that an older one lacks simply has no files.
`CUSTOM` are folders that widely used node packs register or that ComfyUI-Manager's list saves into.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ..catalog import extension

# ComfyUI runs code from `custom_nodes` and lists `datasets` for training: neither is ever a place to
# look for a model or to put one.
NOT_MODELS: Final = frozenset({"custom_nodes", "datasets"})

# Files that steer loading, no weights: looked for, never fetched.
NEVER_WRITTEN: Final = frozenset({"configs"})

CORE: Final[Mapping[str, tuple[str, ...]]] = {
    "checkpoints": ("checkpoints",),
    "configs": ("configs",),
    "loras": ("loras",),
    "vae": ("vae",),
    "text_encoders": ("text_encoders", "clip"),
    "diffusion_models": ("unet", "diffusion_models"),
    "clip_vision": ("clip_vision",),
    "style_models": ("style_models",),
    "embeddings": ("embeddings",),
    "diffusers": ("diffusers",),
    "vae_approx": ("vae_approx",),
    "controlnet": ("controlnet", "t2i_adapter"),
    "gligen": ("gligen",),
    "upscale_models": ("upscale_models",),
    "latent_upscale_models": ("latent_upscale_models",),
    "hypernetworks": ("hypernetworks",),
    "photomaker": ("photomaker",),
    "classifiers": ("classifiers",),
    "model_patches": ("model_patches",),
    "audio_encoders": ("audio_encoders",),
    "background_removal": ("background_removal",),
    "frame_interpolation": ("frame_interpolation",),
    "geometry_estimation": ("geometry_estimation",),
    "optical_flow": ("optical_flow",),
    "detection": ("detection",),
}

_OWN_NAME: Final = (
    "AnimateDiff", "BiRefNet", "CogVideo", "FILM", "Janus-Pro", "LLM", "LLavacheckpoints", "MoGe", "RGT",
    "SEEDVR2", "animatediff_models", "animatediff_motion_lora", "blip", "clip_interrogator", "clipseg",
    "deepbump", "depth", "depthanything", "depthanything3", "dynamicrafter_models", "face_restore",
    "facedetection", "facerestore_models", "film", "grounding-dino", "groundingdino", "hyperswap",
    "inpaint", "insightface", "instance_models", "instantid", "intrinsic_loras", "ipadapter",
    "ipadapter-flux", "isnet", "lama", "layer_model", "liveportrait", "mediapipe", "mimicmotion",
    "mmdets", "nlf", "nsfw_detector", "onnx", "pulid", "rams", "reactor", "rembg", "reswapper", "rife",
    "sam2", "sam3", "sams", "seecoders", "t5", "ultralytics", "vitmatte", "wav2vec2", "xlabs", "yolo",
    "yolo_world",
)  # fmt: skip
_INSIDE_ANOTHER: Final[Mapping[str, tuple[str, ...]]] = {
    "cogvideox_loras": ("CogVideo/loras",),
    "mmdets_bbox": ("mmdets/bbox",),
    "mmdets_segm": ("mmdets/segm",),
    "ultralytics_bbox": ("ultralytics/bbox",),
    "ultralytics_segm": ("ultralytics/segm",),
    "xlabs_controlnets": ("xlabs/controlnets",),
    "xlabs_ipadapters": ("xlabs/ipadapters",),
    "xlabs_loras": ("xlabs/loras",),
}
CUSTOM: Final[Mapping[str, tuple[str, ...]]] = {name: (name,) for name in _OWN_NAME} | dict(_INSIDE_ANOTHER)

# The first row is what ComfyUI lists by default, the second what node packs load besides.
MODEL_EXTENSIONS: Final = frozenset({
    ".ckpt", ".pt", ".pt2", ".bin", ".pth", ".safetensors", ".pkl", ".sft",
    ".gguf", ".onnx", ".torchscript", ".patch", ".engine", ".jit", ".npz", ".task", ".tflite",
})  # fmt: skip

# ComfyUI lists a folder below `diffusers` by the file that says what is in it.
DIFFUSERS_FILE: Final = "model_index.json"

_SPECIAL_EXTENSIONS: Final[Mapping[str, frozenset[str]]] = {
    "configs": frozenset({".yaml", ".yml"}),
    "classifiers": MODEL_EXTENSIONS | {""},
    "diffusers": MODEL_EXTENSIONS | {DIFFUSERS_FILE},
}

_FOLDER_NAME: Final = re.compile(r"[A-Za-z0-9][\w .+-]{0,63}", re.ASCII)


def directories_of(folder: str) -> tuple[str, ...]:
    """The directories below `models/` that serve a folder by default, `/` between parts.

    Empty for a folder that neither ComfyUI nor a widely used pack has.
    """
    return CORE.get(folder) or CUSTOM.get(folder, ())


def is_wanted(name: str, folder: str) -> bool:
    """Whether a file of that name counts in a folder.

    >>> is_wanted("q4.gguf", "diffusion_models"), is_wanted("v1.yaml", "configs"), is_wanted("v1.yaml", "vae")
    (True, True, False)
    """
    wanted = _SPECIAL_EXTENSIONS.get(folder, MODEL_EXTENSIONS)
    return extension(name) in wanted or name in wanted


def has_model_extension(name: str) -> bool:
    """Whether a name ends as model files do.

    >>> has_model_extension("ink.SFT"), has_model_extension("ink-v1.5"), has_model_extension("ink")
    (True, False, False)
    """
    return extension(name) in MODEL_EXTENSIONS


def is_folder_name(name: str) -> bool:
    """Whether a text can be a folder's name: one plain path segment under every system's rules.

    >>> is_folder_name("grounding-dino"), is_folder_name("../custom_nodes"), is_folder_name(".git")
    (True, False, False)
    """
    return bool(_FOLDER_NAME.fullmatch(name)) and not name.endswith((".", " "))
