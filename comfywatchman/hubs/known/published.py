"""What others publish about models and a ComfyUI installation already has on its disk.

site-packages/comfyui_workflow_templates*/templates/*.json    properties.models of every node
custom_nodes/ComfyUI-Manager/model-list.json                  as a git checkout (3.x)
site-packages/comfyui_manager/model-list.json                 as a package (4.x)
user/__manager/cache/*_model-list.json.json                   the newest list, as the Manager fetched it
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ...decode import Value, parse_json
from ...digest import Digest, parse_digest
from ...errors import InputError
from .tables import Entry, make_entry

_log = logging.getLogger(__name__)

# The Manager's own map from a model's type to a folder, for entries that say `default` (its constants.py).
_MANAGER_DEFAULTS: Final = {
    "checkpoint": "checkpoints",
    "checkpoints": "checkpoints",
    "unclip": "checkpoints",
    "text_encoders": "text_encoders",
    "clip": "text_encoders",
    "vae": "vae",
    "lora": "loras",
    "t2i-adapter": "controlnet",
    "t2i-style": "controlnet",
    "controlnet": "controlnet",
    "clip_vision": "clip_vision",
    "gligen": "gligen",
    "upscale": "upscale_models",
    "embedding": "embeddings",
    "embeddings": "embeddings",
    "unet": "diffusion_models",
    "diffusion_model": "diffusion_models",
}
_SITES: Final = (
    "venv/lib/python3*/site-packages",
    ".venv/lib/python3*/site-packages",
    "venv/Lib/site-packages",
    ".venv/Lib/site-packages",
)
_MANAGER_LISTS: Final = (
    "user/__manager/cache/*_model-list.json*",
    "user/default/ComfyUI-Manager/cache/*_model-list.json*",
    "custom_nodes/*[mM]anager*/model-list.json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where an installation keeps what others publish: folders of templates, and Manager lists."""

    templates: tuple[Path, ...] = ()
    manager_lists: tuple[Path, ...] = ()


def find_places(comfyui: Path | None, packages: Iterable[Path] = ()) -> Places:
    """Look into a ComfyUI folder, the Python environments beside it, and further package folders."""
    sites = list(packages)
    lists: list[Path] = []
    if comfyui is not None:
        sites += [site for pattern in _SITES for site in sorted(comfyui.glob(pattern))]
        sites.append(comfyui.parent / "python_embeded" / "Lib" / "site-packages")  # the portable build
        lists += [path for pattern in _MANAGER_LISTS for path in sorted(comfyui.glob(pattern))]
    templates = [
        path for site in sites for path in sorted(site.glob("comfyui_workflow_templates*/templates"))
    ]
    lists += [path for site in sites if (path := site / "comfyui_manager" / "model-list.json").is_file()]
    return Places(templates=tuple(dict.fromkeys(templates)), manager_lists=tuple(dict.fromkeys(lists)))


def read_templates(folder: Path) -> Iterator[Entry]:
    """The models that the workflows of a templates folder name in `properties.models` of their nodes.

    The same place and address comes once, with its digest where any template gives one; different
    digests are different entries.
    """
    found: defaultdict[tuple[str, str, str], dict[tuple[Digest, ...], Entry]] = defaultdict(dict)
    for path in sorted(folder.glob("*.json")):
        for row in _model_rows(path):
            try:
                entry = _template_entry(row)
            except InputError as fault:
                _log.warning("passed over a model of the template %s: %s", path.name, fault)
                continue
            found[entry.folder, entry.path, entry.file.url].setdefault(entry.file.digests, entry)
    for by_digest in found.values():
        if len(by_digest) > 1:
            by_digest.pop((), None)
        yield from by_digest.values()


def read_manager_list(path: Path) -> Iterator[Entry]:
    """The models of ComfyUI-Manager's `model-list.json`.

    Its sizes are rounded text (4.71MB) and so are not taken for sizes. Passed over are whole-repository
    snapshots, files for a node pack's own folder, and places the Manager itself refuses.
    """
    try:
        rows = list(Value(parse_json(path.read_bytes()))["models"].items())
    except (OSError, InputError) as fault:
        _log.warning("passed over the Manager's list %s: %s", path, fault)
        return
    for row in rows:
        try:
            entry = _manager_entry(row)
        except InputError as fault:
            _log.debug("passed over an entry of the Manager's list: %s", fault)
            continue
        if entry is not None:
            yield entry


def _model_rows(path: Path) -> Iterator[Value]:
    """The rows of models metadata in a workflow file and its subgraphs, however deep."""
    try:
        graphs = [Value(parse_json(path.read_bytes()))]
        while graphs:
            graph = graphs.pop()
            graphs.extend(graph["definitions"]["subgraphs"].items())
            for node in graph["nodes"].items():
                yield from node["properties"]["models"].items()
    except (OSError, InputError) as fault:
        _log.warning("passed over the rest of the template %s: %s", path, fault)


def _template_entry(row: Value) -> Entry:
    """One row; `hash` with `hash_type` as ComfyUI's workflow schema has them."""
    value, algorithm = row["hash"].text_or_none(), row["hash_type"].text_or_none()
    digests = (parse_digest(f"{algorithm}:{value}"),) if value and algorithm else ()
    return make_entry(row["directory"].text(), row["name"].text(), row["url"].text(), digests=digests)


def _manager_entry(row: Value) -> Entry | None:
    """One row of the Manager's list, or None for what is no model file below a root."""
    name, place = row["filename"].text(), row["save_path"].text().replace("\\", "/")
    folder, _, subfolder = place.partition("/")
    if folder == "default":
        folder = _MANAGER_DEFAULTS.get(row["type"].text().lower(), "")
    if not name or re.search(r"[/\\:<>]", name) or re.search(r"\.\.|:", place):
        return None
    if folder in ("", "custom_nodes"):
        return None
    entry = make_entry(folder, f"{subfolder}/{name}", row["url"].text())
    told = replace(entry.file, base_model=row["base"].text_or_none(), model_name=row["name"].text_or_none())
    return replace(entry, file=told)
