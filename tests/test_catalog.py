"""What hubs publish and what lies on this disk, as values."""

import json
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.air import parse_air
from comfywatchman.catalog import (
    Access,
    Format,
    LocalFile,
    Model,
    RemoteFile,
    Scan,
    Version,
    base_name,
    canonical_folder,
    extension,
    format_of,
)
from comfywatchman.digest import Digest

SHA, BLAKE = Digest("sha256", "a" * 64), Digest("blake3", "b" * 64)
FILE = RemoteFile(
    hub="civitai",
    name="Ink.SafeTensors",
    url="https://civitai.com/api/download/models/5",
    digests=(BLAKE, SHA),
    air=parse_air("urn:air:sdxl:lora:civitai:3@5"),
    access=Access.EARLY,
    folder="loras",
    scan=Scan.PASSED,
    trigger_words=("ink", "wash"),
)
PLAIN = RemoteFile(hub="web", name="x", url="https://example.org/x")
LOCAL = LocalFile(folder="loras", path="s/Ink.gguf", root="/models/loras", size=3, mtime_ns=5, digests=(SHA,))


def test_remote_file() -> None:
    """A file tells its format by its name and its digests by their algorithm."""
    assert FILE.format == "safetensors"
    assert FILE.digest("sha256") == SHA
    assert FILE.digest("crc32") is None


def test_remote_file_in_json() -> None:
    """Every field of the FILE object is there, null where not known, and plain JSON."""
    told = FILE.to_dict()
    assert json.loads(json.dumps(told)) == told
    assert told["digests"] == [str(BLAKE), str(SHA)]
    assert (told["air"], told["access"], told["scan"]) == (str(FILE.air), "early-access", "passed")
    assert told["trigger_words"] == ["ink", "wash"]
    promised = {"hub", "name", "url", "page", "size", "digests", "air", "folder", "access", "format"}
    assert promised | {"base_model", "trigger_words", "licence"} <= set(told)
    plain = PLAIN.to_dict()
    assert set(plain) == set(told)
    assert (plain["air"], plain["scan"], plain["size"], plain["format"]) == (None, None, None, "other")


def test_local_file() -> None:
    """A local file is known by its place below a root."""
    assert LOCAL.name == "Ink.gguf"
    told = LOCAL.to_dict()
    assert {"folder", "path", "root", "size", "digests", "origin"} <= set(told)
    assert told["digests"] == [str(SHA)]


def test_model_in_json() -> None:
    """A model carries its versions, and they their files."""
    version = Version(id="5", name="v1", files=(FILE,), trigger_words=("ink",))
    model = Model(hub="civitai", id="3", name="Ink", page="https://civitai.com/models/3", versions=(version,))
    told = model.to_dict()
    assert json.loads(json.dumps(told)) == told
    assert told["versions"] == [version.to_dict()]
    assert version.to_dict()["files"] == [FILE.to_dict()]


@pytest.mark.parametrize("value", [FILE, LOCAL, Version(id="5", name="v1")])
def test_values_are_frozen(value: object) -> None:
    """A value never changes."""
    with pytest.raises(FrozenInstanceError):
        setattr(value, "name" if not isinstance(value, LocalFile) else "path", "other")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("unet", "diffusion_models"),
        ("clip", "text_encoders"),
        ("unet_gguf", "diffusion_models"),
        ("clip_gguf", "text_encoders"),
        ("t2i_adapter", "controlnet"),
        ("clip_vision", "clip_vision"),
        ("someones_own", "someones_own"),
    ],
)
def test_canonical_folder(name: str, wanted: str) -> None:
    """Old names of folders become ComfyUI's present ones; others stay."""
    assert canonical_folder(name) == wanted
    assert canonical_folder(wanted) == wanted


@pytest.mark.parametrize(
    ("name", "base", "ending", "form"),
    [
        ("a.safetensors", "a.safetensors", ".safetensors", "safetensors"),
        ("s/a.SFT", "a.SFT", ".sft", "safetensors"),
        ("s\\t/a.b.GGUF", "a.b.GGUF", ".gguf", "gguf"),
        ("a.ckpt", "a.ckpt", ".ckpt", "pickle"),
        ("a.onnx", "a.onnx", ".onnx", "onnx"),
        ("a.tar.gz", "a.tar.gz", ".gz", "archive"),
        ("folder.safetensors/a", "a", "", "other"),
        (".safetensors", ".safetensors", "", "other"),
        ("a.", "a.", ".", "other"),
        ("s/", "", "", "other"),
        ("", "", "", "other"),
    ],
)
def test_names(name: str, base: str, ending: str, form: Format) -> None:
    """The last part of a name, its extension in lower case, and the format that promises."""
    assert (base_name(name), extension(name), format_of(name)) == (base, ending, form)


@given(st.text())
def test_names_of_any_text(name: str) -> None:
    """A base name has no separator and is its own base name; an extension ends it."""
    base = base_name(name)
    assert not set("/\\") & set(base)
    assert base_name(base) == base
    assert base.lower().endswith(extension(name))
