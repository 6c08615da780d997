r"""ComfyUI-Lora-Manager, and Azornes' model resolver, which writes the same shape.

<stem>.metadata.json, <file>.modelresolver.json
{"model_name", "base_model", "sha256", "autov3", "notes", "trainedWords": [], "civitai": {a version},
 "usage_tips": "{\"strength\": 0.8, \"strength_min\": 0.5, \"strength_max\": 1}"}
"""

from __future__ import annotations

from dataclasses import replace

from ...decode import DecodeError, Value, parse_json
from ...facts import Facts
from ...triggers import merge_words
from .civitai_info import version_facts
from .fields import bound_in, digest_in, name_in, prose_in, read_object, weight_in, words_in

_MARKS = ("file_name", "model_name", "sha256", "civitai", "from_civitai", "trainedWords")


def read(data: bytes, name: str) -> Facts | None:
    """What it says of the file `name`; None for other JSON.

    Raises:
        DecodeError: it is no JSON object.
    """
    record = read_object(data)
    if all(record[key].json is None for key in _MARKS):
        return None
    civitai = version_facts(record["civitai"], name)
    tips = _usage_tips(record["usage_tips"])
    return replace(
        civitai,
        model_name=name_in(record["model_name"]) or civitai.model_name,
        base_model=name_in(record["base_model"]) or civitai.base_model,
        trigger_words=merge_words(words_in(record["trainedWords"]), civitai.trigger_words),
        notes=prose_in(record["notes"]),
        weight=weight_in(tips["strength"]),
        weight_min=bound_in(tips["strength_min"]),
        weight_max=bound_in(tips["strength_max"]),
        digests=(*digest_in(record["sha256"], "sha256"), *digest_in(record["autov3"], "autov3"))
        or civitai.digests,
    )


def _usage_tips(value: Value) -> Value:
    """The tips, which stand there as JSON in a text."""
    try:
        return Value(parse_json(value.text_or_none() or "null", limit=64 << 10))
    except DecodeError:
        return Value(None)
