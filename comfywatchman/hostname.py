"""Which hosts of an address are names of the public internet, by their spelling alone.

What a name leads to is judged again when it is connected to; see `transfer/guard.py`.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult

# RFC 1123 labels; the last one is never all digits, so no spelling of an IPv4 address passes.
_HOST: Final = re.compile(
    r"(?=.{4,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])\Z"
)
_LOCAL_NAMES: Final = (".localhost", ".local", ".internal", ".lan", ".intranet", ".home.arpa", ".onion")


def host_fault(address: SplitResult) -> str | None:
    """Why the host of an address is not asked; None for a plain public DNS name.

    No IP address in any spelling, no trailing dot, no name of the local network.

    >>> from urllib.parse import urlsplit
    >>> host_fault(urlsplit("https://civitai.com/models/1"))
    >>> host_fault(urlsplit("http://2130706433/x"))
    "the host '2130706433' is no public DNS name"
    """
    host = address.hostname or ""
    if "[" in address.netloc or not _HOST.match(host):
        return f"the host {host[:80]!r} is no public DNS name"
    if host.endswith(_LOCAL_NAMES):
        return f"the host {host[:80]!r} belongs to a local network"
    return None
