"""Pictures from outside: whatever comes, what goes out is a small JPEG of ours, or nothing."""

from __future__ import annotations

import io
import struct
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from comfywatchman.demo.pictures import chunk, seascape
from comfywatchman.library.previews import SIDE, NotAnImage, make_preview

# Pillow warns of what it finds in bad pictures; here such are the point.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Corrupt EXIF data"),
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]
HTML = b"<!DOCTYPE html><html><body><script>alert(1)</script></body></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
PAYLOAD = b"<script>alert(document.domain)</script>"
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode(image: Image.Image, kind: str, **more: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **more)
    return stream.getvalue()


def plain(mode: str = "RGB", size: tuple[int, int] = (640, 400)) -> Image.Image:
    return Image.new(mode, size, {"RGB": (200, 30, 30), "RGBA": (200, 30, 30, 128)}.get(mode, 1))


def seen(data: bytes) -> Image.Image:
    """What a browser is given; it is always of one kind and size, and says nothing but its pixels."""
    image = Image.open(io.BytesIO(data))
    image.load()
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert 0 < max(image.size) <= SIDE
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert data.startswith(b"\xff\xd8\xff")
    assert data.endswith(b"\xff\xd9")
    return image


MODES = {
    "JPEG": ["RGB", "L", "1", "CMYK"],
    "PNG": ["RGB", "RGBA", "L", "LA", "P", "1", "I;16"],
    "WEBP": ["RGB", "RGBA", "L", "LA", "P"],
    "GIF": ["RGB", "RGBA", "L", "P", "1"],
}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind in MODES for mode in MODES[kind]])
def test_pictures(kind: str, mode: str) -> None:
    """Every usual kind and mode is drawn anew, in its proportions."""
    assert seen(make_preview(encode(plain(mode), kind))).size == (320, 200)


def test_transparency() -> None:
    """What shows through is neither black nor white, so that pale and dark drawings are both seen."""
    pixel = seen(make_preview(encode(Image.new("RGBA", (8, 8), (255, 255, 255, 0)), "PNG"))).getpixel((4, 4))
    assert isinstance(pixel, tuple)
    assert all(40 < part < 60 for part in pixel)


def test_small_stays_small() -> None:
    """A picture is never blown up; one as wide as high as a hair is still one."""
    assert seen(make_preview(seascape("ink"))).size == (104, 152)
    assert seen(make_preview(encode(plain("L", (60_000, 1)), "PNG"))).size == (320, 1)


def png_with(*extra: bytes) -> bytes:
    """A small PNG with chunks after its first."""
    data = encode(plain(size=(20, 20)), "PNG")
    return data[:33] + b"".join(extra) + data[33:]


def jpeg_with(marker: int, body: bytes) -> bytes:
    data = encode(plain(size=(20, 20)), "JPEG")
    return data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + data[2:]


def gif_with_comment() -> bytes:
    return encode(plain("P", (20, 20)), "GIF", comment=PAYLOAD)


POLYGLOTS: dict[str, bytes] = {
    "markup after the end of a PNG": encode(plain(), "PNG") + PAYLOAD,
    "markup after the end of a JPEG": encode(plain(), "JPEG") + PAYLOAD,
    "markup after the end of a GIF": encode(plain("P"), "GIF") + PAYLOAD,
    "markup after the end of a WebP": encode(plain(), "WEBP") + PAYLOAD,
    "a zip after a PNG": encode(plain(), "PNG") + b"PK\x03\x04" + PAYLOAD + b"PK\x05\x06" + bytes(18),
    "markup in a text chunk": png_with(chunk(b"tEXt", b"Comment\0" + PAYLOAD)),
    "markup in a packed text chunk": png_with(chunk(b"zTXt", b"c\0\0" + zlib.compress(PAYLOAD))),
    "markup in an unknown chunk": png_with(chunk(b"puNk", PAYLOAD)),
    "markup as a colour profile": png_with(chunk(b"iCCP", b"p\0\0" + zlib.compress(PAYLOAD))),
    "markup in EXIF": png_with(chunk(b"eXIf", b"MM\0*\0\0\0\x08" + PAYLOAD)),
    "markup in a JPEG's comment": jpeg_with(0xFE, PAYLOAD),
    "markup in a JPEG's APP1": jpeg_with(0xE1, b"Exif\0\0MM\0*\0\0\0\x08" + PAYLOAD),
    "markup as XMP": jpeg_with(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + PAYLOAD),
    "markup in a GIF's comment": gif_with_comment(),
}


@pytest.mark.parametrize("name", POLYGLOTS)
def test_polyglots(name: str) -> None:
    """Of what hides behind or inside a picture nothing is left. The control: it is in the original."""
    assert b"<script" in POLYGLOTS[name] or b"zTXt" in POLYGLOTS[name] or b"iCCP" in POLYGLOTS[name]
    drawn = make_preview(POLYGLOTS[name])
    seen(drawn)
    assert b"script" not in drawn
    assert b"alert" not in drawn
    assert b"PK\x03\x04" not in drawn


