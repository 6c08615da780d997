"""Writing CivitAI's record of a version beside its file: `<stem>.civitai.info`, which most programs read.

    a free name            the record, with `extensions.comfywatchman` to tell whose file it is
    a file of ours         the record again; what others added to it is kept
    another program's      left as it is

No address with a query gets into it but CivitAI's own download addresses, and no path of this machine.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from ...catalog import Json, RemoteFile
from ...decode import DecodeError, Value
from ...digest import Digest
from ...jsonfile import PUBLIC, add_json, read_json, write_json
from ..folders import has_model_extension
from ..origin import Origin
from .fields import JSON_LIMIT

Standing = Literal["free", "ours", "others"]

_ENDING: Final = ".civitai.info"
_MARK: Final[Mapping[str, Json]] = {"version": 1}
_LONGEST: Final = 100_000  # characters of one text in the record
_HARMLESS: Final = ("fileId=", "type=", "format=", "size=", "fp=", "modelVersionId=")

# What the site calls the types that an AIR names.
_TYPES: Final = {
    "checkpoint": "Checkpoint", "lora": "LORA", "lycoris": "LoCon", "dora": "DoRA", "vae": "VAE",
    "embedding": "TextualInversion", "hypernet": "Hypernetwork", "controlnet": "Controlnet",
    "upscaler": "Upscaler", "motion": "MotionModule", "unet": "UNet", "clip": "TextEncoder",
}  # fmt: skip
# What the site calls digests.
_HASHES: Final = {
    "sha256": "SHA256", "blake3": "BLAKE3", "crc32": "CRC32", "autov1": "AutoV1", "autov2": "AutoV2",
    "autov3": "AutoV3",
}  # fmt: skip


def find_standing(path: Path) -> Standing:
    """Who wrote the sidecar that a model file has; `path` is the model's.

    Raises:
        OSError: it cannot be read.
    """
    stem, other = _sidecar(path), path.with_name(path.name + _ENDING)
    if other != stem and other.exists():
        return "others"
    if stem.is_symlink():
        return "others"
    try:
        found = read_json(stem, limit=JSON_LIMIT)
    except DecodeError:
        return "others"
    if found is None:
        return "others" if stem.exists() else "free"
    return "ours" if isinstance(Value(found)["extensions"]["comfywatchman"].json, dict) else "others"


def write_sidecar(path: Path, record: Json) -> bool:
    """Write a version's record beside a model file; False where another program's sidecar is or comes.

    Raises:
        OSError: the disk refuses.
    """
    sidecar = _sidecar(path)
    ours = _marked(_clean(record))
    match find_standing(path):
        case "free":
            return add_json(sidecar, ours, mode=PUBLIC)
        case "ours":
            before = read_json(sidecar, limit=JSON_LIMIT)
            if not isinstance(before, dict) or before.get("id") != ours.get("id"):
                return False  # of another file that had this name, or has it with another ending
            merged = _merged(before, ours)
            if merged != before:
                write_json(sidecar, merged, mode=PUBLIC)
            return True
        case "others":
            return False


def fits(record: Json) -> bool:
    """Whether a record is one, and not too large to be read again."""
    return isinstance(record, dict) and len(json.dumps(record)) <= JSON_LIMIT // 2


def make_record(file: RemoteFile, origin: Origin, digests: tuple[Digest, ...]) -> dict[str, Json]:
    """A version's record from what is known of one of its files, where the site's own cannot be had."""
    whole = {digest.algorithm: digest for digest in (*file.digests, *digests)}
    only: dict[str, Json] = {
        "id": _number(file.id),
        "name": file.name,
        "sizeKB": file.size / 1024 if file.size is not None else None,
        "type": "VAE" if file.folder == "vae" else "Model",
        "primary": True,
        "hashes": {_HASHES[name]: digest.hex.upper() for name, digest in whole.items()},
    }
    kind = _TYPES.get(file.air.type) if file.air else None
    record: dict[str, Json] = {
        "id": _number(origin.version_id),
        "modelId": _number(origin.model_id),
        "name": file.version_name,
        "baseModel": file.base_model,
        "publishedAt": file.published_at,
        "trainedWords": list(file.trigger_words),
        "air": origin.air,
        "model": {"name": file.model_name, "type": kind},
        "files": [only],
    }
    return {key: value for key, value in record.items() if value is not None}


def _sidecar(path: Path) -> Path:
    stem = path.stem if has_model_extension(path.name) else path.name
    return path.with_name(stem + _ENDING)


def _marked(record: Json) -> dict[str, Json]:
    whole = record if isinstance(record, dict) else {}
    return {**whole, "extensions": {"comfywatchman": {**_MARK}}}


def _merged(before: dict[str, Json], ours: dict[str, Json]) -> dict[str, Json]:
    """Our record with what others added to the file; extensions of others stay beside ours."""
    theirs, mine = before.get("extensions"), ours["extensions"]
    both = {**theirs, **mine} if isinstance(theirs, dict) and isinstance(mine, dict) else mine
    return {**before, **ours, "extensions": both}


def _clean(value: Json) -> Json:
    """A record of a hub without anything secret in its addresses and without absurd texts."""
    match value:
        case dict():
            return {key: _clean(inner) for key, inner in value.items()}
        case list():
            return [_clean(inner) for inner in value]
        case str():
            return _harmless(value) if value.startswith(("http:", "https:")) else value[:_LONGEST]
        case _:
            return value


def _harmless(address: str) -> str | None:
    """An address without user, fragment, or what in its query is not known to be harmless."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    kept = [pair for pair in parts.query.split("&") if pair.startswith(_HARMLESS)]
    return parts._replace(query="&".join(kept), fragment="", netloc=parts.netloc.rpartition("@")[2]).geturl()


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 10 else None
