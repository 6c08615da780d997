"""What transfers are tested with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from transfer.faults import FaultServer
from transfer.nursery import Nursery


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A server that does to every request what a test says."""
    with FaultServer() as running:
        yield running


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Processes by the hundred; see there."""
    with Nursery() as running:
        yield running
