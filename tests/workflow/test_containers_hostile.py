"""Damaged and malicious containers: a result or InvalidWorkflow, soon, in little memory."""

from __future__ import annotations

import struct
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow import container_writers as write
from workflow.container_writers import WRITERS, Texts

from comfywatchman.catalog import Json
from comfywatchman.errors import InvalidWorkflow
from comfywatchman.workflow.containers import read_container
from comfywatchman.workflow.containers.embedded import tags_in
from comfywatchman.workflow.containers.span import PIECES_LIMIT, Span, counted

SAMPLES = Path(__file__).parent / "samples"
MIB = 1 << 20
GRAPH = b'{"nodes": []}'
TEXTS: Texts = [("prompt", b"{}"), ("workflow", GRAPH)]
FILES = {name: writer(TEXTS) for name, (_, writer) in WRITERS.items()} | {
    path.name: path.read_bytes() for path in sorted(SAMPLES.iterdir()) if path.suffix != ".md"
}


def attempt(file: bytes) -> bool:
    """Whether it is read; any error but InvalidWorkflow goes through."""
    try:
        read_container(file)
    except InvalidWorkflow as fault:
        told = fault
    else:
        return True
    assert told.message
    assert told.hint
    return False


@contextmanager
def bounded(*, seconds: float, memory: int) -> Iterator[None]:
    tracemalloc.start()
    begin = time.perf_counter()
    try:
        yield
        took, peak = time.perf_counter() - begin, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert took < seconds
    assert peak < memory


@pytest.mark.parametrize("name", FILES)
def test_every_truncation(name: str) -> None:
    """Cut anywhere, a file is read or refused."""
    file = FILES[name]

    assert attempt(file)
    for size in range(len(file)):
        attempt(file[:size])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "mask", [pytest.param(1 << bit, marks=pytest.mark.full) for bit in range(7)] + [0x80, 0xFF]
)
def test_every_flip(name: str, mask: int) -> None:
    """With any byte changed, a file is read or refused."""
    file = bytearray(FILES[name])
    for at in range(len(file)):
        file[at] ^= mask
        attempt(bytes(file))
        file[at] ^= mask


MAGICS = sorted(
    {file[:12] for file in FILES.values()} | {write.PNG_MAGIC, b"", b"ID3\4\0\0", b"\0\0\0\x18ftypavif"}
)


@given(magic=st.sampled_from(MAGICS), rest=st.binary(max_size=400))
def test_arbitrary_bytes(magic: bytes, rest: bytes) -> None:
    """Any bytes, behind any magic, are read or refused."""
    attempt(magic + rest)


@given(name=st.sampled_from(sorted(FILES)), data=st.data())
def test_spliced_files(name: str, data: st.DataObject) -> None:
    """A file with a stretch replaced by other bytes is read or refused."""
    file = FILES[name]
    begin = data.draw(st.integers(0, len(file)))
    end = data.draw(st.integers(begin, min(len(file), begin + 16)))
    attempt(file[:begin] + data.draw(st.binary(max_size=16)) + file[end:])


BOMB = zlib.compress(bytes(200 * MIB), 9)


@pytest.mark.parametrize(
    "chunk",
    [
        write.png_chunk(b"zTXt", b"workflow\0\0" + BOMB),
        write.png_chunk(b"iTXt", b"workflow\0\1\0\0\0" + BOMB),
        write.ztxt_chunk("workflow", bytes(9 * MIB)) * 40,
    ],
    ids=["zTXt", "iTXt", "many"],
)
def test_bomb(chunk: bytes) -> None:
    """A text that inflates to 200 MB is refused for a few times the limit of 16 MiB."""
    assert len(chunk) < MIB

    with (
        bounded(seconds=2, memory=80 * MIB),
        pytest.raises(InvalidWorkflow, match="over the limit of 16,777,216"),
    ):
        read_container(write.png(chunk))


def test_bomb_control() -> None:
    """The bomb is one, and a packed text below the limit is no bomb."""
    assert len(zlib.decompress(BOMB)) == 200 * MIB
    large = b'{"a": "' + b"x" * (15 * MIB) + b'"}'

    assert read_container(write.png(write.ztxt_chunk("workflow", large))).workflow == large


