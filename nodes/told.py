"""What a node tells the page after it ran, so that the browser can show words and keep the pin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..comfywatchman.catalog import Json
    from ..comfywatchman.obtained import Obtained
    from ..comfywatchman.pins import Pin
    from ..comfywatchman.summary import Summary


def tell(used: Iterable[tuple[Obtained, Summary]], *, kept: Iterable[Pin] = ()) -> dict[str, list[Json]]:
    """`ui` of an output: for each model its pin, local name, trigger words and recommended weight.

    With them goes the whole text that belongs into `pinned` now: what was pinned and is still meant, as it
    was, what is newly known, and `kept`, the pins of what the node names and does not use.
    """
    used = list(used)
    pins = [obtained.pin for obtained, _ in used if obtained.pin is not None]
    return {
        "comfywatchman_pinned": ["\n".join(dict.fromkeys(map(str, [*pins, *kept])))],
        "comfywatchman": [
            {
                "pinned": str(obtained.pin) if obtained.pin else "",
                "name": obtained.name,
                "words": list(summary.words),
                "weight": summary.weight,
            }
            for obtained, summary in used
        ],
    }
