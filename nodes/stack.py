"""As many LoRAs as one likes in one node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from comfy_api.v0_0_2 import io

from ..comfywatchman.errors import InvalidStack
from ..comfywatchman.stacks import StackRow, parse_stack
from ..comfywatchman.triggers import merge_words
from . import inputs
from .desk import identify, in_words, obtain, open_obtainer
from .told import tell
from .weights import apply_lora, lora_weights

if TYPE_CHECKING:
    from ..comfywatchman.obtained import Obtained
    from ..comfywatchman.pins import Pin
    from ..comfywatchman.summary import Summary

_HELP: Final = "on | name, link or id | strength | strength for CLIP | words: a, b"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """A row of the stack with its file. `words` are those chosen of all it has."""

    row: StackRow
    obtained: Obtained
    summary: Summary

    @property
    def words(self) -> tuple[str, ...]:
        return self.summary.words if self.row.words is None else self.row.words


class LoRAStack(io.ComfyNode):
    """LoRAs in a text, a line each, applied in order or handed on as a stack."""

    def __init__(self) -> None:
        """Keeps the LoRAs that were read as long as ComfyUI keeps this object."""
        super().__init__()
        self.weights = lora_weights()

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The inputs and outputs; the order never changes."""
        return io.Schema(
            node_id="ComfyWatchmanLoRAStack",
            display_name="CivitAI LoRA Stack",
            category=inputs.CATEGORY,
            description="Applies any number of LoRAs, a line each, and hands them on as a LORA_STACK; those "
            "that are given by link, id or AIR and are missing are fetched first.",
            inputs=[
                io.String.Input(
                    "loras",
                    default="",
                    multiline=True,
                    optional=True,
                    placeholder=_HELP,
                    tooltip=f"One LoRA a line: {_HELP}. Only the name must be there.",
                ),
                io.Model.Input(
                    "model", optional=True, tooltip="The diffusion model the LoRAs are applied to."
                ),
                io.Clip.Input("clip", optional=True, tooltip="The CLIP the LoRAs are applied to."),
                io.Custom(inputs.LORA_STACK).Input(
                    "lora_stack", optional=True, tooltip="A stack of another node; it comes before the lines."
                ),
                inputs.mismatch(),
                inputs.pinned(),
            ],
            outputs=[
                io.Model.Output(display_name="MODEL"),
                io.Clip.Output(display_name="CLIP"),
                io.Custom(inputs.LORA_STACK).Output(
                    display_name="LORA_STACK",
                    tooltip="All LoRAs, for nodes that apply a stack.",
                ),
                io.String.Output(display_name="words", tooltip="The chosen trigger words of all."),
                io.String.Output(display_name="info", tooltip="What is known of the LoRAs."),
            ],
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def validate_inputs(cls, loras: object = None) -> bool | str:
        """Says which line means nothing, before anything runs."""
        if loras is not None and not isinstance(loras, str):
            return "expected a text, a LoRA a line"
        try:
            parse_stack(loras or "")
        except InvalidStack as fault:
            return fault.message
        return True

    @classmethod
    def fingerprint_inputs(cls, loras: str | None = None, pinned: str = "", **_: Any) -> str:
        """Changes when a file or its trigger words do."""
        rows = (row for row in parse_stack(loras or "") if row.on)
        return "\n\n".join(identify(row.name, folder="loras", pinned=inputs.pins_of(pinned)) for row in rows)

    @classmethod
    def execute(
        cls,
        *,
        loras: str = "",
        model: Any = None,
        clip: Any = None,
        lora_stack: Any = None,
        mismatch: str = "error",
        pinned: str = "",
    ) -> io.NodeOutput:
        """Fetch what must be, apply all in order, and gather their words."""
        pins = inputs.pins_of(pinned)
        with in_words():
            own = parse_stack(loras or "")
            rows = [*read_lora_stack(lora_stack), *(row for row in own if row.on)]
            kept = list(_pins_of(own, pins))
        layers = [_open(row, pins, cls.hidden.unique_id) for row in rows]
        with in_words():
            model, clip, warnings = _apply_all(model, clip, layers, strict=mismatch != "warn")
        words = ", ".join(merge_words(*(layer.words for layer in layers)))
        info = "\n\n".join([*warnings, *(str(layer.summary) for layer in layers)])
        stack = [_entry(layer) for layer in layers]
        told = tell(((layer.obtained, layer.summary) for layer in layers), kept=kept)
        return io.NodeOutput(model, clip, stack, words, info, ui=told)


def read_lora_stack(stack: Any) -> Iterator[StackRow]:
    """The rows of a LORA_STACK as other packs make them: (name, strength, strength for CLIP).

    Raises:
        InvalidStack: it is something else.
    """
    for entry in stack or ():
        match entry:
            case (name, *_) if inputs.is_nothing(name):  # a row of a fixed number that was left empty
                continue
            case (str() as name, int() | float() as strength_model, int() | float() as strength_clip, *_) if (
                isfinite(strength_model) and isfinite(strength_clip)
            ):
                yield StackRow(
                    name=name, strength_model=float(strength_model), strength_clip=float(strength_clip)
                )
            case _:
                raise InvalidStack(
                    "lora_stack: expected (name, strength, strength for CLIP) for each LoRA",
                    hint="Connect a node that gives a LORA_STACK.",
                )


def _pins_of(rows: Iterable[StackRow], pinned: str) -> Iterator[Pin]:
    """The pins of the rows that are off."""
    obtainer = open_obtainer()
    for row in rows:
        if not row.on and (pin := obtainer.pin_of(row.name, folder="loras", pinned=pinned)) is not None:
            yield pin


def _open(row: StackRow, pinned: str, node_id: str | None) -> _Layer:
    obtained, summary = obtain(row.name, folder="loras", pinned=pinned, node_id=node_id)
    return _Layer(row=row, obtained=obtained, summary=summary)


def _apply_all(
    model: Any, clip: Any, layers: Iterable[_Layer], *, strict: bool
) -> tuple[Any, Any, Sequence[str]]:
    warnings = []
    for layer in layers:
        strength_clip = layer.row.strength_clip if clip is not None else 0
        applied = apply_lora(
            model,
            clip,
            layer.obtained,
            strengths=(layer.row.strength_model if model is not None else 0, strength_clip),
            summary=layer.summary,
            strict=strict,
        )
        model, clip = applied.model, applied.clip
        warnings += [applied.warning] if applied.warning else []
    return model, clip, warnings


def _entry(layer: _Layer) -> tuple[str, float, float]:
    return layer.obtained.name, layer.row.strength_model, layer.row.strength_clip
