"""The page on routes: the table, the events, and every shape as its schema says it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from comfywatchman.routes.api import ROUTES
from comfywatchman.routes.schemas import SCHEMAS
from comfywatchman.routes.serving import JSON

_HEAD = """# Routes

Written by `make docs` from the table in `comfywatchman/routes/api.py` and the schemas beside it;
[openapi.json](openapi.json) says the same to machines.

ComfyUI serves them below `/comfywatchman/v1/` and, like every route, below `/api/comfywatchman/v1/`. They are for
pages of ComfyUI itself: every request passes the guard that [trust](../explanation/trust.md#who-may-call-the-routes)
describes. Writes need `Content-Type: application/json` and `X-Comfywatchman: 1`. Sizes are bytes, times seconds
since 1970; paths stand below a root and have `/`. No token, no whole path and no address with a query ever leaves.

Every error is `{"error": {"code", "message", "hint", "details"}}` with a matching status; the codes stand in
[errors](errors.md). Members that are not named here are refused in requests.
"""

_EVENTS = """
## Events

Sent to every open page as websocket messages, a few a second at most.

| event | data | when |
|---|---|---|
| `comfywatchman.transfer` | `{"transfers": [{"id", "state", "done", "size", "speed", "eta", "note", "error"?, "verification"?, "relink"?}], "queue": Counts}` | transfers went on; only those that changed. With none, the list itself is another: read it |
| `comfywatchman.operation` | `{"operation": "plan", "id", "stage", "asking"}` | a plan has come to another stage |
| `comfywatchman.library` | `{"folders", "files": [{"folder", "path"}]}` | files have appeared |
| `comfywatchman.settings` | `{}` | settings or tokens were changed |
| `comfywatchman.checkpoint` | `{"name", "revision"}` | another checkpoint is active |

## Shapes
"""


def describe_routes() -> Iterator[str]:
    """The lines of the page."""
    yield _HEAD
    yield "| route | takes | gives | |"
    yield "|---|---|---|---|"
    for route in ROUTES:
        takes = _link(route.takes) if route.takes != "Nothing" else ""
        gives = f"{route.status} {_link(route.gives) if route.type == JSON else route.type}"
        yield f"| `{route.method} {route.path}` | {takes} | {gives} | {route.about} |"
    yield _EVENTS
    for name, schema in SCHEMAS.items():
        if name not in ("Nothing", "OpenApi", "Preview"):
            yield from _describe(name, schema)


def _describe(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}"
    yield ""
    yield f"{str(schema['description'])[0].upper()}{schema['description'][1:]}."
    yield ""
    needed = schema.get("required", ())
    for key, inner in schema.get("properties", {}).items():
        optional = "" if key in needed else ", may be left out"
        about = inner.get("description", "") if "$ref" not in inner else ""
        yield f"- `{key}`: {_kind(inner)}{optional}{f' ({about})' if about else ''}"
    if "properties" in schema:
        yield ""


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in words."""
    if "$ref" in schema:
        return _link(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " \\| ".join(f"`{word}`" for word in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return str(schema.get("type", "any JSON"))


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})" if name != "OpenApi" else "[openapi.json](openapi.json)"
