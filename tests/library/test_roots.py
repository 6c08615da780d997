"""Roots against real trees, as people have them on their disks."""

import ntpath
import os
import posixpath
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from comfywatchman.errors import InvalidSettings, NoComfyUI, Refused, UnknownFolder
from comfywatchman.library.extra_paths import ExtraPath, parse_extra_paths
from comfywatchman.library.folders import CORE, CUSTOM, NOT_MODELS, is_folder_name
from comfywatchman.library.roots import Roots, desktop_directory, find_roots, locate_comfyui

Plant = Callable[..., Path]

CORE_NAMES = [
    "checkpoints", "configs", "loras", "vae", "text_encoders", "diffusion_models", "clip_vision",
    "style_models", "embeddings", "diffusers", "vae_approx", "controlnet", "gligen", "upscale_models",
    "latent_upscale_models", "custom_nodes", "datasets", "hypernetworks", "photomaker", "classifiers",
    "model_patches", "audio_encoders", "background_removal", "frame_interpolation", "geometry_estimation",
    "optical_flow", "detection",
]  # fmt: skip


def paths(roots: Roots, folder: str, below: Path) -> list[str]:
    """The roots of a folder, relative to a directory where they are below it."""
    return [os.path.relpath(root.path, below).replace(os.sep, "/") for root in roots.roots(folder)]


def with_yaml(comfyui: Path, text: str) -> Roots:
    (comfyui / "extra_model_paths.yaml").write_text(text, encoding="utf-8")
    return find_roots(comfyui=comfyui)


def test_core_table():
    """All 27 names of ComfyUI 0.33 have their place, but code and training data are no models."""
    assert len(CORE_NAMES) == 27
    assert set(CORE_NAMES) == set(CORE) | NOT_MODELS
    assert not set(CORE) & set(CUSTOM)
    assert all(is_folder_name(name) for name in (*CORE, *CUSTOM))


def test_own_folders(comfyui: Path):
    """Folders with an old name serve under the new one, in ComfyUI's order, output last."""
    roots = find_roots(comfyui=comfyui)

    assert paths(roots, "diffusion_models", comfyui) == [
        "models/unet",
        "models/diffusion_models",
        "output/diffusion_models",
    ]
    assert paths(roots, "text_encoders", comfyui) == [
        "models/text_encoders",
        "models/clip",
        "output/clip",
    ]
    assert paths(roots, "controlnet", comfyui) == ["models/controlnet", "models/t2i_adapter"]
    assert paths(roots, "ultralytics_bbox", comfyui) == ["models/ultralytics/bbox"]
    assert roots.roots("unet") == roots.roots("diffusion_models") == roots.roots("unet_gguf")


@pytest.mark.parametrize(
    ("folder", "target"),
    [
        ("diffusion_models", "diffusion_models"),
        ("unet", "diffusion_models"),
        ("clip", "text_encoders"),
        ("checkpoints", "checkpoints"),
        ("controlnet", "controlnet"),
        ("ipadapter", "ipadapter"),
        ("ultralytics_segm", "ultralytics/segm"),
    ],
)
def test_target(comfyui: Path, folder: str, target: str):
    """A new file goes where the folder's name is, never into `unet` or `output`."""
    assert find_roots(comfyui=comfyui).target(folder) == comfyui / "models" / target


@pytest.mark.parametrize(
    "folder", ["custom_nodes", "datasets", "../loras", "", ".git", "never_heard_of", "loras/x", "C:", "a\0b"]
)
def test_unknown_folder(comfyui: Path, folder: str):
    """A folder nobody has, and code above all, is neither looked at nor written to."""
    (comfyui / "models" / ".git").mkdir()
    (comfyui / "models" / "custom_nodes").mkdir()
    roots = find_roots(comfyui=comfyui)

    with pytest.raises(UnknownFolder):
        roots.roots(folder)
    with pytest.raises(UnknownFolder):
        roots.target(folder)


def test_configs_are_read_only(comfyui: Path):
    """Configurations are found and never fetched."""
    roots = find_roots(comfyui=comfyui)

    assert roots.roots("configs")
    with pytest.raises(Refused):
        roots.target("configs")


def test_folder_of_an_unknown_pack(comfyui: Path):
    """A directory below models/ that some pack made is a folder; one with an old name is none more."""
    for name in ("florence9", "clip", "t2i_adapter"):
        (comfyui / "models" / name).mkdir()
    roots = find_roots(comfyui=comfyui)

    assert roots.target("florence9") == comfyui / "models" / "florence9"
    assert "florence9" in roots.folders
    assert "clip" not in roots.folders
    assert "t2i_adapter" not in roots.folders


