"""Plans: what will be done, as data.

A plan can be printed (a dry run costs nothing), shown in a browser, saved, and run tomorrow.
Its form in JSON is `comfywatchman.plan/1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .catalog import Json, RemoteFile
from .resolution import Ambiguous, Evidence, Found, Missing, Present


class Consent(StrEnum):
    """What a person must say before a file is fetched."""

    AUTOMATIC = "automatic"
    PLAN = "plan"
    FILE = "file"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One file to bring. `root` is the real directory, `path` the place below it with `/`."""

    source: RemoteFile
    root: str
    folder: str
    path: str
    evidence: Evidence
    consent: Consent
    reason: str

    def to_dict(self) -> dict[str, Json]:
        """The TRANSFER object of the JSON documents."""
        return {
            "folder": self.folder,
            "path": self.path,
            "root": self.root,
            "size": self.source.size,
            "url": self.source.url,
            "digests": [str(d) for d in self.source.digests],
            "consent": self.consent.value,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be fetched, what is here, and what stays open: together every active reference once."""

    transfers: tuple[Transfer, ...] = ()
    kept: tuple[Present, ...] = ()
    unresolved: tuple[Ambiguous | Missing | Found, ...] = ()
