"""`previews`: the pictures of a plan's candidates, under ids that only the plan's page can know.

<plan's id>.<mark of the address>     the address itself stays here
"""

from __future__ import annotations

import hashlib
from typing import Final

from ..catalog import Preview, RemoteFile
from ..house import House
from .desk import Desk
from .errors import PreviewGone
from .serving import PREFIX, Call

# What the setting `preview_level` shows, by the levels of `catalog.Preview`.
_MOST: Final = {"none": 0, "safe": 2, "mature": 4, "all": 16}


def level_of(house: House) -> str:
    """Which pictures may be shown now: none where hubs are not asked."""
    return "none" if house.is_offline else house.settings().preview_level


def link_preview(file: RemoteFile, *, plan: str, level: str) -> str | None:
    """The path of a candidate's picture, if it has one that the setting shows."""
    preview = file.preview
    return f"{PREFIX}previews/{plan}.{_mark(preview)}" if preview and _is_shown(preview, level) else None


def show_preview(desk: Desk, call: Call) -> bytes:
    """The picture of a candidate of a plan that is still there."""
    plan, _, mark = call.path["id"].partition(".")
    level = level_of(desk.house)
    for item in desk.plans.get(plan).snapshot.items:
        for option in item.options:
            preview = option.candidate.file.preview
            if preview and _is_shown(preview, level) and _mark(preview) == mark:
                return desk.previews.get(preview.url)
    raise PreviewGone("the plan has no such picture, or the setting `preview_level` hides it")


def _is_shown(preview: Preview, level: str) -> bool:
    return preview.level <= _MOST[level]


def _mark(preview: Preview) -> str:
    return hashlib.sha256(preview.url.encode()).hexdigest()[:16]
