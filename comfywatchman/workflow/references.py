"""From a workflow to the places in it that name a model file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ..catalog import Json, base_name
from ..digest import Digest
from ..errors import InvalidWorkflow
from .document import Workflow
from .loaders import Loaders
from .node import Hint, Node, Place
from .places import find_places
from .texts import clean_name

MOST: Final = 20_000  # files that a workflow may name: far more than any does


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A place in a workflow that names a file.

    `node_id` is "12", or "7:3" inside a subgraph. `name` is what the widget says with `/` for
    separators; it has no extension where the node takes none (embeddings, LoRA tags). `folder` is
    ComfyUI's canonical name; `other_folders` also serve this input. `url` and `digest` come from the
    workflow's own metadata for just this file. `active` is False on muted and bypassed nodes. `text` is what
    the widget says to the letter; empty when it is not known. `linked`: `name` is no name of a file but a
    link, an id or an AIR, as our own nodes take it; `url` is what it means.
    """

    node_id: str
    node_type: str
    input_name: str
    folder: str
    name: str
    other_folders: tuple[str, ...] = ()
    url: str | None = None
    digest: Digest | None = None
    active: bool = True
    linked: bool = False
    text: str = field(default="", compare=False)

    def to_dict(self) -> dict[str, Json]:
        """The REFERENCE object of the JSON documents, without its resolution."""
        return {
            "node_id": self.node_id,
            "node_type": self.node_type,
            "input": self.input_name,
            "folder": self.folder,
            "other_folders": list(self.other_folders),
            "name": self.name,
            "active": self.active,
            "url": self.url,
            "digest": str(self.digest) if self.digest else None,
            "linked": self.linked,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownNode:
    """A node type that names something like a model file and that no table knows."""

    type: str
    node_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a workflow names.

    `references` are the files the user must have; `self_fetched` those that nodes bring themselves
    (controlnet_aux, RIFE, DownloadAndLoad…): told, never searched.
    """

    references: tuple[Reference, ...]
    self_fetched: tuple[Reference, ...] = ()
    unknown_nodes: tuple[UnknownNode, ...] = ()


def find_references(workflow: Workflow, loaders: Loaders) -> Survey:
    """The places in a workflow that name files, in the order of its nodes.

    Metadata never adds a place. It gives URL and digest to a place whose name is the very same, and the
    folder to one that nothing else can place. Nodes that do not run are not among the unknown ones.

    Raises:
        InvalidWorkflow: it names more files than any does.
    """
    everywhere = _index((*workflow.hints, *(hint for node in workflow.nodes for hint in node.hints)))
    references: list[Reference] = []
    fetched: list[Reference] = []
    unknown: dict[str, dict[str, None]] = {}
    for node in workflow.nodes:
        own = _index(node.hints) if node.hints else {}
        for place in find_places(node, loaders):
            if len(references) + len(fetched) >= MOST:
                raise InvalidWorkflow(f"the workflow names more than {MOST:,} files")
            hint = None if place.url or place.digest else _find_hint(place, own, everywhere)
            reference = _make_reference(node, place, hint)
            if place.fetched:
                fetched.append(reference)
            elif reference.folder:
                references.append(reference)
            elif reference.active:
                unknown.setdefault(node.type, {})[node.id] = None
    return Survey(
        references=tuple(references),
        self_fetched=tuple(fetched),
        unknown_nodes=tuple(UnknownNode(type=kind, node_ids=tuple(ids)) for kind, ids in unknown.items()),
    )


def _make_reference(node: Node, place: Place, hint: Hint | None) -> Reference:
    folders = place.folders
    if not folders and hint is not None and hint.folder is not None:
        folders = (hint.folder,)
    return Reference(
        node_id=node.id,
        node_type=node.type,
        input_name=place.input_name,
        folder=folders[0] if folders else "",
        name=place.text if place.linked else clean_name(place.text),
        other_folders=folders[1:],
        url=place.url or (hint.url if hint is not None else None),
        digest=place.digest or (hint.digest if hint is not None else None),
        active=node.active and place.active,
        linked=place.linked,
        text=place.text,
    )


# ── hints: which entry of the metadata speaks of just this file ──

_ANY: Final = "*"
_Index = dict[tuple[str, str | None], Hint]  # by the file's base name in lower case, and the folder


def _index(hints: Iterable[Hint]) -> _Index:
    index: _Index = {}
    for hint in hints:
        key = _key(hint.name)
        index.setdefault((key, hint.folder), hint)
        index.setdefault((key, _ANY), hint)
    return index


def _find_hint(place: Place, own: _Index, everywhere: _Index) -> Hint | None:
    """The node's own entry first, then one anywhere in the file, for the folder of the place.

    Only the node's own may name another folder: people copy those by hand.
    """
    key = _key(place.text)
    wanted = (*place.folders, None) if place.folders else (_ANY,)
    for index in (own, everywhere):
        for folder in wanted:
            if (hint := index.get((key, folder))) is not None:
                return hint
    return own.get((key, _ANY))


def _key(name: str) -> str:
    return base_name(name.strip()).lower()
