"""The journal of a partial: which file its bytes are of, and how many of them can be trusted.

    {"schema": "comfywatchman.partial/1",
     "hub", "id", "url" (no query), "expected_size", "digests",      which file it is
     "size", "validator", "modified",                                as the server said
     "marks": [[end, sha256 of bytes 0…end], …],                     synced before written
     "pieces": [[start, end, sha256 of bytes start…end], …]}         the same, behind the marks

It holds no signed address, token or query. Anybody may have written one: it is believed only as far as the
bytes themselves bear it out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from ..catalog import RemoteFile
from ..decode import Value, parse_json
from .guard import strip_query

SCHEMA: Final = "comfywatchman.partial/1"
JOURNAL_LIMIT: Final = 4 << 20
_HEX: Final = re.compile(r"[0-9a-f]{64}")

Mark = tuple[int, str]  # (end, hex of the SHA-256 of all bytes before it)
Piece = tuple[int, int, str]  # (start, end, hex of the SHA-256 of the bytes between), behind the marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which remote file a partial is of; equal identities may share bytes."""

    hub: str
    id: str | None
    url: str
    expected_size: int | None
    digests: tuple[str, ...]

    @classmethod
    def of(cls, source: RemoteFile) -> Identity:
        """The identity of a hub's file. Its URL goes without query, which may be signed or hold a token."""
        return cls(
            hub=source.hub,
            id=source.id,
            url=strip_query(source.url),
            expected_size=source.size,
            digests=tuple(sorted(map(str, source.digests))),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What is known of a partial's bytes."""

    identity: Identity
    size: int | None = None
    validator: str | None = None
    modified: str | None = None
    marks: tuple[Mark, ...] = ()
    pieces: tuple[Piece, ...] = ()

    @property
    def done(self) -> int:
        """Bytes from the start that may be kept."""
        return self.marks[-1][0] if self.marks else 0

    @property
    def end(self) -> int:
        """Where the last of the bytes that may be kept ends."""
        return self.pieces[-1][1] if self.pieces else self.done

    @property
    def held(self) -> int:
        """All bytes that may be kept."""
        return self.done + sum(end - start for start, end, _ in self.pieces)

    def to_bytes(self) -> bytes:
        """The journal as it lies on disk."""
        identity = self.identity
        return json.dumps(
            {
                "schema": SCHEMA,
                "hub": identity.hub,
                "id": identity.id,
                "url": identity.url,
                "expected_size": identity.expected_size,
                "digests": identity.digests,
                "size": self.size,
                "validator": self.validator,
                "modified": self.modified,
                "marks": self.marks,
                "pieces": self.pieces,
            }
        ).encode()


def parse_journal(data: bytes) -> Journal:
    """Read a journal; anybody may have written it.

    Raises:
        DecodeError: it is none, or contradicts itself.
    """
    value = Value(parse_json(data, limit=JOURNAL_LIMIT))
    if value["schema"].text() != SCHEMA:
        raise value["schema"].fault(SCHEMA)
    identity = Identity(
        hub=value["hub"].text(),
        id=value["id"].text_or_none(),
        url=value["url"].text(),
        expected_size=value["expected_size"].integer_or_none(),
        digests=tuple(digest.text() for digest in value["digests"].items()),
    )
    marks = tuple((mark[0].integer(), mark[1].text()) for mark in value["marks"].items())
    ends = [end for end, _ in marks]
    if (
        ends != sorted(set(ends))
        or any(end <= 0 for end in ends)
        or not all(_HEX.fullmatch(h) for _, h in marks)
    ):
        raise value["marks"].fault("rising ends with SHA-256 digests")
    done = ends[-1] if ends else 0
    return Journal(
        identity=identity,
        size=value["size"].integer_or_none(),
        validator=value["validator"].text_or_none(),
        modified=value["modified"].text_or_none(),
        marks=marks,
        pieces=_parse_pieces(value["pieces"], done) if value["pieces"].json is not None else (),
    )


def _parse_pieces(value: Value, done: int) -> tuple[Piece, ...]:
    pieces = tuple((piece[0].integer(), piece[1].integer(), piece[2].text()) for piece in value.items())
    places = [place for start, end, _ in pieces for place in (start, end)]
    rises = places == sorted(set(places)) and (not places or 0 < done <= places[0])
    if not rises or not all(_HEX.fullmatch(hex_) for _, _, hex_ in pieces):
        raise value.fault("rising places behind the last mark, with SHA-256 digests")
    return pieces
