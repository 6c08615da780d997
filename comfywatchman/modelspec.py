r"""What trainers write into a safetensors header's `__metadata__`: `modelspec.*` and kohya's `ss_*`.

    {"modelspec.title": "Ink", "modelspec.trigger_phrase": "ink wash", "ss_output_name": "ink-v2",
     "ss_tag_frequency": "{\"5_ink\": {\"1girl\": 40}}", "sshs_model_hash": "9f…"}

Every value is text, some of it JSON. Names: Stability-AI/ModelSpec, kohya-ss/sd-scripts
(library/train_util.py, library/sai_model_spec.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from .decode import MIB, DecodeError, Value, parse_json
from .digest import Digest
from .errors import InvalidDigest
from .facts import Facts
from .triggers import split_words

COMMON_TAGS: Final = 20

_TRIGGER_KEYS: Final = (
    "modelspec.trigger_phrase",
    "modelspec.trigger_phrases",
    "trigger_phrase",
    "trigger_phrases",
)
_EMPTY_HASH: Final = "e3b0c44298fc"  # SHA-256 of nothing, which broken trainers write
_LONGEST: Final = 20_000


def read_metadata(metadata: Mapping[str, str]) -> Facts:
    """The facts in a header's metadata; what cannot be read is left out."""
    return Facts(
        model_name=_first(metadata, "modelspec.title", "ss_output_name"),
        base_model=_first(metadata, "modelspec.architecture", "ss_base_model_version"),
        author=_first(metadata, "modelspec.author"),
        licence=_first(metadata, "modelspec.license"),
        description=_first(metadata, "modelspec.description", "modelspec.usage_hint"),
        trigger_words=split_words(filter(None, (_first(metadata, key) for key in _TRIGGER_KEYS))),
        common_tags=_common_tags(metadata),
        digests=_autov3(metadata),
    )


def _first(metadata: Mapping[str, str], *keys: str) -> str | None:
    """The first of several keys that says something; trainers write `None` for what they do not know."""
    said = (Value(metadata.get(key)).text_or_none() or "" for key in keys)
    return next((text.strip()[:_LONGEST] for text in said if text.strip() not in ("", "None")), None)


def _common_tags(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The class tokens of the datasets, then the tags that most of the pictures had."""
    tokens = [
        text
        for dataset in _members(_json(metadata, "ss_datasets"))
        for subset in _members(dataset["subsets"])
        if (text := subset["class_tokens"].text_or_none())
    ]
    counts: Counter[str] = Counter()
    for folder in _members(_json(metadata, "ss_tag_frequency")):
        for tag, count in _tags(folder):
            counts[tag] += count
    return split_words([*tokens, *(tag for tag, _ in counts.most_common(COMMON_TAGS))])[:COMMON_TAGS]


def _tags(folder: Value) -> Iterator[tuple[str, int]]:
    """The tags of one folder of pictures and how many pictures have them."""
    for tag, value in folder.entries() if isinstance(folder.json, dict) else ():
        count, text = value.integer_or_none(), Value(tag).text_or_none()
        if text and count is not None and count > 0:
            yield text.strip(), count


def _members(value: Value) -> Iterator[Value]:
    """The members of a list or an object; anything else has none."""
    if isinstance(value.json, list):
        yield from value.items()
    elif isinstance(value.json, dict):
        yield from (inner for _, inner in value.entries())


def _json(metadata: Mapping[str, str], key: str) -> Value:
    """The JSON that stands in a value; what is none counts as missing."""
    try:
        return Value(parse_json(metadata.get(key, "null"), limit=16 * MIB))
    except DecodeError:
        return Value(None)


def _autov3(metadata: Mapping[str, str]) -> tuple[Digest, ...]:
    """The hash of the weights as the trainer wrote it, which is CivitAI's AutoV3."""
    for key in ("modelspec.hash_sha256", "sshs_model_hash"):
        text = metadata.get(key, "").strip().lower().removeprefix("0x")
        if text.startswith(_EMPTY_HASH):
            continue
        try:
            return (Digest("autov3", text),)
        except InvalidDigest:
            continue
    return ()
