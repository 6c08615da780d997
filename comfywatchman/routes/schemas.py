"""The shapes of every request and answer, as JSON Schema: checked against, and published as OpenAPI.

Sizes are bytes, times seconds since 1970, paths stand below a root and have `/`. In what comes in, nothing is
accepted that is not named here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]


def _object(
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


def _text(most: int | None = None, *, about: str = "") -> Schema:
    schema: dict[str, Any] = {"type": "string"}
    if most is not None:
        schema["maxLength"] = most
    return {**schema, "description": about} if about else schema


def _several(item: Schema, most: int | None = None) -> Schema:
    schema: dict[str, Any] = {"type": "array", "items": item}
    return schema if most is None else {**schema, "maxItems": most}


def _by_key(value: Schema, most: int | None = None) -> Schema:
    schema: dict[str, Any] = {"type": "object", "additionalProperties": value}
    return schema if most is None else {**schema, "maxProperties": most}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def _is(word: str) -> Schema:
    """A schema's own name."""
    return {"type": "string", "enum": [word]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_INTEGER: Final[Schema] = {"type": "integer"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_NUMBER: Final[Schema] = {"type": "number"}
_FLAG: Final[Schema] = {"type": "boolean"}
_LINKED: Final[Schema] = {**_FLAG, "description": "`name` is no name of a file but a link, an id or an AIR"}
_ANY: Final[Schema] = {}
_ANYTHING: Final[Schema] = {"type": "object", "description": "a workflow or prompt as ComfyUI has it"}
_TEXTS: Final = _several(_text())
_KEY: Final = _text(400)
_ROOT: Final = _text(64, about="a root's id")

_STATE: Final = _one_of("queued", "running", "paused", "verified", "failed", "cancelled", "skipped")
_CONSENT: Final = _maybe(_one_of("automatic", "plan", "file", "refused"))
_HUB: Final = _one_of("civitai", "huggingface")
_STAGE: Final = _one_of("local", "known", "hubs", "done")
_VERIFICATION: Final = _maybe(_one_of("digest", "size", "structure", "none"))
_EVIDENCE: Final = _one_of("digest", "known", "url", "name", "similar-name")

_COUNTS: Final[Mapping[str, Schema]] = {
    "running": _COUNT,
    "queued": _COUNT,
    "paused": _COUNT,
    "failed": _COUNT,
    "verified": _COUNT,
    "cancelled": _COUNT,
    "skipped": _COUNT,
    "speed": _NUMBER,
    "done": _COUNT,
    "size": _COUNT,
}

# ── what comes in ──

_TAKEN: Final[Mapping[str, Schema]] = {
    "Nothing": _object({}, about="no members"),
    "InspectionRequest": _object(
        {},
        {"workflow": _ANYTHING, "prompt": _ANYTHING, "name": _text(400)},
        about="one of workflow and prompt",
    ),
    "PlanRequest": _object(
        {},
        {
            "workflow": _ANYTHING,
            "prompt": _ANYTHING,
            "things": _several(_text(2000), 200),
            "folder": _text(100, about="for things whose hub does not say where they belong"),
            "references": _several(_KEY, 5000),
            "name": _text(400),
        },
        about="one of workflow, prompt and things; `references` limits it to these keys",
    ),
    "Choice": _object(
        {},
        {
            "candidate": {"type": "integer", "minimum": 0, "maximum": 999},
            "agreed": _FLAG,
            "root": _maybe(_ROOT),
        },
        about="what a person chose for one item; `agreed` names a file that needs a yes of its own",
    ),
    "FetchRequest": _object(
        {"consent": _one_of("certain", "plan", "selected")},
        {"items": _by_key(_ref("Choice"), 5000), "remember": _FLAG},
        about="certain: what needs no question; plan: also what one click covers; selected: only the items "
        "named. `remember` keeps the answer to: fetch what is certain from now on?",
    ),
    "TransferChange": _object(
        {},
        {
            "state": _one_of("paused", "queued", "cancelled"),
            "priority": {"type": "integer", "minimum": -1000, "maximum": 1000},
            "before": _maybe(_text(64)),
        },
        about="`state` queued resumes what is paused and begins again what failed or was cancelled. `before` "
        "is the id of the one it is to stand in front of; null: to the end",
    ),
    "TransfersChange": _object(
        {"state": _one_of("paused", "queued", "cancelled")},
        {"of": _several(_STATE, 7)},
        about="`of` says those in which states; without it paused ones are queued, and open ones paused or "
        "cancelled",
    ),
    "SettingsChange": {
        **_by_key(_ANY, 50),
        "description": "settings by key; null goes back to the default",
    },
    "TokenRequest": _object({"token": _text(2000)}, about="a hub's token; it never comes back"),
    "CheckpointRequest": _object({"name": _text(2000)}, about="a local name, a link or an id"),
}

# ── what goes out ──

_GIVEN: Final[Mapping[str, Schema]] = {
    "Fault": _object(
        {"code": _text(), "message": _text(), "hint": _text()},
        {"hub": _text(), "details": _maybe(_by_key(_ANY))},
        about="what went wrong, and what to do",
    ),
    "Error": _object({"error": _ref("Fault")}, about="the body of every status from 400 on"),
    "Root": _object(
        {
            "id": _text(),
            "folder": _text(),
            "label": _text(about="the last two parts of its path"),
            "default": _FLAG,
            "writable": _FLAG,
            "free": _maybe(_COUNT),
            "drive": _maybe(_text()),
        },
        about="a directory that serves a folder",
    ),
    "Drive": _object(
        {"id": _text(), "label": _text(), "free": _COUNT, "total": _COUNT}, about="a file system with roots"
    ),
    "HubStatus": _object(
        {
            "name": _HUB,
            "title": _text(),
            "has_token": _FLAG,
            "token_where": _maybe(_one_of("environment", "keyring", "file", "huggingface")),
            "state": _one_of("unknown", "reachable", "unreachable"),
            "message": _maybe(_text()),
        },
        about="a hub, as it answered last",
    ),
    "Counts": _object(_COUNTS, about="the queue; done, size and speed are of what has not ended"),
    "Status": _object(
        {
            "schema": _is("comfywatchman.status/1"),
            "version": _text(),
            "offline": _FLAG,
            "roots": _several(_ref("Root")),
            "drives": _several(_ref("Drive")),
            "hubs": _several(_ref("HubStatus")),
            "queue": _ref("Counts"),
            "fetch_certain": _maybe(_FLAG),
            "features": _TEXTS,
        },
        about="`fetch_certain` null: the user was never asked",
    ),
    "LocalFile": _object(
        {"folder": _text(), "path": _text(), "root": _text(), "size": _COUNT}, about="a file on this disk"
    ),
    "Resolution": _object(
        {
            "state": _one_of("present", "found", "ambiguous", "missing"),
            "evidence": _maybe(_EVIDENCE),
            "placement": _maybe(_one_of("exact", "spelling", "subfolder", "folder")),
            "file": _maybe(_ref("LocalFile")),
            "relink": _maybe(_text(about="what the widget must say; null when it is right")),
            "candidates": _several(_ref("Candidate")),
            "searched": _TEXTS,
        },
        about="what a reference means; placement folder: it lies where this node does not look",
    ),
    "Reference": _object(
        {
            "key": _text(),
            "node_id": _text(),
            "node_type": _text(),
            "input": _text(),
            "folder": _text(),
            "other_folders": _TEXTS,
            "name": _text(),
            "active": _FLAG,
            "url": _maybe(_text()),
            "digest": _maybe(_text()),
            "linked": _LINKED,
            "resolution": _ref("Resolution"),
        },
        about="a place in a workflow that names a file",
    ),
    "UnknownNode": _object(
        {"type": _text(), "node_ids": _TEXTS}, about="a node that seems to name a model and is in no table"
    ),
    "Inspection": _object(
        {
            "schema": _is("comfywatchman.inspection/1"),
            "name": _text(),
            "format": _one_of("ui", "api"),
            "references": _several(_ref("Reference")),
            "unknown_nodes": _several(_ref("UnknownNode")),
            "missing": _COUNT,
        },
        about="what a workflow needs, against this disk",
    ),
    "Candidate": _object(
        {
            "index": _COUNT,
            "hub": _text(),
            "hub_title": _text(about="empty where a host that is no hub gives the file"),
            "name": _text(),
            "model_name": _maybe(_text()),
            "version_name": _maybe(_text()),
            "base_model": _maybe(_text()),
            "precision": _maybe(_text()),
            "format": _text(),
            "size": _maybe(_COUNT),
            "uploader": _maybe(_text()),
            "licence": _maybe(_text()),
            "published_at": _maybe(_text()),
            "downloads": _maybe(_COUNT),
            "url": _maybe(_text(about="where its bytes are, at the hub itself")),
            "page": _maybe(_text()),
            "air": _maybe(_text()),
            "access": _one_of("open", "login", "gated", "early", "withdrawn"),
            "evidence": _EVIDENCE,
            "digests": _TEXTS,
            "host": _text(),
            "preview": _maybe(_text(about="the path of its picture, as long as the plan lives")),
            "trigger_words": _TEXTS,
            "consent": _CONSENT,
            "reason": _text(),
            "transfer": {**_FLAG, "description": "whether it may be fetched"},
        },
        about="a file on a hub that may be meant",
    ),
    "NodePlace": _object(
        {"id": _text(), "type": _text(), "title": _maybe(_text()), "input": _text()},
        about="where a workflow names it",
    ),
    "Target": _object({"root": _text(), "folder": _text(), "path": _text()}, about="where the file goes"),
    "Item": _object(
        {
            "key": _text(),
            "references": _TEXTS,
            "nodes": _several(_ref("NodePlace")),
            "name": _text(),
            "folder": _text(),
            "state": _one_of(
                "present", "certain", "confirm", "choose", "locked", "refused", "missing", "asking"
            ),
            "consent": _CONSENT,
            "reason": _text(),
            "relink": _maybe(_text()),
            "chosen": _maybe(_COUNT),
            "candidates": _several(_ref("Candidate")),
            "target": _maybe(_ref("Target")),
        },
        about="one model of a plan; `chosen` is the index of the candidate that is offered",
    ),
    "DriveNeed": _object(
        {"id": _text(), "label": _text(), "needed": _COUNT, "free": _COUNT, "enough": _FLAG},
        about="what the plan writes to a file system",
    ),
    "Plan": _object(
        {
            "schema": _is("comfywatchman.review/1"),
            "id": _text(),
            "expires": _NUMBER,
            "stage": _STAGE,
            "asking": _TEXTS,
            "faults": _several(_ref("Fault")),
            "items": _several(_ref("Item")),
            "size": _COUNT,
            "drives": _several(_ref("DriveNeed")),
        },
        about="what would be fetched; `size` is of what is certain",
    ),
    "TransferReference": _object(
        {"node_id": _text(), "input": _text(), "name": _text(), "folder": _text(), "linked": _LINKED},
        about="a widget that named it",
    ),
    "Transfer": _object(
        {
            "id": _text(),
            "name": _text(),
            "folder": _text(),
            "path": _text(),
            "root": _maybe(_text()),
            "hub": _text(),
            "page": _maybe(_text()),
            "state": _STATE,
            "priority": _INTEGER,
            "position": _COUNT,
            "done": _COUNT,
            "size": _maybe(_COUNT),
            "speed": _NUMBER,
            "eta": _maybe(_NUMBER),
            "note": _text(),
            "verification": _VERIFICATION,
            "digests": _TEXTS,
            "error": _maybe(_ref("Fault")),
            "added": _NUMBER,
            "changed": _NUMBER,
            "relink": _maybe(_text()),
            "references": _several(_ref("TransferReference")),
        },
        about="one file on its way",
    ),
    "Transfers": _object(
        {"transfers": _several(_ref("Transfer")), "paused": _FLAG, "speed": _NUMBER},
        about="the queue, in the order in which it is carried out",
    ),
    "Skipped": _object(
        {"key": _text(), "code": _text(), "message": _text(), "hint": _text()},
        about="an item of which nothing was taken, and why",
    ),
    "Fetch": _object(
        {"transfers": _several(_ref("Transfer")), "skipped": _several(_ref("Skipped"))},
        about="what is fetched now",
    ),
    "Setting": _object(
        {
            "key": _text(),
            "value": _ANY,
            "default": _ANY,
            "origin": _one_of("default", "file", "environment"),
            "kind": _text(),
            "choices": _maybe(_TEXTS),
            "help": _text(),
            "writable": _FLAG,
        },
        about="one setting; of paths only the end is shown, and roots by their id",
    ),
    "Settings": _object({"settings": _several(_ref("Setting"))}, about="all settings"),
    "Token": _object(
        {"hub": _HUB, "has_token": _FLAG, "where": _maybe(_text())},
        about="whether there is a token, and where",
    ),
    "Account": _object({"hub": _HUB, "account": _text()}, about="whose token it is"),
    "Checkpoint": _object(
        {"schema": _is("comfywatchman.checkpoint/1"), "name": _maybe(_text()), "revision": _COUNT},
        about="the active checkpoint; `revision` grows with every change",
    ),
    "Preview": {"type": "string", "description": "a JPEG of at most 320 pixels on its longer side"},
    "Words": _object(
        {"folder": _text(), "name": _text(), "trigger_words": _several(_text())},
        about="a local file's trigger words: the user's own, else its sidecars', else its header's",
    ),
    "OpenApi": {"type": "object", "description": "this document"},
}

SCHEMAS: Final[Mapping[str, Schema]] = {**_TAKEN, **_GIVEN}
