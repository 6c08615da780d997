"""`status`: what is here, as a page needs it to begin with."""

from __future__ import annotations

from typing import Final

from .. import __version__
from ..catalog import Json, hub_title
from ..house import HUBS
from ..library.roots import Root
from .desk import Desk
from .places import Drive, Places, label_of
from .serving import Call

FEATURES: Final = ("inspections", "plans", "transfers", "settings", "tokens", "checkpoint", "previews")


def show_status(desk: Desk, _call: Call) -> dict[str, Json]:
    """`comfywatchman.status/1`."""
    places = desk.places()
    drives = {id_: places.drive_of(root.path) for id_, root in places}
    return {
        "schema": "comfywatchman.status/1",
        "version": __version__,
        "offline": desk.house.is_offline,
        "roots": [_root(id_, root, places, drives[id_]) for id_, root in places],
        "drives": [
            {"id": drive.id, "label": drive.label, "free": drive.free, "total": drive.total}
            for drive in {drive.id: drive for drive in drives.values() if drive}.values()
        ],
        "hubs": [_hub(desk, name) for name in HUBS],
        "queue": desk.feed.counts(),
        "fetch_certain": desk.house.settings().fetch_certain,
        "features": [*FEATURES],
    }


def _root(id_: str, root: Root, places: Places, drive: Drive | None) -> dict[str, Json]:
    return {
        "id": id_,
        "folder": root.folder,
        "label": label_of(root.path),
        "default": places.target_of(root.folder) == root.path,
        "writable": places.is_writable(root.path),
        "free": drive.free if drive else None,
        "drive": drive.id if drive else None,
    }


def _hub(desk: Desk, name: str) -> dict[str, Json]:
    token = desk.house.tokens.get(name)
    state, message = desk.hub_state(name)
    return {
        "name": name,
        "title": hub_title(name),
        "has_token": token is not None,
        "token_where": token.place if token else None,
        "state": state,
        "message": message,
    }