@pytest.mark.parametrize(
    ("tree", "given", "base"),
    [
        (["c/folder_paths.py"], "c", "c"),
        (["c/main.py", "c/models/"], "c", "c"),
        (["p/run_nvidia_gpu.bat", "p/ComfyUI/main.py", "p/ComfyUI/models/"], "p", "p/ComfyUI"),
        (["desktop/models/", "desktop/user/", "desktop/.venv/"], "desktop", "desktop"),
        (["c/folder_paths.py"], "c/x/..", "c"),
    ],
    ids=["clone", "old", "portable", "base-directory", "dots"],
)
def test_locate(plant: Plant, tree: list[str], given: str, base: str):
    """Whatever folder of an installation a person names, its base directory is found."""
    top = plant(*tree)

    assert locate_comfyui(top / given) == top / base


@pytest.mark.parametrize(
    ("tree", "given", "says"),
    [
        ([], "nowhere", "does not exist"),
        (["x/readme.md"], "x", "neither folder_paths.py nor models/"),
        (["m/checkpoints/"], "m", "is a models folder"),
        (["x/main.py"], "x", "neither folder_paths.py nor models/"),
    ],
)
def test_locate_fails(plant: Plant, tree: list[str], given: str, says: str):
    """A folder that is no ComfyUI is refused with a word on what it is."""
    top = plant(*tree)

    with pytest.raises(NoComfyUI, match=says) as caught:
        find_roots(comfyui=top / given)
    assert str(top / given) in caught.value.message
    assert "--models-dir" in caught.value.hint


def test_search_upwards(comfyui: Path, plant: Plant):
    """Without options the ComfyUI around or beside the working directory is meant."""
    inside = plant("ComfyUI/user/default/workflows/") / "ComfyUI/user/default/workflows"
    beside = plant("downloads/") / "downloads"

    assert find_roots(start=inside).comfyui == comfyui
    assert find_roots(start=beside).comfyui == comfyui


def test_search_upwards_base_directory(plant: Plant):
    """A base directory around the working directory counts when its models/ is ComfyUI's."""
    start = plant("base/models/loras/", "base/flows/") / "base/flows"

    assert find_roots(start=start).models_dir == start.parent / "models"


def test_search_finds_nothing(plant: Plant):
    """Some project's models/ is not taken for ComfyUI's, and the message lists where it was looked."""
    start = plant("project/models/user.py", "project/src/") / "project/src"

    with pytest.raises(NoComfyUI) as caught:
        find_roots(start=start)
    assert str(start) in caught.value.message
    assert str(start.parent) in caught.value.message


def test_models_dir(plant: Plant):
    """A bare models folder has the same folders and no output."""
    models = plant("m/loras/") / "m"
    roots = find_roots(models_dir=models)

    assert roots.comfyui is None
    assert roots.target("loras") == models / "loras"
    assert paths(roots, "checkpoints", models) == ["checkpoints"]


def test_models_dir_of_comfyui(comfyui: Path, plant: Plant):
    """Given with a ComfyUI it replaces that one's, as --models-directory does."""
    models = plant("big/") / "big"
    roots = find_roots(comfyui=comfyui, models_dir=models)

    assert roots.comfyui == comfyui
    assert roots.target("vae") == models / "vae"


def test_models_dir_missing(tmp_path: Path):
    """A models folder that does not exist is no empty one."""
    with pytest.raises(NoComfyUI, match="no such folder"):
        find_roots(models_dir=tmp_path / "nope")


