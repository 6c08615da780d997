"""Every route: what it takes, what it gives, and the verb that does it, by module and name.

Verbs are imported when they are first called: ComfyUI waits for this table at its start, and for no more.
"""

from __future__ import annotations

from typing import Final

from .serving import WORKFLOW, Route

ROUTES: Final[tuple[Route, ...]] = (
    Route(method="GET", path="status", verb="status:show_status", gives="Status", about="what is here"),
    Route(
        method="POST",
        path="inspections",
        verb="reviews:make_inspection",
        takes="InspectionRequest",
        gives="Inspection",
        most=WORKFLOW,
        about="what a workflow needs, against this disk; asks nobody",
    ),
    Route(
        method="POST",
        path="plans",
        verb="reviews:open_plan",
        takes="PlanRequest",
        gives="Plan",
        status=202,
        most=WORKFLOW,
        about="begin a plan; hubs add to it, and each new stage is told as an operation event",
    ),
    Route(
        method="GET",
        path="plans/{id}",
        verb="reviews:show_plan",
        gives="Plan",
        about="a plan as far as it has come",
    ),
    Route(
        method="POST",
        path="plans/{id}/fetch",
        verb="reviews:fetch_plan",
        takes="FetchRequest",
        gives="Fetch",
        status=202,
        about="carry out a plan, once, as far as a person agreed",
    ),
    Route(
        method="GET",
        path="previews/{id}",
        verb="previews:show_preview",
        gives="Preview",
        type="image/jpeg",
        waits=True,
        about="the picture of a candidate of a plan, small and drawn anew",
    ),
    Route(
        method="GET", path="transfers", verb="transfers:show_transfers", gives="Transfers", about="the queue"
    ),
    Route(
        method="GET",
        path="transfers/{id}",
        verb="transfers:show_transfer",
        gives="Transfer",
        about="one transfer",
    ),
    Route(
        method="PATCH",
        path="transfers/all",
        verb="transfers:change_transfers",
        takes="TransfersChange",
        gives="Transfers",
        about="pause, resume, cancel or begin again all at once",
    ),
    Route(
        method="PATCH",
        path="transfers/{id}",
        verb="transfers:change_transfer",
        takes="TransferChange",
        gives="Transfer",
        about="pause, resume, cancel, begin again or move one transfer",
    ),
    Route(
        method="DELETE",
        path="transfers/all",
        verb="transfers:forget_transfers",
        gives="Transfers",
        about="forget all that have ended; files stay",
    ),
    Route(
        method="DELETE",
        path="transfers/{id}",
        verb="transfers:forget_transfer",
        gives="Transfers",
        about="forget one that has ended; its file stays",
    ),
    Route(
        method="GET", path="settings", verb="keeping:show_settings", gives="Settings", about="every setting"
    ),
    Route(
        method="PATCH",
        path="settings",
        verb="keeping:write_settings",
        takes="SettingsChange",
        gives="Settings",
        about="change settings, but none that guards security",
    ),
    Route(
        method="PUT",
        path="tokens/{hub}",
        verb="keeping:write_token",
        takes="TokenRequest",
        gives="Token",
        about="keep a hub's token",
    ),
    Route(
        method="POST",
        path="tokens/{hub}/test",
        verb="keeping:test_token",
        gives="Account",
        waits=True,
        about="ask the hub whose token it is",
    ),
    Route(
        method="DELETE",
        path="tokens/{hub}",
        verb="keeping:remove_token",
        gives="Token",
        about="forget a hub's token",
    ),
    Route(
        method="GET",
        path="words/{folder}/{name}",
        verb="words:show_words",
        gives="Words",
        about="the trigger words of a file that is here; asks nobody",
    ),
    Route(
        method="GET",
        path="checkpoint",
        verb="keeping:show_checkpoint",
        gives="Checkpoint",
        about="the active checkpoint",
    ),
    Route(
        method="PUT",
        path="checkpoint",
        verb="keeping:write_checkpoint",
        takes="CheckpointRequest",
        gives="Checkpoint",
        about="make a checkpoint the active one",
    ),
    Route(
        method="GET", path="openapi.json", verb="openapi:show_openapi", gives="OpenApi", about="this document"
    ),
)
