"""What a person reads of single models: `describe` and `search`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ..catalog import LocalFile, Model, RemoteFile
from ..report import Description, Listing
from .tables import format_size, render_table
from .words import ACCESS, hub_title, one_line, render_error, short_path

_HEAD: Final = ("HUB", "MODEL", "TYPE", "BASE MODEL", "BY", "DOWNLOADS", "FETCH WITH")


def render_description(description: Description, *, asked: bool) -> Iterator[str]:
    """The facts of one model, a line each. `asked` is False offline."""
    if description.local:
        yield from _facts(_local_facts(description.local))
    for number, file in enumerate(description.files):
        if number or description.local:
            yield ""
        yield from _facts(_remote_facts(file))
    if not description.files:
        yield "No hub that was asked knows it." if asked else "Offline: no hub was asked."
    for fault in description.faults:
        yield from render_error(fault)


def render_listing(listing: Listing, *, width: int | None) -> Iterator[str]:
    """Models found by a search, a row each."""
    if listing.models:
        rows = [_model_row(model) for model in listing.models]
        yield from render_table(_HEAD, rows, width=width, below=_HEAD.index("FETCH WITH"))
    else:
        yield "Nothing found."
    for fault in listing.faults:
        yield from render_error(fault)


def _facts(facts: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    for label, value in facts:
        if value:
            yield f"{label:<14}{one_line(value)}"


def _local_facts(file: LocalFile) -> Iterator[tuple[str, str | None]]:
    yield "file", short_path(f"{file.root}/{file.path}")
    yield "size", format_size(file.size)
    for digest in file.digests:
        yield digest.algorithm, digest.hex


def _remote_facts(file: RemoteFile) -> Iterator[tuple[str, str | None]]:
    yield "model", " · ".join(filter(None, (file.model_name, file.version_name))) or file.name
    yield "hub", hub_title(file.hub)
    yield "file", file.name
    yield "folder", file.folder
    yield "size", format_size(file.size)
    yield "base model", file.base_model
    yield "precision", file.precision
    yield "trigger words", ", ".join(file.trigger_words)
    yield "by", file.uploader
    yield "licence", file.licence
    yield "access", ACCESS[file.access]
    yield "AIR", str(file.air) if file.air else None
    yield "page", file.page
    yield "address", file.url
    for digest in file.digests:
        yield digest.algorithm, digest.hex


def _model_row(model: Model) -> tuple[str, ...]:
    version = model.versions[0] if model.versions else None
    thing = f"hf:{model.id}" if model.hub == "huggingface" else (f"v:{version.id}" if version else model.id)
    return (
        hub_title(model.hub),
        model.name,
        model.type or "",
        (version.base_model if version else None) or "",
        model.uploader or "",
        f"{model.downloads:,}" if model.downloads is not None else "",
        f"fetch {thing}",
    )
