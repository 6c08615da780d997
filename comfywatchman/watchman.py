"""The verbs: inspect, resolve, plan, fetch, describe, search.

    watchman = Watchman(roots=roots, hubs=(civitai, huggingface), known=known)
    answer = watchman.resolve(paths)
    plan = watchman.plan(answer.resolutions)
    outcomes = watchman.fetch(plan.transfers, listener=print)

Faces read input, call one verb and show the answer.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from .air import HubLink, hub_of, parse_thing
from .answering import inspect_workflows, resolve_workflows
from .bookkeeping import Books
from .catalog import LocalFile, RemoteFile, base_name, canonical_folder
from .consent import Consent, Policy
from .digest import Digest, parse_digest
from .errors import InvalidAir, InvalidDigest, NoComfyUI, UnknownFolder
from .hubs.asking import authorize, files_at, hub_named, identify_all, only_file_at, owner_of, search_all
from .hubs.base import Fetched, Hub, SearchQuery
from .inquiry import KnownModels
from .library.examination import examine_file
from .library.index import ACTIVE_CHECKPOINT, Choice
from .library.indexed import Indexed
from .library.roots import Roots
from .plan import Plan, Transfer, make_plan, make_transfer
from .planfile import judge_again
from .report import Answer, Description, Listing, Pasted, Stage
from .resolution import Candidate, Evidence, Resolution
from .transfer.entry import failure
from .transfer.events import Listener, Outcome, State
from .transfer.guard import Guard
from .transfer.limits import Limits
from .transfer.queue import Problem, Queue
from .whereabouts import Checking, Lookout, find_local
from .workflow.loaders import Loaders, load_loaders


class Memory(KnownModels, Protocol):
    """A known-models table that also keeps what this installation has verified."""

    def remember(self, files: Iterable[Fetched]) -> None:
        """Keep where verified files came from."""


class Watchman:
    """Everything a user can ask for, in the user's words.

    `roots` is None where no ComfyUI is needed (search, describe); verbs that need one raise NoComfyUI.
    `hubs` is empty offline. `books` are the queue and the index that processes share; None: kept in memory.
    """

    def __init__(
        self,
        *,
        roots: Roots | None,
        hubs: Sequence[Hub] = (),
        known: Memory,
        policy: Policy | None = None,
        guard: Guard | None = None,
        limits: Limits | None = None,
        loaders: Loaders | None = None,
        books: Books | None = None,
    ) -> None:
        self._given_roots = roots
        self._hubs = tuple(hubs)
        self._known = known
        self._policy = policy or Policy()
        self._guard = guard or Guard()
        self._limits = limits or Limits()
        self._loaders = loaders or load_loaders()
        self._books = books or Books(None, hubs=hubs)

    def inspect(self, sources: Sequence[Path | Pasted]) -> Answer:
        """What workflows need, against this disk; asks nobody."""
        return inspect_workflows(sources, lookout=self._lookout(), loaders=self._loaders)

    def resolve(
        self, sources: Sequence[Path | Pasted], *, told: Callable[[Stage], None] | None = None
    ) -> Answer:
        """What workflows need, and what the hubs have for what is missing; writes nothing.

        `told` hears of what is known so far, from this disk to the last hub but one.
        """
        return resolve_workflows(
            sources,
            lookout=self._lookout(),
            loaders=self._loaders,
            known=self._known,
            hubs=self._hubs,
            told=told,
        )

    def plan(self, resolutions: Iterable[Resolution]) -> Plan:
        """What to do about resolutions; references that no longer matter are left out."""
        return make_plan(list(resolutions), target=self._target, policy=self._policy)

    def reopen(self, saved: Plan) -> Plan:
        """A saved plan for this installation: same files, but nothing it says of consent is taken over.

        Raises:
            UnknownFolder: a folder of it is not here.
            Refused: nothing is ever written into one.
        """
        return judge_again(
            saved,
            owner=self._owner,
            root=self._root_again,
            policy=self._policy,
            is_file=_lies_here,
        )

    def open(self, links: Sequence[HubLink], *, folder: str | None = None) -> Plan:
        """A plan for what a person points at: pages, ids, AIRs.

        Raises:
            HubError: a hub does not give it.
            SeveralFiles: a repository or folder holds more than one model.
            UnknownFolder: the hub does not say where it belongs and no folder was given.
        """
        files = [only_file_at(self._hubs, link) for link in links]
        return Plan(transfers=tuple(self.transfer_of(file, folder=folder) for file in files))

    def transfer_of(self, file: RemoteFile, *, folder: str | None = None) -> Transfer:
        """The transfer that brings a file a person pointed at; `folder` where its hub does not say where to.

        Raises:
            UnknownFolder: nobody says where it belongs.
            UnsafePath: its name must not become a path.
        """
        folder = folder or file.folder
        if folder is None:
            hint = "Give the folder: --folder checkpoints, loras, vae, …"
            raise UnknownFolder(f"{file.giver} does not say which folder {file.name} belongs to", hint=hint)
        return make_transfer(
            file,
            folder=canonical_folder(folder),
            path=base_name(file.name),
            evidence=Evidence.URL,
            target=self._target,
            policy=self._policy,
        )

    def fetch(
        self, transfers: Sequence[Transfer], *, listener: Listener, stop: threading.Event | None = None
    ) -> list[Outcome]:
        """Bring files, verify and publish them, and remember where they came from.

        One outcome each, in the same order. What the preflight finds impossible (room, rights, clashes)
        fails before the first byte and keeps nothing else. What an earlier run left in the queue stays
        there unless it is asked for now.

        Raises:
            IndexTooNew, IndexLocked: the queue's file cannot be used.
        """
        with self.open_queue() as queue:
            doomed = {
                id(transfer): problem.error
                for problem in queue.preflight(transfers, limits=self._limits)
                for transfer in problem.transfers
            }
            ran = queue.fetch(
                [transfer for transfer in transfers if id(transfer) not in doomed],
                authorize=partial(authorize, self._hubs),
                listener=listener,
                stop=stop,
                limits=self._limits,
                guard=_agreed(self._guard, transfers),
                on_end=partial(self._enter, stop=stop),
            )
        self._known.remember(fetched for fetched in map(_fetched, ran) if fetched is not None)
        rest = iter(ran)
        return [failure(t, doomed[id(t)]) if id(t) in doomed else next(rest) for t in transfers]

    def open_queue(self) -> Queue:
        """The queue that all processes with this data folder share; the caller closes it.

        Raises:
            IndexTooNew, IndexLocked: its file cannot be used.
        """
        return self._books.open_queue(roots=self._root_paths)

    def work(
        self,
        queue: Queue,
        *,
        stop: threading.Event,
        lingers: bool = False,
        agreed: frozenset[str] = frozenset(),
    ) -> None:
        """Carry out everything in a queue, and keep what `fetch` keeps of each file that comes.

        With `lingers` also what comes later, until `stop` is set. `agreed` are origins that a person was
        asked about. What an earlier run brought and could not enter in the index is entered first.
        """
        self._books.catch_up(queue.entries(), roots=self._root_paths)

        def end(outcome: Outcome) -> Outcome:
            fetched = _fetched(outcome)
            self._known.remember([fetched] if fetched is not None else [])
            return self._enter(outcome, stop=stop)

        queue.work(
            authorize=partial(authorize, self._hubs),
            stop=stop,
            limits=self._limits,
            guard=replace(self._guard, agreed=self._guard.agreed | agreed),
            lingers=lingers,
            on_end=end,
        )

    def preflight(self, queue: Queue, transfers: Sequence[Transfer]) -> list[Problem]:
        """What keeps transfers from being brought, as far as it can be known before; see `fetch`."""
        return queue.preflight(transfers, limits=self._limits)

    def find_local(
        self,
        thing: HubLink | Digest,
        *,
        folder: str | None = None,
        stop: threading.Event | None = None,
        tell: Checking = lambda _file, _done: None,
    ) -> Indexed | None:
        """The file here that a link means, in `folder` if one is given, with digests and origin.

        At once and without network where the index knows. Otherwise the hub is asked, files are listed,
        sidecars read, and files that may be meant are hashed: `tell` hears of it, `stop` ends it.

        Raises:
            UnknownFolder: there is no such folder.
            Interrupted: `stop` was set.
        """
        roots = self._roots.roots(folder) if folder is not None else tuple(self._roots)
        return find_local(thing, roots, index=self._books.index, hubs=self._hubs, stop=stop, tell=tell)

    @property
    def active_checkpoint(self) -> Choice | None:
        """The checkpoint that is active for all nodes of that kind; its revision grows with each change.

        Raises:
            IndexTooNew, IndexLocked: the index cannot be used.
        """
        return self._books.index.recall(ACTIVE_CHECKPOINT)

    def activate_checkpoint(self, name: str) -> Choice:
        """Make a checkpoint the active one: a local name or a link, as a model input takes it.

        Raises:
            IndexTooNew, IndexLocked: the index cannot be used.
        """
        return self._books.index.remember(ACTIVE_CHECKPOINT, name)

    def describe(self, subject: str) -> Description:
        """What a model is, by a file here, a link, an id, an AIR or a digest.

        Of a file, what it and its sidecars say is told too, which asks nobody.

        Raises:
            InvalidAir: it is none of them.
            HubError: the hub does not give it.
            InputError: the file cannot be read.
            FileChanged: the file changed while it was read.
        """
        if os.path.isfile(subject):  # noqa: PTH113 - unlike Path.is_file it never raises
            examined = examine_file(Path(subject))
            files, faults = identify_all(self._hubs, examined.file.digests)
            return Description(subject=subject, examined=examined, files=files, faults=faults)
        try:
            link = parse_thing(subject)
        except InvalidAir as fault:
            files, faults = identify_all(self._hubs, (_digest_or(subject, fault),))
            return Description(subject=subject, files=files, faults=faults)
        return Description(subject=subject, files=hub_named(self._hubs, hub_of(link)).open(link))

    def search(self, query: SearchQuery, *, hub: str | None = None) -> Listing:
        """Models for a person to browse; a hub that fails loses nothing of the others."""
        models, faults = search_all(self._hubs, query, only=hub)
        return Listing(models=models, faults=faults)

    def candidates(self, link: HubLink) -> tuple[Candidate, ...]:
        """The files that a person may mean by a link: one, or all of a repository or folder.

        Raises:
            HubError: a hub does not give it.
            NeedsNetwork: hubs are not asked offline.
        """
        return tuple(Candidate(file, Evidence.URL) for file in files_at(self._hubs, link))

    @property
    def _roots(self) -> Roots:
        if self._given_roots is None:
            raise NoComfyUI("this needs a ComfyUI or a models folder, and none was given")
        return self._given_roots

    @property
    def _root_paths(self) -> tuple[str, ...]:
        return tuple(str(root.path) for root in self._roots)

    def _lookout(self) -> Lookout:
        return Lookout(self._roots, self._books.index, last=self._books.last_look)

    def _enter(self, outcome: Outcome, *, stop: threading.Event | None) -> Outcome:
        """Keep what is known of a file; a run that is being stopped waits for no hub."""
        return self._books.enter(outcome, asks=stop is None or not stop.is_set())

    def _owner(self, url: str) -> str | None:
        hub = owner_of(self._hubs, url)
        return hub.name if hub else None

    def _target(self, folder: str) -> str:
        return str(self._roots.target(folder))

    def _root_again(self, folder: str, root: str) -> str:
        """The root a saved plan names, if it still serves that folder; else where new files go."""
        target = self._target(folder)  # first, as it refuses folders that nothing is written into
        known = (str(place.path) for place in self._roots.roots(folder) if not place.output)
        return root if root in known else target


def _fetched(outcome: Outcome) -> Fetched | None:
    """What to keep of a verified file that a digest identifies."""
    digest = next((digest for digest in outcome.digests if digest.identifies), None)
    if outcome.state is not State.VERIFIED or outcome.size is None or digest is None:
        return None
    transfer = outcome.transfer
    return Fetched(
        file=transfer.source,
        folder=transfer.folder,
        name=transfer.path,
        digest=digest,
        size=outcome.size,
    )


def _agreed(guard: Guard, transfers: Sequence[Transfer]) -> Guard:
    """The guard that also lets through the origins of files a person was asked about one by one."""
    asked = (urlsplit(t.source.url) for t in transfers if t.consent is Consent.FILE)
    return replace(guard, agreed=guard.agreed | {f"{parts.scheme}://{parts.netloc}" for parts in asked})


def _lies_here(file: LocalFile) -> bool:
    return Path(file.root, file.path).is_file()


def _digest_or(subject: str, fault: InvalidAir) -> Digest:
    try:
        return parse_digest(subject)
    except InvalidDigest:
        raise fault from None
