r"""EXIF: a TIFF header, a directory of entries, and one directory more for the user comment.

    "II*\0" or "MM\0*" · offset → count · that often (tag u16, type u16, length u32, value or offset u32)

ComfyUI writes `prompt:{…}` as Model (0x0110) and `workflow:{…}` as Make (0x010F), further ones below;
others use ImageDescription, or JSON in UserComment. EXIF 2.32, CIPA DC-008.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from ...errors import InvalidWorkflow
from .embedded import Tag
from .span import Span

_EXIF_DIRECTORY: Final = 0x8769
_USER_COMMENT: Final = 0x9286
_ASCII_CODES: Final = frozenset({b"ASCII\0\0\0", bytes(8)})
_TEXT_TYPES: Final = frozenset({2, 129})  # ASCII, and UTF-8 since EXIF 3.0

Order = Literal["big", "little"]


def exif_tags(exif: Span) -> Iterator[Tag]:
    """The texts of the first directory and the user comment, each as a comment.

    Raises:
        InvalidWorkflow: the directory is damaged.
    """
    if exif.head(6) == b"Exif\0\0":  # JPEG has it always, WebP sometimes
        exif = exif.rest(6)
    order = _order(exif.read(0, 4))
    deeper = None
    for tag, kind, value in _entries(exif, exif.uint(4, 4, order), order):
        if tag == _EXIF_DIRECTORY:
            deeper = value.uint(0, 4, order)
        elif kind in _TEXT_TYPES:
            yield Tag("comment", value.all())
    if deeper is not None:
        for tag, _kind, value in _entries(exif, deeper, order):
            if tag == _USER_COMMENT:
                yield Tag("usercomment", _user_comment(value.all(), order))


def _order(header: bytes) -> Order:
    if header == b"II*\0":
        return "little"
    if header == b"MM\0*":
        return "big"
    raise InvalidWorkflow(f"its EXIF begins with {header!r}, not with a TIFF header")


def _entries(exif: Span, offset: int, order: Order) -> Iterator[tuple[int, int, Span]]:
    """Tag, type and value of each entry that can matter here: texts, raw bytes and pointers."""
    for number in range(exif.uint(offset, 2, order)):
        entry = exif.part(offset + 2 + 12 * number, 12)
        tag, kind, length = entry.uint(0, 2, order), entry.uint(2, 2, order), entry.uint(4, 4, order)
        if tag == _EXIF_DIRECTORY:
            yield tag, kind, entry.part(8, 4)
        elif kind in _TEXT_TYPES or tag == _USER_COMMENT:
            yield (
                tag,
                kind,
                entry.part(8, length) if length <= 4 else exif.part(entry.uint(8, 4, order), length),
            )


def _user_comment(value: bytes, order: Order) -> bytes:
    """The comment without its eight bytes of character code; UNICODE is UTF-16 of either order."""
    code, text = value[:8], value[8:]
    if code == b"UNICODE\0":
        return text.decode(_utf16(text, order), errors="replace").encode(errors="replace")
    return text if code in _ASCII_CODES else value


def _utf16(text: bytes, order: Order) -> str:
    """The order of the bytes: by mark, by the zero beside JSON's first character, or the file's own.

    piexif writes big-endian whatever the file's order is.
    """
    if text[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    if text[:1] == b"\0" or (order == "big" and text[1:2] != b"\0"):
        return "utf-16-be"
    return "utf-16-le"
