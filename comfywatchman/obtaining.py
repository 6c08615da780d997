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
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .air import CivitaiLink, HubLink, HuggingFaceLink, parse_thing
from .catalog import LocalFile, RemoteFile, base_name, canonical_folder, format_of
from .digest import Digest, match_digests
from .errors import (
    DigestMismatch,
    HubError,
    Interrupted,
    InvalidAir,
    NeedsNetwork,
    NotHere,
    Refused,
    WatchmanError,
    WrongFolder,
)
from .library.examination import look_at
from .library.folders import has_model_extension
from .library.index import Index
from .library.indexed import Indexed
from .library.named import find_named
from .library.origin import Origin, origin_of
from .library.roots import Root, Roots
from .names import fold, printable
from .pins import Pin, choose_pin, parse_pins
from .plan import Consent, Transfer
from .report import Description
from .summary import Summary, summarize
from .transfer.events import Listener, Outcome, State

if TYPE_CHECKING:
    from .watchman import Watchman

_LOG: Final = logging.getLogger(__name__)
_HERE: Final = frozenset({State.VERIFIED, State.SKIPPED})
_SIGN_IN: Final = (
    "Set a token in ComfyUI's settings under comfywatchman, or with `comfywatchman token set {hub}`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obtained:
    """A model file that is here, and where it is from, as far as that is known."""

    file: LocalFile
    origin: Origin | None = None

    @property
    def path(self) -> Path:
        """Where it lies."""
        return Path(self.file.root, self.file.path)

    @property
    def name(self) -> str:
        """Its name as ComfyUI lists it."""
        return self.file.path.replace("/", os.sep)

    @property
    def digest(self) -> Digest | None:
        """Its SHA-256, where it was ever computed."""
        return next((digest for digest in self.file.digests if digest.algorithm == "sha256"), None)

    @property
    def link(self) -> HubLink | None:
        """The very file on its hub."""
        return _link_of(self.origin) if self.origin else None

    @property
    def pin(self) -> Pin | None:
        """What to keep in a workflow to get the same file again; None where nothing is known of it."""
        if self.link is None and self.digest is None:
            return None
        return Pin(name=self.file.name, link=self.link, digest=self.digest)

    @property
    def identity(self) -> str:
        """What changes when the file does. Its digest is left out: that becomes known some time later."""
        file = self.file
        return f"{file.root}:{file.path}:{file.size}:{file.mtime_ns}"


class Obtainer:
    """Finds and brings model files for nodes. `pickles` says whether their formats may be used."""

    def __init__(self, watchman: Watchman, *, roots: Roots, index: Index, pickles: bool = False) -> None:
        self._watchman = watchman
        self._roots = roots
        self._index = index
        self._pickles = pickles

    def find(self, thing: str, *, folder: str | None, pinned: str = "") -> Obtained | None:
        """The file that a thing means, if it is here; asks nobody. `folder` None means any.

        Raises:
            InvalidAir: the thing is neither a name nor a link, id or AIR.
            InvalidPin: a pin cannot be read.
            WrongFolder: it is here, but of another kind.
        """
        return self._find(self._question(thing, folder, pinned))

    def obtain(
        self,
        thing: str,
        *,
        folder: str,
        pinned: str = "",
        listener: Listener = lambda _progress: None,
        stop: threading.Event | None = None,
    ) -> Obtained:
        """The file that a thing means, fetched if it is not here.

        Raises:
            NotHere: it is a name, no such file is here, and no pin says where it is from.
            HubError: its hub does not give it.
            Refused: it needs a person's consent, or is a pickle and the settings allow none.
            TransferError: it could not be brought; Interrupted when `stop` was set.
            InvalidAir, InvalidPin, WrongFolder: as for `find`.
        """
        question = self._question(thing, folder, pinned)
        obtained = self._find(question)
        if obtained is None:
            obtained = self._fetch(question, listener, stop)
        self._check_format(obtained.file.name)
        return obtained

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
        link = question.pin.link if question.pin and question.pin.link else question.link
        if link is None:
            raise _nowhere(question)
        files = self._watchman.describe(str(link)).files
        return summarize(Description(subject=thing, files=files[:1]))

    def summarize(self, obtained: Obtained, *, asks: bool = True) -> Summary:
        """What a file, its sidecars and the index say; where none gives words, the hub's record does.

        The hub is asked only by a digest or an origin that is known already: nothing is hashed.

        Raises:
            InputError: the file cannot be read.
        """
        examined = look_at(obtained.file)
        summary = summarize(Description(subject=obtained.file.name, examined=examined), obtained.origin)
        subject = obtained.link or obtained.digest
        if summary.words or subject is None or not asks:
            return summary
        try:
            files = self._watchman.describe(str(subject)).files
        except (HubError, NeedsNetwork) as fault:
            _LOG.debug("%s: nobody could be asked for its words: %s", obtained.file.name, fault.message)
            return summary
        described = Description(subject=obtained.file.name, examined=examined, files=files[:1])
        return summarize(described, obtained.origin)

    # ── here ──

    def _question(self, thing: str, folder: str | None, pinned: str) -> _Question:
        """Raises InvalidAir unless it is a file's name or means something on a hub."""
        folder = canonical_folder(folder) if folder is not None else "any folder"
        roots = self._roots.roots(folder) if folder != "any folder" else tuple(self._roots)
        thing = thing.strip()
        named = find_named(roots, thing) if thing else None
        link: HubLink | None = None
        if named is None:
            try:
                link = parse_thing(thing)
            except InvalidAir:
                if not has_model_extension(thing):
                    raise
        pin = choose_pin(parse_pins(pinned), link if link is not None else thing)
        if named is not None and self._is_another(named, pin):
            named = None
        return _Question(thing=thing, folder=folder, roots=roots, named=named, link=link, pin=pin)

    def _is_another(self, named: LocalFile, pin: Pin | None) -> bool:
        """Whether the file of that name is surely not the pinned one."""
        if pin is None or pin.digest is None:
            return False
        known = self._index.find_listed(named)
        return known is not None and match_digests((pin.digest,), known.file.digests) is False

    def _find(self, question: _Question) -> Obtained | None:
        if question.named is not None:
            known = self._index.find_listed(question.named)
            return _obtained(known) if known else Obtained(file=question.named)
        roots = {str(root.path) for root in question.roots}
        found = self._known(question)
        served = [known for known in found if known.file.root in roots]
        if found and not served:
            raise _wrong_folder(question, found[0].file.folder)
        return _obtained(served[0]) if served else None

    def _known(self, question: _Question) -> Sequence[Indexed]:
        """What the index has of it: the pinned bytes, else the release, unless its bytes are others."""
        pin = question.pin
        if pin is None:
            return self._index.find_link(question.link) if question.link else ()
        if pin.digest is not None and (found := self._index.find_digest(pin.digest)):
            return found
        found = self._index.find_link(pin.link) if pin.link else ()
        pinned = (pin.digest,) if pin.digest else ()
        return [known for known in found if match_digests(pinned, known.file.digests) is not False]

    # ── elsewhere ──

    def _fetch(self, question: _Question, listener: Listener, stop: threading.Event | None) -> Obtained:
        transfer = self._plan(question)
        self._check_format(transfer.source.name)
        _check_consent(transfer)
        if stop is not None and stop.is_set():
            raise Interrupted(f"{transfer.path}: stopped before it was fetched")
        (outcome,) = self._watchman.fetch([transfer], listener=listener, stop=stop)
        if outcome.state not in _HERE:
            raise _explained(outcome.error or Refused(f"{transfer.path}: not fetched"), transfer.source.hub)
        return self._entered(outcome, question)

    def _plan(self, question: _Question) -> Transfer:
        """What would be fetched, made sure to be the pinned release and of the right kind."""
        pin = question.pin
        link = pin.link if pin is not None and pin.link is not None else question.link
        if link is None:
            raise _nowhere(question)
        try:
            plan = self._watchman.open([link], folder=question.folder)
        except NeedsNetwork as fault:
            text = f"{_shown(question.thing)} is not here, and offline no hub is asked"
            raise NotHere(text, hint="Go online once, or fetch it with `comfywatchman fetch`.") from fault
        except WatchmanError as fault:
            raise _explained(fault, getattr(fault, "hub", "civitai")) from fault
        transfer = plan.transfers[0]
        told = transfer.source.folder
        if told is not None and canonical_folder(told) != question.folder:
            raise _wrong_folder(question, told)
        if pin is None or pin.digest is None:
            return transfer
        return replace(transfer, source=_pinned(transfer.source, pin.digest))

    def _check_format(self, name: str) -> None:
        if format_of(name) == "pickle" and not self._pickles:
            raise Refused(
                f"{_shown(name)} is a pickle, a format that can run code when it is loaded",
                hint="Use a .safetensors file, or allow them: comfywatchman settings set node_pickles true",
            )

    def _entered(self, outcome: Outcome, question: _Question) -> Obtained:
        """What was brought, as the index has it by now."""
        roots = [root for root in question.roots if str(root.path) == outcome.transfer.root]
        file = find_named(roots, outcome.path)
        if file is None:
            raise NotHere(f"{outcome.path} was fetched and is gone again")
        known = self._index.find_listed(file)
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


def find_stem(files: Iterable[str], stem: str) -> str | None:
    """The name a LoRA tag of a prompt means in a list of names: with its folder or without, no extension.

    >>> find_stem(["style/ink v2.safetensors", "fog.safetensors"], "Ink v2")
    'style/ink v2.safetensors'
    """
    wanted = fold(stem.replace("\\", "/"))
    by_rank: dict[int, str] = {}
    for name in files:
        plain = fold(name.replace("\\", "/"))
        bare = plain.rpartition(".")[0] if has_model_extension(plain) else plain
        ways = (plain, bare, base_name(plain), base_name(bare))
        if wanted in ways:
            by_rank.setdefault(ways.index(wanted), name)
    return by_rank[min(by_rank)] if by_rank else None


def _obtained(known: Indexed) -> Obtained:
    return Obtained(file=known.file, origin=known.origin)


def _check_consent(transfer: Transfer) -> None:
    """Refuse what a person would have to be asked about."""
    source = transfer.source
    if transfer.consent in (Consent.AUTOMATIC, Consent.PLAN) and source.digest("sha256"):
        return
    if transfer.consent in (Consent.AUTOMATIC, Consent.PLAN):
        reason = "its hub publishes no digest to check it against"
    else:
        reason = transfer.reason
    hint = f"Open {source.page or source.url}, or fetch it by hand in the comfywatchman panel."
    raise _explained(Refused(f"{_shown(source.name)} is not fetched: {reason}", hint=hint), source.hub)


def _pinned(source: RemoteFile, digest: Digest) -> RemoteFile:
    """The file, to be checked against the pin where its hub publishes no digest of it."""
    same = match_digests((digest,), source.digests)
    if same is False:
        raise DigestMismatch(
            f"{_shown(source.name)} is no longer the file this workflow was made with",
            hint="Empty `pinned` to use what the hub has now.",
        )
    return source if same else replace(source, digests=(*source.digests, digest))


def _explained(fault: WatchmanError, hub: str) -> WatchmanError:
    """The same error for a person in front of ComfyUI: where a token goes."""
    if (
        fault.code in ("login-required", "gated", "early-access")
        or "token set" in f"{fault.message}{fault.hint}"
    ):
        fault.hint = f"{fault.hint} {_SIGN_IN.format(hub=hub)}".strip()
    return fault


def _nowhere(question: _Question) -> NotHere | Refused:
    """Why it cannot even be asked for."""
    if "://" in question.thing:
        hint = "Nodes fetch from CivitAI and Hugging Face only; bring the file by hand and choose it by its name."
        return Refused(f"{_shown(question.thing)} is on no hub", hint=hint)
    if question.pin is None:
        return NotHere(f"{_shown(question.thing)} is not in {question.folder}")
    return NotHere(
        f"the file this workflow was made with as {_shown(question.thing)} is not here, "
        "and its pin does not say where it is from",
        hint="Empty `pinned` to use whatever has that name.",
    )


def _wrong_folder(question: _Question, folder: str) -> WrongFolder:
    return WrongFolder(
        f"{_shown(question.thing)} belongs to {folder}, and here one of {question.folder} is used"
    )


def _link_of(origin: Origin) -> HubLink | None:
    try:
        if origin.hub == "civitai":
            return CivitaiLink(
                model_id=_number(origin.model_id),
                version_id=_number(origin.version_id),
                file_id=_number(origin.file_id),
            )
        if origin.hub == "huggingface" and origin.model_id and "/" in origin.model_id:
            return HuggingFaceLink(
                repo=origin.model_id, revision=origin.version_id or "main", path=origin.file_id
            )
    except InvalidAir:  # the index was written by something else
        pass
    return None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _shown(text: str) -> str:
    return printable(text[:200]) or "nothing"
