"""The inputs that several nodes have, under the same names and with the same words everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from comfy_api.v0_0_2 import io

from ..comfywatchman import host
from ..comfywatchman.triggers import join_words

CATEGORY: Final = "comfywatchman"
LORA_STACK: Final = "LORA_STACK"  # the type other packs use: a list of (name, strength, strength for CLIP)
NONE: Final = "none"
POSITIONS: Final = ("before", "after", "off")
MISMATCHES: Final = ("error", "warn")
_LONGEST: Final = 4096


def local_name(id_: str, folder: str, *, what: str, first: tuple[str, ...] = ()) -> Any:
    """A list of the folder's files. It is optional, so that a `source` will do where no file is here yet."""
    tooltip = f"The {what} to use, by its name here. A name that is not here is fetched if `pinned` knows it."
    return io.Combo.Input(id_, options=[*first, *host.list_names(folder)], optional=True, tooltip=tooltip)


def source() -> Any:
    """What wins over the name when it is not empty."""
    return io.String.Input(
        "source",
        default="",
        optional=True,
        placeholder="link, id or AIR",
        tooltip="A CivitAI or Hugging Face page, a CivitAI model id (929497), v: and a version id, an AIR or "
        "hf:owner/repo/file. It wins over the name; what is missing is fetched when the workflow runs.",
    )


def pinned() -> Any:
    """Which release the workflow was made with; filled in after a run."""
    return io.String.Input(
        "pinned",
        default="",
        optional=True,
        tooltip="The version and digest of the model this workflow was made with, so that the same file is "
        "used next time. Filled in after a run; empty it to use the newest version.",
    )


def strength(id_: str, what: str) -> Any:
    """A strength with the limits of ComfyUI's own loader."""
    return io.Float.Input(
        id_,
        default=1.0,
        min=-100.0,
        max=100.0,
        step=0.01,
        optional=True,
        tooltip=f"How strongly to modify the {what}; 0 leaves it alone, and it can be negative.",
    )


def prompt() -> Any:
    """The text that the words are joined to."""
    return io.String.Input(
        "prompt",
        default="",
        multiline=True,
        dynamic_prompts=True,
        optional=True,
        placeholder="prompt",
        tooltip="The trigger words are joined to this text; what you wrote stays as it is.",
    )


def position() -> Any:
    """Where the words go."""
    return io.Combo.Input(
        "position",
        options=list(POSITIONS),
        default="after",
        optional=True,
        tooltip="Where the trigger words go in the prompt. One that stands there already is not added again.",
    )


def mismatch() -> Any:
    """What happens when a LoRA cannot fit the model."""
    return io.Combo.Input(
        "mismatch",
        options=list(MISMATCHES),
        default="error",
        optional=True,
        tooltip="What to do with a LoRA made for another family of models, which can have no good effect: "
        "stop with an error before it is loaded, or go on and say so in `info`.",
    )


def check_name(name: object) -> bool | str:
    """What `validate_inputs` says of a name: any text, since what is not here may be fetched."""
    if name is None or (isinstance(name, str) and len(name) <= _LONGEST):
        return True
    return "expected the name of a file"


def is_nothing(text: object) -> bool:
    """Whether a text names nothing, in our words or others'; ComfyUI makes `None` of a null in a prompt."""
    return text is None or str(text).strip() in ("", NONE, "None")


def thing_of(name: str | None, source_text: str | None) -> str:
    """What is meant: the source where there is one, else the name."""
    meant = name if is_nothing(source_text) else source_text
    return "" if is_nothing(meant) else str(meant).strip()


def pins_of(pinned_text: str | None) -> str:
    """What `pinned` says."""
    return "" if is_nothing(pinned_text) else str(pinned_text)


def place(prompt_text: str | None, words: Iterable[str], where: str) -> str:
    """The prompt with the words it lacks at the chosen place; `off` leaves it as it is."""
    text = prompt_text or ""
    if where == "off":
        return text
    return join_words(text, words, position="before" if where == "before" else "after")
