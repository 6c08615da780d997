"""Measurements against a named other, in one run."""
