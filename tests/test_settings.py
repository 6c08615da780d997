"""Settings from real files and environments."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from comfywatchman.errors import InvalidSettings
from comfywatchman.settings import FILE_NAME, GIB, Origin, Settings, find_home, read_settings, set_setting

GUARDS = {
    "civitai_endpoint", "huggingface_endpoint", "mirrors", "allowed_hosts", "fetch_certain", "automatic_cap",
    "file_cap", "plan_cap", "plan_files", "comfyui", "models_dir", "extra_model_paths", "served_as",
    "allow_lan",
    "node_pickles",
}  # fmt: skip


def write(home: Path, text: str) -> None:
    (home / FILE_NAME).write_text(text, encoding="utf-8")


def test_defaults(tmp_path: Path):
    """Without a file and variables everything has its default, and nothing is written."""
    settings = read_settings(tmp_path / "new", {})

    assert settings == Settings(home=tmp_path / "new")
    assert settings.civitai_endpoint == "https://civitai.com"
    assert (settings.automatic_cap, settings.file_cap, settings.plan_cap) == (30 * GIB, 200 * GIB, 500 * GIB)
    assert not settings.fetch_certain
    assert not (tmp_path / "new").exists()


def test_precedence(tmp_path: Path):
    """The environment wins over the file, the file over the default; show tells which it was."""
    write(
        tmp_path, '{"comfyui": "/in/file", "huggingface_endpoint": "https://mirror.example/", "nsfw": true}'
    )
    settings = read_settings(tmp_path, {"COMFYUI_PATH": "/in/env", "HF_ENDPOINT": ""})

    shown = {entry.key: (entry.value, entry.origin) for entry in settings.show()}
    assert settings.comfyui == Path("/in/env")
    assert shown["comfyui"] == (str(Path("/in/env")), Origin.ENVIRONMENT)
    assert shown["huggingface_endpoint"] == ("https://mirror.example", Origin.FILE)
    assert shown["nsfw"] == (True, Origin.FILE)
    assert shown["plan_files"] == (200, Origin.DEFAULT)


def test_show():
    """Every setting says what it means, stands in JSON, and the security settings are marked."""
    shown = Settings(home=Path("x")).show()

    json.dumps([entry.value for entry in shown])
    assert all(entry.help for entry in shown)
    assert {entry.key for entry in shown if entry.guard} == GUARDS


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("nsfw", "yes", True),
        ("fetch_certain", "OFF", False),
        ("transfers_at_once", " 5 ", 5),
        ("fetch_certain", "none", None),
        ("precision", "fp8_e4m3fn", "fp8_e4m3fn"),
        (
            "targets",
            "unet=/big/unet, loras=/big/loras",
            {"diffusion_models": Path("/big/unet"), "loras": Path("/big/loras")},
        ),
        ("bandwidth", "1.5 MiB/s", 1_572_864),
        ("bandwidth", "20MB", 20_000_000),
        ("bandwidth", "20 MiB", 20 << 20),
        ("bandwidth", "none", None),
        ("file_cap", "1TiB", 1 << 40),
        ("plan_cap", "1000", 1000),
        ("plan_cap", "1152921504606846975", (1 << 60) - 1),
        ("civitai_endpoint", "http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("civitai_endpoint", "http://[::1]:8000", "http://[::1]:8000"),
        (
            "mirrors",
            "https://a.example/x/, http://localhost:1",
            ("https://a.example/x", "http://localhost:1"),
        ),
        ("allowed_hosts", "GitHub.com, 10.0.0.1:80", ("github.com", "10.0.0.1:80")),
        ("allowed_hosts", "", ()),
        ("models_dir", "/m/日本", Path("/m/日本")),
        ("extra_model_paths", "/a.yaml,/b.yaml", (Path("/a.yaml"), Path("/b.yaml"))),
        ("cache_hours", "0", 0),
        ("sidecars", "None", "none"),
        ("sidecars", "civitai-info", "civitai-info"),
    ],
)
def test_set(tmp_path: Path, key: str, text: str, value: object):
    """What a person types becomes the value, through the file and back."""
    set_setting(tmp_path, key, text)

    assert getattr(read_settings(tmp_path, {}), key) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("nsfw", "perhaps"),
        ("sidecars", "all of them"),
        ("transfers_at_once", "0"),
        ("transfers_at_once", "17"),
        ("transfers_at_once", "3.5"),
        ("transfers_at_once", "9" * 30),
        ("bandwidth", "fast"),
        ("file_cap", "none"),
        ("file_cap", "-1"),
        ("file_cap", "99999999 TiB"),
        ("file_cap", "1152921504606846976"),
        ("civitai_endpoint", "civitai.com"),
        ("civitai_endpoint", "ftp://civitai.com"),
        ("civitai_endpoint", "https://user:pw@civitai.com"),
        ("civitai_endpoint", "https://civitai.com?x=1"),
        ("civitai_endpoint", "https://civitai.com:99999"),
        ("civitai_endpoint", "https://civitai.com:0"),
        ("civitai_endpoint", "https://[::1"),
        ("civitai_endpoint", "https://a b"),
        ("civitai_endpoint", "https://"),
        ("allowed_hosts", "https://github.com"),
        ("allowed_hosts", "*.github.com"),
        ("allowed_hosts", "a.example:0"),
        ("models_dir", ""),
        ("comfyui", "~nobody-of-that-name/x"),
        ("comfyui", "a\0b"),
    ],
)
def test_set_refuses(tmp_path: Path, key: str, text: str):
    """Text that means nothing is refused with the key and what was expected; the file stays as it was."""
    write(tmp_path, '{"mine": 1}')

    with pytest.raises(InvalidSettings, match=f"{key}: expected "):
        set_setting(tmp_path, key, text)
    assert (tmp_path / FILE_NAME).read_text() == '{"mine": 1}'


def test_set_unknown(tmp_path: Path):
    """A key that is none is refused, and the hint lists those there are."""
    with pytest.raises(InvalidSettings, match="'speed': unknown") as caught:
        set_setting(tmp_path, "speed", "1")
    assert "transfers_at_once" in caught.value.hint


def test_set_default(tmp_path: Path):
    """`default` takes a key out of the file again."""
    set_setting(tmp_path, "nsfw", "yes")
    set_setting(tmp_path, "nsfw", "default")
    set_setting(tmp_path, "nsfw", "default")

    assert json.loads((tmp_path / FILE_NAME).read_text()) == {}


def test_unknown_keys_are_kept(tmp_path: Path):
    """Keys of another version stay through a change, and are named."""
    write(tmp_path, '{"from_the_future": {"a": [1]}, "nsfw": false}')
    set_setting(tmp_path, "nsfw", "yes")

    assert json.loads((tmp_path / FILE_NAME).read_text()) == {"from_the_future": {"a": [1]}, "nsfw": True}
    assert read_settings(tmp_path, {}).unknown == ("from_the_future",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "expected an object, got list"),
        ('"text"', "expected an object, got str"),
        ('{"nsfw": "true"}', "nsfw: expected true or false, got 'true'"),
        ('{"transfers_at_once": true}', "transfers_at_once: expected a whole number from 1 to 16"),
        ('{"comfyui": 5}', "comfyui: expected a path, or none, got '5'"),
        ('{"mirrors": "https://a.example"}', "mirrors: expected a list"),
        ('{"mirrors": [null]}', "mirrors: expected a list"),
        ('{"civitai_endpoint": null}', "civitai_endpoint: expected an http or https address"),
        ('{"file_cap": 1e300}', "file_cap: expected a size"),
        ('{"a": "' + "x" * (1 << 20) + '"}', "over the limit"),
    ],
)
def test_bad_file(tmp_path: Path, text: str, says: str):
    """A file that cannot be used is told with its path and the key."""
    write(tmp_path, text)

    with pytest.raises(InvalidSettings, match=says) as caught:
        read_settings(tmp_path, {})
    assert str(tmp_path / FILE_NAME) in caught.value.message


def test_bad_variable(tmp_path: Path):
    """A variable that cannot be used is told by its name."""
    with pytest.raises(InvalidSettings, match="HF_ENDPOINT: expected an http or https address, got 'hf'"):
        read_settings(tmp_path, {"HF_ENDPOINT": "hf"})


def test_directory_in_the_way(tmp_path: Path):
    """A folder where the file should be is told, reading and writing."""
    (tmp_path / FILE_NAME).mkdir()

    with pytest.raises(InvalidSettings, match="cannot be read"):
        read_settings(tmp_path, {})


def test_cannot_write(tmp_path: Path):
    """A data folder on a disk that is away is told."""
    (tmp_path / "home").symlink_to(tmp_path / "unmounted")

    with pytest.raises(InvalidSettings, match="cannot be written") as caught:
        set_setting(tmp_path / "home", "nsfw", "yes")
    assert "read and write" in caught.value.hint


@pytest.mark.skipif(os.name != "posix", reason="POSIX rights")
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_rights(tmp_path: Path, umask: int):
    """The folder is the user's alone, the file too, whatever the umask; nothing else is left there."""
    before = os.umask(umask)
    try:
        set_setting(tmp_path / "home", "nsfw", "yes")
    finally:
        os.umask(before)

    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "home" / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "home").iterdir()] == [FILE_NAME]


