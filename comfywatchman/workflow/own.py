"""Our own nodes: which files they load, read as they read their inputs when they run.

    ckpt_name, lora_name   a name here, unless
    source                 says something: a link, an id, an AIR, or a name
    loras                  a stack, a line each, of such names and links
    pinned                 which release, and which bytes, of these the workflow was made with

What cannot be read names nothing here: the node says so when it runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from ..air import CivitaiLink, HubLink, clean_url, parse_thing
from ..catalog import Json
from ..errors import InvalidAir, InvalidPin, InvalidStack
from ..pins import Pin, choose_pin, parse_pins
from ..stacks import parse_stack
from .loaders import Row
from .node import Place
from .texts import is_model_file

_NOTHING: Final = frozenset({"", "none", "None"})
_LONGEST: Final = 2000
_STACKED: Final = "loras"


def find_own(row: Row, said: Mapping[str, Json]) -> Iterator[Place]:
    """The files that one of our nodes loads, given what its inputs say."""
    texts = {slot.role: (slot, _text(said.get(slot.name))) for slot in row.slots}
    pinned = texts["pins"][1]
    if "stack" in texts:
        slot, text = texts["stack"]
        yield from _find_rows(slot.name, text, pinned)
        return
    folders = texts["file"][0].folders
    for role in ("source", "file"):
        slot, text = texts[role]
        if text not in _NOTHING:
            yield from _find(slot.name, text, folders, _read_pins(pinned))
            return


@lru_cache(maxsize=8)  # a stack in a subgraph is met as often as that is used
def _find_rows(input_name: str, text: str, pinned: str) -> tuple[Place, ...]:
    try:
        rows = parse_stack(text)
    except InvalidStack:
        return ()
    pins = _read_pins(pinned)
    found = (_find(input_name, row.name.strip(), (_STACKED,), pins, active=row.on) for row in rows)
    return tuple(place for places in found for place in places)


def _find(
    input_name: str, text: str, folders: tuple[str, ...], pins: Sequence[Pin], *, active: bool = True
) -> Iterator[Place]:
    link = _read_link(text)
    if link is None and ("://" in text or not is_model_file(text)):  # the node takes no other site's address
        return
    pin = choose_pin(pins, text if link is None else link)
    wanted = pin.link if pin is not None and pin.link is not None else link
    yield Place(
        input_name,
        text if link is None else clean_url(text) or text,
        folders,
        active,
        url=_address(wanted) if wanted is not None else None,
        digest=pin.digest if pin is not None else None,
        linked=link is not None,
    )


def _address(link: HubLink) -> str:
    """Where the release itself is, so that a link that nobody can be asked about is no page for people."""
    if isinstance(link, CivitaiLink) and link.version_id is not None:
        link = CivitaiLink(version_id=link.version_id, file_id=link.file_id)
    return str(link)


def _read_link(text: str) -> HubLink | None:
    if len(text) > _LONGEST:
        return None
    try:
        return parse_thing(text)
    except InvalidAir:
        return None


def _read_pins(text: str) -> Sequence[Pin]:
    try:
        return parse_pins(text)
    except InvalidPin:
        return ()


def _text(value: Json) -> str:
    """A value as ComfyUI gives it to a node that takes a text: a number counts, too."""
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
