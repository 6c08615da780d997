"""Routes as data, and how one is served: guard, body, verb in a thread, JSON.

    request ─▶ Gate ─▶ body ─▶ check against its schema ─▶ verb(desk, call) ─▶ JSON

The event loop belongs to everybody in the process: nothing here touches disk, database or a big JSON on it.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiohttp import web

from ..decode import MIB, DecodeError, parse_json
from ..errors import WatchmanError
from .checking import check
from .errors import InvalidRequest, call_safely, error_document, status_of
from .guard import Gate, caller_of

if TYPE_CHECKING:
    from ..catalog import Json
    from .desk import Desk

    Verb = Callable[[Desk, "Call"], dict[str, Json] | bytes]

JSON: Final = "application/json"
PREFIX: Final = "/comfywatchman/v1/"
WORKFLOW: Final = 20 * MIB  # the largest workflow that is read
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}
_KEPT: Final = {"Cache-Control": "private, max-age=3600"}  # pictures, whose ids mean the same for ever


@dataclass(frozen=True, slots=True)
class Call:
    """What a verb is given: the parts of the path that vary, and the checked body."""

    path: Mapping[str, str]
    body: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route: `takes` and `gives` are names of schemas, `most` the bytes that a body may have.

    `verb` is the module and the name of a function of a desk and a call; one of another `type` than JSON
    gives bytes. One that `waits` for other machines has threads of its own, so that it holds up nobody.
    """

    method: str
    path: str
    verb: str
    about: str
    gives: str
    takes: str = "Nothing"
    status: int = 200
    type: str = JSON
    waits: bool = False
    most: int = MIB

    def find_verb(self) -> Verb:
        """The function; importing it may take a moment."""
        module, _, name = self.verb.partition(":")
        verb: Verb = getattr(importlib.import_module(f".{module}", __package__), name)
        return verb


class Served:
    """A route of a desk behind its gate; `answer` is the handler that aiohttp calls."""

    def __init__(self, route: Route, desk: Desk, gate: Gate) -> None:
        self.route, self.gate = route, gate
        self._desk = desk

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a request; whatever goes wrong is an answer too."""
        caller, path = caller_of(request), dict(request.match_info)
        run = functools.partial(asyncio.get_running_loop().run_in_executor, self._desk.hands)
        threads = self._desk.waiters if self.route.waits else self._desk.hands
        try:
            await run(self.gate.check, caller)
            body = await self.gate.read(request, most=self.route.most) if caller.writes else b""
            status, data = await asyncio.get_running_loop().run_in_executor(threads, self._work, path, body)
        except WatchmanError as fault:
            status, data = await run(self._refuse, fault)
        if status >= 400 or self.route.type == JSON:
            return web.Response(body=data, status=status, headers=_HEADERS, content_type=JSON)
        return web.Response(body=data, status=status, headers=_HEADERS | _KEPT, content_type=self.route.type)

    def _work(self, path: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Call the verb, in a thread."""
        what = f"{self.route.method} {self.route.path}"
        try:
            call = Call(path, _read_body(self.route, body))
            given = call_safely(lambda: self.route.find_verb()(self._desk, call), what=what)
        except WatchmanError as fault:
            return self._refuse(fault)
        return self.route.status, write_json(given)

    def _refuse(self, fault: WatchmanError) -> tuple[int, bytes]:
        return status_of(fault), write_json(error_document(self._desk.veil(fault)))


def mount(
    routes: web.RouteTableDef, desk: Desk, table: Iterable[Route], *, without: frozenset[str] = frozenset()
) -> None:
    """Add a desk's routes to a table; nothing where they stand in it already.

    `without` leaves steps of the guard out, for the tests that show what each is good for.
    """
    if any(isinstance(route, web.RouteDef) and route.path.startswith(PREFIX) for route in routes):
        return
    gate = Gate(desk.doors, without=without)
    for route in table:
        handler = Served(route, desk, gate).answer
        routes.route(route.method, PREFIX + route.path)(handler)


def _read_body(route: Route, body: bytes) -> dict[str, Json]:
    if not body:
        parsed: Json = {}
    else:
        try:
            parsed = parse_json(body, limit=route.most)
        except DecodeError as fault:
            raise InvalidRequest(fault.message) from fault
    check(route.takes, parsed)
    assert isinstance(parsed, dict)  # as all schemas of bodies are
    return parsed


def write_json(given: dict[str, Json] | bytes) -> bytes:
    """An answer as JSON, a list's items one by one: json's C code lets nobody else run until it ends."""
    if isinstance(given, bytes):
        return given
    return f"{{{','.join(f'{_dump(key)}:{_dump_items(value)}' for key, value in given.items())}}}".encode()


def _dump_items(value: Json) -> str:
    return f"[{','.join(map(_dump, value))}]" if isinstance(value, list) else _dump(value)


def _dump(value: Json) -> str:
    return json.dumps(value, separators=(",", ":"))
