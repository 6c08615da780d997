"""Workflows: reading them, and finding what model files they name."""