def test_home(tmp_path: Path):
    """The variable, else ComfyUI's system user directory, else the system's place for data."""
    comfyui = tmp_path / "ComfyUI"
    chosen = {"COMFYWATCHMAN_HOME": str(tmp_path / "mine")}

    assert find_home(chosen, comfyui=comfyui) == tmp_path / "mine"
    assert find_home({}, comfyui=comfyui) == comfyui / "user" / "__comfywatchman"
    assert find_home({"COMFYWATCHMAN_HOME": ""}).name == "comfywatchman"


def test_home_is_absolute():
    """A relative data folder does not move with the working directory."""
    assert find_home({"COMFYWATCHMAN_HOME": "data"}).is_absolute()


SIZES = st.integers(0, (1 << 60) - 1)
TEXTS = {
    "nsfw": st.sampled_from(["true", "no", "1", "Off"]),
    "fetch_certain": st.booleans().map(str),
    "transfers_at_once": st.integers(1, 16).map(str),
    "plan_files": st.integers(1, 100_000).map(str),
    "bandwidth": (SIZES.map(str) | st.sampled_from(["3 MB", "5GiB/s", "1.5 TiB"])) | st.just("none"),
    "file_cap": SIZES.map(str),
    "allowed_hosts": st.lists(
        st.from_regex(r"[a-z]{1,9}(\.[a-z]{2,5})?(:[1-9]\d{0,3})?", fullmatch=True)
    ).map(",".join),
}


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.fixed_dictionaries({}, optional=TEXTS))
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, texts: dict[str, str]):
    """Law: what is shown of a setting can be typed in again and gives the same setting."""
    home = tmp_path_factory.mktemp("home")
    for key, text in texts.items():
        set_setting(home, key, text)
    first = read_settings(home, {})

    for entry in first.show():
        if entry.key in texts:
            set_setting(home, entry.key, entry.text)

    assert read_settings(home, {}) == first
