"""rgthree-comfy's model info.

<file>.rgthree-info.json
{"name", "baseModel", "sha256", "strengthMin", "strengthMax", "userNote", "links": [],
 "trainedWords": [{"word", "civitai"?, "metadata"?, "user"?}], "raw": {"civitai": {a version}}}
"""

from __future__ import annotations

from dataclasses import replace

from ...decode import Value
from ...facts import Facts
from ...modelspec import COMMON_TAGS
from ...triggers import merge_words, split_words
from .civitai_info import version_facts
from .fields import bound_in, digest_in, members_of, name_in, page_in, prose_in, read_object, words_in

_MARKS = ("trainedWords", "triggerWords", "sha256", "userNote", "raw", "links")


def read(data: bytes, name: str) -> Facts | None:
    """What it says of the file `name`; None for other JSON.

    Raises:
        DecodeError: it is no JSON object.
    """
    record = read_object(data)
    if all(record[key].json is None for key in _MARKS):
        return None
    civitai = version_facts(record["raw"]["civitai"], name)
    links = (page_in(link) for link in members_of(record["links"]))
    return replace(
        civitai,
        model_name=civitai.model_name or name_in(record["name"]),
        base_model=name_in(record["baseModel"]) or civitai.base_model,
        trigger_words=merge_words(_words(record, "author"), words_in(record["triggerWords"])),
        own_words=split_words(_words(record, "user")),
        common_tags=split_words(_words(record, "metadata"))[:COMMON_TAGS],
        notes=prose_in(record["userNote"]),
        weight_min=bound_in(record["strengthMin"]),
        weight_max=bound_in(record["strengthMax"]),
        page=civitai.page or next(filter(None, links), None),
        digests=digest_in(record["sha256"], "sha256"),
    )


def _words(record: Value, source: str) -> list[str]:
    """The words that came from the author, the user, or only from the counted tags of the training."""
    words = ((entry["word"].text_or_none(), _source(entry)) for entry in members_of(record["trainedWords"]))
    return [word for word, where in words if word and where == source]


def _source(entry: Value) -> str:
    if entry["user"].flag():
        return "user"
    return "metadata" if entry["metadata"].flag() and not entry["civitai"].flag() else "author"
