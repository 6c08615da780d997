"""What stands behind a broken connection: exceptions of HTTP libraries are wrapped several deep.

Their own words name classes and addresses in memory, and may hold a URL; people get ours.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Final, TypeVar

_Fault = TypeVar("_Fault", bound=BaseException)

# Nobody knows the name; a machine that is not online says so too. Not every system has all of them.
_UNKNOWN: Final = frozenset(getattr(socket, name, None) for name in ("EAI_NONAME", "EAI_NODATA"))


def find_cause(fault: BaseException, kind: type[_Fault]) -> _Fault | None:
    """The first exception of a kind that is this one or stands anywhere behind it."""
    return next((one for one in _behind(fault) if isinstance(one, kind)), None)


def system_words(fault: BaseException) -> str:
    """What the operating system says, as "Connection refused"; empty if it has no part in this."""
    told = (one.strerror for one in _behind(fault) if isinstance(one, OSError) and one.errno)
    return next(filter(None, told), "")


def is_unknown(fault: socket.gaierror) -> bool:
    """Whether the resolver says that there is no such name, rather than that it cannot tell now."""
    return fault.errno in _UNKNOWN


def tell_lookup(host: str) -> str:
    """What to say of a name without an address."""
    return f"{host}: this name could not be looked up; is this machine online?"


def _behind(fault: BaseException) -> Iterator[BaseException]:
    """The exception and all that it was raised from, carries, or names as its reason."""
    seen: set[int] = set()
    todo: list[object] = [fault]
    while todo:
        one = todo.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            todo += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
