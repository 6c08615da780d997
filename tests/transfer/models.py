"""Small model files and the transfers that bring them."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

from comfywatchman.air import Air
from comfywatchman.catalog import RemoteFile
from comfywatchman.consent import Consent
from comfywatchman.digest import Digest
from comfywatchman.plan import Transfer
from comfywatchman.resolution import Evidence
from comfywatchman.transfer.guard import Guard
from comfywatchman.transfer.limits import Limits

NAME = "ink.safetensors"

QUICK = Limits(
    segments=1,
    segment=16 << 10,
    segment_from=32 << 10,
    apart=0,
    mark=16 << 10,
    checkpoint=0.0,
    stall=0.2,
    connect=2.0,
    least=2000,
    retries=2,
    backoff=0.01,
    patience=2.0,
    margin=0,
    margin_share=0.0,
    report=0.0,
)
LANES = {"segments": 4}


def small_pieces(segments: int) -> Limits:
    """Every few bytes a mark in the journal, so that a small file has as many moments as a big one."""
    return Limits(
        segments=segments,
        segment=32 << 10,
        segment_from=64 << 10,
        mark=32 << 10,
        reserve_from=0,
        checkpoint=0.0,
        margin=0,
        margin_share=0.0,
        retries=1,
        backoff=0.01,
        stall=5,
    )


def safetensors(size: int = 200_000, seed: int = 1) -> bytes:
    """A well-formed safetensors file of about that size with random weights."""
    weights = random.Random(seed).randbytes(size)
    header = {
        "__metadata__": {"seed": str(seed)},
        "w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]},
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + weights


def sha256(data: bytes) -> Digest:
    return Digest("sha256", hashlib.sha256(data).hexdigest())


def source(url: str, data: bytes, **changes: Any) -> RemoteFile:
    """The hub's record of a file."""
    fields: dict[str, Any] = {
        "hub": "web",
        "name": NAME,
        "url": url,
        "size": len(data),
        "digests": (sha256(data),),
    }
    return RemoteFile(**(fields | changes))


def transfer(root: Path, url: str, data: bytes, *, path: str = NAME, **changes: Any) -> Transfer:
    return Transfer(
        source=source(url, data, **changes),
        root=str(root),
        folder="loras",
        path=path,
        evidence=Evidence.DIGEST,
        consent=Consent.AUTOMATIC,
        reason="test",
    )


def transfer_of(root: Path, url: str, *, size: int, sha256: str) -> Transfer:
    """A transfer of a file of which only size and digest are at hand; `sha256` "" means none is published."""
    digests = (Digest("sha256", sha256),) if sha256 else ()
    air = Air(ecosystem="sdxl", type="lora", source="civitai", id="5", version="7")
    return transfer(root, url, b"", size=size, digests=digests, air=air)


def guard_for(*origins: str) -> Guard:
    return Guard(trusted=frozenset(origins))


def no_token(_url: str) -> dict[str, str]:
    return {}
