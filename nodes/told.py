"""What a node tells the page after it ran, so that the browser can show words and keep the pin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..comfywatchman.catalog import Json
    from ..comfywatchman.obtained import Obtained
    from ..comfywatchman.summary import Summary


def tell(used: Iterable[tuple[Obtained, Summary]]) -> dict[str, list[Json]]:
    """`ui` of an output: for each model its pin, local name, trigger words and recommended weight."""
    return {
        "comfywatchman": [
            {
                "pinned": str(obtained.pin) if obtained.pin else "",
                "name": obtained.name,
                "words": list(summary.words),
                "weight": summary.weight,
            }
            for obtained, summary in used
        ]
    }
