"""Settings: what the user chose, from one file and the environment.

    default  ◀  settings.json in the data folder  ◀  environment variable

`Settings` is the one table: every field carries its kind, its environment variables, what it means,
and whether it guards security. Those that do can only be changed in the file or by the command line,
never through a route. Unknown keys in the file are kept for the version that knows them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from .catalog import Json
from .decode import DecodeError, Value
from .errors import InvalidSettings
from .jsonfile import ACCESS, read_json, write_json
from .kinds import (
    BYTES,
    FLAG,
    HOST_NAME,
    PATH,
    PLACES,
    PRECISION,
    URL,
    Kind,
    count,
    one_of,
    optional,
    print_value,
    several,
)

FILE_NAME: Final = "settings.json"
GIB: Final = 1 << 30


class Origin(StrEnum):
    """Where an effective value comes from."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"


def _key(kind: Kind, help: str, *, env: tuple[str, ...] = (), guard: bool = False) -> dict[str, Any]:  # noqa: A002
    """What a field of Settings knows about itself. `guard`: a security setting, not for routes."""
    return {"kind": kind, "help": help, "env": env, "guard": guard}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All effective settings. Sizes in bytes, `bandwidth` in bytes a second; None means none."""

    home: Path
    comfyui: Path | None = field(
        default=None,
        metadata=_key(
            optional(PATH),
            "the ComfyUI that is meant when none is given",
            env=("COMFYUI_PATH",),
            guard=True,
        ),
    )
    models_dir: Path | None = field(
        default=None,
        metadata=_key(optional(PATH), "a models folder, where there is no ComfyUI", guard=True),
    )
    extra_model_paths: tuple[Path, ...] = field(
        default=(),
        metadata=_key(
            several(PATH), "more files like extra_model_paths.yaml; name those ComfyUI is given", guard=True
        ),
    )
    civitai_endpoint: str = field(
        default="https://civitai.com",
        metadata=_key(URL, "where CivitAI is asked", env=("COMFYWATCHMAN_CIVITAI_ENDPOINT",), guard=True),
    )
    huggingface_endpoint: str = field(
        default="https://huggingface.co",
        metadata=_key(URL, "where Hugging Face is asked", env=("HF_ENDPOINT",), guard=True),
    )
    mirrors: tuple[str, ...] = field(
        default=(),
        metadata=_key(several(URL), "addresses trusted as a hub; may be http and loopback", guard=True),
    )
    allowed_hosts: tuple[str, ...] = field(
        default=(),
        metadata=_key(several(HOST_NAME), "hosts a workflow may link to without a question", guard=True),
    )
    served_as: tuple[str, ...] = field(
        default=(),
        metadata=_key(
            several(HOST_NAME),
            "what besides localhost may stand in a browser's address bar before our routes",
            guard=True,
        ),
    )
    allow_lan: bool = field(
        default=False, metadata=_key(FLAG, "let other machines use our routes in ComfyUI", guard=True)
    )
    fetch_certain: bool | None = field(
        default=None,
        metadata=_key(optional(FLAG), "fetch what is certain without a question; none: ask", guard=True),
    )
    automatic_cap: int = field(
        default=30 * GIB, metadata=_key(BYTES, "the largest file fetched without a question", guard=True)
    )
    file_cap: int = field(
        default=200 * GIB, metadata=_key(BYTES, "the largest file fetched at all", guard=True)
    )
    plan_cap: int = field(
        default=500 * GIB, metadata=_key(BYTES, "the most bytes one plan fetches", guard=True)
    )
    plan_files: int = field(
        default=200, metadata=_key(count(1, 100_000), "the most files one plan fetches", guard=True)
    )
    offline: bool = field(
        default=False, metadata=_key(FLAG, "ask no hub and fetch nothing; what is here still works")
    )
    transfers_at_once: int = field(default=3, metadata=_key(count(1, 16), "files fetched at the same time"))
    connections_per_host: int = field(
        default=16, metadata=_key(count(1, 16), "the most connections to one host")
    )
    bandwidth: int | None = field(
        default=None, metadata=_key(optional(BYTES), "the most bytes a second over all transfers, like 20 MB")
    )
    precision: str | None = field(
        default=None,
        metadata=_key(
            optional(PRECISION),
            "what to offer first where a model comes in several: fp16, bf16, fp8, Q4_K_M, …",
        ),
    )
    targets: Mapping[str, Path] = field(
        default_factory=dict,
        metadata=_key(PLACES, "where new files of a folder go, if several directories serve it"),
    )
    node_pickles: bool = field(
        default=False,
        metadata=_key(FLAG, "let nodes fetch and load pickle formats (.ckpt .pt .pth .bin)", guard=True),
    )
    nsfw: bool = field(default=False, metadata=_key(FLAG, "show adult models in search"))
    preview_level: str = field(
        default="safe",
        metadata=_key(
            one_of("none", "safe", "mature", "all"),
            "which pictures of models pages show: none, up to PG-13 (safe), also R (mature), or all",
        ),
    )
    sidecars: str = field(
        default="civitai-info",
        metadata=_key(
            one_of("civitai-info", "none"),
            "what is written beside files from CivitAI: `STEM.civitai.info`, or none",
        ),
    )
    cache_hours: int = field(
        default=720, metadata=_key(count(0, 8760), "the longest that a hub's answer is remembered")
    )
    origins: Mapping[str, Origin] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    def show(self) -> tuple[Shown, ...]:
        """Every setting with its value as it would stand in the file, and where it comes from."""
        return tuple(
            _shown(key, getattr(self, key), self.origins.get(key, Origin.DEFAULT)) for key in _table()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One setting for a person to see. A `guard` is a security setting."""

    key: str
    value: Json
    origin: Origin
    help: str
    guard: bool
    kind: str
    choices: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The value as it may be typed."""
        return print_value(self.kind, self.value)


def find_home(environment: Mapping[str, str], *, comfyui: Path | None = None) -> Path:
    """The data folder: COMFYWATCHMAN_HOME, else ComfyUI's system user directory, else the user's own.

    `comfyui` is the base directory of a ComfyUI. Its `user/__comfywatchman` is what
    `folder_paths.get_system_user_directory` gives; ComfyUI serves it to nobody.
    """
    if chosen := environment.get("COMFYWATCHMAN_HOME"):
        return Path(os.path.abspath(Path(chosen).expanduser()))  # noqa: PTH100 - keep the user's own names
    if comfyui is not None:
        return comfyui / "user" / "__comfywatchman"
    import platformdirs

    return platformdirs.user_data_path("comfywatchman", appauthor=False)


def read_settings(home: Path, environment: Mapping[str, str]) -> Settings:
    """Put defaults, the file and the environment together. An empty variable counts as not set.

    Raises:
        InvalidSettings: a value means nothing; the message names the file and key, or the variable.
    """
    stored = _read_file(home)
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for key, entry in _table().items():
        variable = next((name for name in entry["env"] if environment.get(name, "").strip()), None)
        if variable is not None:
            values[key] = _parse(entry["kind"], environment[variable], where=variable)
            origins[key] = Origin.ENVIRONMENT
        elif key in stored:
            values[key] = _read(entry["kind"], stored[key], where=f"{home / FILE_NAME}: {key}")
            origins[key] = Origin.FILE
    unknown = tuple(key for key in stored if key not in _table())
    return Settings(home=home, origins=origins, unknown=unknown, **values)


def set_setting(home: Path, key: str, text: str) -> Shown:
    """Write one setting from what a person typed; gives it as it stands in the file.

    `default` takes the key out of the file. Everything else in the file stays.

    Raises:
        InvalidSettings: there is no such setting, the text means nothing, or the file cannot be written.
    """
    entry = _entry(key)
    stored = _read_file(home)
    if text.strip().lower() == "default":
        stored.pop(key, None)
    else:
        stored[key] = _to_json(_parse(entry["kind"], text, where=key))
    _write_file(home, stored)
    return _shown(key, stored.get(key), Origin.FILE if key in stored else Origin.DEFAULT)


def change_settings(home: Path, changes: Mapping[str, Json]) -> None:
    """Write several settings at once, as JSON has them; null takes one out of the file. All or nothing.

    Raises:
        InvalidSettings: there is no such setting, a value means nothing, or the file cannot be written.
    """
    stored = _read_file(home)
    for key, value in changes.items():
        kind = _entry(key)["kind"]
        if value is None:
            stored.pop(key, None)
        else:
            stored[key] = _to_json(_read(kind, value, where=key))
    _write_file(home, stored)


def _shown(key: str, value: Any, origin: Origin) -> Shown:
    entry = _table()[key]
    kind: Kind = entry["kind"]
    return Shown(
        key=key,
        value=_to_json(value),
        origin=origin,
        help=entry["help"],
        guard=entry["guard"],
        kind=kind.word,
        choices=kind.choices,
    )


def _entry(key: str) -> Mapping[str, Any]:
    entry = _table().get(key)
    if entry is None:
        raise InvalidSettings(f"setting {key[:80]!r}: unknown", hint=f"There are {', '.join(_table())}.")
    return entry


def _table() -> dict[str, Mapping[str, Any]]:
    """The settings by key: the fields that know their kind."""
    return {entry.name: entry.metadata for entry in fields(Settings) if entry.metadata}


def _read_file(home: Path) -> dict[str, Json]:
    path = home / FILE_NAME
    try:
        stored = read_json(path)
    except DecodeError as fault:
        raise InvalidSettings(fault.message, hint="Mend the file, or move it away to start anew.") from fault
    except OSError as fault:
        raise InvalidSettings(f"{path}: cannot be read: {fault.strerror or fault}", hint=ACCESS) from fault
    if stored is not None and not isinstance(stored, dict):
        raise InvalidSettings(f"{path}: expected an object, got {type(stored).__name__}")
    return stored or {}


def _write_file(home: Path, stored: dict[str, Json]) -> None:
    try:
        write_json(home / FILE_NAME, stored)
    except OSError as fault:
        text = f"{home / FILE_NAME}: cannot be written: {fault.strerror or fault}"
        raise InvalidSettings(text, hint=ACCESS) from fault


def _parse(kind: Kind, text: str, *, where: str) -> Any:
    return _read(kind, kind.parse(text.strip()), where=where)


def _read(kind: Kind, stored: Json, *, where: str) -> Any:
    """The value of what stands in the file; its type is the field's."""
    try:
        return kind.read(Value(stored))
    except (DecodeError, ValueError, RuntimeError) as fault:  # RuntimeError: ~nobody has no home
        raise InvalidSettings(f"{where}: expected {kind.wanted}, got {str(stored)[:80]!r}") from fault


def _to_json(value: Any) -> Json:
    if isinstance(value, tuple):
        return [_to_json(inner) for inner in value]
    if isinstance(value, Mapping):
        return {key: _to_json(inner) for key, inner in value.items()}
    return str(value) if isinstance(value, Path) else value
