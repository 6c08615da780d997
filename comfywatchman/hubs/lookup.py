"""One call of `find`: which references are still open, what was found for them, what stood in the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import EarlyAccess, Gated, HubError, LoginRequired, NotFound
from ..resolution import Candidate
from ..workflow.references import Reference
from .base import Answer
from .likeness import stem_of
from .patience import Breaker


class Lookup:
    """The references by number, and what is known of each so far.

    A fault belongs to the references it was met for; a hub out of reach is asked no more in this call.
    """

    def __init__(self, references: Sequence[Reference]) -> None:
        self.references = references
        self._breaker = Breaker()
        self._found: dict[int, tuple[Candidate, ...]] = {}
        self._faults: dict[int, HubError] = {}
        self._locked: set[int] = set()

    def answers(self) -> list[Answer]:
        """One answer a reference: candidates, or else the first fault, or else nothing."""
        numbers = range(len(self.references))
        return [self._found.get(n) or self._faults.get(n) or () for n in numbers]

    def still_open(self) -> list[tuple[int, Reference]]:
        """The references without a candidate, but not those whose own link leads to a locked file."""
        done = self._found.keys() | self._locked
        return [(n, reference) for n, reference in enumerate(self.references) if n not in done]

    def open_by_name(self) -> list[tuple[int, Reference]]:
        """The open references that name a file; a link has no name to search for."""
        return [(n, reference) for n, reference in self.still_open() if not reference.linked]

    def open_by_stem(self) -> list[list[int]]:
        """The numbers of the open references that name a file, those with the same stem together."""
        stems: dict[str, list[int]] = {}
        for n, reference in self.open_by_name():
            stems.setdefault(stem_of(reference.name).casefold(), []).append(n)
        return list(stems.values())

    def keep(self, number: int, candidates: tuple[Candidate, ...]) -> None:
        """Note what was found for a reference; nothing leaves it open."""
        if candidates:
            self._found[number] = candidates

    def ask(self, numbers: Sequence[int], question: Callable[[], object]) -> None:
        """Put a question for some references; that the hub has no such thing is no fault."""
        try:
            self._breaker.ask(question)
        except NotFound:
            return
        except HubError as fault:
            self.note(numbers, fault)

    def follow(self, numbers: Sequence[int], question: Callable[[], object]) -> None:
        """Put the question where a link leads; when it is locked, no other file is looked for."""

        def locking() -> None:
            try:
                question()
            except (LoginRequired, Gated, EarlyAccess):
                self._locked.update(numbers)
                raise

        self.ask(numbers, locking)

    def note(self, numbers: Sequence[int], fault: HubError) -> None:
        """Keep a fault for references, for the case that nothing is found for them."""
        for number in numbers:
            self._faults.setdefault(number, fault)
