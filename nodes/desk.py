"""Where nodes work: the house of this ComfyUI, waited for with its progress bar and its interrupt.

obtain(thing, folder, node_id)   the file, fetched on a thread while ComfyUI's own thread shows how far it is
identify(thing, folder)          what tells ComfyUI's cache that the file or its words changed
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from ..comfywatchman import host
from ..comfywatchman.errors import WatchmanError

if TYPE_CHECKING:  # what is imported when it is needed costs ComfyUI's start nothing
    from ..comfywatchman.catalog import LocalFile
    from ..comfywatchman.obtained import Obtained
    from ..comfywatchman.obtaining import Obtainer
    from ..comfywatchman.summary import Summary
    from ..comfywatchman.transfer.events import Progress

_BEAT: Final = 0.1  # seconds between two looks at the interrupt
_PATIENCE: Final = (
    2.0  # seconds that a stopped thread is waited for; one that asks a hub ends later by itself
)
_MIB: Final = 1 << 20


def open_obtainer() -> Obtainer:
    """What finds and brings models, as the settings are now."""
    return host.open_house().obtainer()


@contextmanager
def in_words() -> Iterator[None]:
    """Errors as a node shows them: what is wrong, and what to do."""
    try:
        yield
    except WatchmanError as fault:
        raise RuntimeError(f"{fault.message}\n{fault.hint}".strip()) from fault


def obtain(thing: str, *, folder: str, pinned: str, node_id: str | None) -> tuple[Obtained, Summary]:
    """The file that an input means, fetched if it is missing, and what is known of it.

    Raises:
        RuntimeError: it cannot be had; the text says why.
        InterruptProcessingException: the user stopped the run; a partial stays and is gone on with next time.
    """
    if not thing:
        raise RuntimeError("No model is chosen.\nChoose a file, or give a link, an id or an AIR as `source`.")
    with in_words():
        obtainer = open_obtainer()
        obtained = obtainer.find(thing, folder=folder, pinned=pinned)
        if obtained is None or (pinned and obtained.digest is None):
            obtained = _Errand(obtainer, thing, folder=folder, pinned=pinned).wait(node_id)
        identities().settle(obtainer, thing, folder, pinned)
        return obtained, obtainer.summarize(obtained)


def identify(thing: str, *, folder: str | None, pinned: str) -> str:
    """What changes when the file or its trigger words do, and not by being fetched; asks nobody."""
    if not thing:
        return ""
    try:
        return identities().of(open_obtainer(), thing, folder, pinned)
    except WatchmanError as fault:  # execution tells it
        return fault.code


class _Errand:
    """One file fetched on a thread of its own."""

    def __init__(self, obtainer: Obtainer, thing: str, *, folder: str, pinned: str) -> None:
        self._stop = threading.Event()
        self._latest: _Sight | None = None
        self._end: Obtained | BaseException | None = None
        self._arguments = (obtainer, thing, folder, pinned)
        self._thread = threading.Thread(target=self._run, name="comfywatchman-node", daemon=True)

    def wait(self, node_id: str | None) -> Obtained:
        """The file. Call it on ComfyUI's thread only: it raises there when the user interrupts."""
        from comfy import model_management

        display = _Display(node_id)
        self._thread.start()
        try:
            while self._thread.is_alive():
                self._thread.join(_BEAT)
                model_management.throw_exception_if_processing_interrupted()
                display.show(self._latest)
        finally:
            self._stop.set()
            self._thread.join(_PATIENCE)
            display.clear()
        if isinstance(self._end, BaseException):
            raise self._end
        assert self._end is not None
        return self._end

    def _run(self) -> None:
        obtainer, thing, folder, pinned = self._arguments
        try:
            self._end = obtainer.obtain(
                thing,
                folder=folder,
                pinned=pinned,
                listener=self._hear,
                checking=self._hear_checking,
                stop=self._stop,
            )
        except BaseException as fault:  # noqa: BLE001 - raised again on ComfyUI's thread
            self._end = fault

    def _hear(self, progress: Progress) -> None:
        what = f"fetching {progress.transfer.path}"
        self._latest = _Sight(what, progress.done, progress.size, progress.note)

    def _hear_checking(self, file: LocalFile, done: int) -> None:
        self._latest = _Sight(f"checking {file.path}", done, file.size)


@dataclass(frozen=True, slots=True)
class _Sight:
    """How far a file is, in bytes. `size` is None until known; `note` says what it waits for."""

    what: str
    done: int
    size: int | None
    note: str = ""


class _Display:
    """ComfyUI's progress bar of a node, and a line of text on it."""

    def __init__(self, node_id: str | None) -> None:
        self._node_id = node_id
        self._bar: Any = None
        self._text = ""
        self._began = time.monotonic()
        self._first: _Sight | None = None

    def show(self, sight: _Sight | None) -> None:
        """Show how far it is; a node without an id (no browser) shows nothing."""
        if sight is None or self._node_id is None:
            return
        if self._first is None or self._first.what != sight.what:
            self._first, self._began = sight, time.monotonic()
        self._show_bar(sight)
        self._say(self._line(sight, since=self._first.done))

    def clear(self) -> None:
        """Take the line of text away."""
        if self._text:
            self._say("")

    def _show_bar(self, sight: _Sight) -> None:
        from comfy.utils import ProgressBar

        if sight.size:
            self._bar = self._bar or ProgressBar(sight.size, node_id=self._node_id)
            self._bar.update_absolute(sight.done, sight.size)

    def _line(self, sight: _Sight, *, since: int) -> str:
        seconds = time.monotonic() - self._began
        speed = (sight.done - since) / max(seconds, _BEAT) / _MIB
        size = f" of {sight.size / _MIB:.0f}" if sight.size else ""
        note = f" ({sight.note})" if sight.note else f", {speed:.1f} MiB/s"
        return f"{sight.what}: {sight.done / _MIB:.0f}{size} MiB{note}"

    def _say(self, text: str) -> None:
        if text != self._text and self._node_id is not None:
            self._text = text
            host.show_text(text, self._node_id)


class _Identities:
    """What things are, for ComfyUI's cache: being fetched is no change of a thing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._missing: set[str] = set()  # what was not here when the run began
        self._fetched: dict[str, str] = {}

    def of(self, obtainer: Obtainer, thing: str, folder: str | None, pinned: str) -> str:
        """The identity as a run begins: empty for what is not here, and for what was not until a run."""
        key, now = _key(thing, folder, pinned), self.tell(obtainer, thing, folder, pinned)
        with self._lock:
            told = "" if self._fetched.get(key) == now else now
            (self._missing.discard if told else self._missing.add)(key)
        return told

    def settle(self, obtainer: Obtainer, thing: str, folder: str, pinned: str) -> None:
        """Take what came during this run, whoever brought it, for what it was before."""
        key = _key(thing, folder, pinned)
        if key in self._missing:
            now = self.tell(obtainer, thing, folder, pinned)
            with self._lock:
                self._fetched[key] = now

    @staticmethod
    def tell(obtainer: Obtainer, thing: str, folder: str | None, pinned: str) -> str:
        """The identity of what is here now; empty for what is not."""
        obtained = obtainer.find(thing, folder=folder, pinned=pinned)
        if obtained is None:
            return ""
        words = obtainer.summarize(obtained, asks=False).words if folder != "checkpoints" else ()
        return "\n".join((obtained.identity, *words))


@cache
def identities() -> _Identities:
    """Those of this ComfyUI, as long as it runs."""
    return _Identities()


def _key(thing: str, folder: str | None, pinned: str) -> str:
    return f"{folder}\n{thing}\n{pinned}"
