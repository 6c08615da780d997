"""Names from outside: what passes is a plain relative path on every system."""

from __future__ import annotations

import ntpath
import posixpath
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from comfywatchman.errors import UnsafePath
from comfywatchman.names import MAX_NAME, MAX_PATH, fold, printable, safe_name, safe_path, second_name

UNSAFE = [
    "", ".", "..", "/", "\\", "../a", "a/..", "a/../b", "a/./b", "a//b", "/a", "\\a", "a/", "a\\",
    "..\\a", "a\\..\\b",
    "C:", "C:a", "c:\\a", "C:/a", "\\\\host\\share\\a", "//host/share/a", "\\\\?\\C:\\a",
    "\\\\.\\COM1", "a:b",
    "a.safetensors:stream", "a.safetensors::$DATA", "con", "CON", "con.txt", "Con.tar.gz", "prn",
    "AUX.safetensors",
    "nul", "NUL .txt", "com0", "com1", "COM9.x", "com¹", "COM².y", "com³", "lpt0", "LPT1",
    "lpt¹.safetensors", "conin$",
    "CONOUT$.txt", "clock$", "x/con/y", "a<b", "a>b",
    'a"b', "a|b", "a?b", "a*b", "a\x00b", "a\nb", "a\x1fb", "a\x7fb",
    "a\x85b", "a\u200bb", "a\u200db", "a\u202eb", "a\u2066b", "\ufeffa", "a\u2028b", "a\u00adb",
    "a\ud800b", "a\U000e0041",
    "a.", "a ", "a. ", "a .", " a", "a./b", "a /b", "...", "x" * 201, "é" * 101, "a/" * 16 + "a",
    "/".join(["x" * 190] * 5),
]  # fmt: skip


@pytest.mark.parametrize("text", UNSAFE)
def test_unsafe_names(text: str) -> None:
    """Nothing that climbs, hides, or means a device or stream anywhere becomes a path."""
    with pytest.raises(UnsafePath) as caught:
        safe_path(text)
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("ink.safetensors", "ink.safetensors"),
        ("sdxl\\style\\ink.safetensors", "sdxl/style/ink.safetensors"),
        ("e\u0301.pt", "é.pt"),
        ("模型（新）：一.safetensors", "模型（新）：一.safetensors"),
        (".hidden", ".hidden"),
        ("console.txt", "console.txt"),
        ("com10", "com10"),
        ("%2e%2e%2fa", "%2e%2e%2fa"),
        ("a (1) [x] {y} #1 & ~.gguf", "a (1) [x] {y} #1 & ~.gguf"),
        ("🎨 art.safetensors", "🎨 art.safetensors"),
        ("x" * 200, "x" * 200),
    ],
)
def test_safe_names(text: str, path: str) -> None:
    """Ordinary names of any language pass, in one Unicode form."""
    assert safe_path(text) == path


def _passes(text: str) -> str:
    try:
        return safe_path(text)
    except UnsafePath:
        assume(False)
        raise


@given(st.text(max_size=60) | st.text(st.sampled_from("./\\:aC con1¹ \u202e\u0301"), max_size=20))
def test_whatever_passes_stays_inside(text: str) -> None:
    """Law: an accepted path is relative, climbs nowhere and is one and the same under both rule sets."""
    path = _passes(text)
    assert safe_path(path) == path
    assert unicodedata.is_normalized("NFC", path)
    assert posixpath.normpath(path) == path
    assert ntpath.normpath(path).replace("\\", "/") == path
    assert not ntpath.isabs(path)
    assert ntpath.splitdrive(path)[0] == ""
    assert posixpath.join("/home", path).startswith("/home/")
    assert ntpath.join("C:\\root", path).startswith("C:\\root\\")
    assert len(path.encode()) <= MAX_PATH
    assert all(0 < len(part.encode()) <= MAX_NAME for part in path.split("/"))


@given(
    st.text(st.characters(categories=["L", "N"], include_characters=". -_"), min_size=1, max_size=260),
    st.from_regex(r"[a-z]{2,11}-[0-9a-f]{1,10}", fullmatch=True),
)
def test_second_name_is_safe_and_other(text: str, tag: str) -> None:
    """Law: the second name of a safe name is safe, different, and keeps the ending."""
    name = _passes(text.replace("/", "").replace("\\", ""))
    try:
        second = second_name(name, tag)
    except UnsafePath:
        assert len(name.rpartition(".")[2].encode()) > 150
        return
    assert second != name
    assert safe_name(second) == second
    assert f"({tag})" in second


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("ink.safetensors", "ink (civitai-123).safetensors"),
        ("ink", "ink (civitai-123)"),
        (".hidden", ".hidden (civitai-123)"),
        ("v1.5.ckpt", "v1.5 (civitai-123).ckpt"),
        ("x" * 196 + ".gguf", "x" * 181 + " (civitai-123).gguf"),
    ],
)
def test_second_name(name: str, second: str) -> None:
    """The mark stands before the ending, and long stems make room for it."""
    assert second_name(name, "civitai-123") == second


def test_second_name_without_room() -> None:
    """An ending that leaves no stem is refused, not cut."""
    with pytest.raises(UnsafePath):
        second_name("a." + "x" * 190, "civitai-123")


@pytest.mark.parametrize(
    ("one", "other"),
    [("é", "e\u0301"), ("ß", "SS"), ("k", "\u212a"), ("ﬁ", "fi"), ("A.PT", "a.pt"), ("Å", "\u212b")],
)
def test_fold(one: str, other: str) -> None:
    """Names that some file system takes for the same have the same key."""
    assert fold(one) == fold(other)


@given(st.text())
def test_printable_is_harmless(text: str) -> None:
    """Law: what is shown has no control but newline and tab, nothing invisible, and can be encoded."""
    shown = printable(text)
    assert all(c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cf"} for c in shown)
    shown.encode()
    assert printable(shown) == shown
