"""How a fetch is shown while it runs: bars on a terminal, quiet lines elsewhere.

total                     62% ███████████████▌         5.5M/8.9M  4.1MB/s  00:01
lighthouse_v2.safetens…   48% ███████████▊             2.3M/4.7M  2.0MB/s  00:01
"""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Final, NoReturn, Self, TypeAlias

from tqdm import tqdm

from ..plan import Transfer
from ..transfer.events import Progress, State
from .output import fit, say
from .tables import columns, format_size, shorten
from .words import one_line

_FINAL: Final = frozenset({State.VERIFIED, State.FAILED, State.CANCELLED, State.SKIPPED})
_COMPLETE: Final = frozenset({State.VERIFIED, State.SKIPPED})
_BAR: Final = "{desc} {percentage:3.0f}% {bar} {n_fmt:>5}/{total_fmt} {rate_fmt:>9} {remaining}{postfix}"
_UNKNOWN: Final = "{desc}   ?% {n_fmt:>5} {rate_fmt:>9} {elapsed}{postfix}"  # nobody said how large it is

Bar: TypeAlias = "tqdm[NoReturn]"
_Key = tuple[str, str]


class Bars:
    """A bar for each running transfer below one for the whole. Called from the transfers' threads."""

    def __init__(self, transfers: Sequence[Transfer]) -> None:
        sizes = [transfer.source.size for transfer in transfers]
        self._total = _bar("total", None if None in sizes else sum(filter(None, sizes)), 0)
        self._bars: dict[_Key, Bar] = {}
        self._done: dict[_Key, int] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bar in (*self._bars.values(), self._total):
            bar.close()

    def __call__(self, progress: Progress) -> None:
        """Show how far one transfer is."""
        key = (progress.transfer.root, progress.transfer.path)
        with self._lock:
            if progress.state in _FINAL:
                self._end(key, progress)
            else:
                self._advance(key, progress)

    def _advance(self, key: _Key, progress: Progress) -> None:
        if key not in self._bars:
            self._bars[key] = self._open(progress)
        if key not in self._done:  # what an earlier run brought is no speed of this one
            self._done[key] = progress.done
            self._total.initial += progress.done
            self._total.update(progress.done)
        bar = self._bars[key]
        news = bool(progress.note)
        if bar.total is None and progress.size is not None:
            bar.total, bar.bar_format, news = progress.size, _BAR, True
        bar.update(progress.done - bar.n)
        bar.set_postfix_str(one_line(progress.note), refresh=news)
        self._count(key, progress.done)

    def _end(self, key: _Key, progress: Progress) -> None:
        if progress.state in _COMPLETE:
            self._count(key, progress.transfer.source.size or progress.done)
        if (bar := self._bars.pop(key, None)) is not None:
            bar.close()

    def _open(self, progress: Progress) -> Bar:
        taken = {bar.pos for bar in self._bars.values()}  # tqdm counts positions downwards
        free = next(place for place in range(1, len(taken) + 2) if -place not in taken)
        return _bar(progress.transfer.path, progress.size, free, initial=progress.done)

    def _count(self, key: _Key, done: int) -> None:
        self._total.update(done - self._done.get(key, 0))
        self._done[key] = done


class Lines:
    """One line when a transfer starts or has to wait, for logs and pipes; its end is told later."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._started: set[_Key] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to take down."""

    def __call__(self, progress: Progress) -> None:
        """Tell a start or a wait."""
        transfer = progress.transfer
        key = (transfer.root, transfer.path)
        where = one_line(f"{transfer.folder}/{transfer.path}")
        if progress.note:
            say(f"{where} {one_line(progress.note)}", quiet=self._quiet)
        elif progress.state is State.RUNNING and key not in self._started:
            self._started.add(key)
            more = f", {format_size(progress.done)} are here" if progress.done else ""
            say(f"fetching {where} ({format_size(progress.size)}{more})", quiet=self._quiet)


def _bar(path: str, size: int | None, position: int, *, initial: int = 0) -> Bar:
    room = max(12, min(40, shutil.get_terminal_size().columns - 52))
    label = shorten(one_line(path.rpartition("/")[2]), room)
    return tqdm(
        total=size,
        initial=initial,
        desc=fit(label + " " * (room - columns(label)), sys.stderr.encoding),
        position=position,
        unit="B",
        unit_scale=True,
        leave=position == 0,
        dynamic_ncols=True,
        bar_format=_UNKNOWN if size is None else _BAR,
        file=sys.stderr,
    )
