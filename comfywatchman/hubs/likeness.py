"""When two file names mean the same, and what to type into a hub's search for one.

dreamshaperXL_v21TurboDPMSDE.safetensors
  plain name   dreamshaperxl_v21turbodpmsde.safetensors
  core         dreamshaperxlv21turbodpmsde      precision and packing left out
  searches     "dreamshaper XL v21 Turbo DPMSDE", "dreamshaper XL"
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from ..catalog import base_name, canonical_folder, extension, format_of
from ..workflow.references import Reference

_WORD: Final = re.compile(r"[^\W_]+(?:\.[^\W_]+)*")
_CASES: Final = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# How the same work is packed; never what the work is.
_PACKING: Final = re.compile(
    r"(?<![^\W_])(?:(?:fp|bf|int|nf|nvfp|mxfp)\d+|e4m3fn?|e5m2|i?q\d(?:_(?:k|[01]|x*s|m|l|nl))*|scaled|mixed|pruned"
    r"|emaonly|ema)(?![^\W_])",
    re.IGNORECASE,
)
# On CivitAI a "Checkpoint" is as often a bare diffusion model.
_NEAR: Final = frozenset({"checkpoints", "diffusion_models"})
_TOLD: Final = frozenset(
    {"checkpoints", "diffusion_models", "loras", "vae", "text_encoders", "clip_vision", "controlnet"}
    | {"embeddings", "hypernetworks", "upscale_models"}
)
_LONGEST: Final = 100


def plain_name(name: str) -> str:
    """The last part of a name, with case and Unicode form set aside."""
    return unicodedata.normalize("NFC", base_name(name)).casefold()


def stem_of(name: str) -> str:
    """The last part of a name without the extension of a model.

    >>> stem_of("a/Some.Model_v1.5"), stem_of("b.SAFETENSORS")
    ('Some.Model_v1.5', 'b')
    """
    last = base_name(name)
    return last[: -len(extension(last))] if format_of(last) != "other" else last


def is_same_name(wanted: str, offered: str) -> bool:
    """Whether a hub's file has just the wanted name; a wanted name without extension matches any."""
    if plain_name(wanted) == plain_name(offered):
        return True
    return stem_of(wanted) == base_name(wanted) and plain_name(wanted) == plain_name(stem_of(offered))


def core_of(name: str) -> str:
    """What is left of a name without separators, case, extension and words on precision and packing.

    >>> core_of("Wan2.1_T2V-14B_fp8_scaled.safetensors") == core_of("wan2_1 t2v 14b-Q4_K_M.gguf")
    True
    """
    return "".join(_words(name)).replace(".", "").casefold()


def is_like(wanted: str, offered: str) -> bool:
    """Whether two names have the same core, and enough of it to mean something."""
    core = core_of(wanted)
    return len(core) >= 4 and core == core_of(offered)


def precision_of(name: str) -> str | None:
    """The words in a name that say how the weights are packed.

    >>> precision_of("wan2.1_fp8_scaled.safetensors"), precision_of("flux1-Q4_K_M.gguf"), precision_of("a")
    ('fp8 scaled', 'Q4_K_M', None)
    """
    return " ".join(_PACKING.findall(stem_of(name))) or None


def search_texts(name: str) -> tuple[str, ...]:
    """One or two things to type for a file name: all its words, then the part that names the work.

    >>> search_texts("dreamshaper_8.safetensors")
    ('dreamshaper 8', 'dreamshaper')
    """
    stem = stem_of(name)
    head = re.split(r"[_\s]", stem, maxsplit=1)[0]
    short = _spaced(head) if len(head) >= 4 else stem
    texts = dict.fromkeys(_cleaned(text) for text in (_spaced(stem), short))
    return tuple(text for text in texts if text)


def repository_texts(name: str) -> tuple[str, ...]:
    """One or two things to look for in repository names, which say less than file names.

    >>> repository_texts("wan2.1_t2v_14B_fp8_scaled.safetensors")
    ('wan2.1 t2v 14B', 'wan2.1 t2v')
    """
    words = _words(name)
    texts = dict.fromkeys(_cleaned(" ".join(some)) for some in (words, words[:2]))
    return tuple(text for text in texts if text)


def fits(reference: Reference, folder: str | None) -> bool:
    """Whether a hub's file of that folder can be what the reference wants; unknown folders can."""
    wanted = {canonical_folder(name) for name in (reference.folder, *reference.other_folders)}
    if folder is None or folder in wanted or not wanted & _TOLD:
        return True
    return folder in _NEAR and bool(wanted & _NEAR)


def _words(name: str) -> list[str]:
    stem = unicodedata.normalize("NFKC", stem_of(name))
    return _WORD.findall(_PACKING.sub(" ", stem)) or _WORD.findall(stem)


def _spaced(text: str) -> str:
    return " ".join(_CASES.sub(" ", word) for word in _words(text))


def _cleaned(text: str) -> str:
    """Text that can be sent: no lone surrogates, no controls, not endless."""
    sendable = text.encode("utf-8", "ignore").decode()
    return " ".join("".join(c for c in sendable if c.isprintable()).split())[:_LONGEST]
