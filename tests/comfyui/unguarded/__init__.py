"""A pack for tests: our routes once more below /cw_test_open, with the guard off, as the control of attacks.

It brings the library by its own name, beside the pack that has it under ComfyUI's.
"""

from __future__ import annotations

import sys
from pathlib import Path

from aiohttp import web
from server import PromptServer

sys.path.append(str(Path(__file__).resolve().parents[3]))

from comfywatchman import host
from comfywatchman.routes.api import ROUTES
from comfywatchman.routes.desk import Desk
from comfywatchman.routes.guard import BODY, STEPS
from comfywatchman.routes.serving import mount


def add() -> None:
    """Put them into ComfyUI's table, which it serves twice."""
    table = web.RouteTableDef()
    everything = frozenset({BODY, *(name for name, _ in STEPS)})
    mount(table, Desk(host.open_house, send=host.send), ROUTES, without=everything)
    for route in table:
        assert isinstance(route, web.RouteDef)
        PromptServer.instance.routes.route(route.method, f"/cw_test_open{route.path}")(route.handler)


add()

NODE_CLASS_MAPPINGS: dict[str, type] = {}
