"""Pieces of CivitAI's records that sidecars keep as they are: an author's permissions, and hashes.

They are read in one place, so that a hub's answer and a sidecar made of it say the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, get_args

from .decode import Value
from .digest import Algorithm, Digest
from .errors import InvalidDigest


def licence_of(model: Value) -> str | None:
    """The author's permissions in one line, or None when the record has none.

    `allowCommercialUse` is a list today, was a word in 2023 and is `{A,B}` on some ways.
    """
    uses = model["allowCommercialUse"].json
    words = uses if isinstance(uses, list) else str(uses or "").strip("{}").split(",")
    said = [str(word).strip() for word in words if isinstance(word, str) and word.strip()]
    known = [key for key in _PERMISSIONS if isinstance(model[key].json, bool)]
    if uses is None and not known:
        return None
    commercial = ", ".join(said) if said and said != ["None"] else "none"
    return "; ".join([f"commercial use: {commercial}", *(_PERMISSIONS[k][model[k].flag()] for k in known)])


_PERMISSIONS: Final = {
    "allowNoCredit": ("credit required", "no credit required"),
    "allowDerivatives": ("no derivatives", "derivatives allowed"),
    "allowDifferentLicense": ("same licence for derivatives", "other licence for derivatives allowed"),
}


def digests_of(hashes: Value) -> tuple[Digest, ...]:
    """The digests of a `hashes` object; what is none is left out."""
    digests = []
    for name, value in _entries(hashes):
        for algorithm in get_args(Algorithm):
            if name.lower() == algorithm and (text := value.text_or_none()):
                digests.extend(_digest(algorithm, text))
    return tuple(sorted(digests, key=lambda digest: get_args(Algorithm).index(digest.algorithm)))


def _digest(algorithm: Algorithm, text: str) -> list[Digest]:
    try:
        return [Digest(algorithm, text.strip().lower())]
    except InvalidDigest:
        return []


def _entries(value: Value) -> Iterator[tuple[str, Value]]:
    return value.entries() if isinstance(value.json, dict) else iter(())
