"""Tables of known models: which file a name in a folder means, without asking anyone.

    {"schema": "comfywatchman.known-models/1", "source": "where the facts are from", "models": [
    {"folder": "vae", "name": "ae.safetensors", "url": "https://huggingface.co/…/resolve/main/ae.safetensors"},
    {"folder": "loras", "name": "sdxl/ink.safetensors", "url": "v:22474", "size": 90, "digests": ["sha256:…"]}
    ]}

`name` may begin with the sub-folder the file lies in. `url` is a web address or anything else that
`parse_thing` reads and that means one file. The shipped table, the user's own, the memory of what was
fetched and the cache of the templates package all have this form; ComfyUI's templates and the Manager's
`model-list.json` are read into it.
"""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ...air import CivitaiLink, HubLink, HuggingFaceLink, hub_of, parse_link, parse_thing
from ...catalog import Json, RemoteFile, base_name, canonical_folder, extension, format_of
from ...decode import DecodeError, Value, parse_json
from ...digest import Digest, parse_digest
from ...errors import InputError, InvalidAir
from ...workflow.references import Reference

SCHEMA: Final = "comfywatchman.known-models/1"

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One known model: the folder and the place below it that ComfyUI wants it in, and the file.

    Entries of one `origin` are one file at, perhaps, different times: an address, or on Hugging Face the
    repository and the path in it.
    """

    folder: str
    path: str
    file: RemoteFile
    origin: str

    @property
    def subfolder(self) -> str:
        """The part of the path before the name, in lower case; empty for none."""
        return subfolder_of(self.path)

    def serves(self, reference: Reference) -> bool:
        """Whether a file in this folder answers the reference's input.

        Packs also register the sub-folders of a folder under names of their own: `ultralytics_bbox` is
        `models/ultralytics/bbox`.
        """
        folders = (reference.folder, *reference.other_folders)
        return self.folder in folders or f"{self.folder}_{self.subfolder}" in folders


class Table:
    """Entries that can be looked up by name, by name without extension, and by digest."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = tuple(entries)
        self._names: defaultdict[str, list[Entry]] = defaultdict(list)
        self._stems: defaultdict[str, list[Entry]] = defaultdict(list)
        self._digests: defaultdict[Digest, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            key = name_key(entry.path)
            self._names[key].append(entry)
            self._stems[key.removesuffix(extension(key))].append(entry)
            for digest in entry.file.digests:
                self._digests[digest].append(entry)

    def find(self, reference: Reference) -> list[Entry]:
        """The entries with the reference's name or digest, in any folder; by stem only in a folder of its."""
        key = name_key(reference.name)
        found = list(self._names.get(key, ()))
        if not found and format_of(key) == "other":
            found = [entry for entry in self._stems.get(key, ()) if entry.serves(reference)]
        if reference.digest is not None:
            found += [entry for entry in self._digests.get(reference.digest, ()) if entry not in found]
        return found


def name_key(name: str) -> str:
    r"""A base name in the form names are compared in.

    >>> name_key("SDXL\\Ink.SAFETENSORS")
    'ink.safetensors'
    """
    return unicodedata.normalize("NFC", base_name(name)).casefold()


def subfolder_of(path: str) -> str:
    """The sub-folder of a name in the form sub-folders are compared in.

    >>> subfolder_of("SDXL/styles/ink.safetensors"), subfolder_of("ink.safetensors")
    ('sdxl/styles', '')
    """
    folded = unicodedata.normalize("NFC", path.replace("\\", "/")).casefold()
    return folded.rpartition("/")[0].strip("/")


def make_entry(
    folder: str,
    path: str,
    url: str,
    *,
    size: int | None = None,
    digests: tuple[Digest, ...] = (),
) -> Entry:
    """An entry with its address put into the form that answers with bytes.

    Raises:
        InvalidAir: the address means no single file.
    """
    path = path.replace("\\", "/").strip("/")
    folder = canonical_folder(folder)
    link = parse_link(url) if "://" in url else parse_thing(url)
    file = replace(_file_at(link, url, base_name(path)), folder=folder, size=size, digests=digests)
    origin = f"{link.repo.lower()}/{link.path}" if isinstance(link, HuggingFaceLink) else file.url
    return Entry(folder, path, file, origin)


def parse_table(data: bytes | str, *, strict: bool) -> tuple[str, tuple[Entry, ...]]:
    """Read a table: its `source` and its entries. Unless strict, a bad entry is passed over and logged.

    Raises:
        InputError: it is no table of this schema, or strict and an entry is bad; the message names the place.
    """
    document = Value(parse_json(data))
    if (schema := document["schema"].text()) != SCHEMA:
        raise DecodeError(f"$.schema: expected {SCHEMA}, got {schema[:80]!r}")
    entries = []
    for row in document["models"].items():
        try:
            entries.append(_entry(row))
        except InputError as fault:
            if strict:
                raise
            _log.warning("passed over an entry of a table of known models: %s", fault)
    return document["source"].text_or_none() or "", tuple(entries)


def format_table(entries: Iterable[Entry], *, source: str, licence: str | None = None) -> str:
    """Write a table: sorted, one entry a line, so that two of them compare well."""
    head: dict[str, Json] = {"schema": SCHEMA, "source": source}
    if licence is not None:
        head["licence"] = licence
    opening = json.dumps(head, ensure_ascii=False)[:-1]
    rows = sorted({json.dumps(_row(entry), ensure_ascii=False) for entry in entries})
    return opening + ', "models": [\n' + ",\n".join(rows) + "\n]}\n"


def _entry(row: Value) -> Entry:
    """One row of a table."""
    folder, path, url = row["folder"].text(), row["name"].text(), row["url"].text()
    if not folder or not base_name(path):
        raise DecodeError(f"{row.path}: expected a folder and a file name, got {folder!r} and {path!r}")
    size = row["size"].integer() if row["size"].json is not None else None
    if size is not None and size < 0:
        raise row["size"].fault("a size in bytes")
    digests = tuple(parse_digest(digest.text()) for digest in row["digests"].items())
    try:
        return make_entry(folder, path, url, size=size, digests=digests)
    except InvalidAir as fault:
        raise InvalidAir(f"{row['url'].path}: {fault.message}") from fault


def _row(entry: Entry) -> dict[str, Json]:
    row: dict[str, Json] = {"folder": entry.folder, "name": entry.path, "url": entry.file.url}
    if entry.file.size is not None:
        row["size"] = entry.file.size
    if entry.file.digests:
        row["digests"] = [str(digest) for digest in entry.file.digests]
    return row


def _file_at(link: HubLink | None, url: str, name: str) -> RemoteFile:
    """The file a written address means, at the address that answers with its bytes."""
    match link:
        case HuggingFaceLink(path=str() as path) if not path.endswith("/"):
            return RemoteFile(
                hub=hub_of(link),
                name=name,
                url=str(link),
                page=str(link).replace("/resolve/", "/blob/", 1),
                revision=link.revision if _COMMIT.fullmatch(link.revision) else None,
            )
        case CivitaiLink(version_id=int() as version):
            page = CivitaiLink(model_id=link.model_id, version_id=version) if link.model_id else None
            return RemoteFile(
                hub=hub_of(link),
                name=name,
                url=_civitai_download(url, link),
                page=str(page) if page else None,
                id=str(link.file_id) if link.file_id else None,
            )
        case None:
            return RemoteFile(hub="web", name=name, url=_web_download(url))
        case _:
            raise InvalidAir(f"expected the address of one file, got {url[:120]!r}")


def _civitai_download(url: str, link: CivitaiLink) -> str:
    """The download address of a version; what chooses among its files is kept, a token is not."""
    address = f"https://civitai.com/api/download/models/{link.version_id}"
    chosen = [("fileId", str(link.file_id))] if link.file_id is not None else []
    if "/api/download/" in url and not chosen:
        chosen = [
            pair for pair in parse_qsl(urlsplit(url).query) if pair[0] in ("type", "format", "size", "fp")
        ]
    return f"{address}?{urlencode(chosen)}" if chosen else address


def _web_download(url: str) -> str:
    """Any other web address. GitHub's page of a file becomes the file."""
    try:
        parts = urlsplit(url.strip())
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        known = False
    if not known:
        raise InvalidAir(f"expected a web address, got {url[:120]!r}")
    if parts.hostname == "github.com":
        parts = parts._replace(path=re.sub(r"^(/[^/]+/[^/]+)/blob/", r"\1/raw/", parts.path))
    return urlunsplit(parts)
