"""The pages' types against the routes' schemas: two truths kept equal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from comfywatchman.settings import Settings

schemas = pytest.importorskip("comfywatchman.routes.schemas", reason="the routes are not here")

TYPES = (Path(__file__).resolve().parents[2] / "web" / "types.js").read_text(encoding="utf-8")
NAMES = {"Hub": "HubStatus", "Queue": "Counts"}  # ours: theirs
OBJECTS = (
    "Root",
    "Drive",
    "Hub",
    "Queue",
    "Status",
    "Resolution",
    "Reference",
    "Inspection",
    "Candidate",
    "Item",
    "Plan",
    "Transfer",
    "Setting",
    "Skipped",
)


def properties(name: str) -> dict[str, str]:
    """A type's members that are always there, with their types."""
    block = re.search(rf"@typedef \{{object\}} {name}\b(.*?)(?:@typedef|\*/)", TYPES, re.DOTALL)
    if block:
        return {key: kind for kind, key in re.findall(r"@property \{(.*)\} (\w+)", block[1])}
    line = re.search(rf"@typedef \{{\{{ (.*) \}}\}} {name}\b", TYPES)
    assert line, name
    return dict(re.findall(r"(\w+): ([^,]+)", line[1]))


def may_be_null(schema: Mapping[str, Any]) -> bool:
    return any(one.get("type") == "null" for one in schema.get("anyOf", ()))


@pytest.mark.parametrize("name", OBJECTS)
def test_types_are_the_routes(name: str) -> None:
    """What the pages read of an answer is in its schema, and null where the schema says it may be."""
    ours = properties(name)
    theirs = schemas.SCHEMAS[NAMES.get(name, name)]["properties"]
    assert set(ours) - set(theirs) == set()
    assert [key for key, kind in ours.items() if may_be_null(theirs[key]) and "null" not in kind] == []


@pytest.mark.parametrize(
    ("name", "member", "ours"),
    [
        ("Transfer", "state", "TransferState"),
        ("Item", "state", "ItemState"),
        ("Candidate", "consent", "Consent"),
    ],
)
def test_words_are_the_routes(name: str, member: str, ours: str) -> None:
    """Closed sets of words are the same on both sides."""
    schema = schemas.SCHEMAS[name]["properties"][member]
    words = schema.get("enum") or next(one["enum"] for one in schema["anyOf"] if "enum" in one)
    line = re.search(rf"@typedef \{{(.*)\}} {ours}\b", TYPES)
    assert line
    assert re.findall(r'"([a-z-]+)"', line[1]) == list(words)


def test_every_setting_has_a_name() -> None:
    """The panel calls each setting by words, and none by its key."""
    words = (Path(__file__).resolve().parents[2] / "web" / "words.js").read_text(encoding="utf-8")
    keys = {shown.key for shown in Settings(home=Path()).show()}
    assert {key for key in keys if f'"setting.{key}":' not in words} == set()
