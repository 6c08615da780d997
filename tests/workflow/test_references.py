"""What in a node's widgets is a reference, where it belongs, and whether it counts."""

from __future__ import annotations

from typing import Any

import pytest
from workflow_kit import Obj, names, node, socket, survey, widget, workflow

LORAS = {
    "rgthree dicts": (
        "Power Lora Loader (rgthree)",
        (
            {},
            {"type": "Header"},
            {"on": True, "lora": "a.sft"},
            {"on": False, "lora": "b.sft"},
            {"lora": "None"},
            "",
        ),
    ),
    "LoRA Manager": (
        "Lora Loader (LoraManager)",
        ("<lora:a:1> <lora:b:1>", [{"name": "a", "active": True}, {"name": "b", "active": False}]),
    ),
    "Comfyroll switches": ("CR LoRA Stack", ("On", "a.sft", 1, 1, "Off", "b.sft", 1, 1, "Off", "None", 1, 1)),
    "Comfyroll switch": ("CR Load LoRA", ("On", "a.sft", 1, 1)),
    "Efficiency count": ("LoRA Stacker", ("simple", 1, "a.sft", 1, 1, 1, "b.sft", 1, 1, 1)),
    "easy count": ("easy loraStack", (True, "simple", 1, "a.sft", 1, 1, 1, "b.sft", 1, 1, 1)),
    "WanVideo": ("WanVideoLoraSelectMulti", ("a.sft", 1, "none", 1)),
    "a pack nobody knows": ("Some Lora Stack", ("On", "a.sft", "Off", "b.sft")),
}


@pytest.mark.parametrize(("kind", "values"), LORAS.values(), ids=LORAS)
def test_lora_stacks(kind: str, values: tuple[Any, ...]) -> None:
    """What a stack leaves out is told apart from what it loads."""
    document = workflow(node(1, kind, values))
    assert [name.removesuffix(".sft") for _, name in names(document)] == ["a"]
    assert [name.removesuffix(".sft") for _, name in names(document, active=False)] in (["b"], [])
    assert {r.folder for r in survey(document).references} == {"loras"}


def test_whole_stack_off() -> None:
    """One switch may take a whole stack out."""
    document = workflow(node(1, "easy loraStack", (False, "simple", 1, "a.sft", 1, 1, 1)))
    assert names(document) == []
    assert names(document, active=False) == [("loras", "a.sft")]


def test_switches_by_name() -> None:
    """In the API form the switches are found by name."""
    inputs = {"switch_1": "On", "lora_name_1": "a.sft", "switch_2": "Off", "lora_name_2": "b.sft"}
    assert names({"1": {"class_type": "CR LoRA Stack", "inputs": inputs}}) == [("loras", "a.sft")]


FOLDERS: list[tuple[str, tuple[Any, ...], list[tuple[str, str]]]] = [
    (
        "LTXAVTextEncoderLoader",
        ("t.sft", "c.sft", "default"),
        [("text_encoders", "t.sft"), ("checkpoints", "c.sft")],
    ),
    (
        "Efficient Loader",
        ("c.sft", "v.sft", -1, "l.sft", 1, 1, "a. nice", "b. bad", "none", "comfy", 512, 512, 1),
        [("checkpoints", "c.sft"), ("vae", "v.sft"), ("loras", "l.sft")],
    ),
    ("CheckpointLoader", ("v1-inference.yaml", "c.ckpt"), [("checkpoints", "c.ckpt")]),
    ("UltralyticsDetectorProvider", ("bbox/face.pt",), [("ultralytics", "bbox/face.pt")]),
    ("UnetLoaderGGUFDisTorch2MultiGPU", ("u.Q8_0.gguf", "cuda:0"), [("diffusion_models", "u.Q8_0.gguf")]),
    ("CLIPLoaderMultiGPU", ("t.sft", "wan", "cpu"), [("text_encoders", "t.sft")]),
    ("VAELoader", ("SDXL\\style\\V.SAFETENSORS ",), [("vae", "SDXL/style/V.SAFETENSORS")]),
    ("VAELoader", ("pixel_space",), []),
    ("VAELoader", ("taesd",), []),
    ("LoraLoader", ("None", 1, 1), []),
    ("DiffusersLoader", ("stable-diffusion-v1-5",), [("diffusers", "stable-diffusion-v1-5")]),
    ("## make-basic_pipe [2c8c61]", ("c.sft", 1, "fixed"), [("checkpoints", "c.sft")]),
    ("Nobodys Tiny VAE Loader", ("t.pth",), [("vae_approx", "t.pth")]),
    ("NobodysCLIPVisionLoader", ("v.sft",), [("clip_vision", "v.sft")]),
]


