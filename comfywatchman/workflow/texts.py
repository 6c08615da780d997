r"""What a widget's text says: a file of a model, a tag in a prompt, or neither."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeGuard

from ..catalog import Json

MODEL_EXTENSIONS: Final = frozenset(
    (
        "safetensors",
        "sft",
        "ckpt",
        "pt",
        "pt2",
        "pth",
        "bin",
        "gguf",
        "onnx",
        "pkl",
        "torchscript",
        "patch",
        "task",
    )
)
_MAX_NAME: Final = 400
_EMBEDDING: Final = re.compile(r"embedding:\s?((?:\\[()]|[^\s,;:()\[\]{}<>|\"'])+)")
_ESCAPED: Final = re.compile(r"\\([()])")
_CHOSEN_LATER: Final = re.compile(r"[{}|*]|\A__.+__\Z", re.DOTALL)  # wildcards, in the place of a name
_LORA_TAG: Final = re.compile(r"<lora:([^:<>\n]+)(?::[^<>\n]*)?>")


def is_model_file(value: Json) -> TypeGuard[str]:
    """Whether a value is the name of a model file by its extension, in any case; a prompt is none."""
    if not isinstance(value, str) or len(value) > _MAX_NAME:
        return False
    dot = value.rfind(".")
    if dot <= 0 or value[dot + 1 :].rstrip().lower() not in MODEL_EXTENSIONS:
        return False
    return "\n" not in value and "embedding:" not in value and "<lora:" not in value


def may_name_files(value: Json) -> bool:
    """A quick look: whether a value could name a file, by itself, in a tag, or somewhere inside."""
    if isinstance(value, str):
        return is_model_file(value) or (":" in value and ("embedding:" in value or "<lora:" in value))
    return isinstance(value, dict | list)


def is_address(name: str) -> bool:
    """Whether a name is a URL: the node brings that file itself."""
    return name.startswith(("http://", "https://"))


def clean_name(value: str) -> str:
    r"""A name with `/` for separators and no white space around it.

    >>> clean_name("SDXL\\style/ink.safetensors ")
    'SDXL/style/ink.safetensors'
    """
    return value.strip().replace("\\", "/")


def find_embeddings(text: str) -> Iterator[str]:
    r"""The names after `embedding:`, which ComfyUI's tokenizer ends at white space or a comma.

    Brackets are for weights; those of a name are escaped, as in any prompt.

    >>> list(find_embeddings(r"(embedding:bad/hands:1.2), embedding:EasyNegative.pt embedding:ink_\(v2\)"))
    ['bad/hands', 'EasyNegative.pt', 'ink_(v2)']
    """
    if "embedding:" in text:
        for name in _EMBEDDING.findall(text):
            cleaned = clean_name(_ESCAPED.sub(r"\1", name)).rstrip("./")
            if cleaned:
                yield cleaned


def find_lora_tags(text: str) -> Iterator[str]:
    """The names in `<lora:NAME:weight…>`; a wildcard in the place of a name names nothing.

    >>> list(find_lora_tags("girl <lora:style/ink_v2:0.8> <lora:add_detail:1:0.5>"))
    ['style/ink_v2', 'add_detail']
    """
    if "<lora:" in text:
        for name in _LORA_TAG.findall(text):
            if name.strip() and not _CHOSEN_LATER.search(name.strip()):
                yield clean_name(name)
