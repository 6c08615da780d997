"""A file that changes on the server whenever it likes: what is published is one version, never a splice."""

from __future__ import annotations

import logging
import random
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transfer.faults import Exchange, FaultServer, cut_at, good, no_ranges, tagless_ranges
from transfer.models import LANES, NAME, QUICK, guard_for, no_token, safetensors, sha256, transfer

from comfywatchman.errors import DigestMismatch, HubError, TransferError
from comfywatchman.transfer.events import State
from comfywatchman.transfer.queue import run

_LOG = logging.getLogger(__name__)  # figures: pytest --log-cli-level=INFO

VERSIONS = [safetensors(size, seed) for size, seed in ((90_000, 1), (90_000, 2), (90_000, 3), (70_000, 4))]
DATES = [f"Wed, 21 Oct 2015 07:28:0{n} GMT" for n in range(4)]


class Fickle:
    """Serves one version, then another, cutting some answers short; what it tells of them varies.

    `tags`: strong and honest · weak and honest · weak and always the same · none. A strong tag that is used
    again for other bytes breaks HTTP; only a published digest can tell then, so it comes with one.
    """

    def __init__(self, rng: random.Random, *, known: bool) -> None:
        kinds = [
            "strong",
            "strong",
            "strong",
            "weak",
            "weak again",
            "none",
            *(["strong again"] if known else []),
        ]
        self.tags = rng.choice(kinds)
        self.dated = rng.random() < 0.5
        self.rng, self.changes = rng, rng.choice((0.0, 0.2, 0.5))
        self.version = 0

    def __call__(self, x: Exchange) -> None:
        if self.rng.random() < self.changes:
            self.version = self.rng.randrange(4)
        n = self.version
        x.resource.data = VERSIONS[n]
        x.resource.etag = {
            "strong": f'"{n}"',
            "weak": f'W/"{n}"',
            "weak again": 'W/"1"',
            "strong again": '"1"',
            "none": None,
        }[self.tags]
        x.resource.modified = DATES[n] if self.dated else None
        cut = cut_at(self.rng.randrange(90_000))
        self.rng.choice((good, good, cut, cut, no_ranges))(x)


def _fetch_often(seed: int, server: FaultServer, root: Path) -> tuple[str, int]:
    """Fetch again and again while the file changes; how it ended and how often it was resumed."""
    rng = random.Random(seed)
    known = rng.random() < 0.5
    wanted = rng.randrange(4)
    published: dict[str, Any] = {"digests": (sha256(VERSIONS[wanted]),) if known else ()}
    published["size"] = len(VERSIONS[wanted]) if known or rng.random() < 0.3 else None
    fickle = Fickle(rng, known=known)
    url = server.put("/m", VERSIONS[0], fickle)
    server.seen.clear()
    limits = replace(QUICK, retries=1, backoff=0.0, **(LANES if rng.random() < 0.5 else {}))
    ended = "never"
    for _ in range(6):
        (outcome,) = run(
            [transfer(root, url, VERSIONS[wanted], **published)],
            authorize=no_token,
            limits=limits,
            guard=guard_for(server.origin),
        )
        final = root / NAME
        if outcome.state in (State.VERIFIED, State.SKIPPED):
            assert final.read_bytes() in ([VERSIONS[wanted]] if known else VERSIONS), f"a splice: seed {seed}"
            ended = "verified"
            break
        assert isinstance(outcome.error, TransferError | HubError)
        assert not final.exists()
        for aside in root.glob("*.mismatch-*"):
            assert isinstance(outcome.error, DigestMismatch)
            assert sha256(aside.read_bytes()) != sha256(VERSIONS[wanted])
            aside.unlink()
    return ended, sum("if-range" in seen.headers for seen in server.seen)


@pytest.mark.parametrize(
    "seeds",
    [
        pytest.param(range(30), id="quick"),
        pytest.param(range(100, 300), id="full", marks=pytest.mark.full),
    ],
)
def test_changing_file(tmp_path: Path, seeds: range) -> None:
    """Random versions, tags, dates, cuts and ranges: what ends up under the name was once one whole file."""
    ends: list[str] = []
    resumed = 0
    with FaultServer() as server:
        for seed in seeds:
            ended, asked = _fetch_often(seed, server, tmp_path / "models")
            ends.append(ended)
            resumed += asked > 0
            shutil.rmtree(tmp_path / "models")
    _LOG.info("%s runs: %s verified, %s sent If-Range", len(ends), ends.count("verified"), resumed)
    assert ends.count("verified") >= len(seeds) // 2
    assert resumed >= len(seeds) // 5


@pytest.mark.parametrize("known", [False, True])
def test_ranges_without_a_tag(tmp_path: Path, known: bool) -> None:
    """A tag that a server gave with the beginning and leaves out with the rest says nothing of the rest."""
    old, new = VERSIONS[0], VERSIONS[1]
    digests = (sha256(new),) if known else ()
    with FaultServer() as server:
        for data, behave, tag in ((old, cut_at(50_000), '"1"'), (new, tagless_ranges, '"2"')):
            url = server.put("/m", data, behave, etag=tag)
            (outcome,) = run(
                [transfer(tmp_path, url, data, digests=digests)],
                authorize=no_token,
                limits=replace(QUICK, retries=int(data is new)),
                guard=guard_for(server.origin),
            )
        assert server.resources["/m"].count == 2  # the rest, then all of it
    assert outcome.state is State.VERIFIED, outcome.error
    assert (tmp_path / NAME).read_bytes() == new


def test_splices_are_seen(tmp_path: Path) -> None:
    """Negative control: a server that lies with a strong tag, and no digest published, gets a splice in."""
    old, new = VERSIONS[0], VERSIONS[1]
    with FaultServer() as server:
        url = server.put("/m", old, cut_at(50_000))
        for data, behave in ((old, cut_at(50_000)), (new, good)):
            server.put("/m", data, behave)
            run(
                [transfer(tmp_path, url, old, digests=())],
                authorize=no_token,
                limits=replace(QUICK, retries=0),
                guard=guard_for(server.origin),
            )
    assert (tmp_path / NAME).read_bytes() not in VERSIONS
