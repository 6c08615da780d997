"""What is known of a model, as outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from comfy_api.v0_0_2 import io

from ..comfywatchman import host
from . import inputs
from .desk import identify, in_words, open_obtainer

_FOLDERS: Final = (
    "loras",
    "checkpoints",
    "diffusion_models",
    "embeddings",
    "controlnet",
    "vae",
    "upscale_models",
)
_PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif"})
_SIDE: Final = 4096  # pixels of a preview that are still shown
_BLACK: Final = 64


class ModelInfo(io.ComfyNode):
    """Words, base model, licence, recommended settings, page and preview of one model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The inputs and outputs; the order never changes."""
        names = [f"{folder}/{name}" for folder in _FOLDERS for name in host.list_names(folder)]
        return io.Schema(
            node_id="ComfyWatchmanModelInfo",
            display_name="CivitAI Model Info",
            category=inputs.CATEGORY,
            description="Tells what is known of a model: trigger words, base model, licence, recommended "
            "settings, its page and a preview. Nothing is loaded or fetched.",
            inputs=[
                io.Combo.Input(
                    "name",
                    options=names,
                    optional=True,
                    tooltip="The model, by its folder and its name here.",
                ),
                inputs.source(),
            ],
            outputs=[
                io.String.Output(display_name="trigger words", tooltip="Separated by commas."),
                io.String.Output(display_name="base model", tooltip="What it was made for."),
                io.String.Output(display_name="licence", tooltip="What its author permits."),
                io.String.Output(display_name="settings", tooltip="Recommended, a line each."),
                io.String.Output(display_name="page", tooltip="Its address at its hub."),
                io.Image.Output(display_name="preview", tooltip="Black where there is none."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, name: str | None = None) -> bool | str:
        """A name that is not here is no error yet."""
        return inputs.check_name(name)

    @classmethod
    def fingerprint_inputs(cls, name: str | None = None, source: str = "") -> str:
        """Changes when the file or its words do."""
        folder, thing = _split(inputs.thing_of(name, source))
        return identify(thing, folder=folder, pinned="")

    @classmethod
    def execute(cls, *, name: str | None = None, source: str = "") -> io.NodeOutput:
        """Gather what is known."""
        thing = inputs.thing_of(name, source)
        if not thing:
            raise RuntimeError(
                "No model is chosen.\nChoose a file, or give a link, an id or an AIR as `source`."
            )
        with in_words():
            folder, known_as = _split(thing)
            summary = open_obtainer().describe(known_as, folder=folder)
        told = {
            "comfywatchman": [{"name": summary.name, "words": list(summary.words), "weight": summary.weight}]
        }
        return io.NodeOutput(
            ", ".join(summary.words),
            summary.base_model or "",
            summary.licence or "",
            summary.advice,
            summary.page or "",
            _load_preview(summary.preview),
            ui=told,
        )


def _split(thing: str) -> tuple[str | None, str]:
    """The folder and the name of `loras/ink.safetensors`; anything else may be in any folder."""
    folder, slash, name = thing.partition("/")
    return (folder, name) if slash and folder in _FOLDERS else (None, thing)


def _load_preview(path: Path | None) -> Any:
    """The picture as ComfyUI has images: (1, height, width, 3), 0 to 1."""
    import torch

    pixels = _read_pixels(path) if path is not None and path.suffix.lower() in _PICTURES else None
    if pixels is None:
        return torch.zeros((1, _BLACK, _BLACK, 3))
    return torch.from_numpy(pixels)[None]


def _read_pixels(path: Path) -> Any:
    """The picture in a file; None where there is none that can be read, or too large a one."""
    import numpy as np
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            if max(picture.size) > _SIDE:
                return None
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return np.asarray(upright, dtype=np.float32) / 255.0
