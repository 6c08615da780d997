"""From a workflow to the places in it that name a model file."""

from __future__ import annotations

from dataclasses import dataclass

from ..catalog import Json
from ..digest import Digest


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
