r"""Images: PNG, WebP, JPEG, EXR and SVG; AVIF is made of boxes and read there.

    PNG    signature, then length u32 · type · data · crc: tEXt, zTXt, iTXt, comf (animated PNG), eXIf
    WebP   "RIFF" size "WEBP", then type · length u32 · data, padded to even: EXIF
    JPEG   ff d8, then ff marker · length u16 · data, up to the scan: APP1 Exif, COM
    EXR    magic, version, then name \0 type \0 length i32 · value, up to an empty name
    SVG    <metadata><![CDATA[ {"prompt": …, "workflow": …} ]]></metadata>

CRCs are not judged: the front end does not, and a wrong one says nothing about JSON that parses.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from ...errors import InvalidWorkflow
from .embedded import Tag, is_wanted
from .exif import exif_tags
from .span import TEXT_LIMIT, Span, counted, cut_short

_PNG_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt", b"comf"})
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_JPEG_LAST: Final = frozenset({0xD9, 0xDA})  # end of image, start of scan
_NAME_LIMIT: Final = 256


# ── PNG: https://www.w3.org/TR/png-3/ ──


def png_tags(file: Span) -> Iterator[Tag]:
    """The wanted texts of a PNG; what its EXIF says comes last, for it is the part most often damaged."""
    exif = []
    for kind, chunk in counted(_png_chunks(file)):
        if kind == b"eXIf":
            exif.append(chunk)
        elif kind in _PNG_TEXTS:
            keyword, zero, _ = chunk.head(80).partition(b"\0")
            name = keyword.decode("latin-1")
            if zero and is_wanted(name):
                yield Tag(name, _png_text(kind, chunk.rest(len(keyword) + 1)))
    for chunk in exif:
        yield from exif_tags(chunk)


def _png_chunks(file: Span) -> Iterator[tuple[bytes, Span]]:
    offset, kind = 8, b""
    while kind != b"IEND":
        length, kind = file.uint(offset, 4), file.read(offset + 4, 4)
        yield kind, file.part(offset + 8, length)
        offset += 12 + length


def _png_text(kind: bytes, body: Span) -> bytes:
    """The text behind the keyword, inflated where it is compressed."""
    data = body.all()
    if kind == b"zTXt":
        return _inflate(data[1:])
    if kind == b"iTXt":  # flag · method · language \0 · translated keyword \0 · text
        text = data[2:].split(b"\0", 2)[-1]
        return _inflate(text) if data[:1] == b"\1" else text
    return data


def _inflate(data: bytes) -> bytes:
    engine = zlib.decompressobj()
    try:
        text = engine.decompress(data, TEXT_LIMIT + 1)
    except zlib.error as fault:
        raise cut_short(f"a compressed text cannot be inflated ({fault})") from fault
    if len(text) > TEXT_LIMIT:
        raise InvalidWorkflow(f"a compressed text is over the limit of {TEXT_LIMIT:,} bytes")
    if not engine.eof:
        raise cut_short("a compressed text has no end")
    return text


# ── WebP: https://developers.google.com/speed/webp/docs/riff_container ──


def webp_tags(file: Span) -> Iterator[Tag]:
    """The texts of a WebP's EXIF."""
    for kind, chunk in counted(_riff_chunks(file)):
        if kind == b"EXIF":
            yield from exif_tags(chunk)


def _riff_chunks(file: Span) -> Iterator[tuple[bytes, Span]]:
    offset = 12
    while offset + 8 <= file.size:
        kind, length = file.read(offset, 4), file.uint(offset + 4, 4, "little")
        yield kind, file.part(offset + 8, length)
        offset += 8 + length + length % 2
    if offset < file.size or file.uint(4, 4, "little") + 8 > file.size:
        raise cut_short(f"its header promises {file.uint(4, 4, 'little') + 8:,} bytes, it has {file.size:,}")


# ── JPEG: ITU-T T.81, annex B ──


def jpeg_tags(file: Span) -> Iterator[Tag]:
    """The texts of a JPEG's EXIF and its comments."""
    for marker, segment in counted(_jpeg_segments(file)):
        if marker == 0xFE:
            yield Tag("comment", segment.all())
        elif marker == 0xE1 and segment.head(6) == b"Exif\0\0":
            yield from exif_tags(segment)


def _jpeg_segments(file: Span) -> Iterator[tuple[int, Span]]:
    offset = 2
    while True:
        lead, marker = file.read(offset, 2)
        if lead != 0xFF:
            raise cut_short(f"expected a JPEG marker at byte {offset:,}, got {lead:#04x}")
        if marker in _JPEG_LAST:
            return
        if marker == 0xFF or marker in _JPEG_BARE:
            offset += 1 if marker == 0xFF else 2
            yield marker, file.part(offset, 0)
            continue
        length = file.uint(offset + 2, 2)
        yield marker, file.part(offset + 4, length - 2)
        offset += 2 + length


# ── EXR: https://openexr.com/en/latest/OpenEXRFileLayout.html ──


def exr_tags(file: Span) -> Iterator[Tag]:
    """The wanted string attributes of an EXR's header."""
    for name, kind, value in counted(_exr_attributes(file)):
        if kind == b"string" and is_wanted(name):
            yield Tag(name, value.all())


def _exr_attributes(file: Span) -> Iterator[tuple[str, bytes, Span]]:
    offset = 8
    while name := _zero_ended(file.rest(offset)):
        offset += len(name) + 1
        kind = _zero_ended(file.rest(offset))
        offset += len(kind) + 1
        length = file.uint(offset, 4, "little")
        yield name.decode("latin-1"), kind, file.part(offset + 4, length)
        offset += 4 + length


def _zero_ended(span: Span) -> bytes:
    name, zero, _ = span.head(_NAME_LIMIT).partition(b"\0")
    if not zero:
        raise cut_short(f"expected the end of a name within {_NAME_LIMIT} bytes of byte {span.start:,}")
    return name


# ── SVG ──


def svg_tags(file: Span) -> Iterator[Tag]:
    """The JSON in an SVG's metadata element."""
    text = file.head(TEXT_LIMIT)
    element = text[max(text.find(b"<metadata"), 0) :].partition(b"</metadata>")[0]
    _, opening, content = element.partition(b"<![CDATA[")
    if opening:
        yield Tag("comment", content.rpartition(b"]]>")[0].strip())