def test_yaml(comfyui: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Sections as in ComfyUI's example: base path with variables, several lines, null, old names."""
    monkeypatch.setenv("SD", str(tmp_path / "webui"))
    roots = with_yaml(
        comfyui,
        "a1111:\n  base_path: $SD\n  checkpoints: models/Stable-diffusion\n  clip: models/TE\n"
        "  loras: |\n    models/Lora\n    models/LyCORIS\n\n  vae:\nempty:\n",
    )

    assert paths(roots, "loras", tmp_path) == [
        "ComfyUI/models/loras",
        "webui/models/Lora",
        "webui/models/LyCORIS",
        "ComfyUI/output/loras",
    ]
    assert tmp_path / "webui/models/TE" in [root.path for root in roots.roots("text_encoders")]
    assert roots.target("checkpoints") == comfyui / "models/checkpoints"


def test_yaml_default(comfyui: Path, tmp_path: Path):
    """is_default puts directories in front, the last line first, and makes the target."""
    roots = with_yaml(
        comfyui, f"big:\n  base_path: {tmp_path}\n  is_default: true\n  loras: |\n    one\n    two\n"
    )

    assert paths(roots, "loras", tmp_path)[:3] == ["two", "one", "ComfyUI/models/loras"]
    assert roots.target("loras") == tmp_path / "two"


def test_yaml_default_of_a_known_path(comfyui: Path):
    """The Desktop app names its own models as default: they come first and stand once."""
    roots = with_yaml(
        comfyui, "desktop:\n  base_path: .\n  is_default: true\n  diffusion_models: models/unet/\n"
    )

    assert paths(roots, "diffusion_models", comfyui)[:2] == ["models/unet", "models/diffusion_models"]
    assert roots.target("diffusion_models") == comfyui / "models/unet"


def test_yaml_relative(comfyui: Path):
    """Paths are relative to the file, with a base path or without."""
    roots = with_yaml(comfyui, "a:\n  base_path: ../shared\n  loras: l\nb:\n  vae: ../v\n")

    assert comfyui.parent / "shared" / "l" in [root.path for root in roots.roots("loras")]
    assert comfyui.parent / "v" in [root.path for root in roots.roots("vae")]


def test_yaml_new_folder(comfyui: Path, tmp_path: Path):
    """An unknown key makes a folder; a hostile one and code do not."""
    roots = with_yaml(
        comfyui,
        f"a:\n  base_path: {tmp_path}\n  my_models: mine\n  ../up: x\n  custom_nodes: cn\n  datasets: d\n"
        "  ipadapter: ipa\n",
    )

    assert roots.target("my_models") == tmp_path / "mine"
    assert paths(roots, "ipadapter", tmp_path) == ["ComfyUI/models/ipadapter", "ipa"]
    assert "custom_nodes" not in roots.folders
    assert "../up" not in roots.folders
    assert len(roots.notes) == 1
    assert "'../up'" in roots.notes[0]


def test_download_model_base(comfyui: Path, tmp_path: Path):
    """Folders of packs go where the Manager puts them; ComfyUI's own where ComfyUI has them."""
    roots = with_yaml(
        comfyui, f"m:\n  base_path: {tmp_path}/big\n  download_model_base: models\n  loras: models/loras\n"
    )

    assert roots.target("ipadapter") == tmp_path / "big/models/ipadapter"
    assert roots.target("loras") == tmp_path / "big/models/loras"
    assert roots.target("vae") == comfyui / "models/vae"


def test_given_config(comfyui: Path, tmp_path: Path):
    """More files count after ComfyUI's own; one that is missing is told, one named twice read once."""
    extra = tmp_path / "more.yaml"
    extra.write_text("a:\n  loras: more\n", encoding="utf-8")

    roots = find_roots(comfyui=comfyui, configs=[extra, extra])
    assert paths(roots, "loras", tmp_path) == ["ComfyUI/models/loras", "more", "ComfyUI/output/loras"]
    with pytest.raises(InvalidSettings, match=r"gone\.yaml: cannot be read"):
        find_roots(comfyui=comfyui, configs=[tmp_path / "gone.yaml"])


@pytest.mark.parametrize("about_this_one", [True, False])
def test_desktop(plant: Plant, about_this_one: bool):
    """The Desktop app's own file counts for the base directory it is about, and for no other."""
    base = plant("base/models/", "old/loras/") / "base"
    named = base if about_this_one else base.parent / "other"
    desktop_directory().mkdir(parents=True)
    (desktop_directory() / "extra_models_config.yaml").write_text(
        f"comfyui_desktop:\n  base_path: {named}\n  is_default: true\n  loras: models/loras/\n"
        f"  download_model_base: models\nmigrated:\n  base_path: {base.parent}/old\n  loras: loras\n",
        encoding="utf-8",
    )

    found = paths(find_roots(comfyui=base), "loras", base.parent)
    assert ("old/loras" in found) is about_this_one


@pytest.mark.parametrize(
    ("system", "end"),
    [
        ("win32", "AppData/Roaming/ComfyUI"),
        ("darwin", "Library/Application Support/ComfyUI"),
        ("linux", ".config/ComfyUI"),
    ],
)
def test_desktop_directory(system: str, end: str, own_home: Path, monkeypatch: pytest.MonkeyPatch):
    """The app's folder on each system, without the variables that move it."""
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.delenv("APPDATA")
    monkeypatch.delenv("XDG_CONFIG_HOME")

    assert desktop_directory() == own_home / end


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "not YAML at line"),
        ("a: {loras: 2020-13-45}", "not YAML"),
        ("- a\n- b\n", "expected sections, got list"),
        ("a: text\n", "a: expected folders and their directories, got str"),
        ("a:\n  loras: 5\n", r"a\.loras: expected text, got int"),
        ("a:\n  base_path: {x: 1}\n", r"a\.base_path: expected text, got dict"),
        ("a: !!python/object/apply:os.system ['true']\n", "not YAML at line 1"),
        ("[" * 1500, "not YAML"),
        ("\0", "not YAML"),
        ("#" * (1 << 20) + "##", "over 1,048,576 bytes"),
    ],
)
def test_bad_yaml(comfyui: Path, text: str, says: str):
    """A file with which ComfyUI would not start is told with its name and place, and runs nothing."""
    with pytest.raises(InvalidSettings, match=says) as caught:
        with_yaml(comfyui, text)
    assert "extra_model_paths.yaml" in caught.value.message


