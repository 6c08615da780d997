"""Subgraphs and group nodes: which value counts, and where it all ends."""

from __future__ import annotations

from typing import Any

import pytest
from workflow_kit import Obj, names, node, socket, subgraph, survey, widget, workflow

from comfywatchman.errors import InvalidWorkflow
from comfywatchman.workflow.graph import read_graph
from comfywatchman.workflow.node import MAX_NODES, Budget
from comfywatchman.workflow.saved import MAX_DEPTH

INNER = [
    node(5, "UNETLoader", ("inner_u.safetensors", "default"), inputs=[widget("unet_name", 1)]),
    node(6, "VAELoader", ("inner_v.safetensors",), inputs=[widget("vae_name", 2)]),
]
LINKS = [(1, -10, 1, 5, 0), (2, -10, 2, 6, 0)]
DEFINITION = subgraph("S", *INNER, inputs=[("pixels",), ("unet_name", 1), ("vae_name", 2)], links=LINKS)
UNLINKED = subgraph(
    "S",
    node(5, "UNETLoader", ("inner_u.safetensors", "default"), inputs=[widget("unet_name")]),
    node(6, "VAELoader", ("inner_v.safetensors",), inputs=[widget("vae_name")]),
)


def host(values: Any = (), *, node_id: int = 1, mode: int = 0, inputs: Any = (), **properties: Any) -> Obj:
    return node(node_id, "S", values, mode=mode, inputs=list(inputs), properties=properties)


def found(instance: Obj, definition: Obj = DEFINITION, **more: Any) -> dict[str, str]:
    return dict(names(workflow(instance, subgraphs=[definition], **more)))


QUARANTINE = [
    {"originalEntry": ["-1", "unet_name"], "hostValue": "quarantined.safetensors"},
    {"originalEntry": ["5", "unet_name"], "hostValue": "ignored.safetensors"},
    {"originalEntry": ["-1", "vae_name"]},
    "nonsense",
]
LAYOUTS: dict[str, tuple[Obj, Obj, str, str]] = {
    "no values": (host(), DEFINITION, "inner_u", "inner_v"),
    "null values": (host(None), DEFINITION, "inner_u", "inner_v"),
    "definition order": (host(("u.safetensors", "v.safetensors")), DEFINITION, "u", "v"),
    "the instance's inputs are incomplete": (
        host(("u.safetensors", "v.safetensors"), inputs=[widget("vae_name")]),
        DEFINITION,
        "u",
        "v",
    ),
    "fewer values": (host(("u.safetensors",)), DEFINITION, "u", "inner_v"),
    "a hole in the values": (host((None, "v.safetensors")), DEFINITION, "inner_u", "v"),
    "by name": (host({"vae_name": "v.safetensors"}), DEFINITION, "inner_u", "v"),
    "proxies in their own order": (
        host(("v.safetensors", "u.safetensors"), proxyWidgets=[["6", "vae_name"], ["5", "unet_name"]]),
        UNLINKED,
        "u",
        "v",
    ),
    "proxies and inputs of the host": (
        host(
            ("v.safetensors", 7, "u.safetensors"),
            proxyWidgets=[["-1", "vae_name"], ["9", "seed"], ["5", "unet_name"]],
        ),
        DEFINITION,
        "u",
        "v",
    ),
    "proxies without values": (host((), proxyWidgets=[["5", "unet_name"]]), UNLINKED, "inner_u", "inner_v"),
    "broken proxies keep their places": (
        host((1, "u.safetensors"), proxyWidgets=[None, ["5", "unet_name"]]),
        UNLINKED,
        "u",
        "inner_v",
    ),
    "quarantined values": (
        host(("u.safetensors", "v.safetensors"), proxyWidgetErrorQuarantine=QUARANTINE),
        DEFINITION,
        "quarantined",
        "v",
    ),
}


@pytest.mark.parametrize(("instance", "definition", "unet", "vae"), LAYOUTS.values(), ids=LAYOUTS)
def test_promoted_widgets(instance: Obj, definition: Obj, unet: str, vae: str) -> None:
    """Each layout of an instance's values, as the front end reads it."""
    expected = {"diffusion_models": f"{unet}.safetensors", "vae": f"{vae}.safetensors"}
    assert found(instance, definition) == expected


def test_outdated_slots() -> None:
    """Where the links' slots and the inputs' own lists of links differ, the inputs are right."""
    definition = subgraph("S", *INNER, inputs=[("unet_name", 1), ("vae_name", 2)], links=LINKS)
    assert found(host(("u.safetensors", "v.safetensors")), definition)["vae"] == "v.safetensors"


