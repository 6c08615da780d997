"""Trigger words of LoRAs that any node names, joined to a prompt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from comfy_api.v0_0_2 import io

from ..comfywatchman import host
from ..comfywatchman.errors import InvalidAir, NotHere
from ..comfywatchman.triggers import find_tags, leave_out, merge_words
from . import inputs
from .desk import identify, in_words, open_obtainer
from .stack import read_lora_stack

if TYPE_CHECKING:
    from ..comfywatchman.obtaining import Obtainer


class TriggerWords(io.ComfyNode):
    """The words of a LoRA, a stack, or the LoRA tags in a text."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The inputs and outputs; the order never changes."""
        return io.Schema(
            node_id="ComfyWatchmanTriggerWords",
            display_name="CivitAI Trigger Words",
            category=inputs.CATEGORY,
            description="Joins the trigger words of LoRAs to a prompt: of one LoRA, of a stack, and of those "
            "that <lora:name:weight> tags name. Nothing is loaded or fetched.",
            inputs=[
                inputs.prompt(),
                inputs.local_name("lora_name", "loras", what="LoRA", first=(inputs.NONE,)),
                inputs.source(),
                io.Custom(inputs.LORA_STACK).Input(
                    "lora_stack", optional=True, tooltip="A stack of LoRAs whose words are wanted."
                ),
                io.String.Input(
                    "text",
                    default="",
                    optional=True,
                    multiline=True,
                    placeholder="<lora:name:1>",
                    tooltip="A text with <lora:name:weight> tags, as other packs' nodes have; the words of "
                    "those LoRAs are taken, and the text goes nowhere.",
                ),
                inputs.position(),
                io.String.Input(
                    "off",
                    default="",
                    optional=True,
                    multiline=True,
                    placeholder="words to leave out",
                    tooltip="Words that are switched off, one a line; kept with the workflow.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="prompt", tooltip="The prompt with the words in it."),
                io.String.Output(display_name="words", tooltip="The trigger words alone."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, lora_name: str | None = None) -> bool | str:
        """A name that is not here is no error yet."""
        return inputs.check_name(lora_name)

    @classmethod
    def fingerprint_inputs(
        cls, lora_name: str | None = None, source: str = "", text: str | None = None, **_: Any
    ) -> str:
        """Changes when the words of what is named here do."""
        things = [inputs.thing_of(lora_name, source), *_tagged(text)]
        return "\n\n".join(identify(thing, folder="loras", pinned="") for thing in things)

    @classmethod
    def execute(
        cls,
        *,
        prompt: str = "",
        lora_name: str | None = None,
        source: str = "",
        lora_stack: Any = None,
        text: str = "",
        position: str = "after",
        off: str = "",
    ) -> io.NodeOutput:
        """Gather the words and join them."""
        with in_words():
            obtainer = open_obtainer()
            thing = inputs.thing_of(lora_name, source)
            found = [obtainer.describe(thing, folder="loras").words] if thing else []
            others = [*(row.name for row in read_lora_stack(lora_stack)), *_tagged(text)]
            found += [words for name in others for words in _words_of(obtainer, name)]
        all_words = merge_words(*found)
        words = leave_out(all_words, (off or "").splitlines())
        told = {"comfywatchman": [{"words": list(all_words), "on": list(words)}]}
        return io.NodeOutput(inputs.place(prompt, words, position), ", ".join(words), ui=told)


def _tagged(text: str | None) -> list[str]:
    """The local names of the LoRAs that the tags in a text mean; what is not here has no words."""
    from ..comfywatchman.library.named import find_stem

    tags = find_tags(text or "")
    names = host.list_names("loras") if tags else []
    found = (find_stem(names, stem) for stem, _ in tags)
    return [name for name in found if name is not None]


def _words_of(obtainer: Obtainer, name: str) -> Iterator[tuple[str, ...]]:
    """The words of a LoRA that another node loads; if it is not here, that node says so."""
    try:
        yield obtainer.describe(name, folder="loras").words
    except (NotHere, InvalidAir):
        return
