"""Small writers of every container, so that tests need no imaging or media library.

Each takes the texts of a workflow and a prompt and returns a file; parts are public for hostile tests.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Sequence

Texts = Sequence[tuple[str, bytes]]

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


# ── PNG ──


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(b"\0\0"))
    return PNG_MAGIC + header + b"".join(chunks) + pixels + png_chunk(b"IEND", b"")


def text_chunk(name: str, text: bytes) -> bytes:
    return png_chunk(b"tEXt", name.encode() + b"\0" + text)


def ztxt_chunk(name: str, text: bytes) -> bytes:
    return png_chunk(b"zTXt", name.encode() + b"\0\0" + zlib.compress(text, 9))


def itxt_chunk(name: str, text: bytes) -> bytes:
    return png_chunk(b"iTXt", name.encode() + b"\0\0\0en\0Titel\0" + text)


def packed_itxt_chunk(name: str, text: bytes) -> bytes:
    return png_chunk(b"iTXt", name.encode() + b"\0\1\0\0\0" + zlib.compress(text))


def comf_chunk(name: str, text: bytes) -> bytes:
    return png_chunk(b"comf", name.encode() + b"\0" + text)


def _png_of(chunk: Callable[[str, bytes], bytes]) -> Callable[[Texts], bytes]:
    return lambda texts: png(*(chunk(name, text) for name, text in texts))


# ── EXIF and the images that carry it ──


def exif(
    entries: Sequence[tuple[int, int, bytes]], *, comment: bytes | None = None, order: str = "<"
) -> bytes:
    """A TIFF with one directory of (tag, type, value), and one more with a UserComment."""
    entries = sorted(entries)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    size = 2 + 12 * (len(entries) + (comment is not None)) + 4
    directory, data, at = b"", b"", 8 + size
    for tag, kind, value in entries:
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(order + "I", at + len(data))
        directory += struct.pack(order + "HHI", tag, kind, len(value)) + place
        data += value if len(value) > 4 else b""
    if comment is not None:
        deeper = at + len(data)
        directory += struct.pack(order + "HHII", 0x8769, 4, 1, deeper)
        data += struct.pack(order + "HHHIII", 1, 0x9286, 7, len(comment), deeper + 18, 0) + comment
    count = struct.pack(order + "H", len(entries) + (comment is not None))
    return head + count + directory + bytes(4) + data


def comfy_exif(texts: Texts, order: str = "<") -> bytes:
    tags = {"workflow": 0x010F, "prompt": 0x0110}
    return exif([(tags[name], 2, name.encode() + b":" + text + b"\0") for name, text in texts], order=order)


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = ((b"VP8 ", b"\0" * 9), *chunks)
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in parts
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    parts = ((0xE0, b"JFIF\0"), *segments)
    body = b"".join(struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data for marker, data in parts)
    return b"\xff\xd8" + body + b"\xff\xff\xda\0\2scan\xff\xd9"


def exr(texts: Texts) -> bytes:
    attributes = [
        (b"compression", b"compression", b"\0"),
        *((name.encode(), b"string", text) for name, text in texts),
    ]
    header = b"".join(n + b"\0" + k + b"\0" + struct.pack("<i", len(v)) + v for n, k, v in attributes)
    return b"\x76\x2f\x31\x01\2\0\0\0" + header + b"\0" + bytes(8)


def svg(texts: Texts) -> bytes:
    return (
        b'<?xml version="1.0"?>\n<svg width="1">\n<metadata>\n<![CDATA[\n'
        + both(texts)
        + b"\n]]>\n</metadata></svg>"
    )


def both(texts: Texts) -> bytes:
    """One object with both, as VideoHelperSuite and savers of JPEG write it."""
    return b"{" + b", ".join(json.dumps(name).encode() + b": " + text for name, text in texts) + b"}"


# ── boxes ──


def box(kind: bytes, body: bytes, *, wide: bool = False) -> bytes:
    if wide:
        return struct.pack(">I", 1) + kind + struct.pack(">Q", len(body) + 16) + body
    return struct.pack(">I", len(body) + 8) + kind + body


def meta_with_keys(texts: Texts, prefix: str = "") -> bytes:
    keys = b"".join(box(b"mdta", (prefix + name).encode()) for name, _ in texts)
    items = b"".join(
        box(struct.pack(">I", number), box(b"data", struct.pack(">II", 1, 0) + text))
        for number, (_, text) in enumerate(texts, 1)
    )
    handler = box(b"hdlr", bytes(8) + b"mdta" + bytes(12))
    return handler + box(b"keys", struct.pack(">II", 0, len(texts)) + keys) + box(b"ilst", items)


def mp4(moov: bytes) -> bytes:
    return (
        box(b"ftyp", b"isom\0\0\2\0")
        + box(b"mdat", bytes(32), wide=True)
        + box(b"moov", box(b"mvhd", bytes(20)) + moov)
    )


def comfy_mp4(texts: Texts) -> bytes:
    return mp4(box(b"udta", box(b"meta", bytes(4) + meta_with_keys(texts))))


def quicktime(texts: Texts) -> bytes:
    return mp4(box(b"meta", meta_with_keys(texts, "com.example.")))


def comment_mp4(texts: Texts) -> bytes:
    items = box(b"\xa9cmt", box(b"data", struct.pack(">II", 1, 0) + both(texts)))
    return mp4(box(b"udta", box(b"meta", bytes(4) + box(b"hdlr", bytes(20)) + box(b"ilst", items))))


def itunes_mp4(texts: Texts) -> bytes:
    items = b"".join(
        box(
            b"----",
            box(b"mean", bytes(4) + b"org")
            + box(b"name", bytes(4) + n.encode())
            + box(b"data", bytes(8) + t),
        )
        for n, t in texts
    )
    return mp4(box(b"udta", box(b"meta", bytes(4) + box(b"ilst", items))))


def avif(item: bytes, *, version: int = 0, in_meta: bool = False, cuts: int = 1) -> bytes:
    """An AVIF whose Exif item, in `cuts` extents, lies behind the meta box or in its idat."""
    infe = box(b"infe", struct.pack(">BBHHH", 2, 0, 0, 7, 0) + b"Exif\0")
    iinf = box(b"iinf", struct.pack(">IH", 0, 1) + infe)
    ftyp, handler = box(b"ftyp", b"avif" + bytes(4)), box(b"hdlr", bytes(24))
    idat = box(b"idat", item) if in_meta else b""

    def meta(begin: int) -> bytes:
        step = -(-len(item) // cuts)
        extents = b"".join(
            struct.pack(">II", begin + at, min(step, len(item) - at)) for at in range(0, len(item), step)
        )
        count = len(extents) // 8
        entry = (
            struct.pack(">H", 7)
            + (struct.pack(">H", int(in_meta)) if version else b"")
            + struct.pack(">HH", 0, count)
        )
        iloc = box(b"iloc", struct.pack(">BBHHH", version, 0, 0, 0x4400, 1) + entry + extents)
        return box(b"meta", bytes(4) + handler + iinf + iloc + idat)

    begin = 0 if in_meta else len(ftyp) + len(meta(0)) + 8
    return ftyp + meta(begin) + box(b"mdat", item)


def comfy_avif(texts: Texts) -> bytes:
    return avif(bytes(4) + comfy_exif(texts, ">"))


# ── Matroska ──


def element(kind: int, body: bytes, *, unknown: bool = False) -> bytes:
    name = kind.to_bytes((kind.bit_length() + 7) // 8, "big")
    size = b"\x01" + b"\xff" * 7 if unknown else struct.pack(">Q", 1 << 56 | len(body))
    return name + size + body


def matroska(texts: Texts, *, doctype: bytes = b"webm", live: bool = False, tags_last: bool = False) -> bytes:
    simple = b"".join(
        element(0x67C8, element(0x45A3, n.upper().encode()) + element(0x4487, t)) for n, t in texts
    )
    tags = element(0x1254C367, element(0x7373, element(0x63C0, b"") + simple))
    cluster = element(0x1F43B675, element(0xE7, b"\0") + element(0xA3, b"\x81\0\0\0frame"), unknown=live)
    body = cluster + cluster + tags if tags_last else tags + cluster + cluster
    return element(0x1A45DFA3, element(0x4282, doctype)) + element(0x18538067, body, unknown=live)


# ── audio ──


def vorbis_comment(texts: Texts) -> bytes:
    comments = [
        b"ENCODER=none",
        b"no equals sign",
        *(name.upper().encode() + b"=" + text for name, text in texts),
    ]
    listed = b"".join(struct.pack("<I", len(comment)) + comment for comment in comments)
    return struct.pack("<I", 4) + b"Lavf" + struct.pack("<I", len(comments)) + listed


def flac(texts: Texts) -> bytes:
    blocks = [(0, bytes(34)), (4, vorbis_comment(texts)), (0x81, bytes(6))]
    return (
        b"fLaC"
        + b"".join(bytes([kind]) + len(data).to_bytes(3, "big") + data for kind, data in blocks)
        + b"\xff\xf8frames"
    )


def ogg_pages(serial: int, *packets: bytes) -> list[bytes]:
    """The packets of one stream on pages of at most 255 pieces; a page ends with each packet."""
    pages: list[bytes] = []
    for packet in packets:
        lacing = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
        for at in range(0, len(lacing), 255):
            piece = packet[at * 255 : (at + 255) * 255]
            head = b"OggS\0\0" + bytes(8) + struct.pack("<III", serial, len(pages), 0)
            pages.append(head + bytes([len(lacing[at : at + 255])]) + lacing[at : at + 255] + piece)
    return pages


def ogg(texts: Texts, *, opening: bytes = b"OpusTags") -> bytes:
    """Two streams side by side; the second one's comment is ours."""
    first = ogg_pages(1, b"fishead\0", b"")
    second = ogg_pages(2, b"OpusHead", opening + vorbis_comment(texts), b"sound")
    return first[0] + second[0] + first[1] + b"".join(second[1:])