def test_instances_have_values_of_their_own() -> None:
    """Two instances of one definition are two places."""
    first, second = host(("a.safetensors",)), host(("b.safetensors",), node_id=2)
    references = survey(workflow(first, second, subgraphs=[DEFINITION])).references
    assert [r.node_id for r in references] == ["1:5", "1:6", "2:5", "2:6"]
    assert [r.name for r in references][::2] == ["a.safetensors", "b.safetensors"]


def test_definitions_without_instance() -> None:
    """A definition that nothing uses names nothing."""
    assert names(workflow(subgraphs=[DEFINITION])) == []


@pytest.mark.parametrize("mode", [2, 4])
def test_muted_instance(mode: int) -> None:
    """What is inside a muted or bypassed instance is not needed."""
    assert found(host(mode=mode)) == {}
    assert names(workflow(host(mode=mode), subgraphs=[DEFINITION]), active=False) != []


def nest(**outer_properties: Any) -> tuple[Obj, Obj]:
    """Subgraph O holds an instance of S as node 9."""
    inner = node(9, "S", ("mid.safetensors",), inputs=[widget("unet_name", 21)])
    outer = subgraph("O", inner, inputs=[("model", 21)], links=[(21, -10, 0, 9, 0)])
    return outer, DEFINITION


def test_promoted_twice() -> None:
    """The outermost value wins over the middle and the inner one."""
    top = node(1, "O", ("top.safetensors",))
    assert ("diffusion_models", "top.safetensors") in names(workflow(top, subgraphs=nest()))
    assert ("diffusion_models", "mid.safetensors") in names(workflow(node(1, "O"), subgraphs=nest()))


def test_nested_instance_without_widget_mark() -> None:
    """An input that only leads to a widget further in takes its place in the order all the same."""
    inner = node(9, "S", inputs=[socket("unet_name", "COMBO", 21)])
    outer = subgraph("O", inner, inputs=[("model", 21)], links=[(21, -10, 0, 9, 0)])
    top = node(1, "O", ("top.safetensors",))
    assert ("diffusion_models", "top.safetensors") in names(workflow(top, subgraphs=[outer, DEFINITION]))


PROXIES = [["9", "unet_name"], ["9", "5: unet_name"], ["9", "unet_name", "5"]]


@pytest.mark.parametrize("entry", PROXIES)
def test_proxies_to_nested_instances(entry: list[str]) -> None:
    """A promoted widget may lie two levels in; old files write the inner node into its name."""
    definition = DEFINITION if entry == ["9", "unet_name"] else UNLINKED
    outer = subgraph("O", node(9, "S"))
    top = node(1, "O", ("top.safetensors",), properties={"proxyWidgets": [entry]})
    assert ("diffusion_models", "top.safetensors") in names(workflow(top, subgraphs=[outer, definition]))


def test_values_from_outside_by_link() -> None:
    """A link into the instance's input beats its values."""
    primitive = node(7, "PrimitiveNode", ("linked.safetensors",))
    instance = host(("u.safetensors",), inputs=[widget("unet_name", 70)])
    document = workflow(primitive, instance, links=[[70, 7, 0, 1, 0]], subgraphs=[DEFINITION])
    assert ("diffusion_models", "linked.safetensors") in names(document)


def test_values_from_inside_by_link() -> None:
    """A subgraph may give a name to the outside."""
    giver = subgraph("G", node(3, "PrimitiveNode", ("given.safetensors",)), links=[(1, 3, 0, -20, 0)])
    loader = node(2, "VAELoader", ("stale.safetensors",), inputs=[widget("vae_name", 8)])
    document = workflow(node(1, "G"), loader, links=[[8, 1, 0, 2, 0]], subgraphs=[giver])
    assert names(document) == [("vae", "given.safetensors")]


def test_promoted_primitive() -> None:
    """The value of a primitive may itself be promoted."""
    inside = [
        node(3, "PrimitiveNode", ("own.safetensors",)),
        node(4, "VAELoader", ("stale.safetensors",), inputs=[widget("vae_name", 1)]),
    ]
    definition = subgraph("P", *inside, links=[(1, 3, 0, 4, 0)])
    instance = node(1, "P", ("chosen.safetensors",), properties={"proxyWidgets": [["3", "value"]]})
    assert names(workflow(instance, subgraphs=[definition])) == [("vae", "chosen.safetensors")]


def test_definitions_inside_definitions() -> None:
    """Some files keep the definitions of inner subgraphs inside the outer ones."""
    outer = subgraph("O", node(9, "S")) | {"definitions": {"subgraphs": [DEFINITION]}}
    assert len(names(workflow(node(1, "O"), subgraphs=[outer]))) == 2


def test_unknown_inner_nodes() -> None:
    """Order is taken from the saved structure, so a node nobody knows shifts nothing."""
    inner = node(4, "Of a pack nobody has", ("x", 3), inputs=[widget("strange", 3)])
    definition = subgraph("S", inner, *INNER, inputs=[("strange", 3), ("u", 1), ("v", 2)], links=LINKS)
    assert found(host((4096, "u.safetensors", "v.safetensors")), definition)["vae"] == "v.safetensors"


