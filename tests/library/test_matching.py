"""Which local files a reference may mean."""

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.catalog import LocalFile
from comfywatchman.library.matching import LocalNames
from comfywatchman.library.roots import Root
from comfywatchman.library.scan import scan_roots
from comfywatchman.resolution import Placement
from comfywatchman.workflow.references import Reference

EXACT, SPELLING, _, SUBFOLDER, FOLDER = Placement


def local(path: str, folder: str = "loras", root: str = "/m") -> LocalFile:
    return LocalFile(folder=folder, path=path, root=root, size=1, mtime_ns=1)


def reference(name: str, folder: str = "loras", **more: Any) -> Reference:
    return Reference(node_id="1", node_type="N", input_name="i", folder=folder, name=name, **more)


def find(files: list[LocalFile], asked: Reference) -> list[tuple[str, Placement]]:
    return [(match.file.path, match.placement) for match in LocalNames(files).find(asked)]


NFC = unicodedata.normalize("NFC", "é.safetensors")
NFD = unicodedata.normalize("NFD", NFC)


@pytest.mark.parametrize(
    ("on_disk", "asked", "placement"),
    [
        ("a.safetensors", "a.safetensors", EXACT),
        ("SDXL/a.safetensors", "SDXL/a.safetensors", EXACT),
        ("SDXL/a.safetensors", "SDXL\\a.safetensors", EXACT),
        ("SDXL\\a.safetensors", "SDXL/a.safetensors", EXACT),
        ("SDXL/a.safetensors", "/x/../SDXL//a.safetensors", EXACT),
        ("a.safetensors", "A.safetensors", SPELLING),
        ("a.SafeTensors", "a.safetensors", SPELLING),
        ("sdxl/a.safetensors", "SDXL/A.safetensors", SPELLING),
        (NFD, NFC, SPELLING),
        (NFC, NFD, SPELLING),
        ("straße.pt", "STRASSE.pt", SPELLING),
        ("SDXL/a.safetensors", "a.safetensors", SUBFOLDER),
        ("a.safetensors", "SDXL/a.safetensors", SUBFOLDER),
        ("SDXL/A.safetensors", "SD15/a.safetensors", SUBFOLDER),
        ("a.safetensors", "a.sft", None),
        ("a.safetensors", "aa.safetensors", None),
        ("ba.safetensors", "a.safetensors", None),
        ("a.safetensors", "", None),
        ("a.safetensors", "..", None),
    ],
)
def test_placement(on_disk: str, asked: str, placement: Placement | None):
    """One file against one name, in the same folder."""
    expected = [] if placement is None else [(on_disk, placement)]

    assert find([local(on_disk)], reference(asked)) == expected


@pytest.mark.parametrize(
    ("folder", "other_folders", "placement"),
    [
        ("loras", (), EXACT),
        ("vae", ("loras",), EXACT),
        ("vae", (), FOLDER),
    ],
)
def test_folder(folder: str, other_folders: tuple[str, ...], placement: Placement):
    """A file in a folder that serves the input counts as there; in another folder it is said to be so."""
    asked = reference("x/a.pt", folder, other_folders=other_folders)

    assert find([local("x/a.pt")], asked) == [("x/a.pt", placement)]


@pytest.mark.parametrize(
    ("name", "placement"), [("sdxl", EXACT), ("SDXL", SPELLING), ("x/sdxl", SUBFOLDER), ("unet", None)]
)
def test_diffusers(name: str, placement: Placement | None):
    """A diffusers model is a folder, known by the file that says what is in it."""
    index = "sdxl/model_index.json"
    disk = [local(index, "diffusers"), local("sdxl/unet/diffusion_pytorch_model.safetensors", "diffusers")]
    expected = [] if placement is None else [(index, placement)]

    assert find(disk, reference(name, "diffusers")) == expected


def test_old_folder_name():
    """A reference that still says unet means diffusion_models."""
    assert find([local("a.pt", "diffusion_models")], reference("a.pt", "unet")) == [("a.pt", EXACT)]


