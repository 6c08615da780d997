"""A running ComfyUI, asked which input of which node lists the files of which folder.

    GET /object_info     {"NodeType": {"input": {"required": {"ckpt_name": [["a.safetensors", …], {}]}}}}
    GET /models          ["checkpoints", "loras", …]
    GET /models/loras    ["ink.safetensors", …]

Routes of ComfyUI's `server.py` and `app/model_manager.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, urlsplit

from ..decode import MIB, DecodeError
from ..errors import HubUnavailable, InvalidSettings
from ..workflow.loaders import Loaders
from .hosts import HostGroup
from .patience import Patience
from .session import Limits, Session

_NAME: Final = "comfyui"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_FOLDERS: Final = 200  # more a ComfyUI hardly has


def learn_from(url: str, loaders: Loaders, *, trusted: frozenset[str] = frozenset()) -> Loaders:
    """The table with what a running ComfyUI tells of nodes that are not in it.

    Asked on this machine only, or at an address among `trusted` (the setting `mirrors`).

    Raises:
        InvalidSettings: the address is none, or another machine's.
        HubUnavailable: nobody answers there, or not as a ComfyUI does.
    """
    group = HostGroup(hub=_NAME, hosts=frozenset(), endpoint=url.rstrip("/"))
    if urlsplit(url).hostname not in _LOOPBACK and group.endpoint not in trusted:
        raise InvalidSettings(
            f"{url[:200]}: a ComfyUI is asked on this machine only",
            hint="Add its address to the setting `mirrors` if it is yours.",
        )
    limits = Limits(connect=3, read=20, whole=60, size=64 * MIB)
    with Session(patience=Patience(tries=1), limits=limits) as session:
        try:
            info = session.get(group, "/object_info", headers={}).body.json
            listings = {folder: list(_files(session, group, folder)) for folder in _folders(session, group)}
        except DecodeError as fault:
            told = f"{_NAME}: the answer is not a ComfyUI's: {fault.message}"
            raise HubUnavailable(told, hub=_NAME) from fault
    return loaders.learned_from(info, listings)


def _folders(session: Session, group: HostGroup) -> list[str]:
    names = session.get(group, "/models", headers={}).body.items()
    return [name.text() for name in names][:_FOLDERS]


def _files(session: Session, group: HostGroup, folder: str) -> Iterator[str]:
    for name in session.get(group, f"/models/{quote(folder, safe='')}", headers={}).body.items():
        yield name.text()
