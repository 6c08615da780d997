"""What a file is by its first bytes, and whether its structure covers it; no number in it is believed."""

from __future__ import annotations

import io
import json
import pickle
import struct
import sys
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comfywatchman.errors import NotAModel
from comfywatchman.header import PARSE_LIMIT, Structure, check_promise, check_structure, sniff

HTML = b"<!DOCTYPE html><html>"
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def reader(data: bytes) -> Callable[[int, int], bytes]:
    return lambda offset, length: data[offset : offset + length]


def check(data: bytes, name: str, size: int | None = None) -> Structure:
    return check_structure(reader(data), len(data) if size is None else size, name)


def safetensors(header: Any, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def tensor(start: int, stop: int, dtype: str = "U8", shape: list[Any] | None = None) -> dict[str, Any]:
    return {
        "dtype": dtype,
        "shape": [stop - start] if shape is None else shape,
        "data_offsets": [start, stop],
    }


def string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def gguf(keys: list[bytes], tensors: list[bytes], data: bytes, *, version: int = 3, align: int = 32) -> bytes:
    head = (
        b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys)) + b"".join(keys) + b"".join(tensors)
    )
    return head + b"\0" * (-len(head) % align) + data


def gguf_tensor(count: int, kind: int, offset: int) -> bytes:
    return string(b"w") + struct.pack("<IQIQ", 1, count, kind, offset)


def torch_zip(entry: str = "archive/data.pkl", body: bytes = b"x") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, body)
    return buffer.getvalue()


GOOD = safetensors(
    {"__metadata__": {"a": "b", "n": 3}, "w": tensor(0, 4), "v": tensor(4, 12, "F32", [2])}, b"x" * 12
)
KEYS = [
    string(b"general.alignment") + struct.pack("<II", 4, 64),
    string(b"general.name") + struct.pack("<I", 8) + string(b"ink"),
    string(b"list") + struct.pack("<IIQ", 9, 8, 2) + string(b"a") + string(b"b"),
    string(b"numbers") + struct.pack("<IIQ", 9, 5, 3) + b"\0" * 12,
    string(b"flag") + struct.pack("<IB", 7, 1),
]
GOOD_GGUF = gguf(KEYS, [gguf_tensor(64, 2, 0), gguf_tensor(8, 0, 64)], b"\0" * 96, align=64)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (GOOD, "safetensors"), (GOOD_GGUF, "gguf"), (HTML, "html"), (b"\n <html>", "html"),
        (b"<!-- x -->", "html"),
        (b"\xef\xbb\xbf<HTML lang=de>", "html"), (b"<?xml version='1.0'?><html>", "html"),
        (b"<?xml?><Error/>", "xml"),
        (b"<Error>", "xml"), (b'{"error": 1}', "json"), (b"[]", "json"), (b'[{"a":1}]', "json"),
        (LFS, "git-lfs-pointer"),
        (torch_zip(), "zip-torch"), (torch_zip("a.txt"), "zip"), (pickle.dumps([1], 2), "pickle"),
        (pickle.dumps([1], 4), "pickle"), (b"\x08\x08\x12\x07pytorch", "onnx"), (b"\x89PNG\r\n\x1a\n", "png"),
        (b"\xff\xd8\xff\xe0", "jpeg"), (b"RIFF\0\0\0\0WEBPVP8 ", "webp"), (b"GIF89a", "gif"),
        (b"%PDF-1.7", "pdf"),
        (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07\x00", "rar"), (b"\x1f\x8b\x08", "gzip"),
        (b"\0" * 257 + b"ustar\0", "tar"), (b"", "unknown"), (b"\0" * 64, "unknown"), (b"hello", "unknown"),
    ],
)  # fmt: skip
def test_sniff(head: bytes, kind: str) -> None:
    """The first bytes tell the kind."""
    assert sniff(head[:512]) == kind


