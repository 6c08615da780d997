"""Settings: what the user chose, from one file and the environment.

    default  ◀  settings.json in the data folder  ◀  environment variable

`Settings` is the one table: every field carries its kind, its environment variables, what it means,
and whether it guards security. Those that do can only be changed in the file or by the command line,
never through a route. Unknown keys in the file are kept for the version that knows them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from .catalog import Json, canonical_folder
from .decode import DecodeError, Value
from .errors import InvalidSettings
from .jsonfile import read_json, write_json

FILE_NAME: Final = "settings.json"
GIB: Final = 1 << 30

_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE: Final = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?)\s*([kmgt]?)i?b?(?:/s)?", re.IGNORECASE)
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})
_WORD: Final = re.compile(r"[\w.+-]{1,40}", re.ASCII)
_HOST: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_-]+|\[[0-9a-f:.]+\]")


class Origin(StrEnum):
    """Where an effective value comes from."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: `read` takes it from JSON, `parse` makes that JSON of what a person types.

    `word` tells a page how to ask for it: flag, count, size, text, choice, path, url, host, list or places.
    """

    word: str
    wanted: str
    read: Callable[[Value], Any]
    parse: Callable[[str], Json] = str
    choices: tuple[str, ...] = ()


def _count(lowest: int, highest: int) -> Kind:
    wanted = f"a whole number from {lowest} to {highest}"

    def read(value: Value) -> int:
        if not lowest <= (number := value.integer()) <= highest:
            raise value.fault(wanted)
        return number

    return Kind("count", wanted, read, _parse_number)


def _parse_number(text: str) -> Json:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else text


def _read_flag(value: Value) -> bool:
    if not isinstance(value.json, bool):
        raise value.fault("true or false")
    return value.json


def _parse_flag(text: str) -> Json:
    return True if text.lower() in _YES else False if text.lower() in _NO else text


def _read_size(value: Value) -> int:
    """Bytes: a whole number, or text as people write it; 1 KiB and 1 KB are both 1,024 bytes."""
    if not isinstance(value.json, str):
        number = value.integer()
    elif found := _SIZE.fullmatch(value.json.strip()):
        number = int(Decimal(found[1]) * _UNITS[found[2].lower()])
    else:
        raise value.fault("a size")
    if not 0 <= number < 1 << 60:
        raise value.fault("a size")
    return number


def _read_path(value: Value) -> Path:
    text = value.text()
    if not text or "\0" in text:
        raise value.fault("a path")
    return Path(text).expanduser()


def _read_url(value: Value) -> str:
    """The base of a web address without its last slash; the host stands for itself, so no user, no query."""
    text = value.text().strip().rstrip("/")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise value.fault("an http or https address")
    if parts.username is not None or re.search(r"[\s\\\x00-\x1f]", text) or parts.port == 0:
        raise value.fault("an http or https address")
    return text


def _read_host(value: Value) -> str:
    text = value.text().strip().lower()
    name, _, port = text.rpartition(":") if re.search(r":\d+\Z", text) else (text, "", "1")
    if not _HOST.fullmatch(name) or not 0 < int(port) < 65536:
        raise value.fault("a host name")
    return text


def _optional(kind: Kind) -> Kind:
    """The kind, or nothing: null in the file, `none` when typed."""
    return Kind(
        kind.word,
        f"{kind.wanted}, or none",
        lambda value: None if value.json is None else kind.read(value),
        lambda text: None if text.lower() == "none" else kind.parse(text),
    )


def _several(kind: Kind) -> Kind:
    """A list of the kind; separated by commas when typed."""
    return Kind(
        "list",
        f"a list: {kind.wanted}, separated by commas",
        lambda value: tuple(kind.read(inner) for inner in value.items()),
        lambda text: [kind.parse(part.strip()) for part in text.split(",") if part.strip()],
    )


def _one_of(*words: str) -> Kind:
    """One of some words."""
    wanted = " or ".join(words)

    def read(value: Value) -> str:
        if value.text() not in words:
            raise value.fault(wanted)
        return value.text()

    return Kind("choice", wanted, read, str.lower, choices=words)


def _read_word(value: Value) -> str:
    if not _WORD.fullmatch(text := value.text().strip()):
        raise value.fault("a word")
    return text


def _read_places(value: Value) -> Mapping[str, Path]:
    if not isinstance(value.json, dict):
        raise value.fault("folders with a path each")
    return {canonical_folder(folder): _read_path(path) for folder, path in value.entries()}


def _parse_places(text: str) -> Json:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    return {folder.strip(): path.strip() for folder, _, path in pairs}


_FLAG: Final = Kind("flag", "true or false", _read_flag, _parse_flag)
_BYTES: Final = Kind("size", "a size like 500 MiB", _read_size)
_PATH: Final = Kind("path", "a path", _read_path)
_URL: Final = Kind("url", "an http or https address", _read_url)
_HOST_NAME: Final = Kind("host", "a host name, with :port where it has one", _read_host)
_PRECISION: Final = Kind("text", "a precision like fp16, bf16, fp8 or Q4_K_M", _read_word)
_PLACES: Final = Kind("places", "FOLDER=PATH, separated by commas", _read_places, _parse_places)


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
            _optional(_PATH),
            "the ComfyUI that is meant when none is given",
            env=("COMFYUI_PATH",),
            guard=True,
        ),
    )
    models_dir: Path | None = field(
        default=None,
        metadata=_key(_optional(_PATH), "a models folder, where there is no ComfyUI", guard=True),
    )
    extra_model_paths: tuple[Path, ...] = field(
        default=(),
        metadata=_key(
            _several(_PATH), "more files like extra_model_paths.yaml; name those ComfyUI is given", guard=True
        ),
    )
    civitai_endpoint: str = field(
        default="https://civitai.com",
        metadata=_key(_URL, "where CivitAI is asked", env=("COMFYWATCHMAN_CIVITAI_ENDPOINT",), guard=True),
    )
    huggingface_endpoint: str = field(
        default="https://huggingface.co",
        metadata=_key(_URL, "where Hugging Face is asked", env=("HF_ENDPOINT",), guard=True),
    )
    mirrors: tuple[str, ...] = field(
        default=(),
        metadata=_key(_several(_URL), "addresses trusted as a hub; may be http and loopback", guard=True),
    )
    allowed_hosts: tuple[str, ...] = field(
        default=(),
        metadata=_key(_several(_HOST_NAME), "hosts a workflow may link to without a question", guard=True),
    )
    served_as: tuple[str, ...] = field(
        default=(),
        metadata=_key(
            _several(_HOST_NAME),
            "what besides localhost may stand in a browser's address bar before our routes",
            guard=True,
        ),
    )
    allow_lan: bool = field(
        default=False, metadata=_key(_FLAG, "let other machines use our routes in ComfyUI", guard=True)
    )
    fetch_certain: bool | None = field(
        default=None,
        metadata=_key(_optional(_FLAG), "fetch what is certain without a question; none: ask", guard=True),
    )
    automatic_cap: int = field(
        default=30 * GIB, metadata=_key(_BYTES, "the largest file fetched without a question", guard=True)
    )
    file_cap: int = field(
        default=200 * GIB, metadata=_key(_BYTES, "the largest file fetched at all", guard=True)
    )
    plan_cap: int = field(
        default=500 * GIB, metadata=_key(_BYTES, "the most bytes one plan fetches", guard=True)
    )
    plan_files: int = field(
        default=200, metadata=_key(_count(1, 100_000), "the most files one plan fetches", guard=True)
    )
    transfers_at_once: int = field(default=3, metadata=_key(_count(1, 16), "files fetched at the same time"))
    connections_per_host: int = field(
        default=16, metadata=_key(_count(1, 16), "the most connections to one host")
    )
    bandwidth: int | None = field(
        default=None, metadata=_key(_optional(_BYTES), "the most bytes a second over all transfers")
    )
    precision: str | None = field(
        default=None,
        metadata=_key(_optional(_PRECISION), "what to offer first where a model comes in several precisions"),
    )
    targets: Mapping[str, Path] = field(
        default_factory=dict,
        metadata=_key(_PLACES, "where new files of a folder go, if several directories serve it"),
    )
    nsfw: bool = field(default=False, metadata=_key(_FLAG, "show adult models in search"))
    sidecars: str = field(
        default="civitai-info",
        metadata=_key(
            _one_of("civitai-info", "none"),
            "what is written beside files from CivitAI: `STEM.civitai.info`, or none",
        ),
    )
    cache_hours: int = field(
        default=720, metadata=_key(_count(0, 8760), "the longest that a hub's answer is remembered")
    )
    origins: Mapping[str, Origin] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    def show(self) -> tuple[Shown, ...]:
        """Every setting with its value as it would stand in the file, and where it comes from."""
        return tuple(
            Shown(
                key=key,
                value=_to_json(getattr(self, key)),
                origin=self.origins.get(key, Origin.DEFAULT),
                help=entry["help"],
                guard=entry["guard"],
                kind=entry["kind"].word,
                choices=entry["kind"].choices,
            )
            for key, entry in _table().items()
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


def set_setting(home: Path, key: str, text: str) -> Json:
    """Write one setting from what a person typed; gives the value as it stands in the file.

    `default` takes the key out of the file. Everything else in the file stays.

    Raises:
        InvalidSettings: there is no such setting, the text means nothing, or the file cannot be written.
    """
    entry = _entry(key)
    stored = _read_file(home)
    value: Json = None
    if text.strip().lower() == "default":
        stored.pop(key, None)
    else:
        value = stored[key] = _to_json(_parse(entry["kind"], text, where=key))
    _write_file(home, stored)
    return value


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
        raise InvalidSettings(f"{path}: cannot be read: {fault.strerror or fault}") from fault
    if stored is not None and not isinstance(stored, dict):
        raise InvalidSettings(f"{path}: expected an object, got {type(stored).__name__}")
    return stored or {}


def _write_file(home: Path, stored: dict[str, Json]) -> None:
    try:
        write_json(home / FILE_NAME, stored)
    except OSError as fault:
        raise InvalidSettings(f"{home / FILE_NAME}: cannot be written: {fault.strerror or fault}") from fault


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
