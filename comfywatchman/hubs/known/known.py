"""The direct-ID table: names whose file is known, looked up without a network.

Five tables, the strongest first; the first that knows a name in its folder answers:

    known-models.json      in the data folder: the user's own
    verified-models.json   in the data folder: what this installation has fetched and verified
    data/known_models.json shipped: every model of ComfyUI's official templates
    templates              of the ComfyUI installation, which may be newer than the shipped table
    model-list.json        of ComfyUI-Manager

The Manager's list comes last: of 46 names it shares with the official templates, 8 lead elsewhere there,
most of them to gated repositories and one to other bytes. Each table is read once, when first needed.
"""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ...air import HOMES, parse_link
from ...catalog import RemoteFile, is_generic
from ...digest import Digest, match_digests
from ...errors import InputError, InvalidSettings
from ...resolution import Candidate, Evidence
from ...workflow.references import Reference
from ..base import Fetched
from .published import Places, read_manager_list, read_templates
from .tables import (
    Entry,
    Table,
    format_table,
    make_entry,
    name_key,
    parse_table,
    subfolder_of,
)

SHIPPED: Final = Path(__file__).resolve().parents[2] / "data" / "known_models.json"
OWN_NAME: Final = "known-models.json"
VERIFIED_NAME: Final = "verified-models.json"
TEMPLATES_NAME: Final = "templates-models.json"

_NOWHERE: Final = Places()

_Match = tuple[Evidence, Entry]

_log = logging.getLogger(__name__)


class Known:
    """The tables of one installation. `home` is the data folder; safe to use from several threads."""

    def __init__(self, home: Path, *, places: Places = _NOWHERE, shipped: Path = SHIPPED) -> None:
        self._home = home
        self._places = places
        self._shipped_path = shipped
        self._writing = threading.Lock()

    @property
    def name(self) -> str:
        """The word for these tables in `searched`."""
        return "known"

    def find(self, references: Sequence[Reference]) -> list[tuple[Candidate, ...]]:
        """The candidates for each reference, best evidence first; no network.

        A name in a folder of the reference counts as KNOWN, the digest of the reference as DIGEST. Only
        when no table has either: a name in another folder is NAME, and a name that many repositories share
        (`model.safetensors`) without the same sub-folder is SIMILAR_NAME.

        Raises:
            InvalidSettings: the user's own table cannot be read.
        """
        return [self._find_one(reference) for reference in references]

    def remember(self, files: Iterable[Fetched]) -> None:
        """Keep where fetched and verified files came from.

        The memory is a convenience: when it cannot be written, that is logged and nothing else fails.
        """
        new = {_identity(entry): entry for entry in map(_entry_or_none, files) if entry is not None}
        if not new:
            return
        with self._writing:
            path = self._home / VERIFIED_NAME
            kept = [old for old in _read_gently(path)[1] if _identity(old) not in new]
            table = [*kept, *new.values()]
            _write(path, format_table(table, source="fetched and verified by this installation"))
            self._verified = Table(table)

    def _find_one(self, reference: Reference) -> tuple[Candidate, ...]:
        weak: list[_Match] = []
        for table in self._tables():
            found = [
                (evidence, entry)
                for entry in table.find(reference)
                if (evidence := _evidence(entry, reference)) is not None
            ]
            certain = [match for match in found if match[0] >= Evidence.KNOWN]
            if certain:
                return _collapse(certain)
            weak += found
        return _collapse(weak)

    def _tables(self) -> Iterator[Table]:
        """The tables, strongest first; the weak ones are only read when those before them do not know."""
        yield self._own
        yield self._verified
        yield self._shipped
        yield self._templates
        yield self._manager

    @cached_property
    def _own(self) -> Table:
        path = self._home / OWN_NAME
        try:
            return Table(_read(path, strict=True)[1])
        except (OSError, InputError) as fault:
            hint = "Repair the file, or move it away to go on without it."
            raise InvalidSettings(f"{path}: {fault}", hint=hint) from fault

    @cached_property
    def _verified(self) -> Table:
        return Table(_read_gently(self._home / VERIFIED_NAME)[1])

    @cached_property
    def _shipped(self) -> Table:
        return Table(_read_gently(self._shipped_path)[1])

    @cached_property
    def _templates(self) -> Table:
        """The templates of the installation: hundreds of workflows, so their models are cached by age."""
        stamp = "; ".join(_stamp(folder) for folder in self._places.templates)
        if not stamp:
            return Table()
        path = self._home / TEMPLATES_NAME
        source, entries = _read_gently(path)
        if source != stamp:
            entries = tuple(entry for folder in self._places.templates for entry in read_templates(folder))
            _write(path, format_table(entries, source=stamp))
        return Table(entries)

    @cached_property
    def _manager(self) -> Table:
        return Table(entry for path in self._places.manager_lists for entry in read_manager_list(path))


