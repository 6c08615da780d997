"""`inspections` and `plans`: what a workflow needs, what would be fetched, and the word to do it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..air import HubLink, hub_of, parse_thing
from ..catalog import Json
from ..consent import Consent
from ..decode import Value
from ..errors import HubError, InputError, WatchmanError
from ..plan import Transfer
from ..report import Pasted, Stage
from ..resolution import prefer
from ..settings import change_settings
from .desk import Desk
from .errors import InvalidRequest
from .events import SETTINGS
from .items import Choice, Item, Option, Withheld, grant, join_transfers, lock_item, make_items
from .plans import Review, Snapshot
from .previews import level_of
from .serving import Call
from .transfers import list_transfers
from .views import inspection_document, plan_document, withheld_document

if TYPE_CHECKING:
    from ..watchman import Watchman


def make_inspection(desk: Desk, call: Call) -> dict[str, Json]:
    """What a workflow needs, against this disk; asks nobody."""
    pasted = _pasted(call.body)
    report = desk.house.watchman(asks=False).inspect([pasted]).reports[0]
    if report.error is not None:
        raise report.error
    return inspection_document(report, desk.places(), name=pasted.name)


def open_plan(desk: Desk, call: Call) -> dict[str, Json]:
    """Begin a plan for a workflow, or for things on hubs."""
    body = Value(call.body)
    if "things" in call.body:
        if "workflow" in call.body or "prompt" in call.body:
            raise InvalidRequest("$: one of workflow, prompt and things")
        review = _plan_things(desk, body)
    else:
        pasted = _pasted(call.body)
        keys = [key.text() for key in body["references"].items()] if "references" in call.body else None
        review = desk.plans.open(lambda review: _fill(desk, review, pasted, keys))
    review.await_first()
    return _document(desk, review)


def show_plan(desk: Desk, call: Call) -> dict[str, Json]:
    """A plan as far as it has come."""
    return _document(desk, desk.plans.get(call.path["id"]))


def fetch_plan(desk: Desk, call: Call) -> dict[str, Json]:
    """Carry out a plan, as far as a person agreed."""
    review = desk.plans.get(call.path["id"])
    body = Value(call.body)
    choices = {key: _choice(value) for key, value in body["items"].entries()}
    with review.spend() as spent:
        items = review.snapshot.items
        if unknown := choices.keys() - {item.key for item in items}:
            raise InvalidRequest(f"$.items: the plan has no item {min(unknown)[:200]!r}")
        if "remember" in call.body:
            _remember(desk, is_certain=body["remember"].flag())
        granted, withheld = _grant(desk, items, choices, consent=body["consent"].text())
        ids, problems = _enqueue(desk, granted)
        if ids:
            spent()
    return {
        "transfers": list_transfers(desk, ids),
        "skipped": withheld_document([*withheld, *problems], desk.veil_text),
    }


def _document(desk: Desk, review: Review) -> dict[str, Json]:
    return plan_document(review, desk.places(), veil=desk.veil_text, level=level_of(desk.house))


# ── what is asked ──


def _pasted(body: dict[str, Json]) -> Pasted:
    given = [key for key in ("workflow", "prompt") if key in body]
    if len(given) != 1:
        raise InvalidRequest("$: one of workflow and prompt")
    return Pasted(body[given[0]], Value(body)["name"].text_or_none() or "workflow")


def _choice(value: Value) -> Choice:
    return Choice(
        candidate=value["candidate"].integer_or_none(),
        agreed=value["agreed"].flag(),
        root=value["root"].text_or_none(),
    )


# ── making plans, in their threads ──


def _fill(desk: Desk, review: Review, pasted: Pasted, keys: Sequence[str] | None) -> None:
    """Put what is known of a workflow's models into a review, stage by stage."""
    watchman = desk.house.watchman()
    precision = desk.house.settings().precision
    only = None if keys is None else frozenset(keys)

    def put(stage: Stage) -> None:
        if (error := stage.answer.reports[0].error) is not None:
            raise error
        desk.note_answers(review.snapshot.asking, stage)
        items = make_items(
            stage.answer, asked=stage.asked, only=only, make_plan=watchman.plan, precision=precision
        )
        faults = tuple(stage.answer.faults)
        review.put(Snapshot(stage=stage.name, items=items, asking=stage.asking, faults=faults))

    answer = watchman.resolve([pasted], told=put)
    put(Stage(name="done", answer=answer))


