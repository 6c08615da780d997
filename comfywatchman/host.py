"""ComfyUI from the inside: the only module that imports its `folder_paths`, `server` and options.

Nothing is imported before it is asked for, so this module imports without ComfyUI, and while ComfyUI
starts. Facts from `folder_paths.py`, `server.py` and `comfy/cli_args.py` of ComfyUI 0.3.60 to 0.33.
"""

from __future__ import annotations

import atexit
import importlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .catalog import Json, canonical_folder

if TYPE_CHECKING:  # what is imported when it is needed costs ComfyUI's start nothing
    from .house import House
    from .library.roots import Root, Roots
    from .settings import Settings
    from .workflow.loaders import Loaders

_LOG: Final = logging.getLogger(__name__)
_REQUESTS: Final = ("urllib3.connectionpool", "httpx", "httpx2")  # the loggers that tell each request
# Folders of ComfyUI that hold no models.
_NO_MODELS: Final = frozenset({"custom_nodes", "configs", "datasets"})


@cache
def open_house() -> House:
    """The house of this ComfyUI: made once, kept as long as it runs."""
    from .house import House
    from .settings import find_home
    from .tokens import TokenStore, find_keyring

    for name in _REQUESTS:
        logging.getLogger(name).addFilter(_is_told)
    home = find_data_folder(os.environ)
    own = find_home(os.environ)
    tokens = TokenStore(home, os.environ, keyring=find_keyring(), fallback=own)
    return House(home, os.environ, tokens=tokens, roots=find_host_roots, learn=learn_loaders)


def _is_told(record: logging.LogRecord) -> bool:
    """Whether ComfyUI's log gets a record: our own requests are many, and their addresses may be signed."""
    is_ours = (record.threadName or "").startswith("comfywatchman")
    return not is_ours or record.levelno >= logging.WARNING


def find_data_folder(environment: Mapping[str, str]) -> Path:
    """Our data folder in this ComfyUI: COMFYWATCHMAN_HOME, else its system user directory for us.

    ComfyUI serves that to nobody. `get_system_user_directory` is there since 0.3.76 and only joins names.
    """
    if environment.get("COMFYWATCHMAN_HOME"):
        from .settings import find_home

        return find_home(environment)
    return Path(_folder_paths().get_user_directory()) / "__comfywatchman"


def find_host_roots(settings: Settings) -> Roots:
    """The model folders as ComfyUI and all packs have registered them by now, in its order.

    Which of them new files go to is read from the same files that it read at its start.

    Raises:
        InvalidSettings: an extra file cannot be read.
    """
    paths = _folder_paths()
    table = dict(paths.folder_names_and_paths)
    return _gather_roots(
        Path(paths.base_path),
        Path(paths.models_dir),
        Path(os.path.realpath(paths.get_output_directory())),
        configs=(*_extra_configs(), *settings.extra_model_paths),
        registered=tuple((name, tuple(places)) for name, (places, _) in table.items()),
        changed=_changed(Path(paths.models_dir)),
    )


@lru_cache(maxsize=2)
def _gather_roots(
    base: Path,
    models_dir: Path,
    output: Path,
    *,
    configs: tuple[Path, ...],
    registered: tuple[tuple[str, tuple[str, ...]], ...],
    changed: int,  # noqa: ARG001 - when a folder was last made by hand
) -> Roots:
    """Put together once for the same places: nodes ask in each run, and ComfyUI has some 60 folders."""
    from .library.roots import find_roots

    read = find_roots(comfyui=base, models_dir=models_dir, configs=configs)
    by_folder = dict(read.by_folder)
    for name, places in registered:
        folder = canonical_folder(name)
        if folder not in _NO_MODELS:
            live = tuple(_live_roots(folder, places, output))
            by_folder[folder] = _merge(live, read.by_folder.get(folder, ()))
    return replace(read, by_folder=by_folder)


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def learn_loaders(loaders: Loaders, _settings: Settings) -> Loaders:
    """The table with what the nodes of this ComfyUI tell of themselves that are not in it.

    Each is asked for its inputs while the lists of files are marks, so that an input shows which folder it
    lists, even an empty one. Only this thread sees the marks. A pack that took `get_filename_list` by name is
    told by the files it lists.
    """
    paths = _folder_paths()
    real = paths.get_filename_list
    thread = threading.get_ident()

    def list_marks(folder: str) -> list[str]:
        if threading.get_ident() != thread:
            listed: list[str] = real(folder)
            return listed
        return _marks(canonical_folder(folder))

    folders = [name for name in dict(paths.folder_names_and_paths) if name not in _NO_MODELS]
    listings = {canonical_folder(name): [*_marks(canonical_folder(name)), *real(name)] for name in folders}
    paths.get_filename_list = list_marks
    try:
        info = dict(_ask_nodes(loaders))
    finally:
        if paths.get_filename_list is list_marks:
            paths.get_filename_list = real
    return loaders.learned_from(info, listings)


