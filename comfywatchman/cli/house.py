"""The house put together outside ComfyUI: the one place where settings, hubs, library and transfers meet."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ..errors import NeedsNetwork
from ..hubs.answers import Answers
from ..hubs.base import Hub
from ..hubs.civitai import Civitai
from ..hubs.huggingface import HuggingFace
from ..hubs.known import Known
from ..hubs.published import Places
from ..hubs.session import Session
from ..library.roots import Roots, find_roots
from ..plan import Policy
from ..secret import Secret
from ..settings import Settings, find_home, read_settings
from ..tokens import TokenStore, find_keyring
from ..transfer.guard import Guard
from ..transfer.limits import Limits
from ..transfer.queue import Queue
from ..watchman import Watchman
from .options import Common

HUBS: Final = ("civitai", "huggingface")


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What a command works with."""

    settings: Settings
    watchman: Watchman
    hubs: tuple[Hub, ...]

    def hub(self, name: str) -> Hub:
        """The hub of that name.

        Raises:
            NeedsNetwork: hubs are not asked offline.
        """
        for hub in self.hubs:
            if hub.name == name:
                return hub
        raise NeedsNetwork(f"{name} cannot be asked offline")
