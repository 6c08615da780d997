"""`transfers`: the queue, looked at and changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from ..catalog import Json
from ..decode import Value
from .desk import Desk
from .errors import TransferGone, TransferOpen
from .serving import Call
from .views import transfer_document

if TYPE_CHECKING:
    from ..transfer.queue import Queue

_OPEN: Final = frozenset({"queued", "running", "paused"})
_PAUSED: Final = frozenset({"paused"})


def show_transfers(desk: Desk, _call: Call) -> dict[str, Json]:
    """The whole queue, what has ended included."""
    transfers = list_transfers(desk, None)
    states = [entry["state"] for entry in transfers if isinstance(entry, dict)]
    is_open = [state for state in states if state in _OPEN]
    return {
        "transfers": transfers,
        "paused": bool(is_open) and all(state == "paused" for state in is_open),
        "speed": desk.feed.counts()["speed"],
    }


def show_transfer(desk: Desk, call: Call) -> dict[str, Json]:
    """One transfer."""
    return _only(desk, call.path["id"])


def change_transfer(desk: Desk, call: Call) -> dict[str, Json]:
    """Pause, resume, cancel, begin again or move one transfer."""
    id_, body = call.path["id"], Value(call.body)
    _only(desk, id_)
    queue, worker = desk.queue, desk.worker
    if "priority" in call.body:
        queue.prioritize([id_], body["priority"].integer())
    if "before" in call.body:
        before = body["before"].text_or_none()
        if before is not None:
            _only(desk, before)
        queue.place(id_, before=before)
        desk.feed.relist()
    if "state" in call.body:
        _move(queue, [id_], body["state"].text())
        worker.wake()
    desk.feed.stir()
    return _only(desk, id_)


def change_transfers(desk: Desk, call: Call) -> dict[str, Json]:
    """Pause, resume, cancel or begin again all that are in certain states."""
    body, queue, worker = Value(call.body), desk.queue, desk.worker
    state = body["state"].text()
    named = {one.text() for one in body["of"].items()} or (_PAUSED if state == "queued" else _OPEN)
    ids = [id_ for id_, standing in queue.standings().items() if standing.state.value in named]
    _move(queue, ids, state)
    worker.wake()
    desk.feed.stir()
    return show_transfers(desk, call)


def forget_transfer(desk: Desk, call: Call) -> dict[str, Json]:
    """Forget a transfer that has ended; its file stays."""
    id_ = call.path["id"]
    if _only(desk, id_)["state"] in _OPEN:
        raise TransferOpen("a transfer that has not ended cannot be forgotten")
    return _forget(desk, call, [id_])


def forget_transfers(desk: Desk, call: Call) -> dict[str, Json]:
    """Forget all transfers that have ended; files stay."""
    return _forget(desk, call, None)


def _forget(desk: Desk, call: Call, ids: list[str] | None) -> dict[str, Json]:
    desk.queue.remove(ids)
    desk.feed.stir()
    return show_transfers(desk, call)


def list_transfers(desk: Desk, ids: Collection[str] | None) -> list[Json]:
    """The TRANSFER documents of these entries, or of all."""
    places, feed = desk.places(), desk.feed
    order = {id_: at for at, id_ in enumerate(desk.queue.order())}
    return [
        transfer_document(
            entry, feed.pulse(entry.id), places, position=order.get(entry.id, 0), veil=desk.veil_text
        )
        for entry in desk.queue.entries(ids)
    ]


def _only(desk: Desk, id_: str) -> dict[str, Json]:
    found = list_transfers(desk, [id_])
    if not found or not isinstance(found[0], dict):
        raise TransferGone(f"there is no transfer {id_[:40]!r}")
    return found[0]


def _move(queue: Queue, ids: Sequence[str], state: str) -> None:
    """Bring entries to a state, as far as they can be."""
    match state:
        case "paused":
            queue.pause(ids)
        case "cancelled":
            queue.cancel(ids)
        case _:
            queue.resume(ids)
            queue.retry(ids)
