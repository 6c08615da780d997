"""JSON over HTTP with a hub, bounded in size, time, tries and reach.

Redirects are followed here and only inside the hub's own host group; cookies and netrc are off; a web page
where JSON was promised is told as such. Storage and downloads are not this module's business.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Final, Self
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from requests.adapters import BaseAdapter, HTTPAdapter

from ..catalog import Json, hub_title
from ..decode import MIB, DecodeError, Value, parse_json
from ..errors import HubUnavailable
from ..outage import find_cause, is_unknown, tell_lookup
from .hosts import USER_AGENT, HostGroup
from .patience import AT_ONCE, Patience, Unreachable, parse_retry_after

Parameters = Sequence[tuple[str, str]]

_REDIRECTS: Final = 5
_PASSING: Final = frozenset({429, 502, 503, 504, *range(520, 530)})  # 52x are Cloudflare's own
_NOT_HERE: Final = (
    "Downloads and searches there need a connection from another country; other hubs still work."
)
_GUARDED: Final = "Wait some minutes, switch a VPN or proxy off, or open the site in a browser once."


@dataclass(frozen=True, slots=True)
class Reply:
    """A hub's answer in JSON, whatever its status below 500."""

    status: int
    body: Value

    @property
    def said(self) -> str:
        """What the hub says about an error, on one line; empty when it says nothing."""
        for place in (self.body["message"], self.body["error"], self.body["error"]["message"]):
            if text := place.text_or_none():
                return " ".join("".join(c if c.isprintable() else " " for c in text[:200]).split())
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """One question to a hub; its headers are shown nowhere since they carry the token."""

    group: HostGroup
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    json: Json = None

    @property
    def hub(self) -> str:
        return self.group.hub


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is taken from a hub: seconds to connect, between two pieces and in all; inflated bytes."""

    connect: float = 15.0
    read: float = 30.0
    whole: float = 120.0
    size: int = 10 * MIB


class Session:
    """Connections to hubs, kept open between questions; may be used from several threads."""

    def __init__(
        self,
        *,
        patience: Patience | None = None,
        limits: Limits | None = None,
        adapter: BaseAdapter | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._patience = patience or Patience()
        self._limits = limits or Limits()
        self._clock, self._now = clock, now
        self._lines = _open_lines(adapter)
        self._gates: dict[str, threading.BoundedSemaphore] = {}
        self._gates_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._lines.close()

    def get(
        self, group: HostGroup, path: str, *, parameters: Parameters = (), headers: Mapping[str, str]
    ) -> Reply:
        """Ask with GET.

        Raises:
            HubUnavailable: no answer in JSON came, or one that says: later.
        """
        query = f"?{urlencode(parameters)}" if parameters else ""
        url = f"{group.endpoint}{path}{query}"
        return self._ask(_Request(group=group, method="GET", url=url, headers=headers))

    def post(self, group: HostGroup, path: str, *, json: Json, headers: Mapping[str, str]) -> Reply:
        """Ask with POST and a JSON body; only for questions, which may be asked twice.

        Raises:
            HubUnavailable: no answer in JSON came, or one that says: later.
        """
        url = f"{group.endpoint}{path}"
        return self._ask(_Request(group=group, method="POST", url=url, headers=headers, json=json))

    def _ask(self, request: _Request) -> Reply:
        def once() -> Reply:
            with self._gate(request.url), _translated(request):
                return self._exchange(request)

        return self._patience.ask(once)

    def _gate(self, url: str) -> threading.BoundedSemaphore:
        """At most a few requests to one host at a time."""
        with self._gates_lock:
            return self._gates.setdefault(urlsplit(url).netloc, threading.BoundedSemaphore(AT_ONCE))

    def _exchange(self, request: _Request) -> Reply:
        url = request.url
        for _ in range(_REDIRECTS + 1):
            with self._send(request, url) as response:
                if not response.is_redirect:
                    return self._reply(request, response)
                url = _next_stop(request, response, url)
        raise HubUnavailable(f"{hub_title(request.hub)}: more than {_REDIRECTS} redirects", hub=request.hub)

    def _send(self, request: _Request, url: str) -> requests.Response:
        return self._lines.request(
            request.method,
            url,
            headers={"Accept": "application/json", **request.headers},
            json=request.json,
            timeout=(self._limits.connect, self._limits.read),
            allow_redirects=False,
            stream=True,
        )

    def _reply(self, request: _Request, response: requests.Response) -> Reply:
        body = self._read(request.hub, response)
        self._refuse(request.hub, response, body)
        try:
            return Reply(response.status_code, Value(parse_json(body, limit=self._limits.size)))
        except DecodeError as fault:
            got = f"status {response.status_code} with this: {fault.message}"
            raise HubUnavailable(
                f"{hub_title(request.hub)}: expected JSON, got {got}", hub=request.hub
            ) from fault

    def _read(self, hub: str, response: requests.Response) -> bytes:
        """The inflated body, no larger than the limit."""
        body = bytearray()
        until = self._clock() + self._limits.whole
        for piece in response.iter_content(16384):
            body += piece
            if len(body) > self._limits.size:
                raise HubUnavailable(
                    f"{hub_title(hub)}: the answer is over {self._limits.size:,} bytes", hub=hub
                )
            if self._clock() > until:
                raise Unreachable(f"{hub_title(hub)}: the answer took over {self._limits.whole:g} s", hub=hub)
        return bytes(body)

    def _refuse(self, hub: str, response: requests.Response, body: bytes) -> None:
        """Raise for every answer that is no answer to the question."""
        status = response.status_code
        if status == 451:
            raise Unreachable(
                f"{hub_title(hub)}: not available in this region (451)", hub=hub, hint=_NOT_HERE
            )
        if status in _PASSING:
            wait = parse_retry_after(response.headers, now=self._now())
            words = "too many requests" if status == 429 else "overloaded or down"
            raise Unreachable(f"{hub_title(hub)}: {words} ({status})", hub=hub, again=True, retry_after=wait)
        if status >= 500:
            raise HubUnavailable(f"{hub_title(hub)}: a fault of its own ({status})", hub=hub)
        if not _is_page(response, body):
            return
        if status == 403:
            raise Unreachable(
                f"{hub_title(hub)}: its guard (403, a web page) let no request through",
                hub=hub,
                hint=_GUARDED,
            )
        raise HubUnavailable(f"{hub_title(hub)}: expected JSON, got a web page ({status})", hub=hub)


def _open_lines(adapter: BaseAdapter | None) -> requests.Session:
    lines = requests.Session()
    lines.headers["User-Agent"] = USER_AGENT
    # With any `auth`, requests looks for none in netrc, which would replace the token.
    lines.auth = _leave_alone
    lines.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = adapter or HTTPAdapter(pool_maxsize=AT_ONCE)
    lines.mount("https://", adapter)
    lines.mount("http://", adapter)
    return lines


def _leave_alone(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _next_stop(request: _Request, response: requests.Response, url: str) -> str:
    """Where a redirect leads, when that is inside the hub."""
    target = urljoin(url, response.headers["location"])
    if not request.group.owns(target):
        raise HubUnavailable(
            f"{hub_title(request.hub)}: redirects the question to another host", hub=request.hub
        )
    if request.method != "GET" and response.status_code not in (307, 308):
        raise HubUnavailable(
            f"{hub_title(request.hub)}: redirects a POST with {response.status_code}", hub=request.hub
        )
    return target


def _is_page(response: requests.Response, body: bytes) -> bool:
    kind = response.headers.get("content-type", "").lower()
    return "html" in kind or body.lstrip()[:1] == b"<"


@contextmanager
def _translated(request: _Request) -> Iterator[None]:
    """Turn everything requests raises into a hub's error; its words may hold a URL and stay behind."""
    hub = request.hub
    try:
        yield
    except requests.exceptions.SSLError as fault:
        hint = "Check this machine's clock, and whether a proxy or virus scanner replaces certificates."
        raise Unreachable(f"{hub_title(hub)}: no trusted connection (TLS)", hub=hub, hint=hint) from fault
    except requests.exceptions.ProxyError as fault:
        hint = "Check HTTPS_PROXY and NO_PROXY."
        raise Unreachable(
            f"{hub_title(hub)}: the proxy does not let it through", hub=hub, hint=hint
        ) from fault
    except requests.exceptions.Timeout as fault:
        raise Unreachable(f"{hub_title(hub)}: no answer in time", hub=hub, again=True) from fault
    except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as fault:
        lookup = find_cause(fault, socket.gaierror)
        if lookup is not None:
            told = tell_lookup(urlsplit(request.url).hostname or hub)
            raise Unreachable(told, hub=hub, again=True, once=is_unknown(lookup)) from fault
        raise Unreachable(
            f"{hub_title(hub)}: cannot be reached, or broke off", hub=hub, again=True
        ) from fault
    except requests.exceptions.RequestException as fault:
        raise HubUnavailable(f"{hub_title(hub)}: the question could not be put", hub=hub) from fault