# ── where it ends ──


def test_subgraph_inside_itself() -> None:
    """Recursion ends, directly and in a circle."""
    one = subgraph(
        "A", node(1, "B", inputs=[socket("x", "*", 1)]), inputs=[("x", 1)], links=[(1, -10, 0, 1, 0)]
    )
    two = subgraph(
        "B", node(1, "A", inputs=[socket("x", "*", 1)]), inputs=[("x", 1)], links=[(1, -10, 0, 1, 0)]
    )
    vae = node(3, "VAELoader", ("v.safetensors",))
    document = workflow(node(1, "A", ("x",)), node(2, "B", ("x",)), vae, subgraphs=[one, two])
    assert names(document) == [("vae", "v.safetensors")]


def chain(length: int, width: int) -> Obj:
    """Definitions that each hold `width` instances of the next."""
    levels = [
        subgraph(str(n), *(node(at, str(n + 1)) for at in range(width)), inputs=[("x",)])
        for n in range(length)
    ]
    return workflow(node(1, "0"), subgraphs=levels)


def test_instances_that_multiply() -> None:
    """2 to the 60 instances end in an error, not in a hang."""
    with pytest.raises(InvalidWorkflow, match=f"{MAX_NODES:,}"):
        survey(chain(60, 2))


def test_budget() -> None:
    """It is the budget that ends it: the same file opens when there is more of it."""
    assert len(read_graph(chain(10, 2), Budget(5_000))) == 2**10
    with pytest.raises(InvalidWorkflow):
        read_graph(chain(10, 2), Budget(500))


def test_deep_nesting() -> None:
    """Nesting has a limit; up to it, nothing breaks."""
    assert survey(chain(MAX_DEPTH, 1)).references == ()
    with pytest.raises(InvalidWorkflow, match="nested"):
        survey(chain(MAX_DEPTH + 5, 1))


def test_deep_nesting_of_inputs() -> None:
    """A long chain of promoted inputs is bounded too."""
    levels = [
        subgraph(
            str(n),
            node(1, str(n + 1), inputs=[socket("x", "*", 1)]),
            inputs=[("x", 1)],
            links=[(1, -10, 0, 1, 0)],
        )
        for n in range(5000)
    ]
    with pytest.raises(InvalidWorkflow, match="nested"):
        survey(workflow(node(1, "0", ("x",)), subgraphs=levels))


# ── group nodes ──


def group(*nodes: Obj) -> Obj:
    return {"groupNodes": {"Loaders": {"nodes": list(nodes)}}}


MEMBERS = [
    node(0, "CheckpointLoaderSimple", ("old_c.safetensors",)),
    node(1, "LoraLoader", ("old_l.safetensors", 1, 1)),
]


@pytest.mark.parametrize("separator", "/>")
@pytest.mark.parametrize(
    "values", [("c.sft", "l.sft", 1, 1), ("c.sft", "l.sft"), ("l first", "c.sft", "l.sft")]
)
def test_group_nodes(separator: str, values: tuple[Any, ...]) -> None:
    """The values stand on the instance, whether all widgets are shown or some are not."""
    document = workflow(node(1, f"workflow{separator}Loaders", values), extra=group(*MEMBERS))
    assert names(document) == [("checkpoints", "c.sft"), ("loras", "l.sft")]


def test_group_nodes_that_do_not_match() -> None:
    """Where the instance's values cannot be matched, the saved inner ones count."""
    document = workflow(node(1, "workflow/Loaders", ()), extra=group(*MEMBERS))
    assert [name for _, name in names(document)] == ["old_c.safetensors", "old_l.safetensors"]


def test_unknown_groups() -> None:
    """A group node without its definition is a node nobody knows."""
    document = workflow(node(1, "workflow/Gone", ("a.safetensors",)), extra=group(*MEMBERS))
    assert [unknown.type for unknown in survey(document).unknown_nodes] == ["workflow/Gone"]


def test_groups_inside_groups() -> None:
    """Group nodes nest, and end even when one holds itself."""
    extra = {"groupNodes": {"A": {"nodes": [node(0, "workflow/B", ("x.sft",))]}, "B": {"nodes": MEMBERS[:1]}}}
    assert names(workflow(node(1, "workflow/A", ("y.sft",)), extra=extra)) == [("checkpoints", "y.sft")]
    own = {"groupNodes": {"A": {"nodes": [node(n, "workflow/A", ("x.sft",)) for n in range(10)]}}}
    with pytest.raises(InvalidWorkflow):
        survey(workflow(node(1, "workflow/A"), extra=own))
