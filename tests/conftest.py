"""Fixtures for all tests. The first import binds the inner package before pytest touches the root."""

from pathlib import Path

import pytest
from hypothesis import settings

import comfywatchman as comfywatchman

settings.register_profile("shared machine", deadline=None)  # a busy CPU is no fault of the code
settings.load_profile("shared machine")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Labelled workflows and recorded hub answers beside the checkout; skips visibly without them."""
    if not SHARED.is_dir():
        pytest.skip("no shared/data beside this checkout")
    return SHARED
