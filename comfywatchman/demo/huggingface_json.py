"""Hugging Face's answers of 2026, built from the shelf.

Key sets and types follow recorded answers; tests compare them. The SHA-256 of a large file is `lfs.sha256`
in a repository's information and `lfs.oid` in the tree and in paths-info.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from .shelf import Blob, Commit, ServedRepo, is_large

Fields = dict[str, object]


def pointer(blob: Blob) -> bytes:
    """The text git holds in place of a large file (git-lfs/spec.md)."""
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{blob.sha256}\nsize {len(blob.data)}\n"
    ).encode()


def author_of(repo: ServedRepo) -> str:
    """The owner of a repository."""
    return repo.id.partition("/")[0]


def _id(repo: ServedRepo) -> str:
    return hashlib.sha1(repo.id.encode(), usedforsecurity=False).hexdigest()[:24]


def repo_info(repo: ServedRepo, commit: Commit) -> Fields:
    """Everything the hub tells of a repository but its files."""
    pipeline = {"pipeline_tag": repo.pipeline_tag} if repo.pipeline_tag else {}
    return {
        "_id": _id(repo),
        "id": repo.id,
        "modelId": repo.id,
        "author": author_of(repo),
        "sha": commit.sha,
        "lastModified": commit.date,
        "private": repo.private,
        "disabled": repo.disabled,
        "gated": repo.gated,
        **pipeline,
        "tags": list(repo.tags),
        "downloads": repo.downloads,
        "library_name": "diffusers",
        "likes": repo.likes,
        "cardData": {"license": repo.licence},
        "createdAt": repo.commits[-1].date,
    }


def repo_fields(repo: ServedRepo, commit: Commit, wanted: Iterable[str]) -> Fields:
    """The id and only what was asked for."""
    known = repo_info(repo, commit) | {"siblings": siblings(commit, blobs=False)}
    return {key: value for key, value in known.items() if key in {"_id", "id", *wanted}}


def siblings(commit: Commit, *, blobs: bool) -> list[Fields]:
    """The files of a commit as a repository's information lists them; sizes and digests with `blobs`."""
    if not blobs:
        return [{"rfilename": path} for path in commit.files]
    return [
        {
            "rfilename": path,
            "blobId": blob.git_oid,
            "size": len(blob.data),
            **({"lfs": {"sha256": blob.sha256, **_lfs(blob)}} if is_large(path, blob) else {}),
        }
        for path, blob in commit.files.items()
    ]


def _lfs(blob: Blob) -> Fields:
    return {"size": len(blob.data), "pointerSize": len(pointer(blob))}


def tree_entries(commit: Commit, *, expand: bool) -> list[Fields]:
    """Files and folders as the tree and paths-info show them."""
    last = {"lastCommit": {"id": commit.sha, "title": commit.title, "date": commit.date}} if expand else {}
    folders = {path[:end] for path in commit.files for end in range(len(path)) if path[end] == "/"}
    entries: list[Fields] = [
        {"type": "directory", "oid": commit.sha, "size": 0, "path": folder, **last}
        for folder in sorted(folders)
    ]
    for path, blob in commit.files.items():
        entry: Fields = {"type": "file", "oid": blob.git_oid, "size": len(blob.data), "path": path}
        if is_large(path, blob):
            entry |= {"lfs": {"oid": blob.sha256, **_lfs(blob)}, "xetHash": blob.xet_hash}
        entries.append(entry | last)
    return entries
