"""The shapes of every request and answer, as JSON Schema: checked against, and published as OpenAPI.

Sizes are bytes, times seconds since 1970, paths stand below a root and have `/`. In what comes in, nothing is
accepted that is not named here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .shapes import (
    ANY,
    COUNT,
    FLAG,
    INTEGER,
    NUMBER,
    Schema,
    by_key,
    maybe,
    object_of,
    one_of,
    ref,
    several,
    text,
)

_LINKED: Final[Schema] = {**FLAG, "description": "`name` is no name of a file but a link, an id or an AIR"}
_ANYTHING: Final[Schema] = {"type": "object", "description": "a workflow or prompt as ComfyUI has it"}
_TEXTS: Final = several(text())
_KEY: Final = text(400)
_ROOT: Final = text(64, about="a root's id")

_STATE: Final = one_of("queued", "running", "paused", "verified", "failed", "cancelled", "skipped")
_CONSENT: Final = maybe(one_of("automatic", "plan", "file", "refused"))
_HUB: Final = one_of("civitai", "huggingface")
_STAGE: Final = one_of("local", "known", "hubs", "done")
_VERIFICATION: Final = maybe(one_of("digest", "size", "structure", "none"))
_EVIDENCE: Final = one_of("digest", "known", "url", "name", "similar-name")

_COUNTS: Final[Mapping[str, Schema]] = {
    "running": COUNT,
    "queued": COUNT,
    "paused": COUNT,
    "failed": COUNT,
    "verified": COUNT,
    "cancelled": COUNT,
    "skipped": COUNT,
    "speed": NUMBER,
    "done": COUNT,
    "size": COUNT,
}

# ── what comes in ──

_TAKEN: Final[Mapping[str, Schema]] = {
    "Nothing": object_of({}, about="no members"),
    "InspectionRequest": object_of(
        {},
        {"workflow": _ANYTHING, "prompt": _ANYTHING, "name": text(400)},
        about="one of workflow and prompt",
    ),
    "PlanRequest": object_of(
        {},
        {
            "workflow": _ANYTHING,
            "prompt": _ANYTHING,
            "things": several(text(2000), 200),
            "folder": text(100, about="for things whose hub does not say where they belong"),
            "references": several(_KEY, 5000),
            "name": text(400),
        },
        about="one of workflow, prompt and things; `references` limits it to these keys",
    ),
    "Choice": object_of(
        {},
        {
            "candidate": {"type": "integer", "minimum": 0, "maximum": 999},
            "agreed": FLAG,
            "root": maybe(_ROOT),
        },
        about="what a person chose for one item; `agreed` names a file that needs a yes of its own",
    ),
    "FetchRequest": object_of(
        {"consent": one_of("certain", "plan", "selected")},
        {"items": by_key(ref("Choice"), 5000), "remember": FLAG},
        about="certain: what needs no question; plan: also what one click covers; selected: only the items "
        "named. `remember` keeps the answer to: fetch what is certain from now on?",
    ),
    "TransferChange": object_of(
        {},
        {
            "state": one_of("paused", "queued", "cancelled"),
            "priority": {"type": "integer", "minimum": -1000, "maximum": 1000},
            "before": maybe(text(64)),
        },
        about="`state` queued resumes what is paused and begins again what failed or was cancelled. `before` "
        "is the id of the one it is to stand in front of; null: to the end",
    ),
    "TransfersChange": object_of(
        {"state": one_of("paused", "queued", "cancelled")},
        {"of": several(_STATE, 7)},
        about="`of` says those in which states; without it paused ones are queued, and open ones paused or "
        "cancelled",
    ),
    "SettingsChange": {
        **by_key(ANY, 50),
        "description": "settings by key; null goes back to the default",
    },
    "TokenRequest": object_of({"token": text(2000)}, about="a hub's token; it never comes back"),
    "CheckpointRequest": object_of({"name": text(2000)}, about="a local name, a link or an id"),
}

# ── what goes out ──

_GIVEN: Final[Mapping[str, Schema]] = {
    "Fault": object_of(
        {"code": text(), "message": text(), "hint": text()},
        {"hub": text(), "details": maybe(by_key(ANY))},
        about="what went wrong, and what to do",
    ),
    "Error": object_of({"error": ref("Fault")}, about="the body of every status from 400 on"),
    "Root": object_of(
        {
            "id": text(),
            "folder": text(),
            "label": text(about="the last two parts of its path"),
            "default": FLAG,
            "writable": FLAG,
            "free": maybe(COUNT),
            "drive": maybe(text()),
        },
        about="a directory that serves a folder",
    ),
    "Drive": object_of(
        {"id": text(), "label": text(), "free": COUNT, "total": COUNT}, about="a file system with roots"
    ),
    "HubStatus": object_of(
        {
            "name": _HUB,
            "title": text(),
            "has_token": FLAG,
            "token_where": maybe(one_of("environment", "keyring", "file", "huggingface")),
            "state": one_of("unknown", "reachable", "unreachable"),
            "message": maybe(text()),
        },
        about="a hub, as it answered last",
    ),
    "Counts": object_of(_COUNTS, about="the queue; done, size and speed are of what has not ended"),
    "Status": object_of(
        {
            "schema": one_of("comfywatchman.status/1"),
            "version": text(),
            "offline": FLAG,
            "roots": several(ref("Root")),
            "drives": several(ref("Drive")),
            "hubs": several(ref("HubStatus")),
            "queue": ref("Counts"),
            "fetch_certain": maybe(FLAG),
            "features": _TEXTS,
        },
        about="`fetch_certain` null: the user was never asked",
    ),
    "LocalFile": object_of(
        {"folder": text(), "path": text(), "root": text(), "size": COUNT}, about="a file on this disk"
    ),
    "Resolution": object_of(
        {
            "state": one_of("present", "found", "ambiguous", "missing"),
            "evidence": maybe(_EVIDENCE),
            "placement": maybe(one_of("exact", "spelling", "renamed", "subfolder", "folder")),
            "file": maybe(ref("LocalFile")),
            "relink": maybe(text(about="what the widget must say; null when it is right")),
            "candidates": several(ref("Candidate")),
            "searched": _TEXTS,
        },
        about="what a reference means; placement folder: it lies where this node does not look",
    ),
    "Reference": object_of(
        {
            "key": text(),
            "node_id": text(),
            "node_type": text(),
            "input": text(),
            "folder": text(),
            "other_folders": _TEXTS,
            "name": text(),
            "active": FLAG,
            "url": maybe(text()),
            "digest": maybe(text()),
            "linked": _LINKED,
            "resolution": ref("Resolution"),
        },
        about="a place in a workflow that names a file",
    ),
    "UnknownNode": object_of(
        {"type": text(), "node_ids": _TEXTS}, about="a node that seems to name a model and is in no table"
    ),
    "Inspection": object_of(
        {
            "schema": one_of("comfywatchman.inspection/1"),
            "name": text(),
            "format": one_of("ui", "api"),
            "references": several(ref("Reference")),
            "unknown_nodes": several(ref("UnknownNode")),
            "missing": COUNT,
        },
        about="what a workflow needs, against this disk",
    ),
    "Candidate": object_of(
        {
            "index": COUNT,
            "hub": text(),
            "hub_title": text(about="empty where a host that is no hub gives the file"),
            "name": text(),
            "model_name": maybe(text()),
            "version_name": maybe(text()),
            "base_model": maybe(text()),
            "precision": maybe(text()),
            "format": text(),
            "size": maybe(COUNT),
            "uploader": maybe(text()),
            "licence": maybe(text()),
            "published_at": maybe(text()),
            "downloads": maybe(COUNT),
            "url": maybe(text(about="where its bytes are, at the hub itself")),
            "page": maybe(text()),
            "air": maybe(text()),
            "access": one_of("open", "login", "gated", "early", "withdrawn"),
            "evidence": _EVIDENCE,
            "digests": _TEXTS,
            "host": text(),
            "preview": maybe(text(about="the path of its picture, as long as the plan lives")),
            "trigger_words": _TEXTS,
            "consent": _CONSENT,
            "reason": text(),
            "transfer": {**FLAG, "description": "whether it may be fetched"},
        },
        about="a file on a hub that may be meant",
    ),
    "NodePlace": object_of(
        {"id": text(), "type": text(), "title": maybe(text()), "input": text()},
        about="where a workflow names it",
    ),
    "Target": object_of({"root": text(), "folder": text(), "path": text()}, about="where the file goes"),
    "Item": object_of(
        {
            "key": text(),
            "references": _TEXTS,
            "nodes": several(ref("NodePlace")),
            "name": text(),
            "folder": text(),
            "state": one_of(
                "present", "certain", "confirm", "choose", "locked", "refused", "missing", "asking"
            ),
            "consent": _CONSENT,
            "reason": text(),
            "relink": maybe(text()),
            "chosen": maybe(COUNT),
            "candidates": several(ref("Candidate")),
            "target": maybe(ref("Target")),
        },
        about="one model of a plan; `chosen` is the index of the candidate that is offered",
    ),
    "DriveNeed": object_of(
        {"id": text(), "label": text(), "needed": COUNT, "free": COUNT, "enough": FLAG},
        about="what the plan writes to a file system",
    ),
    "Plan": object_of(
        {
            "schema": one_of("comfywatchman.review/1"),
            "id": text(),
            "expires": NUMBER,
            "stage": _STAGE,
            "asking": _TEXTS,
            "faults": several(ref("Fault")),
            "items": several(ref("Item")),
            "size": COUNT,
            "drives": several(ref("DriveNeed")),
        },
        about="what would be fetched; `size` is of what is certain",
    ),
    "TransferReference": object_of(
        {"node_id": text(), "input": text(), "name": text(), "folder": text(), "linked": _LINKED},
        about="a widget that named it",
    ),
    "Transfer": object_of(
        {
            "id": text(),
            "name": text(),
            "folder": text(),
            "path": text(),
            "root": maybe(text()),
            "hub": text(),
            "page": maybe(text()),
            "state": _STATE,
            "priority": INTEGER,
            "position": COUNT,
            "done": COUNT,
            "size": maybe(COUNT),
            "speed": NUMBER,
            "eta": maybe(NUMBER),
            "note": text(),
            "verification": _VERIFICATION,
            "digests": _TEXTS,
            "error": maybe(ref("Fault")),
            "added": NUMBER,
            "changed": NUMBER,
            "relink": maybe(text()),
            "references": several(ref("TransferReference")),
        },
        about="one file on its way",
    ),
    "Transfers": object_of(
        {"transfers": several(ref("Transfer")), "paused": FLAG, "speed": NUMBER},
        about="the queue, in the order in which it is carried out",
    ),
    "Skipped": object_of(
        {"key": text(), "code": text(), "message": text(), "hint": text()},
        about="an item of which nothing was taken, and why",
    ),
    "Fetch": object_of(
        {"transfers": several(ref("Transfer")), "skipped": several(ref("Skipped"))},
        about="what is fetched now",
    ),
    "Setting": object_of(
        {
            "key": text(),
            "value": ANY,
            "default": ANY,
            "origin": one_of("default", "file", "environment"),
            "kind": text(),
            "choices": maybe(_TEXTS),
            "help": text(),
            "writable": FLAG,
        },
        about="one setting; of paths only the end is shown, and roots by their id",
    ),
    "Settings": object_of({"settings": several(ref("Setting"))}, about="all settings"),
    "Token": object_of(
        {"hub": _HUB, "has_token": FLAG, "where": maybe(text())},
        about="whether there is a token, and where",
    ),
    "Account": object_of({"hub": _HUB, "account": text()}, about="whose token it is"),
    "Checkpoint": object_of(
        {"schema": one_of("comfywatchman.checkpoint/1"), "name": maybe(text()), "revision": COUNT},
        about="the active checkpoint; `revision` grows with every change",
    ),
    "Preview": {"type": "string", "description": "a JPEG of at most 320 pixels on its longer side"},
    "Words": object_of(
        {"folder": text(), "name": text(), "trigger_words": several(text())},
        about="a local file's trigger words: the user's own, else its sidecars', else its header's",
    ),
    "OpenApi": {"type": "object", "description": "this document"},
}

SCHEMAS: Final[Mapping[str, Schema]] = {**_TAKEN, **_GIVEN}
