"""Checks a JSON value against a schema of `schemas.py`: the part of JSON Schema that stands there.

type · properties, required, additionalProperties · items, maxItems · maxLength · enum · minimum, maximum ·
anyOf · $ref
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from .errors import InvalidRequest
from .schemas import SCHEMAS
from .shapes import Schema

if TYPE_CHECKING:
    from ..catalog import Json

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}

_NUMBERS: Final = frozenset({"integer", "number"})
_LENGTHS: Final[Mapping[type, tuple[str, str]]] = {
    str: ("maxLength", "characters"),
    list: ("maxItems", "items"),
    dict: ("maxProperties", "members"),
}


def check(name: str, value: Json) -> None:
    """Check a value against the schema of that name.

    Raises:
        InvalidRequest: it is of another shape; the message names the place.
    """
    if fault := _find_fault(SCHEMAS[name], value, "$"):
        raise InvalidRequest(fault)


def _find_fault(schema: Schema, value: Json, path: str) -> str | None:
    """What is wrong, and where; None when nothing is."""
    if "$ref" in schema:
        return _find_fault(SCHEMAS[schema["$ref"].rpartition("/")[2]], value, path)
    if "anyOf" in schema:
        faults = [_find_fault(one, value, path) for one in schema["anyOf"]]
        return None if None in faults else next((f for f in faults if f and not _names(f, path)), faults[0])
    if fault := _find_own_fault(schema, value):
        return f"{path}: expected {fault}"
    if isinstance(value, dict):
        return _find_fault_inside(schema, value, path)
    if isinstance(value, list) and "items" in schema:
        inner = (_find_fault(schema["items"], one, f"{path}[{at}]") for at, one in enumerate(value))
        return next(filter(None, inner), None)
    return None


def _names(fault: str, path: str) -> bool:
    """Whether a fault is of the value itself and not of something in it."""
    return fault.startswith(f"{path}: ")


def _find_own_fault(schema: Schema, value: Json) -> str | None:
    """What the value itself is expected to be and is not."""
    kind = schema.get("type")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind is not None and not (isinstance(value, _TYPES[kind]) and (is_number or kind not in _NUMBERS)):
        return str(kind)
    if "enum" in schema and value not in schema["enum"]:
        return " or ".join(map(repr, schema["enum"]))
    if isinstance(value, str | list | dict):
        word, what = _LENGTHS[type(value)]
        most = schema.get(word, len(value))
        return f"at most {most} {what}" if len(value) > most else None
    if is_number and not _is_between(schema, value):
        return f"a number from {schema.get('minimum')} to {schema.get('maximum')}"
    return None


def _is_between(schema: Schema, value: Any) -> bool:
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


def _find_fault_inside(schema: Schema, value: Mapping[str, Json], path: str) -> str | None:
    properties: Mapping[str, Any] = schema.get("properties", {})
    others = schema.get("additionalProperties", True)
    if missing := [key for key in schema.get("required", ()) if key not in value]:
        return f"{path}: {missing[0]!r} is missing"
    for key, inner in value.items():
        known = properties.get(key, others)
        if known is False:
            return f"{path}: {key[:80]!r} is unknown"
        if known is not True and (fault := _find_fault(known, inner, f"{path}.{key[:80]}")):
            return fault
    return None
