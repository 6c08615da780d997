"""Tokens: where the secrets of the hubs live, and how they are kept out of everything else.

    environment variable  ▶  the system's keyring  ▶  tokens.json (0600)  ▶  huggingface_hub's own file

A ComfyUI's data folder is looked into before the user's own.

The file is plain text: a key kept beside it would hide nothing. Whatever the place, every program of
the same user, and every custom node inside ComfyUI, can read a token. Give hubs read-only ones.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from .decode import DecodeError, Value
from .errors import InvalidSettings
from .jsonfile import ACCESS, read_json, write_json
from .secret import Secret

FILE_NAME: Final = "tokens.json"
VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "civitai": ("CIVITAI_API_KEY", "CIVITAI_API_TOKEN", "CIVITAI_TOKEN"),
    "huggingface": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
}
_SERVICE: Final = "comfywatchman"
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Token:
    """A hub's token and where it was found: `place` in a word, `where` for a person."""

    secret: Secret
    where: str
    place: Literal["environment", "keyring", "file", "huggingface"]


class Keyring(Protocol):
    """A back end of the `keyring` package."""

    def get_password(self, service: str, username: str, /) -> str | None:
        """The secret, or None."""

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Keep a secret."""

    def delete_password(self, service: str, username: str, /) -> None:
        """Forget a secret."""


class TokenStore:
    """Reads, keeps and forgets the tokens of one user."""

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str],
        *,
        keyring: Keyring | None = None,
        fallback: Path | None = None,
    ) -> None:
        """`home` is the data folder; `keyring` is what `find_keyring` gives.

        `fallback` is another data folder whose tokens are found too, and never changed.
        """
        self._path = home / FILE_NAME
        self._fallback = fallback / FILE_NAME if fallback not in (None, home) else None
        self._environment = environment
        self._keyring = keyring

    def get(self, hub: str) -> Token | None:
        """The token of a hub, from the first place that has one.

        Raises:
            InvalidSettings: what is there is no token, or others can read tokens.json.
        """
        return (
            self._from_environment(hub)
            or self._from_keyring(hub)
            or self._from_file(hub, self._path)
            or (self._from_file(hub, self._fallback) if self._fallback else None)
            or (self._from_huggingface_hub() if hub == "huggingface" else None)
        )

    def set(self, hub: str, text: str) -> Token:
        """Keep a token in the keyring where there is a real one, else in tokens.json; `where` says which.

        Raises:
            InvalidSettings: there is no such hub, the text is no token, or it cannot be written.
        """
        secret = _make_secret(text, where=f"token for {_known(hub)}")
        if secret is None:
            raise InvalidSettings(f"token for {hub}: it is empty")
        if self._keep_in_keyring(hub, secret):
            self._change_file(hub, None)
            return Token(secret, "keyring", "keyring")
        self._change_file(hub, secret.reveal())
        return Token(secret, str(self._path), "file")

    def remove(self, hub: str) -> bool:
        """Forget a token wherever we keep it; whether there was one. Environment and others' files stay.

        Raises:
            InvalidSettings: there is no such hub, or it cannot be written.
        """
        in_file = self._change_file(_known(hub), None)
        if self._keyring is None or self._from_keyring(hub) is None:
            return in_file
        try:
            self._keyring.delete_password(_SERVICE, hub)
        except _keyring_errors() as fault:
            raise InvalidSettings(f"token for {hub}: the keyring does not let it go: {fault}") from fault
        return True

    def _from_environment(self, hub: str) -> Token | None:
        for variable in VARIABLES[_known(hub)]:
            secret = _make_secret(self._environment.get(variable, ""), where=variable)
            if secret is not None:
                return Token(secret, f"environment ({variable})", "environment")
        return None

    def _from_keyring(self, hub: str) -> Token | None:
        if self._keyring is None:
            return None
        try:
            text = self._keyring.get_password(_SERVICE, hub)
        except _keyring_errors() as fault:
            _log.warning("The keyring does not answer: %s", fault)
            return None
        secret = _make_secret(text or "", where=f"token for {hub} in the keyring")
        return Token(secret, "keyring", "keyring") if secret else None

    def _from_file(self, hub: str, path: Path) -> Token | None:
        secret = _make_secret(_read_file(path).get(hub, ""), where=f"token for {hub} in {path}")
        return Token(secret, str(path), "file") if secret else None

    def _from_huggingface_hub(self) -> Token | None:
        """What `hf auth login` left; only read. Its permissions are that program's affair."""
        if self._environment.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").lower() in ("1", "true", "yes", "on"):
            return None
        path = _huggingface_token_path(self._environment)
        try:
            with path.open("rb") as file:
                text = file.read(4096).decode("ascii", errors="replace")
        except OSError as fault:
            if not isinstance(fault, FileNotFoundError):
                _log.warning("%s cannot be read: %s", path, fault.strerror)
            return None
        secret = _make_secret(text, where=str(path))
        return Token(secret, str(path), "huggingface") if secret else None

    def _keep_in_keyring(self, hub: str, secret: Secret) -> bool:
        if self._keyring is None:
            return False
        try:
            self._keyring.set_password(_SERVICE, hub, secret.reveal())
        except _keyring_errors() as fault:
            _log.warning("The keyring does not take the token, so it goes into a file: %s", fault)
            return False
        return True

    def _change_file(self, hub: str, text: str | None) -> bool:
        """Put a token into the file or, with None, out of it; whether it was there."""
        tokens = _read_file(self._path)
        was_there = tokens.pop(hub, None) is not None
        if text is None and not was_there:
            return False
        if text is not None:
            tokens[hub] = text
        try:
            write_json(self._path, {**tokens})
        except OSError as fault:
            text = f"{self._path}: cannot be written: {fault.strerror or fault}"
            raise InvalidSettings(text, hint=ACCESS) from fault
        return was_there