@pytest.mark.parametrize(("kind", "values", "expected"), FOLDERS)
def test_folders(kind: str, values: tuple[Any, ...], expected: list[tuple[str, str]]) -> None:
    """Each input has its folder; special names are no files."""
    outputs = [socket("BASIC_PIPE", "BASIC_PIPE")] if kind.startswith("##") else []
    assert names(workflow(node(1, kind, values, outputs=outputs))) == expected


GUESSES = [
    ("lora_name_2", "loras"),
    ("base_ckpt_name", "checkpoints"),
    ("vae_name", "vae"),
    ("clip_name1", "text_encoders"),
    ("clip_vision_name", "clip_vision"),
    ("control_net_name", "controlnet"),
    ("unet_name", "diffusion_models"),
    ("upscale_model", "upscale_models"),
    ("ipadapter_file", "ipadapter"),
    ("sam_model_name", "sams"),
    ("style_model_name", "style_models"),
    ("strange", None),
]


@pytest.mark.parametrize(("name", "folder"), GUESSES)
def test_input_names(name: str, folder: str | None) -> None:
    """A node of an unknown pack is placed by the names of its inputs, or said to be unknown."""
    found = survey({"7": {"class_type": "Nobody", "inputs": {name: "x.safetensors", "other": 5}}})
    if folder is None:
        assert found.references == ()
        assert [(one.type, one.node_ids) for one in found.unknown_nodes] == [("Nobody", ("7",))]
    else:
        assert [(r.folder, r.input_name) for r in found.references] == [(folder, name)]


OUTPUTS = [
    (["MODEL", "CLIP", "VAE"], [], "checkpoints"),
    (["VAE"], [], "vae"),
    (["UPSCALE_MODEL"], [], "upscale_models"),
    (["MODEL", "CLIP"], ["MODEL", "CLIP"], "loras"),
    (["MODEL", "IPADAPTER"], [], None),
    (["IMAGE"], [], None),
]


@pytest.mark.parametrize(("gives", "takes", "folder"), OUTPUTS)
def test_outputs(gives: list[str], takes: list[str], folder: str | None) -> None:
    """What an unknown node gives tells what its one file must be."""
    sockets: dict[str, Any] = {
        "outputs": [socket(g, g) for g in gives],
        "inputs": [socket(t, t) for t in takes],
    }
    found = names(workflow(node(1, "Nobody", ("x.safetensors",), **sockets)))
    assert found == ([] if folder is None else [(folder, "x.safetensors")])
    two = names(workflow(node(1, "Nobody", ("x.safetensors", "y.safetensors"), **sockets)))
    assert two == []  # which of them it is, nobody can say


NO_MODELS = [
    "ShowText|pysssss",
    "PrimitiveStringMultiline",
    "CheckpointSave",
    "Image Saver",
    "easy showAnything",
    "Note",
]


@pytest.mark.parametrize("kind", NO_MODELS)
def test_text_that_is_no_model(kind: str) -> None:
    """Nodes that show, save or hold text name nothing, and are not unknown either."""
    found = survey(workflow(node(1, kind, ("see foo.safetensors",))))
    assert (found.references, found.unknown_nodes) == ((), ())


