"""Who may call our routes: the checks every request passes before anything else, in their order.

    host    the name in the address bar is ours: stops DNS rebinding
    peer    the caller sits on this machine, unless `allow_lan`
    origin  a page of another origin, or of none, is not ours
    site    the browser itself says that the page is ours
    type    a body is JSON: a form cannot send that
    header  X-Comfywatchman: 1: no simple request has it, and no page elsewhere may add it
    body    at most what the route takes

The server's own checks are not relied on: ComfyUI's are looser, and --enable-cors-header replaces them.
Neither another custom node nor another program of the same user is stopped by any of this.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from ..errors import WatchmanError
from .errors import InvalidRequest, NotAllowed, TooLarge, WrongContentType

HEADER: Final = "X-Comfywatchman"
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
_HOST: Final = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[^:\[\]/@\s]{1,253})(?::([0-9]{1,5}))?", re.ASCII)
_PORTS: Final = {"http": 80, "https": 443}
# What may stand in a command that we show.
_PLAIN_HOST: Final = re.compile(r"[a-z0-9_][a-z0-9._-]{0,252}(:[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """Who may come in besides this machine by its own names; from the settings file."""

    served_as: frozenset[str] = frozenset()
    allow_lan: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What a request tells of where it comes from: `own` is the address it came to, `peer` the other end."""

    method: str
    scheme: str
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    sites: tuple[str, ...]
    content_type: str
    encoding: str | None
    header: str | None
    own: tuple[str, int] | None
    peer: str | None

    @property
    def writes(self) -> bool:
        """Whether the request may change something."""
        return self.method not in ("GET", "HEAD")


AskDoors = Callable[[], Doors]
Step = Callable[[Caller, AskDoors], str | None]


_NO_LAN: Final = "this page comes over the network, and the setting `allow_lan` is off"


def _check_host(caller: Caller, doors: AskDoors) -> str | None:
    if len(caller.hosts) != 1 or not (parts := _HOST.fullmatch(caller.hosts[0].lower())) or not caller.own:
        return "the request names no host, or several"
    address, own_port = caller.own
    port = int(parts[2]) if parts[2] else _PORTS[caller.scheme]
    if parts[1] in _LOOPBACK and port == own_port:
        return None
    allowed = doors()
    if parts[0] in allowed.served_as:
        return None
    if port == own_port and parts[1].strip("[]") == address:
        return None if allowed.allow_lan else _NO_LAN
    name = parts[0] if _PLAIN_HOST.fullmatch(parts[0]) else ascii(parts[0][:80])
    return f"this page was opened as {name}, which the setting `served_as` does not name"


def _check_peer(caller: Caller, doors: AskDoors) -> str | None:
    if caller.peer is not None and _is_loopback(caller.peer):
        return None
    return None if doors().allow_lan else _NO_LAN


def _check_origin(caller: Caller, doors: AskDoors) -> str | None:
    if not caller.origins:
        return None
    host = caller.hosts[0].lower() if caller.hosts else ""
    origin = caller.origins[0].lower()
    ours = {f"{caller.scheme}://{host}"}
    if origin not in ours and host in doors().served_as:
        ours = {f"http://{host}", f"https://{host}"}  # a proxy in front of us may speak https
    if len(caller.origins) == 1 and origin in ours:
        return None
    return "the page that asks is none of ours"


def _check_site(caller: Caller, _doors: AskDoors) -> str | None:
    fine = ("same-origin",) if caller.writes else ("same-origin", "none")
    told = [site.strip().lower() for site in caller.sites]
    return None if all(site in fine for site in told) else "the browser says that another site asks"


def _check_type(caller: Caller, _doors: AskDoors) -> str | None:
    if caller.writes and (caller.content_type != "application/json" or caller.encoding is not None):
        return "a body is sent as application/json, without a content encoding"
    return None


def _check_header(caller: Caller, _doors: AskDoors) -> str | None:
    return f"the header {HEADER}: 1 is missing" if caller.writes and caller.header != "1" else None


STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("host", _check_host),
    ("peer", _check_peer),
    ("origin", _check_origin),
    ("site", _check_site),
    ("type", _check_type),
    ("header", _check_header),
)
BODY: Final = "body"


