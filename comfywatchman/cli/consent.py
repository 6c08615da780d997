"""What a person allows: asked in a terminal, given by options elsewhere.

Without a terminal and without options only what is certain is fetched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..consent import Consent
from ..errors import InputError
from ..names import printable
from ..plan import Transfer
from ..resolution import Ambiguous, Resolution, pick
from .tables import format_total

Ask = Callable[[str, bool], bool]  # question, default → answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants:
    """What was allowed beforehand. `ask` is None where nobody can answer."""

    yes: bool = False
    certain: bool = False  # what is certain needs no question, by the settings
    allow_pickle: bool = False
    picked: frozenset[str] = frozenset()  # URLs chosen by hand
    ask: Ask | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What may be fetched now, and what would need a word that nobody gave."""

    granted: tuple[Transfer, ...]
    withheld: tuple[Transfer, ...] = field(default=())


def decide(transfers: Sequence[Transfer], grants: Grants) -> Decision:
    """Sort transfers into granted and withheld, asking where somebody can answer.

    In a terminal one question covers the plan; every file on a foreign host, every pickle and every
    doubtful format is a question of its own, whose default is no.
    """
    ordinary = [t for t in transfers if _is_ordinary(t)]
    granted = {id(t) for t in ordinary if _is_granted(t, grants)}
    asked = [t for t in ordinary if id(t) not in granted]
    if grants.ask is not None and asked and grants.ask(_plan_question(asked), True):
        granted.update(map(id, asked))
    for transfer in transfers:
        if not _is_ordinary(transfer) and _granted_alone(transfer, grants):
            granted.add(id(transfer))
    return Decision(
        granted=tuple(t for t in transfers if id(t) in granted),
        withheld=tuple(t for t in transfers if id(t) not in granted),
    )


def parse_picks(texts: Sequence[str]) -> dict[str, int]:
    """Read `NAME=INDEX` options; the index counts from 1.

    Raises:
        InputError: one is written otherwise.
    """
    picks: dict[str, int] = {}
    for text in texts:
        name, equals, index = text.rpartition("=")
        if not (equals and name and index.isdecimal() and int(index) > 0):
            raise InputError(f"--pick: expected NAME=INDEX, got {text!r}", hint="The index counts from 1.")
        picks[name] = int(index)
    return picks


def pick_keys(resolutions: Iterable[Resolution]) -> dict[tuple[str, str], str]:
    """What --pick calls each ambiguous model, by its folder and name: the shortest name that is its alone."""
    places = {_place(r) for r in resolutions if isinstance(r, Ambiguous)}
    names = [[place[1].rpartition("/")[2], place[1], "/".join(place)] for place in places]
    uses = Counter(name for some in names for name in dict.fromkeys(some))
    return {
        place: next((name for name in some if uses[name] == 1), some[-1])
        for place, some in zip(places, names, strict=True)
    }


def choose(resolutions: Sequence[Resolution], picks: Mapping[str, int]) -> list[Resolution]:
    """Turn the ambiguous references that were picked into found ones.

    Raises:
        InputError: a pick names no ambiguous model, several, or an index it does not have.
    """
    keys = pick_keys(resolutions)
    picked: dict[tuple[str, str], int] = {}
    for name, index in picks.items():
        meant = [place for place in keys if name in (keys[place], place[1], "/".join(place))]
        if len(meant) != 1:
            raise _no_such_pick(name, keys)
        picked[meant[0]] = index
    return [_pick(r, picked[_place(r)]) if _place(r) in picked else r for r in resolutions]


def _no_such_pick(name: str, keys: Mapping[tuple[str, str], str]) -> InputError:
    shared = [key for place, key in keys.items() if place[1].rpartition("/")[2] == name]
    if shared:
        return InputError(f"--pick: {name!r} means several: {', '.join(sorted(shared))}")
    names = ", ".join(sorted(keys.values())) or "none"
    return InputError(f"--pick: {name!r} has no candidates to choose from; these have: {names}")


def _pick(resolution: Resolution, index: int) -> Resolution:
    if not isinstance(resolution, Ambiguous):
        return resolution
    if index > len(resolution.candidates):
        name = resolution.reference.name
        raise InputError(f"--pick: {name} has {len(resolution.candidates)} candidates, got index {index}")
    return pick(resolution, index - 1)


def _place(resolution: Resolution) -> tuple[str, str]:
    return resolution.reference.folder, resolution.reference.name


def _is_ordinary(transfer: Transfer) -> bool:
    """Whether the plan's one question covers it."""
    certain = transfer.consent is Consent.AUTOMATIC
    return certain or (transfer.consent is Consent.PLAN and transfer.source.format != "pickle")


def _is_granted(transfer: Transfer, grants: Grants) -> bool:
    """Whether an ordinary file needs no question, or none can be asked and it is allowed all the same."""
    if transfer.consent is Consent.AUTOMATIC:
        return grants.yes or grants.certain or grants.ask is None
    return grants.yes or (grants.ask is None and _covered(transfer, grants))


def _covered(transfer: Transfer, grants: Grants) -> bool:
    return grants.yes or transfer.source.url in grants.picked


def _granted_alone(transfer: Transfer, grants: Grants) -> bool:
    """Whether a file with a question of its own is allowed."""
    if transfer.consent is Consent.REFUSED:
        return False
    if transfer.consent is Consent.PLAN and grants.allow_pickle and _covered(transfer, grants):
        return True  # a pickle about which nothing else is doubtful
    return grants.ask is not None and grants.ask(_file_question(transfer), False)


def _plan_question(transfers: Sequence[Transfer]) -> str:
    count = f"{len(transfers)} files" if len(transfers) > 1 else transfers[0].path
    return f"Fetch {count} ({format_total([t.source.size for t in transfers])})?"


def _file_question(transfer: Transfer) -> str:
    size = format_total([transfer.source.size])
    what = printable(f"{transfer.path} ({size}) is {transfer.reason}.")
    return f"{what}\n  {printable(transfer.source.url)}\nFetch it?"
