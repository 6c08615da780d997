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
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlencode, urlsplit

from .errors import InvalidAir

CIVITAI_HOSTS: Final = frozenset(
    {"civitai.com", "www.civitai.com", "civitai.red", "www.civitai.red", "civitai.green", "www.civitai.green"}
)
HUGGINGFACE_HOSTS: Final = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
HOMES: Final = {"civitai": "civitai.com", "huggingface": "huggingface.co"}  # the host of a hub's own links

_SECRET: Final = re.compile(
    r"(?:amp;)?(?:access[_-]?|auth[_-]?|hf[_-]?)?token=|api[_-]?key=|key=", re.IGNORECASE
)
_MAX_ID: Final = 2**31 - 1  # CivitAI answers 400 above it
_AIR: Final = re.compile(
    r"(?:urn:)?air:(?P<ecosystem>[\w.-]+):(?P<type>[\w-]+):(?P<source>[\w-]+):"
    r"(?P<id>[\w./-]+?)(?:@(?P<version>[\w.-]+?))?(?:\+(?P<file>\d{1,10}))?(?:\.(?P<format>[a-z]\w*))?\Z",
    re.IGNORECASE | re.ASCII,
)
_REPO_PART: Final = re.compile(r"[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)
_NOT_OWNERS: Final = frozenset(  # first steps of huggingface.co that are no owner of a model
    {"api", "blog", "chat", "collections", "datasets", "docs", "join", "kernels", "learn", "login", "models"}
    | {"new", "organizations", "papers", "posts", "settings", "spaces", "tasks"}
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
    """A CivitAI model, a version, or one file of a version; the model or the version is known.

    Printed, it is the model's page where the model is known, else the address that downloads the version.
    """

    model_id: int | None = None
    version_id: int | None = None
    file_id: int | None = None

    def __post_init__(self) -> None:
        if self.model_id is None and self.version_id is None:
            raise InvalidAir("CivitAI: expected the id of a model or a version, got neither")

    def __str__(self) -> str:
        query = {"fileId": self.file_id}
        if self.model_id is None:
            address = f"https://civitai.com/api/download/models/{self.version_id}"
        else:
            address = f"https://civitai.com/models/{self.model_id}"
            query = {"modelVersionId": self.version_id, **query}
        chosen = urlencode({key: value for key, value in query.items() if value is not None})
        return f"{address}?{chosen}" if chosen else address

    @property
    def page(self) -> str:
        """The page for people; the site finds a version's model by itself."""
        return str(self) if self.model_id else f"https://civitai.com/model-versions/{self.version_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HuggingFaceLink:
    """A file of a Hugging Face repository, or with `path` None the repository itself.

    `repo` is owner/name; the oldest have no owner (gpt2). `revision` is a branch, tag or commit. A `path`
    that is a folder ends in `/`.

    Raises:
        InvalidAir: a part cannot stand in an address: not a repository's name, `..` in the path, no text.
    """

    repo: str
    revision: str = "main"
    path: str | None = None

    def __post_init__(self) -> None:
        parts = self.repo.split("/")
        if len(parts) > 2 or parts[0] in _NOT_OWNERS or not all(map(_REPO_PART.fullmatch, parts)):
            raise InvalidAir(f"Hugging Face: expected a repository owner/name, got {self.repo[:120]!r}")
        if not _is_address(self.revision.split("/")):
            raise InvalidAir(f"Hugging Face: expected a revision, got {self.revision[:120]!r}")
        if self.path is not None and not _is_address(self.path.removesuffix("/").split("/")):
            raise InvalidAir(f"Hugging Face: expected the path of a file, got {self.path[:120]!r}")

    def __str__(self) -> str:
        address, revision = f"https://huggingface.co/{self.repo}", quote(self.revision, safe="")
        if self.path is None:
            return address if self.revision == "main" else f"{address}/tree/{revision}"
        kind = "tree" if self.path.endswith("/") else "resolve"
        return f"{address}/{kind}/{revision}/{quote(self.path).rstrip('/')}"

    @property
    def page(self) -> str:
        """The repository's page for people."""
        return f"https://huggingface.co/{self.repo}"


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
    if parts.scheme not in ("http", "https") or "@" in parts.netloc:
        return None
    try:
        if host in CIVITAI_HOSTS:
            return _civitai_link(parts)
        if host in HUGGINGFACE_HOSTS:
            return _huggingface_link(parts)
    except InvalidAir:
        return None
    return None


def clean_url(text: str) -> str | None:
    """An address from outside fit to be kept and shown, or None when it is none that can be read.

    Tokens that people paste along in its query are left out: they are nobody's to pass on. One with a user
    name is none: it is fetched from nowhere, and has a password in it.

    >>> clean_url(" https://civitai.com/api/download/models/1?fileId=2&token=secret ")
    'https://civitai.com/api/download/models/1?fileId=2'
    >>> clean_url("https://[::1/m") is None
    True
    """
    try:
        parts = urlsplit(text.strip())
        _ = parts.port
    except ValueError:
        return None
    if "@" in parts.netloc:
        return None
    kept = [pair for pair in parts.query.split("&") if not _SECRET.match(pair)]
    return parts._replace(query="&".join(kept), fragment="").geturl() or None


def parse_thing(text: str) -> HubLink:
    """Read what a person types for a model: a link, an AIR, `929497`, `v:2247497`, `hf:owner/repo/file`.

    >>> parse_thing("v:2247497")
    CivitaiLink(model_id=None, version_id=2247497, file_id=None)

    Raises:
        InvalidAir: it is none of them.
    """
    text = text.strip()
    bare = text.partition("/")[0].lower() in CIVITAI_HOSTS | HUGGINGFACE_HOSTS  # as browsers show addresses
    link = _short_form(text) or parse_link(f"https://{text}" if bare else text)
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
        version_id = _id(air.version)
        if air.version is None or version_id is not None:
            return CivitaiLink(model_id=model_id, version_id=version_id, file_id=air.file)
    if air.source == "huggingface" and "/" in air.id:
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
        rest = rest.partition("?")[0]  # as pasted behind an address: ?download=true
        owner, _, rest = rest.lstrip("/").partition("/")
        name, _, path = rest.partition("/")
        name, _, revision = name.partition("@")
        return HuggingFaceLink(repo=f"{owner}/{name}", revision=revision or "main", path=path or None)
    return None


def _is_address(steps: list[str]) -> bool:
    """Whether steps of a path can be written into an address and read back: no `..`, no lone surrogates."""
    return all(
        step not in ("", ".", "..") and not any("\ud800" <= c <= "\udfff" for c in step) for step in steps
    )


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
        case ["api", "v1", *rest]:
            steps = rest
        case ["api", "download", "models", version, *_]:
            steps = ["model-versions", version]
    file_id = _id(query.get("fileid"))
    match steps:
        case ["model-versions", version] if version_id := _id(version):
            return CivitaiLink(version_id=version_id, file_id=file_id)
        case ["models", model, *_] if model_id := _id(model):
            return CivitaiLink(
                model_id=model_id, version_id=_id(query.get("modelversionid")), file_id=file_id
            )
    return None


def _huggingface_link(parts: SplitResult) -> HuggingFaceLink | None:
    steps = [unquote(step) for step in parts.path.split("/") if step]
    match steps:
        case [name, "resolve" | "blob" | "raw" | "tree" as kind, *rest]:  # the oldest repositories
            repo = name
        case [owner, name]:
            return HuggingFaceLink(repo=f"{owner}/{name}")
        case [owner, name, kind, *rest]:
            repo = f"{owner}/{name}"
        case _:
            return None
    match rest:
        case ["refs", "pr" | "convert" as group, which, *path]:  # pasted without the quoting of its slashes
            revision = f"refs/{group}/{which}"
        case [revision, *path]:
            pass
        case _:
            return None
    match kind:
        case "resolve" | "blob" | "raw" if path:
            return HuggingFaceLink(repo=repo, revision=revision, path="/".join(path))
        case "tree":
            folder = "/".join(path) + "/" if path else None
            return HuggingFaceLink(repo=repo, revision=revision, path=folder)
    return None