def syncsafe(size: int) -> bytes:
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))


def id3_frame(kind: bytes, body: bytes, *, version: int = 4, flags: int = 0) -> bytes:
    if version == 2:
        return kind + len(body).to_bytes(3, "big") + body
    size = syncsafe(len(body)) if version == 4 else struct.pack(">I", len(body))
    return kind + size + struct.pack(">H", flags) + body


def id3(frames: bytes, *, version: int = 4, flags: int = 0) -> bytes:
    return (
        b"ID3"
        + bytes([version, 0, flags])
        + syncsafe(len(frames) + 20)
        + frames
        + bytes(20)
        + b"\xff\xfb\x90\0sound"
    )


def mp3(texts: Texts, *, version: int = 4, encoding: int = 3) -> bytes:
    codec = ("latin-1", "utf-16", "utf-16-be", "utf-8")[encoding]
    kind, zero = (
        b"TXX" if version == 2 else b"TXXX",
        "\0".encode("utf-16-be" if encoding in {1, 2} else "utf-8"),
    )
    frames = b"".join(
        id3_frame(kind, bytes([encoding]) + name.encode(codec) + zero + _text(text, codec), version=version)
        for name, text in texts
    )
    return id3(id3_frame(kind.replace(b"X", b"I"), b"\3title", version=version) + frames, version=version)


