"""The story of the demonstration: the stage is set as the acts say."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from comfywatchman.air import CivitaiLink, HuggingFaceLink, parse_link
from comfywatchman.demo import story
from comfywatchman.demo.standin import StandIn, serve
from comfywatchman.demo.story import Act, Ending
from comfywatchman.resolution import Evidence

ACTS = story.acts()


@pytest.fixture
def standin() -> Iterator[StandIn]:
    with serve(story.shelf(ACTS)) as standin:
        yield standin
    assert standin.log.faults == []


def entry(act: Act) -> dict[str, Any]:
    """What the workflow's node, or else the user's table, says about an act's model."""
    graph: dict[str, Any] = dict(story.workflow(ACTS))
    table: dict[str, Any] = dict(story.known_models(ACTS))
    node = next(node for node in graph["nodes"] if node["id"] == act.node_id)
    known = [row for row in table["models"] if row["name"] == act.name]
    return dict([*node["properties"].get("models", ()), *known][0])


def test_workflow():
    """The graph is whole: ids unique, every link known at both ends, every act's model in its node."""
    graph: dict[str, Any] = dict(story.workflow(ACTS))
    assert json.loads(json.dumps(graph)) == graph
    nodes = {node["id"]: node for node in graph["nodes"]}
    assert len(nodes) == len(graph["nodes"])
    assert graph["last_node_id"] == max(nodes)
    for number, origin, slot, target, target_slot, kind in graph["links"]:
        assert number in nodes[origin]["outputs"][slot]["links"]
        assert nodes[target]["inputs"][target_slot] == {
            **nodes[target]["inputs"][target_slot],
            "link": number,
        }
        assert nodes[origin]["outputs"][slot]["type"] == nodes[target]["inputs"][target_slot]["type"] == kind
    for act in ACTS:
        assert nodes[act.node_id]["widgets_values"][0] == act.name
        assert (nodes[act.node_id]["mode"] == 4) == (act.ending is Ending.INACTIVE)


def test_endings():
    """Every ending and every kind of evidence that needs no question is told."""
    endings = Counter(act.ending for act in ACTS)
    assert set(endings) == set(Ending)
    told = {act.evidence for act in ACTS if act.ending is Ending.FETCHED}
    assert told == {Evidence.DIGEST, Evidence.KNOWN, Evidence.URL}
    assert all(
        act.told and len({act.blob is None, act.ending in (Ending.MISSING, Ending.INACTIVE)}) == 1
        for act in ACTS
    )


def fetched(standin: StandIn, act: Act) -> bytes:
    """The bytes of an act's model, found as its evidence says."""
    told = entry(act)
    if "url" not in told:
        url = f"{standin.civitai_endpoint}/api/v1/model-versions/by-hash/{told['hash']}"
        return requests.get(requests.get(url, timeout=5).json()["downloadUrl"], timeout=5).content
    match parse_link(told["url"]):
        case CivitaiLink(version_id=version):
            return requests.get(
                f"{standin.civitai_endpoint}/api/download/models/{version}", timeout=5
            ).content
        case HuggingFaceLink(repo=repo, path=path):
            address = f"{standin.huggingface_endpoint}/{repo}/resolve/main/{path}"
            return requests.get(address, timeout=5).content
    raise AssertionError(told)


@pytest.mark.parametrize(
    "act", [act for act in ACTS if act.ending is Ending.FETCHED], ids=lambda act: act.name
)
def test_fetched(standin, act):
    """What is to be fetched is on the stand-in, where the workflow or the known models point."""
    assert act.blob is not None
    assert fetched(standin, act) == act.blob.data


def test_gated(standin):
    """The gated model is refused to a visitor, and known all the same."""
    act = next(act for act in ACTS if act.ending is Ending.GATED)
    assert b"restricted" in fetched(standin, act)
    assert standin.requests[-1].status == 401


def test_missing(standin):
    """What stays missing is on no hub."""
    for act in ACTS:
        if act.ending in (Ending.MISSING, Ending.INACTIVE):
            stem = act.name.partition(".")[0]
            found = requests.get(f"{standin.civitai_endpoint}/api/v1/models?query={stem}", timeout=5).json()
            assert found["items"] == []
            assert (
                requests.get(f"{standin.huggingface_endpoint}/api/models?search={stem}", timeout=5).json()
                == []
            )


def test_prepare(standin, tmp_path):
    """The stage holds the workflow, the known models and the one file that is here; twice is as once."""
    for _ in range(2):
        stage = story.prepare(tmp_path, ACTS, standin)
        here = [
            path.relative_to(stage.models).as_posix() for path in stage.models.rglob("*") if path.is_file()
        ]
        assert here == [f"{act.folder}/{act.name}" for act in ACTS if act.ending is Ending.PRESENT]
        assert json.loads(stage.workflow.read_text(encoding="utf-8")) == story.workflow(ACTS)
        assert (stage.home / "known-models.json").is_file()
    assert stage.environment == {
        "COMFYWATCHMAN_HOME": str(stage.home),
        "COMFYWATCHMAN_CIVITAI_ENDPOINT": standin.civitai_endpoint,
        "HF_ENDPOINT": standin.huggingface_endpoint,
    }


def test_size():
    """There is something to watch, and not for long."""
    size = sum(len(act.blob.data) for act in ACTS if act.blob is not None and act.ending is Ending.FETCHED)
    assert 1 < size / story.RATE < 4
