"""Both hubs' APIs over small tables, in the shapes of recorded answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from typing import Any
from urllib.parse import parse_qs

from hubs.hubserver import Asked, Said, says

TOKEN = "secret0123456789abcdefghijklmnop"


def sha(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def file(file_id: int, name: str, **changes: Any) -> dict[str, Any]:
    """A CivitAI file object of 2026; its SHA-256 is that of its id."""
    digest = sha(str(file_id)).upper()
    record = {
        "id": file_id,
        "sizeKB": 223231.3515625,
        "name": name,
        "overrideName": None,
        "type": "Model",
        "pickleScanResult": "Success",
        "virusScanResult": "Success",
        "metadata": {"format": "SafeTensor", "fp": "fp16", "size": "full"},
        "hashes": {"AutoV2": digest[:10], "SHA256": digest, "AutoV3": sha(f"weights {file_id}")[:12].upper()},
        "downloadUrl": "https://undefined/api/download/models/1",
    }
    return record | changes


def model(model_id: int, name: str, *files: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A CivitAI model of 2026 with one version, whose id is the model's plus 100,000."""
    version = {
        "id": model_id + 100_000,
        "index": 0,
        "name": "v1.0",
        "baseModel": "SDXL 1.0",
        "status": "Published",
        "publishedAt": "2026-08-09T15:12:32.918Z",
        "availability": "Public",
        "trainedWords": [" ink style, ", "<lora:ink:1>", ""],
        "paidAccess": None,
        "stats": {"downloadCount": 100 + model_id, "thumbsUpCount": 1},
        "files": list(files),
        "images": [{"url": "https://image.civitai.com/x.jpeg", "nsfwLevel": 4}],
    }
    record = {
        "id": model_id,
        "name": name,
        "description": "<p>An <b>ink</b> style.</p><p>Two lines</p>",
        "allowNoCredit": True,
        "allowCommercialUse": ["Image", "RentCivit"],
        "allowDerivatives": True,
        "allowDifferentLicense": False,
        "type": "LORA",
        "nsfw": False,
        "stats": {"downloadCount": 16},
        "creator": {"username": "somebody"},
        "modelVersions": [version | changes.pop("version", {})],
    }
    return record | changes


@dataclass
class CivitaiApp:
    """CivitAI's API over some models; `hidden` ones are shown by id and digest, never in listings."""

    models: list[dict[str, Any]]
    hidden: set[int] = field(default_factory=set)

    def __call__(self, asked: Asked) -> Said:  # noqa: PLR0911 (a way each)
        path = asked.path.removeprefix("/api/v1/")
        head, _, rest = path.partition("/")
        if path == "models":
            return says({"items": self._listing(asked), "metadata": {}})
        if head == "models":
            return self._one(m for m in self.models if str(m["id"]) == rest)
        if path == "model-versions/by-hash/ids":
            return says([row for digest in json.loads(asked.body) for row in self._ids(digest)])
        if path == "model-versions/by-hash":
            wanted = json.loads(asked.body)
            return says([None, *[v for d in wanted for v in self._by_hash(d)]])
        if path.startswith("model-versions/by-hash/"):
            return self._one(iter(self._by_hash(rest.removeprefix("by-hash/"))))
        if head == "model-versions":
            return self._one(v for v in self._versions() if str(v["id"]) == rest)
        if path == "me" and asked.headers.get("authorization") == f"Bearer {TOKEN}":
            return says({"id": 1, "username": "reader"})
        return says({"error": "Unauthorized"}, 401)

    def _one(self, found: Any) -> Said:
        record = next(found, None)
        return says(record) if record else says({"error": "Model not found"}, 404)

    def _listing(self, asked: Asked) -> list[dict[str, Any]]:
        shown = [m for m in self.models if m["id"] not in self.hidden]
        if ids := asked.value("ids"):
            return [m for m in shown if str(m["id"]) in ids.split(",")]
        words = asked.value("query").lower().split()
        return [m for m in shown if any(word in m["name"].lower() for word in words) or not words]

    def _versions(self) -> list[dict[str, Any]]:
        """Versions as they come by themselves, with a few facts on their model inside."""
        return [
            {**v, "modelId": m["id"], "model": {k: m.get(k) for k in ("name", "type", "nsfw", "mode")}}
            for m in self.models
            for v in m["modelVersions"]
        ]

    def _by_hash(self, digest: str) -> list[dict[str, Any]]:
        return [
            v for v in self._versions() if any(digest.upper() in f["hashes"].values() for f in v["files"])
        ]

    def _ids(self, digest: str) -> list[dict[str, Any]]:
        found = self._by_hash(digest)
        return [{"modelVersionId": v["id"], "modelId": v["modelId"], "hash": digest} for v in found]


