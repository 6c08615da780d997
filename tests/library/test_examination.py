"""A file on this disk speaks for itself."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from comfywatchman.demo import models
from comfywatchman.errors import InputError
from comfywatchman.library.examination import examine_file

LORA = models.lora("ink", trigger="ink wash")


def test_examine_file(tmp_path: Path) -> None:
    """Digests, the header's facts, and what lies beside."""
    (tmp_path / "ink.safetensors").write_bytes(LORA)
    (tmp_path / "ink.txt").write_text("note", encoding="utf-8")
    found = examine_file(tmp_path / "ink.safetensors")
    sha = hashlib.sha256(LORA).hexdigest()
    digests = {digest.algorithm: digest.hex for digest in found.file.digests}
    assert sorted(digests) == ["autov2", "autov3", "blake3", "sha256"]
    assert (digests["sha256"], digests["autov2"]) == (sha, sha[:10])
    length = int.from_bytes(LORA[:8], "little")
    assert digests["autov3"] == hashlib.sha256(LORA[8 + length :]).hexdigest()
    assert (found.inside.format, found.inside.exact) == ("safetensors", True)
    assert found.inside.facts.common_tags == ("ink wash",)
    assert [s.facts.notes for s in found.beside.sidecars] == ["note"]


@pytest.mark.parametrize(
    ("name", "data", "kind", "is_broken"),
    [
        ("a.safetensors", LORA[:-1], "safetensors", True),
        ("a.safetensors", b"<!DOCTYPE html><html>", "html", True),
        ("a.safetensors", b"", "unknown", True),
        ("a.gguf", models.text_encoder("t"), "gguf", False),
        ("a.json", json.dumps({"nodes": []}).encode(), "json", False),
        ("notes.txt", b"words", "unknown", False),
    ],
)
def test_inside(tmp_path: Path, name: str, data: bytes, kind: str, is_broken: bool) -> None:
    """What a file is by its bytes, and why it is not what its name promises."""
    (tmp_path / name).write_bytes(data)
    inside = examine_file(tmp_path / name).inside
    assert (inside.format, inside.error is not None, inside.exact is False) == (kind, is_broken, is_broken)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is gone is input that cannot be used."""
    with pytest.raises(InputError, match="cannot be read"):
        examine_file(tmp_path / "gone.safetensors")
