"""Laws of the parser over anything that JSON can be, and floods."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workflow_kit import LOADERS, Obj, node, socket, subgraph, survey, widget, workflow

from comfywatchman.errors import InvalidWorkflow
from comfywatchman.workflow.document import read_workflow
from comfywatchman.workflow.references import Survey, find_references

KEYS = re.findall(
    r"\w+",
    """nodes links definitions subgraphs extra groupNodes models inputs outputs widgets_values type mode id
    widget name link linkIds properties proxyWidgets proxyWidgetErrorQuarantine originalEntry hostValue
    origin_id origin_slot target_id target_slot class_type prompt workflow url hash directory
    widgets_values_named lora on""",
)
TYPES = ["VAELoader", "Efficient Loader", "S", "T", "workflow/G", "PrimitiveNode", "Reroute", "GetNode"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-30, 5),
    st.floats(allow_nan=False),
    st.text(max_size=6),
    st.sampled_from(
        ["a.safetensors", "On", "Off", "-1", "-10", "embedding:x", "<lora:y:1>", "LoRA Stacker", *TYPES]
    ),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=8),
    max_leaves=40,
)
ODD = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(st.sampled_from(KEYS), SCALARS, max_size=3)


@st.composite
def nearly_nodes(draw: st.DrawFn) -> Obj:
    """A node most of whose parts have the right shape."""
    entry = st.fixed_dictionaries(
        {"name": st.sampled_from(["vae_name", "x", "lora_name"]), "link": st.integers(0, 6) | ODD},
        optional={
            "widget": st.fixed_dictionaries({"name": st.sampled_from(["vae_name", "x", "lora_name"])}) | ODD
        },
    )
    return {
        "id": draw(st.integers(0, 5) | ODD),
        "type": draw(st.sampled_from(TYPES) | ODD),
        "mode": draw(st.sampled_from([0, 0, 2, 4]) | ODD),
        "inputs": draw(st.lists(entry, max_size=3) | ODD),
        "outputs": draw(st.lists(st.fixed_dictionaries({"type": SCALARS}), max_size=2) | ODD),
        "widgets_values": draw(st.lists(ODD, max_size=5) | ODD),
        "properties": draw(
            ODD | st.fixed_dictionaries({"proxyWidgets": st.lists(st.lists(SCALARS, max_size=3), max_size=3)})
        ),
    }


@st.composite
def nearly_workflows(draw: st.DrawFn) -> Obj:
    """A document most of whose parts have the right shape, with subgraphs and group nodes."""
    nodes = st.lists(nearly_nodes(), max_size=5)
    link = st.tuples(*([st.integers(0, 6)] * 5)).map(list)
    named = st.fixed_dictionaries(
        {"id": st.integers(0, 6), "origin_id": st.sampled_from([-10, 1, 2]), "origin_slot": st.integers(0, 2)}
        | {"target_id": st.sampled_from([-20, 1, 2]), "target_slot": st.integers(0, 2)}
    )

    def definition(key: str) -> st.SearchStrategy[Obj]:
        entry = st.fixed_dictionaries(
            {"name": SCALARS, "linkIds": st.lists(st.integers(0, 6), max_size=2) | ODD}
        )
        return st.fixed_dictionaries(
            {"id": st.just(key), "nodes": nodes, "links": st.lists(named | link, max_size=5)}
            | {"inputs": st.lists(entry, max_size=3)}
        )

    return {
        "nodes": draw(nodes),
        "links": draw(st.lists(link | named | ODD, max_size=6) | ODD),
        "definitions": {"subgraphs": [draw(definition("S")), draw(definition("T"))]},
        "extra": {"groupNodes": {"G": draw(st.fixed_dictionaries({"nodes": nodes}) | ODD)}},
        "models": draw(ODD),
    }


def look(document: Any) -> Survey | None:
    try:
        return find_references(read_workflow(json.dumps(document).encode()), LOADERS)
    except InvalidWorkflow:
        return None


@given(ANYTHING)
def test_any_json(document: Any) -> None:
    """Any JSON gives a survey or the one error."""
    look(document)
    look({"nodes": [document]})
    look({"1": {"class_type": "VAELoader", "inputs": document}})


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(nearly_workflows())
def test_anything_like_a_workflow(document: Obj) -> None:
    """What has the shape of a workflow is always read."""
    found = look(document)
    assert found is not None
    assert all(r.folder and r.name for r in found.references)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(nearly_workflows(), st.integers(0, 4), st.sampled_from([2, 4]))
def test_muting(document: Obj, at: int, mode: int) -> None:
    """Muting a node never adds an active reference of a node that was not there, nor takes a place away."""
    before = look(document)
    if at < len(document["nodes"]):
        document["nodes"][at]["mode"] = mode
    after = look(document)
    assert before is not None
    assert after is not None
    assert {(r.node_id, r.input_name) for r in after.references if r.active} <= {
        (r.node_id, r.input_name) for r in before.references if r.active
    }


LOADER_NODES = st.builds(
    lambda at, name, mode: node(at, "VAELoader", (name,), mode=mode),
    st.integers(0, 99),
    st.sampled_from(["a.sft", "b.sft", "None"]),
    st.sampled_from([0, 2, 4]),
)


@given(st.lists(LOADER_NODES, max_size=8), st.randoms())
def test_order_of_nodes(nodes: list[Obj], random: Any) -> None:
    """The order of the nodes changes the order of the references and nothing else."""
    before = set(survey(workflow(*nodes)).references)
    random.shuffle(nodes)
    assert set(survey(workflow(*nodes)).references) == before


# ── floods: each would take hours if a walk were not bounded ──

MANY = 20_000


def flood_links() -> Obj:
    """Reroutes in a line, each followed by every loader."""
    line = [node(n, "Reroute", inputs=[socket("", "*", n - 1)]) for n in range(1, MANY)]
    loaders = [
        node(MANY + n, "VAELoader", ("x.sft",), inputs=[widget("vae_name", MANY - 1)]) for n in range(2000)
    ]
    return workflow(*line, *loaders, links=[[n, n, 0, n + 1, 0] for n in range(MANY)])


def flood_text_nodes() -> Obj:
    """Text nodes that each take two links from the one before: 2 to the n ways."""
    line = [node(n, "Text", (), inputs=[widget("a", n), widget("b", n)]) for n in range(1, 2000)]
    return workflow(*line, links=[[n, n - 1, 0, n, 0] for n in range(2000)])


def flood_instances() -> Obj:
    """Many links through one wide instance."""
    inner = [node(n, "VAELoader", ("x.sft",), inputs=[widget("vae_name", n)]) for n in range(3000)]
    inputs = [(f"i{n}", n) for n in range(3000)]
    definition = subgraph("S", *inner, inputs=inputs, links=[(n, -10, n, n, 0) for n in range(3000)])
    host = node(1, "S", tuple("y.sft" for _ in inputs), inputs=[widget(name) for name, _ in inputs])
    return workflow(host, subgraphs=[definition])


def flood_values() -> Obj:
    """One node with very many values and hints."""
    models = [{"name": f"{n}.sft", "url": "u"} for n in range(MANY)]
    values = tuple(f"{n}.sft" for n in range(MANY))
    return workflow(node(1, "Efficient Loader", values, properties={"models": models}))


def flood_text() -> Obj:
    """Long text full of beginnings of tags."""
    text = "<lora:" * MANY + "embedding:" * MANY + "<lora:a:" * MANY
    return workflow(node(1, "ImpactWildcardEncode", (text,)), node(2, "x" * 1_000_000, ("a.sft",) * 2000))


FLOODS = [flood_links, flood_text_nodes, flood_instances, flood_values, flood_text]


@pytest.mark.parametrize("flood", FLOODS, ids=[flood.__name__ for flood in FLOODS])
def test_floods(flood: Any) -> None:
    """Work grows with the file, not with the ways through it."""
    document = flood()
    begin = time.perf_counter()
    survey(document)
    assert time.perf_counter() - begin < 30
