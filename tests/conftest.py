"""Fixtures for all tests. The first import binds the inner package before pytest touches the root."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from fakehub.server import FakeHub
from hypothesis import settings

import comfywatchman as comfywatchman

settings.register_profile("shared machine", deadline=None)  # a busy CPU is no fault of the code
settings.load_profile("shared machine")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"

# A script that runs the tests with "&" has interrupts ignored, by every child too; some tests press Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# ComfyUI loads this repository as a package under a name of its own; so do the tests of `nodes`.
PACK = ModuleType("pack")
PACK.__path__ = [str(ROOT)]
sys.modules["pack"] = PACK


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Labelled workflows and recorded hub answers beside the checkout; skips visibly without them."""
    if not SHARED.is_dir():
        pytest.skip("no shared/data beside this checkout")
    return SHARED


@pytest.fixture
def fakehub() -> Iterator[FakeHub]:
    """A fresh server that speaks as both hubs do; the test fails when one of its handlers did."""
    with FakeHub() as hub:
        yield hub
    assert hub.log.faults == []
