"""The answers of the routes, as `schemas.py` promises them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ..air import clean_url
from ..catalog import Access, Json, LocalFile, RemoteFile, extension, hub_title, page_of
from ..errors import HubError, WatchmanError
from ..library.folders import DIFFUSERS_FILE, has_model_extension
from ..plan import Consent
from ..report import Report
from ..resolution import Ambiguous, Found, Missing, Present, Resolution
from ..workflow.references import Reference
from .events import Pulse, arrival_document
from .items import Item, Keyed, Option, Withheld, key_references
from .places import Places
from .plans import Review
from .previews import link_preview

if TYPE_CHECKING:
    from ..transfer.entry import Entry

ShowPreview = Callable[[RemoteFile], str | None]

_HOMES: Final = {"civitai": "civitai.com", "huggingface": "huggingface.co"}

# ── inspections ──


def inspection_document(report: Report, places: Places, *, name: str) -> dict[str, Json]:
    """`comfywatchman.inspection/1`."""
    keyed = key_references(report.survey.references)
    pairs = list(zip(keyed, report.resolutions, strict=True))
    return {
        "schema": "comfywatchman.inspection/1",
        "name": name,
        "format": report.format,
        "references": [_reference(one, resolution, places) for one, resolution in pairs],
        "unknown_nodes": [
            {"type": node.type, "node_ids": list(node.node_ids)} for node in report.survey.unknown_nodes
        ],
        "missing": sum(
            one.reference.active and not isinstance(resolution, Present) for one, resolution in pairs
        ),
    }


def _reference(keyed: Keyed, resolution: Resolution, places: Places) -> dict[str, Json]:
    document: dict[str, Json] = {
        "state": _WORDS[type(resolution)],
        "evidence": None,
        "placement": None,
        "file": None,
        "relink": relink_of(resolution),
        "candidates": [],
        "searched": [],
    }
    if isinstance(resolution, Present):
        document |= {
            "evidence": resolution.evidence.word,
            "placement": resolution.placement.value,
            "file": _local_file(resolution.file, places),
        }
    return {"key": keyed.key, **keyed.reference.to_dict(), "resolution": document}


_WORDS: Final = {Present: "present", Found: "found", Ambiguous: "ambiguous", Missing: "missing"}


def _local_file(file: LocalFile, places: Places) -> dict[str, Json]:
    root = places.id_of(file.folder, file.root) or ""
    return {"folder": file.folder, "path": file.path, "root": root, "size": file.size}


def relink_of(resolution: Resolution | None) -> str | None:
    """What the widget must say to load the file that is here; None when it says so, or cannot."""
    if not isinstance(resolution, Present) or resolution.reference.linked:
        return None
    reference, file = resolution.reference, resolution.file
    if file.folder not in (reference.folder, *reference.other_folders):
        return None  # it lies where this node does not look
    name = widget_name(reference, file.path)
    return None if name == (reference.text or reference.name) else name


def widget_name(reference: Reference, path: str) -> str:
    """What ComfyUI's list calls the file at a path; without extension where the widget has none."""
    name = path.removesuffix(f"/{DIFFUSERS_FILE}") if reference.folder == "diffusers" else path
    if has_model_extension(name) and not has_model_extension(reference.name):
        name = name[: -len(extension(name))]
    return name.replace("/", os.sep)


# ── plans ──


def plan_document(
    review: Review, places: Places, *, veil: Callable[[str], str], level: str
) -> dict[str, Json]:
    """`comfywatchman.review/1`; `veil` takes whole paths out of texts, `level` is that of pictures."""
    snapshot = review.snapshot
    certain = [item for item in snapshot.items if item.state == "certain"]
    lens = _Lens(veil, partial(link_preview, plan=review.id, level=level))
    return {
        "schema": "comfywatchman.review/1",
        "id": review.id,
        "expires": round(review.expires, 3),
        "stage": snapshot.stage,
        "asking": list(snapshot.asking),
        "faults": [fault_document(fault, veil) for fault in snapshot.faults],
        "items": [_item(item, places, lens) for item in snapshot.items],
        "size": sum(_size(item.option) for item in certain),
        "drives": _needs(snapshot.items, places),
    }


def fault_document(fault: WatchmanError, veil: Callable[[str], str]) -> dict[str, Json]:
    """A fault among others, with the hub where it is one's."""
    hub = {"hub": fault.hub} if isinstance(fault, HubError) else {}
    return {**{key: veil(text) for key, text in fault.to_dict().items()}, **hub}


@dataclass(frozen=True, slots=True)
class _Lens:
    """What a page sees of texts, and of pictures."""

    veil: Callable[[str], str]
    picture: ShowPreview


def _item(item: Item, places: Places, lens: _Lens) -> dict[str, Json]:
    option = item.option
    is_offered = option is not None and not item.asked
    return {
        "key": item.key,
        "references": [keyed.key for keyed in item.references],
        "nodes": [_node(keyed.reference) for keyed in item.references],
        "name": item.name,
        "folder": item.folder,
        "state": item.state,
        "consent": option.consent.value if option and is_offered else None,
        "reason": lens.veil(item.reason),
        "relink": relink_of(item.present),
        "chosen": item.chosen,
        "candidates": [_candidate(at, option, lens) for at, option in enumerate(item.options)],
        "target": _target(option, places) if option else None,
    }


