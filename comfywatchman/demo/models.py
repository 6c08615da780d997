"""Tiny weight files that are well-formed: headers and hashes are real, the weights are noise.

    safetensors   8 bytes N, N bytes JSON {name: {"dtype", "shape", "data_offsets"}, "__metadata__"}, weights
    gguf          "GGUF", version, counts, key-value pairs, tensor infos, padding to 32, weights

The same seed gives the same bytes everywhere: noise is SHAKE-128 of the seed. Formats:
https://huggingface.co/docs/safetensors and https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

Shape = tuple[int, ...]

_ALIGNMENT: Final = 32
_Q8_0: Final = 8  # ggml's number of the type: blocks of 32 weights in 34 bytes
_GGUF_STRING: Final = 8
_GGUF_UINT32: Final = 4


def safetensors(
    shapes: Mapping[str, Shape], *, seed: str, metadata: Mapping[str, str] | None = None
) -> bytes:
    """A safetensors file of half-precision tensors, all finite and below 2."""
    header: dict[str, object] = {"__metadata__": {"format": "pt", **(metadata or {})}}
    size = 0
    for name, shape in shapes.items():
        end = size + 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [size, end]}
        size = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + _halves(seed, size)


def gguf(shapes: Mapping[str, Shape], *, seed: str, architecture: str, name: str) -> bytes:
    """A GGUF file, version 3, of Q8_0 tensors. The last number of each shape is a multiple of 32."""
    pairs = [
        _text("general.architecture") + struct.pack("<I", _GGUF_STRING) + _text(architecture),
        _text("general.name") + struct.pack("<I", _GGUF_STRING) + _text(name),
        _text("general.alignment") + struct.pack("<II", _GGUF_UINT32, _ALIGNMENT),
    ]
    infos, blocks, offset = [], [], 0
    for tensor, shape in shapes.items():
        weights = _q8_0(f"{seed}/{tensor}", math.prod(shape) // 32)
        dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        infos.append(_text(tensor) + dimensions + struct.pack("<IQ", _Q8_0, offset))
        blocks.append(_padded(weights))
        offset += len(blocks[-1])
    head = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(pairs)) + b"".join([*pairs, *infos])
    return _padded(head) + b"".join(blocks)


def checkpoint(seed: str, *, width: int = 64) -> bytes:
    """A checkpoint of one block with its VAE and text encoder, named as SD3's are."""
    block = "model.diffusion_model.joint_blocks.0"
    shapes = {
        "model.diffusion_model.pos_embed": (1, 256, width),
        "model.diffusion_model.x_embedder.proj.weight": (width, 16, 2, 2),
        "model.diffusion_model.context_embedder.weight": (width, 4096),
        "model.diffusion_model.y_embedder.mlp.0.weight": (width, 2048),
        f"{block}.x_block.attn.qkv.weight": (3 * width, width),
        f"{block}.x_block.mlp.fc1.weight": (4 * width, width),
        f"{block}.context_block.attn.qkv.weight": (3 * width, width),
        "model.diffusion_model.final_layer.linear.weight": (64, width),
        "first_stage_model.decoder.conv_in.weight": (128, 16, 3, 3),
        "text_encoders.clip_l.transformer.text_model.final_layer_norm.weight": (768,),
    }
    return safetensors(shapes, seed=seed, metadata={"modelspec.architecture": "stable-diffusion-v3-medium"})


def vae(seed: str, *, channels: int = 64) -> bytes:
    """The decoder half of a VAE."""
    shapes = {
        "decoder.conv_in.weight": (channels, 16, 3, 3),
        "decoder.mid.block_1.conv1.weight": (channels, channels, 3, 3),
        "decoder.mid.block_1.conv2.weight": (channels, channels, 3, 3),
        "decoder.conv_out.weight": (3, channels, 3, 3),
    }
    return safetensors(shapes, seed=seed)


def lora(seed: str, *, rank: int = 16, trigger: str | None = None) -> bytes:
    """A LoRA for two attention layers; `trigger` goes where kohya's trainer counts its tags."""
    shapes: dict[str, Shape] = {}
    for layer in ("attn_qkv", "attn_proj"):
        key = f"lora_unet_joint_blocks_0_x_block_{layer}"
        shapes |= {
            f"{key}.lora_down.weight": (rank, 1536),
            f"{key}.lora_up.weight": (1536, rank),
            f"{key}.alpha": (),
        }
    metadata = {"ss_network_dim": str(rank), "ss_network_module": "networks.lora"}
    if trigger is not None:
        metadata["ss_tag_frequency"] = json.dumps({"img": {trigger: 40}})
    return safetensors(shapes, seed=seed, metadata=metadata)


def controlnet(seed: str, *, width: int = 64) -> bytes:
    """The head of a ControlNet."""
    shapes = {
        "controlnet_cond_embedding.conv_in.weight": (16, 3, 3, 3),
        "controlnet_cond_embedding.conv_out.weight": (width, 256, 3, 3),
        "controlnet_blocks.0.weight": (width, width),
    }
    return safetensors(shapes, seed=seed)


def upscaler(seed: str, *, width: int = 64) -> bytes:
    """The ends of an ESRGAN."""
    shapes = {"model.0.weight": (width, 3, 3, 3), "model.10.weight": (3, width, 3, 3)}
    return safetensors(shapes, seed=seed)


def text_encoder(seed: str, *, width: int = 512) -> bytes:
    """A T5 encoder of one layer in GGUF."""
    names = ("attn_q", "attn_k", "attn_v", "attn_o", "ffn_up", "ffn_down")
    shapes: Mapping[str, Shape] = {
        "token_embd.weight": (1024, width),
        **{f"enc.blk.0.{name}.weight": (width, width) for name in names},
    }
    return gguf(shapes, seed=seed, architecture="t5encoder", name="Beacon T5")


def _halves(seed: str, size: int) -> bytes:
    """Noise as float16: with the top bit of the exponent cleared none is infinite or NaN."""
    mask = int.from_bytes(b"\xff\xbf" * (size // 2), "little")
    return (int.from_bytes(_noise(seed, size), "little") & mask).to_bytes(size, "little")


def _q8_0(seed: str, blocks: int) -> bytes:
    """Noise as Q8_0: each block a float16 scale of 2⁻⁸ and 32 signed bytes."""
    noise = _noise(seed, 32 * blocks)
    return _joined((b"\x00\x1c", noise[at : at + 32]) for at in range(0, len(noise), 32))


def _noise(seed: str, size: int) -> bytes:
    return hashlib.shake_128(seed.encode()).digest(size)


def _joined(pairs: Iterable[Sequence[bytes]]) -> bytes:
    return b"".join(part for pair in pairs for part in pair)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % _ALIGNMENT)
