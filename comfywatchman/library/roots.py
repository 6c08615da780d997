"""Roots: the directories that serve each of ComfyUI's folders, found without running ComfyUI.

    find_roots(comfyui=Path("~/ComfyUI"))     a ComfyUI, portable or not, or a --base-directory
    find_roots(models_dir=Path("/models"))    a bare models/ folder
    find_roots()                              the working directory's parents

The order is ComfyUI's own: `models/…`, then the extra files in their order with `is_default` ones put
in front, then `output/…`. Directories need not exist; symlinks are followed and keep their names.
Facts from `folder_paths.py` and `main.py` of ComfyUI 0.3.60 to 0.33.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from ..catalog import canonical_folder
from ..errors import NoComfyUI, Refused, UnknownFolder
from .extra_paths import ExtraPaths, read_extra_paths
from .folders import CORE, CUSTOM, NEVER_WRITTEN, NOT_MODELS, directories_of, is_folder_name

EXTRA_PATHS_NAMES: Final = ("extra_model_paths.yaml", "extra_models_config.yaml")

# main.py adds these below output/, where its own nodes save models.
_OUTPUT_DIRECTORIES: Final = ("checkpoints", "clip", "vae", "diffusion_models", "loras")
_TELLING: Final = ("checkpoints", "loras", "diffusion_models", "text_encoders", "unet", "clip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A directory that serves a folder.

    `default`: the user wants new files there. `output`: ComfyUI's saving nodes fill it; we never do.
    """

    folder: str
    path: Path
    default: bool = False
    output: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """All roots of one installation.

    `comfyui` is its base directory, None for a bare models folder. `chosen` says where the user wants new
    files of a folder. `notes` tell what was left out of the extra files.
    """

    models_dir: Path
    comfyui: Path | None
    by_folder: Mapping[str, tuple[Root, ...]]
    download_base: Path | None = None
    chosen: Mapping[str, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def folders(self) -> tuple[str, ...]:
        """The names of all folders, ComfyUI's own first."""
        return tuple(self.by_folder)

    def __iter__(self) -> Iterator[Root]:
        for roots in self.by_folder.values():
            yield from roots

    def roots(self, folder: str) -> tuple[Root, ...]:
        """The directories that serve a folder, in the order in which ComfyUI looks.

        Raises:
            UnknownFolder: there is no such folder here, and no known node pack has it.
        """
        found = self.by_folder.get(canonical_folder(folder))
        if found is None:
            raise UnknownFolder(f"folder {folder[:80]!r}: neither ComfyUI nor this installation has it")
        return found

    def target(self, folder: str) -> Path:
        """Where a new file of a folder belongs.

        Not simply the first: that is `models/unet` for diffusion_models. It is the directory the user chose
        in the settings, else made the default in a file, else the one the Manager saves to, else one of
        the folder's own name.

        Raises:
            UnknownFolder: as for `roots`.
            Refused: nothing is ever written into that folder.
        """
        if canonical_folder(folder) in NEVER_WRITTEN:
            raise Refused(f"folder {folder!r}: only its owner puts files there")
        roots = [root for root in self.roots(folder) if not root.output]
        chosen = (
            next((root for root in roots if root.path == self.chosen.get(canonical_folder(folder))), None)
            or next((root for root in roots if root.default), None)
            or next((root for root in roots if self._is_download_place(root)), None)
            or next((root for root in roots if root.path.name == root.folder), None)
        )
        return (chosen or roots[0]).path

    def _is_download_place(self, root: Root) -> bool:
        return self.download_base is not None and root.path == self.download_base / root.folder


def find_roots(
    *,
    comfyui: Path | None = None,
    models_dir: Path | None = None,
    configs: Sequence[Path] = (),
    start: Path | None = None,
) -> Roots:
    """Find the roots of an installation.

    Args:
        comfyui: a ComfyUI folder, the folder of a portable one, or a base directory with `models/`.
        models_dir: a models folder; with `comfyui` it replaces that one's, as --models-directory does.
        configs: more files like `extra_model_paths.yaml`, as --extra-model-paths-config takes them.
        start: without the first two, a ComfyUI is looked for here and in all parents.

    Raises:
        NoComfyUI: nothing is where it should be, or nothing was found; says where it was looked for.
        InvalidSettings: an extra file cannot be read.
    """
    base = locate_comfyui(comfyui) if comfyui else None
    if base is None and models_dir is None:
        base = _search_upwards(_absolute(start) if start else _working_directory())
    if models_dir is not None and not _is_directory(models_dir := _absolute(models_dir)):
        raise NoComfyUI(f"{models_dir}: there is no such folder")
    if models_dir is None:
        assert base is not None
        models_dir = base / "models"
    files = [*_extra_files(base), *(_absolute(config) for config in configs)]
    extras = [read_extra_paths(file) for file in dict.fromkeys(files)]
    return _gather(models_dir, base, extras)


def locate_comfyui(path: Path) -> Path:
    """The base directory of the ComfyUI that a person means by a path.

    That is the folder with `folder_paths.py`, the `ComfyUI` folder of a portable installation, or a
    folder given to ComfyUI as --base-directory (the Desktop app has one), which holds `models/`.

    Raises:
        NoComfyUI: it is none of them.
    """
    path = _absolute(path)
    for place in (path, path / "ComfyUI"):
        if _is_comfyui(place):
            return place
    if _is_directory(path / "models"):
        return path
    if any(_is_directory(path / name) for name in _TELLING):
        raise NoComfyUI(f"{path} is a models folder, no ComfyUI", hint=f"Give it as one: --models-dir {path}")
    state = "holds neither folder_paths.py nor models/" if _is_directory(path) else "does not exist"
    raise NoComfyUI(f"no ComfyUI at {path}: it {state}")


def _working_directory() -> Path:
    try:
        return Path.cwd()
    except OSError as fault:
        reason = "the working directory, where it is looked for, is gone"
        raise NoComfyUI(f"no ComfyUI found: {reason}") from fault


def _search_upwards(start: Path) -> Path:
    places = [start, *start.parents]
    for place in places:
        for candidate in (place, place / "ComfyUI"):
            if _is_comfyui(candidate) or _is_base_directory(candidate):
                return candidate
    listed = ", ".join(map(str, places))
    raise NoComfyUI(f"no ComfyUI found: COMFYUI_PATH and the settings name none, and none is in {listed}")


def _is_comfyui(place: Path) -> bool:
    return _is_file(place / "folder_paths.py") or (
        _is_file(place / "main.py") and _is_directory(place / "models")
    )


def _is_base_directory(place: Path) -> bool:
    """Whether a folder nobody named is a base directory: many projects have some `models/`."""
    return any(_is_directory(place / "models" / name) for name in _TELLING)


def _extra_files(base: Path | None) -> Iterator[Path]:
    """The files a ComfyUI reads by itself, then the Desktop app's where it is about this base directory."""
    if base is None:
        return
    for name in EXTRA_PATHS_NAMES:
        if _is_file(base / name):
            yield base / name
    desktop = desktop_directory() / EXTRA_PATHS_NAMES[1]
    if _is_file(desktop) and _real(base) in map(_real, map(Path, read_extra_paths(desktop).bases)):
        yield desktop


def desktop_directory() -> Path:
    """Where the ComfyUI Desktop app keeps its configuration (Electron's `userData`)."""
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or "~/AppData/Roaming").expanduser() / "ComfyUI"
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/ComfyUI").expanduser()
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "ComfyUI"


