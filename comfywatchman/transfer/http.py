"""One GET, read as a stream: from a question (`Ask`) to a checked answer (`Body`). Owner of requests here.

    Ask(url, start, stop) ──► hop ──► hop ──► 200 | 206 with headers that fit ──► Body.read() … b""

Redirects are followed by hand so that every hop passes the guard and gets its own credentials, or none.
Cookies and netrc are off, proxies and CA bundles of the environment are honoured. Nothing of requests or
urllib3 leaves this module.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial, partialmethod
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final, Literal, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import exceptions as faults
from urllib3.connection import HTTPConnection
from urllib3.poolmanager import PoolManager

from ..errors import HubUnavailable, Interrupted, Refused, SizeMismatch, WatchmanError
from ..names import printable
from ..outage import find_cause, is_unknown, system_words, tell_lookup
from .ask import Ask, Changed, NoRanges, check_headers, extent, strong_tag
from .events import Authorize
from .guard import Guard, Hop, Reach, is_loopback, strip_query
from .limits import Limits
from .line import Answer, Lines
from .refusals import refusal

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CHUNK: Final = 256 << 10  # a buffer of that size is made for each read: thirty lines have one each
_ERROR_BODY: Final = 64 << 10


class Body:
    """The bytes of an answer whose headers fit the question. Close it, or use it as a context.

    `start` is where the bytes belong (0 if the server sent the whole file), `size` the file's size as far
    as anyone knows, `validator` its strong ETag, `hop` where the bytes come from, `left` what is still to
    come, None if nobody says. `has_end` is False where only the end of the line is the end of the body: one
    that breaks looks the same.
    """

    def __init__(self, response: requests.Response, ask: Ask, hop: Hop, stop: threading.Event) -> None:
        self._response, self._raw = response, response.raw
        self._ask, self._stop = ask, stop
        self.hop = hop
        self.validator = strong_tag(response.headers.get("ETag"))
        self.modified = response.headers.get("Last-Modified")
        self.start, end, self.size = extent(response.status_code, response.headers, ask)
        self.left = None if end is None else end - self.start
        self.stop = end
        self.whole = response.status_code == 200
        self.has_end = end is not None or bool(self._raw.chunked)
        self._peeked = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back, or up if bytes are left on it."""
        self._response.close()

    def peek(self, count: int) -> bytes:
        """The first `count` bytes, or all if there are fewer; `read` gives them again."""
        while len(self._peeked) < count and (data := self._next()):
            self._peeked += data
        return self._peeked[:count]

    def read(self) -> bytes:
        """The next bytes as they come, empty at the end.

        Raises:
            Interrupted: the line broke, stalled or was too slow, or the run was stopped.
            SizeMismatch: more comes than was announced.
        """
        data, self._peeked = self._peeked, b""
        return data or self._next()

    def _next(self) -> bytes:
        """The next bytes off the line."""
        if self._stop.is_set():
            raise Interrupted(f"{self._ask.name}: stopped")
        try:
            data: bytes = self._raw.read1(_CHUNK, decode_content=False) or b""
        except (faults.HTTPError, OSError, ValueError) as fault:
            raise translate(fault, hop=self.hop, hub=self._ask.hub, begun=True) from fault
        if self.left is not None:
            self.left -= len(data)
            if self.left < 0:
                raise SizeMismatch(
                    f"{self._ask.name}: {self.hop.shown} sends more than the {self.size:,} bytes expected"
                )
            if not data and self.left:
                raise Interrupted(f"{self._ask.name}: the line broke with {self.left:,} bytes to come")
        return data


