"""The house put together outside ComfyUI: the one place where settings, hubs, library and transfers meet.

What speaks HTTP is imported when a house is opened, so that `--help` need not wait for it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ..errors import HubUnavailable, NeedsNetwork
from ..hubs.base import Hub
from ..hubs.known import Known, Places, find_places
from ..library.roots import Roots, find_roots, locate_comfyui
from ..plan import Policy
from ..settings import Settings, find_home, read_settings
from ..tokens import TokenStore, find_keyring
from ..transfer.guard import Guard
from ..transfer.limits import Limits
from ..workflow.loaders import Loaders, load_loaders
from .options import Common
from .ownloaders import OWN_LOADERS, read_own_loaders

if TYPE_CHECKING:
    from ..watchman import Watchman

_log: Final = logging.getLogger(__name__)

HUBS: Final = ("civitai", "huggingface")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What a command works with."""

    settings: Settings
    watchman: Watchman
    hubs: tuple[Hub, ...]

    def hub(self, name: str) -> Hub:
        """The hub of that name.

        Raises:
            NeedsNetwork: hubs are not asked offline.
        """
        for hub in self.hubs:
            if hub.name == name:
                return hub
        raise NeedsNetwork(f"{name} cannot be asked offline")


@contextmanager
def open_house(
    options: Common, *, hosts: Sequence[str] = (), pickles: bool = False, needs_models: bool = True
) -> Iterator[House]:
    """Put the house together for one command, and close what it opened.

    `hosts` are allowed besides those in the settings, and pickle formats if `pickles`. With `needs_models`
    False a ComfyUI may be missing.

    Raises:
        NoComfyUI: no ComfyUI or models folder is found, and one is needed.
        InvalidSettings: the settings or the environment cannot be used.
    """
    from ..bookkeeping import Books
    from ..watchman import Watchman

    environment = os.environ
    settings = read_settings(find_own_home(options), environment)
    roots = _find_roots(options, settings) if needs_models else None
    for note in roots.notes if roots else ():
        _log.warning("%s", note)
    with ExitStack() as stack:
        hubs = () if options.offline else _open_hubs(stack, settings, open_tokens(options))
        yield House(
            settings=settings,
            hubs=hubs,
            watchman=Watchman(
                roots=roots,
                hubs=hubs,
                known=Known(settings.home, places=_places(roots)),
                policy=replace(_policy(settings, hosts, hubs), pickles=pickles),
                guard=_guard(settings),
                limits=_limits(settings),
                books=stack.enter_context(
                    Books(settings.home, hubs=hubs, sidecars=settings.sidecars != "none")
                ),
                loaders=_loaders(options, settings) if needs_models else None,
            ),
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
    return find_roots(
        comfyui=options.comfyui if given else settings.comfyui,
        models_dir=options.models_dir if given else settings.models_dir,
        configs=settings.extra_model_paths,
    )


def _open_hubs(stack: ExitStack, settings: Settings, tokens: TokenStore) -> tuple[Hub, ...]:
    from ..hubs.answers import HOUR, Answers
    from ..hubs.civitai import Civitai
    from ..hubs.huggingface import HuggingFace
    from ..hubs.session import Session

    session = stack.enter_context(Session())
    answers = stack.enter_context(
        Answers(settings.home / "answers.sqlite3", longest=settings.cache_hours * HOUR)
    )
    return (
        Civitai(
            session, endpoint=settings.civitai_endpoint, token=_reader(tokens, "civitai"), answers=answers
        ),
        HuggingFace(
            endpoint=settings.huggingface_endpoint, token=_reader(tokens, "huggingface"), answers=answers
        ),
    )


def _loaders(options: Common, settings: Settings) -> Loaders:
    """The table of loaders with the user's own rows, and what a running ComfyUI tells."""
    from ..hubs.comfyui import learn_from

    loaders = read_own_loaders(settings.home / OWN_LOADERS, load_loaders())
    if options.comfyui_url is None or options.offline:
        return loaders
    try:
        return learn_from(options.comfyui_url, loaders, trusted=_mirrors(settings))
    except HubUnavailable as fault:
        _log.warning("%s; going on with the nodes that are known here", fault.message)
        return loaders


def _reader(tokens: TokenStore, hub: str) -> Callable[[], str | None]:
    def read() -> str | None:
        token = tokens.get(hub)
        return token.secret.reveal() if token else None

    return read


def _places(roots: Roots | None) -> Places:
    return find_places(roots.comfyui) if roots and roots.comfyui else Places()


def _mirrors(settings: Settings) -> frozenset[str]:
    """Origins the user configured: they are asked like the hubs themselves."""
    named = (settings.civitai_endpoint, settings.huggingface_endpoint, *settings.mirrors)
    return frozenset(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" for url in named)


def _policy(settings: Settings, hosts: Sequence[str], hubs: Sequence[Hub]) -> Policy:
    return Policy(
        automatic_size=settings.automatic_cap,
        largest_size=settings.file_cap,
        mirrors=_mirrors(settings),
        hosts=frozenset((*settings.allowed_hosts, *(host.lower() for host in hosts))),
        tokens=frozenset(hub.name for hub in hubs if hub.has_token),
    )


def _guard(settings: Settings) -> Guard:
    return Guard(trusted=_mirrors(settings))


def _limits(settings: Settings) -> Limits:
    return Limits(
        together=settings.transfers_at_once,
        connections=settings.connections_per_host,
        bandwidth=settings.bandwidth or None,
        largest=settings.file_cap,
        files=settings.plan_files,
        total=settings.plan_cap,
    )
