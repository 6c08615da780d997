"""The user's own table of loaders: `loaders.json` in the data folder, written as the one that ships.

{"my pack": {"MyLoraLoader": {"lora_name@0": "loras"}}}
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..decode import DecodeError, Value
from ..errors import InvalidSettings
from ..jsonfile import read_json
from ..workflow.loaders import Loaders

OWN_LOADERS: Final = "loaders.json"


def read_own_loaders(path: Path, loaders: Loaders) -> Loaders:
    """The table in which the user's own rows win; the same one when there is no such file.

    Raises:
        InvalidSettings: it cannot be read; the message names the place.
    """
    rows: dict[str, dict[str, str]] = {}
    try:
        for _, pack in Value(read_json(path)).entries():
            for node_type, slots in pack.entries():
                rows[node_type] = {name: folder.text() for name, folder in slots.entries()}
    except DecodeError as fault:
        hint = "Mend the file, or move it away to go on without it."
        raise InvalidSettings(f"{path}: {fault.message}", hint=hint) from fault
    except OSError as fault:
        raise InvalidSettings(f"{path}: cannot be read: {fault.strerror or fault}") from fault
    return loaders.extended_by(rows) if rows else loaders
