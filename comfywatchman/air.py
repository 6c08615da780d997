"""How people point at a model: AIR urns, hub pages, ids.

    urn:air:sdxl:lora:civitai:328553@368189+4211.safetensors
    https://civitai.com/models/328553/some-name?modelVersionId=368189
    https://huggingface.co/Comfy-Org/flux1-dev/resolve/main/flux1-dev-fp8.safetensors
    929497      v:2247497      hf:owner/repo/path/file.safetensors

All of them become one of two values: a `CivitaiLink` or a `HuggingFaceLink`.
AIR grammar: https://developer.civitai.com (air.md); CivitAI's parser is lenient about `urn:` and case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, assert_never
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

from .errors import InvalidAir

CIVITAI_HOSTS: Final = frozenset(
    {"civitai.com", "www.civitai.com", "civitai.red", "www.civitai.red", "civitai.green", "www.civitai.green"}
)
HUGGINGFACE_HOSTS: Final = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})

_MAX_ID: Final = 2**31 - 1  # CivitAI answers 400 above it
_AIR: Final = re.compile(
    r"(?:urn:)?air:(?P<ecosystem>[\w.-]+):(?P<type>[\w-]+):(?P<source>[\w-]+):"
    r"(?P<id>[^@+\s]+?)(?:@(?P<version>[\w-]+))?(?:\+(?P<file>\d+))?(?:\.(?P<format>[a-z]\w*))?\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Air:
    """An AIR, the field's name for one release of a model.

    `id` is the model, `version` the release, `file` CivitAI's file id; the last two may be unknown.
    """

    ecosystem: str
    type: str
    source: str
    id: str
    version: str | None = None
    file: int | None = None
    format: str | None = None

    def __str__(self) -> str:
        version = f"@{self.version}" if self.version is not None else ""
        file = f"+{self.file}" if self.file is not None else ""
        suffix = f".{self.format}" if self.format is not None else ""
        return f"urn:air:{self.ecosystem}:{self.type}:{self.source}:{self.id}{version}{file}{suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CivitaiLink:
    """A CivitAI model, a version, or one file of a version; at least one id is known."""

    model_id: int | None = None
    version_id: int | None = None
    file_id: int | None = None

    def __str__(self) -> str:
        if self.version_id is None:
            return f"https://civitai.com/models/{self.model_id}"
        if self.file_id is not None or self.model_id is None:
            query = f"?fileId={self.file_id}" if self.file_id is not None else ""
            return f"https://civitai.com/api/download/models/{self.version_id}{query}"
        return f"https://civitai.com/models/{self.model_id}?modelVersionId={self.version_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFaceLink:
    """A file of a Hugging Face repository, or with `path` None the repository itself.

    `revision` is a branch, tag or commit. A `path` that is a folder ends in `/`.
    """

    repo: str
    revision: str = "main"
    path: str | None = None

    def __str__(self) -> str:
        if self.path is None:
            return f"https://huggingface.co/{self.repo}"
        kind = "tree" if self.path.endswith("/") else "resolve"
        revision = quote(self.revision, safe="")
        return f"https://huggingface.co/{self.repo}/{kind}/{revision}/{quote(self.path).rstrip('/')}"


HubLink = CivitaiLink | HuggingFaceLink


def parse_air(text: str) -> Air:
    """Read an AIR urn.

    >>> str(parse_air("AIR:sdxl:LORA:civitai:328553@368189"))
    'urn:air:sdxl:lora:civitai:328553@368189'

    Raises:
        InvalidAir: the text does not follow the grammar.
    """
    found = _AIR.match(text.strip())
    if found is None:
        raise InvalidAir(f"AIR: expected urn:air:ecosystem:type:source:id@version, got {text[:120]!r}")
    return Air(
        ecosystem=found["ecosystem"].lower(),
        type=found["type"].lower(),
        source=found["source"].lower(),
        id=found["id"],
        version=found["version"],
        file=int(found["file"]) if found["file"] else None,
        format=found["format"].lower() if found["format"] else None,
    )


def parse_link(url: str) -> HubLink | None:
    """The hub thing a web address points at, or None when the address is no hub's.

    Accepts everything people paste: model pages, API and download addresses of CivitAI under all its
    names; resolve, blob, raw and tree addresses of Hugging Face.

    >>> parse_link("https://huggingface.co/a/b/blob/main/x/y%20z.safetensors")
    HuggingFaceLink(repo='a/b', revision='main', path='x/y z.safetensors')
    """
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    if parts.scheme not in ("http", "https"):
        return None
    if host in CIVITAI_HOSTS:
        return _civitai_link(parts)
    if host in HUGGINGFACE_HOSTS:
        return _huggingface_link(parts)
    return None


def parse_thing(text: str) -> HubLink:
    """Read what a person types for a model: a link, an AIR, `929497`, `v:2247497`, `hf:owner/repo/file`.

    >>> parse_thing("v:2247497")
    CivitaiLink(model_id=None, version_id=2247497, file_id=None)

    Raises:
        InvalidAir: it is none of them.
    """
    text = text.strip()
    link = _short_form(text) or parse_link(text)
    if link is not None:
        return link
    if re.match(r"(urn:)?air:", text, re.IGNORECASE):
        return link_of_air(parse_air(text))
    raise InvalidAir(f"no model is meant by {text[:120]!r}")


def link_of_air(air: Air) -> HubLink:
    """What an AIR points at.

    Raises:
        InvalidAir: its source is no hub known here, or its ids are none of that hub.
    """
    if air.source == "civitai" and (model_id := _id(air.id)) is not None:
        return CivitaiLink(model_id=model_id, version_id=_id(air.version), file_id=air.file)
    if air.source == "huggingface" and air.id.count("/") >= 1:
        owner, name, *path = air.id.split("/")
        return HuggingFaceLink(
            repo=f"{owner}/{name}", revision=air.version or "main", path="/".join(path) or None
        )
    raise InvalidAir(
        f"AIR: cannot look up {str(air)[:120]!r}", hint="Sources known here: civitai, huggingface."
    )


def hub_of(link: HubLink) -> str:
    """The hub's name: `civitai` or `huggingface`."""
    match link:
        case CivitaiLink():
            return "civitai"
        case HuggingFaceLink():
            return "huggingface"
        case _:
            assert_never(link)


