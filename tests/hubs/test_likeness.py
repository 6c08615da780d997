"""Names compared, and searched for."""

from __future__ import annotations

import doctest

import pytest
from hubs.contract import reference
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.hubs import likeness, patience, prose
from comfywatchman.hubs.civitai import terms
from comfywatchman.hubs.likeness import core_of, fits, is_like, is_same_name, repository_texts, search_texts


@pytest.mark.parametrize("module", [likeness, terms, patience], ids=lambda module: module.__name__)
def test_examples(module: object) -> None:
    """The examples in the docstrings are true."""
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wanted", "offered", "same"),
    [
        ("a.safetensors", "A.SafeTensors", True),
        ("sub\\dir/a.safetensors", "other/a.safetensors", True),
        ("e\u0301.pt", "\u00e9.pt", True),
        ("a.safetensors", "a.ckpt", False),
        ("easynegative", "EasyNegative.pt", True),
        ("model_v1.5", "model_v1.5.safetensors", True),
        ("a.safetensors", "a.safetensors.zip", False),
        ("a_1.pt", "a-1.pt", False),
    ],
)
def test_same_name(wanted: str, offered: str, same: bool) -> None:
    """Case, folders and Unicode form are set aside; all else counts."""
    assert is_same_name(wanted, offered) is same


@pytest.mark.parametrize(
    ("wanted", "offered", "alike"),
    [
        ("ink_style_fp16.safetensors", "Ink-Style.ckpt", True),
        ("flux1-dev-Q8_0.gguf", "flux1_dev_fp8_scaled_e4m3fn.safetensors", True),
        ("ae.safetensors", "AE.pt", False),
        ("ink_v1.pt", "ink_v2.pt", False),
        ("fp16.pt", "fp16.ckpt", True),
    ],
)
def test_like(wanted: str, offered: str, alike: bool) -> None:
    """Packing and separators are set aside, versions count, and two letters say nothing."""
    assert is_like(wanted, offered) is alike


@pytest.mark.parametrize(
    ("folder", "offered", "good"),
    [
        ("loras", "loras", True),
        ("loras", "vae", False),
        ("checkpoints", "diffusion_models", True),
        ("unet", "checkpoints", True),
        ("clip", "text_encoders", True),
        ("checkpoints", None, True),
        ("ipadapter", "loras", True),
    ],
)
def test_fits(folder: str, offered: str | None, good: bool) -> None:
    """Folders that both sides know must agree; a bare diffusion model is often called a checkpoint."""
    assert fits(reference("x", folder), offered) is good


@given(st.text(max_size=200))
def test_any_name(name: str) -> None:
    """Any name gives at most two texts that can be sent, and is the same as itself."""
    for texts in (search_texts(name), repository_texts(name)):
        assert len(texts) <= 2
        assert all(text.isprintable() and text.encode() and len(text) <= 100 for text in texts)
    assert is_same_name(name, name)
    assert core_of(name) == core_of(name.upper().lower()) or not name.isascii()


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (None, None),
        ("", None),
        ("<p>a&amp;b</p>\n<ul><li>c<li>d</ul>", "a&b\nc\nd"),
        ("a<script>evil()</script>b<style>x</style>", "ab"),
        ("<img src=x onerror=y>plain < text", "plain < text"),
    ],
)
def test_plain_text(html: str | None, text: str | None) -> None:
    """A description's words, without its markup."""
    assert prose.plain_text(html) == text


@given(st.text(alphabet="<>/!-p &;a\n\"'=", max_size=60))
def test_any_html(html: str) -> None:
    """Any text can be read as a description."""
    assert isinstance(prose.plain_text(html), str | None)
