"""The OpenAPI 3.1 document of the routes, made from the table and the schemas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from .. import __version__
from ..catalog import Json
from .api import ROUTES
from .guard import HEADER
from .schemas import SCHEMAS
from .serving import JSON, PREFIX, Call, Route

if TYPE_CHECKING:
    from .desk import Desk

_VARIABLE: Final = re.compile(r"\{(\w+)\}")


def show_openapi(_desk: Desk, _call: Call) -> dict[str, Json]:
    """The document, as a page gets it."""
    return make_openapi(ROUTES)


def make_openapi(routes: Sequence[Route]) -> dict[str, Json]:
    """The whole document."""
    paths: dict[str, dict[str, Json]] = {}
    for route in routes:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(route)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "comfywatchman",
            "version": __version__,
            "description": "Sizes are bytes, times seconds since 1970. Every error has the body of `Error`.",
        },
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }
    return document


def _operation(route: Route) -> dict[str, Json]:
    operation: dict[str, Any] = {
        "operationId": route.verb.partition(":")[2],
        "summary": route.about,
        "parameters": [_variable(name) for name in _VARIABLE.findall(route.path)],
        "responses": {
            str(route.status): _content(route.gives, type_=route.type),
            "default": _content("Error"),
        },
    }
    if route.method != "GET":
        operation["parameters"].append(
            {"name": HEADER, "in": "header", "required": True, "schema": {"type": "string", "enum": ["1"]}}
        )
        needed = route.takes != "Nothing"
        operation["requestBody"] = {"required": needed, "content": _json(route.takes)}
    return operation


def _variable(name: str) -> dict[str, Json]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _content(schema: str, *, type_: str = JSON) -> dict[str, Json]:
    content: dict[str, Json] = _json(schema) if type_ == JSON else {type_: {}}
    return {"description": str(SCHEMAS[schema]["description"]), "content": content}


def _json(schema: str) -> dict[str, Json]:
    return {JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
