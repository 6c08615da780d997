"""What leaves the HTTP module is ours: typed errors for every answer and every exception."""

from __future__ import annotations

import inspect
import json
import ssl
import threading

import pytest
import requests
import urllib3.exceptions
from transfer.faults import Exchange, FaultServer, status
from transfer.models import NAME, QUICK, guard_for, no_token

from comfywatchman import errors
from comfywatchman.errors import HubError, HubUnavailable, Interrupted, Refused, TransferError, WatchmanError
from comfywatchman.transfer.ask import Ask
from comfywatchman.transfer.http import Client, translate
from comfywatchman.transfer.refusals import refusal, retry_after

DISABLED = "The creator of this asset has disabled downloads on this file"
LOGIN = "The creator of this asset requires you to be logged in to download it"


@pytest.mark.parametrize(
    ("code", "headers", "body", "expected"),
    [
        (401, {}, {"error": "Unauthorized", "message": LOGIN}, errors.LoginRequired),
        (401, {}, {"error": "Unauthorized", "message": DISABLED}, errors.Withdrawn),
        (
            403,
            {},
            {"error": "Early Access", "deadline": "2026-10-01T00:00:00Z", "message": "x"},
            errors.EarlyAccess,
        ),
        (403, {}, {"error": "Early Access", "message": "x"}, errors.EarlyAccess),
        (403, {}, {"error": "You do not have access to download this file"}, errors.Gated),
        (403, {}, {"error": "Forbidden"}, errors.Gated),
        (404, {}, {"error": "File not found"}, errors.NotFound),
        (404, {"Cache-Control": "private, no-store"}, {"error": "File not found"}, errors.HubUnavailable),
        (410, {}, {"error": "Model archived, not available for download"}, errors.Withdrawn),
        (429, {}, {"error": "We've noticed an unusual amount of downloading"}, errors.HubUnavailable),
        (401, {"X-Error-Code": "GatedRepo"}, None, errors.Gated),
        (403, {"X-Error-Code": "GatedRepo"}, None, errors.Gated),
        (401, {"X-Error-Code": "RepoNotFound"}, None, errors.NotFound),
        (404, {"X-Error-Code": "EntryNotFound"}, None, errors.NotFound),
        (403, {"X-Error-Message": "Access to this resource is disabled."}, None, errors.Withdrawn),
        (401, {"X-Error-Message": "Invalid credentials in Authorization header"}, None, errors.LoginRequired),
        (400, {}, {"error": "bad"}, errors.Refused),
        (451, {}, None, errors.Refused),
        (500, {}, None, errors.HubUnavailable),
        (503, {}, None, errors.HubUnavailable),
        (418, {}, ["no", "object"], errors.Refused),
    ],
)
def test_refusals(code: int, headers: dict[str, str], body: object, expected: type[WatchmanError]) -> None:
    """Each answer of either hub has its own meaning."""
    text = b"" if body is None else json.dumps(body).encode()
    fault = refusal(code, headers, text, hub="civitai", what=NAME, elsewhere=False)
    assert type(fault) is expected
    assert NAME in fault.message


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410])
def test_storage_refuses(code: int) -> None:
    """A storage host's no is an expired address: ask the hub again."""
    assert type(refusal(code, {}, b"", hub="civitai", what=NAME, elsewhere=True)) is Interrupted


def test_messages_are_harmless() -> None:
    """What a hub says cannot steer a terminal, and is short."""
    body = json.dumps({"message": "\x1b[31m\u202e" + "x\n" * 9000}).encode()
    message = refusal(500, {}, body, hub="civitai", what=NAME, elsewhere=False).message
    assert message.isprintable()
    assert len(message) < 300


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0.0),
        ({"Retry-After": "5"}, 5.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "9" * 40}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 -0000", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 30.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:27:00 GMT", "Date": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:27:00 GMT"}, 0.0),
        ({"RateLimit": '"api";r=0;t=55'}, 55.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Both forms and Hugging Face's own; dates count from the server's clock."""
    assert retry_after(headers) == seconds


def _kinds() -> list[type[Exception]]:
    found = [
        c
        for m in (requests.exceptions, urllib3.exceptions)
        for _, c in inspect.getmembers(m, inspect.isclass)
    ]
    return sorted(
        {c for c in found if issubclass(c, requests.RequestException | urllib3.exceptions.HTTPError)},
        key=lambda c: c.__module__ + c.__name__,
    )


@pytest.mark.parametrize("kind", _kinds(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
@pytest.mark.parametrize("begun", [False, True])
def test_every_exception_is_ours(kind: type[Exception], begun: bool) -> None:
    """No exception of requests or urllib3 gets out, whichever a version adds."""
    fault = kind.__new__(kind)
    fault.args = ("it broke",)
    fault.__dict__.update(partial=1, expected=2, length=b"x", response=None)  # what some print
    ours = translate(fault, shown="https://example.com/m", hub="web", begun=begun)
    assert isinstance(ours, TransferError | HubError)


def test_there_are_many_exceptions() -> None:
    """The list above is the libraries' own."""
    assert len(_kinds()) > 40


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (requests.exceptions.SSLError(ssl.SSLCertVerificationError("expired")), Refused),
        (requests.exceptions.SSLError(ssl.SSLEOFError("eof")), HubUnavailable),
        (requests.exceptions.InvalidURL("x"), Refused),
        (requests.exceptions.InvalidHeader("x"), Refused),
        (requests.exceptions.ConnectTimeout("x"), HubUnavailable),
        (ConnectionResetError(104, "reset"), HubUnavailable),
    ],
)
def test_what_they_become(fault: Exception, expected: type[WatchmanError]) -> None:
    """A bad certificate or address is final, a broken line is not."""
    assert type(translate(fault, shown="https://a.example.com/", hub="web", begun=False)) is expected


def _broken_error(x: Exchange) -> None:
    x.head(404, ("Content-Length", "100"))
    x.close = True


def test_error_body_that_breaks() -> None:
    """An error whose text never comes is still the error."""
    with FaultServer() as server:
        url = server.put("/m", b"", _broken_error)
        with Client(
            guard=guard_for(server.origin), limits=QUICK, authorize=no_token, stop=threading.Event()
        ) as client:
            with pytest.raises(errors.NotFound):
                client.open(Ask(url=url, hub="web", name=NAME))
            server.put("/m", b"", status(404, b"\xff not json"))
            with pytest.raises(errors.NotFound):
                client.open(Ask(url=url, hub="web", name=NAME))
