"""Stability Matrix's ConnectedModelInfo.

<stem>.cm-info.json
{"ModelId", "ModelName", "VersionId", "VersionName", "AuthorUsername", "BaseModel", "TrainedWords": [],
 "Hashes": {"SHA256", "CRC32", "BLAKE3"}, "Source": "Civitai" | …, "SourceUrl"}
"""

from __future__ import annotations

from ...facts import Facts
from ...records import digests_of
from .fields import civitai_page, id_in, name_in, page_in, read_object, words_in


def read(data: bytes, name: str) -> Facts | None:  # noqa: ARG001 - the signature that all dialects share
    """What it says; None for other JSON.

    Raises:
        DecodeError: it is no JSON object.
    """
    record = read_object(data)
    if all(record[key].json is None for key in ("ModelId", "ModelName", "VersionId", "TrainedWords")):
        return None
    is_civitai = (name_in(record["Source"]) or "Civitai") == "Civitai"
    model_id = id_in(record["ModelId"]) if is_civitai else None
    version_id = id_in(record["VersionId"]) if is_civitai else None
    return Facts(
        model_name=name_in(record["ModelName"]),
        version_name=name_in(record["VersionName"]),
        base_model=name_in(record["BaseModel"]),
        author=name_in(record["AuthorUsername"]),
        trigger_words=words_in(record["TrainedWords"]),
        model_id=model_id,
        version_id=version_id,
        page=page_in(record["SourceUrl"]) or civitai_page(model_id, version_id),
        digests=digests_of(record["Hashes"]),
    )