TAGS: list[tuple[str, str, list[tuple[str, str]]]] = [
    (
        "CLIPTextEncode",
        "a (embedding:bad/hands:1.2), embedding:Easy.pt",
        [("embeddings", "bad/hands"), ("embeddings", "Easy.pt")],
    ),
    ("CLIPTextEncode", "<lora:ink:1>", []),
    ("ImpactWildcardEncode", "<lora:a/ink:0.8> embedding:x", [("embeddings", "x"), ("loras", "a/ink")]),
    ("FaceDetailer", "<lora:ink:1:LBW=B11;>", [("loras", "ink")]),
    ("Text Multiline", "<lora:ink:1> embedding:x", []),
    ("RegexReplace", "<lora:ink:1>", []),
]


@pytest.mark.parametrize(("kind", "text", "expected"), TAGS)
def test_tags(kind: str, text: str, expected: list[tuple[str, str]]) -> None:
    """Tags count where the node reads them, not in text that only passes by."""
    assert names(workflow(node(1, kind, (text,)))) == expected


def test_tags_by_link() -> None:
    """Text of a plain box counts at the node that reads it."""
    box = node(1, "Text Multiline", ("embedding:x",), outputs=[socket("STRING", "STRING")])
    encode = node(2, "CLIPTextEncode", ("stale embedding:y",), inputs=[widget("text", 3)])
    found = survey(workflow(box, encode, links=[[3, 1, 0, 2, 0, "STRING"]])).references
    assert [(r.node_id, r.name) for r in found] == [("2", "x")]


FETCHED = [
    ("SeedVR2LoadDiTModel", "seedvr2_ema_3b.safetensors", "SEEDVR2"),
    ("RIFE VFI", "rife47.pth", ""),
    ("DownloadAndLoadFlorence2Model", "microsoft/Florence-2-base", "LLM"),
    ("DownloadAndLoadSomethingNew", "vae_new.safetensors", ""),
    ("Unimatch_OptFlowPreprocessor", "gmflow.pth", ""),
    ("Newest VFI", "x49.pth", ""),
    ("LoraLoader", "https://huggingface.co/a/b/resolve/main/c.safetensors", "loras"),
]


@pytest.mark.parametrize(("kind", "name", "folder"), FETCHED)
def test_self_fetched(kind: str, name: str, folder: str) -> None:
    """Files that a node brings itself are told, not needed."""
    found = survey(workflow(node(1, kind, (name,))))
    assert found.references == ()
    assert [(r.name, r.folder) for r in found.self_fetched] == [(name, folder)]


def test_unknown_nodes_that_do_not_run() -> None:
    """A muted node that nobody knows is of no interest."""
    assert survey(workflow(node(1, "Nobody", ("x.safetensors",), mode=2))).unknown_nodes == ()


# ── metadata ──


def hinted(value: str, *models: Obj, kind: str = "UNETLoader", **more: Any) -> Obj:
    return workflow(node(1, kind, (value,), properties={"models": list(models)}), **more)


SHA = "ab" * 32
HINT = {"name": "u.safetensors", "url": "https://h/u.safetensors", "directory": "diffusion_models"}


@pytest.mark.parametrize("value", ["u.safetensors", "sub\\U.safetensors"])
def test_metadata_of_this_file(value: str) -> None:
    """URL and digest come from the entry of the same name, whatever its case and sub-folder."""
    found = survey(hinted(value, HINT | {"hash": SHA.upper(), "hash_type": "SHA256"})).references[0]
    assert (found.url, str(found.digest)) == (HINT["url"], f"sha256:{SHA}")


def test_stale_metadata() -> None:
    """An entry of another name gives nothing and is no need."""
    found = survey(hinted("chosen.safetensors", HINT))
    assert [(r.name, r.url) for r in found.references] == [("chosen.safetensors", None)]


