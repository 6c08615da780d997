"""Hugging Face: its API and its records, and the hub made of them."""

from .hub import HuggingFace

__all__ = ["HuggingFace"]