class Client:
    """Asks for files. One for a run: threads share its connections; `abort` breaks them all."""

    def __init__(self, *, guard: Guard, limits: Limits, authorize: Authorize, stop: threading.Event) -> None:
        self._guard, self._limits = guard, limits
        self._authorize, self._stop = authorize, stop
        self._lines = Lines(stop)
        self._met: set[str] = set()  # hosts that were there in this run: if they vanish, it is for a while
        reaches: tuple[Reach, ...] = ("public", "loopback", "any")
        self._sessions = {reach: self._session(reach) for reach in reaches}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self._sessions.values():
            session.close()

    def abort(self, line: int | None = None) -> None:
        """Break the connections of a line, or all, so that threads waiting for them wake up."""
        self._lines.abort(line)

    def open(self, ask: Ask, *, direct: Hop | None = None) -> Body:
        """Follow the redirects to the bytes; `direct` starts at a hop that an earlier answer came from.

        Raises:
            Changed, NoRanges: see there; only when a range was asked for.
            HubUnavailable, Interrupted: may go better later.
            WatchmanError: Refused, NotAModel, SizeMismatch, or what the hub says: see `refusals`.
        """
        self._lines.begin(ask.line)
        hop = direct or self._guard.check_url(ask.url)
        for _ in range(self._limits.redirects + 1):
            response = self._get(hop, ask)
            try:
                if response.status_code not in _REDIRECTS:
                    return self._accept(response, ask, hop, elsewhere=hop.url != ask.url)
                location = response.headers.get("Location")
            except BaseException:
                response.close()
                raise
            response.close()
            if not location:
                raise HubUnavailable(f"{hop.shown} redirects to nowhere", hub=ask.hub)
            hop = self._guard.check_redirect(hop, location, known=ask.known)
        raise Refused(f"{strip_query(ask.url)} redirects more than {self._limits.redirects} times")

    def _get(self, hop: Hop, ask: Ask) -> requests.Response:
        """Ask one hop, with credentials for just this hop."""
        if self._stop.is_set():
            raise Interrupted(f"{ask.name}: stopped")
        headers = {**ask.headers(), **self._guard.credentials(hop, self._authorize)}
        try:
            prepared = requests.Request("GET", hop.url, headers=headers).prepare()
            return self._sessions[hop.reach].send(
                prepared,
                stream=True,
                allow_redirects=False,
                timeout=(self._limits.connect, self._limits.stall),
                proxies={} if is_loopback(hop.host) else requests.utils.get_environ_proxies(hop.url),
                verify=os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True,
            )
        except Interrupted as fault:
            raise Interrupted(f"{ask.name}: {fault.message}") from fault
        except (requests.RequestException, faults.HTTPError, OSError, ValueError) as fault:
            if self._stop.is_set():
                raise Interrupted(f"{ask.name}: stopped") from fault
            met = hop.host in self._met
            raise translate(fault, hop=hop, hub=ask.hub, begun=False, met=met) from fault

    def _accept(self, response: requests.Response, ask: Ask, hop: Hop, *, elsewhere: bool) -> Body:
        """A body, if status and headers say it holds the bytes asked for."""
        if response.status_code == 416 and ask.stop is not None:
            raise Changed if ask.start else NoRanges
        if response.status_code not in (200, 206):
            body = _error_body(response)
            raise refusal(
                response.status_code,
                response.headers,
                body,
                hub=ask.hub,
                what=f"{ask.name} ({hop.shown})",
                elsewhere=elsewhere,
            )
        check_headers(response.headers, ask, shown=hop.shown)
        return Body(response, ask, hop, self._stop)

    def _session(self, reach: Reach) -> requests.Session:
        """A session whose direct connections pass the guard; without netrc and cookies."""
        session = requests.Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        adapter = _Adapter(self._lines_to(reach), self._lines_to("proxies"), self._limits.connections)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def _lines_to(self, reach: Reach | Literal["proxies"]) -> _Kinds:
        """Kinds of connections that can be broken off; but for those to proxies the guard makes them."""

        def new(connection: HTTPConnection, kind: type[HTTPConnection]) -> socket.socket:
            if reach == "proxies":
                return self._lines.dial(partial(kind._new_conn, connection))  # noqa: SLF001 - its hook
            sock = self._lines.dial(partial(_connect, connection, self._guard, reach))
            self._met.add(connection.host)
            return sock

        def connect(connection: HTTPConnection, kind: type[HTTPConnection]) -> None:
            with self._lines.connecting():
                kind.connect(connection)

        def answer(connection: HTTPConnection, kind: type[HTTPConnection]) -> Any:
            if connection.sock is not None:  # a new connection, or one that was open
                self._lines.use(connection.sock)
            return kind.getresponse(connection)

        made = partial(Answer, lines=self._lines, patience=self._limits.stall, least=self._limits.least)

        def kind_of(kind: type[HTTPConnection]) -> type[HTTPConnection]:
            methods = {"_new_conn": new, "connect": connect, "getresponse": answer}
            own = {name: partialmethod(method, kind=kind) for name, method in methods.items()}
            return type("Line", (kind,), {**own, "response_class": staticmethod(made)})

        return kind_of


_Kinds = Callable[[type[HTTPConnection]], type[HTTPConnection]]


