"""What kind of file this is, by its first bytes, and who reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from ...decode import MIB
from ...errors import InvalidWorkflow
from .audio import flac_tags, mp3_tags, ogg_tags
from .boxes import avif_tags, mp4_tags
from .embedded import Embedded, Tag, gather
from .images import exr_tags, jpeg_tags, png_tags, svg_tags, webp_tags
from .matroska import matroska_tags
from .preambles import glb_tags, safetensors_tags
from .span import Span

JSON_LIMIT: Final = 20 * MIB
IMAGE_LIMIT: Final = 50 * MIB
_HEAD: Final = 4096


@dataclass(frozen=True, slots=True)
class _Kind:
    """A container that can carry a workflow; film, sound and tensors are skipped over at any size."""

    name: str
    title: str
    magic: bytes
    tags: Callable[[Span], Iterator[Tag]]
    limit: int | None = None


_KINDS: Final = (
    _Kind("png", "PNG image", rb"\x89PNG\r\n\x1a\n", png_tags, IMAGE_LIMIT),
    _Kind("webp", "WebP image", rb"RIFF....WEBP", webp_tags, IMAGE_LIMIT),
    _Kind("jpeg", "JPEG image", rb"\xff\xd8\xff", jpeg_tags, IMAGE_LIMIT),
    _Kind("avif", "AVIF or HEIF image", rb"....ftyp(?:avi[fs]|mif1|msf1|hei[cfs])", avif_tags, IMAGE_LIMIT),
    _Kind("exr", "EXR image", rb"\x76\x2f\x31\x01", exr_tags, IMAGE_LIMIT),
    _Kind(
        "svg",
        "SVG image",
        rb"(?i)(?:\xef\xbb\xbf)?\s*(?!<!doctype html|<html)<.*?(?<=<)svg[\s>]",
        svg_tags,
        IMAGE_LIMIT,
    ),
    _Kind("mp4", "mp4 or mov file", rb"....ftyp|\0...(?:moov|mdat|wide|free|skip)", mp4_tags),
    _Kind("webm", "webm video", rb"\x1a\x45\xdf\xa3.{0,60}webm", matroska_tags),
    _Kind("mkv", "Matroska video", rb"\x1a\x45\xdf\xa3", matroska_tags),
    _Kind("flac", "FLAC audio file", rb"fLaC", flac_tags),
    _Kind("ogg", "Ogg or Opus file", rb"OggS", ogg_tags),
    _Kind("mp3", "MP3 audio file", rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", mp3_tags),
    _Kind("glb", "GLB model", rb"glTF", glb_tags),
    _Kind("safetensors", "safetensors file (model weights or a latent)", rb".{4}\0{4}\{", safetensors_tags),
)

_STRANGERS: Final = (
    (rb"PK\x03\x04|PK\x05\x06", "a zip archive (also the form of .pt and .ckpt model files)"),
    (rb"%PDF", "a PDF document"),
    (
        rb"(?i)(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body)",
        "a web page (HTML), often a login or an error page",
    ),
    (rb"GGUF", "GGUF model weights"),
    (rb"\x80[\x02-\x05]", "a Python pickle (model weights of .pt, .pth, .bin or .ckpt)"),
    (rb"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (rb"GIF8[79]a", "a GIF image, which ComfyUI saves without a workflow"),
    (rb"RIFF....WAVE", "a WAV audio file, which ComfyUI saves without a workflow"),
    (rb"RIFF....AVI ", "an AVI video"),
    (rb"II\*\0|MM\0\*", "a TIFF image"),
    (rb"BM....\0\0\0\0", "a BMP image"),
    (rb"\x1f\x8b", "a gzip file"),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (rb"Rar!\x1a\x07", "a RAR archive"),
    (rb"SQLite format 3\0", "an SQLite database"),
    (rb"MZ|\x7fELF", "a program"),
    (rb"\s*<", "XML"),
)


def read_container(source: bytes | BinaryIO) -> Embedded:
    """The workflow and the prompt that a file carries, whatever its name says it is.

    `source` is the file's bytes, or the file opened for buffered reading in binary mode; of a stream
    only the parts that matter are read. A plain JSON file is given back as its own workflow.

    Raises:
        InvalidWorkflow: empty, too large, cut short, of a kind that carries none, or without one.
    """
    file = Span.over(source)
    head = file.head(_HEAD)
    if not head.strip(b"\0 \t\r\n") and file.size <= _HEAD:
        raise InvalidWorkflow("expected a workflow, got an empty file")
    for kind in _KINDS:
        if re.match(kind.magic, head, re.DOTALL):
            _require_size(file, kind.limit, kind.title)
            return gather(kind.name, kind.title, kind.tags(file))
    if _is_json(head):
        _require_size(file, JSON_LIMIT, "JSON text")
        return Embedded(container="json", workflow=file.read(0, file.size, limit=JSON_LIMIT), prompt=None)
    raise InvalidWorkflow(f"expected a workflow as JSON, image, video or audio, got {_description(head)}")


def _require_size(file: Span, limit: int | None, title: str) -> None:
    if limit is not None and file.size > limit:
        raise InvalidWorkflow(
            f"{title} of {file.size:,} bytes is over the limit of {limit:,}",
            hint="No workflow is so large: check that this is the file you mean, or export it as JSON.",
        )


def _is_json(head: bytes) -> bool:
    """Whether it begins as an object or a list does, in UTF-8, UTF-16 or UTF-32."""
    text = head.decode(json.detect_encoding(head), errors="replace")
    return text.lstrip("\ufeff \t\r\n")[:1] in {"{", "[", ""}


def _description(head: bytes) -> str:
    for magic, what in _STRANGERS:
        if re.match(magic, head, re.DOTALL):
            return what
    if re.search(rb"[\0-\x08\x0e-\x1f]", head):
        return f"an unknown binary file that begins with {head[:8].hex(' ')}"
    return f"text that is no JSON: {head[:40].decode(errors='replace').strip()!r}"
