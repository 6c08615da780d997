"""Asking the workflow, the known table and the hubs about what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from comfywatchman.air import HubLink
from comfywatchman.catalog import Model, RemoteFile
from comfywatchman.digest import Digest
from comfywatchman.errors import Gated, HubUnavailable, NotFound
from comfywatchman.hubs.base import Answer, SearchQuery
from comfywatchman.inquiry import inquire
from comfywatchman.resolution import Candidate, Evidence
from comfywatchman.workflow.references import Reference

DIGEST = Digest("sha256", "a" * 64)
WANTED = Reference(node_id="1", node_type="VAELoader", input_name="vae_name", folder="vae", name="ae.sft")


@dataclass
class Shelf:
    """A hub with a few files in memory: by URL, digest and name; counts what it was asked."""

    name: str = "civitai"
    files: tuple[RemoteFile, ...] = ()
    down: bool = False
    asked: list[list[str]] = field(default_factory=list)

    @property
    def has_token(self) -> bool:
        return False

    def find(self, references: Sequence[Reference]) -> list[Answer]:
        self.asked.append([r.url or r.name for r in references])
        return [self._answer(r) for r in references]

    def _answer(self, reference: Reference) -> Answer:
        if self.down:
            return HubUnavailable(f"{self.name} is down", hub=self.name)
        if reference.url and self.owns(reference.url):
            opened = [f for f in self.files if f.url == reference.url]
            if "locked" in reference.url:
                return Gated(f"{reference.url} is locked", hub=self.name)
            return tuple(Candidate(f, Evidence.URL) for f in opened)
        by_digest = [f for f in self.files if reference.digest and reference.digest in f.digests]
        if by_digest:
            return (Candidate(by_digest[0], Evidence.DIGEST),)
        return tuple(Candidate(f, Evidence.NAME) for f in self.files if f.name == reference.name)

    def owns(self, url: str) -> bool:
        return url.startswith(f"https://{self.name}/")

    def open(self, link: HubLink) -> tuple[RemoteFile, ...]:
        raise NotFound(str(link), hub=self.name)

    def identify(self, digest: Digest) -> tuple[RemoteFile, ...]:
        return tuple(f for f in self.files if digest in f.digests)

    def search(self, query: SearchQuery) -> tuple[Model, ...]:
        return ()

    def authorize(self, url: str) -> Mapping[str, str]:
        return {}

    def record(self, file: RemoteFile) -> None:
        raise NotImplementedError

    def whoami(self) -> str:
        return "nobody"


@dataclass
class Table:
    """A known-models table."""

    entries: Mapping[str, tuple[RemoteFile, ...]] = field(default_factory=dict)

    def find(self, references: Sequence[Reference]) -> list[tuple[Candidate, ...]]:
        return [tuple(Candidate(f, Evidence.KNOWN) for f in self.entries.get(r.name, ())) for r in references]


def on(hub: str, path: str, **facts: object) -> RemoteFile:
    made = RemoteFile(hub=hub, name="ae.sft", url=f"https://{hub}/{path}")
    return replace(made, **facts)  # type: ignore[arg-type]


def test_address_in_the_workflow_ends_the_search() -> None:
    """An address that opens is certain: no other place is asked."""
    file = on("civitai", "1", digests=(DIGEST,))
    hub, other = Shelf(files=(file,)), Shelf("huggingface", files=(on("huggingface", "2"),))
    (case,) = inquire([replace(WANTED, url=file.url)], known=Table(), hubs=[hub, other])
    assert case.candidates == [Candidate(file, Evidence.URL)]
    assert other.asked == []
    assert case.searched == ["workflow"]


@pytest.mark.parametrize(("path", "faults"), [("gone", []), ("locked", [Gated, Gated])])
def test_dead_address_falls_through_to_the_other_places(path: str, faults: list[type]) -> None:
    """A hub that answers and does not give the workflow's address leaves the search open."""
    found = on("huggingface", "2", digests=(DIGEST,))
    hubs = [Shelf(), Shelf("huggingface", files=(found,))]
    (case,) = inquire([replace(WANTED, url=f"https://civitai/{path}")], known=Table(), hubs=hubs)
    assert [c.file for c in case.candidates] == [found]
    assert [type(f) for f in case.faults] == faults
    assert case.searched == ["workflow", "known", "civitai", "huggingface"]


