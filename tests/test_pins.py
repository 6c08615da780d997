"""Pins: printed into a workflow, read from one, and applied only to the model they are about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.air import CivitaiLink, HubLink, HuggingFaceLink, parse_thing
from comfywatchman.digest import Digest
from comfywatchman.errors import InvalidPin
from comfywatchman.pins import Pin, choose_pin, parse_pins

SHA = Digest("sha256", "ab" * 32)
CIVITAI = Pin(name="ink v3.safetensors", link=CivitaiLink(model_id=9, version_id=22, file_id=4), digest=SHA)
HF = Pin(name="a b.sft", link=HuggingFaceLink(repo="o/r", revision="5fe2", path="x/a b.sft"), digest=SHA)
BARE = Pin(name="own.safetensors", digest=SHA)

IDS = st.none() | st.integers(1, 2**31 - 1)
STEPS = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=8).filter(
    lambda text: text not in (".", "..")
)
LINKS = st.builds(CivitaiLink, model_id=st.integers(1, 99), version_id=IDS, file_id=IDS) | st.builds(
    HuggingFaceLink,
    repo=st.just("owner/repo"),
    revision=st.sampled_from(["main", "refs/pr/1", "0f" * 20]),
    path=st.none() | st.lists(STEPS, min_size=1, max_size=3).map("/".join),
)
PINS = st.builds(
    Pin,
    name=st.sampled_from(["ink v3.safetensors", "墨.sft", "sha256.bin", "a: b.gguf"]),
    link=LINKS,
    digest=st.none() | st.just(SHA),
)


@given(st.lists(PINS, max_size=3).map(tuple))
def test_print_and_parse(pins: tuple[Pin, ...]) -> None:
    """What is printed is read back, several in several lines."""
    assert parse_pins("\n".join(map(str, pins))) == pins


@pytest.mark.parametrize(
    ("pin", "text"),
    [
        (CIVITAI, f"civitai:9@22+4 sha256:{SHA.hex} ink v3.safetensors"),
        (HF, f"hf:o/r@5fe2/x/a%20b.sft sha256:{SHA.hex} a b.sft"),
        (BARE, f"sha256:{SHA.hex} own.safetensors"),
    ],
)
def test_form(pin: Pin, text: str) -> None:
    """The form is a promise: it stands in saved workflows."""
    assert (str(pin), parse_pins(f"\n {text} \n")) == (text, (pin,))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "ink.safetensors",
            "civitai:9@22",
            f"sha256:{SHA.hex}",
            "civitai: a.sft",
            "civitai:x a.sft",
            "hf:o a.sft",
        ),
        *(
            "sha256:12 a.sft",
            "civitai:9 a\x1b.sft",
            "civitai:9 " + "a" * 300,
            "a" * 20_001,
            "hf:o/r a\n" * 501,
            "civitai:+3 a.sft",
        ),
    ],
)
def test_faults(text: str) -> None:
    """Text that is no pin is told, since to pass over it would use another file."""
    with pytest.raises(InvalidPin, match="pinned: "):
        parse_pins(text)


@pytest.mark.parametrize(
    ("thing", "is_meant"),
    [
        *(("9", True), ("v:22", True), ("https://civitai.com/models/9/ink?modelVersionId=22", True)),
        *(("urn:air:sdxl:lora:civitai:9@22", True), ("urn:air:sdxl:lora:civitai:9@22+4", True)),
        *(("8", False), ("v:23", False), ("urn:air:sdxl:lora:civitai:9@23", False)),
        *(("urn:air:sdxl:lora:civitai:9@22+5", False), ("hf:o/r/x/a.sft", False)),
    ],
)
def test_pin_of_a_link(thing: str, is_meant: bool) -> None:
    """A pin is about a link that names nothing else; an open link is pinned down by it."""
    assert choose_pin([BARE, CIVITAI], parse_thing(thing)) == (CIVITAI if is_meant else None)


@pytest.mark.parametrize(
    ("link", "is_meant"),
    [
        (HuggingFaceLink(repo="o/r", path="x/a b.sft"), True),
        (HuggingFaceLink(repo="o/r", revision="5fe2", path="x/a b.sft"), True),
        (HuggingFaceLink(repo="o/r"), True),
        (HuggingFaceLink(repo="o/r", revision="dev", path="x/a b.sft"), False),
        (HuggingFaceLink(repo="o/r", path="y.sft"), False),
        (HuggingFaceLink(repo="o/s", path="x/a b.sft"), False),
        (CivitaiLink(model_id=9), False),
    ],
)
def test_pin_of_a_repository(link: HubLink, is_meant: bool) -> None:
    """`main` is pinned to a commit; another branch is something else."""
    assert (choose_pin([HF], link) is not None) is is_meant


@pytest.mark.parametrize(
    ("name", "pin"),
    [
        ("ink v3.safetensors", CIVITAI),
        (r"sub\INK v3.safetensors", CIVITAI),
        ("own.safetensors", BARE),
        ("x.sft", None),
    ],
)
def test_pin_of_a_name(name: str, pin: Pin | None) -> None:
    """A local name is told by its last part."""
    assert choose_pin([CIVITAI, HF, BARE], name) == pin


def test_pin_without_a_version() -> None:
    """A pin that knows only the model pins no version of it down."""
    pin = Pin(name="a.sft", link=CivitaiLink(model_id=9))
    assert choose_pin([pin], CivitaiLink(version_id=22)) is None
    assert choose_pin([pin], CivitaiLink(model_id=9)) == pin
