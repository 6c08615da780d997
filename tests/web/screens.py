"""The states of the panel and the pictures of them, for docs/reference/screens.md.

page = SCREENS["certain"].drive(stage)      # waits until that state stands
shoot(page, SCREENS["certain"], folder)     # dark and light, at 1280 and 1920
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import listscreens as lists
import pagescreens as pages
import transferscreens as transfers
from PIL import Image
from playwright.sync_api import FloatRect, Page
from scenery import GB
from webstage import HostPage

THEMES: Final = ("dark", "light")
SIZES: Final = {1280: 800, 1920: 1080}
CANVAS: Final = 310  # what is shown of the canvas beside the panel, in pixels


@dataclass(frozen=True, slots=True)
class Screen:
    """A state, how to come to it, and what of the page belongs to it."""

    drive: Callable[[Any], HostPage]  # of a Place
    whole: bool = False
    offline: bool = False
    free: int = 212 * GB  # on the drive of the models

    @property
    def name(self) -> str:
        """Its name in files."""
        return self.drive.__name__.replace("_", "-")


def _screens() -> Iterator[Screen]:
    yield from map(Screen, (lists.empty, lists.everything_here, lists.checking, lists.certain))
    yield from map(Screen, (lists.first_question, lists.mixed, lists.only_its_name, lists.choice))
    yield from map(Screen, (lists.gated, lists.login, lists.early_access, lists.own_word, lists.pickle))
    yield Screen(lists.refused)
    yield from map(Screen, (lists.not_found, lists.elsewhere, lists.hub_down, lists.server_gone))
    yield Screen(lists.offline, offline=True)
    yield Screen(lists.no_room, free=2 * GB)
    yield from map(Screen, (transfers.fetching, transfers.running, transfers.paused, transfers.queued))
    yield from map(
        Screen, (transfers.cancel_all, transfers.failed, transfers.history, transfers.no_transfers)
    )
    yield from map(Screen, (pages.node_menu, pages.settings, pages.tokens))
    for drive in (transfers.done, pages.badge, pages.run_dialog, pages.pinned, pages.settings_dialog):
        yield Screen(drive, whole=True)


SCREENS: Final[Mapping[str, Screen]] = {screen.name: screen for screen in _screens()}


_SETTLE: Final = """async () => {
  for (const one of document.querySelectorAll("wm-panel")) one.requestUpdate();
  await Promise.all(document.getAnimations().filter((one) => one.effect.getTiming().iterations !== Infinity)
    .map((one) => one.finished.catch(() => null)));
  for (let at = 0; at < 3; at += 1) await new Promise(requestAnimationFrame);
}"""


def shoot(page: HostPage, screen: Screen, folder: Path, *, prefix: str = "") -> list[Path]:
    """A picture of the state in each theme and size."""
    made = []
    for width, height in SIZES.items():
        page.page.set_viewport_size({"width": width, "height": height})
        for theme in THEMES:
            page.paint(theme)
            page.arrange()
            page.page.evaluate(_SETTLE)
            target = folder / f"{prefix}{screen.name}-{theme}-{width}.webp"
            keep(page.page, target, clip=None if screen.whole else beside_canvas(page.page))
            made.append(target)
    return made


def beside_canvas(page: Page) -> FloatRect:
    """The sidebar with the panel, and a strip of the canvas; the rest is empty."""
    panel = page.locator("wm-panel").bounding_box()
    size = page.viewport_size
    assert panel
    assert size
    return {"x": 0, "y": 0, "width": panel["x"] + panel["width"] + CANVAS, "height": size["height"]}


def keep(page: Page, target: Path, *, clip: FloatRect | None) -> None:
    """Write what the page shows as WebP: of 256 colours, so that it is small and letters stay sharp."""
    data = page.screenshot(clip=clip, caret="hide")
    with Image.open(io.BytesIO(data)) as picture:
        few = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.convert("RGB").save(target, lossless=True, quality=90, method=6)
