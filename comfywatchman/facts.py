"""What a sidecar, or a model file's own header, says of the file.

Nothing of it is verified: other programs and people wrote it. None and empty mean that it does not say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .catalog import Json
from .digest import Digest
from .triggers import merge_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The statements of one source.

    `own_words`, `notes` and the weights are the user's own; `trigger_words` come from the author.
    `common_tags` are what the pictures it was trained on were tagged with most often, which is a hint
    only. `digests` are of the file that the source speaks of, which may be another one than it lies beside.
    """

    model_name: str | None = None
    version_name: str | None = None
    base_model: str | None = None
    author: str | None = None
    licence: str | None = None
    description: str | None = None
    trigger_words: tuple[str, ...] = ()
    own_words: tuple[str, ...] = ()
    common_tags: tuple[str, ...] = ()
    notes: str | None = None
    weight: float | None = None
    weight_min: float | None = None
    weight_max: float | None = None
    model_id: int | None = None  # CivitAI's
    version_id: int | None = None
    page: str | None = None
    digests: tuple[Digest, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """The FACTS object of the JSON documents."""
        return {
            "model_name": self.model_name,
            "version_name": self.version_name,
            "base_model": self.base_model,
            "author": self.author,
            "licence": self.licence,
            "description": self.description,
            "trigger_words": list(self.trigger_words),
            "own_words": list(self.own_words),
            "common_tags": list(self.common_tags),
            "notes": self.notes,
            "weight": self.weight,
            "weight_min": self.weight_min,
            "weight_max": self.weight_max,
            "model_id": self.model_id,
            "version_id": self.version_id,
            "page": self.page,
            "digests": [str(digest) for digest in self.digests],
        }


def preferred_words(sidecars: Sequence[Facts], header: Facts, published: Sequence[str]) -> tuple[str, ...]:
    """The trigger words to use: the user's own, else the sidecars', else the header's, else the hub's."""
    ranks = (
        merge_words(*(facts.own_words for facts in sidecars)),
        merge_words(*(facts.trigger_words for facts in sidecars)),
        header.trigger_words,
    )
    return next(filter(None, ranks), merge_words(published))
