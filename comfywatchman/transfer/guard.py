"""Where a transfer may go: schemes, hosts, ports, addresses, redirects, and who gets credentials.

    URL ──check_url──► Hop(url, reach) ──connect──► a socket to an address that was itself checked
                         ▲                               │
                         └────── check_redirect ◄── Location

Three reaches: "public" (https, a DNS name, default port, public addresses only), "any" (an origin the
user configured), "loopback" (where a configured loopback origin redirects to on the same machine).
The address is judged after DNS and the socket goes to that very address, so a name that answers
differently the second time gains nothing. Behind a proxy the proxy resolves names: there only the
checks of the URL hold (docs/explanation/trust.md).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import SplitResult, urljoin, urlsplit

from ..errors import Refused
from ..hostname import host_fault
from ..names import printable
from .events import Authorize

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Reach = Literal["public", "loopback", "any"]
Resolver = Callable[..., Sequence[tuple[Any, Any, int, str, tuple[Any, ...]]]]

MAX_URL: Final = 8192  # signed URLs have up to 2 kB

_UNSAFE_IN_URL: Final = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\]")
_PORTS: Final = {"https": 443, "http": 80}

# Not public although `is_global` says so in some Python 3.11.
_NOT_PUBLIC: Final = tuple(
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "100.64.0.0/10", "224.0.0.0/3")
) + tuple(
    ipaddress.ip_network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48")
)
_UNICAST6: Final = ipaddress.IPv6Network("2000::/3")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

# Where hubs keep their bytes. A file whose size or digest nobody published may be redirected only here
# (or stay on its host); one that is known to the byte may come from any public https host.
STORAGE_HOSTS: Final = (
    "r2.cloudflarestorage.com", "backblazeb2.com", "civitai.com", "civitai.red", "civitai.green",
    "huggingface.co", "hf.co", "release-assets.githubusercontent.com", "objects.githubusercontent.com",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hop:
    """A URL that may be asked, and which addresses may answer for it."""

    url: str
    origin: str
    host: str
    reach: Reach

    @property
    def shown(self) -> str:
        """The URL for people, logs and journals: without its query, which may be signed or hold a token."""
        return strip_query(self.url)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet.

    IPv6 is judged by what is allocated (2000::/3) less special blocks, not by a list of exceptions; a
    NAT64 address counts as the IPv4 address within.

    >>> [is_public(ipaddress.ip_address(a)) for a in ("8.8.8.8", "169.254.169.254", "64:ff9b::7f00:1")]
    [True, False, False]
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _UNICAST6:
            return False
    return address.is_global and not any(
        address.version == block.version and address in block for block in _NOT_PUBLIC
    )


def strip_query(url: str) -> str:
    """A URL without query, fragment and user info, fit to be shown.

    >>> strip_query("https://u:p@cdn.example.com/m.gguf?X-Amz-Signature=1#x")
    'https://cdn.example.com/m.gguf'
    """
    bare = re.split(r"[?#]", url, maxsplit=1)[0]
    return printable(re.sub(r"//[^/]*@", "//", bare))[:300]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The policy for outgoing bytes.

    `trusted` origins ("http://127.0.0.1:8123") come from the user's settings: any scheme, port and
    address. `agreed` origins were asked for one by one (plain http, unusual ports): public addresses
    only. `judge` and `resolve` are the world's answers, for tests to hand in others.
    """

    trusted: frozenset[str] = frozenset()
    agreed: frozenset[str] = frozenset()
    storage: tuple[str, ...] = STORAGE_HOSTS
    judge: Callable[[Address], bool] = is_public
    resolve: Resolver = socket.getaddrinfo

    def check_url(self, url: str) -> Hop:
        """The first hop of a transfer.

        Raises:
            Refused: the URL may not be asked; the message says why.
        """
        parts = _split(url)
        origin, host = _origin(parts), parts.hostname or ""
        if self._trusts(origin):
            return Hop(url, origin, host, "any")
        agreed = origin in {_origin(_split(one)) for one in self.agreed}
        if parts.scheme != "https" and not agreed:
            raise Refused(f"{strip_query(url)}: the scheme {parts.scheme}: is not fetched, only https:")
        if fault := host_fault(parts):
            raise Refused(f"{strip_query(url)}: {fault}")
        if parts.port not in (None, _PORTS[parts.scheme]) and not agreed:
            raise Refused(f"{strip_query(url)}: the port {parts.port} is not fetched from")
        return Hop(url, origin, host, "public")

    def check_redirect(self, hop: Hop, location: str, *, known: bool) -> Hop:
        """The hop a redirect leads to. `known`: size and digest of the file are published.

        Raises:
            Refused: it may not be followed.
        """
        if len(location) > MAX_URL:
            raise Refused(f"{hop.shown} redirects to an address of {len(location):,} characters")
        url = _join(hop.url, location)
        parts = _split(url)
        if hop.url.startswith("https:") and parts.scheme != "https":
            raise Refused(f"{hop.shown} redirects from https to {strip_query(url)}")
        origin = _origin(parts)
        if not self._trusts(origin) and self._stays_on_machine(hop, parts):
            return Hop(url, origin, parts.hostname or "", "loopback")
        target = self.check_url(url)
        if (
            not known
            and target.host != hop.host
            and target.reach == "public"
            and not self._stores(target.host)
        ):
            raise Refused(
                f"{hop.shown} redirects to {target.host}, which is no known storage host, and nobody "
                "publishes what the file should be",
                hint="Only files with a published size and digest may come from any host.",
            )
        return target

    def _trusts(self, origin: str) -> bool:
        """Whether the user's settings name that origin."""
        return origin in {_origin(_split(trusted)) for trusted in self.trusted}

    def _stays_on_machine(self, hop: Hop, parts: SplitResult) -> bool:
        """Whether a configured origin on loopback sends to another port of loopback."""
        started_here = hop.reach == "loopback" or (hop.reach == "any" and is_loopback(hop.host))
        return started_here and parts.scheme in _PORTS and is_loopback(parts.hostname or "")

    def _stores(self, host: str) -> bool:
        return any(host == known or host.endswith(f".{known}") for known in self.storage)

    def permits(self, address: Address, reach: Reach) -> bool:
        """Whether a socket of that reach may go to the address."""
        match reach:
            case "any":
                return True
            case "loopback":
                return address.is_loopback
            case "public":
                return self.judge(address)

    def connect(self, host: str, port: int, *, reach: Reach, timeout: float | None) -> socket.socket:
        """A socket to an address of `host` that was itself checked; every address must pass.

        Raises:
            Refused: the name leads to an address that is not allowed.
            OSError: no address answers, or the name has none (socket.gaierror).
        """
        found = self.resolve(host.strip("[]"), port, type=socket.SOCK_STREAM)
        addresses = [(family, where, _address(where)) for family, _, _, _, where in found]
        for _, _, address in addresses:
            if not self.permits(address, reach):
                raise Refused(f"{host} leads to the address {address}, which is not fetched from")
        last: OSError = socket.gaierror(socket.EAI_NONAME, f"no address for {host}")
        for family, where, _ in addresses:
            try:
                return _dial(family, where, timeout)
            except OSError as fault:
                last = fault
        raise last

    def credentials(self, hop: Hop, authorize: Authorize) -> Mapping[str, str]:
        """The headers with a token for just this hop; none over plain http to another machine."""
        if hop.url.startswith("https:") or hop.reach == "any":
            return authorize(hop.url)
        return {}


