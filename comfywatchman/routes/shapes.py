"""The words in which `schemas.py` says shapes: the part of JSON Schema that `checking.py` knows.

object_of({"name": text(400)}, {"size": maybe(COUNT)}, about="a file")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

INTEGER: Final[Schema] = {"type": "integer"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
NUMBER: Final[Schema] = {"type": "number"}
FLAG: Final[Schema] = {"type": "boolean"}
ANY: Final[Schema] = {}


def object_of(
    required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, *, about: str
) -> Schema:
    """An object with these members and no others."""
    return {
        "type": "object",
        "description": about,
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def text(most: int | None = None, *, about: str = "") -> Schema:
    """A text of at most so many characters."""
    schema: dict[str, Any] = {"type": "string"}
    if most is not None:
        schema["maxLength"] = most
    return {**schema, "description": about} if about else schema


def several(item: Schema, most: int | None = None) -> Schema:
    """A list of at most so many items."""
    schema: dict[str, Any] = {"type": "array", "items": item}
    return schema if most is None else {**schema, "maxItems": most}


def by_key(value: Schema, most: int | None = None) -> Schema:
    """An object with any keys, at most so many, and values of one shape."""
    schema: dict[str, Any] = {"type": "object", "additionalProperties": value}
    return schema if most is None else {**schema, "maxProperties": most}


def maybe(schema: Schema) -> Schema:
    """The shape, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def one_of(*words: str) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(words)}


def ref(name: str) -> Schema:
    """The shape of that name in `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}
