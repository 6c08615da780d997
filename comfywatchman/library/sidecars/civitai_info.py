"""CivitAI's own record of a version, as Civitai-Helper, CivitScraper and others keep it.

<stem>.civitai.info (kulai: <file>.civitai.info), <file>.civitai.json, <stem>.json, <stem>.info
{"id", "modelId", "name", "baseModel", "trainedWords": [], "model": {"name"},
 "files": [{"name", "primary", "hashes": {"SHA256", "AutoV3"}}]}
"""

from __future__ import annotations

from ...catalog import base_name
from ...decode import Value
from ...digest import Digest
from ...facts import Facts
from ...names import fold
from ...records import digests_of, licence_of
from .fields import civitai_page, id_in, members_of, name_in, read_object, words_in


def read(data: bytes, name: str) -> Facts | None:
    """What the record says of the file `name`; None when it is no record of a version.

    Raises:
        DecodeError: it is no JSON object.
    """
    record = read_object(data)
    if not isinstance(record["files"].json, list) and not isinstance(record["trainedWords"].json, list):
        return None
    return version_facts(record, name)


def version_facts(record: Value, name: str) -> Facts:
    """The facts in a version's record, wherever it stands."""
    model_id, version_id = id_in(record["modelId"]), id_in(record["id"])
    return Facts(
        model_name=name_in(record["model"]["name"]),
        version_name=name_in(record["name"]),
        base_model=name_in(record["baseModel"]),
        author=name_in(record["creator"]["username"]),
        licence=licence_of(record["model"]),
        trigger_words=words_in(record["trainedWords"]),
        model_id=model_id,
        version_id=version_id,
        page=civitai_page(model_id, version_id),
        digests=_digests(record, name),
    )


def _digests(record: Value, name: str) -> tuple[Digest, ...]:
    """The digests of the file of that name, or of the only one; none where several may be meant."""
    files = list(members_of(record["files"]))
    meant = [file for file in files if fold(base_name(file["name"].text_or_none() or "")) == fold(name)]
    only = meant or files
    return digests_of(only[0]["hashes"]) if len(only) == 1 else ()
