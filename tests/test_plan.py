"""Plans and the consent they ask for."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.air import Air
from comfywatchman.catalog import Access, LocalFile, RemoteFile, Scan
from comfywatchman.consent import GIB, Consent, Policy, judge
from comfywatchman.digest import Digest
from comfywatchman.errors import InvalidPlan, UnknownFolder
from comfywatchman.plan import Plan, make_plan
from comfywatchman.planfile import read_plan
from comfywatchman.resolution import (
    Ambiguous,
    Candidate,
    Evidence,
    Found,
    Missing,
    Present,
    Resolution,
)
from comfywatchman.workflow.references import Reference

DIGEST = Digest("sha256", "a" * 64)
CERTAIN = RemoteFile(
    hub="civitai",
    name="ink.safetensors",
    url="https://civitai.com/api/download/models/2?fileId=3",
    size=1000,
    digests=(DIGEST,),
    scan=Scan.PASSED,
)


def reference(name: str = "ink.safetensors", **facts: object) -> Reference:
    made = Reference(node_id="1", node_type="LoraLoader", input_name="lora_name", folder="loras", name=name)
    return replace(made, **facts)  # type: ignore[arg-type]


def target(folder: str) -> str:
    if folder == "nowhere":
        raise UnknownFolder("no folder nowhere")
    return f"/models/{folder}"


@pytest.mark.parametrize(
    ("facts", "evidence", "consent"),
    [
        ({}, Evidence.DIGEST, Consent.AUTOMATIC),
        ({}, Evidence.KNOWN, Consent.AUTOMATIC),
        ({}, Evidence.URL, Consent.AUTOMATIC),
        ({}, Evidence.NAME, Consent.PLAN),
        ({"digests": ()}, Evidence.KNOWN, Consent.PLAN),
        ({"digests": (Digest("autov2", "a" * 10),)}, Evidence.KNOWN, Consent.PLAN),
        ({"size": 31 * GIB}, Evidence.DIGEST, Consent.PLAN),
        ({"size": 201 * GIB}, Evidence.DIGEST, Consent.REFUSED),
        ({"name": "ink.ckpt"}, Evidence.DIGEST, Consent.PLAN),
        ({"name": "ink.CKPT", "scan": None}, Evidence.DIGEST, Consent.FILE),
        ({"name": "ink.pt", "digests": ()}, Evidence.DIGEST, Consent.FILE),
        ({"name": "ink.py"}, Evidence.DIGEST, Consent.FILE),
        ({"name": "ink.zip"}, Evidence.DIGEST, Consent.REFUSED),
        ({"scan": Scan.FAILED}, Evidence.DIGEST, Consent.FILE),
        ({"access": Access.WITHDRAWN}, Evidence.DIGEST, Consent.REFUSED),
        ({"access": Access.LOGIN}, Evidence.DIGEST, Consent.REFUSED),
        ({"access": Access.GATED}, Evidence.DIGEST, Consent.REFUSED),
        ({"access": Access.EARLY}, Evidence.DIGEST, Consent.REFUSED),
        ({"hub": "web", "url": "https://example.org/ink.safetensors"}, Evidence.URL, Consent.FILE),
        ({"url": "http://civitai.com/x"}, Evidence.DIGEST, Consent.FILE),
        ({"url": "file:///etc/passwd"}, Evidence.DIGEST, Consent.REFUSED),
        ({"url": "ftp://civitai.com/x"}, Evidence.DIGEST, Consent.REFUSED),
        ({"hub": "web", "url": "https://169.254.169.254/x.safetensors"}, Evidence.URL, Consent.REFUSED),
        ({"hub": "web", "url": "https://0x7f.1/x.safetensors"}, Evidence.URL, Consent.REFUSED),
        ({"hub": "web", "url": "http://[::1]:8188/x.safetensors"}, Evidence.URL, Consent.REFUSED),
        ({"hub": "web", "url": "https://nas.local/x.safetensors"}, Evidence.URL, Consent.REFUSED),
    ],
)
def test_consent(facts: dict, evidence: Evidence, consent: Consent) -> None:
    """Each level of consent has its reasons; the strictest wins."""
    assert judge(replace(CERTAIN, **facts), evidence, Policy())[0] is consent


@pytest.mark.parametrize("scan", [None, *Scan])
@pytest.mark.parametrize("where", [{}, {"hub": "web", "url": "https://example.org/ink.pt"}])
@pytest.mark.parametrize("is_allowed", [False, True])
def test_pickle_is_told_once(scan: Scan | None, where: dict, is_allowed: bool) -> None:
    """Whatever else there is to say about a pickle, the reason tells once what it can do."""
    file = replace(CERTAIN, name="ink.pt", scan=scan, **where)
    _, reason = judge(file, Evidence.DIGEST, Policy(pickles=is_allowed))
    assert reason.count("can run code") == 1


def test_configured_mirror_may_be_plain_http() -> None:
    """An origin that the user configured counts as a hub, http and loopback included."""
    file = replace(CERTAIN, url="http://127.0.0.1:8123/x.safetensors")
    assert judge(file, Evidence.DIGEST, Policy())[0] is Consent.REFUSED
    policy = Policy(mirrors=frozenset({"http://127.0.0.1:8123"}))
    assert judge(file, Evidence.DIGEST, policy)[0] is Consent.AUTOMATIC


def test_token_opens_what_is_locked() -> None:
    """With a token of that hub a gated file is tried; the hub has the last word."""
    gated = replace(CERTAIN, access=Access.GATED)
    assert judge(gated, Evidence.DIGEST, Policy(tokens=frozenset({"civitai"})))[0] is Consent.AUTOMATIC
    assert judge(gated, Evidence.DIGEST, Policy(tokens=frozenset({"huggingface"})))[0] is Consent.REFUSED


def test_allowed_host_needs_no_question_of_its_own() -> None:
    """--allow-host makes a foreign host an ordinary source; its missing digest still asks."""
    file = replace(CERTAIN, hub="web", url="https://example.org/x.safetensors", digests=())
    assert judge(file, Evidence.URL, Policy(hosts=frozenset({"example.org"})))[0] is Consent.PLAN


def test_many_references_to_one_file_are_one_transfer() -> None:
    """A model that several nodes name is fetched once."""
    named = [reference(node_id=str(n)) for n in range(3)]
    plan = make_plan([Found(r, CERTAIN, Evidence.DIGEST) for r in named], target=target)
    assert [t.references for t in plan.transfers] == [tuple(named)]
    assert plan.size == 1000


def test_two_models_with_one_target_do_not_replace_each_other() -> None:
    """The second model that would take the same name stays open and says so."""
    other = replace(CERTAIN, url="https://civitai.com/api/download/models/9", digests=())
    found = [
        Found(reference(), CERTAIN, Evidence.DIGEST),
        Found(reference("INK.safetensors"), other, Evidence.NAME),
    ]
    plan = make_plan(found, target=target)
    assert len(plan.transfers) == 1
    assert "already planned" in plan.unresolved[0].reason


@pytest.mark.parametrize(
    ("named", "hub_name", "path"),
    [
        ("style/ink.safetensors", "other.safetensors", "style/ink.safetensors"),
        ("ink", "ink_v2.safetensors", "ink_v2.safetensors"),
        ("style/ink.ckpt", "ink.safetensors", "style/ink.safetensors"),
    ],
)
def test_target_is_the_name_the_widget_asks_for(named: str, hub_name: str, path: str) -> None:
    """The file gets the widget's name, or its own where the widget's fits no such file."""
    plan = make_plan(
        [Found(reference(named), replace(CERTAIN, name=hub_name), Evidence.DIGEST)], target=target
    )
    assert plan.transfers[0].path == path


@pytest.mark.parametrize(
    "bad", [{"name": "../../evil.safetensors"}, {"name": "a\x00.sft"}, {"folder": "nowhere"}]
)
def test_what_cannot_be_placed_stays_open(bad: dict) -> None:
    """A name or folder that must not become a path refuses its own transfer, not the plan."""
    plan = make_plan(
        [
            Found(reference(**bad), CERTAIN, Evidence.DIGEST),
            Found(reference("ok.safetensors"), CERTAIN, Evidence.DIGEST),
        ],
        target=target,
    )
    assert [t.path for t in plan.transfers] == ["ok.safetensors"]
    assert [o.state for o in plan.unresolved] == ["refused"]


def test_digest_of_the_workflow_is_checked_when_the_hub_has_none() -> None:
    """A digest that only the workflow knows is still verified, but is no published one."""
    named = reference(digest=DIGEST)
    plan = make_plan([Found(named, replace(CERTAIN, digests=()), Evidence.URL)], target=target)
    assert plan.transfers[0].source.digests == (DIGEST,)
    assert plan.transfers[0].consent is Consent.PLAN


REFERENCES = st.builds(
    reference,
    name=st.sampled_from(["a.safetensors", "b/c.gguf", "../x", "d"]),
    active=st.booleans(),
    node_id=st.uuids().map(str),
    folder=st.sampled_from(["loras", "vae", "nowhere"]),
    digest=st.sampled_from([None, DIGEST]),
)
FILES = st.builds(
    lambda **facts: replace(CERTAIN, **facts),
    url=st.sampled_from(["https://civitai.com/1", "https://civitai.com/2", "gopher://x"]),
    size=st.sampled_from([None, 5]),
    air=st.sampled_from([None, Air(ecosystem="sdxl", type="lora", source="civitai", id="1", version="2")]),
    trigger_words=st.lists(st.text(), max_size=2).map(tuple),
    access=st.sampled_from(Access),
)
LOCAL = LocalFile(folder="loras", path="a.sft", root="/models/loras", size=3, mtime_ns=4, digests=(DIGEST,))
RESOLUTIONS = st.one_of(
    st.builds(Present, REFERENCES, st.just(LOCAL)),
    st.builds(Found, REFERENCES, FILES, st.sampled_from(Evidence)),
    st.builds(Ambiguous, REFERENCES, st.just((Candidate(CERTAIN, Evidence.NAME),) * 2)),
    st.builds(Missing, REFERENCES, st.just(("known",))),
)


@given(st.lists(RESOLUTIONS, max_size=8))
def test_plan_is_a_partition(resolutions: list[Resolution]) -> None:
    """Every active reference stands in exactly one part of the plan."""
    plan = make_plan(resolutions, target=target)
    placed = [r for t in plan.transfers for r in t.references]
    placed += [k.reference for k in plan.kept] + [o.reference for o in plan.unresolved]
    wanted = [r.reference for r in resolutions if r.reference.active]
    assert sorted(r.node_id for r in placed) == sorted(r.node_id for r in wanted)


@given(st.lists(RESOLUTIONS, max_size=4))
def test_saved_plan_reads_back_equal(resolutions: list[Resolution]) -> None:
    """read_plan(print(plan)) == plan."""
    plan = make_plan(resolutions, target=target)
    assert read_plan(json.dumps(plan.to_dict()).encode()) == plan
    assert (
        read_plan(json.dumps({"schema": "comfywatchman.resolve/1", "plan": plan.to_dict()}).encode()) == plan
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{}", "$.schema"),
        ("[", "not JSON"),
        ('{"schema": "comfywatchman.plan/2"}', "$.schema"),
        ('{"schema": "comfywatchman.plan/1", "transfers": 3}', "$.transfers"),
        (
            '{"schema": "comfywatchman.plan/1", "transfers": [{"file": {"hub": 1}}]}',
            "$.transfers[0].file.hub",
        ),
    ],
)
def test_damaged_plan_names_the_place(text: str, place: str) -> None:
    """A file that is no plan says where it stops being one."""
    with pytest.raises(InvalidPlan, match=place.replace("$", r"\$").replace("[", r"\[")):
        read_plan(text.encode())


def test_plan_with_a_path_out_of_its_root_is_refused() -> None:
    """A saved plan is input like any other: its paths pass the gate again."""
    plan = make_plan([Found(reference(), CERTAIN, Evidence.DIGEST)], target=target)
    document = plan.to_dict()
    document["transfers"][0]["path"] = "../../.ssh/authorized_keys"  # type: ignore[index,call-overload]
    with pytest.raises(InvalidPlan):
        read_plan(json.dumps(document).encode())


def test_empty_plan() -> None:
    """No resolutions make a plan with nothing in it."""
    assert make_plan([], target=target) == Plan()
