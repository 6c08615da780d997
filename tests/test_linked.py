"""References that are links: what our own nodes would fetch is fetched before, and found by the nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fakehub.server import FakeHub
from house_kit import House, open_house, silent

from comfywatchman.demo import models
from comfywatchman.demo.shelf import Blob
from comfywatchman.hubs.choosing import MOST
from comfywatchman.library.roots import find_roots
from comfywatchman.library.scan import scan_roots
from comfywatchman.obtaining import Obtainer
from comfywatchman.plan import Plan
from comfywatchman.report import Pasted
from comfywatchman.resolution import Ambiguous, Found, Missing, Present, Resolution

INK, FOG, LAMP = models.lora("ink", trigger="ink wash"), models.lora("fog"), models.checkpoint("lamp")
SHA = Blob.of(INK).sha256


def prompt(*inputs: dict[str, Any], kind: str = "ComfyWatchmanLoRALoader") -> Pasted:
    """A prompt with a loader for each set of inputs."""
    return Pasted({str(at): {"class_type": kind, "inputs": given} for at, given in enumerate(inputs, 1)})


def resolve(house: House, pasted: Pasted) -> list[Resolution]:
    return house.watchman.resolve([pasted]).resolutions


def plan(house: House, pasted: Pasted) -> Plan:
    return house.watchman.plan(resolve(house, pasted))


def fetch(house: House, pasted: Pasted) -> list[str]:
    outcomes = house.watchman.fetch(plan(house, pasted).wanted, listener=silent)
    return [f"{outcome.transfer.folder}/{outcome.path} {outcome.state.value}" for outcome in outcomes]


def obtain(house: House, thing: str, *, folder: str = "loras", pinned: str = "") -> Path | None:
    """Where a node finds a thing, asking nobody."""
    obtainer = Obtainer(
        lambda: pytest.fail("the verbs are not needed"),
        roots=find_roots(models_dir=house.models),
        index=house.index,
    )
    obtained = obtainer.find(thing, folder=folder, pinned=pinned)
    return obtained.path if obtained else None


def stock(hub: FakeHub) -> tuple[list[str], str]:
    """Ink on CivitAI in ways to point at it, fog on Hugging Face."""
    model = hub.add_model("Ink", {"ink v3.safetensors": INK})
    version = model.versions[0].id
    hub.add_repo("owner/fog", {"style/fog.safetensors": FOG, "README.md": b"x"})
    page = f"https://civitai.com/models/{model.id}/ink?modelVersionId={version}"
    air = f"urn:air:sdxl:lora:civitai:{model.id}@{version}"
    return [str(model.id), f"v:{version}", page, air], "hf:owner/fog/style/fog.safetensors"


def test_fetched_before_the_node_runs(fakehub: FakeHub, tmp_path: Path) -> None:
    """A link in any form is missing, certain and of known size; once fetched, the node finds it unasked."""
    inks, fog = stock(fakehub)
    pasted = prompt(*({"source": thing} for thing in (*inks, fog)))
    with open_house(tmp_path, fakehub) as house:
        inspected = house.watchman.inspect([pasted]).resolutions
        assert [type(one) for one in inspected] == [Missing] * 5
        made = plan(house, pasted)
        told = [(t.folder, t.path, t.consent.value, t.evidence.word, t.source.size) for t in made.transfers]
        assert told == [
            ("loras", "ink v3.safetensors", "automatic", "url", len(INK)),
            ("loras", "fog.safetensors", "automatic", "url", len(FOG)),
        ]
        assert fetch(house, pasted) == ["loras/ink v3.safetensors verified", "loras/fog.safetensors verified"]
        asked = len(fakehub.requests)
        again = house.watchman.inspect([pasted]).resolutions
        assert [(type(one), one.evidence.word) for one in again if isinstance(one, Present)] == [
            (Present, "url")
        ] * 5
        assert {obtain(house, thing) for thing in inks} == {house.models / "loras/ink v3.safetensors"}
        assert obtain(house, fog) == house.models / "loras/fog.safetensors"
        assert len(fakehub.requests) == asked


def test_pinned_release(fakehub: FakeHub, tmp_path: Path) -> None:
    """A pin decides which release is fetched, for a link and for a name; a newer one does not matter."""
    inks, _ = stock(fakehub)
    version = inks[1].removeprefix("v:")
    pin = f"civitai:{inks[0]}@{version} sha256:{SHA} my ink.safetensors"
    pasted = prompt({"source": inks[0], "pinned": pin}, {"lora_name": "my ink.safetensors", "pinned": pin})
    with open_house(tmp_path, fakehub) as house:
        found = resolve(house, pasted)
        assert [(type(one), one.evidence.word) for one in found if isinstance(one, Found)] == [
            (Found, "digest")
        ] * 2
        fetch(house, pasted)
        for thing in (inks[0], "my ink.safetensors"):
            assert obtain(house, thing, pinned=pin) is not None


def test_content_that_is_here(fakehub: FakeHub, tmp_path: Path) -> None:
    """A file that lies here under another name, and was hashed, is not fetched again."""
    inks, _ = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        (house.models / "loras/mine.safetensors").write_bytes(INK)
        (file,) = scan_roots(find_roots(models_dir=house.models)).files
        house.index.hashed(file)
        (resolution,) = resolve(house, prompt({"source": inks[1]}))
        assert isinstance(resolution, Present)
        assert resolution.file.path == "mine.safetensors"


def test_release_that_is_gone(fakehub: FakeHub, tmp_path: Path) -> None:
    """A link that leads nowhere is missing: no other file that has the name is taken for it."""
    fakehub.add_repo("Comfy-Org/ink", {"ink.safetensors": INK})
    with open_house(tmp_path, fakehub) as house:
        (house.models / "loras/ink.safetensors").write_bytes(FOG)
        pasted = prompt({"source": "hf:owner/gone/ink.safetensors"}, {"source": "v:999"})
        assert [type(one) for one in resolve(house, pasted)] == [Missing, Missing]
        assert {seen.route for seen in fakehub.requests} == {"huggingface.info", "civitai.version"}


def test_named_twin(fakehub: FakeHub, tmp_path: Path) -> None:
    """The negative control: the same name without a link is found by it."""
    fakehub.add_repo("Comfy-Org/ink", {"ink.safetensors": INK})
    with open_house(tmp_path, fakehub) as house:
        (resolution,) = resolve(house, prompt({"lora_name": "ink.safetensors"}))
        assert isinstance(resolution, Found)


def test_offline(fakehub: FakeHub, tmp_path: Path) -> None:
    """Nobody to be asked: nothing is made up of an address for people."""
    with open_house(tmp_path, fakehub, offline=True) as house:
        assert [type(one) for one in resolve(house, prompt({"source": "7"}, {"source": "v:70"}))] == [
            Missing
        ] * 2


def test_repository_of_several(fakehub: FakeHub, tmp_path: Path) -> None:
    """A repository is no file where it holds several: a person chooses among them, and of one it is that."""
    fakehub.add_repo("owner/two", {"a.safetensors": INK, "b.safetensors": FOG})
    fakehub.add_repo("owner/one", {"a.safetensors": INK, "README.md": b"x"})
    with open_house(tmp_path, fakehub) as house:
        several, one = resolve(house, prompt({"source": "hf:owner/two"}, {"source": "hf:owner/one"}))
        assert isinstance(several, Ambiguous)
        assert sorted(c.file.name for c in several.candidates) == ["a.safetensors", "b.safetensors"]
        assert isinstance(one, Found)


def test_repository_of_many(fakehub: FakeHub, tmp_path: Path) -> None:
    """Of a repository of hundreds no more is asked for than a person can choose from."""
    fakehub.add_repo("owner/many", {f"{at}.safetensors": INK for at in range(300)})
    with open_house(tmp_path, fakehub) as house:
        (several,) = resolve(house, prompt({"source": "hf:owner/many"}))
        assert isinstance(several, Ambiguous)
        assert len(several.candidates) <= MOST
    (asked,) = fakehub.log.of("huggingface.paths")
    assert asked.request.body.count(b".safetensors") == MOST


def test_wrong_kind(fakehub: FakeHub, tmp_path: Path) -> None:
    """A LoRA in a checkpoint loader is not fetched, as the node would not load it."""
    inks, _ = stock(fakehub)
    with open_house(tmp_path, fakehub) as house:
        made = plan(house, prompt({"source": inks[1]}, kind="ComfyWatchmanCheckpointLoader"))
        assert [(one.state, one.reason) for one in made.unresolved] == [
            ("refused", "it belongs to loras, and its node loads checkpoints")
        ]


def test_stack(fakehub: FakeHub, tmp_path: Path) -> None:
    """Rows that are on are fetched, those that are off are not."""
    inks, fog = stock(fakehub)
    pasted = prompt({"loras": f"{inks[1]} | 0.5\noff | {fog}"}, kind="ComfyWatchmanLoRAStack")
    with open_house(tmp_path, fakehub) as house:
        assert fetch(house, pasted) == ["loras/ink v3.safetensors verified"]
