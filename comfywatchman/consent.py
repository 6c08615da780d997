"""Consent: what a person must say before a file is fetched, and why.

    file, evidence, Policy ──judge──▶ (AUTOMATIC | PLAN | FILE | REFUSED, the reason in words)

The levels are those of `docs/explanation/trust.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from .catalog import Access, RemoteFile, Scan, extension
from .hostname import host_fault
from .resolution import Evidence

GIB: Final = 1 << 30

# What opens a file that its hub does not give to everybody.
_LOCKED: Final = {
    Access.LOGIN: "needs an account",
    Access.GATED: "gated: ask for access on its page",
    Access.EARLY: "early access: buy it on its page",
}
_PICKLE: Final = "a pickle: it can run code when it is loaded"


class Consent(StrEnum):
    """What a person must say before a file is fetched."""

    AUTOMATIC = "automatic"
    PLAN = "plan"
    FILE = "file"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What may be fetched. Sizes in bytes; `mirrors` are origins (scheme://host:port) the user configured."""

    automatic_size: int = 30 * GIB
    largest_size: int = 200 * GIB
    mirrors: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()  # further hosts the user allowed
    tokens: frozenset[str] = frozenset()  # hubs whose token is set
    pickles: bool = False  # the user allowed pickle formats beforehand
    offline: bool = False  # nothing is fetched now, whoever agrees


def judge(file: RemoteFile, evidence: Evidence, policy: Policy) -> tuple[Consent, str]:
    """What consent a file needs and why, in words for a person.

    The strictest level that applies wins.
    """
    if policy.offline:
        return Consent.REFUSED, "offline nothing is fetched"
    return (
        _never(file, policy)
        or _each_file(file, policy)
        or _one_click(file, evidence, policy)
        or _certain(file)
    )


def _certain(file: RemoteFile) -> tuple[Consent, str]:
    return Consent.AUTOMATIC, f"{file.giver} publishes its digest"


def _never(file: RemoteFile, policy: Policy) -> tuple[Consent, str] | None:
    if fault := _address_fault(file.url, policy):
        return Consent.REFUSED, fault
    if file.format == "archive":
        return Consent.REFUSED, "an archive: nothing is unpacked"
    if file.size is not None and file.size > policy.largest_size:
        return Consent.REFUSED, f"larger than {policy.largest_size / GIB:.0f} GiB"
    if file.access is Access.WITHDRAWN:
        return Consent.REFUSED, f"{file.giver} no longer gives this file"
    if file.access in _LOCKED and file.hub not in policy.tokens:
        return Consent.REFUSED, f"{_LOCKED[file.access]}, then `comfywatchman token set {file.hub}`"
    return None


def _address_fault(url: str, policy: Policy) -> str | None:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http"):
        return f"{parts.scheme or 'no'} address: only https is fetched"
    return None if _origin(url) in policy.mirrors else host_fault(parts)


def _each_file(file: RemoteFile, policy: Policy) -> tuple[Consent, str] | None:
    is_pickle = file.format == "pickle"
    if doubt := _doubt(file, policy):
        return Consent.FILE, f"{doubt}; {_PICKLE}" if is_pickle else doubt
    if is_pickle and not (policy.pickles or _is_vouched(file)):
        return Consent.FILE, _PICKLE
    if file.format in ("other", "onnx"):
        return (
            Consent.FILE,
            f"{extension(file.name) or 'no extension'}: not a format known to hold only weights",
        )
    return None


def _doubt(file: RemoteFile, policy: Policy) -> str | None:
    """What speaks against a file, whatever its format."""
    parts = urlsplit(file.url)
    is_mirror = _origin(file.url) in policy.mirrors
    if parts.scheme == "http" and not is_mirror:
        return f"plain http from {parts.netloc}"
    if file.hub == "web" and not is_mirror and parts.hostname not in policy.hosts:
        return f"from {parts.hostname}, which is no hub"
    return f"{file.giver}'s scanners warn of this file" if file.scan is Scan.FAILED else None


def _one_click(file: RemoteFile, evidence: Evidence, policy: Policy) -> tuple[Consent, str] | None:
    if file.format == "pickle" and not _is_vouched(file):
        return Consent.PLAN, _PICKLE
    if file.format == "pickle":
        return Consent.PLAN, f"{_PICKLE}; {file.giver} publishes its digest, and its scans passed"
    if evidence <= Evidence.NAME:
        return Consent.PLAN, "only its name says that it is the one"
    if not (file.digest("sha256") or file.digest("blake3")):
        return Consent.PLAN, "no digest of it is known"
    if file.size is not None and file.size > policy.automatic_size:
        return Consent.PLAN, f"larger than {policy.automatic_size / GIB:.0f} GiB"
    return None


def _is_vouched(file: RemoteFile) -> bool:
    """Whether the hub's record gives a digest and its scanners found nothing."""
    return file.digest("sha256") is not None and file.scan is Scan.PASSED


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
