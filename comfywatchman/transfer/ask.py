"""A question for bytes, and what an answer must say to fit it.

    Range: bytes=A-(B-1)   If-Range: "tag"   ──►   206   Content-Range: bytes A-(B-1)/SIZE   ETag: "tag"

Nothing here speaks to anybody; `http` does. What an answer that does not fit means is an exception: begin
anew (`Changed`), go without ranges (`NoRanges`), or an error for people.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .. import __version__
from ..catalog import format_of
from ..errors import NotAModel, SizeMismatch
from ..names import printable

USER_AGENT: Final = f"comfywatchman/{__version__}"  # CivitAI answers browsers with pages, not with errors

_CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_PAGES: Final = frozenset(
    {"text/html", "application/xhtml+xml", "application/json", "application/xml", "text/xml"}
)


class Changed(Exception):
    """The file is no longer the one the partial was begun from; it has to be fetched anew."""


class NoRanges(Exception):
    """The server's ranges are not what was asked; it has to be one stream from the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Which bytes of which file. `stop` is exclusive, None for a whole file; `size` is of the file.

    `validator` (a strong ETag) and `modified` are of the bytes we already have. `known`: size and digest
    are published. `hub` and `name` are for messages; `line` is by whom it is asked, for `Client.abort`.
    """

    url: str
    hub: str
    name: str
    start: int = 0
    stop: int | None = None
    size: int | None = None
    validator: str | None = None
    modified: str | None = None
    known: bool = False
    line: int = 0

    def headers(self) -> dict[str, str]:
        """The headers of the question; identity, so that bytes are the file's."""
        headers = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        if self.stop is not None:
            headers["Range"] = f"bytes={self.start}-{self.stop - 1}"
            if self.validator:
                headers["If-Range"] = self.validator
        return headers


def check_headers(headers: Mapping[str, str], ask: Ask, *, shown: str) -> None:
    """Whether the headers speak of a model's bytes, not packed."""
    encoding = headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise NotAModel(
            f"{ask.name}: {shown} sends it encoded ({printable(encoding)[:40]})",
            hint="A proxy or cache on the way changes files; use another network or mirror.",
        )
    kind = headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind in _PAGES and format_of(ask.name) != "other":
        raise NotAModel(f"{ask.name}: expected a model from {shown}, got {kind}")


def extent(status: int, headers: Mapping[str, str], ask: Ask) -> tuple[int, int | None, int | None]:
    """Where the body starts and stops in the file, and the file's size; None for what nobody says."""
    if status == 206:
        if ask.start:
            _check_version(headers, ask)
        return _ranged(headers, ask)
    if ask.start:
        raise Changed  # all of it where the rest was asked for
    length = headers.get("Content-Length", "")
    said = int(length) if re.fullmatch(r"\d{1,18}", length) else None
    if said is not None and ask.size not in (None, said):
        raise _other_size(ask, said)
    size = ask.size if ask.size is not None else said
    return 0, size, size


def _check_version(headers: Mapping[str, str], ask: Ask) -> None:
    """Whether bytes are of the version we have; a 206 names its tag if the 200 did (RFC 9110, 15.3.7)."""
    etag = strong_tag(headers.get("ETag"))
    if ask.validator and etag is None and not ask.known:
        raise NoRanges
    if ask.validator and etag and etag != ask.validator:
        raise Changed
    if not ask.validator and ask.modified and headers.get("Last-Modified") != ask.modified:
        raise Changed


def _ranged(headers: Mapping[str, str], ask: Ask) -> tuple[int, int, int | None]:
    """The extent of a 206: it must start where asked, stay inside, and know the file's right size."""
    found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    if found is None or ask.stop is None:
        raise NoRanges
    start, stop = int(found[1]), int(found[2]) + 1
    total = None if found[3] == "*" else int(found[3])
    if total is not None and ask.size not in (None, total):
        raise Changed if ask.start else _other_size(ask, total)
    length = headers.get("Content-Length", str(stop - start))
    if start != ask.start or not start < stop <= ask.stop or length != str(stop - start):
        raise NoRanges
    return start, stop, ask.size if total is None else total


def _other_size(ask: Ask, said: int) -> SizeMismatch:
    return SizeMismatch(f"{ask.name}: expected {ask.size:,} bytes, the server announces {said:,}")


def strong_tag(etag: str | None) -> str | None:
    """A strong entity tag, fit to be sent back (RFC 9110 section 8.8.3)."""
    return etag if etag and re.fullmatch(r'"[\x21\x23-\x7e]{1,500}"', etag) else None
