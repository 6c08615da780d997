"""What a person allows on the command line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from comfywatchman.catalog import RemoteFile
from comfywatchman.cli.consent import Grants, choose, decide, parse_picks
from comfywatchman.consent import Consent
from comfywatchman.errors import InputError
from comfywatchman.plan import Transfer
from comfywatchman.resolution import Ambiguous, Candidate, Evidence, Found, Missing
from comfywatchman.workflow.references import Reference


def transfer(consent: Consent, name: str = "a.safetensors") -> Transfer:
    url = f"https://civitai.com/{consent.value}/{name}"
    return Transfer(
        source=RemoteFile(hub="civitai", name=name, url=url, size=10),
        root="/m",
        folder="loras",
        path=name,
        evidence=Evidence.NAME,
        consent=consent,
        reason="because",
    )


ALL = [
    transfer(Consent.AUTOMATIC),
    transfer(Consent.PLAN),
    transfer(Consent.PLAN, "p.ckpt"),
    transfer(Consent.FILE),
    transfer(Consent.FILE, "q.pt"),
    transfer(Consent.REFUSED),
]


@pytest.mark.parametrize(
    ("grants", "granted"),
    [
        (Grants(), [0]),
        (Grants(yes=True), [0, 1]),
        (Grants(allow_pickle=True), [0]),
        (Grants(yes=True, allow_pickle=True), [0, 1, 2]),
        (Grants(picked=frozenset({ALL[1].source.url})), [0, 1]),
        (Grants(picked=frozenset({ALL[2].source.url})), [0]),
        (Grants(picked=frozenset({ALL[3].source.url})), [0]),
    ],
)
def test_without_a_terminal(grants: Grants, granted: list[int]) -> None:
    """What is certain is fetched; options add what they name, and refused stays refused."""
    decision = decide(ALL, grants)
    assert [ALL.index(t) for t in decision.granted] == granted
    assert [ALL.index(t) for t in decision.withheld] == [i for i in range(6) if i not in granted]


def test_in_a_terminal_one_question_covers_the_plan() -> None:
    """Certain and unique files share a question; pickles and foreign hosts get their own, default no."""
    asked: list[tuple[str, bool]] = []

    def ask(question: str, default: bool) -> bool:
        asked.append((question.partition("\n")[0], default))
        return default

    decision = decide(ALL, Grants(ask=ask))
    assert [ALL.index(t) for t in decision.granted] == [0, 1]
    assert [default for _, default in asked] == [True, False, False, False]
    assert asked[0][0] == "Fetch 2 files (20 B)?"


def test_certain_by_the_settings() -> None:
    """What is certain is fetched whatever the answer is; a name alone is still asked about."""
    decision = decide(ALL, Grants(certain=True, ask=lambda _q, _d: False))
    assert [ALL.index(t) for t in decision.granted] == [0]
    assert [ALL.index(t) for t in decide(ALL, Grants(certain=True)).granted] == [0]


def test_a_no_fetches_nothing() -> None:
    """Answering no withholds even what is certain."""
    assert decide(ALL, Grants(ask=lambda _q, _d: False)).granted == ()


def test_nothing_to_ask_asks_nothing() -> None:
    """A plan of refused files only asks no question."""
    refused = [transfer(Consent.REFUSED)]
    assert decide(refused, Grants(ask=lambda _q, _d: pytest.fail("asked"))).withheld == tuple(refused)


@pytest.mark.parametrize("text", ["a", "a=", "=1", "a=0", "a=-1", "a=x", "a=1.5"])
def test_pick_is_name_and_index(text: str) -> None:
    """Anything but NAME=INDEX from 1 is refused."""
    with pytest.raises(InputError, match="NAME=INDEX"):
        parse_picks([text])


def test_pick_name_may_hold_an_equals_sign() -> None:
    """The index is what stands after the last sign."""
    assert parse_picks(["a=b.sft=2"]) == {"a=b.sft": 2}


WANTED = Reference(node_id="1", node_type="L", input_name="n", folder="loras", name="s/a.sft")
CANDIDATES = tuple(
    Candidate(RemoteFile(hub="civitai", name="a.sft", url=f"https://h/{n}"), Evidence.NAME) for n in (1, 2)
)


def test_choosing_makes_it_found() -> None:
    """The picked candidate is found for every place that names it; others stay as they are."""
    twice = [Ambiguous(WANTED, CANDIDATES), Ambiguous(replace(WANTED, node_id="2"), CANDIDATES)]
    missing = Missing(replace(WANTED, name="b.sft"))
    chosen = choose([*twice, missing], {"a.sft": 2})
    assert [r.file.url for r in chosen if isinstance(r, Found)] == ["https://h/2"] * 2
    assert chosen[2] is missing


@pytest.mark.parametrize(("name", "index"), [("b.sft", 1), ("a.sft", 3)])
def test_choosing_what_is_not_there_is_said(name: str, index: int) -> None:
    """A pick that fits nothing is an error, not ignored."""
    with pytest.raises(InputError, match=name):
        choose([Ambiguous(WANTED, CANDIDATES)], {name: index})
