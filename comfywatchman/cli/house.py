"""The house of one command: which installation, data folder and tokens its options mean."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import HubUnavailable
from ..house import House, mirrors
from ..hubs.base import Hub
from ..library.roots import Roots, find_roots, locate_comfyui
from ..settings import Settings, find_home
from ..tokens import TokenStore, find_keyring
from ..workflow.loaders import Loaders
from .options import Common

if TYPE_CHECKING:
    from ..watchman import Watchman

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a command works with: a house, and its settings and verbs as they are at the start."""

    house: House
    settings: Settings
    watchman: Watchman

    def hub(self, name: str) -> Hub:
        """The hub of that name.

        Raises:
            NeedsNetwork: hubs are not asked offline.
        """
        return self.house.hub(name)


@contextmanager
def open_house(
    options: Common, *, hosts: Sequence[str] = (), pickles: bool = False, needs_models: bool = True
) -> Iterator[Opened]:
    """Put the house together for one command, and close what it opened.

    `hosts` are allowed besides those in the settings, and pickle formats if `pickles`. With `needs_models`
    False a ComfyUI may be missing.

    Raises:
        NoComfyUI: no ComfyUI or models folder is found, and one is needed.
        InvalidSettings: the settings or the environment cannot be used.
    """

    def find(settings: Settings) -> Roots | None:
        return _find_roots(options, settings) if needs_models else None

    def learn(loaders: Loaders, settings: Settings) -> Loaders:
        return _learn(options, loaders, settings)

    home = find_own_home(options)
    tokens = open_tokens(options)
    with House(home, os.environ, tokens=tokens, roots=find, learn=learn, offline=options.offline) as house:
        yield Opened(
            house=house, settings=house.settings(), watchman=house.watchman(hosts=hosts, pickles=pickles)
        )


def find_own_home(options: Common) -> Path:
    """The data folder of this command: that of the ComfyUI it is given, else the user's own."""
    comfyui = locate_comfyui(options.comfyui) if options.comfyui else None
    return find_home(os.environ, comfyui=comfyui)


def open_tokens(options: Common) -> TokenStore:
    """Where this command keeps and finds tokens: the ComfyUI's data folder, then the user's own."""
    own = find_home(os.environ)
    return TokenStore(find_own_home(options), os.environ, keyring=find_keyring(), fallback=own)


def _find_roots(options: Common, settings: Settings) -> Roots:
    """The roots of what the options name, else the settings, else the working directory's parents."""
    given = options.comfyui or options.models_dir
    roots = find_roots(
        comfyui=options.comfyui if given else settings.comfyui,
        models_dir=options.models_dir if given else settings.models_dir,
        configs=settings.extra_model_paths,
    )
    for note in roots.notes:
        _log.warning("%s", note)
    return roots


def _learn(options: Common, loaders: Loaders, settings: Settings) -> Loaders:
    """The table with what a running ComfyUI tells of the nodes it has."""
    from ..hubs.comfyui import learn_from

    if options.comfyui_url is None or options.offline:
        return loaders
    try:
        return learn_from(options.comfyui_url, loaders, trusted=mirrors(settings))
    except HubUnavailable as fault:
        _log.warning("%s; going on with the nodes that are known here", fault.message)
        return loaders
