"""From a workflow to the places in it that name a model file."""

from __future__ import annotations

from dataclasses import dataclass

from ..catalog import Json, base_name, canonical_folder
from ..digest import Digest
from .document import Workflow
from .loaders import Loaders
from .node import Hint, Node
from .places import Place, find_places
from .texts import clean_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A place in a workflow that names a file.

    `node_id` is "12", or "7:3" inside a subgraph. `name` is what the widget says with `/` for
    separators; it has no extension where the node takes none (embeddings, LoRA tags). `folder` is
    ComfyUI's canonical name; `other_folders` also serve this input. `url` and `digest` come from the
    workflow's own metadata for just this file. `active` is False on muted and bypassed nodes.
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
    folder to one that nothing else can place.
    """
    pool = _Pool(workflow)
    references: list[Reference] = []
    fetched: list[Reference] = []
    unknown: dict[str, list[str]] = {}
    for node in workflow.nodes:
        for place in find_places(node, loaders):
            reference = _make_reference(node, place, pool.find(node, place))
            if place.fetched:
                fetched.append(reference)
            elif reference.folder:
                references.append(reference)
            elif node.id not in (ids := unknown.setdefault(node.type, [])):
                ids.append(node.id)
    return Survey(
        references=tuple(references),
        self_fetched=tuple(fetched),
        unknown_nodes=tuple(UnknownNode(type=kind, node_ids=tuple(ids)) for kind, ids in unknown.items()),
    )


def _make_reference(node: Node, place: Place, hint: Hint | None) -> Reference:
    folders = place.folders
    if not folders and hint is not None and hint.folder is not None:
        folders = (canonical_folder(hint.folder.partition("/")[0]),)
    return Reference(
        node_id=node.id,
        node_type=node.type,
        input_name=place.input_name,
        folder=folders[0] if folders else "",
        name=clean_name(place.text),
        other_folders=folders[1:],
        url=hint.url if hint is not None else None,
        digest=hint.digest if hint is not None else None,
        active=node.active and place.active,
    )


class _Pool:
    """All hints of a workflow by the base name of their file, made when first asked."""

    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._by_name: dict[str, list[Hint]] | None = None

    def find(self, node: Node, place: Place) -> Hint | None:
        """The hint for just this file: the node's own first, then one anywhere for the same folder."""
        wanted = _key(place.text)
        own = [hint for hint in node.hints if _key(hint.name) == wanted]
        others = self._all().get(wanted, ())
        fitting = (hint for hint in (*own, *others) if _fits(hint, place))
        return next(fitting, own[0] if own else None)

    def _all(self) -> dict[str, list[Hint]]:
        if self._by_name is None:
            self._by_name = {}
            nodes = (hint for node in self._workflow.nodes for hint in node.hints)
            for hint in (*self._workflow.hints, *nodes):
                self._by_name.setdefault(_key(hint.name), []).append(hint)
        return self._by_name


def _key(name: str) -> str:
    return base_name(name.strip()).lower()


def _fits(hint: Hint, place: Place) -> bool:
    """Whether a hint speaks of the folder that the place loads from."""
    if hint.folder is None or not place.folders:
        return True
    return canonical_folder(hint.folder.replace("\\", "/").partition("/")[0]) in place.folders
