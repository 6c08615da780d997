"""The header of a GGUF file, far enough to say where the file must end; a reader with hard bounds.

    "GGUF" │ u32 version │ u64 tensors │ u64 keys │ keys │ tensor infos │ padding │ tensor data
    key = string, u32 type, value        string = u64 length, bytes        array = u32 type, u64 n, values
    tensor info = string, u32 n_dims, n_dims times u64, u32 type, u64 offset from the start of the data

Format: ggml-org/ggml docs/gguf.md. Other readers of it have looped for ever on 43 bytes, so this one
counts every element and every byte before it believes a number.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from .errors import NotAModel

_MAX_HEADER: Final = 32 << 20  # bytes; a text encoder's vocabulary takes about 8 MiB
_MAX_ITEMS: Final = 1_000_000  # keys, tensors and array elements together
_WINDOW: Final = 1 << 20
_STRING, _ARRAY = 8, 9
_SCALARS: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

# ggml type → (elements a block, bytes a block), ggml-org/ggml src/ggml.c
_TYPES: Final = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36),
    10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292),
    16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110),
    22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8),
    29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip


class _Beyond(Exception):
    """The header is longer than we read, or uses what came after this reader."""


class _Cursor:
    """A place in the file; reads through a window and never past the limits."""

    def __init__(self, read: Callable[[int, int], bytes], size: int, name: str) -> None:
        self._read, self._size, self._name = read, size, name
        self._window, self._start = b"", 0
        self._items = 0
        self.at = 0

    def take(self, length: int) -> bytes:
        """The next bytes."""
        start = self.at
        self.skip(length)
        if not (self._start <= start and self.at <= self._start + len(self._window)):
            self._window, self._start = self._read(start, max(length, _WINDOW)), start
        found = self._window[start - self._start : self.at - self._start]
        if len(found) < length:
            raise self.fault("it ends inside its header")
        return found

    def skip(self, length: int) -> None:
        """Go on without looking."""
        if length > self._size - self.at:
            raise self.fault("it ends inside its header")
        if self.at + length > _MAX_HEADER:
            raise _Beyond
        self.at += length

    def u32(self) -> int:
        return int(struct.unpack("<I", self.take(4))[0])

    def u64(self) -> int:
        return int(struct.unpack("<Q", self.take(8))[0])

    def count(self, items: int) -> int:
        """A number of things that are still to be read, if that many can be there and are read here."""
        if items > self._size:
            raise self.fault(f"its header announces {items:,} entries")
        self._items += items
        if self._items > _MAX_ITEMS:
            raise _Beyond
        return items

    def fault(self, what: str) -> NotAModel:
        return NotAModel(f"{self._name!r}: the GGUF file is broken: {what}")


def gguf_end(read: Callable[[int, int], bytes], size: int, name: str) -> tuple[int, int] | None:
    """The least and the greatest size (the last tensor may be padded) that fits the header.

    None if the header is longer than is read, big-endian, or of a version or type not known here.

    Raises:
        NotAModel: the header is cut short or contradicts itself.
    """
    cursor = _Cursor(read, size, name)
    try:
        return _find_end(cursor)
    except _Beyond:
        return None


def _find_end(cursor: _Cursor) -> tuple[int, int]:
    cursor.skip(4)
    if cursor.u32() not in (2, 3):
        raise _Beyond
    tensors, keys = cursor.count(cursor.u64()), cursor.count(cursor.u64())
    alignment = 32
    for _ in range(keys):
        key = _string(cursor)
        value = _value(cursor, cursor.u32())
        if key == b"general.alignment" and value is not None:
            alignment = value
    if alignment == 0 or alignment & (alignment - 1):
        raise cursor.fault(f"an alignment of {alignment}")
    ends = [_tensor_end(cursor) for _ in range(tensors)]
    start = _align(cursor.at, alignment)
    if not ends:
        return cursor.at, start
    return start + max(ends), start + _align(max(ends), alignment)


def _align(value: int, alignment: int) -> int:
    return (value + alignment - 1) // alignment * alignment


def _string(cursor: _Cursor) -> bytes:
    return cursor.take(cursor.u64())


def _value(cursor: _Cursor, kind: int, depth: int = 0) -> int | None:
    """Read over a value; the number itself if it is an unsigned 32-bit one."""
    if kind == 4:
        return cursor.u32()
    if kind == _STRING:
        cursor.skip(cursor.u64())
    elif kind == _ARRAY:
        _array(cursor, depth)
    elif kind in _SCALARS:
        cursor.skip(_SCALARS[kind])
    else:
        raise _Beyond
    return None


def _array(cursor: _Cursor, depth: int) -> None:
    if depth > 3:
        raise cursor.fault("arrays within arrays within arrays")
    kind, length = cursor.u32(), cursor.u64()
    if kind in _SCALARS:
        cursor.skip(length * _SCALARS[kind])
        return
    for _ in range(cursor.count(length)):
        _value(cursor, kind, depth + 1)


def _tensor_end(cursor: _Cursor) -> int:
    """Where a tensor's data ends, from the start of all data."""
    _string(cursor)
    dimensions = cursor.u32()
    if dimensions > 8:
        raise cursor.fault(f"a tensor of {dimensions} dimensions")
    elements = 1
    for _ in range(dimensions):
        elements *= cursor.u64()
    block = _TYPES.get(cursor.u32())
    offset = cursor.u64()
    if block is None:
        raise _Beyond
    if elements % block[0]:
        raise cursor.fault("a tensor that is no whole number of blocks")
    return offset + elements // block[0] * block[1]