def repo(name: str, *paths: str, **changes: Any) -> dict[str, Any]:
    """A repository as `info` gives it; a file's SHA-256 is that of its path, unless `same` gives another."""
    return {
        "_id": "0" * 24,
        "id": name,
        "author": name.partition("/")[0],
        "sha": sha1(name.encode()).hexdigest(),
        "lastModified": "2026-07-01T10:00:00.000Z",
        "private": False,
        "disabled": False,
        "gated": False,
        "downloads": 1000,
        "tags": ["diffusers", "license:apache-2.0", "base_model:black-forest-labs/FLUX.1-dev"],
        "pipeline_tag": "text-to-image",
        "cardData": {"license": "apache-2.0"},
        "siblings": [{"rfilename": ".gitattributes"}, *({"rfilename": path} for path in paths)],
    } | changes


@dataclass
class HuggingFaceApp:
    """Hugging Face's API over some repositories. `same` gives paths other bytes than their own."""

    repos: list[dict[str, Any]]
    same: dict[str, str] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    page: int = 100

    def __call__(self, asked: Asked) -> Said:  # noqa: PLR0911 (a way each)
        if asked.path == "/api/whoami-v2":
            return self._whoami(asked)
        if asked.path == "/api/models":
            return self._listing(asked)
        owner, name, kind, revision = f"{asked.path.removeprefix('/api/models/')}///".split("/", 3)
        revision = revision.rstrip("/")
        record = next((r for r in self.repos if r["id"] == f"{owner}/{name}"), None)
        if record is None:
            return says({"error": "Invalid username or password."}, 401, X_Error_Code="RepoNotFound")
        if revision not in ("main", record["sha"]):
            return says({"error": "Invalid rev id"}, 404, X_Error_Code="RevisionNotFound")
        if kind == "revision":
            return says(record)
        if record["id"] in self.closed:
            return says({"error": "Access is restricted"}, 401, X_Error_Code="GatedRepo")
        wanted = parse_qs(asked.body.decode())["paths"]
        return says([self._path(s["rfilename"]) for s in record["siblings"] if s["rfilename"] in wanted])

    def _whoami(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") == f"Bearer {TOKEN}":
            return says({"type": "user", "name": "reader"})
        message = "Invalid credentials in Authorization header"
        return says({"error": message}, 401, X_Error_Message=message)

    def _listing(self, asked: Asked) -> Said:
        words = asked.value("search").lower().split()
        found = [
            r
            for r in self.repos
            if asked.value("author") in ("", r["author"]) and all(w in r["id"].lower() for w in words)
        ]
        start = int(asked.value("cursor") or 0)
        some = found[start : start + self.page]
        if start + self.page >= len(found):
            return says(some)
        following = f"http://{asked.headers['host']}/api/models?author={asked.value('author')}"
        return says(some, Link=f'<{following}&cursor={start + self.page}>; rel="next"')

    def _path(self, path: str) -> dict[str, Any]:
        size = 4_000_000_000
        lfs = {"oid": sha(self.same.get(path, path)), "size": size, "pointerSize": 135}
        return {"type": "file", "path": path, "size": size, "oid": "0" * 40, "lfs": lfs}
