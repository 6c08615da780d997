"""Digests: the value of a hash, written `algorithm:hex`.

Definitions of the short forms, from CivitAI's model scanner (civitai/model-scanner, HashTask.cs):

    autov1   first 8 hex of SHA-256 over 0x10000 bytes at offset 0x100000; none below 2 MiB
    autov2   first 10 hex of SHA-256 of the whole file
    autov3   SHA-256 of the bytes after a safetensors header; recorded with 12 or 64 hex
    crc32    8 hex, byte-swapped against the usual notation
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, Self, get_args

from .errors import InvalidDigest

Algorithm = Literal["sha256", "blake3", "crc32", "autov1", "autov2", "autov3"]

_LENGTHS: Final[dict[str, tuple[int, ...]]] = {
    "sha256": (64,),
    "blake3": (64,),
    "crc32": (8,),
    "autov1": (8,),
    "autov2": (10,),
    "autov3": (12, 64),
}
_HEX: Final = re.compile(r"[0-9a-f]+\Z")


@dataclass(frozen=True, slots=True)
class Digest:
    """One hash value. `hex` is lower case and has a length its algorithm allows."""

    algorithm: Algorithm
    hex: str

    def __post_init__(self) -> None:
        lengths = _LENGTHS.get(self.algorithm)
        if lengths is None:
            raise InvalidDigest(f"digest: unknown algorithm {self.algorithm!r}")
        if len(self.hex) not in lengths or not _HEX.match(self.hex):
            wanted = " or ".join(map(str, lengths))
            raise InvalidDigest(f"digest: {self.algorithm} needs {wanted} hex digits, got {self.hex[:80]!r}")

    @classmethod
    def sha256(cls, text: str) -> Self:
        """A SHA-256 from its hex digits in any case."""
        return cls("sha256", text.strip().lower())

    @property
    def identifies(self) -> bool:
        """Whether equal values mean equal files: a full cryptographic hash of the whole file."""
        return self.algorithm in ("sha256", "blake3")

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


def parse_digest(text: str) -> Digest:
    """Read `algorithm:hex`, or bare hex, taken for what hex of its length usually is.

    >>> str(parse_digest("SHA256:" + "AB" * 32))[:12]
    'sha256:ababa'
    >>> parse_digest("0123456789").algorithm
    'autov2'

    Raises:
        InvalidDigest: the text is neither.
    """
    algorithm, colon, value = text.strip().lower().rpartition(":")
    if not colon:
        algorithm = {64: "sha256", 12: "autov3", 10: "autov2", 8: "autov1"}.get(len(value), "")
    for known in get_args(Algorithm):
        if algorithm == known:
            return Digest(known, value)
    raise InvalidDigest(f"digest: cannot read {text[:80]!r}")


def match_digests(ours: tuple[Digest, ...], theirs: tuple[Digest, ...]) -> bool | None:
    """Whether two sets of digests speak of the same file.

    True when an identifying algorithm agrees, False when any shared algorithm disagrees, None when
    they share nothing that identifies. An autov2 is compared with the head of a sha256.
    """
    verdict: bool | None = None
    for one in ours:
        for other in theirs:
            same = _same(one, other)
            if same is False:
                return False
            if same and one.identifies and other.identifies:
                verdict = True
    return verdict


def _same(one: Digest, other: Digest) -> bool | None:
    """Compare two digests where they can be compared at all."""
    pair = {one.algorithm, other.algorithm}
    if pair in ({"sha256", "autov2"}, {"autov3"}):
        length = min(len(one.hex), len(other.hex))
        return one.hex[:length] == other.hex[:length]
    return one.hex == other.hex if len(pair) == 1 else None
