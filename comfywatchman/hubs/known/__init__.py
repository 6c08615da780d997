"""Known models: tables of facts that need no network."""

from .known import Known
from .published import Places, find_places

__all__ = ["Known", "Places", "find_places"]
