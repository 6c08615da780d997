"""A desk for each test of the command line."""

from pathlib import Path

import pytest
from cli_desk import VARIABLES, Desk, make_desk
from fakehub.server import FakeHub


@pytest.fixture
def desk(fakehub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A ComfyUI with empty folders, and the stand-in as both hubs; nothing of the tester's own."""
    made = make_desk(tmp_path, fakehub)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return made
