"""What hubs publish and what lies on this disk, as values.

RemoteFile   one weight file on a hub, with all that tells it from its siblings
LocalFile    one model file under a root
Version      one release of a model;  Model  a work with its releases
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal
from urllib.parse import urlsplit

from .air import Air
from .digest import Digest

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

# ComfyUI's own aliases (folder_paths.map_legacy), and folders that GGUF loaders register over the same
# directories.
_CANONICAL: Final = {
    "unet": "diffusion_models",
    "clip": "text_encoders",
    "unet_gguf": "diffusion_models",
    "clip_gguf": "text_encoders",
    "t2i_adapter": "controlnet",
}

Format = Literal["safetensors", "gguf", "pickle", "onnx", "archive", "other"]

_FORMATS: Final[dict[str, Format]] = {
    ".safetensors": "safetensors",
    ".sft": "safetensors",
    ".gguf": "gguf",
    ".ckpt": "pickle",
    ".pt": "pickle",
    ".pt2": "pickle",
    ".pth": "pickle",
    ".bin": "pickle",
    ".pkl": "pickle",
    ".onnx": "onnx",
    ".zip": "archive",
    ".7z": "archive",
    ".rar": "archive",
    ".tar": "archive",
    ".gz": "archive",
}

# Names that thousands of repositories share: they say what kind of file it is, not which.
_GENERIC: Final = re.compile(
    r"(?:(?:diffusion_|open_clip_)?(?:pytorch|flax|tf)_(?:model|lora_weights)|(?:adapter_|diffusion_|sd3?_)?model"
    r"|consolidated|weights|checkpoint|ckpt|last|best|final|lora|unet|vae|transformer|controlnet|ip[-_]adapter"
    r"|(?:text_|image_)?encoder|decoder)"
    r"(?:[._-](?:fp32|fp16|bf16|fp8(?:_e4m3fn)?|ema|non_ema|\d{5}-of-\d{5}))*(?:\.\w+)?",
    re.IGNORECASE,
)


class Access(StrEnum):
    """What a hub asks for before it gives a file."""

    OPEN = "open"
    LOGIN = "login"
    GATED = "gated"
    EARLY = "early-access"
    WITHDRAWN = "withdrawn"


class Scan(StrEnum):
    """What the hub's own scanners said; a hint, never a licence (scanners have been bypassed)."""

    PASSED = "passed"
    FAILED = "failed"
    PENDING = "pending"


