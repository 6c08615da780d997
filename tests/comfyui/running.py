"""A real ComfyUI, run as a process of its own on loopback with everything of ours in it.

    with ComfyUI(installation, base, environment=hub.environment) as comfyui:
        comfyui.get("/object_info/ComfyWatchmanLoRALoader")
        entry = comfyui.run(prompt)                  # what /history tells of it
        comfyui.probe(prompt, model=["1", 0])        # digests of what flows there
        with comfyui.listen() as listener:           # messages of its websocket
            listener.wait("comfywatchman.transfer")

The `comfyui` fixture of conftest.py is one that all tests share.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final, Self, TypeVar
from uuid import uuid4

import requests
from comfyui.installation import Installation
from comfyui.listening import Listener

PACK: Final = Path(__file__).resolve().parents[2]
PROBE: Final = Path(__file__).resolve().parent / "probe"
PACKS: Final = MappingProxyType({"comfywatchman": PACK, "cw_test_probe": PROBE})

Prompt = Mapping[str, Any]  # ComfyUI's API form: {node id: {"class_type": …, "inputs": {…}}}

CLIENT: Final = "tests"  # the id of the browser that we are

Found = TypeVar("Found")

_START_LIMIT: Final = 120.0  # seconds; 6 on two quiet cores, more while others work there
_STOP_LIMIT: Final = 15.0
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_OWN_VARIABLES: Final = re.compile(
    r"COMFY.*|CIVITAI.*|HF_.*|HUGGING.*|PYTHON(PATH|HOME|STARTUP)|XDG_.*|.*_PROXY", re.IGNORECASE
)


class Refused(Exception):
    """ComfyUI answered with an error. `body` is parsed where it is JSON."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        try:
            self.body: Any = response.json()
        except ValueError:
            self.body = response.text
        super().__init__(f"{response.request.method} {response.url}: {self.status} {self.body}")


