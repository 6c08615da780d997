"""Files that begin with JSON about themselves: safetensors (ComfyUI's latents and saved models) and GLB.

safetensors   length u64 · {"__metadata__": {"prompt": "…", "workflow": "…"}, …}
GLB           "glTF" version total, then length u32 · "JSON" · {"asset": {"extras": {…}}, …}
"""

from __future__ import annotations

from collections.abc import Iterator

from ...decode import DecodeError, Value, parse_json
from .embedded import Tag, tags_in
from .span import TEXT_LIMIT, Span, cut_short


def safetensors_tags(file: Span) -> Iterator[Tag]:
    """What ComfyUI's save nodes put into the metadata of latents and models."""
    header = file.read(8, file.uint(0, 8, "little"))
    yield from tags_in(_parsed(header)["__metadata__"].json)


def glb_tags(file: Span) -> Iterator[Tag]:
    """What ComfyUI's SaveGLB puts into `asset.extras`."""
    if file.read(16, 4) == b"JSON":
        yield from tags_in(_parsed(file.read(20, file.uint(12, 4, "little")))["asset"]["extras"].json)


def _parsed(text: bytes) -> Value:
    try:
        return Value(parse_json(text, limit=TEXT_LIMIT))
    except DecodeError as fault:
        raise cut_short(f"its header is {fault.message}") from fault
