"""User metadata of A1111 and Forge; browser-plus and neo add where the file came from.

<stem>.json
{"activation text": "ink wash, brush", "preferred weight": 0.8, "description", "sd version", "notes",
 "modelId", "modelVersionId", "sha256", "activation text groups": [], "modelPageURL"}
<stem>.description.txt    older: the description alone
"""

from __future__ import annotations

from ...facts import Facts
from ...triggers import merge_words
from .fields import (
    civitai_page,
    digest_in,
    id_in,
    name_in,
    page_in,
    prose_in,
    read_object,
    read_text,
    weight_in,
    words_in,
)

_MARKS = ("activation text", "activation text groups", "preferred weight", "sd version")


def read(data: bytes, name: str) -> Facts | None:  # noqa: ARG001 - the signature that all dialects share
    """What it says; None for other JSON.

    The words are the user's own, unless a downloader wrote the file: then they are the author's.

    Raises:
        DecodeError: it is no JSON object.
    """
    record = read_object(data)
    if all(record[key].json is None for key in _MARKS):
        return None
    words = merge_words(words_in(record["activation text"]), words_in(record["activation text groups"]))
    model_id, version_id = id_in(record["modelId"]), id_in(record["modelVersionId"])
    return Facts(
        base_model=name_in(record["sd version"]),
        description=prose_in(record["description"]),
        own_words=() if version_id else words,
        trigger_words=words if version_id else (),
        notes=prose_in(record["notes"]),
        weight=weight_in(record["preferred weight"]),
        model_id=model_id,
        version_id=version_id,
        page=page_in(record["modelPageURL"]) or civitai_page(model_id, version_id),
        digests=digest_in(record["sha256"], "sha256"),
    )


def read_description(data: bytes, name: str) -> Facts | None:  # noqa: ARG001 - as above
    """The description in a file of its own; None when it is blank.

    Raises:
        DecodeError: it is no text.
    """
    text = read_text(data)
    return Facts(description=text) if text else None