def _plan_things(desk: Desk, body: Value) -> Review:
    """A plan for links, ids and AIRs; `folder` is for those whose hub does not say where they belong."""
    texts = [thing.text() for thing in body["things"].items()]
    links = [parse_thing(text) for text in texts]
    if not links:
        raise InvalidRequest("$.things: nothing is asked for")
    folder = body["folder"].text_or_none()

    def fill(review: Review) -> None:
        watchman = desk.house.watchman()
        items = [
            Item(key=f"thing:{at}", name=text, folder=folder or "", asked=True)
            for at, text in enumerate(texts)
        ]
        faults: list[WatchmanError] = []
        precision = desk.house.settings().precision
        for at, link in enumerate(links):
            left = tuple(dict.fromkeys(map(hub_of, links[at:])))
            stage = "hubs" if at else "local"
            review.put(Snapshot(stage=stage, items=tuple(items), asking=left, faults=tuple(faults)))
            try:
                items[at] = _open_thing(watchman, items[at], link, folder=folder, precision=precision)
            except (HubError, InputError) as fault:
                faults.append(fault)
                items[at] = lock_item(replace(items[at], asked=False), link, fault)
        review.put(Snapshot(stage="done", items=tuple(items), faults=tuple(faults)))

    return desk.plans.open(fill)


def _open_thing(
    watchman: Watchman, item: Item, link: HubLink, *, folder: str | None, precision: str | None
) -> Item:
    """The item with the files that its link leads to."""
    options = []
    candidates = watchman.candidates(link)
    for candidate in candidates:
        try:
            transfer = watchman.transfer_of(candidate.file, folder=folder)
        except InputError as fault:
            options.append(Option(candidate, None, fault.message))
        else:
            options.append(Option(candidate, transfer, transfer.reason))
    first = options[0].transfer
    return replace(
        item,
        folder=first.folder if first else item.folder,
        options=tuple(options),
        chosen=0 if len(options) == 1 else prefer(candidates, precision),
        is_choice=len(options) > 1,
        asked=False,
    )


# ── carrying them out ──


def _grant(
    desk: Desk, items: Sequence[Item], choices: Mapping[str, Choice], *, consent: str
) -> tuple[dict[str, Transfer], list[Withheld]]:
    """The transfers that were allowed, by item; and what was withheld."""
    granted: list[tuple[str, Transfer]] = []
    withheld: list[Withheld] = []
    places = desk.places()
    for item in items:
        choice = choices.get(item.key)
        given = grant(item, choice, consent=consent)
        if isinstance(given, Withheld):
            withheld.append(given)
        elif given is not None:
            if choice is not None and choice.root is not None:
                given = replace(given, root=places.path_of(choice.root, given.folder))
            granted.append((item.key, given))
    joined, clashes = join_transfers(granted)
    return joined, [*withheld, *clashes]


def _enqueue(desk: Desk, granted: Mapping[str, Transfer]) -> tuple[list[str], list[Withheld]]:
    """Queue what can be brought and wake the worker; what cannot is withheld."""
    queue, transfers = desk.queue, [*granted.values()]
    doomed = {
        id(transfer): problem.error
        for problem in desk.house.watchman().preflight(queue, transfers)
        for transfer in problem.transfers
    }
    problems = [
        Withheld(key=key, code=error.code, message=error.message, hint=error.hint)
        for key, transfer in granted.items()
        if (error := doomed.get(id(transfer))) is not None
    ]
    wanted = [transfer for transfer in transfers if id(transfer) not in doomed]
    worker = desk.worker
    worker.agree(_origins(wanted))  # first: what is queued may be taken in hand at once
    ids = queue.add(wanted)
    if ids:
        worker.wake()
        desk.feed.stir()
    return ids, problems


def _origins(transfers: Sequence[Transfer]) -> frozenset[str]:
    """The origins that only a person's word opens: those of plain http and of unusual ports."""
    parts = (urlsplit(t.source.url) for t in transfers if t.consent is Consent.FILE)
    return frozenset(f"{one.scheme}://{one.netloc}" for one in parts if one.scheme != "https" or one.port)


def _remember(desk: Desk, *, is_certain: bool) -> None:
    """Keep the answer to: fetch what is certain from now on?"""
    with desk.writing:
        change_settings(desk.house.home, {"fetch_certain": is_certain})
    desk.send(SETTINGS, {})
