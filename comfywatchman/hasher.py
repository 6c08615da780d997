"""Feed bytes, get digests. Owner of blake3.

    hasher = Hasher({"sha256", "blake3"})
    hasher.update(chunk)
    hasher.digests()      # (Digest("blake3", …), Digest("sha256", …))

The short forms are those of CivitAI's model scanner; `digest.py` has the definitions.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from typing import Final, Protocol, Self

from .digest import Algorithm, Digest

Bytes = bytes | bytearray | memoryview

_AUTOV1_START: Final = 0x100000
_AUTOV1_END: Final = _AUTOV1_START + 0x10000
_AUTOV1_LEAST: Final = 0x200000  # files below have none


class _Hash(Protocol):
    """A running hash, as hashlib and blake3 make them."""

    def update(self, data: Bytes, /) -> object: ...

    def hexdigest(self) -> str: ...


class _Crc32:
    """CRC-32 as CivitAI writes it: the four bytes in reverse order."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: Bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        return self._value.to_bytes(4, "little").hex()


class _AutoV1:
    """SHA-256 over 64 KiB at 1 MiB, cut to 8 digits; empty for files under 2 MiB."""

    def __init__(self) -> None:
        self._seen = 0
        self._hash = hashlib.sha256()

    def update(self, data: Bytes, /) -> None:
        start, end = _AUTOV1_START - self._seen, _AUTOV1_END - self._seen
        if end > 0 and start < len(data):
            self._hash.update(memoryview(data)[max(start, 0) : end])
        self._seen += len(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()[:8] if self._seen >= _AUTOV1_LEAST else ""


class _AutoV3:
    """SHA-256 of what follows a safetensors header; empty for files that do not start with one."""

    def __init__(self) -> None:
        self._head = b""
        self._skip: int | None = None  # bytes of header still to come; None before its length is known
        self._hash = hashlib.sha256()

    def update(self, data: Bytes, /) -> None:
        view = memoryview(data)
        if self._skip is None:
            wanted = 9 - len(self._head)
            self._head += bytes(view[:wanted])
            if len(self._head) < 9:
                return
            view = view[wanted:]
            self._skip = int.from_bytes(self._head[:8], "little") - 1
        skipped = min(self._skip, len(view))
        self._skip -= skipped
        self._hash.update(view[skipped:])

    def hexdigest(self) -> str:
        complete = self._skip == 0 and self._head[8:] == b"{"
        return self._hash.hexdigest() if complete else ""


class Hasher:
    """Running digests of one stream of bytes. `update` releases the interpreter lock for large chunks."""

    def __init__(self, algorithms: Iterable[Algorithm]) -> None:
        self._wanted: tuple[Algorithm, ...] = tuple(sorted(set(algorithms)))
        self._sha256 = hashlib.sha256()
        self._others: dict[Algorithm, _Hash] = {
            name: _start(name) for name in self._wanted if name not in ("sha256", "autov2")
        }
        self._uses_sha256 = "sha256" in self._wanted or "autov2" in self._wanted

    def update(self, chunk: Bytes) -> Self:
        """Take the next bytes."""
        if self._uses_sha256:
            self._sha256.update(chunk)
        for other in self._others.values():
            other.update(chunk)
        return self

    def sha256(self) -> Digest:
        """The SHA-256 of the bytes so far; only meaningful if it was asked for."""
        return Digest("sha256", self._sha256.hexdigest())

    def digests(self) -> tuple[Digest, ...]:
        """One digest for each algorithm asked for, without those the content has none of."""
        found = ((name, self._hex(name)) for name in self._wanted)
        return tuple(Digest(name, value) for name, value in found if value)

    def _hex(self, name: Algorithm) -> str:
        if name == "sha256":
            return self._sha256.hexdigest()
        if name == "autov2":
            return self._sha256.hexdigest()[:10]
        return self._others[name].hexdigest()


def _start(name: Algorithm) -> _Hash:
    """A new running hash."""
    if name == "blake3":
        import blake3  # loaded where it is used: it is compiled code and most commands hash nothing

        return blake3.blake3()
    if name == "crc32":
        return _Crc32()
    return _AutoV1() if name == "autov1" else _AutoV3()
