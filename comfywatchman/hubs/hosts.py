"""The hosts that are one hub, and where its token may go.

    https://civitai.com  https://civitai.red        one group, one account, one token
    http://127.0.0.1:8001                           the endpoint, when somebody configured a stand-in

A token is a header for these and for nobody else: storage hosts answer 400 when they get one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from .. import __version__
from ..catalog import hub_title
from ..errors import InvalidSettings, LoginRequired

# An own name: CivitAI answers what looks like a browser with pages.
USER_AGENT: Final = f"comfywatchman/{__version__}"
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGroup:
    """One hub's names on the network.

    `hosts` count with https on the usual port only; `endpoint`, which may be a mirror or a stand-in, counts
    with just its own scheme, host and port.
    """

    hub: str
    hosts: frozenset[str]
    endpoint: str

    def __post_init__(self) -> None:
        if _origin(self.endpoint) is None or urlsplit(self.endpoint).query or self.endpoint.endswith("/"):
            raise InvalidSettings(
                f"{hub_title(self.hub)}: the endpoint is no web address: {self.endpoint[:200]!r}",
                hint="Write it as https://host or http://127.0.0.1:PORT, without a slash at the end.",
            )

    def owns(self, url: str) -> bool:
        """Whether the URL leads to this hub and nowhere else."""
        origin = _origin(url)
        if origin is None:
            return False
        scheme, host, port = origin
        official = scheme == "https" and port == _PORTS["https"] and host in self.hosts
        return official or origin == _origin(self.endpoint)

    def at_home(self, url: str, *, home: str) -> str:
        """The same URL under the hub's public name `home`, when it is one of the endpoint's.

        So that links of a mirror or a stand-in can be read as what they stand for.
        """
        rest = url.removeprefix(self.endpoint)
        is_ours = rest != url and rest[:1] in ("", "/", "?") and self.owns(url)
        return home + rest if is_ours else url


class HubSite:
    """What the hubs have in common: their names on the network, and the token that only these get."""

    def __init__(self, group: HostGroup, token: Callable[[], str | None]) -> None:
        self._group = group
        self._token = token

    @property
    def name(self) -> str:
        """The hub's name, as in `token set`."""
        return self._group.hub

    @property
    def has_token(self) -> bool:
        """Whether a token is set; not whether the hub accepts it."""
        return self._token() is not None

    def owns(self, url: str) -> bool:
        """Whether a URL is one of the hub's names or the configured endpoint."""
        return self._group.owns(url)

    def authorize(self, url: str) -> Mapping[str, str]:
        """The header with the token, for the hub's own URLs only."""
        return bearer(self.name, self._token()) if self.owns(url) else {}


def bearer(hub: str, token: str | None) -> Mapping[str, str]:
    """The header that carries a token; none without one.

    Raises:
        LoginRequired: the text cannot be a token: it would break the header.
    """
    text = (token or "").strip()
    if not text:
        return {}
    if not text.isascii() or not text.isprintable() or " " in text:
        raise LoginRequired(
            f"{hub_title(hub)}: what is stored as its token has characters that no token has", hub=hub
        )
    return {"Authorization": f"Bearer {text}"}


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a plain web address; None for everything odd."""
    if not url.isprintable() or "\\" in url or " " in url:
        return None
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]
