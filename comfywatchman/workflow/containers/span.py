"""A stretch of a file: read by offset, never left, never read further than asked.

    file   ├──────────────────────────────────────┤
    chunk        ├──────────────┤                     file.part(8, 40)
    text             ├──────────┤                     chunk.rest(9)

Readers skip what they do not need, so a 2 GB video costs a few reads of its headers.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal, TypeVar

from ...decode import MIB
from ...errors import InvalidWorkflow

TEXT_LIMIT: Final = 16 * MIB
"""Bytes of embedded text that are read, or inflated, out of one file."""

PIECES_LIMIT: Final = 1 << 18
"""Chunks, boxes or elements that are walked at one level; a two hour webm has some 10,000 clusters."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Span:
    """`size` bytes of a seekable stream from `start` on."""

    stream: BinaryIO
    start: int
    size: int

    @classmethod
    def over(cls, source: bytes | BinaryIO) -> Span:
        """The whole of some bytes or of a seekable stream, wherever the stream stands."""
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        return cls(stream, 0, stream.seek(0, io.SEEK_END))

    def read(self, offset: int, size: int, *, limit: int = TEXT_LIMIT) -> bytes:
        """Exactly `size` bytes.

        Raises:
            InvalidWorkflow: they reach past the end, or are more than `limit`.
        """
        self._require(offset, size)
        if size > limit:
            raise InvalidWorkflow(f"a piece of {size:,} bytes is over the limit of {limit:,}")
        self.stream.seek(self.start + offset)
        data = self.stream.read(size)
        if len(data) != size:
            raise cut_short(f"it ended at byte {self.start + offset + len(data):,} while it was read")
        return data

    def head(self, size: int) -> bytes:
        """The first `size` bytes, or all where there are fewer."""
        return self.read(0, min(size, self.size))

    def all(self) -> bytes:
        """Every byte of it; the limit of `read` holds."""
        return self.read(0, self.size)

    def uint(self, offset: int, size: int, order: Literal["big", "little"] = "big") -> int:
        """An unsigned number of `size` bytes."""
        return int.from_bytes(self.read(offset, size), order)

    def part(self, offset: int, size: int) -> Span:
        """A stretch inside this one.

        Raises:
            InvalidWorkflow: it reaches past the end.
        """
        self._require(offset, size)
        return Span(self.stream, self.start + offset, size)

    def rest(self, offset: int) -> Span:
        """All from `offset` on."""
        return self.part(offset, self.size - offset)

    def _require(self, offset: int, size: int) -> None:
        if size < 0 or offset + size > self.size:
            begin, end = self.start + offset, self.start + self.size
            raise cut_short(f"expected {max(size, 0):,} bytes at byte {begin:,}, but it ends at byte {end:,}")


def cut_short(what: str) -> InvalidWorkflow:
    """The error for a file that ends early or points past its own end."""
    return InvalidWorkflow(
        f"the file is cut short or damaged: {what}",
        hint="Download or copy the file again; if it stays so, ask for the workflow as JSON.",
    )


def counted(pieces: Iterator[T], *, limit: int = PIECES_LIMIT) -> Iterator[T]:
    """The same pieces, as long as they are not absurdly many.

    Raises:
        InvalidWorkflow: there are more than `limit`.
    """
    for number, piece in enumerate(pieces):
        if number >= limit:
            raise InvalidWorkflow(f"it has more than {limit:,} pieces at one level")
        yield piece