def find_keyring() -> Keyring | None:
    """The system's keyring, or None when there is none worth the name."""
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:
        return None
    return choose_keyring(keyring.get_keyring())


def choose_keyring(backend: Any) -> Keyring | None:
    """The first real back end of what the `keyring` package chose, which may be a chain of several.

    Refused: `keyring.backends.fail` and `.null`, and everything below priority 1, which the package does
    not recommend itself: `keyrings.alt` keeps plain text at 0.5.
    """
    for candidate in getattr(backend, "backends", None) or (backend,):
        module = type(candidate).__module__
        is_refused = module.startswith(("keyring.backends.fail", "keyring.backends.null", "keyrings.alt"))
        if not is_refused and getattr(candidate, "priority", 0) >= 1:
            chosen: Keyring = candidate
            return chosen
    return None


def _read_file(path: Path) -> dict[str, str]:
    try:
        _check_private(path)
        entries = Value(read_json(path)).entries()
        return {hub: value.text() for hub, value in entries}
    except DecodeError:  # its message could quote the file; and neither may the chain
        raise InvalidSettings(f"{path}: expected an object of texts") from None
    except OSError as fault:
        raise InvalidSettings(f"{path}: cannot be read: {fault.strerror or fault}", hint=ACCESS) from fault


def _make_secret(text: str, *, where: str) -> Secret | None:
    """A token out of its surroundings; None when there is nothing. It is never quoted in an error."""
    text = text.strip()
    if not text:
        return None
    if not re.fullmatch(r"[!-~]{1,1024}", text):
        raise InvalidSettings(f"{where}: a token is printable ASCII without spaces; this is something else")
    return Secret(text)


def _known(hub: str) -> str:
    if hub not in VARIABLES:
        raise InvalidSettings(f"hub {hub[:80]!r}: unknown", hint=f"There are {', '.join(VARIABLES)}.")
    return hub


def _check_private(path: Path) -> None:
    """Refuse a file that others can read or write; Windows keeps it in the user's profile."""
    if os.name != "posix" or not path.exists():
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise InvalidSettings(
            f"{path}: others can read it (mode {mode:04o})",
            hint=f"Run: chmod 600 {path} - and make new tokens if others use this machine.",
        )


def _huggingface_token_path(environment: Mapping[str, str]) -> Path:
    """Where huggingface_hub keeps its token: HF_TOKEN_PATH, else in HF_HOME, else in the cache."""
    cache = environment.get("XDG_CACHE_HOME") or "~/.cache"
    home = environment.get("HF_HOME") or f"{cache}/huggingface"
    return Path(os.path.expandvars(environment.get("HF_TOKEN_PATH") or f"{home}/token")).expanduser()


def _keyring_errors() -> type[Exception]:
    """What a back end may raise; asked for only when one has raised something, so the package is there."""
    errors: type[Exception] = importlib.import_module("keyring.errors").KeyringError
    return errors
