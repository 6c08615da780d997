"""A host and handlers that are worse than ours: with them the attacks succeed, so the tests would see it."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from comfywatchman.errors import WatchmanError
from comfywatchman.routes.desk import Desk
from comfywatchman.routes.guard import Gate, caller_of
from comfywatchman.routes.serving import PREFIX

# What answers say of themselves, and browsers heed.
_SAID = ("Content-Security-Policy", "Cross-Origin-Resource-Policy", "X-Content-Type-Options", "Cache-Control")


@web.middleware
async def without_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Takes from our answers the headers that keep them out of frames and other pages."""
    answer = await handler(request)
    for name in _SAID:
        answer.headers.pop(name, None)
    return answer


def telling(token: str) -> Middleware:
    """Gives a token back with each answer that is of tokens."""

    @web.middleware
    async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if "/tokens/" in request.path and isinstance(answer, web.Response):
            answer.body = (answer.text or "").removesuffix("}").encode() + f', "token": "{token}"}}'.encode()
        return answer

    return tell


def listened_to(*, without: frozenset[str] = frozenset()) -> Callable[[web.RouteTableDef, Desk], None]:
    """Adds an event source and a socket that talk to every page which the guard lets in."""

    def add(routes: web.RouteTableDef, desk: Desk) -> None:
        gate = Gate(desk.doors, without=without)

        def refuse(request: web.Request) -> web.Response | None:
            try:
                gate.check(caller_of(request))
            except WatchmanError:
                return web.Response(status=403)
            return None

        @routes.get(f"{PREFIX}heard")
        async def heard(request: web.Request) -> web.StreamResponse:
            if (refused := refuse(request)) is not None:
                return refused
            answer = web.StreamResponse(
                headers={"Content-Type": "text/event-stream", "Access-Control-Allow-Origin": "*"}
            )
            await answer.prepare(request)
            await answer.write(b"data: open\n\n")
            return answer

        @routes.get(f"{PREFIX}spoken")
        async def spoken(request: web.Request) -> web.StreamResponse:
            if (refused := refuse(request)) is not None:
                return refused
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.close()
            return socket

    return add
