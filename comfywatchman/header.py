r"""What a file is, from its first bytes, and whether its structure covers it exactly.

    safetensors   u64 N │ N bytes of JSON {"name": {"dtype", "shape", "data_offsets": [a, b]}, …} │ data
    gguf          "GGUF" u32 version u64 tensors u64 keys │ keys │ tensor infos │ padding │ data
    zip           … │ central directory │ "PK\5\6" end record        (what torch.save writes)

Every reader is bounded and trusts no number it reads. Nothing is unpickled, nothing of torch imported.
Formats: https://github.com/huggingface/safetensors#format, ggml-org/ggml docs/gguf.md, PKWARE APPNOTE.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from .catalog import extension, format_of
from .errors import NotAModel
from .gguf import gguf_end

Reader = Callable[[int, int], bytes]  # (offset, length) → at most `length` bytes

HEAD: Final = 512  # bytes that `sniff` wants to see
SAFETENSORS_LIMIT: Final = 100_000_000  # the format's own cap on its header
PARSE_LIMIT: Final = 16 << 20  # headers beyond are believed, not read

_BITS: Final = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "U16": 16, "I16": 16, "F16": 16,
    "BF16": 16, "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64, "C64": 64,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip

_MAGIC: Final = (
    (b"GGUF", "gguf"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"%PDF-", "pdf"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x1f\x8b", "gzip"),
    (b"version https://git-lfs", "git-lfs-pointer"),
    (b"version https://hawser", "git-lfs-pointer"),
)
_PICKLE: Final = re.compile(rb"\x80[\x02-\x05]")
_ONNX: Final = re.compile(rb"\x08[\x01-\x1f][\x12\x1a\x22\x2a\x32\x3a\x42]")
_HTML: Final = re.compile(rb"<(!doctype\s+html|html|head|body|title|script|meta)\b", re.IGNORECASE)
_TORCH_ENTRY: Final = re.compile(rb"(\A|/)(data\.pkl|version|byteorder|\.format_version|\.data/.*)\Z")

# What a name's format may look like inside. Pickles of protocol 0 and 1 have no magic.
_PROMISES: Final = {
    "safetensors": frozenset({"safetensors"}),
    "gguf": frozenset({"gguf"}),
    "pickle": frozenset({"pickle", "zip-torch", "zip", "tar", "unknown"}),
    "onnx": frozenset({"onnx", "unknown"}),
    "archive": frozenset({"zip", "zip-torch", "7z", "rar", "gzip", "tar"}),
}
_NO_MODEL: Final = frozenset({"html", "json", "xml", "git-lfs-pointer"})
_TEXT_FILES: Final = {".json": "json", ".html": "html", ".htm": "html", ".xml": "xml", ".svg": "xml"}
_WORDS: Final = {
    "html": "a web page",
    "json": "a JSON text",
    "xml": "an XML text",
    "git-lfs-pointer": "a Git LFS pointer",
    "unknown": "bytes of no known format",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What the inside of a file says.

    `exact` is True when it accounts for every byte of the file, None when that was not or cannot be
    checked. `metadata` is a safetensors header's `__metadata__`.
    """

    kind: str
    exact: bool | None = None
    metadata: dict[str, str] = field(default_factory=dict)


def sniff(head: bytes) -> str:
    """The kind of a file by its first bytes (`HEAD` of them are enough), "unknown" if none fits.

    >>> sniff(b"GGUF" + bytes(20)), sniff(b"<!DOCTYPE html><html>"), sniff(b"")
    ('gguf', 'html', 'unknown')
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if 2 <= int.from_bytes(head[:8], "little") <= SAFETENSORS_LIMIT and head[8:9] == b"{":
        return "safetensors"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip-torch" if _TORCH_ENTRY.search(_first_entry(head)) else "zip"
    if head[257:262] == b"ustar":
        return "tar"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return _sniff_text(head) or (
        "pickle" if _PICKLE.match(head) else "onnx" if _ONNX.match(head) else "unknown"
    )


def _first_entry(head: bytes) -> bytes:
    """The name of the first entry of a zip file, from its local header."""
    return head[30 : 30 + int.from_bytes(head[26:28], "little")]


def _sniff_text(head: bytes) -> str | None:
    """Text formats that servers send in place of a file."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if _HTML.match(text) or text.startswith(b"<!--"):
        return "html"
    if text.startswith(b"<?xml") or re.match(rb"<[A-Za-z]", text):
        return "html" if re.search(rb"<html\b", text, re.IGNORECASE) else "xml"
    return "json" if re.match(rb'[{\[]\s*["{\[\]}]', text) else None


