"""How a fetch is shown while it runs: bars on a terminal, quiet lines elsewhere."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import NoReturn, Self

from tqdm import tqdm

from ..names import printable
from ..transfer.events import Progress, State
from .tables import format_size, shorten

_FINAL = frozenset({State.VERIFIED, State.FAILED, State.CANCELLED, State.SKIPPED})
_NAME_WIDTH = 36
_BAR = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} {rate_fmt} {remaining}"


class Bars:
    """A bar for each running transfer and one for the whole. Called from the transfers' threads."""

    def __init__(self, *, size: int) -> None:
        self._total = _bar("total", size or None, 0)
        self._files: dict[tuple[str, str], tqdm[NoReturn]] = {}
        self._done: dict[tuple[str, str], int] = {}
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bar in (*self._files.values(), self._total):
            bar.close()

    def __call__(self, progress: Progress) -> None:
        """Show how far one transfer is."""
        key = (progress.transfer.root, progress.transfer.path)
        with self._lock:
            self._advance(key, progress)
            if progress.state in _FINAL and (bar := self._files.pop(key, None)) is not None:
                bar.close()

    def _advance(self, key: tuple[str, str], progress: Progress) -> None:
        self._total.update(progress.done - self._done.get(key, 0))
        self._done[key] = progress.done
        if progress.state is not State.RUNNING:
            return
        if key not in self._files:
            self._files[key] = _bar(progress.transfer.path, progress.size, len(self._files) + 1)
        bar = self._files[key]
        bar.set_postfix_str(printable(progress.note), refresh=False)
        bar.update(progress.done - bar.n)


class Lines:
    """One line when a transfer starts and one when it ends, for logs and pipes."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._say = (lambda _line: None) if quiet else _say
        self._started: set[tuple[str, str]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to take down."""

    def __call__(self, progress: Progress) -> None:
        """Tell a start or an end."""
        transfer = progress.transfer
        key = (transfer.root, transfer.path)
        where = printable(f"{transfer.folder}/{transfer.path}")
        if progress.state is State.RUNNING and key not in self._started:
            self._started.add(key)
            self._say(f"fetching {where} ({format_size(progress.size)})")
        elif progress.state in _FINAL:
            self._say(f"{progress.state.value} {where}")


def _bar(name: str, size: int | None, position: int) -> tqdm[NoReturn]:
    label = shorten(printable(name), _NAME_WIDTH).ljust(_NAME_WIDTH)
    return tqdm(
        total=size,
        desc=label,
        position=position,
        unit="B",
        unit_scale=True,
        leave=position == 0,
        dynamic_ncols=True,
        bar_format=_BAR if size else None,
        file=sys.stderr,
    )


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
