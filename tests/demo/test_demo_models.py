"""The tiny models of the demonstration."""

import hashlib
import json
import struct
from collections.abc import Callable

import pytest

from comfywatchman.demo import models

SAFETENSORS = [models.checkpoint, models.vae, models.lora, models.controlnet, models.upscaler]


def read_safetensors(data: bytes) -> dict[str, tuple[list[int], bytes]]:
    """Read a file by the format's rules: tensors fill all that follows the header, without gaps."""
    size = struct.unpack_from("<Q", data)[0]
    assert data[8:9] == b"{"
    header, weights = json.loads(data[8 : 8 + size]), data[8 + size :]
    assert all(isinstance(value, str) for value in header.pop("__metadata__").values())
    end, tensors = 0, {}
    for name, told in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, stop = told["data_offsets"]
        count = 1
        for length in told["shape"]:
            count *= length
        assert (start, told["dtype"]) == (end, "F16")
        assert stop - start == 2 * count
        tensors[name], end = (told["shape"], weights[start:stop]), stop
    assert end == len(weights)
    return tensors


@pytest.mark.parametrize("make", SAFETENSORS)
def test_safetensors(make: Callable[[str], bytes]):
    """Every tensor lies where the header says, nothing is left over, and all weights are finite."""
    tensors = read_safetensors(make("seed"))
    assert tensors
    for _, weights in tensors.values():
        assert all(abs(value) < 2 for value in struct.unpack(f"<{len(weights) // 2}e", weights))


def test_gguf():
    """Counts, strings, tensor infos and padding read back; the tensors fill the rest of the file."""
    data = models.text_encoder("seed")
    magic, version, tensors, pairs = struct.unpack_from("<4sIQQ", data)
    assert (magic, version) == (b"GGUF", 3)
    at = 24

    def take(form: str) -> int:
        nonlocal at
        value = struct.unpack_from(f"<{form}", data, at)[0]
        at += struct.calcsize(f"<{form}")
        return int(value)

    def text() -> str:
        nonlocal at
        length = take("Q")
        at += length
        return data[at - length : at].decode()

    metadata = {text(): text() if take("I") == 8 else take("I") for _ in range(pairs)}
    assert metadata["general.architecture"] == "t5encoder"
    assert metadata["general.alignment"] == 32
    ends = 0
    for _ in range(tensors):
        assert text().endswith(".weight")
        count = 1
        for _ in range(take("I")):
            count *= take("Q")
        assert (take("I"), take("Q")) == (8, ends)
        ends += count // 32 * 34
        ends += -ends % 32
    assert at + -at % 32 + ends == len(data)


def test_trigger():
    """A LoRA's trigger word stands where trainers write it, and only when there is one."""
    assert b"ink wash" in models.lora("seed", trigger="ink wash")[:4096]
    assert b"ss_tag_frequency" not in models.lora("seed")[:4096]


@pytest.mark.parametrize("make", [*SAFETENSORS, models.text_encoder])
def test_same_bytes(make: Callable[[str], bytes]):
    """A seed gives the same bytes each time, another seed others of the same size."""
    assert make("seed") == make("seed")
    assert make("seed") != make("other")
    assert len(make("seed")) == len(make("other"))


def test_same_bytes_everywhere():
    """The bytes do not change between machines and releases."""
    digest = hashlib.sha256(models.upscaler("seed")).hexdigest()
    assert digest == "196b849722fdfcb11e2a8c63d4cc9e9345cf0a9f3401940f7644176b1a863845"
