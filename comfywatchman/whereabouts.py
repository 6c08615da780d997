"""Where things lie on this disk: files that references name, and files that links mean.

    reference ──▶ Sighting(matches, strangers)     by name from a scan, by digest from the index
    link      ──▶ the file that came from there     index → moved? → the hub's record → sidecars

The index is a memory, not a need: where it cannot be read, names are all there is.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Final

from .air import CivitaiLink, HubLink, hub_of, parse_link
from .catalog import LocalFile, RemoteFile, Verification, base_name, canonical_folder
from .digest import Digest, match_digests
from .errors import FileChanged, HubError, LibraryError
from .facts import Facts
from .hubs.base import Hub
from .library.index import Index
from .library.indexed import Indexed
from .library.matching import LastLook
from .library.origin import origin_in, origin_of
from .library.roots import Root, Roots
from .library.scan import scan_roots
from .library.sidecars.beside import find_beside
from .names import fold, printable
from .resolution import LocalMatch, Placement
from .workflow.references import Reference

Checking = Callable[[LocalFile, int], None]  # hears of a file that is hashed, and how many bytes are done

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What this disk has for a reference: files that may be meant, best first, and files that are not.

    `strangers` have the name, and another digest than the reference asks for.
    """

    matches: tuple[LocalMatch, ...] = ()
    strangers: tuple[LocalFile, ...] = ()

    @property
    def is_here(self) -> bool:
        """Whether no hub needs to be asked: the file lies in its own folder."""
        return any(match.placement is not Placement.FOLDER for match in self.matches)


class Lookout:
    """Looks for references among the files of one scan, with what is left of the last one."""

    def __init__(self, roots: Roots, index: Index, *, last: LastLook) -> None:
        self._roots, self._index = roots, index
        self._names = last.again(partial(list_files, roots))

    def find(self, reference: Reference) -> Sighting:
        """The files a reference may mean, with the digests that the index knows of them."""
        try:
            if reference.linked:
                return Sighting(tuple(self._by_link(reference)))
            named = [replace(m, file=self._with_digests(m.file)) for m in self._names.find(reference)]
            renamed = list(self._by_digest(reference, {match.file for match in named}))
        except LibraryError as fault:
            _LOG.warning("files are told by their names only: %s", fault.message)
            self._index = Index(None)
            return self.find(reference)
        strangers = [match.file for match in named if _is_other(reference, match.file)]
        fitting = [match for match in named if match.file not in strangers]
        placed = sorted([*renamed, *fitting], key=lambda match: list(Placement).index(match.placement))
        return Sighting(tuple(placed), tuple(strangers))

    def find_same(self, reference: Reference, file: RemoteFile) -> Sighting:
        """The file of a hub under whatever name it lies here, for a reference that names a link."""
        try:
            return Sighting(tuple(self._placed(reference, self._by_content(file))))
        except LibraryError:  # told of already
            return Sighting()

    def _by_link(self, reference: Reference) -> Iterator[LocalMatch]:
        """What came from there, or is known to be it; the node finds it so too, whatever it is called."""
        link = parse_link(reference.url or "")
        return self._placed(reference, self._index.find_release(link, reference.digest))

    def _by_content(self, file: RemoteFile) -> Iterator[Indexed]:
        for digest in file.digests:
            if digest.identifies:
                yield from self._index.find_digest(digest)

    def _placed(self, reference: Reference, found: Iterable[Indexed]) -> Iterator[LocalMatch]:
        roots = [root for root in self._roots if root.folder == reference.folder]
        for known in found:
            if (file := place_in(known.file, roots)) is not None:
                yield LocalMatch(file, Placement.EXACT)

    def _with_digests(self, file: LocalFile) -> LocalFile:
        known = self._index.find_listed(file)
        return known.file if known is not None else file

    def _by_digest(self, reference: Reference, named: set[LocalFile]) -> Iterator[LocalMatch]:
        """Files of that content under other names."""
        if reference.digest is None or not reference.digest.identifies:
            return
        folders = {canonical_folder(name) for name in (reference.folder, *reference.other_folders)}
        for known in self._index.find_digest(reference.digest):
            file = place_in(known.file, self._roots)
            if file is not None and file not in named:
                yield LocalMatch(file, Placement.RENAMED if file.folder in folders else Placement.FOLDER)


def find_local(
    thing: HubLink | Digest,
    roots: Sequence[Root],
    *,
    index: Index,
    hubs: Sequence[Hub],
    stop: threading.Event | None = None,
    tell: Checking = lambda _file, _done: None,
) -> Indexed | None:
    """The file below roots that a link means or that has a digest; None if there is none.

    Raises:
        Interrupted: `stop` was set while a file was hashed.
    """
    search = _Search(roots, index=index, hubs=hubs, stop=stop, tell=tell)
    try:
        return search.by_digest(thing) if isinstance(thing, Digest) else search.by_link(thing)
    except LibraryError as fault:
        _LOG.warning("the index cannot be used: %s", fault.message)
    search = _Search(roots, index=Index(None), hubs=hubs, stop=stop, tell=tell)
    return search.by_digest(thing) if isinstance(thing, Digest) else search.by_link(thing)


