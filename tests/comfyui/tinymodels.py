"""Tiny models that a real ComfyUI loads, patches and samples on a CPU in a fraction of a second.

    tiny_sd3()          SD3 family, zero conditioning, TAESD        6 MB  checkpoint, safetensors
    tiny_sd3(vae=False) the same without a VAE                    1.1 MB
    tiny_sd15()         SD1.5 family, a whole CLIP-L, TAESD      0.3 MB  checkpoint, torch zip
    tiny_lora_sd3()     one patch of the model                   1.5 KB
    tiny_lora_sd15()    one patch of the model, one of CLIP       23 KB

Everything is made of pure Python, the same bytes each time. Shapes are what ComfyUI's
`comfy/model_detection.py` recognises a family by; depth is free, so it is one. Weights are pseudo-random
halves of one magnitude: large enough that every patch shows in the output, small enough that nothing
overflows. A tensor left out would stay uninitialised and give NaN, so none is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Final
from zlib import crc32

from comfyui.tensorfiles import Shape, Tensor, View, write_safetensors, write_torch_zip

Shapes = Mapping[str, Shape]

ONE: Final = b"\x00\x3c"  # 1.0 as a little-endian half
SMALL: Final = 0x24  # high byte of ±2^-6: what weights are made of
LARGE: Final = 0x3C  # high byte of ±1: what LoRAs are made of

TRIGGER_WORDS: Final = ("inkwash", "rice paper")  # what LORA_METADATA says
LORA_METADATA: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ss_output_name": "tiny_lora_sd15",
        "ss_network_module": "networks.lora",
        "ss_network_dim": "4",
        "ss_base_model_version": "sd_v1",
        "ss_tag_frequency": json.dumps({"10_inkwash": {"inkwash": 40, "rice paper": 25, "soft brush": 3}}),
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-v1/lora",
        "modelspec.title": "Tiny ink wash",
        "modelspec.trigger_phrase": ", ".join(TRIGGER_WORDS),
    }
)


def write_tiny_models(models: Path) -> None:
    """Put one of each into ComfyUI's models folder, under the name that the table above suggests."""
    made = {
        "checkpoints/tiny_sd3.safetensors": tiny_sd3(),
        "checkpoints/tiny_sd3_novae.safetensors": tiny_sd3(vae=False),
        "checkpoints/tiny_sd15.ckpt": tiny_sd15(),
        "loras/tiny_lora_sd3.safetensors": tiny_lora_sd3(),
        "loras/tiny_lora_sd15.safetensors": tiny_lora_sd15(),
    }
    for name, data in made.items():
        path = models / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def tiny_sd3(seed: str = "sd3", *, vae: bool = True) -> bytes:
    """A checkpoint of the SD3 family. Another seed gives another model of the same shape and size.

    A text encoder without weights is made for it, whose conditioning is zero whatever the prompt says.
    """
    shapes = dict(_SD3)
    if vae:
        shapes |= _taesd(16)
    return write_safetensors({name: (shape, _weights(name, shape, seed)) for name, shape in shapes.items()})


