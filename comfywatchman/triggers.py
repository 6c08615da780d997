r"""Trigger words: split, merge, put into a prompt.

    ["ink wash, <lora:ink:1>", "crown，weapon，", "star \(symbol\)", ""]
        ──split_words──▶  ("ink wash", "crown", "weapon", "star \(symbol\)")
    "a cat", ("ink wash",)
        ──join_words───▶  "a cat, ink wash"

What people enter at the hubs as one word is often a list, a LoRA tag of A1111's prompts, or nothing. A word
is kept as it was written; escapes, weights and wildcards are syntax of the prompt and not read here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from .names import fold

Position = Literal["before", "after"]

_COMMAS: Final = ",，、"
_SEPARATORS: Final = frozenset(_COMMAS + "\n\r")
_BRACKETS: Final[Mapping[str, str]] = {")": "(", "]": "[", "}": "{"}

# Extra networks as A1111 writes them into prompts; no text encoder sees them. A separator ends one, so
# words put side by side never make one.
_TAG: Final = re.compile(rf"<(?:lora|lyco|hypernet):[^<>{_COMMAS}\n\r]*>", re.IGNORECASE)

_LORA: Final = re.compile(r"<(?:lora|lyco):(?P<name>[^<>:\n\r]+)(?::(?P<rest>[^<>\n\r]*))?>", re.IGNORECASE)

_LETTERS: Final = re.compile(r"[\w-]+")  # some of the characters that `_is_letter` knows, in one go


def split_words(entries: Iterable[str]) -> tuple[str, ...]:
    r"""The words in the entries of a hub's or sidecar's list, each once, in order.

    Commas (`，` and `、` too) and line ends separate, but not inside brackets: a weighted group and a
    wildcard stay one word. Words that differ in case only are the same.

    >>> split_words(["armor,  crown，Armor, ", "<lora:ink:0.8>", r"star \(symbol\)", "{red, blue} hat"])
    ('armor', 'crown', 'star \\(symbol\\)', '{red, blue} hat')
    """
    parts = (part.strip() for entry in entries for part in _parts(_TAG.sub(",", entry)))
    return _distinct(part for part in parts if part)


def merge_words(*sources: Iterable[str]) -> tuple[str, ...]:
    """The words of all sources, each once; the first to say a word says how it is written.

    >>> merge_words(["Ink wash", "fog"], ["ink wash", "lamp"])
    ('Ink wash', 'fog', 'lamp')
    """
    return split_words(entry for source in sources for entry in source)


def join_words(prompt: str, words: Iterable[str], *, position: Position) -> str:
    """The prompt with the words it lacks put before or after it; what stands in it is not touched.

    A word is there already when it stands in the prompt as a whole word or phrase, in any case, with or
    without a weight. Joining the same words again changes nothing.

    >>> join_words("a (Ink Wash:1.2) of a cat,", ["ink wash", "fog"], position="after")
    'a (Ink Wash:1.2) of a cat, fog'
    """
    said = _searchable(prompt)
    added = ", ".join(word for word in split_words(words) if not _is_said(word, said))
    if not added:
        return prompt
    if not prompt.strip():
        return added + prompt if position == "before" else prompt + added
    if position == "before":
        return f"{added}{'' if prompt.lstrip()[0] in _COMMAS else ', '}{prompt}"
    return f"{prompt}{_gap_after(prompt)}{added}"


def leave_out(words: Iterable[str], off: Iterable[str]) -> tuple[str, ...]:
    """The words without those switched off, compared as words are.

    >>> leave_out(["Ink wash", "fog"], ["ink  WASH"])
    ('fog',)
    """
    out = {_key(word) for word in split_words(off)}
    return tuple(word for word in split_words(words) if _key(word) not in out)


def find_tags(text: str) -> tuple[tuple[str, float], ...]:
    """The LoRAs that a prompt's tags name, each with its weight, in order; a weight that is none counts as 1.

    >>> find_tags("a cat <lora:style/ink v2:0.8:0.5> <lyco:fog>")
    (('style/ink v2', 0.8), ('fog', 1.0))
    """
    return tuple((found["name"].strip(), _weight(found["rest"])) for found in _LORA.finditer(text))


def _weight(rest: str | None) -> float:
    """The first number behind a tag's name."""
    try:
        value = float((rest or "1").split(":", 1)[0])
    except ValueError:
        return 1.0
    return value if abs(value) <= 100 else 1.0


def _parts(entry: str) -> Iterator[str]:
    """An entry cut at the separators that stand in no brackets."""
    start = end = 0
    for opening, closing in (*_groups(entry), (len(entry), len(entry))):
        for at in range(end, opening):
            if entry[at] in _SEPARATORS:
                yield entry[start:at]
                start = at + 1
        end = closing
    yield entry[start:]


def _groups(text: str) -> Iterator[tuple[int, int]]:
    """Where the outermost brackets open and close; a bracket without its other half is a letter."""
    found: list[tuple[int, int]] = []
    waiting: list[int] = []
    for at, char in enumerate(text):
        if at and text[at - 1] == "\\":
            continue
        if char in "([{":
            waiting.append(at)
        elif char in _BRACKETS and waiting and text[waiting[-1]] == _BRACKETS[char]:
            opening = waiting.pop()
            while found and found[-1][0] > opening:
                found.pop()
            found.append((opening, at))
    yield from found


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    first: dict[str, str] = {}
    for word in words:
        first.setdefault(_key(word), word)
    return tuple(first.values())


def _key(text: str) -> str:
    """Text as it is compared: case, Unicode form, escapes and the width of gaps do not count."""
    folded = fold(text)
    for bracket in "()[]{}":  # each replaces at once what a pattern would look at one by one
        folded = folded.replace(f"\\{bracket}", bracket)
    return " ".join(folded.split())


def _searchable(prompt: str) -> str:
    """A prompt made ready for looking up keys, without the tags that no text encoder sees."""
    return _key(_TAG.sub(" , ", prompt))


def _is_said(word: str, prompt: str) -> bool:
    """Whether a searchable prompt holds a word that is not a part of a longer one or an embedding's name."""
    key = _key(word)
    is_word = _LETTERS.match(key) is not None
    at = prompt.find(key)
    while at >= 0:
        end = at + len(key)
        is_name = prompt.endswith("embedding:", 0, at)
        if not is_name and not _is_letter(prompt[at - 1 : at]) and not _is_letter(prompt[end : end + 1]):
            return True
        around = _LETTERS.match(prompt, at) if is_word else None  # the word it is in; it begins none there
        at = prompt.find(key, around.end() if around else at + 1)
    return False


def _is_letter(char: str) -> bool:
    """Whether a character makes the word beside it a longer word; there may be none."""
    return bool(char) and (char.isalnum() or char in "_-" or unicodedata.category(char).startswith("M"))


def _gap_after(prompt: str) -> str:
    """What separates a prompt from words behind it."""
    if prompt.rstrip()[-1] not in _COMMAS:
        return ", "
    return "" if prompt[-1].isspace() else " "