class _Search:
    """One search for the file that a link means. Listing and hashing are done when nothing else helps."""

    def __init__(
        self,
        roots: Sequence[Root],
        *,
        index: Index,
        hubs: Sequence[Hub],
        stop: threading.Event | None = None,
        tell: Checking = lambda _file, _done: None,
    ) -> None:
        self._roots, self._index, self._hubs, self._stop, self._tell = roots, index, hubs, stop, tell
        self._names: dict[Path, frozenset[str]] = {}  # what lies in folders, each listed once

    def by_digest(self, digest: Digest) -> Indexed | None:
        """The file with that content, if the index knows one."""
        return self._first(self._index.find_digest(digest))

    def by_link(self, link: HubLink) -> Indexed | None:
        """The file that came from there, or is known to be the same."""
        known = self._first(self._index.find_link(link)) or self._moved(link)
        if known is not None:
            return known
        record = self._ask(link)
        return self._by_record(record) or self._by_sidecar(link, record)

    def _first(self, known: Iterable[Indexed]) -> Indexed | None:
        """The first that lies below our roots, as they name it."""
        for indexed in known:
            if (file := place_in(indexed.file, self._roots)) is not None:
                return replace(indexed, file=file)
        return None

    def _moved(self, link: HubLink) -> Indexed | None:
        """A file that came from there and now lies elsewhere under its name."""
        for lost in self._index.find_lost(link):
            if found := self._with_content(lost.file.name, lost.file.size, lost.file.digests):
                return self._index.put(replace(lost, file=found.file))
        return None

    def _by_sidecar(self, link: HubLink, record: Sequence[RemoteFile]) -> Indexed | None:
        """A file whose sidecar says that it is of that release, and whose content agrees with the sidecar.

        Anybody may have written that: where the hub's record has digests, only a file of the record counts;
        where it cannot be had, the sidecar's word is taken and not remembered.
        """
        if not isinstance(link, CivitaiLink) or link.file_id is not None:
            return None
        for file in self._listed:
            path = Path(file.root, file.path)
            for sidecar in find_beside(path, names=self._names_in(path.parent)).sidecars:
                if not _is_of(sidecar.facts, link):
                    continue
                known = self._hashed(file)
                if known is None or not sidecar.is_of(known.file.digests):
                    continue
                verdicts = [match_digests(known.file.digests, remote.digests) for remote in record]
                if True in verdicts:
                    return self._keep(known, record[verdicts.index(True)])
                if False not in verdicts:
                    return replace(known, origin=known.origin or origin_in(sidecar.facts))
        return None

    def _by_record(self, record: Sequence[RemoteFile]) -> Indexed | None:
        """A file that is what the hub's record names, by content."""
        for remote in record:
            for digest in remote.digests:
                if digest.identifies and (known := self.by_digest(digest)):
                    return self._keep(known, remote)
            if remote.size is not None and (
                known := self._with_content(base_name(remote.name), remote.size, remote.digests)
            ):
                return self._keep(known, remote)
        return None

    def _keep(self, known: Indexed, remote: RemoteFile) -> Indexed:
        origin = known.origin or origin_of(remote)
        return self._index.put(replace(known, verification=Verification.DIGEST, origin=origin))

    def _ask(self, link: HubLink) -> tuple[RemoteFile, ...]:
        hub = next((hub for hub in self._hubs if hub.name == hub_of(link)), None)
        try:
            return hub.open(link) if hub is not None else ()
        except HubError as fault:
            _LOG.debug("%s", fault.message)
            return ()

    def _with_content(self, name: str, size: int, digests: tuple[Digest, ...]) -> Indexed | None:
        """A file of that name and size, if its content is that too."""
        for file in self._listed:
            if file.size != size or fold(file.name) != fold(name):
                continue
            known = self._hashed(file)
            if known is not None and match_digests(known.file.digests, digests):
                return known
        return None

    def _hashed(self, file: LocalFile) -> Indexed | None:
        """A file with its digests; None if it cannot be read now."""
        try:
            return self._index.hashed(file, stop=self._stop, tell=partial(self._tell, file))
        except (OSError, FileChanged) as fault:
            _LOG.info("%s: passed over: %s", file.path, fault)
            return None

    def _names_in(self, folder: Path) -> frozenset[str]:
        if folder not in self._names:
            try:
                self._names[folder] = frozenset(os.listdir(folder))  # noqa: PTH208 - names are all that counts
            except OSError:
                self._names[folder] = frozenset()
        return self._names[folder]

    @cached_property
    def _listed(self) -> tuple[LocalFile, ...]:
        return list_files(self._roots)


def list_files(roots: Iterable[Root], known: Iterable[LocalFile] = ()) -> tuple[LocalFile, ...]:
    """The model files below roots; what cannot be looked through is logged. `known` as in `scan_roots`."""
    listing = scan_roots(roots, known=known)
    for place in dict.fromkeys(listing.unread):
        _LOG.warning("%s: not looked through: %s", printable(place.path), place.reason)
    return listing.files


def place_in(file: LocalFile, roots: Iterable[Root]) -> LocalFile | None:
    """A file of the index as these roots name it; None when it lies below none of them."""
    below = list(roots)
    for root in below:
        if (str(root.path), root.folder) == (file.root, file.folder):
            return file
    real = os.path.realpath(Path(file.root, file.path))
    for root in below:
        real_root = os.path.realpath(root.path)
        if Path(real).is_relative_to(real_root):
            path = Path(real).relative_to(real_root).as_posix()
            return replace(file, folder=root.folder, root=str(root.path), path=path)
    return None


def _is_other(reference: Reference, file: LocalFile) -> bool:
    """Whether a file is known to be another than the reference asks for."""
    return reference.digest is not None and match_digests((reference.digest,), file.digests) is False


def _is_of(facts: Facts, link: CivitaiLink) -> bool:
    """Whether a sidecar speaks of the release, or the work, that a link names."""
    if link.version_id is not None:
        return facts.version_id == link.version_id
    return facts.model_id == link.model_id
