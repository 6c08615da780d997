"""What goes wrong in a request, and the HTTP status of every error we know."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from ..errors import (
    EarlyAccess,
    FileChanged,
    Gated,
    HubError,
    HubUnavailable,
    IndexLocked,
    InputError,
    LoginRequired,
    NeedsNetwork,
    NoSpace,
    NotFound,
    NotWritable,
    Refused,
    WatchmanError,
    Withdrawn,
)
from ..library.previews import NotAnImage

if TYPE_CHECKING:
    from ..catalog import Json

_T = TypeVar("_T")
_LOG: Final = logging.getLogger(__name__)


class NotAllowed(WatchmanError):
    """A request that does not come from our own page, or not from this machine."""

    code = "not-allowed"
    default_hint = (
        "Open ComfyUI as http://127.0.0.1 on its own machine; or allow this there with "
        "`comfywatchman settings set`, as docs/how-to/other-machines.md says."
    )


class InvalidRequest(InputError):
    """A request whose body is not of the shape its route asks for."""

    code = "invalid-request"
    default_hint = "Reload the page; its scripts may be of another version than the server."


class TooLarge(InputError):
    """A request whose body is over the limit of its route."""

    code = "too-large"
    default_hint = "Send less: workflows of at most 20 MiB are read."


class WrongContentType(InputError):
    """A request whose body is not plain JSON."""

    code = "wrong-content-type"
    default_hint = "Send Content-Type: application/json without a content encoding."


class PlanGone(InputError):
    """A plan that is not known, or is older than ten minutes."""

    code = "plan-gone"
    default_hint = "Make the plan again."


class PlanSpent(InputError):
    """A plan that was carried out already."""

    code = "plan-spent"
    default_hint = "Make the plan again; what was taken from it stands in the transfers."


class TooManyPlans(WatchmanError):
    """A plan that is not begun, since too many still wait for a hub."""

    code = "too-many-plans"
    default_hint = "Wait a minute, and see whether a hub is down; what is on this disk is told all the same."


class PreviewGone(InputError):
    """A picture that is not one of the plan's, or that is not to be shown."""

    code = "preview-gone"
    default_hint = "Make the plan again, or see the setting `preview_level`."


class TransferGone(InputError):
    """A transfer that the queue does not have."""

    code = "transfer-gone"
    default_hint = "Look at the list of transfers again."


class TransferOpen(InputError):
    """A transfer that cannot be forgotten, because it has not ended."""

    code = "transfer-open"
    default_hint = "Cancel it first."


class SettingGuarded(InputError):
    """A security setting, which no page may change."""

    code = "setting-guarded"
    default_hint = "Change it with `comfywatchman settings set`, or in settings.json."


# The first class of an error's own line that stands here decides.
_STATUSES: Final[dict[type[WatchmanError], int]] = {
    NotAllowed: 403,
    TooLarge: 413,
    WrongContentType: 415,
    PlanGone: 404,
    PlanSpent: 409,
    TooManyPlans: 503,
    PreviewGone: 404,
    TransferGone: 404,
    TransferOpen: 409,
    SettingGuarded: 403,
    NeedsNetwork: 503,
    InputError: 400,
    HubUnavailable: 503,
    NotFound: 404,
    LoginRequired: 403,
    Gated: 403,
    EarlyAccess: 403,
    Withdrawn: 410,
    HubError: 502,
    NoSpace: 507,
    NotWritable: 409,
    Refused: 403,
    IndexLocked: 503,
    FileChanged: 409,
    NotAnImage: 502,
    WatchmanError: 500,
}


def status_of(error: WatchmanError) -> int:
    """The HTTP status that goes with an error."""
    return next(_STATUSES[kind] for kind in type(error).__mro__ if kind in _STATUSES)


def error_document(error: WatchmanError) -> dict[str, Json]:
    """The body that goes with it."""
    details: dict[str, Json] | None = None
    if isinstance(error, HubError):
        details = {"hub": error.hub}
        if isinstance(error, HubUnavailable):
            details["retry_after"] = error.retry_after
    return {"error": {**error.to_dict(), "details": details}}


def call_safely(work: Callable[[], _T], *, what: str) -> _T:
    """Do the work of a request; a fault of ours becomes an error that says so, with a traceback in the log.

    Raises:
        WatchmanError: whatever the work raises.
    """
    try:
        return work()
    except WatchmanError:
        raise
    except Exception as fault:
        _LOG.exception("%s failed", what)
        message = f"{what}: a fault of comfywatchman; the traceback is in ComfyUI's log"
        raise WatchmanError(message, hint="Report it with that traceback.") from fault
