"""What is known of one model, put together from all who say something, as faces show it.

    Description (file, sidecars, hubs' records) + Origin (the index) ──summarize──▶ Summary

Of several statements the nearest one counts: the sidecars', where the user's own are, the index', the hub's,
the header's. Trigger words are chosen by `facts.preferred_words`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from .catalog import LocalFile, RemoteFile
from .facts import Facts, preferred_words
from .library.origin import Origin
from .report import Description
from .triggers import merge_words

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One model in a few words. `base_models` is everything said of what it was made for, best first.

    `preview` is an image or video beside the file. None and empty mean that nobody says it.
    """

    name: str
    model_name: str | None = None
    version_name: str | None = None
    base_models: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    licence: str | None = None
    weight: float | None = None
    weight_min: float | None = None
    weight_max: float | None = None
    notes: str | None = None
    page: str | None = None
    preview: Path | None = None

    @property
    def base_model(self) -> str | None:
        """What it was made for, in the best words there are."""
        return next(iter(self.base_models), None)

    @property
    def title(self) -> str:
        """What people call it."""
        parts = [part for part in (self.model_name, self.version_name) if part]
        return " · ".join(parts) or self.name

    @property
    def advice(self) -> str:
        """The settings its author or the user recommend, a line each."""
        lines = []
        if self.weight is not None:
            lines.append(f"weight: {self.weight:g}")
        if self.weight_min is not None and self.weight_max is not None:
            lines.append(f"weight range: {self.weight_min:g} to {self.weight_max:g}")
        if self.notes:
            lines.append(self.notes.strip())
        return "\n".join(lines)

    def __str__(self) -> str:
        """A few lines for people."""
        rows = (
            ("", self.title),
            ("file: ", self.name if self.title != self.name else None),
            ("base model: ", self.base_model),
            ("trigger words: ", ", ".join(self.words)),
            ("", self.advice),
            ("licence: ", self.licence),
            ("page: ", self.page),
        )
        return "\n".join(f"{label}{text}" for label, text in rows if text)


def summarize(description: Description, origin: Origin | None = None) -> Summary:
    """Put together what a description and the index say."""
    examined = description.examined
    digests = examined.file.digests if examined else ()
    beside = examined.beside.sidecars if examined else ()
    sidecars = [sidecar.facts for sidecar in beside if sidecar.is_of(digests) is not False]
    header = examined.inside.facts if examined else Facts()
    hubs = [*([origin.facts] if origin else []), *map(_of_hub, description.files)]
    said = [*sidecars, *hubs, header]
    preview = examined.beside.preview if examined else None
    return Summary(
        name=_name(description),
        model_name=_first(facts.model_name for facts in said),
        version_name=_first(facts.version_name for facts in said),
        base_models=tuple(dict.fromkeys(facts.base_model for facts in said if facts.base_model)),
        words=preferred_words(sidecars, header, merge_words(*(facts.trigger_words for facts in hubs))),
        licence=_first(facts.licence for facts in said),
        weight=_first(facts.weight for facts in said),
        weight_min=_first(facts.weight_min for facts in said),
        weight_max=_first(facts.weight_max for facts in said),
        notes=_first(facts.notes for facts in said),
        page=_first(facts.page for facts in (*hubs, *sidecars)),
        preview=_path(examined.file).with_name(preview) if examined and preview else None,
    )


def _name(description: Description) -> str:
    if description.local is not None:
        return description.local.name
    return description.files[0].name if description.files else description.subject


def _path(file: LocalFile) -> Path:
    return Path(file.root, file.path)


def _first(statements: Iterable[_T | None]) -> _T | None:
    return next((said for said in statements if said is not None and said != ""), None)


def _of_hub(file: RemoteFile) -> Facts:
    return Facts(
        model_name=file.model_name,
        version_name=file.version_name,
        base_model=file.base_model,
        licence=file.licence,
        trigger_words=file.trigger_words,
        page=file.page,
    )
