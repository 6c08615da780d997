"""The loaders of one checkpoint and of one LoRA."""

from __future__ import annotations

from typing import Any

from comfy_api.v0_0_2 import io

from . import inputs
from .desk import identify, in_words, obtain
from .told import tell
from .weights import apply_lora, load_checkpoint, lora_weights


class CheckpointLoader(io.ComfyNode):
    """A checkpoint by its name here, or by what it is on a hub."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The inputs and outputs; the order never changes."""
        return io.Schema(
            node_id="ComfyWatchmanCheckpointLoader",
            display_name="CivitAI Checkpoint Loader",
            category=inputs.CATEGORY,
            description="Loads a checkpoint; one that is given by link, id or AIR and is missing is "
            "fetched first.",
            inputs=[
                inputs.local_name("ckpt_name", "checkpoints", what="checkpoint"),
                inputs.source(),
                inputs.pinned(),
            ],
            outputs=checkpoint_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, ckpt_name: str | None = None) -> bool | str:
        """A name that is not here is no error yet."""
        return inputs.check_name(ckpt_name)

    @classmethod
    def fingerprint_inputs(cls, ckpt_name: str | None = None, source: str = "", pinned: str = "") -> str:
        """Changes when the file does."""
        return identify(
            inputs.thing_of(ckpt_name, source), folder="checkpoints", pinned=inputs.pins_of(pinned)
        )

    @classmethod
    def execute(cls, ckpt_name: str | None = None, source: str = "", pinned: str = "") -> io.NodeOutput:
        """Fetch it if it must be, and load it."""
        thing = inputs.thing_of(ckpt_name, source)
        return give_checkpoint(thing, pinned=inputs.pins_of(pinned), node_id=cls.hidden.unique_id)


class LoRALoader(io.ComfyNode):
    """A LoRA by its name here, or by what it is on a hub, with its trigger words in the prompt."""

    def __init__(self) -> None:
        """Keeps the LoRAs that were read as long as ComfyUI keeps this object."""
        super().__init__()
        self.weights = lora_weights()

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The inputs and outputs; the order never changes."""
        return io.Schema(
            node_id="ComfyWatchmanLoRALoader",
            display_name="CivitAI LoRA Loader",
            category=inputs.CATEGORY,
            description="Applies a LoRA to a model and puts its trigger words into the prompt; one that is "
            "given by link, id or AIR and is missing is fetched first.",
            inputs=[
                io.Model.Input("model", tooltip="The diffusion model the LoRA is applied to."),
                io.Clip.Input(
                    "clip", optional=True, tooltip="The CLIP the LoRA is applied to; may be left open."
                ),
                inputs.local_name("lora_name", "loras", what="LoRA"),
                inputs.source(),
                inputs.strength("strength_model", "diffusion model"),
                inputs.strength("strength_clip", "CLIP"),
                inputs.prompt(),
                inputs.position(),
                inputs.mismatch(),
                inputs.pinned(),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL"),
                io.Clip.Output(display_name="CLIP"),
                io.String.Output(display_name="prompt", tooltip="The prompt with the words in it."),
                io.String.Output(display_name="words", tooltip="The trigger words alone."),
                io.String.Output(display_name="info", tooltip="What is known of the LoRA."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, lora_name: str | None = None) -> bool | str:
        """A name that is not here is no error yet."""
        return inputs.check_name(lora_name)

    @classmethod
    def fingerprint_inputs(
        cls, lora_name: str | None = None, source: str = "", pinned: str = "", **_: Any
    ) -> str:
        """Changes when the file or its trigger words do."""
        return identify(inputs.thing_of(lora_name, source), folder="loras", pinned=inputs.pins_of(pinned))

    @classmethod
    def execute(  # noqa: PLR0913 - as many as the node has inputs
        cls,
        model: Any,
        *,
        clip: Any = None,
        lora_name: str | None = None,
        source: str = "",
        strength_model: float = 1.0,
        strength_clip: float = 1.0,
        prompt: str = "",
        position: str = "after",
        mismatch: str = "error",
        pinned: str = "",
    ) -> io.NodeOutput:
        """Fetch it if it must be, apply it, and join its words to the prompt."""
        thing = inputs.thing_of(lora_name, source)
        obtained, summary = obtain(
            thing, folder="loras", pinned=inputs.pins_of(pinned), node_id=cls.hidden.unique_id
        )
        with in_words():
            applied = apply_lora(
                model,
                clip,
                obtained,
                strengths=(strength_model, strength_clip if clip is not None else 0),
                summary=summary,
                strict=mismatch != "warn",
            )
        joined = inputs.place(prompt, summary.words, position)
        info = "\n".join(filter(None, (applied.warning, str(summary))))
        words = ", ".join(summary.words)
        return io.NodeOutput(applied.model, applied.clip, joined, words, info, ui=tell([(obtained, summary)]))


def checkpoint_outputs() -> list[Any]:
    """What every loader of a checkpoint gives."""
    return [
        io.Model.Output(display_name="MODEL"),
        io.Clip.Output(display_name="CLIP"),
        io.Vae.Output(display_name="VAE"),
        io.String.Output(display_name="info", tooltip="What is known of the model."),
    ]


def give_checkpoint(thing: str, *, pinned: str, node_id: str | None) -> io.NodeOutput:
    """Those outputs, of a checkpoint that is fetched if it must be."""
    obtained, summary = obtain(thing, folder="checkpoints", pinned=pinned, node_id=node_id)
    return io.NodeOutput(*load_checkpoint(obtained), str(summary), ui=tell([(obtained, summary)]))