def _split(url: str) -> SplitResult:
    """A URL in parts, if it is written in a way that every parser reads alike."""
    if len(url) > MAX_URL or _UNSAFE_IN_URL.search(url):
        raise Refused(f"{strip_query(url)!r}: the URL is too long or holds spaces, backslashes or non-ASCII")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as fault:
        raise Refused(f"{strip_query(url)}: not a URL: {fault}") from fault
    if parts.scheme not in _PORTS:
        raise Refused(f"{strip_query(url)}: the scheme {parts.scheme}: is not fetched, only https:")
    if (
        "@" in parts.netloc
        or not parts.hostname
        or port == 0
        or not url[len(parts.scheme) :].startswith("://")
    ):
        raise Refused(f"{strip_query(url)}: a URL with a user name or without a host is not fetched")
    return parts


def _join(base: str, location: str) -> str:
    """Where a Location leads, which may be relative."""
    try:
        return urljoin(base, location)
    except ValueError as fault:
        raise Refused(f"{strip_query(base)} redirects to what is no URL") from fault


def _origin(parts: SplitResult) -> str:
    """Scheme, host and port in one spelling."""
    return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"


def is_loopback(host: str) -> bool:
    """Whether a host is loopback by its spelling; the socket checks the address again."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _address(where: tuple[Any, ...]) -> Address:
    """The IP address of a socket address; an IPv4 address in IPv6 clothes is undressed."""
    address = ipaddress.ip_address(str(where[0]).split("%", 1)[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _dial(family: int, where: tuple[Any, ...], timeout: float | None) -> socket.socket:
    """Connect to one address."""
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect(where)
    except BaseException:
        connection.close()
        raise
    return connection
