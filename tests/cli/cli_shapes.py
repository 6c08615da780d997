"""The promised JSON documents as shapes, and a checker that names the place of a difference.

A shape is a type, a set of allowed values, a list of one shape, a dict of named shapes (fields may be
added to a document, never be missing), or a function that judges.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Shape = Any


def check(value: Any, shape: Shape, path: str = "$") -> None:
    """Fail where a value is not of a shape."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), f"{path}: expected an object, got {value!r}"
        for key, inner in shape.items():
            assert key in value, f"{path}.{key}: missing"
            check(value[key], inner, f"{path}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{path}: expected a list, got {value!r}"
        for at, item in enumerate(value):
            check(item, shape[0], f"{path}[{at}]")
    elif isinstance(shape, set):
        assert value in shape, f"{path}: expected one of {shape}, got {value!r}"
    elif isinstance(shape, type):
        assert type(value) is shape, f"{path}: expected {shape.__name__}, got {value!r}"
    else:
        assert shape(value), f"{path}: {value!r} is not as promised"


def maybe(shape: Shape) -> Callable[[Any], bool]:
    """The shape, or null for what is not known."""

    def judge(value: Any) -> bool:
        if value is not None:
            check(value, shape)
        return True

    return judge


def is_digest(value: Any) -> bool:
    return bool(re.fullmatch(r"(sha256|blake3):[0-9a-f]{64}|(crc32|autov[123]):[0-9a-f]{8,64}", value))


def is_canonical_folder(value: Any) -> bool:
    return isinstance(value, str) and value not in ("unet", "clip")


def is_slashed(value: Any) -> bool:
    return isinstance(value, str) and "\\" not in value


def is_seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and value >= 0


ERROR = {"code": lambda v: bool(re.fullmatch(r"[a-z]+(-[a-z]+)*", v)), "message": str, "hint": str}
PROBLEM = {**ERROR, "hub": str}
EVIDENCE = {"digest", "known", "url", "name", "similar-name"}
FILE = {
    "hub": str,
    "name": str,
    "url": str,
    "page": maybe(str),
    "size": maybe(int),
    "digests": [is_digest],
    "air": maybe(str),
    "folder": maybe(str),
    "access": {"open", "login", "gated", "early-access", "withdrawn"},
    "format": {"safetensors", "gguf", "pickle", "onnx", "archive", "other"},
    "base_model": maybe(str),
    "trigger_words": [str],
    "licence": maybe(str),
}
LOCAL = {
    "folder": str,
    "path": is_slashed,
    "root": str,
    "size": int,
    "digests": [is_digest],
    "origin": maybe(str),
}
FACTS = {
    "model_name": maybe(str),
    "version_name": maybe(str),
    "base_model": maybe(str),
    "author": maybe(str),
    "licence": maybe(str),
    "description": maybe(str),
    "trigger_words": [str],
    "own_words": [str],
    "common_tags": [str],
    "notes": maybe(str),
    "weight": maybe(float),
    "weight_min": maybe(float),
    "weight_max": maybe(float),
    "model_id": maybe(int),
    "version_id": maybe(int),
    "page": maybe(str),
    "digests": [is_digest],
}
REFERENCE = {
    "node_id": str,
    "node_type": str,
    "input": str,
    "folder": is_canonical_folder,
    "name": is_slashed,
    "active": bool,
    "url": maybe(str),
    "digest": maybe(is_digest),
}


def is_resolution(value: Any) -> bool:
    """Found has a remote file, present a local one, ambiguous candidates, missing what was searched."""
    check(value, {"state": {"present", "found", "ambiguous", "missing"}, "searched": [str]})
    state = value["state"]
    check(value["evidence"], EVIDENCE if state in ("present", "found") else {None})
    check(value["candidates"], [{**FILE, "evidence": EVIDENCE}])
    check(value["file"], {"present": LOCAL, "found": FILE}.get(state, {None}))
    return bool(value["candidates"]) == (state == "ambiguous")


WORKFLOW = {
    "path": str,
    "format": {"ui", "api", None},
    "error": maybe(ERROR),
    "references": [{**REFERENCE, "resolution": is_resolution}],
    "unknown_nodes": [{"type": str, "node_ids": [str]}],
}
TRANSFER = {
    "folder": is_canonical_folder,
    "path": is_slashed,
    "size": maybe(int),
    "url": str,
    "digests": [is_digest],
    "consent": {"automatic", "plan", "file", "refused"},
    "reason": str,
    "file": FILE,
    "references": [REFERENCE],
}
OPEN = {**REFERENCE, "state": {"ambiguous", "missing", "refused"}, "reason": str}
KEPT = {**REFERENCE, "file": LOCAL}
PLAN = {
    "schema": {"comfywatchman.plan/1"},
    "size": int,
    "transfers": [TRANSFER],
    "kept": [KEPT],
    "unresolved": [OPEN],
}
OUTCOME = {
    "folder": is_canonical_folder,
    "path": is_slashed,
    "size": maybe(int),
    "digests": [is_digest],
    "url": str,
    "state": {"verified", "failed", "cancelled", "skipped"},
    "verification": {"digest", "size", "structure", "none"},
    "seconds": is_seconds,
    "weak_publish": bool,
    "error": maybe(ERROR),
}
MODEL = {"hub": str, "id": str, "name": str, "page": str, "type": maybe(str), "versions": list}
SETTING = {"origin": {"default", "file", "environment"}}

DOCUMENTS: dict[str, Shape] = {
    "comfywatchman.inspect/1": {"workflows": [WORKFLOW]},
    "comfywatchman.resolve/1": {"workflows": [WORKFLOW], "plan": PLAN, "problems": [PROBLEM]},
    "comfywatchman.fetch/1": {
        "transfers": [OUTCOME],
        "kept": [KEPT],
        "unresolved": [OPEN],
        "withheld": [TRANSFER],
        "errors": [{**ERROR, "path": str}],
        "problems": [PROBLEM],
    },
    "comfywatchman.search/1": {"models": [MODEL], "problems": [PROBLEM]},
    "comfywatchman.describe/1": {
        "subject": str,
        "local": maybe(LOCAL),
        "content": maybe({"format": str, "exact": maybe(bool), "error": maybe(ERROR)}),
        "header": maybe(FACTS),
        "sidecars": [{**FACTS, "name": str, "dialect": str, "is_of_this_file": maybe(bool)}],
        "preview": maybe(str),
        "unread": [{"name": str, "reason": str}],
        "trigger_words": [str],
        "files": [FILE],
        "problems": [PROBLEM],
    },
    "comfywatchman.checkpoint/1": {"name": maybe(str), "revision": int},
    "comfywatchman.settings/1": {"settings": dict},
    "comfywatchman.token/1": {"hub": {"civitai", "huggingface"}, "has_token": bool},
    "comfywatchman.script/1": {"script": str},
    "comfywatchman.completion/1": {"shell": {"bash", "zsh", "fish"}, "script": str},
    "comfywatchman.demo/1": {
        "folder": maybe(str),
        "steps": [{"title": str, "command": [str], "status": int, "document": dict}],
        "models": [{"folder": str, "name": str, "ending": str, "told": str, "as_told": bool}],
    },
    "comfywatchman.error/1": {"error": ERROR},
}


def check_document(document: Any) -> str:
    """Check a whole document by the schema it names; gives that name without prefix and number."""
    schema = document["schema"]
    assert schema in DOCUMENTS, schema
    check(document, DOCUMENTS[schema])
    name: str = schema.removeprefix("comfywatchman.").removesuffix("/1")
    return name
