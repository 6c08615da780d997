"""What an answer that brings no file means: the hub's status, headers and JSON, as a typed error.

Both hubs are read here, because a storage host's answer looks alike whoever sent us there. CivitAI's
answers: reference of its download endpoint (civitai/civitai `src/pages/api/download/models`), where 401
says by its message alone whether a token would help. Hugging Face names the reason in `X-Error-Code`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from ..catalog import hub_title
from ..decode import DecodeError, Value, parse_json
from ..errors import (
    EarlyAccess,
    Gated,
    HubUnavailable,
    Interrupted,
    LoginRequired,
    NotFound,
    Refused,
    WatchmanError,
    Withdrawn,
)
from ..names import printable

_DOWNLOADS_OFF: Final = "The creator of this asset has disabled downloads on this file"
_NOT_FOUND_CODES: Final = frozenset({"RepoNotFound", "RevisionNotFound", "EntryNotFound"})
_RATE_LIMIT_RESET: Final = re.compile(r"\bt=(\d{1,6})\b")


def refusal(  # noqa: PLR0911 - one row of a table each
    status: int, headers: Mapping[str, str], body: bytes, *, hub: str, what: str, elsewhere: bool
) -> WatchmanError:
    """The error for an answer that is neither 200 nor 206.

    `HubUnavailable` and `Interrupted` may be tried again; every other error stays. `elsewhere` says that
    not the hub answered but a storage host it had sent us to, whose signed addresses expire.
    """
    said = _message(body)
    giver = "the server" if hub == "web" else hub_title(hub)
    text = f"{what}: {giver} answered {status}" + (f": {said}" if said else "")
    if status in (408, 425, 429) or status >= 500:
        return HubUnavailable(text, hub=hub, retry_after=retry_after(headers))
    if elsewhere:
        return Interrupted(f"{what}: the storage host that {giver} sent us to answered {status}")
    if status in (401, 403):
        return _denied(status, headers, body, hub=hub, text=text)
    if status == 410:
        return Withdrawn(text, hub=hub)
    if status == 404 and "no-store" in headers.get("Cache-Control", ""):
        return HubUnavailable(f"{text} (for the moment)", hub=hub)
    if status == 404:
        return NotFound(text, hub=hub)
    return Refused(text)


def _denied(  # noqa: PLR0911 - one row of a table each
    status: int, headers: Mapping[str, str], body: bytes, *, hub: str, text: str
) -> WatchmanError:
    """Why a hub says no to this person."""
    code = headers.get("X-Error-Code", "")
    answer = _json(body)
    if code == "GatedRepo":
        return Gated(text, hub=hub)
    if code in _NOT_FOUND_CODES:
        return NotFound(text, hub=hub)
    if headers.get("X-Error-Message") == "Access to this resource is disabled.":
        return Withdrawn(text, hub=hub)
    if answer["message"].text_or_none() == _DOWNLOADS_OFF:
        return Withdrawn(text, hub=hub, hint="The creator has switched downloads off; a token does not help.")
    if answer["error"].text_or_none() == "Early Access":
        return _early(answer, hub=hub, text=text)
    if status == 401:
        return LoginRequired(text, hub=hub)
    return Gated(text, hub=hub)


def _early(answer: Value, *, hub: str, text: str) -> EarlyAccess:
    """Early access, with its end where the hub tells it."""
    deadline = answer["deadline"].text_or_none()
    hint = f"Buy access on the model's page, or wait until {printable(deadline[:30])}." if deadline else None
    return EarlyAccess(text, hub=hub, hint=hint)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the server asks us to wait, never negative; None if it does not say or not in a known form.

    A date counts from the answer's own `Date`, so a wrong clock here does not matter. Hugging Face says
    it in `RateLimit: "api";r=0;t=55`.
    """
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,3})?", text):
        return float(text)
    until = _date(text)
    if until is not None:
        now = _date(headers.get("Date", "")) or datetime.now(UTC)
        return max(0.0, (until - now).total_seconds())
    reset = _RATE_LIMIT_RESET.search(headers.get("RateLimit", ""))
    return float(reset[1]) if reset else None


def _date(text: str) -> datetime | None:
    """An HTTP date."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _json(body: bytes) -> Value:
    """The body's JSON; null if it is none."""
    try:
        return Value(parse_json(body))
    except DecodeError:
        return Value(None)


def _message(body: bytes) -> str:
    """What the hub says in words, fit for a terminal."""
    answer = _json(body)
    said = answer["message"].text_or_none() or answer["error"].text_or_none() or ""
    return printable(" ".join(said.split()))[:200]