@pytest.mark.parametrize(
    "file",
    [
        write.png(*[write.text_chunk("Title", b"x")] * 100_000),
        b"\xff\xd8" + b"\xff\x01" * 150_000,
        b"\xff\xd8" + b"\xff" * 150_000,
        write.webp(*[(b"XXXX", b"")] * 30_000),
        write.mp4(write.box(b"free", b"") * 30_000),
        write.mp4(
            write.box(
                b"udta",
                write.box(
                    b"meta", bytes(4) + write.box(b"keys", bytes(8) + write.box(b"mdta", b"x") * 30_000)
                ),
            )
        ),
        write.element(0x1A45DFA3, b"") + b"\xec\x80" * 30_000,
        write.flac([("title", b"x")] * 30_000),
        write.ogg([("title", b"x")] * 30_000),
        b"".join(write.ogg_pages(serial, b"x")[0] for serial in range(5_000)),
        write.id3(write.id3_frame(b"TIT2", b"x") * 30_000),
        write.exr([("title", b"x")] * 30_000),
        b"<svg>" + b"<metadata><![CDATA[" * 30_000,
    ],
    ids=[
        "png",
        "jpeg",
        "jpeg fill",
        "webp",
        "mp4",
        "mp4 keys",
        "webm",
        "flac",
        "ogg",
        "ogg streams",
        "id3",
        "exr",
        "svg",
    ],
)
def test_many_pieces(file: bytes) -> None:
    """A hundred thousand chunks, or nearly as many other pieces, cost little time."""
    begin = time.perf_counter()

    assert not attempt(file)
    assert time.perf_counter() - begin < 3


def test_too_many_pieces() -> None:
    """The guard counts: what is over its limit is refused, what is not passes."""
    file = b"\xff\xd8" + b"\xff\x01" * (PIECES_LIMIT + 1)

    with pytest.raises(InvalidWorkflow, match="more than 262,144 pieces"):
        read_container(file)
    assert list(counted(iter(range(3)), limit=3)) == [0, 1, 2]
    with pytest.raises(InvalidWorkflow):
        list(counted(iter(range(4)), limit=3))


@pytest.mark.parametrize("size", [2, 7, 8, 15, 0x7FFFFFFF, 0xFFFFFFFF])
def test_box_size(size: int) -> None:
    """A box smaller than its header or larger than the file is refused."""
    assert not attempt(write.box(b"ftyp", b"isom") + struct.pack(">I4s", size, b"free") + b"x")


@pytest.mark.parametrize("size", [0, 15, 16, 1 << 63, (1 << 64) - 1])
def test_wide_box_size(size: int) -> None:
    """So is a box with a 64-bit size, whatever it says."""
    assert not attempt(write.box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"mdat", size) + b"x")


def test_box_to_the_end() -> None:
    """Size 0 means up to the end of the file."""
    file = bytearray(write.comfy_mp4(TEXTS))
    at = file.index(b"moov") - 4
    file[at : at + 4] = bytes(4)

    assert read_container(bytes(file)).workflow == GRAPH


def test_unknown_size_elsewhere() -> None:
    """Only the Segment and its clusters may be of unknown size."""
    assert attempt(write.matroska(TEXTS, live=True))
    assert not attempt(write.element(0x1A45DFA3, b"webm") + write.element(0x1254C367, b"x", unknown=True))


@pytest.mark.parametrize("depth", [50, 20_000])
def test_nesting(depth: int) -> None:
    """Boxes, elements and JSON inside one another do not lead to a recursion."""
    boxes, elements = b"", b""
    for _ in range(min(depth, 500)):
        boxes, elements = write.box(b"moov", boxes), write.element(0x1254C367, elements)
    deep = b"[" * depth + b"]" * depth

    assert not attempt(write.mp4(boxes))
    assert not attempt(write.element(0x1A45DFA3, b"webm") + elements)
    attempt(write.jpeg((0xFE, b'{"workflow": ' + deep + b"}")))
    attempt(
        b"glTF"
        + struct.pack("<III", 2, 0, 2 * depth + 36)
        + b'JSON{"asset": {"extras": {"prompt": '
        + deep
        + b"}}}"
    )


def test_nesting_at_the_edge() -> None:
    """JSON that could just be parsed and cannot be printed again is refused as well."""
    deep: Json = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(InvalidWorkflow, match="nested too deeply"):
        list(tags_in({"workflow": deep}))


def test_exif_that_repeats() -> None:
    """Sixty thousand entries that all point at one text of 4 MiB are not read sixty thousand times."""
    count, text = 60_000, b"x" * 4 * MIB
    entry = struct.pack("<HHII", 0x010F, 2, len(text), 10 + 12 * count)
    exif = b"II*\0\x08\0\0\0" + struct.pack("<H", count) + entry * count + text

    with (
        bounded(seconds=2, memory=64 * MIB),
        pytest.raises(InvalidWorkflow, match="its texts are over the limit"),
    ):
        read_container(write.webp((b"EXIF", exif)))


