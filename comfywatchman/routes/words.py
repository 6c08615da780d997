"""`words`: the trigger words of a file that is here, from its sidecars, its header and the index."""

from __future__ import annotations

from ..catalog import Json
from ..errors import NotHere
from .desk import Desk
from .serving import Call


def show_words(desk: Desk, call: Call) -> dict[str, Json]:
    """The words of a local file by its folder and name; nobody is asked, and nothing is hashed.

    Raises:
        NotHere: no file of that name is in that folder.
    """
    folder, name = call.path["folder"], call.path["name"]
    obtainer = desk.house.obtainer()
    obtained = obtainer.find(name, folder=folder)
    if obtained is None:
        raise NotHere(f"{name[:200]!r}: no such file in {folder[:80]!r}")
    words = obtainer.summarize(obtained, asks=False).words
    return {"folder": obtained.file.folder, "name": obtained.name, "trigger_words": list(words)}
