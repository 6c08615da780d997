"""From the named texts of a file to the workflow and the prompt among them.

workflow, prompt       the JSON itself: PNG, mp4, webm, flac, mp3, opus, latents
"workflow:{…}"         EXIF of WebP and JPEG; any tag may carry it
comment, usercomment   {"prompt": {…}, "workflow": {…}}: VideoHelperSuite before 2025, savers of JPEG, SVG
parameters             A1111's infotext: no workflow, but worth a word
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from ...catalog import Json
from ...decode import DecodeError, parse_json
from ...errors import InvalidWorkflow
from .span import TEXT_LIMIT

GRAPHS: Final = ("workflow", "prompt")
COMMENTS: Final = frozenset({"comment", "description", "usercomment", "imagedescription"})
INFOTEXT: Final = "parameters"

_HINT_NONE: Final = (
    "Give the file as ComfyUI saved it (editors, messengers and most sites remove the workflow), "
    "or the workflow exported as JSON."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """What a file carries, as UTF-8 JSON text nobody has parsed yet; a plain JSON file is its own workflow.

    `container` is "json", "png", "webp", "jpeg", "avif", "exr", "svg", "mp4", "webm", "mkv", "flac", "ogg",
    "mp3", "glb" or "safetensors". `workflow` is the saved graph, `prompt` the API form; one may be None.
    """

    container: str
    workflow: bytes | None
    prompt: bytes | None


class Tag(NamedTuple):
    """A named text of a file."""

    name: str
    text: bytes


def is_wanted(name: str) -> bool:
    """Whether a text of this name can hold a workflow, or tell why there is none."""
    name = _plain(name)
    return name in GRAPHS or name in COMMENTS or name == INFOTEXT


def gather(container: str, title: str, tags: Iterator[Tag]) -> Embedded:
    """The workflow and the prompt among the tags; the last of each name counts, as in the front end.

    A file that turns out damaged after one of them was read still gives it.

    Raises:
        InvalidWorkflow: there is neither; `title` says in what.
    """
    found: dict[str, bytes] = {}
    infotext = False
    try:
        for tag in _bounded(tags):
            found.update(_graphs(tag))
            infotext = infotext or b"Steps: " in tag.text
    except InvalidWorkflow as fault:
        if not found:
            raise InvalidWorkflow(f"{title}: {fault.message}", hint=fault.hint) from fault
    if not found:
        got = "A1111 infotext (prompt and settings as text)" if infotext else "none"
        raise InvalidWorkflow(f"{title}: expected a ComfyUI workflow inside, got {got}", hint=_HINT_NONE)
    return Embedded(container=container, workflow=found.get("workflow"), prompt=found.get("prompt"))


def _bounded(tags: Iterator[Tag]) -> Iterator[Tag]:
    """The same tags up to a sum: entries of EXIF may all point at one large text."""
    total = 0
    for tag in tags:
        total += len(tag.text)
        if total > TEXT_LIMIT:
            raise InvalidWorkflow(f"its texts are over the limit of {TEXT_LIMIT:,} bytes")
        yield tag


def tags_in(value: Json) -> Iterator[Tag]:
    """The workflow and the prompt that are members of a JSON object, as objects or as text of JSON."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        if _plain(key) not in GRAPHS:
            continue
        if isinstance(inner, str):
            yield Tag(key, inner.encode(errors="replace"))
        elif isinstance(inner, dict | list):
            yield Tag(key, _printed(inner))


def _printed(value: Json) -> bytes:
    try:
        return json.dumps(value).encode()
    except RecursionError as fault:
        raise InvalidWorkflow("its JSON is nested too deeply to be read") from fault


def _graphs(tag: Tag) -> dict[str, bytes]:
    name, text = _plain(tag.name), _as_utf8(tag.text)
    if name in GRAPHS:
        return {name: text} if _is_json(text) else {}
    key, _, rest = text.partition(b":")
    prefix = _plain(key[:16].decode(errors="replace"))
    if prefix in GRAPHS:
        return {prefix: rest} if _is_json(rest) else {}
    return _graphs_of_comment(text) if name in COMMENTS and _is_json(text) else {}


def _graphs_of_comment(text: bytes) -> dict[str, bytes]:
    try:
        value = parse_json(text, limit=TEXT_LIMIT)
        inside = {_plain(tag.name): tag.text for tag in tags_in(value) if _is_json(tag.text)}
    except DecodeError:  # somebody else's comment that begins like JSON
        return {}
    if inside or not isinstance(value, dict):
        return inside
    if isinstance(value.get("nodes"), list):
        return {"workflow": text}
    # CivitAI's own images: the prompt is the comment, with "extra" beside its nodes.
    is_prompt = any(isinstance(node, dict) and "class_type" in node for node in value.values())
    return {"prompt": text} if is_prompt else {}


def _plain(name: str) -> str:
    return name.strip().lower()


def _is_json(text: bytes) -> bool:
    """Whether it begins like an object or a list; other tools put plain words under `prompt`."""
    return text[:64].lstrip()[:1] in {b"{", b"["}


def _as_utf8(text: bytes) -> bytes:
    """The text in UTF-8: PNG and ID3 say Latin-1, writers and the front end mean UTF-8."""
    text = text.rstrip(b"\0")
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1").encode()
    return text
