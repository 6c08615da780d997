r"""ComfyUI's `extra_model_paths.yaml`, and the Desktop app's `extra_models_config.yaml`.

    a1111:                            # a section; a null one is skipped
      base_path: ~/webui              # ~ and $VARIABLES; relative to the file's own folder
      is_default: true                # its directories come first, and take new files
      checkpoints: models/Stable-diffusion
      loras: |                        # several lines, several directories
        models/Lora
        models/LyCORIS
      download_model_base: models     # ComfyUI-Manager: where folders of node packs are

Read as ComfyUI's `utils/extra_config.py` does, with the rules of the given path flavour. Directories
of another system (`D:\models` under Linux, on a disk that two systems share) lead nowhere and are
left out with a note.
"""

from __future__ import annotations

import ntpath
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

from ..decode import MIB
from ..errors import InvalidSettings
from .folders import NOT_MODELS, is_folder_name

_DRIVE: Final = re.compile(r"(?:^|/)(?:[A-Za-z]:(?:[\\/]|$)|\\\\)")
_NO_FOLDERS: Final = NOT_MODELS | {"base_path", "is_default", "download_model_base"}


@dataclass(frozen=True, slots=True)
class ExtraPath:
    """One line of the file: a directory for a folder, in the file's order."""

    folder: str
    path: str
    default: bool = False


@dataclass(frozen=True, slots=True)
class ExtraPaths:
    """What one file adds. `download_base` is the Manager's key, `bases` each section's base path."""

    paths: tuple[ExtraPath, ...] = ()
    bases: tuple[str, ...] = ()
    download_base: str | None = None
    notes: tuple[str, ...] = ()


def read_extra_paths(file: Path) -> ExtraPaths:
    """Read one configuration file.

    Raises:
        InvalidSettings: it cannot be read, or ComfyUI would not start with it; says where.
    """
    try:
        with file.open("rb") as stream:
            text = stream.read(MIB + 1)
    except OSError as fault:
        raise InvalidSettings(f"{file}: cannot be read: {fault.strerror or fault}") from fault
    if len(text) > MIB:
        raise InvalidSettings(f"{file}: over {MIB:,} bytes, no list of model paths")
    return parse_extra_paths(_parse_yaml(text, where=str(file)), where=str(file))


def _parse_yaml(text: bytes, *, where: str) -> object:
    import yaml

    try:
        parsed: object = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as fault:  # ValueError: dates like 2024-13-41
        mark = getattr(fault, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        hint = "ComfyUI does not start with it either: mend or remove the file."
        raise InvalidSettings(f"{where}: not YAML{line}", hint=hint) from fault
    return parsed


def parse_extra_paths(config: object, *, where: str, flavour: ModuleType = os.path) -> ExtraPaths:
    """Read what YAML gave. `where` names the file; `flavour` is `posixpath` or `ntpath`.

    Raises:
        InvalidSettings: the shape is not the one that ComfyUI reads.
    """
    reader = _Reader(where, flavour)
    if config is None:
        return ExtraPaths()
    if not isinstance(config, Mapping):
        raise reader.fault("", "sections", config)
    for name, section in config.items():
        if section is not None:
            reader.read_section(str(name), section)
    return ExtraPaths(
        tuple(reader.paths), tuple(reader.bases), reader.download_base, notes=tuple(reader.notes)
    )


class _Reader:
    """Goes through the sections of one file and gathers what they say."""

    def __init__(self, where: str, flavour: ModuleType) -> None:
        self.where = where
        self.flavour = flavour
        self.paths: list[ExtraPath] = []
        self.bases: list[str] = []
        self.download_base: str | None = None
        self.notes: list[str] = []

    def read_section(self, name: str, section: object) -> None:
        if not isinstance(section, Mapping):
            raise self.fault(name, "folders and their directories", section)
        base = self.flavour.dirname(self.flavour.abspath(self.where))
        for line in self._lines(f"{name}.base_path", section.get("base_path")):
            base = self.flavour.join(base, self.flavour.expandvars(self.flavour.expanduser(line)))
        if self._is_foreign(base):
            self.notes.append(f"{self.where}: {name}: {base} is a path of another system; left out")
            return
        self.bases.append(self.flavour.normpath(base))
        default = bool(section.get("is_default"))
        for folder, value in section.items():
            for line in self._lines(f"{name}.{folder}", value) if folder not in _NO_FOLDERS else ():
                path = self.flavour.normpath(self.flavour.join(base, line))
                self._add(name, str(folder), path, default=default)
        for line in self._lines(f"{name}.download_model_base", section.get("download_model_base")):
            self.download_base = self.flavour.normpath(self.flavour.join(base, line))

    def _add(self, section: str, folder: str, path: str, *, default: bool) -> None:
        if not is_folder_name(folder):
            self.notes.append(f"{self.where}: {section}: {folder[:80]!r} is no folder's name; left out")
        elif self._is_foreign(path):
            self.notes.append(f"{self.where}: {section}: {path} is a path of another system; left out")
        else:
            self.paths.append(ExtraPath(folder, path, default))

    def _is_foreign(self, path: str) -> bool:
        r"""Whether a path has a drive somewhere (`/x/D:\models` after joining), and drives mean nothing."""
        return self.flavour is not ntpath and bool(_DRIVE.search(path))

    def _lines(self, key: str, value: object) -> Iterator[str]:
        """The directories in a value: lines of a text, or members of a list; null has none."""
        for text in value if isinstance(value, list) else [value]:
            if text is None:
                continue
            if not isinstance(text, str):
                raise self.fault(key, "text", text)
            yield from (line for line in text.split("\n") if line.strip())

    def fault(self, key: str, wanted: str, got: object) -> InvalidSettings:
        place = f"{self.where}: {key}" if key else self.where
        return InvalidSettings(f"{place}: expected {wanted}, got {type(got).__name__}")
