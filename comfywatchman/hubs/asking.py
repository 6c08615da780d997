"""Asking those hubs that there are: one by its name, the one of a link or an address, or all the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ..air import HubLink, HuggingFaceLink, hub_of
from ..catalog import Model, RemoteFile, hub_title
from ..digest import Digest
from ..errors import HubError, NeedsNetwork, SeveralFiles
from .base import Hub, SearchQuery

Faults = tuple[HubError, ...]

_SHOWN: Final = 12  # files of a repository that are listed to choose from


def hub_named(hubs: Sequence[Hub], name: str) -> Hub:
    """The hub of that name.

    Raises:
        NeedsNetwork: it is not among them, as none is offline.
    """
    for hub in hubs:
        if hub.name == name:
            return hub
    raise NeedsNetwork(f"{hub_title(name)} is not asked offline")


def owner_of(hubs: Sequence[Hub], url: str) -> Hub | None:
    """The hub that a URL belongs to."""
    return next((hub for hub in hubs if hub.owns(url)), None)


def authorize(hubs: Sequence[Hub], url: str) -> Mapping[str, str]:
    """Headers that carry the token of the hub a URL belongs to; empty without either."""
    owner = owner_of(hubs, url)
    return owner.authorize(url) if owner else {}


def files_at(hubs: Sequence[Hub], link: HubLink) -> tuple[RemoteFile, ...]:
    """The files that a person may mean by a link: one, or all of a repository or folder.

    Raises:
        HubError: the hub does not give it.
        NeedsNetwork: hubs are not asked offline.
    """
    files = hub_named(hubs, hub_of(link)).open(link)
    is_file = not isinstance(link, HuggingFaceLink) or not (link.path or "/").endswith("/")
    return files[:1] if is_file else files


def only_file_at(hubs: Sequence[Hub], link: HubLink) -> RemoteFile:
    """The one file that a link points at.

    Raises:
        SeveralFiles: it is a repository or folder that holds more.
        HubError: the hub does not give it.
        NeedsNetwork: hubs are not asked offline.
    """
    files = files_at(hubs, link)
    if len(files) == 1:
        return files[0]
    things = [f"hf:{file.id}" for file in files[:_SHOWN]]
    rest = f" … and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    raise SeveralFiles(f"{link} holds {len(files)} model files", hint=f"Say which: {' '.join(things)}{rest}")


def identify_all(hubs: Sequence[Hub], digests: Sequence[Digest]) -> tuple[tuple[RemoteFile, ...], Faults]:
    """What hubs publish under digests of one file; a hub that fails loses nothing of the others.

    The short form of a digest that is whole is not asked for: it would ask the same again.
    """
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
    """What hubs, or the `only` one of that name, have for a person to browse.

    A hub that fails loses nothing of the others.
    """
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