def test_hub_that_is_down_was_not_searched() -> None:
    """What a hub could not answer is not told as searched there."""
    (case,) = inquire([WANTED], known=Table(), hubs=[Shelf(down=True), Shelf("huggingface")])
    assert case.searched == ["workflow", "known", "huggingface"]


@pytest.mark.parametrize("hubs", [[], [Shelf(down=True)]])
def test_address_still_counts_when_nobody_answers(hubs: list[Shelf]) -> None:
    """Offline, or with its hub down, the workflow's address is what there is: no size, no digest."""
    (case,) = inquire([replace(WANTED, url="https://civitai/1")], known=Table(), hubs=hubs)
    assert [(c.file.url, c.file.size, c.evidence) for c in case.candidates] == [
        ("https://civitai/1", None, Evidence.URL)
    ]


def test_address_elsewhere_is_a_web_file() -> None:
    """An address on no hub is taken as it is, for a question of its own later."""
    (case,) = inquire([replace(WANTED, url="https://example.org/d/ae.sft")], known=Table(), hubs=[Shelf()])
    assert [c.file.hub for c in case.candidates] == ["web"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:x", ""])
def test_address_of_another_scheme_is_no_candidate(url: str) -> None:
    """Only http and https addresses are candidates at all."""
    (case,) = inquire([replace(WANTED, url=url)], known=Table(), hubs=[])
    assert case.candidates == []


def test_known_model_gets_size_and_digest_from_its_hub() -> None:
    """The table says where; the hub adds the facts; the evidence stays the table's."""
    opened = on("civitai", "1", size=5, digests=(DIGEST,))
    hub = Shelf(files=(opened,))
    (case,) = inquire([WANTED], known=Table({"ae.sft": (on("civitai", "1"),)}), hubs=[hub])
    assert case.candidates == [Candidate(opened, Evidence.KNOWN)]
    assert hub.asked == [["https://civitai/1"]]


def test_known_model_that_moved_falls_to_its_mirror() -> None:
    """An entry that its hub no longer has gives way to the next entry of that name."""
    mirror = on("civitai", "new", size=5)
    table = Table({"ae.sft": (on("civitai", "old"), on("civitai", "new"))})
    (case,) = inquire([WANTED], known=table, hubs=[Shelf(files=(mirror,))])
    assert case.candidates == [Candidate(mirror, Evidence.KNOWN)]


def test_known_model_counts_while_its_hub_is_down() -> None:
    """A hub that does not answer proves nothing against the table."""
    bare = on("civitai", "1")
    (case,) = inquire([WANTED], known=Table({"ae.sft": (bare,)}), hubs=[Shelf(down=True)])
    assert case.candidates == [Candidate(bare, Evidence.KNOWN)]
    assert isinstance(case.faults[0], HubUnavailable)


def test_hub_that_is_down_loses_nothing_of_the_others() -> None:
    """The next hub is asked all the same."""
    found = on("huggingface", "2")
    hubs = [Shelf(down=True), Shelf("huggingface", files=(found,))]
    (case,) = inquire([WANTED], known=Table(), hubs=hubs)
    assert case.candidates == [Candidate(found, Evidence.NAME)]
    assert [f.hub for f in case.faults] == ["civitai"]


def test_each_place_is_asked_once_for_all() -> None:
    """Fifty missing models cost one call a hub, and only the open ones go on to the next."""
    certain = on("civitai", "1", digests=(DIGEST,))
    hubs = [Shelf(files=(certain,)), Shelf("huggingface")]
    references = [replace(WANTED, node_id=str(n), name=f"{n}.sft") for n in range(50)]
    references[7] = replace(references[7], digest=DIGEST)
    cases = inquire(references, known=Table(), hubs=hubs)
    assert [len(calls) for calls in hubs[0].asked] == [50]
    assert [len(calls) for calls in hubs[1].asked] == [49]
    assert cases[7].candidates == [Candidate(certain, Evidence.DIGEST)]


def test_name_alone_asks_the_next_hub_too() -> None:
    """A name is no certainty, so that a second hub with that name makes it a choice."""
    pair = on("civitai", "1"), on("huggingface", "2")
    hubs = [Shelf(files=pair[:1]), Shelf("huggingface", files=pair[1:])]
    (case,) = inquire([WANTED], known=Table(), hubs=hubs)
    assert [c.file for c in case.candidates] == list(pair)