def test_exif_that_loops() -> None:
    """A user comment's directory that is the first directory again is read once more and no further."""
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8)

    assert not attempt(write.webp((b"EXIF", b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4))))


def test_avif_that_repeats() -> None:
    """Many places of one Exif item are not all read."""
    place = struct.pack(">HHHII", 7, 0, 1, 0, 8 * MIB)
    infe = write.box(b"infe", struct.pack(">BBHHH", 2, 0, 0, 7, 0) + b"Exif\0")
    iloc = write.box(b"iloc", struct.pack(">BBHHH", 0, 0, 0, 0x4400, 60_000) + place * 60_000)
    meta = write.box(b"meta", bytes(4) + write.box(b"iinf", struct.pack(">IH", 0, 1) + infe) + iloc)

    with bounded(seconds=2, memory=64 * MIB):
        assert not attempt(write.box(b"ftyp", b"avif") + meta + write.box(b"mdat", bytes(8 * MIB)))


@pytest.mark.parametrize(
    ("version", "extents", "what"),
    [(0, 65, "65 extents"), (0, 3, "its EXIF is over the limit"), (1, 1, "a place that cannot be read")],
)
def test_avif_extents(version: int, extents: int, what: str) -> None:
    """An Exif item in too many or too large pieces, or in a place unheard of, is refused."""
    method = b"\0\2" if version else b""
    place = (
        struct.pack(">H", 7)
        + method
        + struct.pack(">HH", 0, extents)
        + struct.pack(">II", 0, 8 * MIB) * extents
    )
    infe = write.box(b"infe", struct.pack(">BBHIH", 3, 0, 0, 7, 0) + b"Exif\0")
    iloc = write.box(b"iloc", struct.pack(">BBHHH", version, 0, 0, 0x4400, 1) + place)
    iinf = write.box(b"iinf", struct.pack(">II", 1 << 24, 1) + infe)

    with pytest.raises(InvalidWorkflow, match=what):
        read_container(write.box(b"ftyp", b"avif") + write.box(b"meta", bytes(4) + iinf + iloc))


@pytest.mark.parametrize(
    ("file", "what"),
    [
        (write.png(write.text_chunk("workflow", GRAPH))[:60], "cut short or damaged: expected"),
        (write.png(write.png_chunk(b"zTXt", b"workflow\0\0junk")), "cannot be inflated"),
        (write.png(write.png_chunk(b"zTXt", b"workflow\0\0" + zlib.compress(GRAPH)[:-6])), "has no end"),
        (write.webp((b"XMP ", bytes(50)))[:-58], "its header promises"),
        (write.webp((b"EXIF", b"junkjunk")), "its EXIF begins with b'junk'"),
        (b"\xff\xd8\xff\xe0\0\2junk", "expected a JPEG marker"),
        (b"\x76\x2f\x31\x01\2\0\0\0" + b"n" * 300, "expected the end of a name"),
        (b"\x1a\x45\xdf\xa3\x84webm\0\0", "no readable header"),
        (write.ogg([])[:58] + b"junk" + bytes(60), "expected an Ogg page"),
        (b"".join(write.ogg_pages(1, b"OpusHead", b"x" * 17 * MIB)), "its comments are over the limit"),
        (write.id3(b"", version=5), "version 2.5"),
        (struct.pack("<Q", 20) + b"{" + b" " * 19, "its header is not JSON"),
        (
            struct.pack("<Q", 17 * MIB) + b"{" + bytes(17 * MIB),
            "a piece of 17,825,792 bytes is over the limit",
        ),
    ],
)
def test_damage_is_told(file: bytes, what: str) -> None:
    """The message says what is wrong with the file, and where."""
    with pytest.raises(InvalidWorkflow, match=what):
        read_container(file)


def test_shrinking_file(tmp_path: Path) -> None:
    """A file that becomes shorter while it is read is told, not misread."""
    path = tmp_path / "f"
    path.write_bytes(bytes(100))
    with path.open("r+b", buffering=0) as stream:
        span = Span.over(stream)
        stream.truncate(50)
        with pytest.raises(InvalidWorkflow, match="ended at byte 50 while it was read"):
            span.read(0, 100)
