"""How many requests it costs to resolve fifty missing models that CivitAI knows by digest."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from comfywatchman.demo.shelf import Blob, ServedFile, ServedModel, ServedVersion, Shelf
from comfywatchman.demo.standin import serve
from comfywatchman.hubs.civitai import Civitai
from comfywatchman.hubs.known import Known
from comfywatchman.hubs.session import Session
from comfywatchman.library.roots import find_roots
from comfywatchman.resolution import Evidence, Found
from comfywatchman.watchman import Watchman

_MODELS = 50


def run() -> Iterator[dict[str, Any]]:
    """Requests for the whole workflow against one request a model; at most 5 in all."""
    blobs = [Blob.of(f"weights {n}".encode() * 100) for n in range(_MODELS)]
    with tempfile.TemporaryDirectory() as folder, serve(_shelf(blobs)) as standin, Session() as session:
        home = Path(folder)
        (home / "models").mkdir()
        (home / "workflow.json").write_text(json.dumps(_workflow(blobs)), encoding="utf-8")
        watchman = Watchman(
            roots=find_roots(models_dir=home / "models"),
            hubs=(Civitai(session, endpoint=standin.civitai_endpoint, token=lambda: None),),
            known=Known(home),
        )
        answer = watchman.resolve([home / "workflow.json"])
        found = [r for r in answer.resolutions if isinstance(r, Found) and r.evidence is Evidence.DIGEST]
        assert len(found) == _MODELS, answer
        requests = len(standin.requests)
    yield {
        "name": "resolve-50-by-digest",
        "ours": requests,
        "other": _MODELS,
        "limit": 5 / _MODELS,
        "ratio": requests / _MODELS,
        "unit": "requests",
        "n": 1,
    }


def _shelf(blobs: list[Blob]) -> Shelf:
    models = []
    for n, blob in enumerate(blobs, 1):
        file = ServedFile(id=3000 + n, name=f"another_name_{n}.safetensors", blob=blob)
        version = ServedVersion(id=2000 + n, files=(file,))
        models.append(ServedModel(id=1000 + n, name=f"Model {n}", type="LORA", versions=(version,)))
    return Shelf(models=models)


def _workflow(blobs: list[Blob]) -> dict[str, Any]:
    nodes = [
        {
            "id": n,
            "type": "LoraLoaderModelOnly",
            "mode": 0,
            "widgets_values": [f"lora_{n}.safetensors", 1.0],
            "properties": {"models": [_entry(n, blob)]},
        }
        for n, blob in enumerate(blobs, 1)
    ]
    return {"nodes": nodes, "links": [], "version": 0.4}


def _entry(n: int, blob: Blob) -> dict[str, str]:
    name = f"lora_{n}.safetensors"
    return {"name": name, "directory": "loras", "hash": blob.sha256, "hash_type": "SHA256"}
