"""The house: one installation put together, where settings, tokens, hubs, library and transfers meet.

    House(home, environment, roots=…)      the command line, one command long; ComfyUI, as long as it runs
        .settings()     what stands in the file now
        .watchman()     the verbs, as the settings are now
        .hub("civitai") one hub

What speaks HTTP is imported and opened when it is first needed, so that opening a house costs nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from .consent import Policy
from .errors import NoComfyUI
from .library.ownloaders import OWN_LOADERS, read_own_loaders
from .library.roots import Roots
from .settings import Settings, read_settings
from .tokens import TokenStore
from .workflow.loaders import Loaders, load_loaders

if TYPE_CHECKING:
    from .hubs.base import Hub
    from .hubs.known import Known
    from .library.index import Index
    from .library.matching import LastLook
    from .obtaining import Obtainer
    from .transfer.limits import Limits
    from .watchman import Watchman

HUBS: Final = ("civitai", "huggingface")


class House:
    """What every face works with. All methods may be called from any thread.

    `home` is the data folder. `roots(settings)` finds the model folders anew each time, since other packs
    may add some; None where no ComfyUI is needed. `learn` adds what a running ComfyUI tells of its nodes.
    """

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str],
        *,
        tokens: TokenStore,
        roots: Callable[[Settings], Roots | None],
        learn: Callable[[Loaders, Settings], Loaders] = lambda loaders, _: loaders,
        offline: bool = False,
    ) -> None:
        self.home = home
        self.tokens = tokens
        self._environment = environment
        self._find_roots = roots
        self._learn = learn
        self._offline = offline
        self._opened = ExitStack()
        self._lock = threading.RLock()
        self._hubs: tuple[Hub, ...] | None = None
        self._loaders: Loaders | None = None
        self._known: Known | None = None
        self._index: Index | None = None
        self._last_look: LastLook | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened."""
        with self._lock:
            self._opened.close()

    def settings(self) -> Settings:
        """The settings as they are now.

        Raises:
            InvalidSettings: the file or the environment cannot be used.
        """
        return read_settings(self.home, self._environment)

    def roots(self) -> Roots | None:
        """The model folders as they are now.

        Raises:
            NoComfyUI: there are none where some are needed.
        """
        return self._roots(self.settings())

    def _roots(self, settings: Settings) -> Roots | None:
        roots = self._find_roots(settings)
        return replace(roots, chosen=settings.targets) if roots else None

    def limits(self) -> Limits:
        """What transfers may use, by the settings as they are now.

        Raises:
            InvalidSettings: the file or the environment cannot be used.
        """
        return make_limits(self.settings())

    @property
    def is_offline(self) -> bool:
        """Whether no hub is asked: from the beginning, or by the settings as they are now.

        Raises:
            InvalidSettings: the file or the environment cannot be used.
        """
        return self._offline or self.settings().offline

    @property
    def hubs(self) -> tuple[Hub, ...]:
        """All hubs; none offline.

        Raises:
            InvalidSettings: the file or the environment cannot be used.
        """
        if self.is_offline:
            return ()
        with self._lock:
            if self._hubs is None:
                self._hubs = _open_hubs(self._opened, self.settings(), self.tokens)
            return self._hubs

    def hub(self, name: str) -> Hub:
        """The hub of that name.

        Raises:
            NeedsNetwork: hubs are not asked offline.
        """
        from .hubs.asking import hub_named

        return hub_named(self.hubs, name)

    @property
    def index(self) -> Index:
        """What is known of local files; its file is opened when it is first needed."""
        from .library.index import Index

        with self._lock:
            if self._index is None:
                self._index = self._opened.enter_context(Index(self.home))
            return self._index

    def watchman(self, *, hosts: Sequence[str] = (), pickles: bool = False, asks: bool = True) -> Watchman:
        """The verbs. `hosts` are allowed besides those in the settings, and pickle formats if `pickles`.

        Without `asks` no hub is opened, so that it costs nothing: for what only looks at this disk.

        Raises:
            NoComfyUI: no ComfyUI or models folder is found, and one is needed.
            InvalidSettings: the settings or the environment cannot be used.
        """
        from .bookkeeping import Books
        from .transfer.guard import Guard
        from .watchman import Watchman

        settings = self.settings()
        roots = self._roots(settings)
        hubs = self.hubs if asks else ()
        return Watchman(
            roots=roots,
            hubs=hubs,
            known=self._open_known(roots),
            policy=replace(_policy(settings, hosts, hubs), pickles=pickles, offline=self.is_offline),
            guard=Guard(trusted=mirrors(settings)),
            limits=make_limits(settings),
            books=Books(
                self.home,
                index=self.index,
                hubs=hubs,
                sidecars=settings.sidecars != "none",
                last_look=self._look(),
            ),
            loaders=self._know_loaders(settings) if roots else None,
        )

    def obtainer(self) -> Obtainer:
        """What nodes find and bring model files with.

        Raises:
            NoComfyUI, InvalidSettings: as for `watchman`.
        """
        from .obtaining import Obtainer

        settings = self.settings()
        roots = self._find_roots(settings)
        if roots is None:
            raise NoComfyUI("this needs a ComfyUI or a models folder, and none was given")
        return Obtainer(self.watchman, roots=roots, index=self.index, pickles=settings.node_pickles)

    def _look(self) -> LastLook:
        from .library.matching import LastLook

        with self._lock:
            self._last_look = self._last_look or LastLook()
            return self._last_look

    def _open_known(self, roots: Roots | None) -> Known:
        from .hubs.known import Known, Places, find_places

        with self._lock:
            if self._known is None:
                places = find_places(roots.comfyui) if roots and roots.comfyui else Places()
                self._known = Known(self.home, places=places)
            return self._known

    def _know_loaders(self, settings: Settings) -> Loaders:
        """The table of loaders with the user's own rows, and what a running ComfyUI tells."""
        with self._lock:
            if self._loaders is None:
                own = read_own_loaders(self.home / OWN_LOADERS, load_loaders())
                self._loaders = self._learn(own, settings)
            return self._loaders


def make_limits(settings: Settings) -> Limits:
    """What transfers may use, as the settings say."""
    from .transfer.limits import Limits

    return Limits(
        together=settings.transfers_at_once,
        connections=settings.connections_per_host,
        bandwidth=settings.bandwidth or None,
        largest=settings.file_cap,
        files=settings.plan_files,
        total=settings.plan_cap,
    )


def mirrors(settings: Settings) -> frozenset[str]:
    """Origins the user configured: they are asked like the hubs themselves."""
    named = (settings.civitai_endpoint, settings.huggingface_endpoint, *settings.mirrors)
    return frozenset(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" for url in named)


def _open_hubs(stack: ExitStack, settings: Settings, tokens: TokenStore) -> tuple[Hub, ...]:
    from .hubs.answers import HOUR, Answers
    from .hubs.civitai import Civitai
    from .hubs.huggingface import HuggingFace
    from .hubs.session import Session

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


def _reader(tokens: TokenStore, hub: str) -> Callable[[], str | None]:
    def read() -> str | None:
        token = tokens.get(hub)
        return token.secret.reveal() if token else None

    return read


def _policy(settings: Settings, hosts: Sequence[str], hubs: Sequence[Hub]) -> Policy:
    return Policy(
        automatic_size=settings.automatic_cap,
        largest_size=settings.file_cap,
        mirrors=mirrors(settings),
        hosts=frozenset((*settings.allowed_hosts, *(host.lower() for host in hosts))),
        tokens=frozenset(hub.name for hub in hubs if hub.has_token),
    )
