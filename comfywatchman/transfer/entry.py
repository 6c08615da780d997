"""Entries of the queue: a transfer, where it stands, and how it ended.

    queued ──► running ──► verified | skipped | failed
       ▲▲        │  │
       │└────────┘  └──► paused ──► queued        anything open ──► cancelled
       └── retry ── failed | cancelled

An entry is known by root, path and content, so the same file is never queued twice. What is written down
holds no secret: an address with more in its query than is known to be harmless is not kept, and such an
entry can be carried out only by the process that has it in hand.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

from ..catalog import Json, Verification
from ..decode import Value, parse_json
from ..digest import parse_digest
from ..errors import HubError, Interrupted, WatchmanError
from ..names import fold, safe_path
from ..plan import Transfer
from ..planfile import read_transfer
from .events import Outcome, State
from .guard import strip_query

OPEN: Final = frozenset({State.QUEUED, State.RUNNING, State.PAUSED})
FINAL: Final = frozenset(State) - OPEN

# CivitAI's download addresses need theirs, and its pages: https://developer.civitai.com/docs/api/public-rest
_HARMLESS: Final = frozenset({"fileId", "modelVersionId", "type", "format", "size", "fp", "download"})
_WORD: Final = re.compile(r"\w{0,24}", re.ASCII)
_Member = TypeVar("_Member", State, Verification)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file of the queue. `done` are the bytes that lie here, `added` and `changed` seconds since 1970.

    `end` is how it ended, or why it is paused; `is_whole` is False where the address was not kept.
    """

    id: str
    transfer: Transfer
    state: State
    priority: int
    done: int
    added: float
    changed: float
    is_whole: bool = True
    end: Outcome | None = None

    @property
    def outcome(self) -> Outcome:
        """How it ended; for one that did not, why not."""
        if self.end is not None:
            return self.end
        told = {State.PAUSED: "paused; it goes on when it is resumed", State.CANCELLED: "cancelled"}
        error = Interrupted(f"{self.transfer.path}: {told.get(self.state, 'stopped')}")
        return failure(self.transfer, error, State.CANCELLED)


def failure(transfer: Transfer, error: WatchmanError, state: State = State.FAILED) -> Outcome:
    """The outcome of a transfer that brought nothing."""
    return Outcome(transfer=transfer, state=state, path=transfer.path, size=transfer.source.size, error=error)


def make_id(transfer: Transfer) -> str:
    """The id of a transfer's entry: the same for the same content under the same path.

    Raises:
        UnsafePath: the path is none for below a root.
    """
    source = transfer.source
    content = sorted(str(d) for d in source.digests if d.identifies)
    if not content:
        content = [source.hub, str(source.id), source.url, str(source.size), *map(str, source.digests)]
    place = [os.path.realpath(transfer.root), fold(safe_path(transfer.path))]
    return hashlib.sha256(json.dumps([place, content]).encode()).hexdigest()[:16]


def host_of(url: str) -> str:
    """The host and port of a URL, by which rests are kept; empty for one that has none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""


def write_transfer(transfer: Transfer) -> tuple[str, bool]:
    """A transfer as it is kept, without secrets; and whether its address is still whole."""
    source = transfer.source
    kept = replace(
        transfer,
        source=replace(source, url=_harmless(source.url), page=source.page and _harmless(source.page)),
        references=tuple(replace(r, url=r.url and _harmless(r.url)) for r in transfer.references),
    )
    return json.dumps(kept.to_dict()), kept.source.url == source.url


def parse_transfer(text: str) -> Transfer:
    """A transfer that was kept; anybody may have written it.

    Raises:
        InputError: it is none.
    """
    return read_transfer(Value(parse_json(text)))


def write_end(outcome: Outcome) -> str:
    """How an entry ended, as it is kept."""
    error: Json = None
    if outcome.error is not None:
        error = {**outcome.error.to_dict(), "hub": getattr(outcome.error, "hub", None)}
    return json.dumps(
        {
            "state": outcome.state.value,
            "path": outcome.path,
            "verification": outcome.verification.value,
            "digests": [str(digest) for digest in outcome.digests],
            "size": outcome.size,
            "seconds": outcome.seconds,
            "weak_publish": outcome.weak_publish,
            "error": error,
        }
    )


def parse_end(text: str, transfer: Transfer) -> Outcome:
    """How an entry ended.

    Raises:
        InputError: the text says nothing of the kind.
    """
    value = Value(parse_json(text))
    return Outcome(
        transfer=transfer,
        state=read_member(value["state"], State),
        path=safe_path(value["path"].text()),
        verification=read_member(value["verification"], Verification),
        digests=tuple(parse_digest(digest.text()) for digest in value["digests"].items()),
        size=value["size"].integer_or_none(),
        seconds=value["seconds"].number(),
        weak_publish=value["weak_publish"].flag(),
        error=_read_error(value["error"]),
    )


def read_member(value: Value, members: type[_Member]) -> _Member:
    """The member of an enumeration that a text names.

    Raises:
        InputError: there is no such member.
    """
    try:
        return members(value.text())
    except ValueError as fault:
        raise value.fault(" or ".join(members)) from fault


def _read_error(value: Value) -> WatchmanError | None:
    """The error that was kept, in its own class where that is known."""
    if value.json is None:
        return None
    message, hint = value["message"].text(), value["hint"].text()
    kind = _kinds().get(value["code"].text(), WatchmanError)
    if issubclass(kind, HubError):
        return kind(message, hub=value["hub"].text(), hint=hint)
    return kind(message, hint=hint)


def _kinds() -> Mapping[str, type[WatchmanError]]:
    """Our errors by code."""

    def below(kind: type[WatchmanError]) -> Iterator[type[WatchmanError]]:
        yield kind
        for inner in kind.__subclasses__():
            yield from below(inner)

    return {kind.code: kind for kind in reversed([*below(WatchmanError)])}


def _harmless(url: str) -> str:
    """A URL that may be written down: as it is if nothing in it can be a secret, else without its query."""
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        return strip_query(url)
    fine = all(key in _HARMLESS and _WORD.fullmatch(value) for key, value in pairs)
    return url if fine and "@" not in parts.netloc and not parts.fragment else strip_query(url)
