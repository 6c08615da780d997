r"""Audio: FLAC, Ogg (Opus, Vorbis, FLAC) and MP3.

    Vorbis comment   vendor length u32 · vendor · count u32 · count of (length u32 · KEY=value), little-endian
    FLAC             "fLaC", then last|type u8 · length u24 · block; the comment is type 4
    Ogg              pages: "OggS" … serial … lacing; the comment is the second packet of its stream
    ID3v2            TXXX encoding u8 · description \0 · value; COMM with a language before it

RFC 9639, RFC 3533, RFC 7845, https://id3.org/id3v2.4.0-structure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ...errors import InvalidWorkflow
from .embedded import Tag, is_wanted
from .span import TEXT_LIMIT, Span, counted, cut_short

_KEY_LIMIT: Final = 64
_STREAMS_LIMIT: Final = 64
_COMMENT_PACKET: Final = re.compile(rb"\x03vorbis|OpusTags|\x84...", re.DOTALL)  # the last: FLAC in Ogg
_ENCODINGS: Final = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}


def flac_tags(file: Span) -> Iterator[Tag]:
    """The wanted texts of a FLAC file's comment blocks."""
    for kind, block in counted(_flac_blocks(file)):
        if kind == 4:
            yield from _vorbis_comment(block)


def _flac_blocks(file: Span) -> Iterator[tuple[int, Span]]:
    offset, first = 4, 0
    while not first & 0x80:  # the bit of the last block
        first, length = file.uint(offset, 1), file.uint(offset + 1, 3)
        yield first & 0x7F, file.part(offset + 4, length)
        offset += 4 + length


def _vorbis_comment(block: Span) -> Iterator[Tag]:
    for comment in counted(_vorbis_entries(block)):
        key, equals, _ = comment.head(_KEY_LIMIT).partition(b"=")
        name = key.decode(errors="replace")
        if equals and is_wanted(name):
            yield Tag(name, comment.rest(len(key) + 1).all())


def _vorbis_entries(block: Span) -> Iterator[Span]:
    offset = 4 + block.uint(0, 4, "little")
    count = block.uint(offset, 4, "little")
    offset += 4
    for _ in range(count):
        length = block.uint(offset, 4, "little")
        yield block.part(offset + 4, length)
        offset += 4 + length


# ── Ogg ──


def ogg_tags(file: Span) -> Iterator[Tag]:
    """The wanted texts of the comment packets of all streams."""
    for packet in _second_packets(file):
        if opening := _COMMENT_PACKET.match(packet):
            yield from _vorbis_comment(Span.over(packet[opening.end() :]))


def _second_packets(file: Span) -> Iterator[bytes]:
    """Each stream's second packet; the first pages of all streams come before any second one."""
    ended: dict[int, int] = {}
    packets: dict[int, bytearray] = {}
    for serial, pieces in counted(_ogg_pages(file)):
        packet = packets.setdefault(serial, bytearray())
        if len(packets) > _STREAMS_LIMIT:
            raise InvalidWorkflow(f"it has more than {_STREAMS_LIMIT} streams")
        ended.setdefault(serial, 0)
        for piece, is_last in pieces:
            if ended[serial] == 1:
                packet += piece
            ended[serial] += is_last
            if ended[serial] == 2 and is_last:
                yield bytes(packet)
        if sum(map(len, packets.values())) > TEXT_LIMIT:
            raise InvalidWorkflow(f"its comments are over the limit of {TEXT_LIMIT:,} bytes")
        if min(ended.values()) >= 2:
            return


def _ogg_pages(file: Span) -> Iterator[tuple[int, list[tuple[bytes, bool]]]]:
    """The serial of each page and its pieces: bytes, and whether a packet ends with them."""
    offset = 0
    while offset < file.size:
        header = file.read(offset, 27)
        if header[:4] != b"OggS":
            raise cut_short(f"expected an Ogg page at byte {offset:,}, got {header[:4]!r}")
        lacing = file.read(offset + 27, header[26])
        body = file.read(offset + 27 + len(lacing), sum(lacing))
        yield int.from_bytes(header[14:18], "little"), _laced(body, lacing)
        offset += 27 + len(lacing) + len(body)


def _laced(body: bytes, lacing: bytes) -> list[tuple[bytes, bool]]:
    pieces, at = [], 0
    for length in lacing:
        pieces.append((body[at : at + length], length < 255))
        at += length
    return pieces


# ── MP3 ──


def mp3_tags(file: Span) -> Iterator[Tag]:
    """The user texts and comments of an ID3v2 tag at the beginning of the file."""
    if file.head(3) != b"ID3":
        return
    version, flags = file.uint(3, 1), file.uint(5, 1)
    if version not in {2, 3, 4}:
        raise InvalidWorkflow(f"its ID3 tag has version 2.{version}, expected 2.2, 2.3 or 2.4")
    tag = file.part(10, _syncsafe(file.uint(6, 4)))
    if flags & 0x80 and version < 4:  # since 2.4 each frame says so itself
        tag = Span.over(tag.all().replace(b"\xff\0", b"\xff"))
    begin = 0
    if flags & 0x40 and version > 2:  # an extended header; its size counts itself since 2.4
        begin = _syncsafe(tag.uint(0, 4)) if version == 4 else 4 + tag.uint(0, 4)
    for kind, frame in counted(_frames(tag, begin, version)):
        if kind in {b"TXXX", b"TXX"}:
            yield from _user_text(frame, at=1)
        elif kind in {b"COMM", b"COM"}:
            yield from _user_text(frame, at=4)


def _frames(tag: Span, offset: int, version: int) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each frame that may hold text; zeros are padding up to the end."""
    width = 3 if version == 2 else 4
    header = 6 if version == 2 else 10
    while offset + header <= tag.size and tag.uint(offset, 1):
        kind, size = tag.read(offset, width), tag.uint(offset + width, width)
        flags = tag.uint(offset + 9, 1) if version > 2 else 0
        if version == 4:
            size = _syncsafe(size)
        body = tag.part(offset + header, size)
        is_packed = flags & (0x0C if version == 4 else 0xC0)  # compressed or encrypted: nobody does
        yield (
            kind,
            _content(body, flags if version == 4 else 0) if kind[:1] in b"TC" and not is_packed else b"",
        )
        offset += header + size


def _content(body: Span, flags: int) -> bytes:
    data = body.all()[4 if flags & 1 else 0 :]  # a data length indicator
    return data.replace(b"\xff\0", b"\xff") if flags & 2 else data


def _user_text(frame: bytes, *, at: int) -> Iterator[Tag]:
    """Description and value; a comment without a description is just that."""
    encoding = _ENCODINGS.get(frame[0]) if frame else None
    if encoding is None:
        return
    if frame[0] in {0, 3}:  # bytes pass as they are: many writers say Latin-1 and mean UTF-8
        name, _, text = frame[at:].partition(b"\0")
        yield Tag(_text_name(name.decode("latin-1"), at), text)
        return
    first, _, second = frame[at:].decode(encoding, errors="replace").partition("\0")
    yield Tag(_text_name(first, at), second.lstrip("\ufeff").encode(errors="replace"))


def _text_name(description: str, at: int) -> str:
    return description if is_wanted(description) or at == 1 else "comment"


def _syncsafe(size: int) -> int:
    """Four bytes of seven bits each; iTunes writes plain numbers, told by their high bits."""
    if size & 0x80808080:
        return size
    return size & 0x7F | size >> 1 & 0x3F80 | size >> 2 & 0x1FC000 | size >> 3 & 0xFE00000
