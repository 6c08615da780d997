"""ISO boxes: mp4, mov, m4a, and AVIF and HEIF images (ISO/IEC 14496-12 and 23008-12).

    box    size u32 · type · body       size 0: up to the end, 1: a u64 follows
    mp4    moov / udta / meta / keys + ilst      keys "prompt", "workflow": ComfyUI (use_metadata_tags)
           moov / udta / meta / ilst / ©cmt      one comment: ffmpeg's -metadata comment=…
           moov / meta, udta, udta / ©cmt        QuickTime's places for the same
    avif   meta / iinf + iloc → the item of type Exif

`mdat` is skipped by seeking.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...errors import InvalidWorkflow
from .embedded import Tag, is_wanted
from .exif import exif_tags
from .span import TEXT_LIMIT, Span, counted, cut_short

_ATOMS: Final = {b"\xa9cmt": "comment", b"\xa9des": "description", b"desc": "description"}
_EXTENTS_LIMIT: Final = 64
_NAME_LIMIT: Final = 64


def boxes(span: Span, offset: int = 0) -> Iterator[tuple[bytes, Span]]:
    """The boxes from `offset` on, each as type and body.

    Raises:
        InvalidWorkflow: a box is smaller than its own header, reaches past the end, or they are too many.
    """
    return counted(_boxes(span, offset))


def _boxes(span: Span, offset: int) -> Iterator[tuple[bytes, Span]]:
    while offset + 8 <= span.size:
        size, kind, header = span.uint(offset, 4), span.read(offset + 4, 4), 8
        if size == 1:
            size, header = span.uint(offset + 8, 8), 16
        elif size == 0:
            size = span.size - offset
        if size < header:
            raise cut_short(f"box {kind!r} at byte {span.start + offset:,} says it has {size} bytes")
        yield kind, span.part(offset + header, size - header)
        offset += size


def _find(span: Span, wanted: bytes, offset: int = 0) -> Span | None:
    return next((body for kind, body in boxes(span, offset) if kind == wanted), None)


# ── video and audio ──


def mp4_tags(file: Span) -> Iterator[Tag]:
    """The wanted texts of a film, from each place writers use."""
    for kind, body in boxes(file):
        if kind == b"moov":
            for inner_kind, inner in boxes(body):
                yield from _user_data(inner_kind, inner)
        else:
            yield from _user_data(kind, body)


def _user_data(kind: bytes, body: Span) -> Iterator[Tag]:
    if kind == b"meta":
        yield from _items(body)
    elif kind == b"udta":
        for inner_kind, inner in boxes(body):
            if inner_kind == b"meta":
                yield from _items(inner)
            elif inner_kind in _ATOMS:  # QuickTime: length u16 · language u16 · text
                yield Tag(_ATOMS[inner_kind], inner.part(4, inner.uint(0, 2)).all())


def _items(meta: Span) -> Iterator[Tag]:
    """The items of `ilst`, named by their place in `keys` or by their own type."""
    begin = 0 if meta.head(8)[4:] == b"hdlr" else 4  # QuickTime has no version and flags here
    items = _find(meta, b"ilst", begin)
    if items is None:
        return
    keys = _keys(_find(meta, b"keys", begin))
    for kind, item in boxes(items):
        name = keys.get(int.from_bytes(kind, "big")) or _ATOMS.get(kind) or _free_name(kind, item)
        data = _find(item, b"data") if is_wanted(name) else None
        if data is not None:
            yield Tag(name, data.rest(8).all())  # behind type u32 and locale u32


def _keys(keys: Span | None) -> dict[int, str]:
    """Names by number, from 1; com.apple.quicktime.comment is a comment."""
    if keys is None:
        return {}
    names = (name.head(_NAME_LIMIT).decode(errors="replace") for _namespace, name in boxes(keys, 8))
    return {number: name.rpartition(".")[2] for number, name in enumerate(names, 1)}


def _free_name(kind: bytes, item: Span) -> str:
    """The name of an iTunes free-form item, behind version and flags."""
    name = _find(item, b"name") if kind == b"----" else None
    return "" if name is None else name.rest(4).head(_NAME_LIMIT).decode(errors="replace")


# ── images ──


def avif_tags(file: Span) -> Iterator[Tag]:
    """The texts of the Exif item of an AVIF or HEIF image."""
    meta = _find(file, b"meta")
    iinf = meta and _find(meta, b"iinf", 4)
    iloc = meta and _find(meta, b"iloc", 4)
    if meta is None or iinf is None or iloc is None:
        return
    wanted = _exif_ids(iinf)
    for item, method, extents in counted(_locations(iloc)):
        if item not in wanted:
            continue
        home = _find(meta, b"idat", 4) if method == 1 else file
        if home is None or method > 1:
            raise InvalidWorkflow("its Exif item lies in a place that cannot be read")
        exif = Span.over(_joined(home, extents))
        yield from exif_tags(exif.rest(4 + exif.uint(0, 4)))  # an offset to the TIFF header comes first
        return


def _exif_ids(iinf: Span) -> set[int]:
    begin = 6 if iinf.uint(0, 1) == 0 else 8
    found = set()
    for kind, entry in boxes(iinf, begin):
        version = entry.uint(0, 1) if kind == b"infe" else 0
        if version >= 2:  # version and flags · id · protection u16 · type
            width = 2 if version == 2 else 4
            if entry.read(4 + width + 2, 4) == b"Exif":
                found.add(entry.uint(4, width))
    return found


def _locations(iloc: Span) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Item id, construction method, and the extents (offset, length) of each item."""
    version, sizes = iloc.uint(0, 1), iloc.uint(4, 2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    id_size = 4 if version == 2 else 2
    count, at = iloc.uint(6, id_size), 6 + id_size
    for _ in range(count):
        item = iloc.uint(at, id_size)
        at += id_size
        method = iloc.uint(at, 2) & 15 if version else 0
        at += 4 if version else 2  # the data reference too
        base, extent_count = iloc.uint(at, base_size), iloc.uint(at + base_size, 2)
        at += base_size + 2
        if extent_count > _EXTENTS_LIMIT:
            raise InvalidWorkflow(f"an item of it has {extent_count} extents, more than {_EXTENTS_LIMIT}")
        extents = []
        for _ in range(extent_count):
            begin = base + iloc.uint(at + index_size, offset_size)
            extents.append((begin, iloc.uint(at + index_size + offset_size, length_size)))
            at += index_size + offset_size + length_size
        yield item, method, extents


def _joined(home: Span, extents: list[tuple[int, int]]) -> bytes:
    if sum(length for _, length in extents) > TEXT_LIMIT:
        raise InvalidWorkflow(f"its EXIF is over the limit of {TEXT_LIMIT:,} bytes")
    return b"".join(home.read(begin, length or home.size - begin) for begin, length in extents)
