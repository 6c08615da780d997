"""A pack for tests: writes down what flows through a graph, bit by bit, so that two runs can be compared.

Loaded by ComfyUI beside the pack under test; see `ComfyUI.probe` in `running.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch


class CwTestProbe:
    """Digests of everything that is connected; a text as it is."""

    CATEGORY = "tests"
    FUNCTION = "look"
    OUTPUT_NODE = True
    RETURN_TYPES = ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802  ComfyUI's name
        kinds = ("MODEL", "CLIP", "CONDITIONING", "LATENT", "IMAGE")
        sockets: dict[str, Any] = {kind.lower(): (kind,) for kind in kinds}
        return {"required": {}, "optional": {**sockets, "text": ("STRING", {"forceInput": True})}}

    @classmethod
    def IS_CHANGED(cls, **_: Any) -> float:  # noqa: N802  ComfyUI's name
        return float("nan")  # never equal to itself: looks again in each run

    def look(self, text: str | None = None, **seen: Any) -> dict[str, Any]:
        told = {name: _digest(value) for name, value in seen.items()}
        if text is not None:
            told["text"] = text
        return {"ui": {"probe": [json.dumps(told)]}}


class CwTestStack:
    """A LORA_STACK as other packs make them, from JSON: rows are lists, as some have them."""

    CATEGORY = "tests"
    FUNCTION = "read"
    RETURN_TYPES = ("LORA_STACK",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802  ComfyUI's name
        return {"required": {"rows": ("STRING", {"default": "[]"})}}

    def read(self, rows: str) -> tuple[Any]:
        return (json.loads(rows),)


NODE_CLASS_MAPPINGS = {"CwTestProbe": CwTestProbe, "CwTestStack": CwTestStack}


def _digest(value: Any) -> str:
    digest = hashlib.sha256()
    for part in _parts(value):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    """What makes a value what it is: the numbers of tensors, of models and CLIPs the patches.

    Weights of models are left out, since ComfyUI may have patched them in place by now; they show in what is
    sampled with them.
    """
    if isinstance(value, torch.Tensor):
        yield f"{value.dtype} {tuple(value.shape)};".encode()
        yield value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes()
    elif isinstance(value, Mapping):
        for key in sorted(value, key=str):
            yield f"{key}:".encode()
            yield from _parts(value[key])
    elif isinstance(value, (list, tuple)):
        yield f"{len(value)} in a row;".encode()
        for item in value:
            yield from _parts(item)
    elif hasattr(value, "patches"):  # a ModelPatcher
        yield f"{type(value.model).__name__};".encode()
        yield from _parts(
            {"options": value.model_options.get("transformer_options"), "patches": value.patches}
        )
    elif hasattr(value, "patcher"):  # a CLIP
        yield f"{type(value).__name__} {getattr(value, 'layer_idx', None)};".encode()
        yield from _parts(value.patcher)
    elif hasattr(value, "weights"):  # a LoRA's adapter
        yield f"{type(value).__name__};".encode()
        yield from _parts(value.weights)
    else:  # a callable's repr would tell its address
        yield f"{getattr(value, '__qualname__', None) or repr(value)};".encode()
