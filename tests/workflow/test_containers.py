"""Reading the workflow out of every file that ComfyUI and its node packs save."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workflow import container_writers as write
from workflow.container_writers import WRITERS, Texts

from comfywatchman.errors import InvalidWorkflow
from comfywatchman.workflow.containers import Embedded, read_container

SAMPLES = Path(__file__).parent / "samples"
GRAPH = b'{"nodes": [{"id": 4}], "links": [], "version": 0.4}'
PROMPT = b'{"4": {"class_type": "VAELoader", "inputs": {"vae_name": "a.safetensors"}}}'
TEXTS: Texts = [("prompt", PROMPT), ("workflow", GRAPH)]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
json_texts = st.builds(
    lambda value, ascii_only: json.dumps(value, ensure_ascii=ascii_only).encode(),
    st.dictionaries(st.text(), json_values) | st.lists(json_values),
    st.booleans(),
)


def texts_of(found: Embedded) -> tuple[Any, Any]:
    return json.loads(found.workflow or b"null"), json.loads(found.prompt or b"null")


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=25)
@given(workflow=json_texts, prompt=json_texts)
def test_round_trip(name: str, workflow: bytes, prompt: bytes) -> None:
    """Any JSON text embedded by any writer comes back byte for byte."""
    container, writer = WRITERS[name]

    found = read_container(writer([("prompt", prompt), ("workflow", workflow)]))

    assert found == Embedded(container=container, workflow=workflow, prompt=prompt)


@pytest.mark.parametrize("name", WRITERS)
def test_only_one(name: str) -> None:
    """A file may carry the prompt alone (a run by API) or the workflow alone."""
    container, writer = WRITERS[name]

    assert read_container(writer(TEXTS[:1])) == Embedded(container=container, workflow=None, prompt=PROMPT)
    assert read_container(writer(TEXTS[1:])) == Embedded(container=container, workflow=GRAPH, prompt=None)


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(SAMPLES.iterdir()) if path.suffix not in {".json", ".md"}],
    ids=lambda path: path.name,
)
def test_real_files(path: Path) -> None:
    """Files written by the libraries ComfyUI saves with are read; see samples/README.md."""
    expected = tuple(json.loads((SAMPLES / name).read_bytes()) for name in ("workflow.json", "prompt.json"))

    with path.open("rb") as stream:
        assert texts_of(read_container(stream)) == expected


@pytest.mark.parametrize(
    "text",
    [
        GRAPH,
        b"[]",
        b"\xef\xbb\xbf \n" + GRAPH,
        GRAPH.decode().encode("utf-16"),
        GRAPH.decode().encode("utf-16-le"),
        GRAPH.decode().encode("utf-32"),
        b" " * 5000 + GRAPH,
        b'["a free lunch"]',
    ],
)
def test_plain_json(text: bytes) -> None:
    """JSON in any encoding is given back as it is, for whoever parses it."""
    assert read_container(text) == Embedded(container="json", workflow=text, prompt=None)


def usercomment(code: bytes, encoding: str, order: str = "<") -> bytes:
    return write.exif([], comment=code + write.both(TEXTS).decode().encode(encoding), order=order)


JPEG_EXIF = b"Exif\0\0"
COMMENTS: dict[str, bytes] = {
    "jpeg comment": write.jpeg((0xFE, write.both(TEXTS))),
    "members as text": write.jpeg((0xFE, json.dumps({name: text.decode() for name, text in TEXTS}).encode())),
    "capital members": write.jpeg((0xFE, write.both([(name.title(), text) for name, text in TEXTS]))),
    "ASCII": write.jpeg((0xE1, JPEG_EXIF + usercomment(b"ASCII\0\0\0", "ascii"))),
    "no code": write.jpeg((0xE1, JPEG_EXIF + usercomment(b"", "ascii"))),
    "UTF-16, file's order": write.webp((b"EXIF", usercomment(b"UNICODE\0", "utf-16-le"))),
    "UTF-16, big in a little file": write.webp((b"EXIF", usercomment(b"UNICODE\0", "utf-16-be"))),
    "UTF-16, little in a big file": write.webp((b"EXIF", usercomment(b"UNICODE\0", "utf-16-le", ">"))),
    "UTF-16 with a mark": write.webp((b"EXIF", usercomment(b"UNICODE\0", "utf-16"))),
    "image description": write.webp((b"EXIF", write.exif([(0x010E, 2, write.both(TEXTS) + b"\0")]))),
    "mp4": write.comment_mp4(TEXTS),
    "mov": write.mp4(
        write.box(
            b"udta", write.box(b"\xa9cmt", struct.pack(">HH", len(write.both(TEXTS)), 0) + write.both(TEXTS))
        )
    ),
    "top level udta": write.box(b"ftyp", b"isom")
    + write.box(
        b"udta", write.box(b"meta", bytes(4) + write.meta_with_keys([("comment", write.both(TEXTS))]))
    ),
    "webm": write.matroska([("comment", write.both(TEXTS))]),
    "opus description": write.ogg([("description", write.both(TEXTS))]),
    "id3 COMM": write.id3(write.id3_frame(b"COMM", b"\3eng\0" + write.both(TEXTS))),
    "id3 COMM in UTF-16": write.id3(
        write.id3_frame(
            b"COMM",
            b"\1eng" + "\ufeff\0\ufeff".encode("utf-16-le") + write.both(TEXTS).decode().encode("utf-16-le"),
        )
    ),
    "svg": write.svg(TEXTS),
    "glb with objects": write.glb({name: json.loads(text) for name, text in TEXTS}),
    "avif, version 1": write.avif(bytes(4) + write.comfy_exif(TEXTS), version=1),
    "avif in idat": write.avif(bytes(4) + write.comfy_exif(TEXTS), version=1, in_meta=True),
    "avif in pieces": write.avif(b"\0\0\0\6Exif\0\0" + write.comfy_exif(TEXTS), cuts=3),
    "extra entries of ours": write.webp(
        (
            b"EXIF",
            write.exif(
                [
                    (0x010F - n, 2, k.encode() + b":" + t + b"\0")
                    for n, (k, t) in enumerate([("x", b"{}"), *TEXTS])
                ]
            ),
        )
    ),
    "id3 2.3 unsynchronised, extended": write.id3(
        struct.pack(">IHI", 6, 0, 0)
        + b"".join(write.id3_frame(b"TXXX", b"\0" + n.encode() + b"\0" + t, version=3) for n, t in TEXTS),
        version=3,
        flags=0xC0,
    ),
    "id3 2.4 frame flags": write.id3(
        write.syncsafe(6)
        + b"\1\0"
        + b"".join(
            write.id3_frame(b"TXXX", b"\0\0\0\0\3" + n.encode() + b"\0" + t, flags=3) for n, t in TEXTS
        ),
        flags=0x40,
    ),
}


@pytest.mark.parametrize("name", COMMENTS)
def test_other_places(name: str) -> None:
    """The places and spellings of node packs, of older ComfyUI and of other tools are read too."""
    assert texts_of(read_container(COMMENTS[name])) == (json.loads(GRAPH), json.loads(PROMPT))


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        (GRAPH, (GRAPH, None)),
        (PROMPT, (None, PROMPT)),
        (b'{"4": {"class_type": "X"}, "extra": {}}', (None, Ellipsis)),
    ],
)
def test_bare_comment(comment: bytes, expected: tuple[Any, Any]) -> None:
    """A comment that is itself a workflow, or a prompt (CivitAI's own images), is taken as such."""
    found = read_container(write.jpeg((0xFE, comment)))

    assert (found.workflow, found.prompt) == tuple(comment if part is Ellipsis else part for part in expected)


@pytest.mark.parametrize(
    ("stored", "meant"),
    [
        ('{"a": "größe"}'.encode(), '{"a": "größe"}'),
        ('{"a": "größe"}'.encode("latin-1"), '{"a": "größe"}'),
        (b'{"a": 1}\0\0', '{"a": 1}'),
    ],
)
def test_text_encoding(stored: bytes, meant: str) -> None:
    """tEXt in UTF-8, which writers mean, and in Latin-1, which the standard says, both become UTF-8."""
    assert read_container(write.png(write.text_chunk("workflow", stored))).workflow == meant.encode()


def test_last_counts() -> None:
    """Of two texts with one name the last counts, as in the front end."""
    twice = [write.text_chunk("workflow", b'{"first": 1}'), write.text_chunk("Workflow", GRAPH)]

    assert read_container(write.png(*twice)).workflow == GRAPH


def test_damage_behind() -> None:
    """What was read before the damage counts: half of a download still has its workflow."""
    whole = write.png(write.text_chunk("workflow", GRAPH), write.png_chunk(b"IDAT", bytes(500)))

    assert read_container(whole[:-300]).workflow == GRAPH


def test_damaged_exif_before() -> None:
    """Broken EXIF in front does not hide the text behind it."""
    assert (
        read_container(
            write.png(write.png_chunk(b"eXIf", b"junk"), write.text_chunk("workflow", GRAPH))
        ).workflow
        == GRAPH
    )


def test_wrong_crc() -> None:
    """A wrong CRC is no reason to refuse, as in the front end."""
    chunk = write.text_chunk("workflow", GRAPH)

    assert read_container(write.png(chunk[:-4] + b"\0\0\0\0")).workflow == GRAPH


class Counting(io.FileIO):
    """A file that counts the bytes read from it."""

    count = 0

    def readinto(self, buffer: Any) -> int:
        got = super().readinto(buffer)
        self.count += got or 0
        return got or 0


def reading(path: Path, act: Callable[[BinaryIO], object]) -> int:
    raw = Counting(path)
    with io.BufferedReader(raw) as stream:
        stream.seek(77)  # wherever it stands
        act(stream)
    return raw.count


def test_large_film(tmp_path: Path) -> None:
    """Of an mp4 of 2 GiB only headers and tags are read."""
    path = tmp_path / "film"
    small = write.comfy_mp4(TEXTS)
    moov = small[small.index(b"moov") - 4 :]
    with path.open("wb") as file:
        file.write(write.box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"mdat", (2 << 30) + 16))
        file.seek(2 << 30, io.SEEK_CUR)
        file.write(moov)
    found: list[Embedded] = []

    count = reading(path, lambda stream: found.append(read_container(stream)))

    assert (found[0].workflow, found[0].prompt) == (GRAPH, PROMPT)
    assert count < 64 * 1024


