"""General rules: the folder an input names when no table knows its node.

An input's own name says it most often (`lora_name`, `base_ckpt_name`, `clip_name2`); else the words in
the node's type do (`VaeGGUF`). What neither says clearly is not placed: a wrong folder is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from .node import Node

# Words that must all be there, and the folder they mean. The first line that fits wins, so the more
# special meaning of a word ("clip vision") stands before the plain one ("clip").
_MEANINGS: Final[tuple[tuple[frozenset[str], str], ...]] = tuple(
    (frozenset(words.split()), folder)
    for words, folder in (
        ("clip vision", "clip_vision"),
        ("clipvision", "clip_vision"),
        ("motion lora", "animatediff_motion_lora"),
        ("lora", "loras"),
        ("loras", "loras"),
        ("lycoris", "loras"),
        ("vae approx", "vae_approx"),
        ("tiny vae", "vae_approx"),
        ("vae", "vae"),
        ("ipadapter", "ipadapter"),
        ("ipadatper", "ipadapter"),
        ("ip adapter", "ipadapter"),
        ("instantid", "instantid"),
        ("instant id", "instantid"),
        ("pulid", "pulid"),
        ("photomaker", "photomaker"),
        ("control net", "controlnet"),
        ("controlnet", "controlnet"),
        ("cnet", "controlnet"),
        ("sparsectrl", "controlnet"),
        ("latent upscale", "latent_upscale_models"),
        ("latent upscaler", "latent_upscale_models"),
        ("upscale", "upscale_models"),
        ("upscaler", "upscale_models"),
        ("esrgan", "upscale_models"),
        ("style model", "style_models"),
        ("gligen", "gligen"),
        ("hypernetwork", "hypernetworks"),
        ("motion model", "animatediff_models"),
        ("animatediff", "animatediff_models"),
        ("animate diff", "animatediff_models"),
        ("audio encoder", "audio_encoders"),
        ("model patch", "model_patches"),
        ("text encoder", "text_encoders"),
        ("textencoder", "text_encoders"),
        ("t5", "text_encoders"),
        ("clip", "text_encoders"),
        ("sam", "sams"),
        ("bbox", "ultralytics"),
        ("ultralytics", "ultralytics"),
        ("unet", "diffusion_models"),
        ("dit", "diffusion_models"),
        ("diffusion model", "diffusion_models"),
        ("transformer", "diffusion_models"),
        ("ckpt", "checkpoints"),
        ("checkpoint", "checkpoints"),
    )
)
_BY_OUTPUT: Final = {
    "MODEL": "diffusion_models",
    "CLIP": "text_encoders",
    "VAE": "vae",
    "CLIP_VISION": "clip_vision",
    "CONTROL_NET": "controlnet",
    "STYLE_MODEL": "style_models",
    "UPSCALE_MODEL": "upscale_models",
    "LATENT_UPSCALE_MODEL": "latent_upscale_models",
    "GLIGEN": "gligen",
    "PHOTOMAKER": "photomaker",
    "IPADAPTER": "ipadapter",
    "INSTANTID": "instantid",
    "PULID": "pulid",
    "PULIDFLUX": "pulid",
    "SAM_MODEL": "sams",
    "BBOX_DETECTOR": "ultralytics",
    "SEGM_DETECTOR": "ultralytics",
    "AUDIO_ENCODER": "audio_encoders",
    "MODEL_PATCH": "model_patches",
    "MOTION_MODEL_ADE": "animatediff_models",
    "WANVIDEOMODEL": "diffusion_models",
    "WANVAE": "vae",
    "WANTEXTENCODER": "text_encoders",
    "WANVIDLORA": "loras",
    "LORA_STACK": "loras",
}
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])\d*|\d+")
_ODD_CASE: Final = (("LoRA", "Lora"), ("DiT", "Dit"), ("LyCORIS", "Lycoris"))
_MAX_NAME: Final = 200
_FETCHERS: Final = ("download", "preprocessor", " vfi")
_NUMBERED: Final = frozenset({"t5", "sam2", "sam3"})  # other models than the word without its number
_TEXT_GIVERS: Final = frozenset(
    {"primitive", "string", "text", "literal", "constant", "prompt", "reroute", "multiline"}
)
_NO_LOADERS: Final = frozenset(
    {
        "save",
        "saver",
        "show",
        "preview",
        "display",
        "note",
        "print",
        "debug",
        "view",
        "markdown",
        "export",
        "label",
    }
)
_PLAIN_TEXT: Final = frozenset(
    {"text", "string", "multiline", "primitive", "regex", "replace", "concat", "concatenate", "join"}
)
_TAG_READERS: Final = frozenset({"wildcard", "wildcards", "detailer", "lora", "loras"})
_LOADERS: Final = frozenset(
    {
        "load",
        "loader",
        "loaders",
        "select",
        "selector",
        "stack",
        "stacker",
        "list",
        "names",
        "apply",
        "provider",
    }
)


def words_of(name: str) -> list[str]:
    """The words of an identifier, in lower case, without the numbers at their ends.

    >>> words_of("DualCLIPLoaderGGUF"), words_of("base_ckpt_name2")
    (['dual', 'clip', 'loader', 'gguf'], ['base', 'ckpt', 'name'])
    """
    name = name[:_MAX_NAME]
    for odd, plain in _ODD_CASE:
        name = name.replace(odd, plain)
    return [word for match in _WORDS.findall(name) if (word := _bare(match.lower()))]


def _bare(word: str) -> str:
    return word if word in _NUMBERED else word.rstrip("0123456789")


def meaning(words: Iterable[str]) -> str | None:
    """The one folder that a set of words means; None when they mean none, or several."""
    given = frozenset(words)
    used: frozenset[str] = frozenset()
    folders: set[str] = set()
    for wanted, folder in _MEANINGS:
        if wanted <= given and not wanted <= used:
            used |= wanted
            folders.add(folder)
    return folders.pop() if len(folders) == 1 else None


def guess_folder(node: Node, input_name: str, *, alone: bool) -> str | None:
    """The folder for an input of a node that no table knows; None when it is not clear.

    `alone`: it is the only file that the node names, so that what the node gives comes from it.
    """
    kind = words_of(node.type)
    by_name = meaning(words_of(input_name))
    if by_name == "text_encoders" and "vision" in kind:
        return "clip_vision"
    if by_name is not None:
        return by_name
    return meaning(kind) or (_folder_by_outputs(node.takes, node.gives) if alone else None)


def _folder_by_outputs(takes: frozenset[str], gives: frozenset[str]) -> str | None:
    """What a node can only have loaded, from what it gives and is not given."""
    made = gives - takes
    if "BASIC_PIPE" in made or made >= {"MODEL", "VAE"}:
        return "checkpoints"
    if "MODEL" in gives and "MODEL" in takes and gives <= {"MODEL", "CLIP"}:
        return "loras"
    folders = {folder for kind, folder in _BY_OUTPUT.items() if kind in made}
    return folders.pop() if len(folders) == 1 else None


def names_no_models(node_type: str) -> bool:
    """Whether a node only shows, stores or writes text, so that a file name in it loads nothing."""
    kind = frozenset(words_of(node_type))
    if kind & _LOADERS:
        return False
    return bool(kind & _NO_LOADERS) or bool(kind & _PLAIN_TEXT and not kind & {"encode", "encoder"})


def reads_lora_tags(node_type: str) -> bool:
    """Whether a node of this type reads <lora:NAME:weight> in its text."""
    return bool(_TAG_READERS.intersection(words_of(node_type)))


def gives_text(node_type: str) -> bool:
    """Whether a node's own text is what it gives to others: a primitive, a literal, a text box."""
    return bool(_TEXT_GIVERS.intersection(words_of(node_type)))


def brings_its_files(node_type: str) -> bool:
    """Whether a node fetches its files itself: DownloadAndLoad…, controlnet_aux's preprocessors, … VFI."""
    return any(word in node_type[:_MAX_NAME].lower() for word in _FETCHERS)