class _Adapter(HTTPAdapter):
    """An adapter whose connections are of kinds of ours: `direct` ones, and those to `proxies`."""

    def __init__(self, direct: _Kinds, proxies: _Kinds, size: int) -> None:
        self._direct, self._proxies = direct, proxies
        super().__init__(pool_connections=size, pool_maxsize=size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _make_of(self.poolmanager, self._direct)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not known:
            _make_of(manager, self._proxies)
        return manager


def _make_of(manager: PoolManager, kinds: _Kinds) -> None:
    """Have a manager make its connections of kinds of ours."""
    pools: Mapping[str, Any] = manager.pool_classes_by_scheme
    manager.pool_classes_by_scheme = {
        scheme: type("Lines", (pool,), {"ConnectionCls": kinds(pool.ConnectionCls)})
        for scheme, pool in pools.items()
    }


def _connect(connection: HTTPConnection, guard: Guard, reach: Reach) -> socket.socket:
    """A socket from the guard, with the faults that urllib3 knows."""
    timeout = connection.timeout if isinstance(connection.timeout, int | float) else None
    try:
        return guard.connect(connection.host, connection.port or 0, reach=reach, timeout=timeout)
    except TimeoutError as fault:
        raise faults.ConnectTimeoutError(connection, f"no connection in {timeout} s") from fault
    except OSError as fault:
        raise faults.NewConnectionError(connection, f"no connection: {fault}") from fault


# Our own addresses are http or https: an unknown scheme is the proxy's, as for SOCKS without its package.
_NO_PROXY: Final[tuple[type[Exception], ...]] = (
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidProxyURL,
    faults.ProxySchemeUnknown,
)


class UnknownName(HubUnavailable):
    """Nobody knows the name of the host: the address is wrong, or this machine is not online."""


def translate(fault: Exception, *, hop: Hop, hub: str, begun: bool, met: bool = False) -> WatchmanError:
    """Our error for anything requests, urllib3 or a socket raises, in our words.

    `begun`: bytes were already coming. `met`: this run has been connected to the host before.
    """
    lookup = find_cause(fault, socket.gaierror)
    if lookup is not None and not _is_proxys(fault):
        kind = UnknownName if is_unknown(lookup) and not met else HubUnavailable
        return kind(tell_lookup(hop.host), hub=hub)
    certificate = find_cause(fault, ssl.SSLCertVerificationError)
    if certificate is not None:
        reason = printable(getattr(certificate, "verify_message", ""))
        return Refused(
            f"{hop.shown}: the server's certificate is not accepted" + (f" ({reason})" if reason else ""),
            hint="Check this computer's date, and REQUESTS_CA_BUNDLE if a proxy opens TLS here.",
        )
    if any(find_cause(fault, kind) for kind in _NO_PROXY):
        return Refused(
            f"{hop.shown}: what HTTPS_PROXY or ALL_PROXY names is no proxy that can be used here",
            hint="Give the address of an HTTP proxy (http://…); most programs that offer SOCKS have one too.",
        )
    if isinstance(fault, ValueError) and not begun:  # InvalidURL, InvalidHeader, MissingSchema and kin
        return Refused(f"{hop.shown}: this address, or what would be sent there, is not valid HTTP")
    what = f"{hop.shown}: {_words(fault, begun=begun)}"
    return Interrupted(what) if begun else HubUnavailable(what, hub=hub)


def _words(fault: Exception, *, begun: bool) -> str:
    """What happened to a line; the libraries' own words are for programmers."""
    if _is_proxys(fault):
        return "the proxy does not let it through; check HTTPS_PROXY and NO_PROXY"
    if find_cause(fault, faults.TimeoutError) or find_cause(fault, TimeoutError):
        return "next to nothing came for too long" if begun else "no answer in time"
    if find_cause(fault, ssl.SSLError) or find_cause(fault, faults.SSLError):
        return "the TLS connection broke"
    return printable(system_words(fault)) or (
        "the line broke" if begun else "it hung up, or its answer is no HTTP"
    )


def _is_proxys(fault: Exception) -> bool:
    """Whether a proxy stood in the way."""
    kinds: tuple[type[Exception], ...] = (faults.ProxyError, requests.exceptions.ProxyError)
    return any(find_cause(fault, kind) for kind in kinds)


def _error_body(response: requests.Response) -> bytes:
    """The first bytes of an error's body, as far as they come."""
    body = b""
    with suppress(faults.HTTPError, OSError):
        while data := response.raw.read1(_ERROR_BODY - len(body), decode_content=True):
            body += data
    response.close()
    return body
