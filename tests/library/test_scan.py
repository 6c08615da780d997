"""Scanning real trees, with all that people and systems put into them."""

import hashlib
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comfywatchman.catalog import LocalFile
from comfywatchman.digest import Digest
from comfywatchman.errors import FileChanged, Interrupted
from comfywatchman.library.roots import Root, find_roots
from comfywatchman.library.scan import MAX_DEPTH, Listing, hash_file, scan_roots

Plant = Callable[..., Path]
posix_only = pytest.mark.skipif(os.name != "posix", reason="POSIX file systems")


def scan(top: Path, folder: str = "loras", **options: Any) -> Listing:
    return scan_roots([Root(folder=folder, path=top)], **options)


def found(listing: Listing) -> list[str]:
    return [file.path for file in listing.files]


class Sha256:
    """What hasher.Hasher does, by hashlib alone."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def update(self, chunk: bytes) -> None:
        self.hash.update(chunk)

    def digests(self) -> tuple[Digest, ...]:
        return (Digest.sha256(self.hash.hexdigest()),)


def test_files(plant: Plant):
    """Model files in all sub-folders, with `/`, size and time; sorted."""
    top = plant("b.safetensors", "SDXL/style/ink.SFT", "a.gguf", text="four")

    listing = scan(top)

    assert found(listing) == ["SDXL/style/ink.SFT", "a.gguf", "b.safetensors"]
    assert listing.unread == ()
    first = listing.files[-1]
    assert first == LocalFile(
        folder="loras",
        path="b.safetensors",
        root=str(top),
        size=4,
        mtime_ns=(top / "b.safetensors").stat().st_mtime_ns,
    )


@pytest.mark.parametrize(
    "name",
    [
        "x.safetensors.0123abcd.cwpart",
        "x.safetensors.part",
        "x.safetensors.mismatch-0123abcd",
        "x.safetensors.aria2",
        "x.preview.png",
        "x.civitai.info",
        "readme.md",
        "put_loras_here",
        ".x.safetensors",
        "._x.safetensors",
        ".cache/huggingface/download/x.safetensors",
        ".git/x.bin",
        "safetensors",
    ],
)
def test_left_out(plant: Plant, name: str):
    """Unfinished, set aside, hidden and foreign files are no models; the one beside them is."""
    top = plant(name, "good.safetensors")

    assert found(scan(top)) == ["good.safetensors"]


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("configs", ["v1.yaml"]),
        ("classifiers", ["net", "w.pt"]),
        ("diffusers", ["model_index.json", "w.pt"]),
        ("loras", ["w.pt"]),
        ("some_pack", ["w.pt"]),
    ],
)
def test_extensions(plant: Plant, folder: str, expected: list[str]):
    """Each folder holds its own kind; one without a list of kinds holds what looks like a model."""
    assert (
        found(scan(plant("v1.yaml", "net", "w.pt", "notes.txt", "model_index.json", "x.json"), folder))
        == expected
    )


def test_links(plant: Plant, tmp_path: Path):
    """Linked folders and files count under the names they have here; a link to nothing does not."""
    plant("big/x.safetensors", "root/")
    root = tmp_path / "root"
    (root / "more").symlink_to(tmp_path / "big")
    (root / "again").symlink_to(tmp_path / "big")
    (root / "y.safetensors").symlink_to(tmp_path / "big/x.safetensors")
    (root / "z.safetensors").symlink_to(tmp_path / "gone")

    listing = scan(root)

    assert found(listing) == ["again/x.safetensors", "more/x.safetensors", "y.safetensors"]
    assert listing.unread == ()


def test_link_loops(plant: Plant):
    """Links in a circle end: to themselves, to the folder above, and to each other."""
    top = plant("a/x.safetensors", "b/y.safetensors")
    (top / "self.safetensors").symlink_to(top / "self.safetensors")
    (top / "a/up").symlink_to(top)
    (top / "a/b").symlink_to(top / "b")
    (top / "b/a").symlink_to(top / "a")

    listing = scan(top)

    assert found(listing) == [
        "a/b/y.safetensors",
        "a/x.safetensors",
        "b/a/x.safetensors",
        "b/y.safetensors",
    ]


def test_link_bomb(plant: Plant):
    """Folders that all link to one another multiply without end; the bound stops them and says so."""
    names = [f"d{n}" for n in range(9)]
    top = plant(*(f"{name}/" for name in names), "a.safetensors")
    for one in names:
        for other in names:
            (top / one / f"to-{other}").symlink_to(top / other)

    listing = scan(top, max_entries=5_000)

    assert len(listing.unread) == 1
    assert "too many" in listing.unread[0].reason


def test_depth(plant: Plant):
    """Forty folders deep is deep enough, and what lies below is told."""
    deep = "d/" * (MAX_DEPTH + 3)
    top = plant("d/x.pt", f"{deep}y.pt")

    listing = scan(top)

    assert found(listing) == ["d/x.pt"]
    assert "folders deep" in listing.unread[0].reason


def test_missing_root(tmp_path: Path):
    """A root nobody made has no files and is no fault."""
    assert scan(tmp_path / "nope") == Listing(())


def test_root_is_a_file(plant: Plant):
    """A file in a root's place is told."""
    listing = scan(plant("loras") / "loras")

    assert listing.files == ()
    assert len(listing.unread) == 1


