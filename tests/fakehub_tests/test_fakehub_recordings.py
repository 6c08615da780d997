"""The fake is true: what it serves has the keys and types of what was recorded from the real hubs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from fakehub.server import FakeHub

from comfywatchman.demo.shelf import PaidAccess, ServedImage

# Open maps, and what a version says only at times.
OPEN = {"hashes", "meta", "metadata", "cardData", "config"}
IMAGE = ServedImage(id=1, url="https://image.civitai.com/x/original=true/1.jpeg", meta={"seed": 1})
Shape = dict[str, set[str]]


def shape(value: Any, path: str = "$") -> Shape:
    """Every path in a JSON value with the types found there; list members share a path."""
    kinds: Shape = {path: {_kind(value)}}
    inner = value.items() if isinstance(value, dict) else ()
    for key, member in inner:
        if key in OPEN:
            kinds[f"{path}.{key}"] = {_kind(member)}
        else:
            _merge(kinds, shape(member, f"{path}.{key}"))
    for member in value if isinstance(value, list) else ():
        _merge(kinds, shape(member, f"{path}[]"))
    return kinds


def _kind(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return type(value).__name__


def _merge(kinds: Shape, more: Shape) -> None:
    for path, found in more.items():
        kinds.setdefault(path, set()).update(found)


def differences(served: Any, recorded: Any, *, rare: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
    """Paths that only one side has, and paths whose types do not agree; null agrees with everything."""
    ours, theirs = shape(served), shape(recorded)
    told = [f"{path}: only recorded" for path in theirs if path not in rare and not _told(path, ours)]
    told += [f"{path}: only served" for path in ours if path not in rare and not _told(path, theirs)]
    for path in ours.keys() & theirs.keys():
        both = [kinds - {"NoneType"} for kinds in (ours[path], theirs[path])]
        if all(both) and not both[0] & both[1]:
            told.append(f"{path}: served {both[0]}, recorded {both[1]}")
    return told


def _told(path: str, other: Shape) -> bool:
    """Whether the other side has the path, or an empty list where it would be."""
    lists = [path[: at + 2] for at in range(len(path)) if path[at : at + 2] == "[]"]
    empty = any(one not in other and one.removesuffix("[]") in other for one in lists)
    return path in other or empty


@pytest.fixture
def recorded(shared_data: Path) -> Callable[[str], Any]:
    """A recorded answer by its path below the hubs' folder."""
    return lambda name: json.loads((shared_data / "hubs" / name).read_text(encoding="utf-8"))


@pytest.fixture
def civitai(fakehub: FakeHub) -> Callable[[str], Any]:
    """A served answer by its path below /api/v1."""
    version = {"images": (IMAGE,), "trained_words": ("ink",), "description": "<p>Ink</p>"}
    fakehub.add_model(
        "Ink", {"ink.safetensors": b"x" * (2 << 20)}, version=version, tags=("ink",), description="x"
    )

    def get(path: str) -> Any:
        return requests.get(f"{fakehub.civitai_endpoint}/api/v1/{path}", timeout=5).json()

    return get


def test_model_of_2026(fakehub, recorded, civitai):
    """/models/:id has exactly the keys recorded in August 2026."""
    model = fakehub.shelf.models[0]
    rare = {
        "$.modelVersions[].trainedWords",
        "$.modelVersions[].description",
        "$.modelVersions[].trainedWords[]",
    }
    rare |= {"$.modelVersions[].images[].id"}  # the recording has none, other answers do
    served = civitai(f"models/{model.id}")
    assert differences(served, recorded("civitai/modern/model_2833924_2026-08.json"), rare=rare) == []


def test_gated_version_of_2026(fakehub, recorded, civitai):
    """A version behind a gate has exactly the keys recorded in August 2026."""
    gate = {"paid": PaidAccess(ends_at="2199-01-01T00:00:00.000Z")}
    fakehub.add_model("Gated", {"g.safetensors": b"g"}, version=gate)
    item = next(item for item in civitai("models")["items"] if item["name"] == "Gated")
    version = item["modelVersions"][0] | {"files": [], "images": []}
    del version["downloadUrl"]
    assert differences(version, recorded("civitai/modern/version_earlyaccess_3220184_2026-08.json")) == []


def test_listing_of_2025(fakehub, recorded, civitai):
    """A listing has the keys recorded in 2024."""
    fakehub.habits.fields = 2025
    fakehub.add_model("More", {"m.safetensors": b"m"})
    assert differences(
        civitai("models")["items"],
        recorded("civitai/modern/list_models_2024-08_checkpoint_top3.json")["items"],
    ) == []  # fmt: skip
    assert set(civitai("models?limit=1")["metadata"]) == {"nextCursor", "nextPage"}


def test_version_of_2025(fakehub, recorded, civitai):
    """A version by hash has the keys recorded in 2024; that recording left out the address."""
    fakehub.habits.fields = 2025
    hashes = fakehub.shelf.models[0].versions[0].files[0].blob.hashes
    served = civitai(f"model-versions/by-hash/{hashes['SHA256']}")
    rare = {
        "$.nsfwLevel",
        "$.downloadUrl",
        "$.images[].hasMeta",
        "$.images[].onSite",
        "$.images[].availability",
    }
    told = recorded("civitai/modern/model_version_byhash_1050496_2024-11.json")
    assert differences(served, told, rare=rare) == []
    assert set(hashes) == set(told["files"][0]["hashes"]) - ({"AutoV3"} - set(hashes))


def test_model_of_2023(fakehub, recorded, civitai):
    """A model has the keys recorded in July 2023."""
    fakehub.habits.fields = 2023
    assert differences(civitai("models")["items"][0], recorded("civitai/models_2023-07/3679.json")) == []


@pytest.mark.parametrize(
    "name", ["model_info_textual_inversion_tests", "model_info_blobs_stabilityai_sdxl-turbo"]
)
def test_model_info(fakehub, recorded, name):
    """A repository's information has the keys recorded."""
    repo = fakehub.add_repo("a/b", {"x.safetensors": b"x", "README.md": b"y"}, tags=("t",))
    served = requests.get(f"{fakehub.huggingface_endpoint}/api/models/{repo.id}?blobs=true", timeout=5).json()
    rare = {"$.pipeline_tag", "$.spaces", "$.spaces[]", "$.model-index", "$.config"}
    assert differences(served, recorded(f"hf/{name}.json"), rare=rare) == []


@pytest.mark.parametrize("kind", ["plain", "expand"])
def test_tree(fakehub, recorded, kind):
    """A tree's entries have the keys recorded."""
    fakehub.add_repo("a/b", {"x.safetensors": b"x", "README.md": b"y"})
    query = "?expand=true" if kind == "expand" else ""
    served = requests.get(f"{fakehub.huggingface_endpoint}/api/models/a/b/tree/main{query}", timeout=5).json()
    told = recorded(f"hf/tree_google-bert_bert-base-uncased_dd4bc8b2_{kind}.json")
    assert differences(served, told) == []


def test_differences_are_seen():
    """The comparison itself goes red for a key more, a key less and another type."""
    assert differences({"a": 1, "b": "x"}, {"a": "1", "c": None}) == [
        "$.c: only recorded",
        "$.b: only served",
        "$.a: served {'number'}, recorded {'str'}",
    ]