class Gate:
    """The guard of all routes of one server.

    `doors` reads the settings; it is called only for what is not plainly this machine, off the event loop.
    `without` leaves steps out, for the tests that show what each is good for.
    """

    def __init__(self, doors: AskDoors, *, without: frozenset[str] = frozenset()) -> None:
        self._doors = doors
        self._without = without

    def check(self, caller: Caller) -> None:
        """Let a caller pass.

        Raises:
            NotAllowed, WrongContentType: it may not; the message says at which step.
            InvalidSettings: the settings cannot be read.
        """
        for name, step in STEPS:
            if name not in self._without and (reason := step(caller, self._doors)):
                raise _refusal(name, caller, reason, self._doors)

    async def read(self, request: web.Request, *, most: int) -> bytes:
        """The body of a request.

        Raises:
            TooLarge: it is longer than that many bytes.
            InvalidRequest: the line breaks off, or what it carries cannot be read.
        """
        capped = BODY not in self._without
        if capped and (request.content_length or 0) > most:
            raise TooLarge(f"a body of {request.content_length:,} bytes is over the limit of {most:,}")
        body = bytearray()
        try:
            async for chunk in request.content.iter_any():
                body += chunk
                if capped and len(body) > most:
                    raise TooLarge(f"the body is over the limit of {most:,} bytes")
        except (
            OSError,
            web.RequestPayloadError,
        ) as fault:  # nobody hears the answer, and the log needs no more
            raise InvalidRequest("the body breaks off") from fault
        return bytes(body)


def _refusal(step: str, caller: Caller, reason: str, doors: AskDoors) -> WatchmanError:
    if step == "type":
        return WrongContentType(f"not answered: {reason}")
    hint = _way_in(caller, doors) if step in ("host", "peer") else None
    return NotAllowed(f"not answered: {reason}", hint=hint)


def _way_in(caller: Caller, doors: AskDoors) -> str | None:
    """The settings that let such a page in too; None where its name is none to set."""
    host = caller.hosts[0].lower() if len(caller.hosts) == 1 else ""
    if not caller.own or not _PLAIN_HOST.fullmatch(host):
        return None
    address, port = caller.own
    is_near = caller.peer is not None and _is_loopback(caller.peer)
    names = {f"{name}:{port}" for name in (*_LOOPBACK, address)}
    wanted = [] if host in names else [f"served_as {','.join(sorted({*doors().served_as, host}))}"]
    if not is_near or host == f"{address}:{port}":
        wanted.append("allow_lan true")
    commands = " and ".join(f"`comfywatchman settings set --comfyui PATH {one}`" for one in wanted)
    return (
        f"Open ComfyUI as http://127.0.0.1:{port} on its own machine; or, if you trust whoever can reach it "
        f"like this, let it in there with {commands}, PATH being ComfyUI's folder. "
        "docs/how-to/other-machines.md tells more."
    )


def caller_of(request: web.Request) -> Caller:
    """What a request tells of where it comes from."""
    headers, transport = request.headers, request.transport
    # Not `request.scheme`: that is whatever a request line with a whole address says.
    is_tls = transport is not None and transport.get_extra_info("sslcontext") is not None
    own = _address(transport.get_extra_info("sockname") if transport else None)
    peer = _address(transport.get_extra_info("peername") if transport else None)
    return Caller(
        method=request.method,
        scheme="https" if is_tls else "http",
        hosts=tuple(headers.getall("Host", ())),
        origins=tuple(headers.getall("Origin", ())),
        sites=tuple(headers.getall("Sec-Fetch-Site", ())),
        content_type=request.content_type,
        encoding=headers.get("Content-Encoding"),
        header=", ".join(headers.getall(HEADER, ())) or None,
        own=own,
        peer=peer[0] if peer else None,
    )


def _address(name: Any) -> tuple[str, int] | None:
    """The address and port of a socket's end; None for what is no internet socket."""
    if not isinstance(name, Sequence) or isinstance(name, str | bytes) or len(name) < 2:
        return None
    return str(name[0]), int(name[1])


def _is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback
