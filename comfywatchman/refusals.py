"""Refusals: why a node gets no file, said to a person in front of ComfyUI.

check_consent(transfer)     what a person would have to be asked about
check_format(name, …)       what can run code when it is loaded
explain(fault, hub)         a hub's or a transfer's error, with where a token goes
"""

from __future__ import annotations

from typing import Final

from .catalog import format_of
from .consent import Consent
from .errors import NotHere, Refused, WatchmanError, WrongFolder
from .names import printable
from .plan import Transfer

_SIGN_IN: Final = (
    "Set a token in ComfyUI's settings under comfywatchman, or with `comfywatchman token set {hub}`."
)


def check_consent(transfer: Transfer) -> None:
    """Pass what its hub publishes with a digest and nobody needs to be asked about.

    Raises:
        Refused: a person would have to be asked.
    """
    source = transfer.source
    is_agreed = transfer.consent in (Consent.AUTOMATIC, Consent.PLAN)
    if is_agreed and source.digest("sha256"):
        return
    reason = "its hub publishes no digest to check it against" if is_agreed else transfer.reason
    hint = f"Open {source.page or source.url}, or fetch it by hand in the comfywatchman panel."
    raise explain(Refused(f"{shown(source.name)} is not fetched: {reason}", hint=hint), source.hub)


def check_format(name: str, *, pickles: bool) -> None:
    """Pass safetensors: of whatever is called otherwise, ComfyUI's loaders make a pickle.

    Source: `load_torch_file` in comfy/utils.py, 0.3.60 to 0.33.

    Raises:
        Refused: it is another format, and pickles are not allowed.
    """
    if pickles or format_of(name) == "safetensors":
        return
    what = "is a pickle" if format_of(name) == "pickle" else "would be loaded as a pickle"
    raise Refused(
        f"{shown(name)} {what}, a format that can run code when it is loaded",
        hint="Use a .safetensors file, or allow them: comfywatchman settings set node_pickles true",
    )


def explain(fault: WatchmanError, hub: str) -> WatchmanError:
    """The same error, with where a token goes."""
    if (
        fault.code in ("login-required", "gated", "early-access")
        or "token set" in f"{fault.message}{fault.hint}"
    ):
        fault.hint = f"{fault.hint} {_SIGN_IN.format(hub=hub)}".strip()
    return fault


def nowhere(thing: str, *, folder: str, is_pinned: bool) -> NotHere | Refused:
    """Why something cannot even be asked for."""
    if "://" in thing:
        hint = "Nodes fetch from CivitAI and Hugging Face only; bring it by hand and choose it by its name."
        return Refused(f"{shown(thing)} is on no hub", hint=hint)
    if not is_pinned:
        return NotHere(f"{shown(thing)} is not in {folder}")
    return NotHere(
        f"the file this workflow was made with as {shown(thing)} is not here, "
        "and its pin does not say where it is from",
        hint="Empty `pinned` to use whatever has that name.",
    )


def wrong_folder(thing: str, *, folder: str, wanted: str) -> WrongFolder:
    """It is of another kind than the input takes."""
    return WrongFolder(f"{shown(thing)} belongs to {folder}, and here one of {wanted} is used")


def shown(text: str) -> str:
    """Foreign text as it may stand in a message."""
    return printable(text[:200]) or "nothing"
