"""One model file looked at closely: its digests, what is inside it, and what lies beside it.

    path ──examine_file──▶ Examination(file: LocalFile with digests, inside: Inside, beside: Beside)

Nothing of it needs a network or a library; a file anywhere on this disk will do.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ..catalog import LocalFile
from ..digest import Algorithm
from ..errors import InputError, NotAModel
from ..facts import Facts
from ..hasher import Hasher
from ..header import HEAD, check_structure, sniff
from ..modelspec import read_metadata
from .scan import hash_file
from .sidecars.beside import Beside, find_beside

_ALGORITHMS: Final[tuple[Algorithm, ...]] = ("sha256", "autov2", "autov3", "blake3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What the bytes of a file are.

    `format` is what they look like (safetensors, zip-torch, html, unknown …), whatever the name says.
    `exact` is True when the header accounts for every byte, None when that cannot be told. `error` says
    why it is not the model that its name promises.
    """

    format: str
    exact: bool | None = None
    facts: Facts = field(default_factory=Facts)
    error: NotAModel | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Everything that one file and its neighbours say of it."""

    file: LocalFile
    inside: Inside
    beside: Beside


def examine_file(path: Path) -> Examination:
    """Read a file whole, once for its digests, and its sidecars.

    Raises:
        InputError: it cannot be read.
        FileChanged: it changed meanwhile.
    """
    try:
        stat = path.stat()
        bare = LocalFile(
            folder="",
            path=path.name,
            root=str(path.absolute().parent),
            size=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
        )
        inside = _look_inside(path, bare.size)
        file = replace(bare, digests=hash_file(bare, Hasher(_ALGORITHMS)))
    except OSError as fault:
        raise InputError(
            f"{path}: cannot be read: {fault.strerror}", hint="Check who may read it."
        ) from fault
    return Examination(file=file, inside=inside, beside=find_beside(path))


def look_at(file: LocalFile) -> Examination:
    """The same without reading the file whole: the digests are those already known of it.

    Raises:
        InputError: it cannot be read.
    """
    path = Path(file.root, file.path)
    try:
        inside = _look_inside(path, file.size)
    except OSError as fault:
        raise InputError(
            f"{path}: cannot be read: {fault.strerror}", hint="Check who may read it."
        ) from fault
    return Examination(file=file, inside=inside, beside=find_beside(path))


def _look_inside(path: Path, size: int) -> Inside:
    with path.open("rb") as stream:

        def read(offset: int, length: int) -> bytes:
            stream.seek(offset)
            return stream.read(length)

        try:
            structure = check_structure(read, size, path.name)
        except NotAModel as fault:
            return Inside(format=sniff(read(0, HEAD)), exact=False, error=fault)
    return Inside(format=structure.kind, exact=structure.exact, facts=read_metadata(structure.metadata))
