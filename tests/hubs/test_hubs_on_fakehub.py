"""Both hubs against the test server that speaks as the real ones do, with its habits and faults."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Literal

import pytest
from fakehub import faults
from fakehub.server import FakeHub
from hubs.contract import reference

from comfywatchman.air import CivitaiLink, HuggingFaceLink
from comfywatchman.catalog import Access
from comfywatchman.digest import Digest
from comfywatchman.errors import HubUnavailable, LoginRequired, NotFound
from comfywatchman.hubs.base import Hub, SearchQuery
from comfywatchman.hubs.civitai import Civitai
from comfywatchman.hubs.huggingface import HuggingFace
from comfywatchman.hubs.huggingface.api import Ways
from comfywatchman.hubs.patience import Patience
from comfywatchman.hubs.session import Session
from comfywatchman.resolution import Evidence

ROOT = Path(__file__).resolve().parents[2]
QUIET = Patience(sleep=lambda _seconds: None)
DATA = b"ink" * 1000


@pytest.fixture
def session() -> Iterator[Session]:
    with Session(patience=QUIET) as session:
        yield session


def civitai(fakehub: FakeHub, session: Session, token: str | None = None) -> Civitai:
    return Civitai(session, endpoint=fakehub.civitai_endpoint, token=lambda: token)


def huggingface(fakehub: FakeHub, token: str | None = None) -> HuggingFace:
    return HuggingFace(
        endpoint=fakehub.huggingface_endpoint,
        token=lambda: token,
        authors=("Comfy-Org",),
        ways=Ways(patience=QUIET),
    )


@pytest.mark.parametrize("fields", [2023, 2025, 2026])
def test_civitai(fakehub: FakeHub, session: Session, fields: Literal[2023, 2025, 2026]) -> None:
    """By id, link, digest and name, the same file is found in every generation of the site's fields."""
    fakehub.habits.fields = fields
    made = fakehub.add_model("Ink Wash", {"ink_wash.safetensors": DATA})
    hub, version = civitai(fakehub, session), made.versions[0]
    (opened,) = hub.open(CivitaiLink(version_id=version.id))
    answers = hub.find([
        reference("a.safetensors", url=f"https://civitai.com/models/{made.id}?modelVersionId={version.id}"),
        reference("b.safetensors", digest=Digest.sha256(sha256(DATA).hexdigest())),
        reference("Ink_Wash.safetensors"),
        reference("nothing.safetensors"),
    ])  # fmt: skip

    assert opened.size == len(DATA)
    found = [answer[0] for answer in answers if isinstance(answer, tuple) and answer]
    assert [c.evidence for c in found] == [Evidence.URL, Evidence.DIGEST, Evidence.NAME]
    assert {c.file.url for c in found} == {opened.url}
    assert [m.name for m in hub.search(SearchQuery(text="ink"))] == ["Ink Wash"]


def test_fifty_digests(fakehub: FakeHub, session: Session) -> None:
    """Fifty missing models known to CivitAI by digest cost at most five requests, mature ones included."""
    contents = [f"model {n}".encode() * 100 for n in range(50)]
    for n, data in enumerate(contents):
        fakehub.add_model(f"Work {n}", {f"w{n}.safetensors": data}, nsfw_level=16 if n % 5 == 0 else 1)
    wanted = [reference("x.pt", digest=Digest.sha256(sha256(data).hexdigest())) for data in contents]

    answers = civitai(fakehub, session).find(wanted)

    assert all(isinstance(a, tuple) and a and a[0].evidence is Evidence.DIGEST for a in answers)
    assert len(fakehub.log.of("civitai.")) <= 5


def test_huggingface(fakehub: FakeHub) -> None:
    """By link and name the same file is found, pinned to its commit."""
    made = fakehub.add_repo("Comfy-Org/lighthouse", {"split_files/vae/lamp.safetensors": DATA})
    hub = huggingface(fakehub)
    (opened,) = hub.open(HuggingFaceLink(repo=made.id, path="split_files/vae/lamp.safetensors"))
    url = f"https://huggingface.co/{made.id}/blob/main/split_files/vae/lamp.safetensors"
    answers = hub.find([reference("a.pt", "vae", url=url), reference("lamp.safetensors", "vae")])

    assert opened.digests == (Digest.sha256(sha256(DATA).hexdigest()),)
    assert opened.revision == made.commits[0].sha
    found = [answer[0] for answer in answers if isinstance(answer, tuple) and answer]
    assert [c.evidence for c in found] == [Evidence.URL, Evidence.NAME]
    assert {c.file.url for c in found} == {opened.url}