def _gather(models_dir: Path, base: Path | None, extras: Sequence[ExtraPaths]) -> Roots:
    """Put the roots in ComfyUI's order: its own, the extra ones, those it fills itself."""
    named = (extra.download_base for extra in reversed(extras) if extra.download_base)
    download_base = next(map(Path, named), None)
    by_folder: dict[str, list[Root]] = {}
    for root in _default_roots(models_dir, download_base):
        by_folder.setdefault(root.folder, []).append(root)
    for extra in extras:
        for line in extra.paths:
            folder = canonical_folder(line.folder)
            known = by_folder.setdefault(folder, list(_own_roots(folder, models_dir)))
            _add(known, Root(folder=folder, path=Path(line.path), default=line.default))
    for name in _OUTPUT_DIRECTORIES if base else ():
        folder = canonical_folder(name)
        assert base is not None
        by_folder[folder].append(Root(folder=folder, path=base / "output" / name, output=True))
    return Roots(
        models_dir=models_dir,
        comfyui=base,
        by_folder={folder: _distinct(roots) for folder, roots in by_folder.items()},
        download_base=download_base,
        notes=tuple(note for extra in extras for note in extra.notes),
    )


def _default_roots(models_dir: Path, download_base: Path | None) -> Iterator[Root]:
    for folder in CORE:
        yield from _own_roots(folder, models_dir)
    for folder in CUSTOM:
        if download_base is not None and download_base != models_dir:
            yield from _own_roots(folder, download_base)
        yield from _own_roots(folder, models_dir)
    taken = {name for folder in CORE for name in directories_of(folder)} | set(CUSTOM)
    for name in _directory_names(models_dir):
        if name not in taken and canonical_folder(name) == name:
            yield Root(folder=name, path=models_dir / name)


def _own_roots(folder: str, models_dir: Path) -> Iterator[Root]:
    for name in directories_of(folder):
        yield Root(folder=folder, path=models_dir / name)


def _directory_names(models_dir: Path) -> list[str]:
    """The folders somebody made below `models/`; empty when it cannot be read, which a scan will tell."""
    try:
        with os.scandir(models_dir) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return []
    return sorted(name for name in names if is_folder_name(name) and name not in NOT_MODELS)


def _add(roots: list[Root], root: Root) -> None:
    """As ComfyUI's add_model_folder_path: a default comes first, also when the path is there already."""
    if root.default:
        roots[:] = [root, *(known for known in roots if known.path != root.path)]
    elif all(known.path != root.path for known in roots):
        roots.append(root)


def _distinct(roots: Iterable[Root]) -> tuple[Root, ...]:
    """Each real directory once, where it stood first, under the name that says most."""
    by_real: dict[Path, Root] = {}
    for root in roots:
        known = by_real.setdefault(_real(root.path), root)
        if known.path.name != known.folder and root.path.name == root.folder and not known.default:
            by_real[_real(root.path)] = replace(known, path=root.path)
    return tuple(by_real.values())


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - resolve() would lose the user's own names


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # unlike resolve() it never raises, loops included


def _is_directory(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - unlike Path.is_dir it never raises


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 - unlike Path.is_file it never raises