@pytest.mark.parametrize("value", ["md5:1", "xyz", 5, ""])
def test_digests_that_are_none(value: Any) -> None:
    """A hash that cannot be read is left out."""
    found = survey(hinted("u.safetensors", HINT | {"hash": value, "hash_type": "SHA256"})).references[0]
    assert found.digest is None
    assert found.url == HINT["url"]


def test_metadata_elsewhere_in_the_file() -> None:
    """The file's own list serves all nodes, for the same folder only."""
    other = HINT | {"directory": "vae", "url": "https://h/vae"}
    document = workflow(node(1, "UNETLoader", ("u.safetensors",)), models=[other, HINT])
    assert [r.url for r in survey(document).references] == [HINT["url"]]
    document = workflow(node(1, "UNETLoader", ("u.safetensors",)), models=[other])
    assert [r.url for r in survey(document).references] == [None]


def test_metadata_places_the_unknown() -> None:
    """Where nothing else tells the folder, the entry for this very file does."""
    assert names(hinted("u.safetensors", HINT, kind="Nobody")) == [("diffusion_models", "u.safetensors")]
    assert survey(hinted("u.safetensors", HINT, kind="Nobody")).unknown_nodes == ()


def test_alternatives() -> None:
    """An input that several folders serve says so."""
    found = survey(workflow(node(1, "LoadWanVideoClipTextEncoder", ("c.sft",)))).references[0]
    assert (found.folder, found.other_folders) == ("clip_vision", ("text_encoders",))


def test_every_place_is_one_reference() -> None:
    """The same file in three nodes is three places, in the order of the nodes."""
    document = workflow(*(node(n, "VAELoader", ("v.sft",)) for n in (3, 1, 2)))
    assert [r.node_id for r in survey(document).references] == ["3", "1", "2"]


# ── names of widgets ──


def test_named_widgets() -> None:
    """Names saved with the node beat the positions of the table; positions serve where there are none."""
    inputs = [widget(name) for name in ("extra", "vae_name", "ckpt_name")]
    values = ("x", "v.sft", "c.sft")
    document = workflow(node(1, "Efficient Loader", values, inputs=inputs))
    assert names(document) == [("vae", "v.sft"), ("checkpoints", "c.sft")]
    named = node(1, "Efficient Loader", values, widgets_values_named={"a": 1, "vae_name": 1, "ckpt_name": 1})
    assert names(workflow(named)) == names(document)


def test_names_past_the_seed() -> None:
    """`control after generate` has a value and no name."""
    inputs = [widget("seed"), widget("vae_name"), widget("ckpt_name")]
    document = workflow(node(1, "Efficient Loader", (5, "fixed", "v.sft", "c.sft"), inputs=inputs))
    assert names(document) == [("vae", "v.sft"), ("checkpoints", "c.sft")]


def test_incomplete_names() -> None:
    """Old files name only the converted widgets; these say nothing of the others' places."""
    inputs = [widget("positive", 1), widget("negative", 2)]
    values = ("c.sft", "Baked VAE", -1, "l.sft", 1, 1, "p", "n")
    document = workflow(node(1, "Efficient Loader", values, inputs=inputs), node(2, "Unknown Text", ()))
    assert names(document) == [("checkpoints", "c.sft"), ("loras", "l.sft")]


def test_stale_value_without_position() -> None:
    """A fed input takes its stale value out also where only its look tells which it is."""
    origin = node(1, "Nobody", outputs=[socket("COMBO", "COMBO")])
    loader = node(2, "Other Loader", (3, "stale.sft", "x"), inputs=[widget("lora_name", 5)])
    assert names(workflow(origin, loader, links=[[5, 1, 0, 2, 0]])) == []
    loader = node(2, "Other Lora Loader", (3, "kept.sft", "x"), inputs=[widget("strength", 5)])
    assert names(workflow(origin, loader, links=[[5, 1, 0, 2, 0]])) == [("loras", "kept.sft")]