def test_gated(fakehub: FakeHub) -> None:
    """A gated repository is shown with what it asks for; a private one is not there without a token."""
    fakehub.add_repo("Comfy-Org/gated", {"g.safetensors": DATA}, gated="auto")
    fakehub.add_repo("Comfy-Org/private", {"p.safetensors": DATA}, private=True)
    hub = huggingface(fakehub)

    assert hub.open(HuggingFaceLink(repo="Comfy-Org/gated", path="g.safetensors"))[0].access is Access.GATED
    with pytest.raises(NotFound):
        hub.open(HuggingFaceLink(repo="Comfy-Org/private", path="p.safetensors"))


def test_accounts(fakehub: FakeHub, session: Session) -> None:
    """A good token has a name on both hubs, a wrong one has none."""
    token = fakehub.add_account("ada").token
    for good in (civitai(fakehub, session, token), huggingface(fakehub, token)):
        assert good.whoami() == "ada"
    for bad in (civitai(fakehub, session, "wrong"), huggingface(fakehub, "wrong")):
        with pytest.raises(LoginRequired):
            bad.whoami()


CONTROL = """
from huggingface_hub.utils import build_hf_headers
build_hf_headers(token=False)
"""
ASK = """
import sys
from comfywatchman.air import HuggingFaceLink
from comfywatchman.hubs.huggingface import HuggingFace
hub = HuggingFace(endpoint=sys.argv[1], token=lambda: None)
hub.open(HuggingFaceLink(repo="Comfy-Org/inks", path="ink.safetensors"))
"""


@pytest.mark.parametrize(
    ("code", "asked"), [(ASK, {"models"}), (ASK + CONTROL, {"models", "agent-harnesses"})]
)
def test_no_telemetry(fakehub: FakeHub, tmp_path: Path, code: str, asked: set[str]) -> None:
    """Only what was wanted is asked; huggingface_hub's own headers would ask the hub about agents."""
    fakehub.add_repo("Comfy-Org/inks", {"ink.safetensors": DATA})
    endpoint = fakehub.huggingface_endpoint
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code, endpoint], check=True, env=environment, cwd=ROOT)
    assert {seen.request.path.split("/")[2] for seen in fakehub.log.seen} == asked


def test_locked_link_is_the_answer(fakehub: FakeHub) -> None:
    """A link that wants another token ends the look-up: a like name elsewhere is not offered instead."""
    fakehub.add_repo("Comfy-Org/inks", {"ink.safetensors": DATA})
    fakehub.bend("huggingface.info", faults.status(401), times=1)
    link = f"{fakehub.huggingface_endpoint}/Comfy-Org/inks/resolve/main/ink.safetensors"
    (answer,) = huggingface(fakehub, "wrong").find([reference("ink.safetensors", url=link)])
    assert isinstance(answer, LoginRequired)


def test_passing_overload(fakehub: FakeHub, session: Session) -> None:
    """An overloaded search is asked again; its guard and a closed connection are told."""
    fakehub.add_model("Ink Wash", {"ink_wash.safetensors": DATA})
    fakehub.bend("civitai.", faults.overloaded(), times=2)
    assert civitai(fakehub, session).find([reference("ink_wash.safetensors")])[0]

    fakehub.bend("civitai.", faults.cloudflare(403))
    fakehub.bend("huggingface.", faults.dropped())
    hubs: list[Hub] = [civitai(fakehub, session), huggingface(fakehub)]
    for hub in hubs:
        assert isinstance(hub.find([reference("ink_wash.safetensors")])[0], HubUnavailable)


def test_nulls_in_batches(fakehub: FakeHub, session: Session) -> None:
    """Nulls in a batch answer are passed over."""
    fakehub.add_model("Ink Wash", {"ink_wash.safetensors": DATA})
    fakehub.bend("civitai.by-hash", faults.with_null())
    (answer,) = civitai(fakehub, session).find(
        [reference("x.pt", digest=Digest.sha256(sha256(DATA).hexdigest()))]
    )
    assert isinstance(answer, tuple)
    assert answer[0].evidence is Evidence.DIGEST