class Verification(StrEnum):
    """What a fetched file was checked against."""

    DIGEST = "digest"  # equals the digest the hub publishes
    SIZE = "size"  # size equals the hub's record and the structure fits the file exactly
    STRUCTURE = "structure"  # the structure fits the file exactly
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """An image on a hub that shows what a model makes. `level`: 1 is for everybody, then 2, 4, 8, 16."""

    url: str
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """One weight file on a hub.

    `hub` is civitai, huggingface or web; `url` answers with the bytes; `page` is for people; `size` is
    in bytes. `id` is the hub's own file id. `folder` is where ComfyUI wants it, where the hub tells.
    `preview` is for people to look at: no document has it, and files that differ only in it are equal.
    None means not known.
    """

    hub: str
    name: str
    url: str
    page: str | None = None
    id: str | None = None
    size: int | None = None
    digests: tuple[Digest, ...] = ()
    air: Air | None = None
    access: Access = Access.OPEN
    folder: str | None = None
    scan: Scan | None = None
    model_name: str | None = None
    version_name: str | None = None
    base_model: str | None = None
    precision: str | None = None
    trigger_words: tuple[str, ...] = ()
    licence: str | None = None
    uploader: str | None = None
    downloads: int | None = None
    published_at: str | None = None  # ISO 8601
    revision: str | None = None  # the commit, on Hugging Face
    preview: Preview | None = field(default=None, compare=False)

    @property
    def format(self) -> Format:
        """The file format by the name's extension, in any case."""
        return format_of(self.name)

    @property
    def giver(self) -> str:
        """Who gives it, for people: its hub, or the host of an address that is no hub's.

        >>> RemoteFile(hub="web", name="m", url="https://example.org/m").giver
        'example.org'
        """
        return (urlsplit(self.url).hostname or self.hub) if self.hub == "web" else hub_title(self.hub)

    def digest(self, algorithm: str) -> Digest | None:
        """The published digest of that algorithm."""
        return next((d for d in self.digests if d.algorithm == algorithm), None)

    def to_dict(self) -> dict[str, Json]:
        """The FILE object of the JSON documents."""
        return {
            "hub": self.hub,
            "name": self.name,
            "url": self.url,
            "page": self.page,
            "size": self.size,
            "digests": [str(d) for d in self.digests],
            "air": str(self.air) if self.air else None,
            "folder": self.folder,
            "access": self.access.value,
            "format": self.format,
            "base_model": self.base_model,
            "trigger_words": list(self.trigger_words),
            "licence": self.licence,
            "model_name": self.model_name,
            "version_name": self.version_name,
            "precision": self.precision,
            "uploader": self.uploader,
            "downloads": self.downloads,
            "published_at": self.published_at,
            "revision": self.revision,
            "scan": self.scan.value if self.scan else None,
            "id": self.id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """One model file under a root. `path` is below `root`, with `/`; `root` as the system writes it."""

    folder: str
    path: str
    root: str
    size: int
    mtime_ns: int
    digests: tuple[Digest, ...] = ()
    origin: str | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return base_name(self.path)

    def to_dict(self) -> dict[str, Json]:
        """The local form of the FILE object."""
        return {
            "folder": self.folder,
            "path": self.path,
            "root": self.root,
            "size": self.size,
            "mtime_ns": self.mtime_ns,
            "digests": [str(d) for d in self.digests],
            "origin": self.origin,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One release of a model with its weight files."""

    id: str
    name: str
    base_model: str | None = None
    published_at: str | None = None
    trigger_words: tuple[str, ...] = ()
    files: tuple[RemoteFile, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """The version in JSON."""
        return {
            "id": self.id,
            "name": self.name,
            "base_model": self.base_model,
            "published_at": self.published_at,
            "trigger_words": list(self.trigger_words),
            "files": [file.to_dict() for file in self.files],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A published work. `type` is in the hub's own words (LORA, Checkpoint, text-to-image)."""

    hub: str
    id: str
    name: str
    page: str
    type: str | None = None
    uploader: str | None = None
    licence: str | None = None
    downloads: int | None = None
    nsfw: bool = False
    description: str | None = None  # plain text
    access: Access = Access.OPEN
    versions: tuple[Version, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """The model in JSON."""
        return {
            "hub": self.hub,
            "id": self.id,
            "name": self.name,
            "page": self.page,
            "type": self.type,
            "uploader": self.uploader,
            "licence": self.licence,
            "downloads": self.downloads,
            "nsfw": self.nsfw,
            "description": self.description,
            "access": self.access.value,
            "versions": [version.to_dict() for version in self.versions],
        }


def canonical_folder(folder: str) -> str:
    """ComfyUI's present name of a folder.

    >>> canonical_folder("unet"), canonical_folder("loras")
    ('diffusion_models', 'loras')
    """
    return _CANONICAL.get(folder, folder)


def hub_title(name: str) -> str:
    """A hub's name as it writes itself.

    >>> hub_title("huggingface")
    'Hugging Face'
    """
    return {"civitai": "CivitAI", "huggingface": "Hugging Face"}.get(name, name)


def page_of(file: RemoteFile) -> str | None:
    """The page where a person can ask for a file; on Hugging Face that is the repository's.

    >>> page_of(RemoteFile(hub="huggingface", name="m", url="", page="https://huggingface.co/a/b/blob/1/m"))
    'https://huggingface.co/a/b'
    """
    if file.page is None or file.hub != "huggingface":
        return file.page
    return file.page.partition("/blob/")[0]


def base_name(path: str) -> str:
    r"""The last part of a name with `/` or `\`.

    >>> base_name("sdxl\\style/ink.safetensors")
    'ink.safetensors'
    """
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def extension(name: str) -> str:
    """The extension in lower case with its dot, or an empty string.

    >>> extension("Flux1-dev-Q4_K_M.GGUF"), extension("v1.5"), extension("easynegative")
    ('.gguf', '.5', '')
    """
    dot = base_name(name).rfind(".")
    return base_name(name)[dot:].lower() if dot > 0 else ""


def is_generic(name: str) -> bool:
    """Whether a base name tells nothing about which model it is.

    >>> is_generic("diffusion_pytorch_model.fp16.safetensors"), is_generic("ae.safetensors")
    (True, False)
    """
    return _GENERIC.fullmatch(base_name(name)) is not None


def format_of(name: str) -> Format:
    """The file format a name promises.

    >>> format_of("a.SAFETENSORS"), format_of("a.ckpt"), format_of("a.txt")
    ('safetensors', 'pickle', 'other')
    """
    return _FORMATS.get(extension(name), "other")