@pytest.mark.parametrize(
    ("start", "what"),
    [(b'{"nodes": [', "JSON text of 104,857,600 bytes"), (write.PNG_MAGIC, "PNG image of 104,857,600 bytes")],
)
def test_too_large(tmp_path: Path, start: bytes, what: str) -> None:
    """100 MB that call themselves JSON or an image are refused without being read."""
    path = tmp_path / "large"
    path.write_bytes(start)
    with path.open("r+b") as file:
        file.truncate(100 << 20)

    def refused(stream: BinaryIO) -> None:
        with pytest.raises(InvalidWorkflow, match=what):
            read_container(stream)

    assert reading(path, refused) < 64 * 1024


def test_nearly_too_large() -> None:
    """The limit refuses what is over it, and only that."""
    text = b"[" + b" " * ((20 << 20) - 2) + b"]"

    assert read_container(text).container == "json"
    with pytest.raises(InvalidWorkflow, match="over the limit of 20,971,520"):
        read_container(text + b" ")


NOTHING: Texts = []


@pytest.mark.parametrize("name", WRITERS)
def test_none_inside(name: str) -> None:
    """A file of a kind that can carry a workflow and does not is told as such, with what to do."""
    for texts in (NOTHING, [("prompt", b"a cat on a mat"), ("workflow", b"null")]):
        with pytest.raises(InvalidWorkflow, match="expected a ComfyUI workflow inside, got none") as caught:
            read_container(WRITERS[name][1](texts))
        assert "as ComfyUI saved it" in caught.value.hint