def _node(reference: Reference) -> dict[str, Json]:
    return {
        "id": reference.node_id,
        "type": reference.node_type,
        "title": None,  # the page knows its nodes better than a saved file
        "input": reference.input_name,
    }


def _candidate(index: int, option: Option, lens: _Lens) -> dict[str, Json]:
    file, evidence = option.candidate.file, option.candidate.evidence
    return {
        "index": index,
        "hub": file.hub,
        "hub_title": "" if file.hub == "web" else hub_title(file.hub),
        "name": file.name,
        "model_name": file.model_name,
        "version_name": file.version_name,
        "base_model": file.base_model,
        "precision": file.precision,
        "format": file.format,
        "size": file.size,
        "uploader": file.uploader,
        "licence": file.licence,
        "published_at": file.published_at,
        "downloads": file.downloads,
        "url": _public_url(file),
        "page": page_of(file),
        "air": str(file.air) if file.air else None,
        "access": "early" if file.access is Access.EARLY else file.access.value,
        "evidence": evidence.word,
        "digests": [str(digest) for digest in file.digests],
        "host": urlsplit(file.url).hostname or "",
        "preview": lens.picture(file),
        "trigger_words": list(file.trigger_words),
        "consent": option.consent.value,
        "reason": lens.veil(option.reason),
        "transfer": option.consent is not Consent.REFUSED,
    }


def _public_url(file: RemoteFile) -> str | None:
    """Where everybody finds the file: at the hub itself, whatever mirror is configured here."""
    url = clean_url(file.url)
    parts = urlsplit(url or "")
    home = _HOMES.get(file.hub)
    return url if home is None else parts._replace(scheme="https", netloc=home).geturl()


def _target(option: Option, places: Places) -> dict[str, Json] | None:
    transfer = option.transfer
    root = places.id_of(transfer.folder, transfer.root) if transfer else None
    if transfer is None or root is None:
        return None
    return {"root": root, "folder": transfer.folder, "path": transfer.path}


def _size(option: Option | None) -> int:
    return option.candidate.file.size or 0 if option else 0


def _needs(items: Iterable[Item], places: Places) -> list[Json]:
    """What everything that is offered would write, drive by drive."""
    needs: defaultdict[str, int] = defaultdict(int)
    for item in items:
        transfer = item.option.transfer if item.option else None
        if transfer is not None and transfer.consent is not Consent.REFUSED and not item.asked:
            needs[transfer.root] += _size(item.option)
    drives: dict[str, dict[str, Json]] = {}
    totals: defaultdict[str, int] = defaultdict(int)
    for root, size in needs.items():
        if (drive := places.drive_of(root)) is not None:
            needed = totals[drive.id] = totals[drive.id] + size
            drives[drive.id] = {
                "id": drive.id,
                "label": drive.label,
                "needed": needed,
                "free": drive.free,
                "enough": needed <= drive.free,
            }
    return [*drives.values()]


# ── transfers ──


def transfer_document(
    entry: Entry, pulse: Pulse | None, places: Places, *, position: int, veil: Callable[[str], str]
) -> dict[str, Json]:
    """The TRANSFER of an entry of the queue."""
    transfer, end = entry.transfer, entry.end
    is_here = entry.state.value in ("verified", "skipped")
    error = end.error if end is not None and not is_here else None
    is_live = pulse is not None and pulse.state == entry.state.value
    return {
        "id": entry.id,
        "name": transfer.source.name,
        "folder": transfer.folder,
        "path": end.path if end is not None and is_here else transfer.path,
        "root": places.id_of(transfer.folder, transfer.root),
        "hub": transfer.source.hub,
        "page": page_of(transfer.source),
        "state": entry.state.value,
        "priority": entry.priority,
        "position": position,
        "done": pulse.done if pulse and is_live else entry.done,
        "size": _size_of(entry),
        "speed": round(pulse.speed, 1) if pulse and is_live else 0.0,
        "eta": pulse.eta if pulse and is_live else None,
        "note": veil(pulse.note) if pulse and is_live else "",
        "digests": [str(digest) for digest in (end.digests if end and is_here else transfer.source.digests)],
        "error": {key: veil(text) for key, text in error.to_dict().items()} if error else None,
        "added": entry.added,
        "changed": entry.changed,
        **arrival_document(entry),
        "references": [
            {
                "node_id": r.node_id,
                "input": r.input_name,
                "name": r.name,
                "folder": r.folder,
                "linked": r.linked,
            }
            for r in transfer.references
        ],
    }


def _size_of(entry: Entry) -> int | None:
    ended = entry.end.size if entry.end is not None else None
    return entry.transfer.source.size if ended is None else ended


def withheld_document(withheld: Sequence[Withheld], veil: Callable[[str], str]) -> list[Json]:
    """What was not taken, and why."""
    return [
        {"key": one.key, "code": one.code, "message": veil(one.message), "hint": veil(one.hint)}
        for one in withheld
    ]