def _text(text: bytes, codec: str) -> bytes:
    return text if codec in {"latin-1", "utf-8"} else text.decode().encode(codec)


# ── files that begin with JSON ──


def safetensors(metadata: object) -> bytes:
    header = json.dumps(
        {"__metadata__": metadata, "x": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}}
    ).encode()
    return struct.pack("<Q", len(header)) + header + b"\0\0"


def glb(extras: object) -> bytes:
    header = json.dumps({"asset": {"version": "2.0", "extras": extras}}).encode()
    return b"glTF" + struct.pack("<III", 2, 20 + len(header), len(header)) + b"JSON" + header


def _as_text(texts: Texts) -> dict[str, str]:
    return {name: text.decode() for name, text in texts}


WRITERS: dict[str, tuple[str, Callable[[Texts], bytes]]] = {
    "png tEXt": ("png", _png_of(text_chunk)),
    "png zTXt": ("png", _png_of(ztxt_chunk)),
    "png iTXt": ("png", _png_of(itxt_chunk)),
    "png packed iTXt": ("png", _png_of(packed_itxt_chunk)),
    "png comf": ("png", _png_of(comf_chunk)),
    "png eXIf": ("png", lambda texts: png(png_chunk(b"eXIf", comfy_exif(texts)))),
    "webp": ("webp", lambda texts: webp((b"EXIF", comfy_exif(texts)))),
    "webp with prefix": ("webp", lambda texts: webp((b"EXIF", b"Exif\0\0" + comfy_exif(texts, ">")))),
    "jpeg": ("jpeg", lambda texts: jpeg((0xE1, b"Exif\0\0" + comfy_exif(texts)))),
    "avif": ("avif", comfy_avif),
    "exr": ("exr", exr),
    "mp4": ("mp4", comfy_mp4),
    "mp4 iTunes": ("mp4", itunes_mp4),
    "mov": ("mp4", quicktime),
    "webm": ("webm", matroska),
    "webm, tags last": ("webm", lambda texts: matroska(texts, tags_last=True)),
    "mkv, live": ("mkv", lambda texts: matroska(texts, doctype=b"matroska", live=True, tags_last=True)),
    "flac": ("flac", flac),
    "opus": ("ogg", ogg),
    "vorbis": ("ogg", lambda texts: ogg(texts, opening=b"\x03vorbis")),
    "ogg flac": ("ogg", lambda texts: ogg(texts, opening=b"\x84\0\0\0")),
    "mp3 2.4": ("mp3", mp3),
    "mp3 2.4 utf-16-be": ("mp3", lambda texts: mp3(texts, encoding=2)),
    "mp3 2.3 utf-16": ("mp3", lambda texts: mp3(texts, version=3, encoding=1)),
    "mp3 2.2 latin-1": ("mp3", lambda texts: mp3(texts, version=2, encoding=0)),
    "latent": ("safetensors", lambda texts: safetensors(_as_text(texts))),
    "glb": ("glb", lambda texts: glb(_as_text(texts))),
}
"""Those that keep the text byte for byte, by name: the container they make and the writer."""
