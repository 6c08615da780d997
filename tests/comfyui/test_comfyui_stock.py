"""The rig itself: ComfyUI's own nodes load the tiny models, patch and sample them, the same way each time."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from comfyui.prompts import Nodes, load, patch, sample, save_image, save_latent
from comfyui.running import ComfyUI, Refused

MODELS = {
    "sd3": ("tiny_sd3.safetensors", "tiny_lora_sd3.safetensors"),
    "sd15": ("tiny_sd15.ckpt", "tiny_lora_sd15.safetensors"),
}
FAMILIES = pytest.mark.parametrize("family", MODELS)


def drawn(family: str, text: str = "a lighthouse", *, strength: float | None = 1.0) -> Nodes:
    """From the checkpoint to a latent, with the LoRA unless `strength` is None."""
    checkpoint, lora = MODELS[family]
    if strength is None:
        return load(checkpoint) | sample(text, model=["1", 0], clip=["1", 1])
    loaded = load(checkpoint) | patch(lora, model=strength, clip=strength)
    return loaded | sample(text, model=["2", 0], clip=["2", 1])


def latent(comfyui: ComfyUI, prompt: Nodes) -> str:
    return comfyui.probe(prompt, latent=["latent", 0])["latent"]


@FAMILIES
def test_image_is_drawn(comfyui: ComfyUI, family: str) -> None:
    """Checkpoint, LoRA, sampler and VAE run from end to end and leave a PNG."""
    shown = comfyui.outputs(drawn(family) | save_image(vae=["1", 2]))
    image = comfyui.base / "output" / shown["image"]["images"][0]["filename"]
    assert image.read_bytes().startswith(b"\x89PNG")


def test_checkpoint_without_vae(comfyui: ComfyUI) -> None:
    """The smaller checkpoint runs as far as a latent."""
    prompt = load("tiny_sd3_novae.safetensors") | sample("", model=["1", 0], clip=["1", 1]) | save_latent()
    assert comfyui.outputs(prompt)["saved"]["latents"]


@FAMILIES
def test_same_bits_each_time(comfyui: ComfyUI, family: str) -> None:
    """The same prompt gives the same latent when all models and results have been dropped in between."""
    first = latent(comfyui, drawn(family))
    comfyui.post("/free", {"unload_models": True, "free_memory": True})
    assert latent(comfyui, drawn(family)) == first


@FAMILIES
def test_lora_shows(comfyui: ComfyUI, family: str) -> None:
    """With the LoRA the latent is another one; with strength 0 it is the same as without."""
    plain = latent(comfyui, drawn(family, strength=None))
    assert latent(comfyui, drawn(family, strength=0.0)) == plain
    assert latent(comfyui, drawn(family, strength=1.0)) != plain


def test_prompt_shows(comfyui: ComfyUI) -> None:
    """What the SD1.5 model draws depends on the prompt, and the probe sees it in conditioning and latent."""
    links = {"conditioning": ["positive", 0], "latent": ["latent", 0]}
    one = comfyui.probe(drawn("sd15", "a lighthouse"), **links)
    other = comfyui.probe(drawn("sd15", "inkwash, a lighthouse"), **links)
    assert {name for name in links if one[name] != other[name]} == set(links)


@pytest.mark.parametrize(
    ("strengths", "same"),
    [({}, {"model", "clip"}), ({"model": 0.5}, {"clip"}), ({"clip": 0.5}, {"model"})],
)
def test_probe_sees_patches(comfyui: ComfyUI, strengths: Mapping[str, float], same: set[str]) -> None:
    """The probe tells models and CLIPs apart by their patches, and equal ones not."""

    def patched(**strengths: float) -> dict[str, str]:
        prompt = load("tiny_sd15.ckpt") | patch("tiny_lora_sd15.safetensors", **strengths)
        return comfyui.probe(prompt, model=["2", 0], clip=["2", 1])

    one, other = patched(), patched(**strengths)
    assert {name for name in one if one[name] == other[name]} == same


def test_numbers_are_finite(comfyui: ComfyUI) -> None:
    """No weight is left uninitialised: ComfyUI warns of none that it misses."""
    comfyui.outputs(drawn("sd3") | save_image(vae=["1", 2]))
    comfyui.outputs(drawn("sd15") | save_image(vae=["1", 2]))
    told = comfyui.log().lower()
    assert "missing" not in told
    assert "invalid value" not in told  # numpy, when an image holds NaN


def test_faults_are_refused(comfyui: ComfyUI) -> None:
    """A prompt that names a file which is not there is refused, and the refusal says why."""
    with pytest.raises(Refused) as refused:
        comfyui.run(load("absent.safetensors") | sample("", model=["1", 0], clip=["1", 1]) | save_latent())
    assert refused.value.status == 400
    assert refused.value.body["node_errors"]["1"]["errors"][0]["type"] == "value_not_in_list"


def test_failures_are_told(comfyui: ComfyUI) -> None:
    """A file that is no model fails in its node, which the history entry tells."""
    torn = comfyui.models / "checkpoints" / "torn.safetensors"
    torn.write_bytes(b"\0" * 64)
    entry = comfyui.run(load("torn.safetensors") | sample("", model=["1", 0], clip=["1", 1]) | save_latent())
    torn.unlink()
    assert entry["status"]["status_str"] == "error"
    assert any(kind == "execution_error" for kind, _ in entry["status"]["messages"])


def test_events_are_heard(comfyui: ComfyUI) -> None:
    """A listener hears what ComfyUI tells the browser of a prompt, in order."""
    with comfyui.listen() as listener:
        prompt_id = comfyui.queue(
            load("tiny_sd3.safetensors") | sample("", model=["1", 0], clip=["1", 1]) | save_latent()
        )
        listener.wait("execution_success", where=lambda data: data["prompt_id"] == prompt_id)
    kinds = [kind for kind, _ in listener.heard]
    assert kinds.index("execution_start") < kinds.index("execution_success")


def test_silence_is_told(comfyui: ComfyUI) -> None:
    """Waiting for a message that does not come ends, and tells what came."""
    with comfyui.listen() as listener, pytest.raises(TimeoutError, match="status"):
        listener.wait("comfywatchman.nothing", limit=0.05)