def ihdr(width: int, height: int) -> bytes:
    """A PNG that only claims to be of that size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


NO_PICTURES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "SVG": lambda: SVG,
    "SVG after a byte order mark": lambda: b"\xef\xbb\xbf" + SVG,
    "packed SVG": lambda: zlib.compress(SVG),
    "a page": lambda: HTML,
    "a page that begins as a PNG": lambda: SIGNATURE + HTML,
    "a page that begins as a JPEG": lambda: b"\xff\xd8\xff\xe0" + HTML,
    "a page that begins as a GIF": lambda: b"GIF89a" + HTML,
    "a page that begins as a WebP": lambda: b"RIFF\x40\0\0\0WEBP" + HTML,
    "JSON": lambda: b'{"error": "Unauthorized"}',
    "PDF": lambda: b"%PDF-1.7\n" + PAYLOAD,
    "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "a film": lambda: b"\0\0\0\x20ftypisom" + bytes(100),
    "BMP": lambda: encode(plain(), "BMP"),
    "TIFF": lambda: encode(plain(), "TIFF"),
    "ICO": lambda: encode(plain(size=(32, 32)), "ICO"),
    "PPM": lambda: encode(plain(), "PPM"),
    "a PNG cut short": lambda: encode(Image.effect_noise((300, 300), 80), "PNG")[:2000],
    "a JPEG cut short": lambda: encode(Image.effect_noise((300, 300), 80), "JPEG")[:2000],
    "a WebP cut short": lambda: encode(Image.effect_noise((300, 300), 80), "WEBP")[:200],
    "a PNG of nothing": lambda: ihdr(0, 0),
    "64 megapixels": lambda: encode(Image.new("1", (8000, 8000)), "PNG"),
    "a claim of 64 megapixels": lambda: ihdr(8000, 8000),
    "a claim of 120 megapixels": lambda: ihdr(12_000, 10_000),
    "a claim of four thousand megapixels": lambda: ihdr(65_535, 65_535),
    "a claim of all there is": lambda: ihdr(2**31 - 1, 2**31 - 1),
    "64 megapixels in JPEG": lambda: encode(Image.new("L", (8000, 8000)), "JPEG"),
    "64 megapixels in GIF": lambda: encode(Image.new("P", (8000, 8000)), "GIF"),
    "17 megapixels in WebP": lambda: encode(Image.new("RGB", (16_383, 1030)), "WEBP", quality=1, method=0),
}


@pytest.mark.parametrize("name", NO_PICTURES)
def test_no_pictures(name: str) -> None:
    """What is no picture of ours, is broken or too large is refused, and quickly."""
    data = NO_PICTURES[name]()
    begun = time.perf_counter()
    with pytest.raises(NotAnImage):
        make_preview(data)
    assert time.perf_counter() - begun < 0.5


def test_pixels_off() -> None:
    """The control: without the limit a bomb of 60 kB is decoded."""
    bomb = encode(Image.new("1", (5000, 4000)), "PNG")
    assert len(bomb) < 60_000
    with pytest.raises(NotAnImage, match="5000 × 4000"):
        make_preview(bomb)
    assert seen(make_preview(bomb, pixels=5000 * 4000)).size == (320, 256)


def animate(kind: str) -> bytes:
    """An animation that begins red and goes on blue: 10,000 frames; in WebP, which is slow to write, 300."""
    first, second = Image.new("P", (16, 16), 0), Image.new("P", (16, 16), 0)
    first.putpalette([250, 0, 0] * 256)
    second.putpalette([0, 0, 250] * 256)
    if kind == "GIF":
        data = encode(first, kind, save_all=True, append_images=[second], duration=20)
        head, one, other = data.split(b"!\xf9\x04")
        return b"!\xf9\x04".join([head, one, *[other[:-1]] * 9_999]) + b";"
    count = 10_000 if kind == "PNG" else 300
    frames = (second if n % 2 else first for n in range(1, count))
    return encode(first, kind, save_all=True, append_images=frames, duration=20)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_many_frames(kind: str) -> None:
    """Of an animation only the first frame is drawn, however many follow."""
    data = animate(kind)
    begun = time.perf_counter()
    pixel = seen(make_preview(data)).getpixel((8, 8))
    assert time.perf_counter() - begun < 0.3
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200
    assert pixel[2] < 60


def test_packed_text() -> None:
    """A text chunk that swells to a gigabyte is not unpacked that far."""
    swollen = zlib.compress(bytes(64 << 20), 9)
    bomb = png_with(*(chunk(b"zTXt", b"c\0\0" + swollen) for _ in range(16)))
    tracemalloc.start()
    try:
        make_preview(bomb)
    except NotAnImage:
        pass
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert most < 100 << 20


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF"]),
    changes=st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), max_size=8),
    cut=st.none() | st.integers(0, 1500),
)
def test_damaged(kind: str, changes: list[tuple[int, int]], cut: int | None) -> None:
    """Damaged in any way a picture is drawn or refused, and nothing else happens."""
    data = bytearray(SAMPLES[kind])
    for at, value in changes:
        data[at % len(data)] = value
    try:
        drawn = make_preview(bytes(data[:cut]))
    except NotAnImage:
        return
    seen(drawn)


SAMPLES = {
    kind: encode(Image.open(io.BytesIO(seascape("sample"))), kind) for kind in ("JPEG", "PNG", "WEBP", "GIF")
}
assert PngImagePlugin.MAX_TEXT_CHUNK <= 1 << 20, "what test_packed_text relies on"
