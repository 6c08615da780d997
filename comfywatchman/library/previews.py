"""Pictures from outside made harmless: decoded within limits, drawn anew, small. Owner of Pillow.

    any bytes ──► JPEG, PNG, WebP or GIF of at most 16 megapixels ──► its first frame ──► JPEG, 320 pixels

Nothing of the original's bytes is left: no metadata, no second file hidden behind the first. Limits hold
before anything is decoded; what is no picture at all is refused, whatever it calls itself.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Final

from ..errors import LibraryError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

TYPE: Final = "image/jpeg"
SIDE: Final = 320  # pixels
PIXELS: Final = 16 << 20
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
_GROUND: Final = (48, 48, 48)  # what shows through; between ComfyUI's light and dark
_QUALITY: Final = 82
# What Pillow's readers raise on bytes that are not what they promise.
_BROKEN: Final = (
    OSError, ValueError, SyntaxError, EOFError, struct.error, LookupError, TypeError, ArithmeticError,
    RuntimeError, AttributeError, MemoryError,
)  # fmt: skip


class NotAnImage(LibraryError):
    """Bytes that are no picture we show: of another format, broken or too large."""

    code = "not-an-image"
    default_hint = "Look at the picture on the model's own page."


def make_preview(data: bytes, *, pixels: int = PIXELS) -> bytes:
    """The picture as a small JPEG; at most so many pixels are decoded.

    Raises:
        NotAnImage: it is none, or too large to be looked at.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
            if picture.width * picture.height > pixels:
                raise NotAnImage(f"a picture of {picture.width} × {picture.height} pixels is not decoded")
            picture.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG is decoded no larger than needed
            return _draw(picture)
    except (*_BROKEN, Image.DecompressionBombError) as fault:
        raise NotAnImage("no picture that can be shown") from fault


def _draw(picture: Picture) -> bytes:
    """The first frame on a new canvas, which knows nothing of where it came from."""
    from PIL import Image

    frame = picture.convert("RGBA")
    frame.thumbnail((SIDE, SIDE))
    canvas = Image.new("RGB", frame.size, _GROUND)
    canvas.paste(frame, mask=frame)
    drawn = io.BytesIO()
    canvas.save(drawn, "JPEG", quality=_QUALITY, optimize=True)
    return drawn.getvalue()