def test_root_is_a_link_to_itself(tmp_path: Path):
    """A root that cannot even be looked at is told."""
    (tmp_path / "loras").symlink_to(tmp_path / "loras")

    assert len(scan(tmp_path / "loras").unread) == 1


@posix_only
def test_no_regular_file(plant: Plant):
    """Pipes and sockets with a model's name are no models, and opening none of them hangs the scan."""
    top = plant("a.safetensors")
    os.mkfifo(top / "pipe.safetensors")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(top / "s.safetensors"))

    assert found(scan(top)) == ["a.safetensors"]


def in_child_without_rights(check: Callable[[], bool]) -> bool:
    """What `check` gives in a process that is not root: root may read everything."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            status = 0 if check() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@posix_only
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("mode", [0o000, 0o755])
def test_unreadable_directory(mode: int):
    """A folder without read rights is told and the rest is listed; with rights nothing is told."""
    with tempfile.TemporaryDirectory() as name:  # unlike tmp_path it lies where everybody may go
        top = Path(name)
        top.chmod(0o755)
        (top / "shut").mkdir(mode=mode)
        (top / "y.safetensors").touch()

        def check() -> bool:
            listing = scan(top)
            is_told = [unread.reason for unread in listing.unread] == ["Permission denied"]
            return found(listing) == ["y.safetensors"] and is_told is (mode == 0)

        assert in_child_without_rights(check)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_name_that_is_no_text(plant: Plant):
    """A name of bytes that are no UTF-8 is told in ASCII; a name in any script is listed."""
    top = plant("日本語/ñ.safetensors")
    Path(os.fsdecode(bytes(top) + b"/\xff.safetensors")).write_bytes(b"")

    listing = scan(top)

    assert found(listing) == ["日本語/ñ.safetensors"]
    assert listing.unread[0].path.isascii()


def test_all_roots(comfyui: Path, plant: Plant):
    """All folders of an installation, new ones included, and a file that serves two stands in both."""
    plant(
        "ComfyUI/models/unet/old.safetensors",
        "ComfyUI/models/ultralytics/bbox/face.pt",
        "ComfyUI/models/newpack/n.onnx",
        "ComfyUI/output/loras/mine.safetensors",
        "ComfyUI/custom_nodes/pack/model.pt",
    )
    listing = scan_roots(find_roots(comfyui=comfyui))

    assert sorted((file.folder, file.path) for file in listing.files) == [
        ("diffusion_models", "old.safetensors"),
        ("loras", "mine.safetensors"),
        ("newpack", "n.onnx"),
        ("ultralytics", "bbox/face.pt"),
        ("ultralytics_bbox", "face.pt"),
    ]


def test_known_files_are_the_same_values(tmp_path: Path, plant: Plant):
    """A file that is as it was known is that very value; one that changed, moved or is new is another."""
    plant("stays.safetensors", "grows.safetensors", "goes.safetensors")
    before = scan(tmp_path)
    (tmp_path / "grows.safetensors").write_bytes(b"more")
    (tmp_path / "goes.safetensors").rename(tmp_path / "came.safetensors")

    after = scan(tmp_path, known=before.files)

    assert after.files == scan(tmp_path).files
    assert [file.path for file in after.files if any(file is one for one in before.files)] == [
        "stays.safetensors"
    ]


def test_many_files(tmp_path: Path):
    """5,000 files take a fraction of a second: one pass, one stat a file."""
    for number in range(50):
        (tmp_path / str(number)).mkdir()
        for inner in range(100):
            (tmp_path / str(number) / f"{inner}.safetensors").touch()
    began = time.perf_counter()

    assert len(scan(tmp_path).files) == 5_000
    assert time.perf_counter() - began < 2  # measured 0.03 s; ten times slower machines pass


def test_hash_file(plant: Plant):
    """A local file's digest is its content's."""
    file = scan(plant("a.safetensors", text="abc")).files[0]

    assert hash_file(file, Sha256()) == (Digest.sha256(hashlib.sha256(b"abc").hexdigest()),)


def test_hash_changed_file(plant: Plant):
    """A file that is not the one that was listed has no digest."""
    top = plant("a.safetensors", text="abc")
    file = scan(top).files[0]
    (top / "a.safetensors").write_text("abcd", encoding="utf-8")

    with pytest.raises(FileChanged, match="has changed since"):
        hash_file(file, Sha256())


def test_hash_stopped(plant: Plant):
    """Hashing stops when it is told to."""
    file = scan(plant("a.safetensors")).files[0]

    with pytest.raises(Interrupted):
        hash_file(file, Sha256(), stopped=lambda: True)
