"""The project's own host: a small server with the surface of ComfyUI's that our web part needs.

    with HostServer(house, models) as host:
        page.goto(host.url)

It serves the host page, the pack's `web/` as ComfyUI does, `/object_info` read from the real model folders,
a websocket with events, and `/prompt`, which refuses names that are not on disk with ComfyUI's 400 body.
Our own routes are mounted twice, as ComfyUI mounts them: `/x` and `/api/x`. It runs on a thread of its own.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, Self

from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler, Middleware

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = Path(__file__).parent / "page"
EXTENSION: Final = "/extensions/comfywatchman"
SUFFIXES: Final = (".safetensors", ".sft", ".ckpt", ".pt", ".pth", ".gguf", ".bin")

# The inputs of ComfyUI's own nodes that the tests' workflows use: a folder's name stands for its list.
_NODES: Final[Mapping[str, Mapping[str, object]]] = {
    "CheckpointLoaderSimple": {"ckpt_name": "checkpoints"},
    "UNETLoader": {"unet_name": "diffusion_models", "weight_dtype": ["default", "fp8_e4m3fn"]},
    "CLIPLoader": {"clip_name": "text_encoders", "type": ["sd3", "flux"]},
    "VAELoader": {"vae_name": "vae"},
    "LoraLoader": {"lora_name": "loras", "strength_model": "FLOAT", "strength_clip": "FLOAT"},
    "ControlNetLoader": {"control_net_name": "controlnet"},
    "UpscaleModelLoader": {"model_name": "upscale_models"},
    "CLIPTextEncode": {"text": "STRING"},
    "EmptyLatentImage": {"width": "INT", "height": "INT", "batch_size": "INT"},
    "KSampler": {"seed": "INT", "steps": "INT", "cfg": "FLOAT"},
    "VAEDecode": {},
    "SaveImage": {"filename_prefix": "STRING"},
}

Mount = Callable[[web.RouteTableDef, Callable[[str, Mapping[str, Any]], None]], None]


class HostServer:
    """A running host. `mount` adds our routes to a table, given how to send an event to every page.

    `around` are middlewares, for tests in which the host or a handler is worse than ours.
    """

    def __init__(
        self,
        models: Path,
        *,
        mount: Mount,
        port: int = 0,
        ticks: bool = False,
        around: Sequence[Middleware] = (),
    ) -> None:
        self.models = models
        self.prompts: list[dict[str, Any]] = []
        self.delays: list[float] = []
        self.answers: list[tuple[str, str, int]] = []  # (method, path, status) of our routes, as they came
        self._mount = mount
        self._port = port
        self._ticks = ticks
        self._around = around
        self._sockets: set[web.WebSocketResponse] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="host", daemon=True)
        self._runner: web.AppRunner | None = None
        self._ticking: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._start()).result(timeout=20)
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop()).result(timeout=20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=20)
        self._loop.close()

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    def send(self, event: str, data: Mapping[str, Any]) -> None:
        """Tell every open page; from any thread."""
        text = json.dumps({"type": event, "data": data})
        self._loop.call_soon_threadsafe(lambda: asyncio.ensure_future(self._broadcast(text)))

    def routes(self) -> list[tuple[str, str]]:
        """(method, path) of every route that is served."""
        assert self._runner is not None
        resources = self._runner.app.router.routes()
        return [(route.method, route.resource.canonical) for route in resources if route.resource]

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        resource = request.match_info.route.resource
        if resource is not None and "/comfywatchman/v1/" in resource.canonical:
            self.answers.append((request.method, request.path, answer.status))
        return answer

    def _run(self, work: Any) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _start(self) -> None:
        app = web.Application(client_max_size=100 << 20, middlewares=[self._note, *self._around])
        own = web.RouteTableDef()
        self._mount(own, self.send)
        app.add_routes(own)
        for route in own:  # as PromptServer.add_routes does
            assert isinstance(route, web.RouteDef)
            app.router.add_route(route.method, f"/api{route.path}", route.handler)
        for prefix in ("", "/api"):
            app.router.add_get(f"{prefix}/extensions", self._extensions)
            app.router.add_get(f"{prefix}/object_info", self._object_info)
            app.router.add_post(f"{prefix}/prompt", self._prompt)
        app.router.add_get("/ws", self._websocket)
        app.router.add_get("/", self._index)
        app.router.add_static(EXTENSION, ROOT / "web")
        app.router.add_static("/", PAGE)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        if self._ticks:
            self._ticking = asyncio.ensure_future(self._tick())

    async def _stop(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        for socket in [*self._sockets]:
            await socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _tick(self) -> None:
        """How late the loop is, every 10 ms: what a blocking handler does to everybody's canvas."""
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            self.delays.append(time.perf_counter() - before - 0.01)

    async def _broadcast(self, text: str) -> None:
        for socket in [*self._sockets]:
            if not socket.closed:
                await socket.send_str(text)

    async def _index(self, _: web.Request) -> web.StreamResponse:
        return web.FileResponse(PAGE / "index.html")

    async def _extensions(self, _: web.Request) -> web.Response:
        scripts = sorted((ROOT / "web").rglob("*.js"))
        return web.json_response(
            [f"{EXTENSION}/{path.relative_to(ROOT / 'web').as_posix()}" for path in scripts]
        )

    async def _object_info(self, _: web.Request) -> web.Response:
        return web.json_response({kind: {"input": {"required": self._inputs(kind)}} for kind in _NODES})

    def _inputs(self, kind: str) -> dict[str, list[Any]]:
        return {name: _spec(self.models, what) for name, what in _NODES[kind].items()}

    async def _prompt(self, request: web.Request) -> web.Response:
        prompt = (await request.json())["prompt"]
        if errors := dict(self._refusals(prompt)):
            error = {
                "type": "prompt_outputs_failed_validation",
                "message": "Prompt outputs failed validation",
            }
            return web.json_response({"error": error, "node_errors": errors}, status=400)
        self.prompts.append(prompt)
        number = f"{len(self.prompts):032x}"
        for event in ("execution_start", "execution_success"):
            self.send(event, {"prompt_id": number})
        return web.json_response({"prompt_id": number, "number": len(self.prompts), "node_errors": {}})

    def _refusals(self, prompt: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        for node_id, node in prompt.items():
            for name, spec in (
                self._inputs(node["class_type"]).items() if node["class_type"] in _NODES else ()
            ):
                value = node["inputs"].get(name)
                if isinstance(spec[0], list) and isinstance(value, str) and value not in spec[0]:
                    fault = {"type": "value_not_in_list", "details": f"{name}: '{value}' not in list"}
                    yield node_id, {"errors": [fault], "class_type": node["class_type"]}

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.add(socket)
        await socket.send_json({"type": "status", "data": {"sid": request.query.get("clientId")}})
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
        self._sockets.discard(socket)
        return socket


def _spec(models: Path, what: object) -> list[Any]:
    if isinstance(what, list):
        return [what]
    if what in ("STRING", "INT", "FLOAT"):
        return [what, {}]
    folder = models / str(what)
    files = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return [sorted(path.relative_to(folder).as_posix() for path in files)]
