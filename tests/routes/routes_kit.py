"""A server with our routes for tests: real aiohttp on loopback, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from aiohttp import web
from fakehub.server import FakeHub

from comfywatchman.house import House
from comfywatchman.library.roots import find_roots
from comfywatchman.routes.api import ROUTES
from comfywatchman.routes.checking import check
from comfywatchman.routes.desk import Desk
from comfywatchman.routes.serving import JSON, PREFIX, Served, mount
from comfywatchman.tokens import TokenStore

BY_PLACE = {(route.method, route.path): route for route in ROUTES}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the server."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of an error."""
        return str(self.json["error"]["code"])


@dataclass(slots=True)
class Events:
    """What pages were told, in order."""

    seen: list[tuple[str, Any]] = field(default_factory=list)
    change: threading.Condition = field(default_factory=threading.Condition)

    def send(self, event: str, data: Any) -> None:
        with self.change:
            self.seen.append((event, json.loads(json.dumps(data))))
            self.change.notify_all()

    def of(self, kind: str) -> list[Any]:
        return [data for event, data in [*self.seen] if event == f"comfywatchman.{kind}"]


class Server:
    """A desk on a server of its own; requests are made as a page of ours makes them."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        without: frozenset[str] = frozenset(),
        offline: bool = False,
    ) -> None:
        self.folder, self.events = folder, Events()
        self.models = folder / "ComfyUI" / "models"
        self.home = folder / "data"
        for name in ("loras", "vae", "checkpoints", "diffusion_models", "embeddings"):
            (self.models / name).mkdir(parents=True, exist_ok=True)
        (folder / "ComfyUI" / "folder_paths.py").touch()
        self.home.mkdir(exist_ok=True)
        self.house = House(
            self.home,
            environment,
            tokens=TokenStore(self.home, environment),
            roots=lambda _settings: find_roots(comfyui=folder / "ComfyUI"),
            offline=offline,
        )
        self.desk = Desk(lambda: self.house, send=self.events.send)
        self._without = without
        self.port = 0
        self._own = threading.local()
        self._connections: list[http.client.HTTPConnection] = []

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()

        async def serve() -> None:
            table = web.RouteTableDef()
            mount(table, self.desk, ROUTES, without=self._without)
            app = web.Application(client_max_size=200 << 20)
            app.add_routes(twins(table))
            app.add_routes(table)
            self.app = app
            runner = web.AppRunner(app, lingering_time=0.1, shutdown_timeout=1.0)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            self._stop = asyncio.Event()
            ready.set()
            await self._stop.wait()
            await runner.cleanup()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:  # requests that wait for a hub, and whose page is gone
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

        def run() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(serve())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

        self._thread = threading.Thread(target=run)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        self.desk.close()
        self.house.close()

    # ── as a page asks ──

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def raw(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A request with just these headers."""
        connection = self._connection
        connection.putrequest(method, path, skip_host="Host" in (headers or {}), skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body or method not in ("GET", "HEAD"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        with contextlib.suppress(OSError):  # the server has heard enough
            connection.send(body)
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.getheaders()), response.read())
        if answer.status >= 400:  # the server may hang up on what it did not read
            connection.close()
        return answer

    @property
    def _connection(self) -> http.client.HTTPConnection:
        """A connection of this thread, kept from request to request."""
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            self._connections.append(self._own.connection)
        connection: http.client.HTTPConnection = self._own.connection
        return connection

    def ask(self, method: str, path: str, document: Any = None) -> Answer:
        """A request as a page of ours makes it; what comes back must be of the promised shape."""
        headers = {"Origin": f"http://{self.host}", "Sec-Fetch-Site": "same-origin"}
        if method != "GET":
            headers |= {"Content-Type": "application/json", "X-Comfywatchman": "1"}
        body = b"" if document is None else json.dumps(document).encode()
        answer = self.raw(method, PREFIX + path, body, headers)
        check_shape(method, path, answer)
        return answer

    def get(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == 200, answer.body
        return answer.json

    def do(self, method: str, path: str, document: Any = None) -> Any:
        """A write that must succeed."""
        answer = self.ask(method, path, document)
        assert answer.status < 300, answer.body
        return answer.json

    def plan(self, document: Any) -> Any:
        """A plan for a workflow, when all hubs have answered."""
        id_ = self.do("POST", "plans", document)["id"]
        return self.wait(lambda: (p := self.get(f"plans/{id_}"))["stage"] == "done" and p)

    def ended(self, *ids: str) -> Any:
        """The transfers with these ids, or all, once all have ended."""

        def look() -> Any:
            found = [t for t in self.get("transfers")["transfers"] if not ids or t["id"] in ids]
            return found if all(t["state"] not in ("queued", "running") for t in found) else None

        return self.wait(look)

    def wait(self, look: Callable[[], Any], seconds: float = 20.0) -> Any:
        """What a look gives as soon as it is true."""
        end = time.monotonic() + seconds
        while not (found := look()):
            assert time.monotonic() < end, "nothing happened"
            time.sleep(0.02)
        return found

    def files(self) -> dict[str, bytes]:
        """Every file below the models folder with its bytes."""
        found = sorted(path for path in self.models.rglob("*") if path.is_file())
        return {path.relative_to(self.models).as_posix(): path.read_bytes() for path in found}


def twins(table: web.RouteTableDef) -> web.RouteTableDef:
    """What ComfyUI does with a table: every route stands under /api too."""
    made = web.RouteTableDef()
    for route in table:
        assert isinstance(route, web.RouteDef)
        made.route(route.method, "/api" + route.path)(route.handler, **route.kwargs)
    return made


def served(app: web.Application) -> list[Served]:
    """Every handler of a server as ours; fails on one that is not behind the gate."""
    found = []
    for resource in app.router.routes():
        if resource.method != "HEAD":
            owner = getattr(resource.handler, "__self__", None)
            assert isinstance(owner, Served), resource
            found.append(owner)
    return found


def check_shape(method: str, path: str, answer: Answer) -> None:
    """Every answer is of the shape its route promises."""
    if answer.status >= 400:
        check("Error", answer.json)
        return
    parts = path.split("/")
    for (known, template), route in BY_PLACE.items():
        pieces = template.split("/")
        if (
            known == method
            and len(pieces) == len(parts)
            and all(p.startswith("{") or p == q for p, q in zip(pieces, parts, strict=True))
        ):
            assert answer.status == route.status
            if route.type == JSON:
                check(route.gives, answer.json)
            assert answer.headers["Content-Type"] == route.type
            return
    raise AssertionError(f"no route {method} {path}")


@contextlib.contextmanager
def serving(folder: Path, hub: FakeHub | None = None, **more: Any) -> Iterator[Server]:
    environment = {**hub.environment} if hub else {}
    with Server(folder, environment, **more) as server:
        yield server


def ui(*nodes: tuple[str, list[Any]] | tuple[str, list[Any], dict[str, str]]) -> dict[str, Any]:
    """A workflow in the editor's form: (type, widget values, models metadata)."""
    saved = []
    for number, (kind, values, *entry) in enumerate(nodes, 1):
        properties = {"models": [entry[0]]} if entry else {}
        saved.append(
            {
                "id": number,
                "type": kind,
                "mode": 0,
                "inputs": [],
                "outputs": [],
                "widgets_values": values,
                "properties": properties,
            }
        )
    return {"nodes": saved, "links": [], "version": 0.4}


def lora(name: str, **entry: str) -> Any:
    """A node that loads a LoRA."""
    values = [name, 1.0, 1.0]
    return (
        ("LoraLoader", values, {"name": name.rpartition("/")[2], "directory": "loras", **entry})
        if entry
        else ("LoraLoader", values)
    )
