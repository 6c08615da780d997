"""The story `comfywatchman demo` tells: one workflow, nine models, every way to find one and to fail.

    acts = story.acts()
    with serve(story.shelf(acts), rate=story.RATE) as standin:
        stage = story.prepare(folder, acts, standin)      # stage.workflow, stage.models, stage.environment
        …  resolve and fetch stage.workflow into stage.models with stage.environment
        …  every act ends as `act.ending` says, `act.told` says why

The models are invented and so are their ids, far above any that CivitAI has given: outside of the
demonstration the workflow leads nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from ..catalog import Json
from ..resolution import Evidence
from . import models, pictures, scene
from .shelf import Blob, ServedFile, ServedImage, ServedModel, ServedVersion, Shelf, repo_of
from .standin import StandIn

RATE: Final = 4 << 20  # bytes a second: eight megabytes in about two seconds, so that one sees them come

_REPO: Final = "comfywatchman-demo/lighthouse"
_GATED_REPO: Final = "comfywatchman-demo/harbour-controlnet"
_INK_VERSION: Final = 2147480101
_FOAM_VERSION: Final = 2147480202


class Ending(StrEnum):
    """How an act ends for the person who runs it."""

    FETCHED = "fetched"
    PRESENT = "present"
    INACTIVE = "inactive"
    GATED = "gated"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One model of the workflow: where it is named, what it is, and how its story goes.

    `evidence` is what finds it on a hub; `metadata` is what its node says besides the name.
    """

    node_id: int
    folder: str
    name: str
    ending: Ending
    told: str
    evidence: Evidence | None = None
    blob: Blob | None = None
    metadata: Mapping[str, str] | None = None


def acts() -> tuple[Act, ...]:
    """The acts in the order they are told; their bytes are the same each time."""
    return (*_found(), *_not_fetched())


def _found() -> tuple[Act, ...]:
    """What is found on a hub with certainty, in every way there is."""
    checkpoint = Blob.of(models.checkpoint("lighthouse", width=256))
    ink = Blob.of(models.lora("ink", rank=32, trigger="ink wash"))
    return (
        Act(
            node_id=4,
            folder="checkpoints",
            name="lighthouse_v2.safetensors",
            ending=Ending.FETCHED,
            told="the workflow embeds a Hugging Face link and the SHA-256",
            evidence=Evidence.DIGEST,
            blob=checkpoint,
            metadata={"url": _address(_REPO, "lighthouse_v2.safetensors"), **_sha256(checkpoint)},
        ),
        Act(
            node_id=10,
            folder="vae",
            name="lighthouse_vae.safetensors",
            ending=Ending.FETCHED,
            told="your table of known models has the name",
            evidence=Evidence.KNOWN,
            blob=Blob.of(models.vae("lamp", channels=192)),
        ),
        Act(
            node_id=11,
            folder="text_encoders",
            name="beacon-t5-encoder-Q8_0.gguf",
            ending=Ending.FETCHED,
            told="the workflow embeds a Hugging Face link; the hub's record has the SHA-256",
            evidence=Evidence.URL,
            blob=Blob.of(models.text_encoder("beacon")),
            metadata={"url": _address(_REPO, "text_encoders/beacon-t5-encoder-Q8_0.gguf")},
        ),
        Act(
            node_id=12,
            folder="loras",
            name="style/ink_wash.safetensors",
            ending=Ending.FETCHED,
            told="CivitAI knows the SHA-256, though under another name",
            evidence=Evidence.DIGEST,
            blob=ink,
            metadata=_sha256(ink),
        ),
        Act(
            node_id=13,
            folder="loras",
            name="sea_foam.safetensors",
            ending=Ending.FETCHED,
            told="the workflow embeds a link to a CivitAI version",
            evidence=Evidence.URL,
            blob=Blob.of(models.lora("foam", trigger="sea foam")),
            metadata={"url": f"https://civitai.com/api/download/models/{_FOAM_VERSION}"},
        ),
    )


