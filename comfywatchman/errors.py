"""The tree of errors: one class for each decision a caller can make.

Every error has a `code` (kebab-case, kept for ever), a `message` that says who, what, expected
and got, and a `hint` that says what to do next. `docs/reference/errors.md` lists them all.
"""

from __future__ import annotations

from typing import ClassVar


class WatchmanError(Exception):
    """The root of everything this package raises on purpose."""

    code: ClassVar[str] = "error"
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint

    def to_dict(self) -> dict[str, str]:
        """The error as it stands in every JSON document: code, message, hint."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


# ── input that cannot be used ──


class InputError(WatchmanError, ValueError):
    """What was given cannot be used; another try with the same input fails again."""

    code = "invalid-input"


class InvalidWorkflow(InputError):
    """The file holds no workflow that can be read."""

    code = "invalid-workflow"
    default_hint = "Save the workflow again from ComfyUI (Export or Export (API)) and give that file."


class InvalidAir(InputError):
    """Text that is neither an AIR, a hub id nor a hub's page."""

    code = "invalid-air"
    default_hint = "Give a CivitAI or Hugging Face link, an AIR, a model id, v:VERSION or hf:owner/repo/file."


class SeveralFiles(InputError):
    """A link that holds several model files where one is meant."""

    code = "several-files"
    default_hint = "Give the link of one file."


class InvalidDigest(InputError):
    """Text that is no digest."""

    code = "invalid-digest"
    default_hint = "A digest is written algorithm:hex, for example sha256:… with 64 hex digits."


class InvalidPlan(InputError):
    """A saved plan, lock or manifest that does not follow its schema."""

    code = "invalid-plan"
    default_hint = "Make the plan again with `comfywatchman resolve WORKFLOW --json`."


class InvalidSettings(InputError):
    """A settings file, an environment variable or an option with a value that means nothing."""

    code = "invalid-settings"
    default_hint = "Correct the value, or remove it to go back to what is usual."


class UnsafePath(InputError):
    """A name from outside that must not become a path."""

    code = "unsafe-path"
    default_hint = "Rename the model in the workflow; nothing was written."


class UnknownFolder(InputError):
    """A folder that this ComfyUI does not have and comfywatchman does not know."""

    code = "unknown-folder"
    default_hint = "Add the folder to extra_model_paths.yaml, or give a file of a known folder."


class InvalidStack(InputError):
    """The text of a LoRA stack has a line that means nothing."""

    code = "invalid-stack"
    default_hint = "A line is: on | name, link or id | strength | strength for CLIP | words: a, b"


class InvalidPin(InputError):
    """The text that says which version of a model a workflow uses cannot be read."""

    code = "invalid-pin"
    default_hint = "Empty the `pinned` field; it is filled again when the model was used."


class NotHere(InputError):
    """A model is not on this disk and nothing says where to get it."""

    code = "not-here"
    default_hint = "Choose one that is here, or give a CivitAI link, an id or an AIR as `source`."


class WrongFolder(InputError):
    """A model of another kind than the place it is given for."""

    code = "wrong-folder"
    default_hint = "Use the loader for that kind of model, or give another one here."


class BaseModelMismatch(InputError):
    """A LoRA that can have no effect on the model it is given for."""

    code = "base-model-mismatch"
    default_hint = "Choose a LoRA made for this model's family."


class NoComfyUI(InputError):
    """No ComfyUI and no models folder was found where one was expected."""

    code = "no-comfyui"
    default_hint = "Give --comfyui PATH or --models-dir PATH, or set COMFYUI_PATH."


class NeedsNetwork(InputError):
    """A hub is needed, and --offline was given or the setting `offline` is on."""

    code = "needs-network"
    default_hint = "Run it again without --offline, or turn the setting `offline` off."


# ── a hub cannot or will not answer ──


class HubError(WatchmanError):
    """A hub did not give what was asked."""

    code = "hub-error"

    def __init__(self, message: str, *, hub: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.hub = hub


class HubUnavailable(HubError):
    """The hub is down, overloaded, out of reach, or answers nonsense; later may be better."""

    code = "hub-unavailable"
    default_hint = "Try again later; what is local and the other hubs still work."

    def __init__(
        self, message: str, *, hub: str, hint: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hub=hub, hint=hint)
        self.retry_after = retry_after  # seconds; None when the hub did not say


class NotFound(HubError):
    """The hub has no such model, version or file."""

    code = "not-found"
    default_hint = "Check the link or the id; the model may have been moved or deleted."


class LoginRequired(HubError):
    """The hub wants a valid token."""

    code = "login-required"
    default_hint = "Set a token with `comfywatchman token set HUB`."


class Gated(HubError):
    """The owner must grant access first."""

    code = "gated"
    default_hint = "Open the model's page, ask for access, and set a token of that account."


class EarlyAccess(HubError):
    """The version is for buyers until a date."""

    code = "early-access"
    default_hint = "Buy access on the model's page, or wait until early access ends."


class Withdrawn(HubError):
    """The model is archived, taken down, or its owner has switched downloads off."""

    code = "withdrawn"
    default_hint = "Look for a re-upload or another model; the hub no longer gives this file."


# ── a transfer failed ──


class TransferError(WatchmanError):
    """A file could not be brought here."""

    code = "transfer-failed"


class Interrupted(TransferError):
    """The line broke, stalled, or the transfer was stopped; the partial is kept."""

    code = "interrupted"
    default_hint = "Run the same command again; it goes on where it stopped."


class SizeMismatch(TransferError):
    """The number of bytes is not what the hub's record says."""

    code = "size-mismatch"
    default_hint = "Fetch again; if it stays so, the hub's record is wrong: report it there."


class DigestMismatch(TransferError):
    """The bytes are not those the hub's record names; they were set aside."""

    code = "digest-mismatch"
    default_hint = "Fetch again; if it stays so, the hub's record is wrong: report it there."


class NotAModel(TransferError):
    """The answer is a web page, an error text or a pointer file, not a model."""

    code = "not-a-model"
    default_hint = "Open the link in a browser: it often asks for a login or a licence first."


class NoSpace(TransferError):
    """The target's file system has too little room."""

    code = "no-space"
    default_hint = "Free some room, or give another root in extra_model_paths.yaml."


class NotWritable(TransferError):
    """The target folder cannot be written."""

    code = "not-writable"
    default_hint = "Check who owns the folder and whether the disk is mounted read-only."


class Refused(TransferError):
    """Policy forbids this transfer: scheme, host, address, format or target."""

    code = "refused"
    default_hint = "This is never fetched; bring the file yourself if you trust it."


# ── the library ──


class LibraryError(WatchmanError):
    """The library's memory or a file of it cannot be used."""

    code = "library-error"


class IndexLocked(LibraryError):
    """Another program keeps a file of the data folder locked."""

    code = "index-locked"
    default_hint = "Wait until the other program is done with it and run the command again."


class IndexTooNew(LibraryError):
    """A file of the data folder was written by a newer version."""

    code = "index-too-new"
    default_hint = "Update comfywatchman, or move the file away to start anew."


class FileChanged(LibraryError):
    """A file changed while it was read."""

    code = "file-changed"
    default_hint = "Wait until nothing writes to the file and run the command again."