def _evidence(entry: Entry, reference: Reference) -> Evidence | None:
    """Why an entry counts for a reference, or None when it is another file."""
    same = match_digests((reference.digest,), entry.file.digests) if reference.digest else None
    if same is not None:
        return Evidence.DIGEST if same else None
    if not entry.serves(reference):
        return None if is_generic(reference.name) else Evidence.NAME
    if is_generic(reference.name):
        subfolder = subfolder_of(reference.name)
        return Evidence.KNOWN if subfolder and subfolder == entry.subfolder else Evidence.SIMILAR_NAME
    return Evidence.KNOWN


def _collapse(matches: Iterable[_Match]) -> tuple[Candidate, ...]:
    """The different files among matches, the strongest evidence first, then those with a digest."""
    kept: list[_Match] = []
    for evidence, entry in sorted(matches, key=lambda match: (-match[0], not match[1].file.digests)):
        if not any(_is_same(entry, other) for _, other in kept):
            kept.append((evidence, entry))
    return tuple(Candidate(entry.file, evidence) for evidence, entry in kept)


def _is_same(one: Entry, other: Entry) -> bool:
    """Whether two are one file: by digest where both have one, else by origin."""
    same = match_digests(one.file.digests, other.file.digests)
    return one.origin == other.origin if same is None else same


def _identity(entry: Entry) -> tuple[str, str, str, tuple[Digest, ...]]:
    """What makes two memories the same: the place and the content."""
    return entry.folder, entry.subfolder, name_key(entry.path), entry.file.digests


def _entry_or_none(fetched: Fetched) -> Entry | None:
    """The entry for a fetched file; None, and a word in the log, if its address means no single file."""
    address = _home_address(fetched.file)
    try:
        return make_entry(fetched.folder, fetched.name, address, digests=(fetched.digest,), size=fetched.size)
    except InputError as fault:
        _log.warning("cannot remember where %s came from: %s", fetched.file.name, fault)
        return None


def _home_address(file: RemoteFile) -> str:
    """The address at the hub itself, where it was fetched through a mirror or a stand-in."""
    home = urlsplit(file.url)._replace(scheme="https", netloc=HOMES.get(file.hub, "")).geturl()
    return home if parse_link(home) else file.url


def _stamp(folder: Path) -> str:
    """What changes when a templates package is replaced."""
    try:
        return f"{folder}@{folder.stat().st_mtime_ns}"
    except OSError:
        return ""


def _read(path: Path, *, strict: bool) -> tuple[str, tuple[Entry, ...]]:
    """The source and entries of a table; one that is not there is empty."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return "", ()
    return parse_table(data, strict=strict)


def _read_gently(path: Path) -> tuple[str, tuple[Entry, ...]]:
    """The same for tables that can be done without: a damaged one is logged and empty."""
    try:
        return _read(path, strict=False)
    except (OSError, InputError) as fault:
        _log.warning("passed over the table %s: %s", path, fault)
        return "", ()


def _write(path: Path, text: str) -> None:
    """Replace a file by a whole one, or log why that cannot be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            try:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
                file.close()  # Windows replaces closed files only
                temporary.replace(path)
            except OSError:
                file.close()
                temporary.unlink()
                raise
    except OSError as fault:
        _log.warning("cannot write %s: %s", path, fault)
