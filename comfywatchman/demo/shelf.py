"""What a stand-in hub has on its shelf: CivitAI models, Hugging Face repositories, accounts.

    Shelf ─┬─ ServedModel ── ServedVersion ── ServedFile ── Blob
           ├─ ServedRepo ── Commit ── path → Blob
           └─ Account

All are values with the defaults of an ordinary public model, so that a test names only what it is about.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

_WEIGHTS: Final = (".safetensors", ".sft", ".gguf", ".ckpt", ".pt", ".pth", ".bin", ".onnx", ".zip")


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes with every name a hub gives them. `hashes` are CivitAI's, upper-case hex by its words."""

    data: bytes
    sha256: str
    git_oid: str
    xet_hash: str
    hashes: Mapping[str, str]

    @classmethod
    def of(cls, data: bytes) -> Blob:
        """Hash bytes in every way the hubs do (definitions: `comfywatchman.digest`)."""
        sha256 = hashlib.sha256(data).hexdigest()
        header = b"blob %d\0" % len(data)
        hashes = {
            "AutoV2": sha256[:10],
            "SHA256": sha256,
            "CRC32": zlib.crc32(data).to_bytes(4, "little").hex(),
        }
        if len(data) >= 2 << 20:
            hashes["AutoV1"] = hashlib.sha256(data[0x100000:0x110000]).hexdigest()[:8]
        if (weights := _after_header(data)) is not None:
            hashes["AutoV3"] = hashlib.sha256(weights).hexdigest()[:12]
        return cls(
            data=data,
            sha256=sha256,
            git_oid=hashlib.sha1(header + data, usedforsecurity=False).hexdigest(),
            xet_hash=hashlib.blake2b(data, digest_size=32).hexdigest(),  # any 64 hex that are not the SHA-256
            hashes={name: value.upper() for name, value in hashes.items()},
        )


def _after_header(data: bytes) -> bytes | None:
    """The bytes after a safetensors header, or None for other files."""
    size = int.from_bytes(data[:8], "little")
    return data[8 + size :] if data[8:9] == b"{" and 8 + size <= len(data) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedFile:
    """A file of a CivitAI version. `hashes` None publishes all, empty is a file not yet scanned."""

    id: int
    name: str
    blob: Blob
    type: str = "Model"
    format: str | None = "SafeTensor"
    size: str | None = None
    fp: str | None = None
    hashes: Mapping[str, str] | None = None
    scan: str = "Success"

    @property
    def published(self) -> Mapping[str, str]:
        """The hashes the hub's record gives."""
        return self.blob.hashes if self.hashes is None else self.hashes


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedImage:
    """An example image of a version: at `url`, or with `data` on the stand-in itself."""

    id: int
    url: str = ""
    data: bytes | None = None
    width: int = 832
    height: int = 1216
    nsfw_level: int = 1
    meta: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidAccess:
    """The gate of 2026: bought for ever, until a date, or with neither said."""

    permanent: bool = False
    ends_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedVersion:
    """A version of a CivitAI model. The first file is the primary one."""

    id: int
    name: str = "v1.0"
    files: tuple[ServedFile, ...] = ()
    base_model: str = "SDXL 1.0"
    trained_words: tuple[str, ...] = ()
    description: str | None = None
    published_at: str = "2026-08-09T15:12:32.918Z"
    status: str = "Published"
    usage_control: str = "Download"
    needs_login: bool = False
    paid: PaidAccess | None = None
    images: tuple[ServedImage, ...] = ()
    downloads: int = 16


Mode = Literal["Archived", "TakenDown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A CivitAI model. `nsfw_level` is the bit mask; a listing without `nsfw=true` shows only bit 1."""

    id: int
    name: str
    type: str = "Checkpoint"
    versions: tuple[ServedVersion, ...] = ()
    creator: str = "keeper"
    description: str | None = None
    tags: tuple[str, ...] = ()
    commercial_use: tuple[str, ...] = ("Image",)
    nsfw: bool = False
    nsfw_level: int = 1
    mode: Mode | None = None
    thumbs_up: int = 1

    @property
    def downloads(self) -> int:
        """Downloads of all versions."""
        return sum(version.downloads for version in self.versions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One state of a repository, and the branches and tags that stand at it."""

    sha: str
    files: Mapping[str, Blob]
    refs: tuple[str, ...] = ("main",)
    title: str = "Upload weights"
    date: str = "2026-08-09T15:12:32.000Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedRepo:
    """A Hugging Face model repository. `gated` False, or how access is granted."""

    id: str
    commits: tuple[Commit, ...]
    gated: Literal["auto", "manual", False] = False
    private: bool = False
    disabled: bool = False
    tags: tuple[str, ...] = ()
    pipeline_tag: str | None = "text-to-image"
    licence: str = "apache-2.0"
    downloads: int = 2137
    likes: int = 1

    def commit(self, revision: str) -> Commit | None:
        """The state a branch, tag, commit or `refs/…` names; the first commit is the newest."""
        wanted = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        return next((one for one in self.commits if wanted in (one.sha, *one.refs)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody with a token. `granted` holds what was bought or allowed: version ids and repository ids."""

    name: str
    token: str
    granted: frozenset[int | str] = frozenset()


@dataclass(slots=True)
class Shelf:
    """Everything on offer; lists, so that a test can put more on it while the server runs."""

    models: list[ServedModel] = field(default_factory=list)
    repos: list[ServedRepo] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)

    def account(self, token: str | None) -> Account | None:
        """Who holds the token; None for nobody."""
        return next((one for one in self.accounts if one.token == token), None)

    def versions(self) -> Iterator[tuple[ServedModel, ServedVersion]]:
        """Every version with its model."""
        return ((model, version) for model in self.models for version in model.versions)

    def version(self, version_id: int) -> tuple[ServedModel, ServedVersion] | None:
        """One version with its model."""
        return next((pair for pair in self.versions() if pair[1].id == version_id), None)

    def image(self, image_id: int) -> ServedImage | None:
        """One image."""
        images = (image for _, version in self.versions() for image in version.images)
        return next((image for image in images if image.id == image_id), None)

    def by_hash(self, value: str) -> list[tuple[ServedModel, ServedVersion, ServedFile]]:
        """Every published file with that hash of any kind, oldest version first."""
        found = [
            (model, version, file)
            for model, version in self.versions()
            for file in version.files
            if version.status == "Published" and value.upper() in file.published.values()
        ]
        return sorted(found, key=lambda one: (one[1].published_at, one[1].id))

    def repo(self, repo_id: str) -> ServedRepo | None:
        """One repository."""
        return next((repo for repo in self.repos if repo.id == repo_id), None)


def is_large(path: str, blob: Blob) -> bool:
    """Whether Hugging Face keeps a file outside of git: weights by name, and everything over 10 MiB."""
    return path.endswith(_WEIGHTS) or len(blob.data) > 10 << 20


def repo_of(
    repo_id: str, files: Mapping[str, bytes], *, gated: Literal["auto", "manual", False] = False
) -> ServedRepo:
    """A repository with one commit, whose id follows from its content as git's does."""
    blobs = {path: Blob.of(data) for path, data in files.items()}
    listing = json.dumps([repo_id, sorted((path, blob.git_oid) for path, blob in blobs.items())])
    sha = hashlib.sha1(listing.encode(), usedforsecurity=False).hexdigest()
    return ServedRepo(id=repo_id, commits=(Commit(sha=sha, files=blobs),), gated=gated)
