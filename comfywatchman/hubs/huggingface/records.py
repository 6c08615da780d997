"""Hugging Face's JSON as values: repositories and their weight files, pinned to a commit.

    info      {id, sha, author, gated, private, disabled, downloads, tags[], cardData{}, siblings[]}
    path      {type: file, path, size, oid, lfs{oid: sha256, size}}       paths-info, tree
    sibling   {rfilename, size, lfs{sha256, size}}                         info with blobs=true

https://huggingface.co/docs/hub/api; every field but the id may be missing or of another type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from ...catalog import (
    Access,
    Json,
    Model,
    RemoteFile,
    Version,
    base_name,
    canonical_folder,
    format_of,
    hub_title,
)
from ...decode import Value
from ...digest import Digest
from ...errors import InvalidDigest
from ..likeness import precision_of

HUB: Final = "huggingface"
TITLE: Final = hub_title(HUB)

# Repositories made for ComfyUI lay files out as ComfyUI does: split_files/vae/ae.safetensors.
_FOLDERS: Final = frozenset(
    {
        "checkpoints",
        "diffusion_models",
        "loras",
        "vae",
        "text_encoders",
        "clip_vision",
        "controlnet",
        "embeddings",
    }
    | {"upscale_models", "style_models", "gligen", "hypernetworks", "photomaker", "latent_upscale_models"}
    | {"audio_encoders", "model_patches", "unet", "clip"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repo:
    """A repository at one commit; `paths` are its weight files, as far as the answer lists them."""

    id: str
    commit: str | None
    access: Access = Access.OPEN
    uploader: str | None = None
    licence: str | None = None
    base_model: str | None = None
    downloads: int | None = None
    updated_at: str | None = None
    kind: str | None = None
    paths: tuple[str, ...] = ()


def repo_of(info: Value) -> Repo | None:
    """A repository from an info or a listing; None when the record has no id."""
    name = info["id"].text_or_none() or info["modelId"].text_or_none()
    if not name:
        return None
    return Repo(
        id=name,
        commit=_commit(info["sha"]),
        access=_access(info),
        uploader=info["author"].text_or_none() or (name.partition("/")[0] if "/" in name else None),
        licence=_licence(info),
        base_model=_base_model(info),
        downloads=_count(info["downloads"]),
        updated_at=info["lastModified"].text_or_none(),
        kind=info["pipeline_tag"].text_or_none(),
        paths=_weights(info),
    )


def file_of(repo: Repo, path: str, facts: Value, endpoint: str) -> RemoteFile:
    """One weight file; `facts` is its paths-info record, or null when the hub did not show one.

    The URL names the commit, so that what is fetched is what was described.
    """
    revision = quote(repo.commit or "main", safe="")
    return RemoteFile(
        hub=HUB,
        name=base_name(path),
        url=f"{endpoint}/{quote(repo.id)}/resolve/{revision}/{_quoted(path)}",
        page=f"{endpoint}/{quote(repo.id)}/blob/{revision}/{_quoted(path)}",
        id=f"{repo.id}/{path}",
        size=_count(facts["lfs"]["size"]) or _count(facts["size"]),
        digests=_digests(facts),
        access=repo.access,
        folder=_folder(path),
        model_name=repo.id,
        version_name=repo.commit,
        base_model=repo.base_model,
        precision=precision_of(base_name(path)),
        licence=repo.licence,
        uploader=repo.uploader,
        downloads=repo.downloads,
        published_at=repo.updated_at,
        revision=repo.commit,
    )


def model_of(repo: Repo, endpoint: str) -> Model:
    """A repository as a work with one version, its present commit."""
    files = tuple(file_of(repo, path, Value(None), endpoint) for path in repo.paths)
    version = Version(
        id=repo.commit or "main",
        name="main",
        base_model=repo.base_model,
        published_at=repo.updated_at,
        files=files,
    )
    return Model(
        hub=HUB,
        id=repo.id,
        name=repo.id,
        page=f"{endpoint}/{quote(repo.id)}",
        type=repo.kind,
        uploader=repo.uploader,
        licence=repo.licence,
        downloads=repo.downloads,
        access=repo.access,
        versions=(version,),
    )


def is_weights(path: str) -> bool:
    """Whether a path in a repository is a model's."""
    return format_of(path) not in ("other", "archive")


def trimmed(info: Value) -> Value:
    """An info or listing record with only what `repo_of` reads, for keeping."""
    keys = ("id", "modelId", "sha", "author", "gated", "private", "disabled", "downloads", "lastModified")
    kept = {key: info[key].json for key in (*keys, "pipeline_tag", "tags") if info[key].json is not None}
    card = {key: info["cardData"][key].json for key in ("license", "license_name", "base_model")}
    siblings: list[Json] = [{"rfilename": path} for path in _weights(info)]
    return Value({**kept, "cardData": card, "siblings": siblings})


def _weights(info: Value) -> tuple[str, ...]:
    siblings = info["siblings"]
    names = (
        [s["rfilename"].text_or_none() for s in siblings.items()] if isinstance(siblings.json, list) else []
    )
    return tuple(name for name in names if name and is_weights(name))


def _access(info: Value) -> Access:
    if info["disabled"].flag():
        return Access.WITHDRAWN
    if info["gated"].json:  # auto, manual or true
        return Access.GATED
    return Access.LOGIN if info["private"].flag() else Access.OPEN


def _licence(info: Value) -> str | None:
    """The licence's own name where the card gives one, else its short form, else the tag's."""
    card = info["cardData"]
    for given in (card["license_name"], card["license"], card["license"][0]):
        if text := given.text_or_none():
            return text
    return _tagged(info, "license:")


def _base_model(info: Value) -> str | None:
    given = info["cardData"]["base_model"]
    return given.text_or_none() or given[0].text_or_none() or _tagged(info, "base_model:")


def _tagged(info: Value, head: str) -> str | None:
    tags = info["tags"]
    texts = [tag.text_or_none() or "" for tag in tags.items()] if isinstance(tags.json, list) else []
    return next((text.removeprefix(head) for text in texts if text.startswith(head)), None)


def _digests(facts: Value) -> tuple[Digest, ...]:
    """The SHA-256 of a large file. A small one has only git's own SHA-1, which is none of its bytes alone."""
    text = facts["lfs"]["oid"].text_or_none() or facts["lfs"]["sha256"].text_or_none()
    try:
        return (Digest.sha256(text),) if text else ()
    except InvalidDigest:
        return ()


def _folder(path: str) -> str | None:
    parents = [part.lower() for part in path.split("/")[:-1]]
    return next((canonical_folder(part) for part in reversed(parents) if part in _FOLDERS), None)


def _commit(value: Value) -> str | None:
    text = value.text_or_none() or ""
    return text if len(text) == 40 and set(text) <= set("0123456789abcdef") else None


def _count(value: Value) -> int | None:
    count = value.integer_or_none()
    return count if count is not None and 0 <= count < 1 << 50 else None


def _quoted(path: str) -> str:
    return quote(path.encode("utf-8", "replace"))
