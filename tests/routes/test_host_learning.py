"""What a running ComfyUI's nodes tell of the folders they list; ComfyUI's own modules are stood in for."""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any

import pytest

from comfywatchman import host
from comfywatchman.settings import Settings
from comfywatchman.workflow.loaders import Loaders

FILES = {"loras": ["ink.safetensors"], "checkpoints": [], "unet": ["a.gguf"], "configs": ["v1.yaml"]}


class Module(ModuleType):
    """A module with whatever it is given."""

    def __init__(self, name: str, **members: Any) -> None:
        super().__init__(name)
        self.__dict__.update(members)


def list_files(folder: str) -> list[str]:
    return list(FILES[folder])


def node(told: Any) -> Any:
    """A node class whose inputs are found out when it is asked."""

    class Node:
        @staticmethod
        def INPUT_TYPES() -> Any:  # noqa: N802 - as ComfyUI calls it
            return told()

    return Node


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> Module:
    """A ComfyUI with packs of all manners."""
    paths = Module(
        "folder_paths",
        folder_names_and_paths={name: ([], set()) for name in FILES},
        get_filename_list=list_files,
    )
    early = list_files  # as a pack has it that took the function by name

    def listing(folder: str) -> Any:
        return lambda: {"required": {"seed": ("INT", {}), "file": (paths.get_filename_list(folder),)}}

    def broken() -> Any:
        raise OSError("no network")

    def filtered() -> Any:
        names = [name for name in paths.get_filename_list("unet") if name.endswith(".gguf")]
        return {"optional": {"model": (["none", *names], {"tooltip": object()})}}

    mappings = {
        "Plain": node(listing("checkpoints")),
        "Filtered": node(filtered),
        "Early": node(lambda: {"required": {"lora": (early("loras"),)}}),
        "V3": node(lambda: {"required": {"x": ("COMBO", {"options": paths.get_filename_list("loras")})}}),
        "Broken": node(broken),
        "NoModels": node(lambda: {"required": {"mode": (["a", "b"],)}}),
        "Known": node(broken),
        "NoInputs": object(),
    }
    monkeypatch.setitem(sys.modules, "folder_paths", paths)
    monkeypatch.setitem(sys.modules, "nodes", Module("nodes", NODE_CLASS_MAPPINGS=mappings))
    return paths


def learned(settings: Any = None) -> Loaders:
    return host.learn_loaders(Loaders({"Known": {"a@0": "vae"}}), settings or Settings)


def test_learning(paths: Module) -> None:
    """Every input that lists files of a folder is known by it, an empty folder's too."""
    loaders = learned()
    found = {
        kind: [(slot.name, slot.folders, slot.position) for slot in row.slots]
        for kind in loaders.node_types()
        if (row := loaders.row(kind)) is not None
    }
    assert found == {
        "Plain": [("file", ("checkpoints",), 1)],
        "Filtered": [("model", ("diffusion_models",), 0)],
        "Early": [("lora", ("loras",), 0)],
        "V3": [("x", ("loras",), 0)],
        "Known": [("a", ("vae",), 0)],
    }
    assert paths.get_filename_list is list_files


def test_other_threads(paths: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanwhile every other thread lists real files, and what another put in the place stays."""
    seen: list[Any] = []

    def asking() -> Any:
        thread = threading.Thread(target=lambda: seen.append(paths.get_filename_list("loras")))
        thread.start()
        thread.join()
        seen.append(paths.get_filename_list("loras")[0])
        paths.get_filename_list = replaced
        return {}

    replaced = list_files.__call__
    monkeypatch.setitem(sys.modules, "nodes", Module("nodes", NODE_CLASS_MAPPINGS={"Asking": node(asking)}))
    learned()
    assert seen == [["ink.safetensors"], "@@loras.safetensors"]
    assert paths.get_filename_list is replaced
