"""What can be known to fail before the first byte: room, rights, caps and clashes."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..digest import match_digests
from ..errors import NoSpace, NotWritable, Refused, WatchmanError
from ..names import fold
from ..plan import Transfer
from .claim import held_room
from .journal import Identity
from .limits import Limits
from .partial import Partial, kept_bytes
from .place import Place, disk_errors
from .publish import find_same


@dataclass(frozen=True, slots=True)
class Problem:
    """Why transfers would fail; those of one file system that has too little room stand together."""

    transfers: tuple[Transfer, ...]
    error: WatchmanError


@dataclass(frozen=True, slots=True)
class _Need:
    """Bytes that a transfer still has to write, and the file system they go to."""

    transfer: Transfer
    device: int
    folder: str
    size: int


def preflight(
    transfers: Sequence[Transfer],
    *,
    limits: Limits | None = None,
    roots: tuple[str, ...] = (),
    promised: Mapping[int, int] | None = None,
) -> list[Problem]:
    """Look at every target before anything is asked of the network; empty when all is well.

    Makes the target folders. Files of unknown size count as nothing. `promised` are bytes that other
    transfers are still going to write, by file system (`st_dev`).
    """
    limits = limits or Limits()
    problems = _over_caps(transfers, limits) + _clashes(transfers)
    needs: list[_Need] = []
    for transfer in transfers:
        try:
            needs.append(_look(transfer, roots))
        except WatchmanError as error:
            problems.append(Problem((transfer,), error))
    return problems + _without_room(needs, limits, promised or {})


def _over_caps(transfers: Sequence[Transfer], limits: Limits) -> list[Problem]:
    """Files and plans beyond what one run may bring."""
    problems = [
        Problem((t,), Refused(f"{t.path}: {t.source.size:,} bytes are over the limit of {limits.largest:,}"))
        for t in transfers
        if t.source.size is not None and t.source.size > limits.largest
    ]
    total = sum(t.source.size or 0 for t in transfers)
    if len(transfers) > limits.files or total > limits.total:
        message = (
            f"{len(transfers)} files of {total:,} bytes: one run brings {limits.files} of {limits.total:,}"
        )
        problems.append(Problem(tuple(transfers), Refused(message, hint="Fetch in several runs.")))
    return problems


def _clashes(transfers: Sequence[Transfer]) -> list[Problem]:
    """Different content for one name, as any file system may see names."""

    def key(transfer: Transfer) -> tuple[str, str]:
        return transfer.root, fold(transfer.path)

    problems = []
    for _, group in groupby(sorted(transfers, key=key), key=key):
        first, *others = group
        for other in others:
            if match_digests(first.source.digests, other.source.digests) is not True:
                message = f"{other.path}: two different files are to get this name"
                problems.append(Problem((first, other), Refused(message, hint="Fetch them one by one.")))
    return problems


def _look(transfer: Transfer, roots: tuple[str, ...]) -> _Need:
    """Whether the target can be written, proven by doing it, and what it still needs."""
    where = f"{transfer.root}/{transfer.path}"
    place, name = Place.below(transfer.root, transfer.path, roots=roots)
    with place, disk_errors(where):
        found = place.stat(name)
        if found is not None and (found.st_mode & 0o170000) == 0o040000:
            raise NotWritable(f"{where}: a folder has this name")
        identity = Identity.of(transfer.source)
        try:
            Partial.begin(place, name, identity).release()  # gives back what a killed run had set aside, too
        except OSError:
            if find_same(place, name, transfer.source) is None:
                raise  # else nothing needs to be written
        kept = max(kept_bytes(place, name, identity), held_room(place.folder, name))
        here = found is not None and found.st_size == transfer.source.size
        size = 0 if here else max(0, (transfer.source.size or 0) - kept)
        return _Need(transfer, place.device, str(place.folder), size)


def _without_room(needs: Sequence[_Need], limits: Limits, promised: Mapping[int, int]) -> list[Problem]:
    """File systems with less room than their transfers need and the margin asks for."""
    problems = []
    for device, group in groupby(sorted(needs, key=lambda n: n.device), key=lambda n: n.device):
        here = list(group)
        others = promised.get(device, 0)
        size, free = sum(need.size for need in here), shutil.disk_usage(here[0].folder).free
        wanted = size + others + max(limits.margin, int(size * limits.margin_share))
        if size and wanted > free:
            message = (
                f"{here[0].folder}: {size:,} bytes to write and {wanted - size:,} to stay free "
                f"or for transfers under way, "
                f"but only {free:,} are free"
            )
            problems.append(Problem(tuple(need.transfer for need in here), NoSpace(message)))
    return problems