def test_empty_yaml(comfyui: Path):
    """A file of comments adds nothing; a list of directories is understood though ComfyUI wants lines."""
    assert with_yaml(comfyui, "# nothing\n").roots("loras")
    assert "x" in paths(with_yaml(comfyui, "a:\n  loras: [x, y]\n"), "loras", comfyui)


WINDOWS_SECTION: Any = {
    "base_path": "D:\\AI\\models",
    "is_default": True,
    "loras": "Lora\nE:\\loras\\",
    "vae": "..\\vae",
}


@pytest.mark.parametrize(
    ("flavour", "where", "expected", "notes"),
    [
        (
            ntpath,
            "C:\\ComfyUI\\extra_model_paths.yaml",
            (
                ExtraPath("loras", "D:\\AI\\models\\Lora", default=True),
                ExtraPath("loras", "E:\\loras", default=True),
                ExtraPath("vae", "D:\\AI\\vae", default=True),
            ),
            0,
        ),
        (posixpath, "/c/extra_model_paths.yaml", (), 1),
    ],
)
def test_windows_paths(flavour: ModuleType, where: str, expected: tuple[ExtraPath, ...], notes: int):
    """Windows paths are read on Windows; elsewhere they lead nowhere, least of all into ComfyUI's folder."""
    found = parse_extra_paths({"win": WINDOWS_SECTION}, where=where, flavour=flavour)

    assert found.paths == expected
    assert len(found.notes) == notes


@pytest.mark.parametrize("line", ["E:\\loras", "E:/loras", "\\\\nas\\loras", "e:"])
def test_windows_line(line: str):
    """One foreign line is left out; the others stay."""
    found = parse_extra_paths(
        {"s": {"base_path": "/m", "loras": f"good\n{line}"}}, where="/c/x.yaml", flavour=posixpath
    )

    assert found.paths == (ExtraPath("loras", "/m/good"),)
    assert len(found.notes) == 1


def test_linked_directories(comfyui: Path, tmp_path: Path):
    """models/ may be a link, keeping its name; two names of one directory are one root."""
    (comfyui / "models/diffusion_models").mkdir()
    (comfyui / "models/unet").symlink_to(comfyui / "models/diffusion_models")
    (tmp_path / "link").symlink_to(comfyui)

    roots = find_roots(comfyui=tmp_path / "link")
    assert [root.path for root in roots.roots("diffusion_models")][:1] == [
        tmp_path / "link/models/diffusion_models"
    ]
    assert len(roots.roots("diffusion_models")) == 2


def test_link_loop(comfyui: Path):
    """A link to itself in a root's place breaks nothing."""
    (comfyui / "models/loras").symlink_to(comfyui / "models/loras")

    assert find_roots(comfyui=comfyui).target("loras") == comfyui / "models/loras"


def test_missing_models(plant: Plant):
    """A ComfyUI that lacks models/ altogether still says where they belong."""
    base = plant("c/folder_paths.py") / "c"

    assert find_roots(comfyui=base).target("loras") == base / "models/loras"


def test_iteration(comfyui: Path):
    """Going through Roots gives every root of every folder."""
    roots = find_roots(comfyui=comfyui)

    assert {root.folder for root in roots} == set(roots.folders)
