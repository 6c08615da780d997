"""What a person gives `fetch`: files on this disk (workflows, saved plans) and models on a hub."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..air import HubLink, parse_thing
from ..decode import MIB
from ..errors import InvalidAir, InvalidWorkflow
from ..plan import Plan
from ..planfile import is_plan, read_plan

_MOST: Final = 20 * MIB  # a larger file is no saved plan
_LIKE_A_PATH: Final = re.compile(
    r"[\\/]|^[.~]|\.(json|png|webp|jpe?g|avif|mp4|webm|mkv|mov|flac|mp3|opus)$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Things:
    """Sorted things, each kind in the order given."""

    workflows: tuple[Path, ...] = ()
    plans: tuple[Plan, ...] = ()
    links: tuple[HubLink, ...] = ()


def sort_things(things: Sequence[str]) -> Things:
    """Tell workflows and saved plans from what is meant on a hub; a file on this disk wins.

    Raises:
        InvalidWorkflow: it looks like a file and there is none.
        InvalidPlan: a saved plan cannot be read.
        InvalidAir: no model is meant by it.
    """
    workflows: list[Path] = []
    plans: list[Plan] = []
    links: list[HubLink] = []
    for thing in things:
        if not os.path.exists(thing):  # noqa: PTH110 - unlike Path.exists it never raises
            links.append(_link(thing))
        elif (saved := _saved_plan(Path(thing))) is not None:
            plans.append(saved)
        else:
            workflows.append(Path(thing))
    return Things(workflows=tuple(workflows), plans=tuple(plans), links=tuple(links))


def _link(thing: str) -> HubLink:
    try:
        return parse_thing(thing)
    except InvalidAir as fault:
        if "://" in thing or not _LIKE_A_PATH.search(thing):
            raise
        raise InvalidWorkflow(f"{thing[:200]}: no such file", hint="Check the path.") from fault


def _saved_plan(path: Path) -> Plan | None:
    """The plan in a file; None for everything else, which is for the reader of workflows to judge."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST + 1)
    except OSError:
        return None
    return read_plan(data) if len(data) <= _MOST and is_plan(data) else None
