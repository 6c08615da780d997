"""Translations of the nodes: complete, and plain text to what shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

LOCALES = Path(__file__).resolve().parents[1] / "locales"
ENGLISH = json.loads((LOCALES / "en/nodeDefs.json").read_text(encoding="utf-8"))
OTHERS = sorted(path for path in LOCALES.glob("*/nodeDefs.json") if path.parent.name != "en")
SYNTAX = re.compile(r"[{}@|]")  # of vue-i18n; quoted as {'|'} it is text
FIXED = (
    "ckpt_name",
    "929497",
    "hf:owner/repo/file",
    "<lora:name:weight>",
    "AIR",
    "LORA_STACK",
    "CivitAI",
    "`",
)


def texts(part: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text with the keys that lead to it."""
    if isinstance(part, str):
        yield place, part
        return
    for key, inner in part.items():
        yield from texts(inner, f"{place}.{key}")


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.parent.name)
def test_complete(path: Path) -> None:
    """A translation says everything that the English does, in the same places, and nothing more."""
    translated = json.loads(path.read_text(encoding="utf-8"))
    assert [place for place, _ in texts(translated)] == [place for place, _ in texts(ENGLISH)]
    assert all(text.strip() for _, text in texts(translated))


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.parent.name)
def test_what_is_typed_stays(path: Path) -> None:
    """What a person types or reads elsewhere is the same in every language."""
    translated = dict(texts(json.loads(path.read_text(encoding="utf-8"))))
    for place, text in texts(ENGLISH):
        if place.endswith((".tooltip", ".description", ".display_name")):
            assert [word for word in FIXED if text.count(word) != translated[place].count(word)] == [], place


@pytest.mark.parametrize("path", sorted(LOCALES.glob("*/*.json")), ids=lambda path: path.parent.name)
def test_plain(path: Path) -> None:
    """Nothing in a text is syntax to vue-i18n: a bare bar would leave a part of it, as of a plural."""
    for place, text in texts(json.loads(path.read_text(encoding="utf-8"))):
        assert not SYNTAX.search(re.sub(r"\{'[{}@|]'\}", "", text)), place
    assert SYNTAX.search("on | name")