@pytest.mark.parametrize(
    "file",
    [
        write.png(write.text_chunk("parameters", b"a cat\nSteps: 20, Sampler: Euler a")),
        write.jpeg(
            (0xE1, JPEG_EXIF + write.exif([], comment=b"UNICODE\0" + "a cat\nSteps: 20".encode("utf-16-be")))
        ),
    ],
)
def test_infotext(file: bytes) -> None:
    """A1111's infotext is named, for it looks like metadata and is no workflow."""
    with pytest.raises(InvalidWorkflow, match="got A1111 infotext"):
        read_container(file)


@pytest.mark.parametrize(
    "file",
    [
        write.png(write.text_chunk("comment", b"{not JSON")),
        write.jpeg((0xFE, b"[1, 2]")),
        write.jpeg((0xFE, b'{"prompt": "a cat", "workflow": 7}')),
        write.id3(write.id3_frame(b"TXXX", b"")),
        write.id3(write.id3_frame(b"TXXX", b"\7workflow\0{}")),
        write.id3(write.id3_frame(b"TXXX", b"\3workflow\0{}", flags=8)),
        b"\xff\xfb\x90\0sound",
        write.box(b"ftyp", b"avif") + write.box(b"mdat", b""),
        write.glb(None),
        write.safetensors(None),
        b"glTF" + struct.pack("<III", 2, 20, 0) + b"BIN\0",
        b'<svg xmlns="x"><metadata>{}</metadata></svg>',
        write.webp((b"EXIF", write.exif([(0x0112, 3, b"\1\0")], comment=b"ASCII\0\0\0nothing"))),
        write.mp4(write.box(b"udta", write.box(b"meta", bytes(4) + write.box(b"hdlr", bytes(20))))),
        write.matroska([], doctype=b"webm")
        + write.element(0x1254C367, write.element(0x7373, write.element(0x67C8, b""))),
    ],
)
def test_others_metadata(file: bytes) -> None:
    """Metadata of other tools, whatever its shape, is no workflow and no fault."""
    with pytest.raises(InvalidWorkflow, match="got none"):
        read_container(file)


@pytest.mark.parametrize(
    ("file", "what"),
    [
        (b"", "an empty file"),
        (b" \r\n\0", "an empty file"),
        (b"PK\x03\x04rest", "a zip archive"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\n<!DOCTYPE html><svg>", "a web page"),
        (b"<html lang=en>", "a web page"),
        (b"<?xml version='1.0'?><rss/>", "XML"),
        (b"GGUF\3\0\0\0", "GGUF model weights"),
        (b"\x80\x02}q\0.", "a Python pickle"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"GIF89a", "a GIF image"),
        (b"RIFF\0\0\0\0WAVEfmt ", "a WAV audio file"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"MZ\x90\0", "a program"),
        (b"nodes: []\n", "text that is no JSON: 'nodes: \\[\\]'"),
        (b"\x01\x02\x03\x04", "an unknown binary file that begins with 01 02 03 04"),
        (bytes(5000), "an unknown binary file"),
    ],
)
def test_strangers(file: bytes, what: str) -> None:
    """What carries no workflow is called by its name."""
    with pytest.raises(InvalidWorkflow, match=what):
        read_container(file)
