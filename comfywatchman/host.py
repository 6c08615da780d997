"""ComfyUI from the inside: the only module that imports its `folder_paths`, `server` and options.

Nothing is imported before it is asked for, so this module imports without ComfyUI, and while ComfyUI
starts. Facts from `folder_paths.py`, `server.py` and `comfy/cli_args.py` of ComfyUI 0.3.60 to 0.33.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .catalog import Json
    from .house import House
    from .library.roots import Root, Roots
    from .settings import Settings

# Folders of ComfyUI that hold no models.
_NO_MODELS: Final = frozenset({"custom_nodes", "configs", "datasets"})


@cache
def open_house() -> House:
    """The house of this ComfyUI: made once, kept as long as it runs."""
    from .house import House
    from .settings import find_home
    from .tokens import TokenStore, find_keyring

    home = find_data_folder(os.environ)
    own = find_home(os.environ)
    tokens = TokenStore(home, os.environ, keyring=find_keyring(), fallback=own)
    return House(home, os.environ, tokens=tokens, roots=find_host_roots)


def find_data_folder(environment: Mapping[str, str]) -> Path:
    """Our data folder in this ComfyUI: COMFYWATCHMAN_HOME, else its system user directory for us.

    ComfyUI serves that to nobody. `get_system_user_directory` is there since 0.3.76 and only joins names.
    """
    from .settings import find_home

    if environment.get("COMFYWATCHMAN_HOME"):
        return find_home(environment)
    return Path(_folder_paths().get_user_directory()) / "__comfywatchman"


def find_host_roots(settings: Settings) -> Roots:
    """The model folders as ComfyUI and all packs have registered them by now, in its order.

    Which of them new files go to is read from the same files that it read at its start.

    Raises:
        InvalidSettings: an extra file cannot be read.
    """
    from .catalog import canonical_folder
    from .library.roots import find_roots

    paths = _folder_paths()
    configs = (*_extra_configs(), *settings.extra_model_paths)
    read = find_roots(comfyui=Path(paths.base_path), models_dir=Path(paths.models_dir), configs=configs)
    output = Path(os.path.realpath(paths.get_output_directory()))
    by_folder = dict(read.by_folder)
    for name, (registered, _) in dict(paths.folder_names_and_paths).items():
        folder = canonical_folder(name)
        if folder not in _NO_MODELS:
            live = tuple(_live_roots(folder, registered, output))
            by_folder[folder] = _merge(live, read.by_folder.get(folder, ()))
    return replace(read, by_folder=by_folder)


def send(event: str, data: Mapping[str, Json]) -> None:
    """Tell every open page; from any thread."""
    server = importlib.import_module("server").PromptServer.instance
    server.send_sync(event, dict(data))


def server_routes() -> Any:
    """ComfyUI's `aiohttp.web.RouteTableDef`: what is added before it starts to serve is served."""
    return importlib.import_module("server").PromptServer.instance.routes


def when_serving(work: Callable[[], None]) -> None:
    """Call this once when ComfyUI begins to serve. It must not take time."""

    async def begin(_app: object) -> None:
        work()

    importlib.import_module("server").PromptServer.instance.app.on_startup.append(begin)


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
