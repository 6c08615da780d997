"""The numbers a run of transfers keeps to; tests and settings hand in others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIB: Final = 1 << 20
GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps, patience and pace. Sizes are bytes, times are seconds."""

    together: int = 4  # transfers at once; one place is kept for small files while any wait
    small: int = 64 * MIB  # what counts as small there
    connections: int = 16  # to one host at once, over all transfers

    bandwidth: int | None = None  # bytes a second over all transfers of a run

    segments: int = 16  # ranges of one file at once, at most
    segment: int = 8 * MIB  # bytes of one range
    segment_from: int = 16 * MIB  # files below come in one stream

    redirects: int = 5
    connect: float = 15.0
    stall: float = 60.0  # without progress, then the line counts as dead
    least: int = 16 * 1024  # bytes that must come within `stall`, and what counts as progress

    retries: int = 5  # in a row without progress
    lookups: int = 1  # the same where nobody knows the host's name: who is not online is told soon
    backoff: float = 1.0  # before the first retry; doubles each time
    patience: float = 3600.0  # the longest Retry-After that is waited for

    margin: int = 2 * GIB  # room that stays free on the target's file system, or
    margin_share: float = 0.05  # … this share of what is to be written, whichever is more
    reserve_from: int = 16 * MIB  # the room for files from this size on is set aside before they come
    largest: int = 200 * GIB  # one file
    files: int = 200  # one run
    total: int = 500 * GIB

    apart: int = 4 * MIB  # from so many bytes on a file is hashed by a thread of its own
    mark: int = 64 * MIB  # between two digests in a partial's journal
    checkpoint: float = 5.0  # between two writings of it
    report: float = 0.1  # between two words to the listener about one transfer