def _short_form(text: str) -> HubLink | None:
    if (model_id := _id(text)) is not None:
        return CivitaiLink(model_id=model_id)
    head, colon, rest = text.partition(":")
    if colon and head.lower() == "v" and (version_id := _id(rest)) is not None:
        return CivitaiLink(version_id=version_id)
    if colon and head.lower() == "hf":
        owner, _, name = rest.strip("/").partition("/")
        name, _, path = name.partition("/")
        if owner and name:
            name, _, revision = name.partition("@")
            return HuggingFaceLink(repo=f"{owner}/{name}", revision=revision or "main", path=path or None)
    return None


def _id(text: str | None) -> int | None:
    """A CivitAI id: 1 to 2147483647 in ASCII digits."""
    if text is None or not re.fullmatch(r"[0-9]{1,10}", text):
        return None
    value = int(text)
    return value if 0 < value <= _MAX_ID else None


def _civitai_link(parts: SplitResult) -> CivitaiLink | None:
    steps = [step for step in parts.path.split("/") if step]
    query = {key.lower(): values[0] for key, values in parse_qs(parts.query).items()}
    match steps:
        case (
            ["api", "download", "models", version, *_]
            | ["api", "v1", "model-versions", version]
            | [
                "model-versions",
                version,
            ]
        ) if version_id := _id(version):
            return CivitaiLink(version_id=version_id, file_id=_id(query.get("fileid")))
        case ["models", model, *_] | ["api", "v1", "models", model] if model_id := _id(model):
            return CivitaiLink(model_id=model_id, version_id=_id(query.get("modelversionid")))
    return None


def _huggingface_link(parts: SplitResult) -> HuggingFaceLink | None:
    steps = [unquote(step) for step in parts.path.split("/") if step]
    match steps:
        case ["api" | "datasets" | "spaces" | "docs" | "papers" | "collections", *_]:
            return None
        case [owner, name, "resolve" | "blob" | "raw", revision, *path] if path:
            return HuggingFaceLink(repo=f"{owner}/{name}", revision=revision, path="/".join(path))
        case [owner, name, "tree", revision, *path]:
            folder = "/".join(path) + "/" if path else None
            return HuggingFaceLink(repo=f"{owner}/{name}", revision=revision, path=folder)
        case [owner, name]:
            return HuggingFaceLink(repo=f"{owner}/{name}")
    return None
