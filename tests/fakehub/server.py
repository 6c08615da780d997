"""The test server: the stand-in hub with every habit and fault of the real ones at hand.

    hub.add_repo("Comfy-Org/x", {"vae/ae.safetensors": DATA})
    hub.add_model("Ink Wash", {"ink.safetensors": DATA}, type="LORA")
    hub.bend("delivery.bytes", faults.cut(1000), times=1)
    …
    assert hub.log.counts()["civitai.by-hash-ids"] == 1

As a process of its own, with `tests` on the path: `python -m fakehub.server --port 0` prints one line of
JSON with its addresses, and at SIGTERM another with the requests it has seen.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any, Literal

from blake3 import blake3

from comfywatchman.demo.civitai import Civitai
from comfywatchman.demo.civitai_json import Link
from comfywatchman.demo.shelf import (
    Account,
    Blob,
    Commit,
    ServedFile,
    ServedModel,
    ServedRepo,
    ServedVersion,
    Shelf,
    repo_of,
)
from comfywatchman.demo.standin import StandIn
from comfywatchman.demo.wire import Answer, Request, json_answer

from .faults import Fault
from .generations import Generation, as_of


@dataclass(slots=True)
class Habits:
    """How CivitAI behaves this year; a test sets what it is about.

    `head` is what HEAD on a download gets; `batch_host` stands in the addresses of the batch look-up.
    """

    fields: Generation = 2026
    download_url: Literal["file-id", "query"] = "file-id"
    head: Literal[401, 307, 405] = 401
    batch_host: Literal["undefined", "request"] = "undefined"


@dataclass(slots=True)
class _Bend:
    route: str
    fault: Fault
    times: int | None
    after: int


class FakeHub(StandIn):
    """A stand-in whose habits can be set and whose answers can be bent."""

    def __init__(self, shelf: Shelf | None = None, *, port: int = 0) -> None:
        self.habits = Habits()
        self._bends: list[_Bend] = []
        self._lock = threading.Lock()
        self._ids = count(1001)
        super().__init__(shelf, around=self._bent, port=port)

    def make_civitai(self) -> Civitai:
        return _HabitualCivitai(self.shelf, self.delivery.sign_storage, self.habits)

    # ── stocking ──

    def add_model(
        self, name: str, files: Mapping[str, bytes], *, version: Mapping[str, Any] | None = None, **model: Any
    ) -> ServedModel:
        """A CivitAI model with one version that holds these files; ids are given in order."""
        served = tuple(ServedFile(id=next(self._ids), name=key, blob=blob_of(files[key])) for key in files)
        one = ServedVersion(**{"id": next(self._ids), "files": served, **(version or {})})
        made = ServedModel(
            **{"id": next(self._ids), "name": name, "type": "LORA", "versions": (one,), **model}
        )
        self.shelf.models.append(made)
        return made

    def add_repo(self, repo_id: str, files: Mapping[str, bytes], **repo: Any) -> ServedRepo:
        """A Hugging Face repository with one commit on main."""
        made = replace(repo_of(repo_id, files), **repo)
        self.shelf.repos.append(made)
        return made

    def add_commit(self, repo: ServedRepo, files: Mapping[str, bytes]) -> ServedRepo:
        """A newer commit on main; what main was stays under its commit id."""
        newest = repo_of(repo.id, files).commits[0]
        older = tuple(Commit(sha=one.sha, files=one.files, refs=()) for one in repo.commits)
        made = replace(repo, commits=(newest, *older))
        self.shelf.repos[self.shelf.repos.index(repo)] = made
        return made

    def add_account(self, name: str, *granted: int | str) -> Account:
        """Somebody with a token, and what they may have."""
        made = Account(name=name, token=f"token-of-{name}", granted=frozenset(granted))
        self.shelf.accounts.append(made)
        return made

    # ── bending ──

    def bend(self, route: str, fault: Fault, *, times: int | None = None, after: int = 0) -> None:
        """Bend the answers of routes whose names begin so: `times` often (None: always), sparing `after`."""
        with self._lock:
            self._bends.append(_Bend(route, fault, times, after))

    def straighten(self) -> None:
        """Behave again."""
        with self._lock:
            self._bends.clear()

    def _bent(self, route: str, request: Request, handle: Callable[[], Answer]) -> Answer:
        fault = self._fault(route)
        habitual = partial(self._habitual, route, request, handle)
        return habitual() if fault is None else fault(request, habitual)

    def _fault(self, route: str) -> Fault | None:
        with self._lock:
            for bend in self._bends:
                if not route.startswith(bend.route) or bend.times == 0:
                    continue
                if bend.after:
                    bend.after -= 1
                    continue
                bend.times = None if bend.times is None else bend.times - 1
                return bend.fault
        return None

    def _habitual(self, route: str, request: Request, handle: Callable[[], Answer]) -> Answer:
        if route == "civitai.download" and request.method == "HEAD" and self.habits.head != 307:
            text = "Unauthorized" if self.habits.head == 401 else "Method not allowed"
            return json_answer({"error": text}, self.habits.head)
        answer = handle()
        if self.habits.fields == 2026 or not route.startswith("civitai.") or not answer.body:
            return answer
        if "json" not in answer.headers.get("Content-Type", ""):
            return answer
        page = route in ("civitai.version", "civitai.by-hash", "civitai.by-hashes")
        told = as_of(self.habits.fields, json.loads(answer.body), page=page)
        return replace(answer, body=json.dumps(told).encode())


class _HabitualCivitai(Civitai):
    """CivitAI with the addresses of the year."""

    def __init__(self, shelf: Shelf, sign: Callable[[Blob, str], str], habits: Habits) -> None:
        super().__init__(shelf, sign)
        self.habits = habits

    def link(self, host: str) -> Link:
        if self.habits.download_url == "file-id":
            return super().link(host)
        return _QueryLink(host)

    def by_hashes(self, request: Request) -> Answer:
        answer = super().by_hashes(request)
        if self.habits.batch_host == "undefined":
            return answer
        return replace(
            answer, body=answer.body.replace(b"http://undefined/", f"http://{request.host}/".encode())
        )


class _QueryLink(Link):
    """Downloads by their metadata."""

    def __call__(self, version: ServedVersion, file: ServedFile) -> str:
        return f"http://{self.host}/api/download/models/{version.id}{_query(version, file)}"


def _query(version: ServedVersion, file: ServedFile) -> str:
    """Until August 2026: nothing for the primary file, its metadata for the others."""
    if file is version.files[0]:
        return ""
    told = {"type": file.type, "format": file.format, "size": file.size, "fp": file.fp}
    return "?" + "&".join(f"{key}={value}" for key, value in told.items() if value is not None)


def blob_of(data: bytes) -> Blob:
    """A blob with BLAKE3 among its hashes, as CivitAI's scanner gives them."""
    blob = Blob.of(data)
    return replace(blob, hashes={**blob.hashes, "BLAKE3": blake3(data).hexdigest().upper()})


def _main() -> None:
    parser = argparse.ArgumentParser(description="Run the fake hub until SIGTERM.")
    parser.add_argument("--port", type=int, default=0, help="CivitAI's port; the others follow it. 0: any")
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with FakeHub(port=arguments.port) as hub:
        hub.add_model("Ink Wash", {"ink_wash.safetensors": b"ink" * 1000})
        hub.add_repo("Comfy-Org/lighthouse", {"vae/lamp.safetensors": b"lamp" * 1000})
        _say({"civitai": hub.civitai_endpoint, "huggingface": hub.huggingface_endpoint})
        while not ended.wait(0.2):
            pass
        _say({"requests": hub.log.counts()})


def _say(value: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _main()
