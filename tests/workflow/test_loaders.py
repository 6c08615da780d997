"""The table of loaders, and what extends it at run time."""

from __future__ import annotations

import doctest
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workflow_kit import LOADERS, node, survey, workflow

from comfywatchman.catalog import canonical_folder
from comfywatchman.workflow import rules, texts
from comfywatchman.workflow.loaders import Loaders, load_loaders

ROLES = {"file", "text", "fetched", "tags", "embeddings", "count", "switch", "ignored"}
OWN_ROLES = {"source", "pins", "stack"}


def test_every_row() -> None:
    """Each row can be read, and speaks of folders by their canonical names."""
    table = load_loaders()
    assert len(table) > 500
    for kind in table.node_types():
        row = table.row(kind)
        assert row is not None
        for slot in (*row.slots, *([row.others] if row.others else [])):
            assert slot.role in ROLES | OWN_ROLES
            assert all(folder == canonical_folder(folder) for folder in slot.folders)
            assert slot.role != "file" or slot.folders, kind


@pytest.mark.parametrize("module", [rules, texts], ids=["rules", "texts"])
def test_examples(module: Any) -> None:
    """The examples in the docstrings are true."""
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_users_own_table() -> None:
    """A user's row wins over the shipped one and adds new ones."""
    table = LOADERS.extended_by({"VAELoader": {"vae_name@0": "my_vaes"}, "Mine": {"file@1": "loras"}})
    document = workflow(node(1, "VAELoader", ("v.sft",)), node(2, "Mine", ("x", "l.sft")))
    assert [(r.folder, r.name) for r in survey(document, table).references] == [
        ("my_vaes", "v.sft"),
        ("loras", "l.sft"),
    ]
    assert "Mine" not in LOADERS


LISTINGS = {"loras": ["a.sft", "b.sft"], "unet": ["u.sft"], "checkpoints": ["a.sft"], "vae": []}


def info(*options: Any, **extra: Any) -> dict[str, Any]:
    widgets = {f"in_{at}": option for at, option in enumerate(options)}
    return {"New": {"input": {"required": {"model": ["MODEL"], **widgets}, "optional": extra}}}


LEARNED: list[tuple[dict[str, Any], tuple[Any, ...], list[tuple[str, str]]]] = [
    (info([["None", "u.sft"]]), ("u.sft",), [("diffusion_models", "u.sft")]),
    (info(["COMBO", {"options": ["u.sft"]}]), ("u.sft",), [("diffusion_models", "u.sft")]),
    (
        info(["INT", {"control_after_generate": True}], [["b.sft"]]),
        (1, "fixed", "b.sft"),
        [("loras", "b.sft")],
    ),
    (info([["a.sft"]]), ("a.sft",), []),  # of two folders
    (info([["a.sft", "z.sft"]]), ("a.sft",), []),  # z is in none
    (info([["fast", "slow"]], ["STRING", {"forceInput": True}]), ("fast",), []),
    (info(more=[["b.sft"]]), ("b.sft",), [("loras", "b.sft")]),
]


@pytest.mark.parametrize(("object_info", "values", "expected"), LEARNED)
def test_learning_from_comfyui(
    object_info: dict[str, Any], values: tuple[Any, ...], expected: list[tuple[str, str]]
) -> None:
    """A choice of files that all lie in one folder, and only there, tells the folder."""
    table = LOADERS.learned_from(object_info, LISTINGS)
    found = survey(workflow(node(1, "New", values)), table).references
    assert [(r.folder, r.name) for r in found] == expected


def test_learning_does_not_overrule() -> None:
    """What the shipped table says stays."""
    claim: Any = {"VAELoader": {"input": {"required": {"vae_name": [["b.sft"]]}}}}
    row = LOADERS.learned_from(claim, LISTINGS).row("VAELoader")
    assert row is not None
    assert row.slots[0].folders == ("vae",)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["a.sft", "b.sft"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(json_values, st.dictionaries(st.sampled_from(["New", "VAELoader"]), json_values))
def test_learning_from_nonsense(whole: Any, entries: Any) -> None:
    """An answer of any shape is survived."""
    answers: list[Any] = [whole, entries, {"New": {"input": whole}}, {"New": {"input": {"required": whole}}}]
    for answer in answers:
        assert isinstance(LOADERS.learned_from(answer, LISTINGS), Loaders)