def _not_fetched() -> tuple[Act, ...]:
    """What is here already, may not or need not be fetched, or is nowhere."""
    return (
        Act(
            node_id=14,
            folder="loras",
            name="harbour_fog_final2.safetensors",
            ending=Ending.MISSING,
            told="no hub knows the name: ask whoever made the workflow",
        ),
        Act(
            node_id=20,
            folder="loras",
            name="night_watch.safetensors",
            ending=Ending.INACTIVE,
            told="its node is bypassed, so nothing is fetched",
        ),
        Act(
            node_id=15,
            folder="controlnet",
            name="harbour_depth.safetensors",
            ending=Ending.GATED,
            told="its owner must grant you access first",
            evidence=Evidence.URL,
            blob=Blob.of(models.controlnet("depth")),
            metadata={"url": _address(_GATED_REPO, "harbour_depth.safetensors")},
        ),
        Act(
            node_id=18,
            folder="upscale_models",
            name="4x_spyglass.safetensors",
            ending=Ending.PRESENT,
            told="it is on this disk already",
            blob=Blob.of(models.upscaler("spyglass")),
        ),
    )


def shelf(story: Sequence[Act]) -> Shelf:
    """The hubs as the story needs them."""
    blobs = {act.node_id: act.blob for act in story if act.blob is not None}
    repo = repo_of(
        _REPO,
        {
            "README.md": b"---\nlicense: apache-2.0\n---\n# Lighthouse\n",
            "lighthouse_v2.safetensors": blobs[4].data,
            "vae/lighthouse_vae.safetensors": blobs[10].data,
            "text_encoders/beacon-t5-encoder-Q8_0.gguf": blobs[11].data,
        },
    )
    gated = repo_of(_GATED_REPO, {"harbour_depth.safetensors": blobs[15].data}, gated="manual")
    return Shelf(
        models=[
            _lora("Ink Wash", _INK_VERSION, "Ink Wash v3.safetensors", blobs[12]),
            _lora("Sea Foam", _FOAM_VERSION, "sea_foam.safetensors", blobs[13]),
        ],
        repos=[repo, gated],
    )


def known_models(story: Sequence[Act]) -> dict[str, Json]:
    """The user's own table in the story: one line for the VAE."""
    return {
        "schema": "comfywatchman.known-models/1",
        "source": "the demonstration",
        "models": [
            {
                "folder": act.folder,
                "name": act.name,
                "url": _address(_REPO, f"vae/{act.name}"),
                "size": len(act.blob.data),
                "digests": [f"sha256:{act.blob.sha256}"],
            }
            for act in story
            if act.evidence is Evidence.KNOWN and act.blob is not None
        ],
    }


def workflow(story: Sequence[Act]) -> dict[str, Json]:
    """The workflow that names every act's model, as the editor saves it."""
    return scene.saved_graph(
        names={act.node_id: act.name for act in story},
        metadata={
            act.node_id: {"name": act.name.rpartition("/")[2], "directory": act.folder, **act.metadata}
            for act in story
            if act.metadata is not None
        },
        bypassed={act.node_id for act in story if act.ending is Ending.INACTIVE},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where the story plays: the workflow, an almost empty models folder, the data folder, the variables."""

    workflow: Path
    models: Path
    home: Path
    environment: Mapping[str, str]


def prepare(folder: Path, story: Sequence[Act], standin: StandIn) -> Stage:
    """Lay out the stage below a folder: what is there already is kept, the story's own files are written."""
    stage = Stage(
        workflow=folder / "lighthouse.json",
        models=folder / "models",
        home=folder / "data",
        environment={"COMFYWATCHMAN_HOME": str(folder / "data"), **standin.environment},
    )
    stage.home.mkdir(parents=True, exist_ok=True)
    for act in story:
        (stage.models / act.folder).mkdir(parents=True, exist_ok=True)
        if act.ending is Ending.PRESENT and act.blob is not None:
            (stage.models / act.folder / act.name).write_bytes(act.blob.data)
    _write_json(stage.workflow, workflow(story))
    _write_json(stage.home / "known-models.json", known_models(story))
    return stage


def _write_json(path: Path, value: Json) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _address(repo: str, path: str) -> str:
    return f"https://huggingface.co/{repo}/resolve/main/{path}"


def _sha256(blob: Blob) -> dict[str, str]:
    return {"hash": blob.sha256, "hash_type": "SHA256"}


def _lora(name: str, version_id: int, file_name: str, blob: Blob) -> ServedModel:
    file = ServedFile(id=version_id - 1000, name=file_name, blob=blob)
    version = ServedVersion(
        id=version_id,
        base_model="SD 3.5",
        files=(file,),
        trained_words=(name.lower(),),
        images=(ServedImage(id=version_id - 2000, data=pictures.seascape(name)),),
    )
    return ServedModel(id=version_id - 100, name=name, type="LORA", versions=(version,))
