"""A layer between a process and its disk that counts, dies, fails, or writes down what is done.

    layer = Layer(Plan(kill=7))       dies by SIGKILL before the seventh call that changes the disk
    layer = Layer(Plan(fail={"fsync": "EIO"}, nth=2, sticky=True))
    layer = Layer(Plan(record=True))  … layer.log: what a power cut may take back
    with layer: …

It stands where the system's calls stand (`os.fsync`, `os.link`, …), so the code above is untouched and no
strace is needed. It belongs into a process of its own: see `nursery`.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

# The calls that change a disk; each is counted, and can be died at.
CALLS = ("open", "write", "pwrite", "fsync", "link", "replace", "unlink", "ftruncate", "mkdir")
# … and those that only look; they can fail.
LOOKS = ("preadv", "stat", "listdir", "fstat")

Record = tuple[Any, ...]  # ("create", name, file) ("write", file, offset, bytes) ("sync", file) …


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the layer does. `kill`: die before that call; `torn`: after half of it, if it writes.

    `call` fails with `error` at its `nth` time and `times` in all, or ever after if `sticky`; with `winerror`
    as Windows would say it. `short` makes every write take half of what it is given.
    """

    kill: int = 0
    torn: bool = False
    call: str = ""
    error: str = ""
    winerror: int = 0
    nth: int = 1
    times: int = 1
    sticky: bool = False
    short: bool = False
    record: bool = False


@dataclass(slots=True)
class Layer:
    """Stands between `os` and the disk while it is entered."""

    plan: Plan
    log: list[Record] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    total: int = 0
    _files: dict[int, int] = field(default_factory=dict)  # descriptor → file, counted from 1; 0: a folder
    _offsets: dict[int, int] = field(default_factory=dict)
    _born: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _real: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        for name in (*CALLS, *LOOKS, "close"):
            self._real[name] = getattr(os, name)
            setattr(os, name, self._standing_in(name))
        return self

    def __exit__(self, *_: object) -> None:
        for name, call in self._real.items():
            setattr(os, name, call)

    def _standing_in(self, name: str) -> Callable[..., Any]:
        real = self._real[name]

        def call(*args: Any, **named: Any) -> Any:
            with self._lock:
                if name == "close":
                    self._files.pop(args[0], None)
                    return real(*args, **named)
                if name == "open" and not args[1] & os.O_CREAT:
                    return self._opened(real(*args, **named), args)
                self._count(name, args, named)
                args = self._shortened(name, args)
                done = real(*args, **named)
                if self.plan.record:
                    self._record(name, args, done)
                return self._opened(done, args) if name == "open" else done

        return call

    def _count(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        nth = self.counts[name] = self.counts.get(name, 0) + 1
        if name in CALLS:
            self.total += 1
            if self.total == self.plan.kill:
                if self.plan.torn and name in ("write", "pwrite"):
                    self._real[name](args[0], bytes(args[1])[: len(args[1]) // 2], *args[2:])
                os.kill(os.getpid(), signal.SIGKILL)
        plan = self.plan
        if name == plan.call and plan.nth <= nth and (plan.sticky or nth < plan.nth + plan.times):
            raise _fault(plan.error, plan.winerror)

    def _shortened(self, name: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        if not self.plan.short or name not in ("write", "pwrite"):
            return args
        data = bytes(args[1])
        return (args[0], data[: max(1, len(data) // 2)], *args[2:])

    def _opened(self, fd: int, args: tuple[Any, ...]) -> int:
        """Remember which file a descriptor is of."""
        if args[1] & os.O_DIRECTORY:
            self._files[fd] = 0
        elif args[1] & os.O_CREAT:
            self._files[fd], self._offsets[fd] = self._born, 0
        return fd

    def _record(self, name: str, args: tuple[Any, ...], done: Any) -> None:
        """Write down what a disk would have to do."""
        match name:
            case "open":
                self._born += 1
                self.log.append(("create", str(args[0]), self._born))
            case "pwrite":
                self.log.append(("write", self._files[args[0]], args[2], bytes(args[1][:done])))
            case "write":
                at = self._offsets[args[0]]
                self.log.append(("write", self._files[args[0]], at, bytes(args[1][:done])))
                self._offsets[args[0]] = at + done
            case "ftruncate":
                self.log.append(("truncate", self._files[args[0]], args[1]))
            case "fsync":
                file = self._files[args[0]]
                self.log.append(("sync", file) if file else ("sync names",))
            case "link" | "replace":
                self.log.append((name, str(args[0]), str(args[1])))
            case "unlink":
                self.log.append((name, str(args[0])))


def _fault(error: str, winerror: int) -> OSError:
    """An error of the system; Windows' own number is an attribute more."""
    code = getattr(errno, error)
    fault = OSError(code, os.strerror(code))
    if winerror:
        vars(fault)["winerror"] = winerror
    return fault
