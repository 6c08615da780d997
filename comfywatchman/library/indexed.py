"""A local file as the index knows it, and the row of `index.sqlite3` that says so.

Indexed(file, verification, origin)  ◀──read_row── (real, root, folder, path, size, …, gone)
                                     ──write_row─▶
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ..catalog import Json, LocalFile, Verification
from ..decode import Value, parse_json
from ..digest import Algorithm, Digest, match_digests
from ..errors import InvalidDigest
from .origin import Origin

COLUMNS: Final = (
    *("real", "root", "folder", "path", "size", "mtime_ns", "sha256", "blake3", "verification"),
    *("hub", "model_id", "version_id", "file_id", "page", "air", "model_name", "version_name", "base_model"),
    *("trigger_words", "licence", "weight", "weight_min", "weight_max", "fetched", "gone"),
)
_ALGORITHMS: Final[tuple[Algorithm, ...]] = ("sha256", "blake3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """A local file with what is known of it.

    `verification` is None where we did not fetch it, `origin` where nobody said where it came from.
    """

    file: LocalFile
    verification: Verification | None = None
    origin: Origin | None = None


def complete(indexed: Indexed, others: Iterable[Indexed]) -> Indexed:
    """A file with what is known of the same content and it does not say itself."""
    for other in others:
        if not _is_same(indexed, other):
            continue
        origin, verification = indexed.origin or other.origin, indexed.verification or other.verification
        here = {digest.algorithm for digest in indexed.file.digests}
        digests = (*indexed.file.digests, *(d for d in other.file.digests if d.algorithm not in here))
        indexed = Indexed(file=_file(indexed.file, digests, origin), verification=verification, origin=origin)
    return replace(indexed, file=_file(indexed.file, indexed.file.digests, indexed.origin))


def write_row(real: str, indexed: Indexed) -> tuple[object, ...]:
    """The row of a file, in the order of `COLUMNS`."""
    file, origin = indexed.file, indexed.origin
    hexes = {digest.algorithm: digest.hex for digest in file.digests}
    come = _origin_cells(origin) if origin else (None,) * 15
    verification = indexed.verification.value if indexed.verification else None
    place = (real, file.root, file.folder, file.path, file.size, file.mtime_ns)
    row = (*place, *(hexes.get(algorithm) for algorithm in _ALGORITHMS), verification, *come, None)
    return tuple(_legible(cell) if isinstance(cell, str) else cell for cell in row)


def read_row(row: Sequence[Any]) -> tuple[Indexed, float | None]:
    """A row as a value, and since when its file is gone.

    Raises:
        InputError: it means nothing; anybody may have written it.
    """
    plain: list[Json] = [cell if isinstance(cell, str | int | float) else None for cell in row]
    value = Value(dict(zip(COLUMNS, plain, strict=True)))
    origin = _read_origin(value) if value["hub"].json is not None else None
    file = LocalFile(
        folder=value["folder"].text(),
        path=_path(value["path"]),
        root=value["root"].text(),
        size=value["size"].integer(),
        mtime_ns=value["mtime_ns"].integer(),
        digests=tuple(_digests(value)),
        origin=origin.page if origin else None,
    )
    return Indexed(file=file, verification=_verification(value), origin=origin), _number(value["gone"])


def text_cell(text: str) -> str | bytes:
    """A text as SQLite can hold it: one that is no Unicode, as file names may be, goes as bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def cell_text(cell: object) -> str | None:
    """The text that `text_cell` made a cell of; None for any other."""
    if isinstance(cell, bytes):
        try:
            return cell.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return None
    return cell if isinstance(cell, str) else None


def _path(value: Value) -> str:
    """A path below a root, in whatever spelling the disk has it."""
    text = value.text()
    if not text or text.startswith("/") or ".." in text.split("/") or "\0" in text:
        raise value.fault("a path below a root")
    return text


def _is_same(one: Indexed, other: Indexed) -> bool:
    """Whether two are one content: by digest, or because the same file was not touched in between."""
    same = match_digests(one.file.digests, other.file.digests)
    return _untouched(one.file) == _untouched(other.file) if same is None else same


def _untouched(file: LocalFile) -> tuple[str, str, int, int]:
    return file.root, file.path, file.size, file.mtime_ns


def _file(file: LocalFile, digests: tuple[Digest, ...], origin: Origin | None) -> LocalFile:
    kept = tuple(digest for digest in digests if digest.algorithm in _ALGORITHMS)
    return replace(file, digests=kept, origin=origin.page if origin else file.origin)


def _legible(text: str) -> str:
    """A text without halves of characters, which hubs cut names in the middle of and SQLite cannot hold."""
    return text.encode("utf-8", "replace").decode()


def _origin_cells(origin: Origin) -> tuple[object, ...]:
    return (
        *(origin.hub, origin.model_id, origin.version_id, origin.file_id, origin.page, origin.air),
        *(
            origin.model_name,
            origin.version_name,
            origin.base_model,
            json.dumps([*map(_legible, origin.trigger_words)]),
        ),
        *(origin.licence, origin.weight, origin.weight_min, origin.weight_max, origin.fetched),
    )


def _read_origin(value: Value) -> Origin:
    words = value["trigger_words"].text_or_none()
    return Origin(
        hub=value["hub"].text(),
        model_id=value["model_id"].text_or_none(),
        version_id=value["version_id"].text_or_none(),
        file_id=value["file_id"].text_or_none(),
        page=value["page"].text_or_none(),
        air=value["air"].text_or_none(),
        model_name=value["model_name"].text_or_none(),
        version_name=value["version_name"].text_or_none(),
        base_model=value["base_model"].text_or_none(),
        trigger_words=tuple(word.text() for word in Value(parse_json(words)).items()) if words else (),
        licence=value["licence"].text_or_none(),
        weight=_number(value["weight"]),
        weight_min=_number(value["weight_min"]),
        weight_max=_number(value["weight_max"]),
        fetched=_number(value["fetched"]),
    )


def _digests(value: Value) -> Iterable[Digest]:
    for algorithm in _ALGORITHMS:
        if text := value[algorithm].text_or_none():
            try:
                yield Digest(algorithm, text)
            except InvalidDigest:  # then it is not known
                continue


def _verification(value: Value) -> Verification | None:
    text = value["verification"].text_or_none()
    return next((known for known in Verification if known.value == text), None)


def _number(value: Value) -> float | None:
    return None if value.json is None else value.number()
