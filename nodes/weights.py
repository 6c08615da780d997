"""Loading through ComfyUI's own functions, as its own loaders do.

    load_checkpoint ─▶ comfy.sd.load_checkpoint_guess_config   CheckpointLoaderSimple
    apply_lora      ─▶ comfy.sd.load_lora_for_models           LoraLoader

What comes out are ComfyUI's objects, and it alone keeps them: what it still has of a checkpoint, for another
node or for other inputs of the same one, is handed out again. LoRAs as they were read are kept as its own
loader keeps them, so that a change of strength reads nothing again: by the nodes' objects, which ComfyUI
drops to free memory.
"""

from __future__ import annotations

import inspect
import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from ..comfywatchman import host
from ..comfywatchman.errors import BaseModelMismatch
from ..comfywatchman.families import find_mismatch

if TYPE_CHECKING:
    from ..comfywatchman.obtained import Obtained
    from ..comfywatchman.summary import Summary

_LOG: Final = logging.getLogger(__name__)
_KEPT_FILES: Final = 8
_KEPT_BYTES: Final = 1 << 30

_Key = tuple[str, int, int]


def load_checkpoint(obtained: Obtained) -> tuple[Any, Any, Any]:
    """Model, CLIP and VAE of a checkpoint; CLIP is None for a file that has none."""
    places = [(_key_of(obtained), part) for part in ("model", "clip", "vae")]
    model, clip, vae = (living().get(place) for place in places)
    if model is None or clip is None or vae is None:
        model, clip, vae = parts = _load_checkpoint(str(obtained.path))
        living().update((place, part) for place, part in zip(places, parts, strict=True) if part is not None)
    return model, clip, vae


@cache
def living() -> WeakValueDictionary[tuple[_Key, str], Any]:
    """What ComfyUI has of checkpoints that were loaded here; nothing lives longer for it."""
    return WeakValueDictionary()


def _load_checkpoint(path: str) -> tuple[Any, Any, Any]:
    import comfy.sd

    _LOG.info("loading checkpoint %s", path)
    loaded = comfy.sd.load_checkpoint_guess_config(
        path,
        output_vae=True,
        output_clip=True,
        embedding_directory=host.list_directories("embeddings"),
    )
    model, clip, vae = loaded[:3]
    return model, clip, vae


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """Model and CLIP with a LoRA in them. `warning` is empty where it fitted."""

    model: Any
    clip: Any
    warning: str = ""


class LoRAWeights:
    """LoRA files as they were read, the last few of them; from any thread."""

    def __init__(self, *, files: int = _KEPT_FILES, size: int = _KEPT_BYTES) -> None:
        self._most_files, self._most_bytes = files, size
        self._kept: OrderedDict[_Key, tuple[Any, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, obtained: Obtained) -> tuple[Any, Any]:
        """The weights and the metadata of a file."""
        key = _key_of(obtained)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        read = _read(key[0])
        with self._lock:
            self._kept[key] = read
            while len(self._kept) > 1 and self._is_full():
                self._kept.popitem(last=False)
        return read

    def _is_full(self) -> bool:
        held = sum(size for _, _, size in self._kept)
        return len(self._kept) > self._most_files or held > self._most_bytes


def lora_weights() -> LoRAWeights:
    """Those of this ComfyUI. Who asks keeps them: objects of nodes, which ComfyUI drops with its caches."""
    return _weights().setdefault("loras", LoRAWeights())


@cache
def _weights() -> WeakValueDictionary[str, LoRAWeights]:
    return WeakValueDictionary()


def _key_of(obtained: Obtained) -> _Key:
    return str(obtained.path), obtained.file.mtime_ns, obtained.file.size


def _read(path: str) -> tuple[Any, Any]:
    import comfy.utils

    _LOG.info("reading LoRA %s", path)
    weights, metadata = comfy.utils.load_torch_file(path, safe_load=True, return_metadata=True)
    return weights, metadata


def apply_lora(
    model: Any,
    clip: Any,
    obtained: Obtained,
    *,
    strengths: tuple[float, float],
    summary: Summary,
    strict: bool,
) -> Applied:
    """Put a LoRA into a model and a CLIP, either of which may be None. `strengths` are those for the two.

    Raises:
        BaseModelMismatch: it is made for another family, or fits nowhere; unless not `strict`.
    """
    if not any(strengths):
        return Applied(model=model, clip=clip)
    warning = _check_family(model, obtained, summary, strict=strict)
    weights, metadata = lora_weights().read(obtained)
    import comfy.sd

    extra = {"lora_metadata": metadata} if _takes_metadata(comfy.sd.load_lora_for_models) else {}
    patched = comfy.sd.load_lora_for_models(model, clip, weights, *strengths, **extra)
    if not warning and _patches(patched) == _patches((model, clip)):
        warning = _tell(f"{obtained.file.name}: none of its weights fits this model", strict=strict)
    return Applied(model=patched[0], clip=patched[1], warning=warning)


def _takes_metadata(load: Any) -> bool:
    """ComfyUI before 0.22 has no `lora_metadata`."""
    return "lora_metadata" in inspect.signature(load).parameters


def _check_family(model: Any, obtained: Obtained, summary: Summary, *, strict: bool) -> str:
    config = getattr(getattr(model, "model", None), "model_config", None)
    found = find_mismatch(type(config).__name__, summary.base_models)
    if found is None:
        return ""
    return _tell(
        f"{obtained.file.name} was made for {found[1]} and does not fit this {found[0]} model", strict=strict
    )


def _tell(text: str, *, strict: bool) -> str:
    if strict:
        raise BaseModelMismatch(
            text, hint="Choose a LoRA made for this model's family, or set `mismatch` to warn."
        )
    _LOG.warning("%s", text)
    return text


def _patches(pair: Sequence[Any]) -> int:
    """How many patches a model and a CLIP hold together."""
    model, clip = pair
    holders = (model, getattr(clip, "patcher", None))
    return sum(
        len(patches) for holder in holders if holder is not None for patches in holder.patches.values()
    )
