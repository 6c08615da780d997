"""Pins: which version of a model a workflow was made with, as a line of text kept in it.

    civitai:929497@2247497+4211 sha256:9f86d0… ink v3.safetensors
    hf:owner/repo@5fe2…/style/ink.safetensors sha256:9f86d0… ink.safetensors
    sha256:9f86d0… ink.safetensors

Where it came from, what it contains, what it was called here; each may be missing but the name. A space in an
address is written %20. Several pins stand in several lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from .air import CivitaiLink, HubLink, HuggingFaceLink
from .catalog import base_name
from .digest import Digest, parse_digest
from .errors import InvalidAir, InvalidDigest, InvalidPin
from .names import fold, printable

_CIVITAI: Final = re.compile(r"civitai:(\d{1,10})?(?:@(\d{1,10}))?(?:\+(\d{1,10}))?", re.ASCII)
_REPOSITORY: Final = re.compile(r"hf:([^/@]+/[^/@]+)(?:@([^/]+))?(?:/(.+))?")
_LONGEST: Final = 20_000
_MOST: Final = 500  # as many as a stack has LoRAs


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One release of one file. `name` is its base name here, for people and for telling pins apart."""

    name: str
    link: HubLink | None = None
    digest: Digest | None = None

    def __str__(self) -> str:
        parts = (_print_link(self.link) if self.link else None, self.digest, self.name)
        return " ".join(str(part) for part in parts if part is not None)


def parse_pins(text: str) -> tuple[Pin, ...]:
    """Read pins, one a line; empty lines count for nothing.

    >>> [pin] = parse_pins("civitai:929497@2247497 ink.safetensors")
    >>> pin.link
    CivitaiLink(model_id=929497, version_id=2247497, file_id=None)

    Raises:
        InvalidPin: a line means nothing.
    """
    if len(text) > _LONGEST:
        raise InvalidPin(f"pinned: {len(text):,} characters are more than any pin has")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _MOST:
        raise InvalidPin(f"pinned: {len(lines)} pins, at most {_MOST} are taken")
    return tuple(map(_parse, lines))


def choose_pin(pins: Iterable[Pin], thing: HubLink | str) -> Pin | None:
    """The pin that is about a thing: what a link points at, or a local name; None if there is none.

    A link that names less than the pin (a model without a version, a file on `main`) is pinned down by it.
    """
    if isinstance(thing, str):
        wanted = fold(base_name(thing))
        return next((pin for pin in pins if fold(pin.name) == wanted), None)
    return next((pin for pin in pins if pin.link is not None and _agrees(thing, pin.link)), None)


def _agrees(thing: HubLink, pinned: HubLink) -> bool:
    match thing, pinned:
        case CivitaiLink(), CivitaiLink():
            if thing.version_id is None:
                same = thing.model_id == pinned.model_id
            else:
                same = thing.version_id == pinned.version_id and _may_be(thing.model_id, pinned.model_id)
            return same and _may_be(thing.file_id, pinned.file_id)
        case HuggingFaceLink(), HuggingFaceLink():
            revisions = {"main", pinned.revision}
            same = thing.repo == pinned.repo and thing.revision in revisions
            return same and (thing.path is None or thing.path == pinned.path)
    return False


def _may_be(asked: int | None, got: int | None) -> bool:
    return asked is None or got is None or asked == got


def _parse(line: str) -> Pin:
    link: HubLink | None = None
    digest: Digest | None = None
    first, _, rest = line.partition(" ")
    if first.startswith(("civitai:", "hf:")):
        link = _parse_link(first)
        first, _, rest = rest.strip().partition(" ")
    if first.startswith("sha256:"):
        try:
            digest = parse_digest(first)
        except InvalidDigest as fault:
            raise InvalidPin(f"pinned: {fault.message}") from fault
        first, rest = "", rest.strip()
    name = f"{first} {rest}".strip()
    if not name or (link is None and digest is None) or len(name) > 255 or name != printable(name):
        raise InvalidPin(f"pinned: expected an address, sha256:… and a name, got {line[:80]!r}")
    return Pin(name=base_name(name), link=link, digest=digest)


def _parse_link(text: str) -> HubLink:
    try:
        if found := _CIVITAI.fullmatch(text):
            model, version, file = (int(number) if number else None for number in found.groups())
            return CivitaiLink(model_id=model, version_id=version, file_id=file)
        if found := _REPOSITORY.fullmatch(text):
            repo, revision, path = (unquote(part) if part else None for part in found.groups())
            return HuggingFaceLink(repo=repo or "", revision=revision or "main", path=path)
    except InvalidAir as fault:
        raise InvalidPin(f"pinned: {fault.message}") from fault
    raise InvalidPin(f"pinned: expected an address, got {text[:80]!r}")


def _print_link(link: HubLink) -> str:
    if isinstance(link, CivitaiLink):
        marks = (("", link.model_id), ("@", link.version_id), ("+", link.file_id))
        return "civitai:" + "".join(f"{mark}{number}" for mark, number in marks if number is not None)
    revision = "" if link.revision == "main" else f"@{quote(link.revision, safe='')}"
    path = f"/{quote(link.path)}" if link.path else ""
    return f"hf:{link.repo}{revision}{path}"
