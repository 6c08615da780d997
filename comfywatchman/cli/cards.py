"""What a person reads of single models: `describe` and `search`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ..catalog import LocalFile, Model, RemoteFile, hub_title
from ..facts import Facts
from ..library.examination import Examination
from ..library.sidecars.beside import Sidecar
from ..report import Description, Listing
from .tables import format_size, render_table
from .words import ACCESS, one_line, render_error, short_path

_Fact = tuple[str, str | None]

_LONGEST: Final = 500  # characters of a value: notes and descriptions can be long
_HEAD: Final = ("HUB", "MODEL", "TYPE", "BASE MODEL", "BY", "DOWNLOADS", "FETCH WITH")


def render_description(description: Description, *, asked: bool) -> Iterator[str]:
    """The facts of one model, a line each. `asked` is False offline."""
    for number, card in enumerate(_cards(description)):
        if number:
            yield ""
        yield from _facts(card)
    if not description.files:
        if description.examined:
            yield ""
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


def _cards(description: Description) -> Iterator[Iterable[_Fact]]:
    """One card for the file, one for each place that says something of it, one for each hub's file."""
    if examined := description.examined:
        yield _local_facts(examined)
        if examined.inside.facts != Facts():
            yield ("said by", "the file's own header"), *_said(examined.inside.facts)
        for sidecar in examined.beside.sidecars:
            yield ("said by", _sidecar_name(sidecar, examined.file)), *_said(sidecar.facts)
    yield from map(_remote_facts, description.files)


def _facts(facts: Iterable[_Fact]) -> Iterator[str]:
    for label, value in facts:
        if value:
            text = one_line(value)
            yield f"{label:<14}{text if len(text) <= _LONGEST else text[:_LONGEST] + '…'}"


def _local_facts(examined: Examination) -> Iterator[_Fact]:
    file, inside, beside = examined.file, examined.inside, examined.beside
    yield "file", short_path(f"{file.root}/{file.path}")
    yield "format", inside.format + (", complete" if inside.exact else "")
    yield "damage", inside.error.message if inside.error else None
    yield "size", format_size(file.size)
    for digest in file.digests:
        yield digest.algorithm, digest.hex
    yield "preview", beside.preview
    for unread in beside.unread:
        yield "unreadable", f"{unread.path}: {unread.reason}"


def _sidecar_name(sidecar: Sidecar, file: LocalFile) -> str:
    warning = "; it names the digest of another file" if sidecar.is_of(file.digests) is False else ""
    return f"{sidecar.name} ({sidecar.dialect}){warning}"


def _said(facts: Facts) -> Iterator[_Fact]:
    yield "model", " · ".join(filter(None, (facts.model_name, facts.version_name)))
    yield "base model", facts.base_model
    yield "trigger words", ", ".join(facts.trigger_words)
    yield "own words", ", ".join(facts.own_words)
    yield "common tags", ", ".join(facts.common_tags)
    yield "weight", _weight(facts)
    yield "by", facts.author
    yield "licence", facts.licence
    yield "notes", facts.notes
    yield "description", facts.description
    yield "page", facts.page


def _weight(facts: Facts) -> str:
    ends = [
        f"{word} {end:g}"
        for word, end in (("from", facts.weight_min), ("to", facts.weight_max))
        if end is not None
    ]
    return " ".join([f"{facts.weight:g}", *ends] if facts.weight is not None else ends)


def _remote_facts(file: RemoteFile) -> Iterator[_Fact]:
    yield "model", " · ".join(filter(None, (file.model_name, file.version_name))) or file.name
    yield "hub", file.giver
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
