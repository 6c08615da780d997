"""What the hubs have and workflows name, for the states that are driven for pictures.

The hubs' big files are `Vast`: bytes that say they are more than they are. Only what arrives is really sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from fakehub.server import FakeHub
from webstage import HostPage
from webworkflows import Saved, graph, node

from comfywatchman.demo import models

GB: Final = 1_000_000_000
MB: Final = 1_000_000
HF: Final = "https://huggingface.co"


class Place(Protocol):
    """Where a state is driven: a stage of the host page, or of ComfyUI."""

    hub: FakeHub
    folder: Path

    def open(self) -> HostPage:
        """A new page."""

    def put(self, path: str, data: bytes) -> Path:
        """A model file that lies here."""


class Vast(bytes):
    """Bytes that say to be more: a hub announces gigabytes, and nobody has to keep them."""

    size: int

    def __len__(self) -> int:
        return self.size


def vast(seed: str, size: float) -> bytes:
    """A checkpoint that is announced with that size, in bytes."""
    made = Vast(models.checkpoint(seed))
    made.size = int(size)
    return made


def weights(seed: str, size: float) -> bytes:
    """A LoRA that is as large as it says, in bytes."""
    return models.safetensors({"lora_unet.up.weight": (int(size) // 128, 64)}, seed=seed)


CHECKPOINT: Final = "harborXL_v9_lightning.safetensors"
LORA: Final = "ink_wash_style_xl_v2.safetensors"
VAE: Final = "lamp_vae_fp16.safetensors"


def load_checkpoint(name: str = CHECKPOINT, **more: Any) -> Saved:
    """A checkpoint loader."""
    return node("CheckpointLoaderSimple", name, **more)


def load_lora(name: str = LORA, **more: Any) -> Saved:
    """A LoRA loader."""
    return node("LoraLoader", name, 0.8, 0.8, **more)


def load_vae(name: str = VAE, **more: Any) -> Saved:
    """A VAE loader."""
    return node("VAELoader", name, **more)


def certain_three() -> Saved:
    """A workflow that says where its three models are."""
    return graph(
        load_checkpoint(url=f"{HF}/Comfy-Org/harbor/resolve/main/{CHECKPOINT}", folder="checkpoints"),
        load_lora(url=f"{HF}/Comfy-Org/ink/resolve/main/{LORA}", folder="loras"),
        load_vae(url=f"{HF}/Comfy-Org/lamp/resolve/main/{VAE}", folder="vae"),
    )


def stock_vast(hub: FakeHub) -> None:
    """The three, in their real sizes."""
    hub.add_repo("Comfy-Org/harbor", {CHECKPOINT: vast("harbor", 6.94 * GB)})
    hub.add_repo("Comfy-Org/ink", {LORA: vast("ink", 228 * MB)})
    hub.add_repo("Comfy-Org/lamp", {VAE: vast("lamp", 335 * MB)})


def stock_small(hub: FakeHub) -> None:
    """The three, small enough to be sent."""
    hub.add_repo("Comfy-Org/harbor", {CHECKPOINT: models.checkpoint("harbor")})
    hub.add_repo("Comfy-Org/ink", {LORA: models.lora("ink", trigger="ink wash")})
    hub.add_repo("Comfy-Org/lamp", {VAE: models.vae("lamp")})


def opened(stage: Place, workflow: Mapping[str, Any], *, name: str = "portrait.json") -> HostPage:
    """A page with a workflow and our panel beside it."""
    page = stage.open()
    page.drop(workflow, name=name)
    page.show()
    return page
