"""The examples in docstrings of the pure modules hold."""

import doctest
import importlib

import pytest

MODULES = ["air", "catalog", "decode", "digest", "hubs.tables", "triggers"]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    """Every example gives what it shows."""
    outcome = doctest.testmod(importlib.import_module(f"comfywatchman.{name}"))
    assert outcome.failed == 0
    assert outcome.attempted > 0 or name == "decode"
