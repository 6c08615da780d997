"""Lines: the connections that threads wait on. Others can break them off; one that only drips is given up.

dial ──► TLS ──► headers ──► body
  └────────── Lines.abort ─────┘
                    └── Answer ┘    has patience with each wait, and with all of them together
"""

from __future__ import annotations

import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import contextmanager, suppress
from http.client import HTTPResponse
from io import BufferedReader, RawIOBase
from typing import Any, Final

from ..errors import Interrupted

_ALL: Final = -1  # in place of a count: everything, however much that is


class Lines:
    """Who waits on which connection, so that it can be broken off; a line is all connections of one asker."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._lock = threading.Lock()
        self._sockets: weakref.WeakKeyDictionary[socket.socket, int] = weakref.WeakKeyDictionary()
        self._broken: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._dialing: dict[Future[socket.socket], int] = {}
        self._mine = threading.local()

    def begin(self, line: int) -> None:
        """Say that this thread asks for a line from now on."""
        self._mine.line = line

    def abort(self, line: int | None = None) -> None:
        """Break the connections of a line, or all, so that threads waiting for them wake up."""
        with self._lock:
            sockets = [sock for sock, one in self._sockets.items() if line in (None, one)]
            dialing = [dial for dial, one in self._dialing.items() if line in (None, one)]
            self._broken.update(sockets)
        for dial in dialing:
            dial.cancel()
        for sock in sockets:
            shut(sock)

    def is_broken(self, sock: socket.socket) -> bool:
        """Whether a connection was broken off: then its end is not the end of what it brought."""
        with self._lock:
            return sock in self._broken

    def use(self, sock: socket.socket) -> None:
        """Note that this thread waits on a connection."""
        with self._lock:
            self._sockets[sock] = self._mine.line

    def dial(self, connect: Callable[[], socket.socket]) -> socket.socket:
        """A new connection, waited for only while it is wanted: looking a name up can be broken off nowhere.

        What nobody waits for any more ends on a thread of its own, by its own timeout.

        Raises:
            Interrupted: it was broken off.
        """
        dialing: Future[socket.socket] = Future()
        with self._lock:
            self._dialing[dialing] = self._mine.line
        try:
            if self._stop.is_set():
                dialing.cancel()
            else:
                name = "comfywatchman-dial"
                threading.Thread(target=_dial, args=(connect, dialing), name=name, daemon=True).start()
            sock = dialing.result()
        except CancelledError as fault:
            raise Interrupted("stopped while connecting") from fault
        finally:
            with self._lock:
                del self._dialing[dialing]
        try:
            self._mine.twin = sock.dup()  # TLS takes the descriptor over before its own socket can be had
        except OSError:
            sock.close()
            raise
        self.use(self._mine.twin)
        return sock

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """As long as the connection that was dialled inside needs a handshake."""
        self._mine.twin = None
        try:
            yield
        finally:
            twin, self._mine.twin = self._mine.twin, None
            if twin is not None:
                twin.close()


def _dial(connect: Callable[[], socket.socket], dialing: Future[socket.socket]) -> None:
    try:
        sock = connect()
    except BaseException as fault:  # noqa: BLE001 - whoever waits gets it
        with suppress(InvalidStateError):
            dialing.set_exception(fault)
        return
    try:
        dialing.set_result(sock)
    except InvalidStateError:  # broken off meanwhile
        sock.close()


def shut(sock: socket.socket) -> None:
    """Wake whoever waits on a socket.

    Past `SSLSocket.shutdown`, which makes a plain socket of it: another thread would then read what is left
    of the TLS records, undeciphered, as bytes of the file.
    """
    with suppress(OSError):  # it is already gone
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Answer(HTTPResponse):
    """An answer that has `patience` seconds for all of its headers, then for each `least` bytes.

    One whose connection was broken off ends in an error, even where the end of the line is that of the body.
    """

    def __init__(
        self, sock: socket.socket, *args: Any, lines: Lines, patience: float, least: int, **kwargs: Any
    ) -> None:
        super().__init__(sock, *args, **kwargs)
        self._least = least
        self._waiting = _Waiting(sock, self.fp.detach(), lines, patience)
        self.fp = BufferedReader(self._waiting)

    def begin(self) -> None:
        """Read status and headers."""
        super().begin()
        self._waiting.expect(self._least)


class _Waiting(RawIOBase):
    """What comes off a socket; only the time that is waited for it counts, not what is done in between."""

    def __init__(self, sock: socket.socket, raw: RawIOBase, lines: Lines, patience: float) -> None:
        self._sock, self._raw, self._lines, self._patience = sock, raw, lines, patience
        self._before = sock.gettimeout()
        self.expect(_ALL)

    def expect(self, least: int) -> None:
        """Begin to wait for so many bytes, again and again."""
        self._least = self._missing = least
        self._left = self._patience

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Bytes as they come.

        Raises:
            TimeoutError: too few come.
            ConnectionAbortedError: it was broken off.
        """
        if self._left <= 0:
            raise TimeoutError("it only drips")
        self._sock.settimeout(self._left)
        began = time.monotonic()
        count = self._raw.readinto(buffer)
        self._left -= time.monotonic() - began
        if count == 0 and self._lines.is_broken(self._sock):
            raise ConnectionAbortedError("broken off")
        if self._least is not _ALL:
            self._missing -= count or 0
            if self._missing <= 0:
                self.expect(self._least)
        return count

    def close(self) -> None:
        if not self.closed:
            with suppress(OSError):  # the socket may be gone
                self._sock.settimeout(self._before)
            self._raw.close()
        super().close()
