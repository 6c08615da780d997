"""One ComfyUI for all tests of a session, and one after the other where COMFYUI_PATH names several."""

import os
from collections.abc import Iterator

import pytest
from comfyui.installation import Installation, find_installations
from comfyui.running import ComfyUI
from comfyui.tinymodels import write_tiny_models
from fakehub.server import FakeHub

INSTALLATIONS = find_installations(os.environ)


@pytest.fixture(
    scope="session", params=INSTALLATIONS or [None], ids=lambda one: one.version if one else "no ComfyUI"
)
def installation(request: pytest.FixtureRequest) -> Installation:
    """Each ComfyUI that COMFYUI_PATH names; skips visibly when it names none."""
    if request.param is None:
        pytest.skip("COMFYUI_PATH names no ComfyUI")
    found: Installation = request.param
    return found


@pytest.fixture(scope="session")
def comfyui_hub() -> Iterator[FakeHub]:
    """The stand-in that the shared ComfyUI takes for both hubs. Stock it under names of your own test's."""
    with FakeHub() as hub:
        yield hub
    assert hub.log.faults == []


@pytest.fixture(scope="session")
def comfyui(
    installation: Installation, comfyui_hub: FakeHub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComfyUI]:
    """A running ComfyUI with our pack, the probe and the tiny models. Tests leave it as it was."""
    base = tmp_path_factory.mktemp("comfyui")
    write_tiny_models(base / "models")
    with ComfyUI(installation, base, environment=comfyui_hub.environment) as running:
        yield running