def check_promise(head: bytes, name: str) -> str:
    """The kind of a file from its head, if that is what its name promises.

    Raises:
        NotAModel: a page, an error text, a pointer, or another format than the extension says.
    """
    kind = sniff(head)
    promised = _PROMISES.get(format_of(name))
    if promised is not None and kind in promised:
        return kind
    if promised is None and (kind not in _NO_MODEL or _TEXT_FILES.get(extension(name)) == kind):
        return kind
    got = _WORDS.get(kind, f"the format {kind}")
    raise NotAModel(f"{name!r}: expected {format_of(name)} data, got {got}")


def check_structure(read: Reader, size: int, name: str) -> Structure:
    """Whether the bytes fit the format the name promises and end where their own structure ends.

    Raises:
        NotAModel: they do not: a page, another format, cut short, or with bytes too many.
    """
    head = read(0, HEAD)
    kind = check_promise(head, name)
    if kind == "safetensors":
        return read_safetensors(read, size, name)
    if kind == "gguf":
        return Structure(kind=kind, exact=_ends_at(gguf_end(read, size, name), size, name))
    if kind in ("zip", "zip-torch"):
        return Structure(kind=kind, exact=_check_zip(read, size, name))
    return Structure(kind=kind)


def _ends_at(end: tuple[int, int] | None, size: int, name: str) -> bool | None:
    """Whether a file's size lies where its structure may end; None if that is not known."""
    if end is None:
        return None
    if not end[0] <= size <= end[1]:
        raise NotAModel(f"{name!r}: its header describes {end[0]:,} bytes, the file has {size:,}")
    return True


def read_safetensors(read: Reader, size: int, name: str) -> Structure:
    """The header of a safetensors file: checked to cover the file exactly, with its metadata.

    Raises:
        NotAModel: the header is broken, or the tensors leave bytes uncovered or reach past the end.
    """
    length = int.from_bytes(read(0, 8), "little")
    if length > SAFETENSORS_LIMIT or 8 + length > size:
        raise NotAModel(f"{name!r}: a safetensors header of {length:,} bytes in a file of {size:,}")
    if length > PARSE_LIMIT:
        return Structure(kind="safetensors")
    header = _parse_object(read(8, length), name)
    metadata = header.pop("__metadata__", {})
    end = _cover(header, name)
    _ends_at((8 + length + end, 8 + length + end), size, name)
    strings = metadata.items() if isinstance(metadata, dict) else ()
    return Structure(
        kind="safetensors", exact=True, metadata={k: v for k, v in strings if isinstance(v, str)}
    )


def _parse_object(text: bytes, name: str) -> dict[str, object]:
    """The JSON object of a header."""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as fault:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise NotAModel(f"{name!r}: its safetensors header is not JSON") from fault
    if not isinstance(header, dict):
        raise NotAModel(f"{name!r}: its safetensors header is not a JSON object")
    return header


def _cover(tensors: dict[str, object], name: str) -> int:
    """The end of the data, if the tensors lie side by side from 0 on."""
    end = 0
    for start, stop, tensor in sorted(
        (_span(tensor, name) for tensor in tensors.items()), key=lambda s: s[:2]
    ):
        if start != end or stop < start:
            raise NotAModel(f"{name!r}: tensor {tensor[:80]!r} lies at {start}, expected {end}")
        end = stop
    return end


def _span(item: tuple[str, object], name: str) -> tuple[int, int, str]:
    """Where a tensor's bytes start and stop, if that fits its type and shape."""
    tensor, info = item
    match info:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [start, stop]}:
            fits = len(shape) <= 64 and all(type(n) is int and 0 <= n < 2**63 for n in (*shape, start, stop))
            if fits and stop - start == _bytes_of(dtype, shape, stop - start):
                return start, stop, tensor
    raise NotAModel(f"{name!r}: tensor {tensor[:80]!r} does not say where its bytes are")


def _bytes_of(dtype: str, shape: list[int], unknown: int) -> int:
    """Bytes of a tensor; `unknown` for types that came after this table."""
    bits = _BITS.get(dtype)
    if bits is None:
        return unknown
    for side in shape:
        bits *= side
    return bits // 8 if bits % 8 == 0 else -1


def _check_zip(read: Reader, size: int, name: str) -> bool:
    """Whether the zip's end record stands at the end and its directory right before it."""
    tail_start = max(0, size - 22 - 0xFFFF)
    tail = read(tail_start, size - tail_start)
    at = tail.rfind(b"PK\x05\x06")
    if (
        at < 0
        or len(tail) < at + 22
        or len(tail) != at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little")
    ):
        raise NotAModel(f"{name!r}: the zip archive inside is cut short or has bytes too many")
    length, start = (int.from_bytes(tail[at + i : at + i + 4], "little") for i in (12, 16))
    is_zip64 = b"PK\x06\x07" in tail[max(0, at - 20) : at]  # its own records stand before the end record
    if not is_zip64 and start + length != tail_start + at:
        raise NotAModel(f"{name!r}: the zip archive inside does not fit its own directory")
    return True
