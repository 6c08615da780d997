"""The parser against labelled workflows: the truth was made by a running ComfyUI and its front end."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import comfyui_workflow_templates_json
import pytest
from workflow_kit import LOADERS

from comfywatchman.errors import InvalidWorkflow
from comfywatchman.workflow.document import read_workflow
from comfywatchman.workflow.references import find_references
from comfywatchman.workflow.texts import is_model_file

TEMPLATES = Path(comfyui_workflow_templates_json.__path__[0]) / "templates"
Entries = list[dict[str, Any]]


@pytest.fixture(scope="session")
def labelled(shared_data: Path) -> Path:
    """The folder of labelled workflows."""
    return shared_data / "workflows"


@pytest.fixture(scope="session")
def score(labelled: Path) -> Callable[[Mapping[str, Entries], Callable[[str], bytes]], float]:
    """F1 on (folder, name) by the scorer that lies beside the truth."""
    spec = importlib.util.spec_from_file_location("score", labelled / "score.py")
    assert spec is not None
    assert spec.loader is not None
    scorer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scorer)

    def f1(truth: Mapping[str, Entries], read: Callable[[str], bytes]) -> float:
        hits = extras = misses = 0
        for name, entries in truth.items():
            hit, extra, miss = scorer.compare(entries, predict(read(name)), with_folder=True)
            hits, extras, misses = hits + len(hit), extras + len(extra), misses + len(miss)
        return 2 * hits / (2 * hits + extras + misses)

    return f1


def predict(data: bytes) -> list[dict[str, str]]:
    """The answer in the scorer's form."""
    try:
        found = find_references(read_workflow(data), LOADERS)
    except InvalidWorkflow:
        return []
    return [{"name": r.name, "folder": r.folder} for r in found.references if r.active]


def read_truth(folder: Path, name: str) -> dict[str, Entries]:
    truth: dict[str, Entries] = json.loads((folder / f"truth_{name}.json").read_text())
    return truth


def template(name: str) -> bytes:
    return (TEMPLATES / name).read_bytes()


def levels(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The root and all subgraphs."""
    return [document, *(document.get("definitions") or {}).get("subgraphs", [])]


def stripped(name: str) -> bytes:
    """A template without notes and without any `models` metadata."""
    document = json.loads(template(name))
    document.pop("models", None)
    for level in levels(document):
        level["nodes"] = [n for n in level["nodes"] if n["type"] not in ("Note", "MarkdownNote")]
        for node in level["nodes"]:
            (node.get("properties") or {}).pop("models", None)
    return json.dumps(document).encode()


def swap(value: str) -> str:
    return f"chosen-{value.rsplit('/', 1)[-1]}"


def swapped(name: str) -> bytes:
    """A template in which a user chose other files in what is visible: the rest stays as it was."""
    document = json.loads(template(name))
    for node in document["nodes"]:
        if node["type"] not in ("Note", "MarkdownNote") and isinstance(node.get("widgets_values"), list):
            node["widgets_values"] = [swap(v) if is_model_file(v) else v for v in node["widgets_values"]]
            for entry in (node.get("properties") or {}).get("proxyWidgetErrorQuarantine", []):
                if is_model_file(entry.get("hostValue")):  # the front end shows this one
                    entry["hostValue"] = swap(entry["hostValue"])
    return json.dumps(document).encode()


def swapped_truth(truth: dict[str, Entries]) -> dict[str, Entries]:
    """What must be found then: a name changes where it stands on a top-level node or instance."""
    changed: dict[str, Entries] = {}
    for name, entries in truth.items():
        clear = True
        wanted: Entries = []
        for entry in entries:
            visible = {"promoted:definition"} if ":" in entry["nodes"][0][0] else {"own"}
            depths = {":" in node[0] for node in entry["nodes"]}
            clear = clear and len(set(entry["sources"])) == 1 and len(depths) == 1
            chosen = set(entry["sources"]) <= visible
            wanted.append(entry | {"name": swap(entry["name"]) if chosen else entry["name"]})
        if clear:  # a file that stands in both kinds of places has two names after the swap
            changed[name] = wanted
    return changed


def test_templates(labelled: Path, score: Callable[..., float]) -> None:
    """Official templates are read without a fault."""
    assert score(read_truth(labelled, "templates"), template) >= 0.999


def test_templates_without_metadata(labelled: Path, score: Callable[..., float]) -> None:
    """Needs come from widgets alone: without metadata and notes nothing is lost."""
    assert score(read_truth(labelled, "templates"), stripped) >= 0.999


def test_templates_with_other_files_chosen(labelled: Path, score: Callable[..., float]) -> None:
    """The user's choice counts, not the stale metadata, notes and inner values around it."""
    truth = swapped_truth(read_truth(labelled, "templates"))
    assert len(truth) > 300
    assert score(truth, swapped) >= 0.999


def test_stale_answers_would_be_seen(labelled: Path, score: Callable[..., float]) -> None:
    """The control of the test above: answering with the names before the swap scores badly."""
    assert score(swapped_truth(read_truth(labelled, "templates")), template) < 0.7


def test_community(labelled: Path, score: Callable[..., float]) -> None:
    """Community workflows with packs of all kinds."""
    truth = read_truth(labelled, "community")
    assert score(truth, lambda name: (labelled / "community" / name).read_bytes()) >= 0.98


def test_tricky(labelled: Path, score: Callable[..., float]) -> None:
    """Every hard case of its own."""
    truth = read_truth(labelled, "tricky")
    assert score(truth, lambda name: (labelled / "tricky" / name).read_bytes()) == 1.0


def test_core_table(labelled: Path) -> None:
    """Each input that ComfyUI itself fills from a models folder is in the table with that folder."""
    aliases = {"clip": "text_encoders", "unet": "diffusion_models", "t2i_adapter": "controlnet"}
    for entry in json.loads((labelled / "slots.json").read_text()):
        row = LOADERS.row(entry["class_type"])
        assert row is not None, entry
        slot = row.slot(entry["input"])
        assert slot is not None, entry
        assert set(slot.folders) == {aliases.get(f, f) for f in entry["folders"]}, entry
