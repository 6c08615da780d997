"""Every route: what it takes, what it gives, and the verb that does it."""

from __future__ import annotations

from typing import Final

from ..catalog import Json
from .desk import Desk
from .keeping import remove_token, show_settings, test_token, write_settings, write_token
from .openapi import make_openapi
from .reviews import fetch_plan, make_inspection, open_plan, show_plan
from .serving import WORKFLOW, Call, Route
from .status import show_status
from .transfers import (
    change_transfer,
    change_transfers,
    forget_transfer,
    forget_transfers,
    show_transfer,
    show_transfers,
)


def show_openapi(_desk: Desk, _call: Call) -> dict[str, Json]:
    """The OpenAPI document of all this."""
    return make_openapi(ROUTES)


ROUTES: Final[tuple[Route, ...]] = (
    Route(method="GET", path="status", verb=show_status, gives="Status", about="what is here"),
    Route(
        method="POST",
        path="inspections",
        verb=make_inspection,
        takes="InspectionRequest",
        gives="Inspection",
        most=WORKFLOW,
        about="what a workflow needs, against this disk; asks nobody",
    ),
    Route(
        method="POST",
        path="plans",
        verb=open_plan,
        takes="PlanRequest",
        gives="Plan",
        status=202,
        most=WORKFLOW,
        about="begin a plan; hubs add to it, and each new stage is told as an operation event",
    ),
    Route(
        method="GET", path="plans/{id}", verb=show_plan, gives="Plan", about="a plan as far as it has come"
    ),
    Route(
        method="POST",
        path="plans/{id}/fetch",
        verb=fetch_plan,
        takes="FetchRequest",
        gives="Fetch",
        status=202,
        about="carry out a plan, once, as far as a person agreed",
    ),
    Route(method="GET", path="transfers", verb=show_transfers, gives="Transfers", about="the queue"),
    Route(method="GET", path="transfers/{id}", verb=show_transfer, gives="Transfer", about="one transfer"),
    Route(
        method="PATCH",
        path="transfers/all",
        verb=change_transfers,
        takes="TransfersChange",
        gives="Transfers",
        about="pause, resume, cancel or begin again all at once",
    ),
    Route(
        method="PATCH",
        path="transfers/{id}",
        verb=change_transfer,
        takes="TransferChange",
        gives="Transfer",
        about="pause, resume, cancel, begin again or move one transfer",
    ),
    Route(
        method="DELETE",
        path="transfers/all",
        verb=forget_transfers,
        gives="Transfers",
        about="forget all that have ended; files stay",
    ),
    Route(
        method="DELETE",
        path="transfers/{id}",
        verb=forget_transfer,
        gives="Transfers",
        about="forget one that has ended; its file stays",
    ),
    Route(method="GET", path="settings", verb=show_settings, gives="Settings", about="every setting"),
    Route(
        method="PATCH",
        path="settings",
        verb=write_settings,
        takes="SettingsChange",
        gives="Settings",
        about="change settings, but none that guards security",
    ),
    Route(
        method="PUT",
        path="tokens/{hub}",
        verb=write_token,
        takes="TokenRequest",
        gives="Token",
        about="keep a hub's token",
    ),
    Route(
        method="POST",
        path="tokens/{hub}/test",
        verb=test_token,
        gives="Account",
        about="ask the hub whose token it is",
    ),
    Route(
        method="DELETE", path="tokens/{hub}", verb=remove_token, gives="Token", about="forget a hub's token"
    ),
    Route(method="GET", path="openapi.json", verb=show_openapi, gives="OpenApi", about="this document"),
)