class ComfyUI:
    """ComfyUI for the length of a `with` block; `start` and `stop` by hand for tests of restarts.

    `base` becomes its base directory: models, input, output, user and custom_nodes are there. `packs` are
    linked into custom_nodes. What the tester's own environment says of ComfyUI, hubs and proxies is kept
    from it, and its home is an empty folder.
    """

    def __init__(
        self,
        installation: Installation,
        base: Path,
        *,
        packs: Mapping[str, Path] = PACKS,
        environment: Mapping[str, str] = MappingProxyType({}),
        arguments: Sequence[str] = (),
    ) -> None:
        self.installation = installation
        self.base = base
        self.models = base / "models"
        self.packs = packs
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = environment
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._session = requests.Session()
        self._session.trust_env = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._session.close()

    # ── its life ──

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it serves.

        Raises:
            RuntimeError: it ended, or does not serve in time; the end of its log is in the message.
        """
        self._furnish()
        with self._log_path.open("ab") as log:
            self._process = self._spawn(log)
        try:
            self._wait_until(self._serves, _START_LIMIT, "serve")
        except BaseException:
            self._process.kill()
            self._process.wait()
            self._process = None
            raise

    def stop(self) -> None:
        """Ask it to end as Ctrl-C does, and wait.

        Raises:
            AssertionError: it had to be killed: something in it keeps it from ending.
        """
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        try:
            process.wait(_STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"ComfyUI did not end:\n{self.log()[-2000:]}") from None

    def kill(self) -> None:
        """End it as a power cut does."""
        process, self._process = self._process, None
        assert process is not None
        process.kill()
        process.wait()

    def log(self) -> str:
        """All it has written since it was first started, without colours."""
        return _COLOUR.sub("", self._log_path.read_text(encoding="utf-8", errors="replace"))

    # ── HTTP ──

    def request(self, method: str, path: str, **options: Any) -> requests.Response:
        """Any request, with `requests`' options; errors are answers."""
        return self._session.request(method, self.url + path, **{"timeout": 30, **options})

    def get(self, path: str, **params: Any) -> Any:
        """The JSON at this path.

        Raises:
            Refused: the answer is an error.
        """
        return _parsed(self.request("GET", path, params=params))

    def post(self, path: str, json: Any = None) -> Any:
        """Post JSON; the answer's JSON, or None when it has no body.

        Raises:
            Refused: the answer is an error.
        """
        return _parsed(self.request("POST", path, json=json))

    def object_info(self) -> dict[str, Any]:
        """Every node class as the front end learns of it."""
        found: dict[str, Any] = self.get("/object_info")
        return found

    def listen(self) -> Listener:
        """What it tells the browser that queues our prompts, and all browsers, while the block runs."""
        return Listener(f"{self.url}/ws?clientId={CLIENT}")

    # ── prompts ──

    def queue(self, prompt: Prompt) -> str:
        """Queue a prompt; its id.

        Raises:
            Refused: ComfyUI finds a fault in it: `body["node_errors"]`.
        """
        queued = self.post("/prompt", {"prompt": prompt, "client_id": CLIENT, "prompt_id": str(uuid4())})
        return str(queued["prompt_id"])

    def wait(self, prompt_id: str, *, limit: float = 60) -> dict[str, Any]:
        """The history entry of a prompt, once it has ended, well or not.

        Raises:
            RuntimeError: it does not end within so many seconds.
        """

        def entry() -> dict[str, Any] | None:
            found: dict[str, Any] | None = self.get(f"/history/{prompt_id}").get(prompt_id)
            return found

        return self._wait_until(entry, limit, "end the prompt")

    def run(self, prompt: Prompt, *, limit: float = 60) -> dict[str, Any]:
        """Queue a prompt and wait for its history entry: "outputs", "status" with "status_str", "messages".

        Raises:
            Refused: ComfyUI finds a fault in it.
            RuntimeError: it does not end within so many seconds.
        """
        return self.wait(self.queue(prompt), limit=limit)

    def outputs(self, prompt: Prompt, *, limit: float = 60) -> dict[str, Any]:
        """Run a prompt that must succeed; what its output nodes show, by node id."""
        entry = self.run(prompt, limit=limit)
        assert entry["status"]["status_str"] == "success", entry["status"]["messages"]
        outputs: dict[str, Any] = entry["outputs"]
        return outputs

    def probe(self, prompt: Prompt, **links: Any) -> dict[str, str]:
        """Digests of what flows at some links, `model=["1", 0]`: model, clip, conditioning, latent, image.

        Equal digests mean bit-identical tensors, and for models the same patches. A `text` is told as it is.
        """
        outputs = self.outputs({**prompt, "probe": {"class_type": "CwTestProbe", "inputs": links}})
        told: dict[str, str] = json.loads(outputs["probe"]["probe"][0])
        return told

    def interrupt(self) -> None:
        """Interrupt the prompt that runs, as the button does."""
        self.post("/interrupt", {})

    # ── inside ──

    @property
    def _log_path(self) -> Path:
        return self.base / "comfyui.log"

    def _furnish(self) -> None:
        for name in ("models", "custom_nodes", "input", "output", "user", "home"):
            (self.base / name).mkdir(parents=True, exist_ok=True)
        for name, pack in self.packs.items():
            link = self.base / "custom_nodes" / name
            if not link.is_symlink():
                link.symlink_to(pack, target_is_directory=True)

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if not _OWN_VARIABLES.fullmatch(name)}
        home = str(self.base / "home")
        return subprocess.Popen(
            [
                *(str(self.installation.python), "main.py", "--cpu", "--disable-api-nodes"),
                *("--listen", "127.0.0.1", "--port", str(self.port)),
                *("--base-directory", str(self.base), "--database-url", "sqlite:///:memory:"),
                *self._arguments,
            ],
            cwd=self.installation.path,
            env={**kept, "HOME": home, "USERPROFILE": home, "PYTHONUNBUFFERED": "1", **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def _serves(self) -> bool:
        try:
            return self.request("GET", "/system_stats", timeout=5).ok
        except requests.ConnectionError:
            return False

    def _wait_until(self, look: Callable[[], Found | None], limit: float, aim: str) -> Found:
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if found := look():
                return found
            if self._process is None or self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"ComfyUI does not {aim}:\n{self.log()[-4000:]}")


def _parsed(response: requests.Response) -> Any:
    if not response.ok:
        raise Refused(response)
    return response.json() if response.content else None


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
