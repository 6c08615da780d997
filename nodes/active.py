"""The loader of the checkpoint that is active for all workflows."""

from __future__ import annotations

from typing import Final

from comfy_api.v0_0_2 import io

from ..comfywatchman import host
from ..comfywatchman.errors import WatchmanError
from . import inputs
from .desk import identify, in_words
from .loaders import checkpoint_outputs, give_checkpoint

_NONE: Final = (
    "No checkpoint is active.\n"
    "Choose one in the comfywatchman panel, or with `comfywatchman checkpoint NAME`."
)


class ActiveCheckpoint(io.ComfyNode):
    """One checkpoint for many workflows: chosen once, in the panel or by a command."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """The outputs; the order never changes."""
        return io.Schema(
            node_id="ComfyWatchmanActiveCheckpoint",
            display_name="CivitAI Active Checkpoint",
            category=inputs.CATEGORY,
            description="Loads the active checkpoint, one setting for all workflows; it loads anew only when "
            "that changes.",
            inputs=[],
            outputs=checkpoint_outputs(),
            hidden=[io.Hidden.unique_id],
        )

    @classmethod
    def fingerprint_inputs(cls) -> str:
        """Changes when another checkpoint is active, or its file changes."""
        try:
            thing = read_active()
        except WatchmanError as fault:  # execution tells it
            return fault.code
        return "\n".join((thing, identify(thing, folder="checkpoints", pinned="")))

    @classmethod
    def execute(cls) -> io.NodeOutput:
        """Fetch it if it must be, and load it."""
        with in_words():
            thing = read_active()
        if not thing:
            raise RuntimeError(_NONE)
        return give_checkpoint(thing, pinned="", node_id=cls.hidden.unique_id)


def read_active() -> str:
    """What is active: a name, a link, an id or an AIR; empty where nothing is.

    Raises:
        IndexTooNew, IndexLocked: the index cannot be used.
    """
    from ..comfywatchman.library.index import ACTIVE_CHECKPOINT

    choice = host.open_house().index.recall(ACTIVE_CHECKPOINT)
    return choice.value if choice else ""