def _marks(folder: str) -> list[str]:
    """Names that no file has, one of each kind that packs filter for."""
    return [f"@@{folder}{extension}" for extension in (".safetensors", ".gguf", ".pth", ".onnx")]


def _ask_nodes(known: Loaders) -> Iterator[tuple[str, Json]]:
    """Every node type that is not known with its inputs, as GET /object_info would have them."""
    for name, node in dict(importlib.import_module("nodes").NODE_CLASS_MAPPINGS).items():
        if name in known:
            continue
        try:
            yield name, {"input": json.loads(json.dumps(node.INPUT_TYPES(), default=str))}
        except Exception as fault:  # noqa: BLE001 - the code of another pack, which may do anything
            _LOG.debug("%s does not tell its inputs: %s", name, fault)


def send(event: str, data: Mapping[str, Json]) -> None:
    """Tell every open page; from any thread."""
    server = importlib.import_module("server").PromptServer.instance
    server.send_sync(event, dict(data))


def show_text(text: str, node_id: str) -> None:
    """Show a line of text on a node; from any thread."""
    server = importlib.import_module("server").PromptServer.instance
    server.send_progress_text(text, node_id)


def list_names(folder: str) -> list[str]:
    """The names of a folder's files as ComfyUI lists them; none where it has no such folder."""
    paths = _folder_paths()
    return list(paths.get_filename_list(folder)) if folder in paths.folder_names_and_paths else []


def list_directories(folder: str) -> list[str]:
    """The directories that serve a folder, as ComfyUI's loaders want them."""
    return list(_folder_paths().get_folder_paths(folder))


def server_routes() -> Any:
    """ComfyUI's `aiohttp.web.RouteTableDef`: what is added before it starts to serve is served."""
    return importlib.import_module("server").PromptServer.instance.routes


def when_serving(work: Callable[[], None]) -> None:
    """Call this once when ComfyUI begins to serve. It must not take time."""

    async def begin(_app: object) -> None:
        work()

    importlib.import_module("server").PromptServer.instance.app.on_startup.append(begin)


def when_ending(work: Callable[[], None]) -> None:
    """Call this once when ComfyUI ends in good order, while other threads still run."""
    atexit.register(work)


def _folder_paths() -> Any:
    return importlib.import_module("folder_paths")


def _extra_configs() -> Iterator[Path]:
    """The files of --extra-model-paths-config, which may be given several times with several each."""
    args = importlib.import_module("comfy.cli_args").args
    for group in args.extra_model_paths_config or ():
        yield from map(Path, group)


def _live_roots(folder: str, registered: Iterable[str], output: Path) -> Iterator[Root]:
    from .library.roots import Root

    for path in registered:
        is_output = Path(os.path.realpath(path)).is_relative_to(output)
        yield Root(folder=folder, path=Path(path), output=is_output)


def _merge(live: tuple[Root, ...], read: tuple[Root, ...]) -> tuple[Root, ...]:
    """What is registered, with what the files say of it; what only the files name is nowhere served."""
    known = {os.path.realpath(root.path): root for root in read}
    merged = {
        real: replace(root, default=known[real].default, path=known[real].path) if real in known else root
        for root in live
        for real in (os.path.realpath(root.path),)
    }
    return tuple(merged.values())
