"""Tiny pictures that are well-formed PNG: a sky, a sun and the sea, in the colours of a seed.

    signature, IHDR {width, height, depth 8, RGB}, IDAT (zlib; each row begins with filter 0), IEND

Format: https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable
from typing import Final

Colour = tuple[int, int, int]

_WIDTH: Final = 104
_HEIGHT: Final = 152


def seascape(seed: str) -> bytes:
    """An example image; the same seed paints the same one everywhere."""
    numbers = hashlib.shake_128(seed.encode()).digest(12)
    sky, sun, sea = (_colour(numbers[at : at + 3]) for at in (0, 3, 6))
    centre, horizon, radius = 20 + numbers[9] % 64, 80 + numbers[10] % 32, 12 + numbers[11] % 10

    def paint(x: int, y: int) -> Colour:
        if (x - centre) ** 2 + (y - horizon + 24) ** 2 < radius**2:
            return sun
        return _shade(sea, 255 - 2 * (y - horizon)) if y > horizon else _shade(sky, 130 + y)

    return png(_WIDTH, _HEIGHT, paint)


def png(width: int, height: int, paint: Callable[[int, int], Colour]) -> bytes:
    """A PNG of that size; `paint(x, y)` gives the colour of a pixel."""
    rows = b"".join(b"\0" + b"".join(bytes(paint(x, y)) for x in range(width)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _colour(numbers: bytes) -> Colour:
    red, green, blue = (96 + number % 160 for number in numbers)
    return red, green, blue


def _shade(colour: Colour, light: int) -> Colour:
    """A colour in light from 0 to 255."""
    red, green, blue = (part * max(0, min(light, 255)) // 255 for part in colour)
    return red, green, blue
