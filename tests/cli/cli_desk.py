"""A person's desk for tests: a ComfyUI, workflows, a data folder, and the command line."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli_shapes import check_document
from fakehub.server import FakeHub

from comfywatchman.cli.main import run
from comfywatchman.demo import models

LORA = models.lora("ink", trigger="ink wash")
OTHER_LORA = models.lora("fog", trigger="fog")
VAE = models.vae("lamp")

# Where a person's own tokens and homes would come in.
VARIABLES = (
    "CIVITAI_API_KEY", "CIVITAI_API_TOKEN", "CIVITAI_TOKEN", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN",
    "COMFYUI_PATH", "COMFYWATCHMAN_HOME", "HF_HOME", "XDG_DATA_HOME", "HTTP_PROXY", "HTTPS_PROXY",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ran:
    """One command line that ran."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The JSON document on stdout, which must be all of it and as promised."""
        document: dict[str, Any] = json.loads(self.out)
        check_document(document)
        return document

    @property
    def error(self) -> dict[str, str]:
        """The error of a document of error/1."""
        error: dict[str, str] = self.document["error"]
        return error


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of a workflow in the editor's form. `entry` is its `properties.models` entry."""

    type: str
    values: Sequence[Any]
    entry: Mapping[str, str] | None = None
    mode: int = 0


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a command line works on, in one folder."""

    folder: Path
    hub: FakeHub
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def comfyui(self) -> Path:
        return self.folder / "ComfyUI"

    @property
    def models(self) -> Path:
        return self.comfyui / "models"

    @property
    def home(self) -> Path:
        return self.folder / "data"

    def run(self, *arguments: str | Path, stdin: str = "", terminal: bool = False) -> Ran:
        """Run a command line in this process; at a `terminal` stdin is what a person types."""
        made = _Terminal if terminal else io.TextIOWrapper
        out, err = (made(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        before, sys.stdin = sys.stdin, made(io.BytesIO(stdin.encode()), encoding="utf-8")
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = run([str(argument) for argument in arguments])
        finally:
            sys.stdin = before
        return Ran(status, _text(out), _text(err))

    def json(self, *arguments: str | Path, stdin: str = "") -> Ran:
        """The same with --json; what it printed must be one document of a promised shape."""
        ran = self.run(*arguments, "--json", stdin=stdin)
        check_document(json.loads(ran.out))
        return ran

    def workflow(self, *nodes: Node, name: str = "flow.json") -> Path:
        """Save a workflow in the editor's form."""
        saved = [
            {
                "id": number,
                "type": node.type,
                "mode": node.mode,
                "inputs": [],
                "outputs": [],
                "widgets_values": list(node.values),
                "properties": {"models": [dict(node.entry)]} if node.entry else {},
            }
            for number, node in enumerate(nodes, 1)
        ]
        path = self.folder / name
        path.write_text(json.dumps({"nodes": saved, "links": [], "version": 0.4}), encoding="utf-8")
        return path

    def lora(self, name: str, *, mode: int = 0, **entry: str) -> Node:
        """A node that loads a LoRA; `entry` says url, hash, hash_type."""
        metadata = {"name": name.rpartition("/")[2], "directory": "loras", **entry} if entry else None
        return Node(type="LoraLoader", values=(name, 1.0, 1.0), entry=metadata, mode=mode)

    def vae(self, name: str, **entry: str) -> Node:
        metadata = {"name": name, "directory": "vae", **entry} if entry else None
        return Node(type="VAELoader", values=(name,), entry=metadata)

    def files(self) -> dict[str, bytes]:
        """Every file below the models folder with its bytes, but sidecars."""
        return {name: data for name, data in self._all().items() if not name.endswith(".civitai.info")}

    def sidecars(self) -> dict[str, Any]:
        """Every sidecar below the models folder, read."""
        return {n: json.loads(data) for n, data in self._all().items() if n.endswith(".civitai.info")}

    def _all(self) -> dict[str, bytes]:
        found = sorted(path for path in self.models.rglob("*") if path.is_file())
        return {path.relative_to(self.models).as_posix(): path.read_bytes() for path in found}


def make_desk(folder: Path, hub: FakeHub) -> Desk:
    """A ComfyUI with empty model folders, and a data folder."""
    desk = Desk(
        folder,
        hub,
        {
            **hub.environment,
            "COMFYWATCHMAN_HOME": str(folder / "data"),
            "HOME": str(folder / "person"),
            "COMFYUI_PATH": str(folder / "ComfyUI"),
            "NO_COLOR": "1",
        },
    )
    for name in ("loras", "vae", "checkpoints"):
        (desk.models / name).mkdir(parents=True)
    (desk.comfyui / "folder_paths.py").touch()
    return desk


def child_environment(desk: Desk) -> dict[str, str]:
    """The environment for a process of its own."""
    kept = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    root = Path(__file__).resolve().parents[2]
    return {**kept, **desk.environment, "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"}


def lines_with(text: str, *words: str) -> Iterator[str]:
    """The lines that hold all these words."""
    return (line for line in text.splitlines() if all(word in line for word in words))


class _Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def _text(stream: io.TextIOWrapper) -> str:
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode()
