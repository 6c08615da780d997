"""Digests of a stream do not depend on how it is cut."""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import get_args

import blake3
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.digest import Algorithm
from comfywatchman.hasher import Hasher

ALL = set(get_args(Algorithm))
DATA = bytes(range(256)) * 0x2100  # a little over 2 MiB
MODEL = struct.pack("<Q", 20) + b'{"a": "b"          }' + b"weights"


def values(data: bytes, cuts: list[int] | None = None) -> dict[str, str]:
    hasher, at = Hasher(ALL), 0
    for cut in [*sorted(cuts or []), len(data)]:
        hasher.update(memoryview(data)[at:cut])
        at = cut
    return {digest.algorithm: digest.hex for digest in hasher.digests()}


def test_all_algorithms() -> None:
    """Each by its definition."""
    sha256 = hashlib.sha256(DATA).hexdigest()
    assert values(DATA) == {
        "sha256": sha256,
        "autov2": sha256[:10],
        "blake3": blake3.blake3(DATA).hexdigest(),
        "crc32": zlib.crc32(DATA).to_bytes(4, "little").hex(),
        "autov1": hashlib.sha256(DATA[0x100000:0x110000]).hexdigest()[:8],
    }


def test_autov3() -> None:
    """SHA-256 of what follows the safetensors header, and nothing for other files or half a header."""
    assert values(MODEL)["autov3"] == hashlib.sha256(b"weights").hexdigest()
    assert "autov3" not in values(MODEL[:12])
    assert "autov3" not in values(b"short")
    assert "autov1" not in values(MODEL)


@given(st.lists(st.integers(0, len(DATA)), max_size=6))
def test_any_cut_of_a_big_file(cuts: list[int]) -> None:
    """Law: any way of cutting gives the same digests."""
    assert values(DATA, cuts) == values(DATA)


@given(st.lists(st.integers(0, len(MODEL)), max_size=12))
def test_any_cut_of_a_header(cuts: list[int]) -> None:
    """Law: the same across a header."""
    assert values(MODEL, cuts) == values(MODEL)


def test_only_what_was_asked() -> None:
    """Nothing else is computed, and the running SHA-256 can be looked at."""
    hasher = Hasher({"sha256"})
    hasher.update(b"a")
    assert hasher.sha256().hex == hashlib.sha256(b"a").hexdigest()
    assert [d.algorithm for d in hasher.update(b"b").digests()] == ["sha256"]
