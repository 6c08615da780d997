"""What trainers write into headers, and what they get wrong there."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.digest import Digest
from comfywatchman.facts import Facts, preferred_words
from comfywatchman.modelspec import COMMON_TAGS, read_metadata

SHA = "ab" * 32
KEYS = (
    "modelspec.title", "modelspec.trigger_phrase", "ss_tag_frequency", "ss_datasets", "sshs_model_hash",
    "modelspec.hash_sha256", "ss_base_model_version", "modelspec.license",
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.floats() | st.text()
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


def test_read_metadata() -> None:
    """ModelSpec's words win over kohya's."""
    facts = read_metadata({
        "modelspec.title": "Ink Wash",
        "ss_output_name": "ink-v2",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "ss_base_model_version": "sdxl_base_v1-0",
        "modelspec.author": "brush",
        "modelspec.license": "CC-BY-4.0",
        "modelspec.description": "None",
        "modelspec.usage_hint": "weight 0.8",
        "modelspec.trigger_phrase": "ink wash, brush,",
        "trigger_phrases": "Brush, sumi",
        "modelspec.hash_sha256": f"0x{SHA.upper()}",
    })  # fmt: skip
    assert facts == Facts(
        model_name="Ink Wash",
        base_model="stable-diffusion-xl-v1-base/lora",
        author="brush",
        licence="CC-BY-4.0",
        description="weight 0.8",
        trigger_words=("ink wash", "brush", "sumi"),
        digests=(Digest("autov3", SHA),),
    )


def test_kohya() -> None:
    """Without ModelSpec kohya's keys speak; class tokens come before the tags, which come by their number."""
    facts = read_metadata({
        "ss_output_name": "ink-v2",
        "ss_base_model_version": "sd_v1",
        "sshs_model_hash": SHA[:12],
        "ss_datasets": json.dumps([{"subsets": [{"class_tokens": "ohwx ink"}, {"class_tokens": None}]}, 7]),
        "ss_tag_frequency": json.dumps({"5_a": {"1girl": 3, "fog ": 9}, "b": {"1girl": 7, "x": 0, "": 1}}),
    })  # fmt: skip
    assert (facts.model_name, facts.base_model) == ("ink-v2", "sd_v1")
    assert facts.common_tags == ("ohwx ink", "1girl", "fog")
    assert facts.digests == (Digest("autov3", SHA[:12]),)
    assert facts.trigger_words == ()


def test_common_tags_are_few() -> None:
    """Thousands of tags give the most frequent ones."""
    tags = {f"tag {n}": n for n in range(5000)}
    common = read_metadata({"ss_tag_frequency": json.dumps({"5_a": tags})}).common_tags
    assert (len(common), common[0]) == (COMMON_TAGS, "tag 4999")


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"modelspec.title": " ", "ss_output_name": "None"},
        {"modelspec.trigger_phrase": "\ud800"},
        {"sshs_model_hash": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"modelspec.hash_sha256": "0x", "sshs_model_hash": "not hex"},
        {"ss_tag_frequency": "{"},
        {"ss_tag_frequency": "[" * 100_000},
        {"ss_tag_frequency": "[7, null]", "ss_datasets": '"a"'},
        {"ss_tag_frequency": '{"a": {"\\ud800": 3, "b": 1e999, "c": true}}'},
    ],
)
def test_nothing_said(metadata: dict[str, str]) -> None:
    """Blank, broken and hostile values say nothing."""
    assert read_metadata(metadata) == Facts()


@given(st.dictionaries(st.sampled_from(KEYS), st.text() | JSON.map(json.dumps)))
def test_read_metadata_law(metadata: dict[str, str]) -> None:
    """Whatever stands there, what comes out can be written."""
    json.dumps(read_metadata(metadata).to_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("sidecars", "header", "published", "words"),
    [
        ([("a", "own"), ("b", "")], "h", ["p"], ("own",)),
        ([("a", ""), ("b, A", "")], "h", ["p"], ("a", "b")),
        ([], "h", ["p"], ("h",)),
        ([("", "")], "", ["p, q"], ("p", "q")),
        ([], "", [], ()),
    ],
)
def test_preferred_words(
    sidecars: list[tuple[str, str]], header: str, published: list[str], words: tuple[str, ...]
) -> None:
    """The user's own, else the sidecars', else the header's, else the hub's."""
    said = [Facts(trigger_words=(theirs,), own_words=(own,)) for theirs, own in sidecars]
    inside = Facts(trigger_words=(header,) if header else ())
    assert preferred_words(said, inside, published) == words