@pytest.mark.parametrize(
    ("head", "name", "fits"),
    [
        (GOOD, "a.SafeTensors", True), (GOOD, "a.sft", True), (GOOD, "a.ckpt", False),
        (GOOD, "a.gguf", False),
        (HTML, "a.safetensors", False), (HTML, "a.ckpt", False), (HTML, "a.unknown", False),
        (HTML, "a.html", True),
        (b'{"a":1}', "a.json", True), (b'{"a":1}', "a.safetensors", False), (b'{"a":1}', "a.yaml", False),
        (LFS, "a.safetensors", False), (LFS, "a.bin", False), (LFS, "a.txt", False),
        (torch_zip(), "a.ckpt", True), (torch_zip(), "a.safetensors", False), (torch_zip("a"), "a.zip", True),
        (pickle.dumps(1, 2), "a.pt", True), (pickle.dumps(1, 2), "a.safetensors", False),
        (b"(dp0", "a.bin", True),
        (b"\x08\x08\x12", "a.onnx", True), (GOOD, "a.onnx", False), (b"\x89PNG\r\n\x1a\n", "a.png", True),
    ],
)  # fmt: skip
def test_promise(head: bytes, name: str, fits: bool) -> None:
    """A name's extension, in any case, and the magic must agree."""
    if fits:
        assert check_promise(head, name) == sniff(head)
    else:
        with pytest.raises(NotAModel):
            check_promise(head, name)


def test_safetensors() -> None:
    """A header that covers the file exactly, and its metadata as far as it is text."""
    assert check(GOOD, "a.safetensors") == Structure(kind="safetensors", exact=True, metadata={"a": "b"})


@pytest.mark.parametrize(
    "data",
    [
        GOOD[:-1], GOOD + b"x", GOOD[:20], safetensors(b"{nonsense"), safetensors(b"{" + b"[" * 100_000),
        safetensors(b'{"a": ' + b"9" * 5000 + b"}"), safetensors(b'{"a": "\xff"}'),
        safetensors({"w": tensor(1, 4)}, b"x" * 4),
        safetensors({"w": tensor(0, 4), "v": tensor(2, 6)}, b"x" * 6),
        safetensors({"w": tensor(0, 4, "F32", [2])}, b"x" * 4),
        safetensors({"w": tensor(0, 2, "F4", [3])}, b"xx"),
        safetensors({"w": tensor(0, 4, "U8", [2**62, 2**62])}, b"x" * 4),
        safetensors({"w": tensor(0, 4, "U8", [-4])}, b"x" * 4),
        safetensors({"w": tensor(0, 4, "U8", [4.0])}, b"x" * 4),
        safetensors({"w": tensor(0, 4, "U8", [True] * 65)}, b"x" * 4),
        safetensors({"w": 3}), safetensors({"w": {"dtype": "U8"}}), safetensors({"w": tensor(0, 2**70)}),
        safetensors({"w": tensor(4, 0, "U8", [])}), struct.pack("<Q", 99_000_000) + b"{}",
    ],
)  # fmt: skip
def test_broken_safetensors(data: bytes) -> None:
    """Cut short, too long, overlapping, overflowing or nonsense: a typed error each."""
    with pytest.raises(NotAModel):
        check(data, "a.safetensors")


def test_safetensors_of_a_later_version() -> None:
    """A type that came after this program does not make a file broken, nor does odd metadata."""
    assert check(safetensors({"__metadata__": [1], "w": tensor(0, 4, "F2")}, b"x" * 4), "a.safetensors").exact


def test_huge_safetensors_header_is_not_parsed() -> None:
    """A legitimate header beyond our limit is believed without being read."""
    data = struct.pack("<Q", PARSE_LIMIT + 1) + b"{"
    assert check(data, "a.safetensors", size=PARSE_LIMIT + 100) == Structure(kind="safetensors")


def test_gguf() -> None:
    """A header whose tensors end where the file ends, padded or not."""
    assert check(GOOD_GGUF, "a.gguf") == Structure(kind="gguf", exact=True)
    padded = gguf([], [gguf_tensor(8, 0, 0), gguf_tensor(1, 0, 32)], b"\0" * 64)
    assert check(padded, "a.gguf").exact
    assert check(padded[:-28], "a.gguf").exact
    assert check(gguf([], [], b""), "a.gguf").exact