def tiny_lora_sd3(seed: str = "lora", *, metadata: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """A LoRA for `tiny_sd3` in kohya's naming."""
    return _lora({"lora_unet_final_layer_linear": (64, 64)}, seed, metadata)


def tiny_lora_sd15(seed: str = "lora", *, metadata: Mapping[str, str] = LORA_METADATA) -> bytes:
    """A LoRA for `tiny_sd15` in kohya's naming, with what trainers write about their training."""
    targets = {
        "lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k": (320, 768),
        "lora_te_text_model_encoder_layers_0_self_attn_q_proj": (768, 768),
    }
    return _lora(targets, seed, metadata)


def tiny_sd15(seed: str = "sd15") -> bytes:
    """A checkpoint of the SD1.5 family with a complete CLIP-L: what it draws depends on the prompt.

    Its 137 million parameters are overlapping views of one pool of 60 000 numbers: element (i, j, …) of a
    tensor is pool[offset + i + j + …]. torch's zip format keeps strides; safetensors cannot.
    """
    pool = _random_halves(_POOL, seed, SMALL) + b"\0\0" + ONE  # and a zero and a one, for views of stride 0
    views = {name: _view(name, shape) for name, shape in (_unet() | _clip_l() | _taesd(4)).items()}
    return write_torch_zip(views, pool)


# ── numbers ──

_POOL: Final = 60_000  # more than the longest view needs: CLIP's vocabulary, 49 408 + 768


def _random_halves(count: int, seed: str, high: int) -> bytes:
    """Halves of random sign between 1 and 2 times the magnitude whose high byte is given."""
    data = bytearray(Random(seed).randbytes(2 * count))
    data[1::2] = data[1::2].translate(bytes(byte & 0x83 | high for byte in range(256)))
    return bytes(data)


def _weights(name: str, shape: Shape, seed: str, high: int = SMALL) -> bytes:
    if name.endswith("vae_scale"):
        return ONE
    if name.endswith("vae_shift"):
        return b"\0\0"
    return _random_halves(prod(shape), f"{seed} {name}", high)


def _view(name: str, shape: Shape) -> View:
    """Offset, shape and strides in the pool. Norms change nothing: their weight is one, all biases zero."""
    still = (0,) * len(shape)
    if name.endswith((".bias", "vae_shift")):
        return _POOL, shape, still
    if _is_norm(name) or name.endswith("vae_scale"):
        return _POOL + 1, shape, still
    span = sum(size - 1 for size in shape) + 1
    return crc32(name.encode()) % (_POOL - span), shape, (1,) * len(shape)


def _is_norm(name: str) -> bool:
    layer = name.rsplit(".", 2)[-2]
    return "norm" in layer or name.endswith(
        ("in_layers.0.weight", "out_layers.0.weight", "model.out.0.weight")
    )


def _lora(targets: Mapping[str, tuple[int, int]], seed: str, metadata: Mapping[str, str]) -> bytes:
    """Rank 4, alpha 1. Targets are (out, in) of the weights to be patched."""
    tensors: dict[str, Tensor] = {}
    for target, (out, into) in targets.items():
        shapes = {f"{target}.lora_down.weight": (4, into), f"{target}.lora_up.weight": (out, 4)}
        tensors |= {name: (shape, _weights(name, shape, seed, LARGE)) for name, shape in shapes.items()}
        tensors[f"{target}.alpha"] = ((), ONE)
    return write_safetensors(tensors, metadata)


# ── shapes: what each family is known by ──


def _biased(prefix: str, layers: Shapes) -> dict[str, Shape]:
    """A weight and a bias for each layer."""
    shapes: dict[str, Shape] = {}
    for name, shape in layers.items():
        shapes[f"{prefix}{name}.weight"] = shape
        shapes[f"{prefix}{name}.bias"] = shape[:1]
    return shapes


_SD3: Final[Shapes] = MappingProxyType(
    {
        # any key here makes the loader build a text encoder; this one belongs to none
        "text_encoders.stub": (1,),
        "model.diffusion_model.pos_embed": (1, 256, 64),
        **_biased(
            "model.diffusion_model.",
            {
                "x_embedder.proj": (64, 16, 2, 2),  # 64 hidden times a depth of 1
                "t_embedder.mlp.0": (64, 256),
                "t_embedder.mlp.2": (64, 64),
                "y_embedder.mlp.0": (64, 2048),
                "y_embedder.mlp.2": (64, 64),
                "context_embedder": (64, 4096),
                "joint_blocks.0.context_block.attn.qkv": (192, 64),
                "joint_blocks.0.context_block.adaLN_modulation.1": (128, 64),
                "joint_blocks.0.x_block.attn.qkv": (192, 64),
                "joint_blocks.0.x_block.attn.proj": (64, 64),
                "joint_blocks.0.x_block.mlp.fc1": (256, 64),
                "joint_blocks.0.x_block.mlp.fc2": (64, 256),
                "joint_blocks.0.x_block.adaLN_modulation.1": (384, 64),
                "final_layer.linear": (64, 64),
                "final_layer.adaLN_modulation.1": (128, 64),
            },
        ),
    }
)


def _unet() -> dict[str, Shape]:
    """The UNet with one level, one residual block and one transformer: 320 and 768 are what SD1.5 is."""
    layers: dict[str, Shape] = {
        "time_embed.0": (1280, 320),
        "time_embed.2": (1280, 1280),
        "input_blocks.0.0": (320, 4, 3, 3),
        **_residual("input_blocks.1.0.", 320),
        "out.0": (320,),
        "out.2": (4, 320, 3, 3),
    }
    for number in (0, 1):  # they take the skipped half too
        layers |= _residual(f"output_blocks.{number}.0.", 640)
        layers[f"output_blocks.{number}.0.skip_connection"] = (320, 640, 1, 1)
    prefix = "model.diffusion_model."
    return _biased(prefix, layers) | _transformer(f"{prefix}input_blocks.1.1.")


def _residual(prefix: str, channels: int) -> dict[str, Shape]:
    return {
        f"{prefix}in_layers.0": (channels,),
        f"{prefix}in_layers.2": (320, channels, 3, 3),
        f"{prefix}emb_layers.1": (320, 1280),
        f"{prefix}out_layers.0": (320,),
        f"{prefix}out_layers.3": (320, 320, 3, 3),
    }


def _transformer(prefix: str) -> dict[str, Shape]:
    block = f"{prefix}transformer_blocks.0."
    shapes = _biased(prefix, {"norm": (320,), "proj_in": (320, 320, 1, 1), "proj_out": (320, 320, 1, 1)})
    shapes |= _biased(block, {"norm1": (320,), "norm2": (320,), "norm3": (320,)})
    shapes |= _biased(block, {"ff.net.0.proj": (2560, 320), "ff.net.2": (320, 1280)})
    for attention, context in (("attn1", 320), ("attn2", 768)):
        shapes |= _biased(f"{block}{attention}.", {"to_out.0": (320, 320)})
        shapes[f"{block}{attention}.to_q.weight"] = (320, 320)
        shapes[f"{block}{attention}.to_k.weight"] = (320, context)
        shapes[f"{block}{attention}.to_v.weight"] = (320, context)
    return shapes


def _clip_l() -> dict[str, Shape]:
    """CLIP-L, always of its full size: 12 layers of 768."""
    prefix = "cond_stage_model.transformer.text_model."
    shapes: dict[str, Shape] = {
        f"{prefix}embeddings.token_embedding.weight": (49408, 768),
        f"{prefix}embeddings.position_embedding.weight": (77, 768),
        **_biased(prefix, {"final_layer_norm": (768,)}),
    }
    layer = {
        **{f"self_attn.{name}_proj": (768, 768) for name in ("q", "k", "v", "out")},
        "layer_norm1": (768,),
        "layer_norm2": (768,),
        "mlp.fc1": (3072, 768),
        "mlp.fc2": (768, 3072),
    }
    for number in range(12):
        shapes |= _biased(f"{prefix}encoder.layers.{number}.", layer)
    return shapes


def _taesd(channels: int) -> dict[str, Shape]:
    """The tiny autoencoder; its channels tell the family: 4 for SD1.5, 16 for SD3."""
    prefix = "first_stage_model."
    shapes: dict[str, Shape] = {f"{prefix}vae_scale": (), f"{prefix}vae_shift": ()}
    for half, ends, plain, blocks in (
        ("taesd_encoder", {"0": (64, 3, 3, 3), "14": (channels, 64, 3, 3)}, (2, 6, 10), _ENCODER_BLOCKS),
        ("taesd_decoder", {"1": (64, channels, 3, 3), "19": (3, 64, 3, 3)}, (7, 12, 17), _DECODER_BLOCKS),
    ):
        shapes |= _biased(f"{prefix}{half}.", ends)
        shapes |= {f"{prefix}{half}.{number}.weight": (64, 64, 3, 3) for number in plain}
        shapes |= _biased(f"{prefix}{half}.", dict(_convolutions(blocks)))
    return shapes


_ENCODER_BLOCKS: Final = (1, 3, 4, 5, 7, 8, 9, 11, 12, 13)
_DECODER_BLOCKS: Final = (3, 4, 5, 8, 9, 10, 13, 14, 15, 18)


def _convolutions(blocks: tuple[int, ...]) -> Iterator[tuple[str, Shape]]:
    for block in blocks:
        for layer in (0, 2, 4):
            yield f"{block}.conv.{layer}", (64, 64, 3, 3)