@pytest.mark.parametrize(
    ("on_disk", "asked", "placement"),
    [
        ("EasyNegative.pt", "EasyNegative", EXACT),
        ("EasyNegative.safetensors", "easynegative", SPELLING),
        ("neg/EasyNegative.safetensors", "EasyNegative", SUBFOLDER),
        ("neg/EasyNegative.safetensors", "neg\\EasyNegative", EXACT),
        ("ink-v1.5.safetensors", "ink-v1.5", EXACT),
        ("ink-v1.safetensors", "ink-v1.5", None),
        ("ink-v1.5", "ink-v1.5", EXACT),
        ("EasyNegative.pt", "EasyNegative.safetensors", None),
        ("EasyNegativeV2.pt", "EasyNegative", None),
    ],
)
def test_without_extension(on_disk: str, asked: str, placement: Placement | None):
    """Embeddings and LoRA tags name no extension: any model's fits, and a dot in a name is no extension."""
    expected = [] if placement is None else [(on_disk, placement)]

    assert find([local(on_disk, "embeddings")], reference(asked, "embeddings")) == expected


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "Model.fp16.safetensors",
        "diffusion_pytorch_model.safetensors",
        "diffusion_pytorch_model.fp16.safetensors",
        "diffusion_pytorch_model-00001-of-00003.safetensors",
        "pytorch_model.bin",
        "open_clip_pytorch_model.bin",
        "pytorch_lora_weights.safetensors",
        "adapter_model.bin",
        "model",
    ],
)
def test_generic_names(name: str):
    """A name that hundreds of files have means only the file at its whole path."""
    file = name if "." in name else f"{name}.bin"
    disk = [local(f"one/{file}"), local(f"two/{file}"), local(file, "vae")]

    assert find(disk, reference(name)) == []
    assert find(disk, reference(f"two/{name}")) == [(f"two/{file}", EXACT)]
    assert find(disk, reference(f"TWO/{name}")) == [(f"two/{file}", SPELLING)]


@pytest.mark.parametrize("name", ["ae.safetensors", "model-ink.safetensors", "my_model.safetensors"])
def test_telling_names(name: str):
    """The control: a name that says something is found elsewhere too."""
    assert find([local(f"one/{name}")], reference(name)) == [(f"one/{name}", SUBFOLDER)]


def test_order():
    """Best first: exact, spelling, sub-folder, folder; the reference's own folder before others."""
    disk = [
        local("a.pt", "vae"),
        local("deep/er/a.pt"),
        local("z/a.pt"),
        local("A.pt"),
        local("a.pt", "checkpoints"),
        local("a.pt"),
    ]
    matches = LocalNames(disk).find(reference("a.pt", other_folders=("checkpoints",)))

    assert [(m.file.folder, m.file.path, m.placement) for m in matches] == [
        ("loras", "a.pt", EXACT),
        ("checkpoints", "a.pt", EXACT),
        ("loras", "A.pt", SPELLING),
        ("loras", "z/a.pt", SUBFOLDER),
        ("loras", "deep/er/a.pt", SUBFOLDER),
        ("vae", "a.pt", FOLDER),
    ]


def test_order_of_roots():
    """The same path under two roots: the one ComfyUI loads comes first, both are told."""
    disk = [local("a.pt", root="/first"), local("a.pt", root="/second")]

    assert [match.file.root for match in LocalNames(disk).find(reference("a.pt"))] == ["/first", "/second"]


def test_order_of_extensions():
    """Of two embeddings with one stem ComfyUI loads the safetensors."""
    disk = [local("e.bin", "embeddings"), local("e.pt", "embeddings"), local("e.safetensors", "embeddings")]

    assert [path for path, _ in find(disk, reference("e", "embeddings"))] == [
        "e.safetensors",
        "e.pt",
        "e.bin",
    ]


def test_composed_names_on_disk(tmp_path: Path):
    """A file written by a Mac (decomposed) is found by the composed name a workflow has."""
    (tmp_path / NFD).touch()
    listing = scan_roots([Root(folder="loras", path=tmp_path)])

    assert [match.file.name for match in LocalNames(listing.files).find(reference(NFC))] in ([NFD], [NFC])


segments = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=12
).filter(lambda text: text not in (".", ".."))
names = st.lists(segments, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".safetensors")


@given(st.lists(names, min_size=1, max_size=8, unique=True))
def test_every_file_by_its_own_path(paths: list[str]):
    """Law: a file is found exactly placed under its own path, whatever else is there."""
    index = LocalNames([local(path) for path in paths])

    for path in paths:
        matches = index.find(reference(path.replace("\\", "/")))
        assert path in [match.file.path for match in matches if match.placement is EXACT]
        assert matches[0].placement is EXACT


@given(st.lists(names, max_size=8), names)
def test_matches_are_ordered(paths: list[str], asked: str):
    """Law: placements never get better down the list, and no file stands in it twice."""
    matches = LocalNames([local(path) for path in dict.fromkeys(paths)]).find(reference(asked))
    ranks = [list(Placement).index(match.placement) for match in matches]

    assert ranks == sorted(ranks)
    assert len({match.file.path for match in matches}) == len(matches)
