"""The house put together inside ComfyUI: the extension with its nodes and routes."""

from functools import partial
from typing import Final

from comfy_api.v0_0_2 import ComfyExtension, io

from ..comfywatchman import host
from ..comfywatchman.routes.api import ROUTES
from ..comfywatchman.routes.desk import Desk
from ..comfywatchman.routes.serving import mount
from .active import ActiveCheckpoint
from .info import ModelInfo
from .loaders import CheckpointLoader, LoRALoader
from .stack import LoRAStack
from .words import TriggerWords

_PATIENCE: Final = 1.0  # seconds that Ctrl-C may take longer, for transfers to write down how far they are


class ComfyWatchman(ComfyExtension):
    """What ComfyUI asks for the nodes of this pack."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """The classes of all nodes."""
        return [CheckpointLoader, LoRALoader, LoRAStack, TriggerWords, ModelInfo, ActiveCheckpoint]


def comfy_entrypoint() -> ComfyExtension:
    """Called by ComfyUI once, before it serves.

    Routes are added here and not in `on_load`, which ComfyUI calls only since 0.14.
    """
    desk = Desk(host.open_house, send=host.send)
    mount(host.server_routes(), desk, ROUTES)
    host.when_serving(desk.start_later)
    host.when_ending(partial(desk.close, patience=_PATIENCE))
    return ComfyWatchman()
