"""Which process holds an entry of the queue, and whether it still lives.

    boot id / pid namespace / pid / start time / token

A pid alone is used again by other processes; with boot and start time it is not. What runs in another
container or on another machine cannot be looked at from here: nobody knows, and the lease decides.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LEASE: Final = 30.0  # seconds without a sign of life after which a process that cannot be seen counts as dead
STUCK: Final = 10 * LEASE  # the same for one that is seen to run, but may have lost sight of its entries
_PROC: Final = Path("/proc")
_GONE: Final = frozenset({"Z", "X"})  # proc(5): a zombie or dead process writes nothing any more


@dataclass(frozen=True, slots=True)
class Owner:
    """A run of the queue in a process. `boot`, `space` and `started` are empty where the system has none."""

    boot: str
    space: str
    pid: int
    started: str
    token: str  # tells apart two runs in one process

    def __str__(self) -> str:
        return "/".join((self.boot, self.space, str(self.pid), self.started, self.token))


def find_self() -> Owner:
    """This process, for one run."""
    pid = os.getpid()
    return Owner(_boot(), _space(), pid, _started(pid) or "", secrets.token_hex(4))


def parse_owner(text: str) -> Owner | None:
    """The owner that `str` wrote; None for any other text."""
    found = re.fullmatch(r"([\w-]{0,64})/(\w{0,64})/(\d{1,10})/(\d{0,20})/(\w{1,64})", text)
    return Owner(found[1], found[2], int(found[3]), found[4], found[5]) if found else None


def is_alive(owner: Owner, here: Owner) -> bool | None:
    """Whether a process still runs, as seen from another; None if it cannot be seen from there."""
    visible = here.boot and here.space and (owner.boot, owner.space) == (here.boot, here.space)
    if not visible or not owner.started:
        return None
    return _started(owner.pid) == owner.started


def _boot() -> str:
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):  # pragma: no cover - elsewhere than on Linux
        return ""


def _space() -> str:
    """The number of the pid namespace: containers on one machine count their processes apart."""
    try:
        return "".join(filter(str.isdigit, os.readlink(_PROC / "self/ns/pid")))  # noqa: PTH115 - no path
    except OSError:  # pragma: no cover - elsewhere than on Linux
        return ""


def _started(pid: int) -> str | None:
    """When a process was started, in ticks since the boot; None if there is none (proc(5), field 22)."""
    try:
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    if len(fields) < 20 or fields[0].decode("ascii", "replace") in _GONE:
        return None
    return fields[19].decode("ascii", "replace")
