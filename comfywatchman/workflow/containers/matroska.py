"""Matroska and webm: EBML elements (RFC 8794, RFC 9559).

    element    id of 1-4 bytes · size of 1-8 bytes · body; a size of all ones is unknown
    Segment / Tags / Tag / SimpleTag / TagName + TagString

Clusters are skipped by seeking. The bodies of the Segment and of a cluster of unknown size (a live
recording) are walked as if they lay one level higher: then no nesting is needed, and a Segment that
was cut short still gives the tags before the cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .embedded import Tag, is_wanted
from .span import Span, counted, cut_short

_SEGMENT: Final = 0x18538067
_CLUSTER: Final = 0x1F43B675
_TAGS: Final = 0x1254C367
_TAG: Final = 0x7373
_SIMPLE_TAG: Final = 0x67C8
_NAME: Final = 0x45A3
_STRING: Final = 0x4487
_NAME_LIMIT: Final = 64


def matroska_tags(file: Span) -> Iterator[Tag]:
    """The wanted texts of all tags of a film."""
    for tags in _each(file, _TAGS):
        for tag in _each(tags, _TAG):
            for simple in _each(tag, _SIMPLE_TAG):
                yield from _simple_tag(simple)


def _simple_tag(simple: Span) -> Iterator[Tag]:
    parts = dict(counted(_elements(simple)))
    if _NAME in parts and _STRING in parts:
        name = parts[_NAME].head(_NAME_LIMIT).rstrip(b"\0").decode(errors="replace")
        if is_wanted(name):
            yield Tag(name, parts[_STRING].all())


def _each(span: Span, wanted: int) -> Iterator[Span]:
    return (body for kind, body in counted(_elements(span)) if kind == wanted)


def _elements(span: Span) -> Iterator[tuple[int, Span]]:
    offset = 0
    while offset < span.size:
        header = span.read(offset, min(12, span.size - offset))  # the longest there is
        kind, id_width = _number(header, 4)
        size, size_width = _number(header[id_width:], 8)
        offset += id_width + size_width
        size -= 1 << 7 * size_width  # the marker bit that tells the width
        unknown = size == (1 << 7 * size_width) - 1
        if kind == _SEGMENT or (unknown and kind == _CLUSTER):
            yield kind, span.part(offset, 0)
            continue
        yield kind, span.part(offset, size)
        offset += size


def _number(data: bytes, widest: int) -> tuple[int, int]:
    """A number with its marker bit, and how many bytes it takes: one more than its leading zero bits."""
    width = 9 - data[0].bit_length() if data else 9
    if width > min(widest, len(data)):
        raise cut_short("an EBML element has no readable header")
    return int.from_bytes(data[:width], "big"), width
