"""Which example image of a version stands for it.

    images  [{url, nsfwLevel, nsfw?, type, meta, …}, …]   ──►   the tamest still one, the first of several

Levels are CivitAI's: PG 1, PG-13 2, R 4, X 8, XXX 16, blocked 32. Records of 2023 have words instead. What
has no level yet counts as the highest. Source: the site's `src/shared/constants/browsingLevel.constants.ts`.
"""

from __future__ import annotations

import re
from typing import Final

from ...catalog import Json, Preview
from ...decode import Value

# https only; the site's own names for its image storage.
IMAGE_HOSTS: Final = frozenset({"image.civitai.com", "image-b2.civitai.com"})

_LEVELS: Final = frozenset({1, 2, 4, 8, 16})
_WORDS: Final = {"None": 1, "Soft": 2, "Mature": 4, "X": 8}
_BLOCKED: Final = 32
_HIGHEST: Final = 16
_LONGEST: Final = 1000
# …/ID/original=true/NAME.jpeg: the last folder says which form is wanted.
_FORM: Final = re.compile(r"/(?:original=true|width=\d{1,5})(?=/[^/?#]+\Z)")


def preview_of(version: Value) -> Preview | None:
    """The image to show for a version, in a small form; None where there is none."""
    images = version["images"]
    shown = [_preview(image) for image in images.items()] if isinstance(images.json, list) else []
    return min((one for one in shown if one), key=lambda one: one.level, default=None)


def trimmed_images(images: Json) -> Json:
    """Example images without all that is not needed to find the preview again."""
    preview = preview_of(Value({"images": images}))
    return [{"url": preview.url, "nsfwLevel": preview.level, "type": "image"}] if preview else []


def _preview(image: Value) -> Preview | None:
    url, level = image["url"].text_or_none(), _level(image)
    if not url or len(url) > _LONGEST or image["type"].text_or_none() not in (None, "image"):
        return None
    return None if level >= _BLOCKED else Preview(url=_FORM.sub("/width=450", url), level=level)


def _level(image: Value) -> int:
    level = image["nsfwLevel"].integer_or_none()
    if level is None:
        level = _WORDS.get(image["nsfw"].text_or_none() or "", _HIGHEST)
    return level if level in _LEVELS or level >= _BLOCKED else _HIGHEST
