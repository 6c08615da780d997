"""Prompts of ComfyUI's own nodes: load, patch, write, sample, decode.

nodes = load("tiny_sd15.ckpt")                          # node "1": MODEL, CLIP, VAE
nodes |= patch("tiny_lora_sd15.safetensors")            # node "2": MODEL, CLIP
nodes |= sample("inkwash", model=["2", 0], clip=["2", 1])   # node "latent"
nodes |= save_image(vae=["1", 2])                       # node "image"
"""

from __future__ import annotations

from typing import Any

Link = list[str | int]  # [node id, number of its output]
Nodes = dict[str, dict[str, Any]]


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    """One node of a prompt."""
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": class_type}}


def load(checkpoint: str) -> Nodes:
    """Node "1": ComfyUI's own loader, with MODEL, CLIP and VAE."""
    return {"1": node("CheckpointLoaderSimple", ckpt_name=checkpoint)}


def patch(lora: str, *, model: float = 1.0, clip: float = 1.0) -> Nodes:
    """Node "2": ComfyUI's own LoRA loader on node "1", with these strengths."""
    inputs = {"lora_name": lora, "strength_model": model, "strength_clip": clip}
    return {"2": node("LoraLoader", model=["1", 0], clip=["1", 1], **inputs)}


def sample(text: str | Link, *, model: Link, clip: Link, seed: int = 7) -> Nodes:
    """Node "latent": two steps at 64 x 64 pixels. "positive" and "negative" are the conditionings."""
    steps = {
        "seed": seed,
        "steps": 2,
        "cfg": 3.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
    }
    return {
        "positive": node("CLIPTextEncode", text=text, clip=clip),
        "negative": node("CLIPTextEncode", text="", clip=clip),
        "empty": node("EmptyLatentImage", width=64, height=64, batch_size=1),
        "latent": node(
            "KSampler",
            model=model,
            positive=["positive", 0],
            negative=["negative", 0],
            latent_image=["empty", 0],
            **steps,
        ),
    }


def save_image(*, vae: Link) -> Nodes:
    """Node "image": decodes "latent" and saves a PNG."""
    return {
        "decoded": node("VAEDecode", samples=["latent", 0], vae=vae),
        "image": node("SaveImage", images=["decoded", 0], filename_prefix="tiny"),
    }


def save_latent() -> Nodes:
    """Node "saved": saves "latent" as it is."""
    return {"saved": node("SaveLatent", samples=["latent", 0], filename_prefix="tiny")}