@pytest.mark.parametrize(
    "data",
    [
        GOOD_GGUF[:-1], GOOD_GGUF + b"x" * 40, GOOD_GGUF[:40], b"GGUF", gguf([], [], b"")[:20],
        b"GGUF" + struct.pack("<IQQ", 3, 2**63, 0),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 2**64 - 1) + b"\0" * 19,
        gguf([string(b"general.alignment") + struct.pack("<II", 4, 0)], [], b""),
        gguf([string(b"general.alignment") + struct.pack("<II", 4, 48)], [], b""),
        gguf([string(b"x") + struct.pack("<IIQ", 9, 8, 2**62)], [], b""),
        gguf([string(b"x") + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 6], [], b""),
        gguf([struct.pack("<Q", 2**63)], [], b""),
        gguf([], [string(b"w") + struct.pack("<I", 9)], b"\0" * 99),
        gguf([], [gguf_tensor(33, 2, 0)], b"\0" * 99), gguf([], [gguf_tensor(8, 0, 2**63)], b"\0" * 99),
    ],
)  # fmt: skip
def test_broken_gguf(data: bytes) -> None:
    """Cut short, announcing more than there is, or contradicting itself: a typed error each."""
    with pytest.raises(NotAModel):
        check(data, "a.gguf")


@pytest.mark.parametrize(
    "data",
    [
        gguf([], [], b"", version=1), gguf([], [gguf_tensor(8, 999, 0)], b"\0" * 32),
        gguf([string(b"x") + struct.pack("<I", 77)], [], b"\0" * 32),
    ],
)  # fmt: skip
def test_gguf_of_a_later_version(data: bytes) -> None:
    """What this reader does not know it does not judge."""
    assert check(data, "a.gguf") == Structure(kind="gguf")


def test_gguf_bounds() -> None:
    """A header that announces more entries or bytes than are read is left unjudged, quickly."""
    endless = b"GGUF" + struct.pack("<IQQ", 3, 0, 2_000_000)
    assert check(endless, "a.gguf", size=1 << 40).exact is None
    vast = gguf([string(b"x") + struct.pack("<IIQ", 9, 0, 1 << 30)], [], b"")
    assert check(vast, "a.gguf", size=1 << 40).exact is None


def test_zip_of_torch() -> None:
    """The end record stands at the end; more or less is broken."""
    data = torch_zip(body=b"x" * 100_000)
    assert check(data, "a.pt").exact
    for broken in (data[:-1], data + b"x", data[:50_000], data[:40] + data[41:]):
        with pytest.raises(NotAModel):
            check(broken, "a.pt")


def test_opaque_formats() -> None:
    """Nothing is claimed about what cannot be checked."""
    assert check(pickle.dumps([1], 2), "a.pt") == Structure(kind="pickle")


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("import sys; sys.modules['pickle_canary'] = sys",))


def test_nothing_is_unpickled() -> None:
    """Looking at a pickle runs nothing of it and imports nothing of torch."""
    check(pickle.dumps(_Bomb(), 2), "a.ckpt")
    check(torch_zip(body=pickle.dumps(_Bomb())), "a.ckpt")
    assert "pickle_canary" not in sys.modules
    assert "torch" not in sys.modules


@settings(max_examples=300)
@given(
    st.binary(max_size=300)
    | st.sampled_from([GOOD, GOOD_GGUF]).flatmap(
        lambda good: st.tuples(st.integers(0, len(good) - 1), st.binary(min_size=1, max_size=9)).map(
            lambda edit: good[: edit[0]] + edit[1] + good[edit[0] + len(edit[1]) :]
        )
    ),
    st.sampled_from(["a.safetensors", "a.gguf", "a.pt", "a.onnx", "a.zip"]),
    st.sampled_from([None, 0, 1 << 20, 1 << 45]),
)
def test_random_headers(data: bytes, name: str, size: int | None) -> None:
    """Law: any bytes give a structure or NotAModel, in no time and little memory."""
    began = time.perf_counter()
    with suppress(NotAModel):
        check(data, name, size)
    assert time.perf_counter() - began < 1.0


def test_memory_stays_small() -> None:
    """The largest vocabulary that is read takes a few MiB, not the file."""
    words = b"".join(string(b"tok%d" % n) for n in range(100_000))
    data = gguf([string(b"tokens") + struct.pack("<IIQ", 9, 8, 100_000) + words], [], b"")
    tracemalloc.start()
    assert check(data, "a.gguf").exact
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
