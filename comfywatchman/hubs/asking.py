"""Asking all hubs the same; one that fails loses nothing of the others."""

from __future__ import annotations

from collections.abc import Sequence

from ..catalog import Model, RemoteFile
from ..digest import Digest
from ..errors import HubError
from .base import Hub, SearchQuery

Faults = tuple[HubError, ...]


def identify_all(hubs: Sequence[Hub], digests: Sequence[Digest]) -> tuple[tuple[RemoteFile, ...], Faults]:
    """What hubs publish under digests of one file; the short form of a whole one would ask the same again."""
    whole = any(digest.identifies for digest in digests)
    asked = [digest for digest in digests if not (whole and digest.algorithm == "autov2")]
    asked.sort(key=lambda digest: not digest.identifies)
    files: list[RemoteFile] = []
    faults: list[HubError] = []
    for hub in hubs:
        try:
            answers = map(hub.identify, asked)
            files.extend(next(filter(None, answers), ()))
        except HubError as fault:
            faults.append(fault)
    return tuple(files), tuple(faults)


def search_all(
    hubs: Sequence[Hub], query: SearchQuery, *, only: str | None = None
) -> tuple[tuple[Model, ...], Faults]:
    """What hubs, or the `only` one of that name, have for a person to browse."""
    models: list[Model] = []
    faults: list[HubError] = []
    for hub in hubs:
        if only not in (None, hub.name):
            continue
        try:
            models.extend(hub.search(query))
        except HubError as fault:
            faults.append(fault)
    return tuple(models), tuple(faults)
