"""The checker against the schemas: what it lets through is what JSON Schema says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from comfywatchman.catalog import Verification
from comfywatchman.consent import Consent
from comfywatchman.house import HUBS
from comfywatchman.resolution import Evidence, Placement
from comfywatchman.routes.api import ROUTES
from comfywatchman.routes.checking import check
from comfywatchman.routes.errors import InvalidRequest
from comfywatchman.routes.openapi import make_openapi
from comfywatchman.routes.schemas import SCHEMAS
from comfywatchman.settings import Origin
from comfywatchman.transfer.events import State

KNOWN = {
    "type", "properties", "required", "additionalProperties", "items", "maxItems", "maxLength", "enum",
    "minimum", "maximum", "anyOf", "$ref", "description", "maxProperties",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("TransferChange", {"priority": 5, "before": None}, None),
        ("TransferChange", {"priority": 5.5}, "$.priority: expected integer"),
        ("TransferChange", {"priority": True}, "$.priority: expected integer"),
        ("TransferChange", {"priority": 2000}, "$.priority: expected a number from -1000 to 1000"),
        ("TransferChange", {"before": 3}, "$.before: expected string"),
        ("TransferChange", {"before": "x" * 65}, "$.before: expected at most 64 characters"),
        ("TransferChange", {"state": "gone"}, "$.state: expected 'paused' or 'queued' or 'cancelled'"),
        ("TransferChange", {"what": 1}, "$: 'what' is unknown"),
        ("TransferChange", [], "$: expected object"),
        ("TransfersChange", {}, "$: 'state' is missing"),
        ("TransfersChange", {"state": "paused", "of": ["queued"] * 8}, "$.of: expected at most 7 items"),
        ("TransfersChange", {"state": "paused", "of": ["x"]}, "$.of[0]: expected"),
        ("FetchRequest", {"consent": "plan", "items": {"a": {"root": None}}}, None),
        (
            "FetchRequest",
            {"consent": "plan", "items": {"a": {"agreed": 1}}},
            "$.items.a.agreed: expected boolean",
        ),
        ("FetchRequest", {"consent": "plan", "items": {"a": {"x": 1}}}, "$.items.a: 'x' is unknown"),
        ("SettingsChange", {str(n): n for n in range(51)}, "$: expected at most 50 members"),
        ("InspectionRequest", {"workflow": {"any": ["thing"]}}, None),
        ("Fault", {"code": "", "message": "", "hint": "", "details": {"retry_after": 1.5}}, None),
        ("Error", {"error": {"code": 1, "message": "", "hint": ""}}, "$.error.code: expected string"),
    ],
)
def test_check(name: str, value: Any, place: str | None) -> None:
    """A value passes, or the fault names its place and what is expected there."""
    if place is None:
        check(name, value)
        return
    with pytest.raises(InvalidRequest) as fault:
        check(name, value)
    assert fault.value.message.startswith(place)


def walk(schema: Any) -> Any:
    """Every schema within a schema."""
    yield schema
    for inner in (*schema.get("properties", {}).values(), *schema.get("anyOf", ())):
        yield from walk(inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from walk(schema[key])


def test_subset() -> None:
    """The schemas use only what the checker understands, and name only schemas that exist."""
    inside = [inner for schema in SCHEMAS.values() for inner in walk(schema)]
    assert {key for schema in inside for key in schema} <= KNOWN
    named = {schema["$ref"] for schema in inside if "$ref" in schema}
    assert named <= {f"#/components/schemas/{name}" for name in SCHEMAS}


def test_closed() -> None:
    """In requests nothing is accepted that is not named, and every text and list has its limit."""
    taken = {route.takes for route in ROUTES}
    for name in taken | {"Choice"}:
        for schema in walk(SCHEMAS[name]):
            if schema.get("type") == "object" and "properties" in schema:
                assert schema["additionalProperties"] is False
            if schema.get("type") == "string" and "enum" not in schema:
                assert "maxLength" in schema
            if schema.get("type") == "array":
                assert "maxItems" in schema


def test_openapi() -> None:
    """The document has every route, each with its shapes, and each operation a name of its own."""
    document: Any = make_openapi(ROUTES)
    assert document["openapi"].startswith("3.1")
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert len(operations) == len(ROUTES)
    assert len({one["operationId"] for one in operations}) == len(ROUTES)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            named = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
            assert all(f"{{{name}}}" in path for name in named)
            assert path.count("{") == len(named)
            assert ("requestBody" in operation) is (method != "get")
            assert set(operation["responses"]) >= {"default"}


def test_verbs() -> None:
    """Every verb is there and says what it does."""
    for route in ROUTES:
        verb = route.find_verb()
        assert (verb.__doc__ or "").strip(), route.verb


@pytest.mark.parametrize(
    ("schema", "member", "words"),
    [
        ("Transfer", "state", State),
        ("Transfer", "verification", Verification),
        ("Candidate", "consent", Consent),
        ("Candidate", "evidence", [evidence.word for evidence in Evidence]),
        ("Resolution", "placement", Placement),
        ("Setting", "origin", Origin),
        ("HubStatus", "name", HUBS),
    ],
)
def test_words(schema: str, member: str, words: Iterable[str]) -> None:
    """Where the code has closed sets of words, the schemas have the same."""
    shape = SCHEMAS[schema]["properties"][member]
    assert {*shape.get("anyOf", [shape])[0]["enum"]} == {*words}
