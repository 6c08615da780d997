"""Obtaining: the file that a node's input means, brought here where it is missing.

    "style/ink.safetensors"                ─┐
    "v:2247497", a link, an AIR, hf:…      ─┼─find───▶ Obtained, asking nobody; None
    with pins "civitai:1@2 sha256:… ink…"  ─┘─obtain─▶ Obtained, fetched through the queue all faces share

A node runs without a person looking on: only what its hub publishes with a digest is fetched, nothing from
other addresses, no pickle unless the settings allow it. What a pin says of the very thing decides which
release and which bytes it is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final

from .air import HubLink, HuggingFaceLink, parse_thing
from .catalog import LocalFile, RemoteFile, canonical_folder
from .digest import Digest, match_digests
from .errors import (
    DigestMismatch,
    HubError,
    InputError,
    Interrupted,
    InvalidAir,
    LibraryError,
    NeedsNetwork,
    NotHere,
    Refused,
    WatchmanError,
)
from .library.examination import look_at
from .library.folders import has_model_extension
from .library.index import Index
from .library.indexed import Indexed
from .library.named import find_named
from .library.origin import origin_of
from .library.roots import Root, Roots
from .obtained import Obtained
from .pins import Pin, choose_pin, parse_pins
from .plan import Transfer
from .refusals import check_consent, check_format, explain, nowhere, shown, wrong_folder
from .report import Description
from .summary import Summary, summarize
from .transfer.events import Listener, Outcome, State
from .whereabouts import Checking, place_in

if TYPE_CHECKING:
    from .watchman import Watchman

_LOG: Final = logging.getLogger(__name__)
ANYWHERE: Final = "any folder"
_HERE: Final = frozenset({State.VERIFIED, State.SKIPPED})


class Obtainer:
    """Finds and brings model files for nodes. `pickles` says whether their formats may be used.

    The verbs are asked for when a hub is needed: most runs of a workflow find everything here.
    """

    def __init__(
        self, verbs: Callable[[], Watchman], *, roots: Roots, index: Index, pickles: bool = False
    ) -> None:
        self._verbs = verbs
        self._roots = roots
        self._index = index
        self._pickles = pickles

    def find(self, thing: str, *, folder: str | None, pinned: str = "") -> Obtained | None:
        """The file that a thing means, if it is here; asks nobody. `folder` None means any.

        Raises:
            InvalidAir: the thing is neither a name nor a link, id or AIR.
            InvalidPin: a pin cannot be read.
            WrongFolder: it is here, but of another kind.
            Refused: it is a pickle, and the settings allow none.
        """
        question = self._question(thing, folder, pinned)
        obtained = self._find(question)
        return self._given(obtained, question) if obtained is not None else None

    def obtain(
        self,
        thing: str,
        *,
        folder: str,
        pinned: str = "",
        listener: Listener = lambda _progress: None,
        checking: Checking = lambda _file, _done: None,
        stop: threading.Event | None = None,
    ) -> Obtained:
        """The file that a thing means, fetched if it is not here.

        `checking` hears of files that are hashed to know whether they are it, `stop` ends that too.

        Raises:
            NotHere: it is a name, no such file is here, and no pin says where it is from.
            HubError: its hub does not give it.
            Refused: it needs a person's consent, or is a pickle and the settings allow none.
            TransferError: it could not be brought; Interrupted when `stop` was set.
            InvalidAir, InvalidPin, WrongFolder: as for `find`.
        """
        question = self._question(thing, folder, pinned)
        obtained = self._proven(question, checking, stop) or self._recognise(question, checking, stop)
        if obtained is None:
            obtained = self._fetch(question, listener, stop)
        return self._given(obtained, question)

    def pin_of(self, thing: str, *, folder: str, pinned: str) -> Pin | None:
        """What pins say of a thing; None where they say nothing.

        Raises:
            InvalidPin: a pin cannot be read.
        """
        try:
            return self._question(thing, folder, pinned).pin
        except InvalidAir:
            return None

    def _given(self, obtained: Obtained, question: _Question) -> Obtained:
        check_format(obtained.file.name, pickles=self._pickles)
        return replace(obtained, pinned=question.pin)

    # ── what it is ──

    def describe(self, thing: str, *, folder: str | None, pinned: str = "") -> Summary:
        """What is known of a model, be it here or not; nothing is fetched. `folder` None means any.

        Raises:
            NotHere: it is a name, and no such file is here.
            HubError: it is not here, and its hub does not know it.
            InvalidAir, InvalidPin, WrongFolder: as for `find`.
        """
        question = self._question(thing, folder, pinned)
        obtained = self._find(question)
        if obtained is not None:
            return self.summarize(obtained)
        if question.wanted is None:
            raise question.nowhere()
        files = self._watchman.describe(str(question.wanted)).files
        return summarize(Description(subject=thing, files=files[:1]))

    def summarize(self, obtained: Obtained, *, asks: bool = True) -> Summary:
        """What a file, its sidecars and the index say; where none gives words, the hub's record does.

        The hub is asked only by a digest or an origin that is known already: nothing is hashed. Of what was
        fetched here it has told: its record came before the file.

        Raises:
            InputError: the file cannot be read.
        """
        examined = look_at(obtained.file)
        summary = summarize(Description(subject=obtained.file.name, examined=examined), obtained.origin)
        subject = obtained.link or obtained.digest
        was_told = obtained.origin is not None and obtained.origin.fetched is not None
        if summary.words or subject is None or was_told or not asks:
            return summary
        try:
            files = self._watchman.describe(str(subject)).files
        except (HubError, NeedsNetwork) as fault:
            _LOG.debug("%s: nobody could be asked for its words: %s", obtained.file.name, fault.message)
            return summary
        described = Description(subject=obtained.file.name, examined=examined, files=files[:1])
        return summarize(described, obtained.origin)

    @cached_property
    def _watchman(self) -> Watchman:
        return self._verbs()

    # ── here ──

    def _question(self, thing: str, folder: str | None, pinned: str) -> _Question:
        """Raises InvalidAir unless it is a file's name or means something on a hub."""
        roots = tuple(self._roots) if folder is None else self._roots.roots(folder)
        folder = ANYWHERE if folder is None else canonical_folder(folder)
        thing = thing.strip()
        named = find_named(roots, thing) if thing else None
        link: HubLink | None = None
        if named is None:
            try:
                link = parse_thing(thing)
            except InvalidAir:
                if not has_model_extension(thing) and "://" not in thing:
                    raise
        pin = choose_pin(parse_pins(pinned), link if link is not None else thing)
        if named is not None and self._is_another(named, pin):
            named = None
        return _Question(thing=thing, folder=folder, roots=roots, named=named, link=link, pin=pin)

    def _is_another(self, named: LocalFile, pin: Pin | None) -> bool:
        """Whether the file of that name is surely not the pinned one."""
        if pin is None or pin.digest is None:
            return False
        known = self._listed(named)
        return known is not None and match_digests((pin.digest,), known.file.digests) is False

    def _find(self, question: _Question) -> Obtained | None:
        if question.named is not None:
            known = self._listed(question.named)
            return _obtained(known) if known else Obtained(file=question.named)
        found = self._known(question)
        for known in found:
            if (file := place_in(known.file, question.roots)) is not None:
                return _obtained(replace(known, file=file))
        if found:
            raise question.wrong_folder(found[0].file.folder)
        return None

    def _proven(
        self, question: _Question, checking: Checking, stop: threading.Event | None
    ) -> Obtained | None:
        """What is here; one that nobody hashed yet is hashed once, where a pin says what it must be."""
        obtained, digest = self._find(question), question.digest
        if obtained is None or digest is None or obtained.digest is not None:
            return obtained
        try:
            known = self._index.hashed(obtained.file, stop=stop, tell=partial(checking, obtained.file))
        except OSError as fault:
            raise InputError(f"{obtained.name}: cannot be read: {fault.strerror}") from fault
        if match_digests((digest,), known.file.digests):
            return _obtained(known)
        other = self._find(replace(question, named=None))
        return other if other is not None and other.digest == digest else None

    def _listed(self, file: LocalFile) -> Indexed | None:
        """What the index knows of a file; an index that cannot be used knows nothing."""
        try:
            return self._index.find_listed(file)
        except LibraryError as fault:
            _LOG.warning("the index cannot be used: %s", fault.message)
            return None

    def _known(self, question: _Question) -> Sequence[Indexed]:
        """What the index has of a thing; an index that cannot be used has nothing."""
        try:
            return self._index.find_release(question.wanted, question.digest)
        except LibraryError as fault:
            _LOG.warning("the index cannot be used: %s", fault.message)
            return ()

    def _recognise(
        self, question: _Question, checking: Checking, stop: threading.Event | None
    ) -> Obtained | None:
        """The file that somebody put here without us: known by its sidecar, or by hashing what may be it."""
        link = question.wanted
        if link is None or (isinstance(link, HuggingFaceLink) and (link.path or "/").endswith("/")):
            return None
        known = self._watchman.find_local(link, folder=question.folder, stop=stop, tell=checking)
        if known is None or (
            question.digest and match_digests((question.digest,), known.file.digests) is False
        ):
            return None
        return _obtained(known)

    # ── elsewhere ──

    def _fetch(self, question: _Question, listener: Listener, stop: threading.Event | None) -> Obtained:
        transfer = self._plan(question)
        check_format(transfer.source.name, pickles=self._pickles)
        check_consent(transfer)
        if stop is not None and stop.is_set():
            raise Interrupted(f"{transfer.path}: stopped before it was fetched")
        (outcome,) = self._watchman.fetch([transfer], listener=listener, stop=stop)
        if outcome.state not in _HERE:
            raise explain(outcome.error or Refused(f"{transfer.path}: not fetched"), transfer.source.hub)
        return self._entered(outcome, question)

    def _plan(self, question: _Question) -> Transfer:
        """What would be fetched, made sure to be the pinned release and of the right kind."""
        pin, link = question.pin, question.wanted
        if link is None:
            raise question.nowhere()
        try:
            plan = self._watchman.open([link], folder=question.folder)
        except NeedsNetwork as fault:
            text = f"{shown(question.thing)} is not here, and offline no hub is asked"
            hint = "Turn the setting `offline` off to have it fetched, or choose a file that is here."
            raise NotHere(text, hint=hint) from fault
        except WatchmanError as fault:
            raise explain(fault, getattr(fault, "hub", "civitai")) from fault
        transfer = plan.transfers[0]
        told = transfer.source.folder
        if told is not None and canonical_folder(told) != question.folder:
            raise question.wrong_folder(told)
        if pin is None or pin.digest is None:
            return transfer
        return replace(transfer, source=_pinned(transfer.source, pin.digest))

    def _entered(self, outcome: Outcome, question: _Question) -> Obtained:
        """What was brought, as the index has it by now."""
        roots = [root for root in question.roots if str(root.path) == outcome.transfer.root]
        file = find_named(roots, outcome.path)
        if file is None:
            raise NotHere(f"{outcome.path} was fetched and is gone again")
        known = self._listed(file)
        if known is None:
            origin = origin_of(outcome.transfer.source)
            return Obtained(file=replace(file, digests=outcome.digests), origin=origin)
        return _obtained(known)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One input of a node, made out: a file of that name here, else what is meant on a hub."""

    thing: str
    folder: str
    roots: tuple[Root, ...]
    named: LocalFile | None
    link: HubLink | None
    pin: Pin | None

    @property
    def wanted(self) -> HubLink | None:
        """What to ask its hub for: the pinned release, else what the thing says."""
        return self.pin.link if self.pin is not None and self.pin.link is not None else self.link

    @property
    def digest(self) -> Digest | None:
        """What the pin says of the content."""
        return self.pin.digest if self.pin is not None else None

    def nowhere(self) -> WatchmanError:
        """Why it cannot even be asked for."""
        return nowhere(self.thing, folder=self.folder, is_pinned=self.pin is not None)

    def wrong_folder(self, folder: str) -> WatchmanError:
        """It is here or there, but of another kind."""
        return wrong_folder(self.thing, folder=folder, wanted=self.folder)


def _obtained(known: Indexed) -> Obtained:
    return Obtained(file=known.file, origin=known.origin)


def _pinned(source: RemoteFile, digest: Digest) -> RemoteFile:
    """The file, to be checked against the pin where its hub publishes no digest of it."""
    same = match_digests((digest,), source.digests)
    if same is False:
        raise DigestMismatch(
            f"{shown(source.name)} is no longer the file this workflow was made with",
            hint="Empty `pinned` to use what the hub has now.",
        )
    return source if same else replace(source, digests=(*source.digests, digest))
