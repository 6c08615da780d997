"""CivitAI: its API, its records and its words, and the hub made of them."""

from .hub import Civitai

__all__ = ["Civitai"]
