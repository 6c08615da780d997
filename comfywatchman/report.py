"""What the verbs answer, as values for every face to show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from .catalog import Json, LocalFile, Model, RemoteFile
from .errors import HubError, WatchmanError
from .facts import Facts, preferred_words
from .library.examination import Examination
from .resolution import Resolution
from .workflow.references import Reference, Survey


@dataclass(frozen=True, slots=True)
class Pasted:
    """A workflow that came as JSON and not in a file; `name` is for people."""

    document: Json
    name: str = "workflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A file that has the name a reference asks for, and another digest."""

    reference: Reference
    file: LocalFile

    def to_dict(self) -> dict[str, Json]:
        """The stranger in JSON."""
        return {"node_id": self.reference.node_id, "name": self.reference.name, "file": self.file.to_dict()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One workflow: what it names and what that means.

    `resolutions` stand in the order of `survey.references`. `error` is set when the file could not be read;
    then the rest is empty.
    """

    path: str
    format: str | None = None
    survey: Survey = field(default_factory=lambda: Survey(references=()))
    resolutions: tuple[Resolution, ...] = ()
    strangers: tuple[Stranger, ...] = ()
    error: WatchmanError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Reports on workflows, and what kept hubs from answering.

    `refusals` are the words of hubs that do not give what a workflow links to before somebody logs in, asks
    for access or pays, for references of which nothing else was found.
    """

    reports: tuple[Report, ...]
    faults: tuple[HubError, ...] = ()
    refusals: Mapping[Reference, HubError] = field(default_factory=dict)

    @property
    def resolutions(self) -> list[Resolution]:
        """The resolutions of all workflows."""
        return [resolution for report in self.reports for resolution in report.resolutions]

    def with_resolutions(self, resolutions: Sequence[Resolution]) -> Answer:
        """The same answer after a person chose; as many resolutions, in the same order."""
        rest = iter(resolutions)
        reports = (replace(r, resolutions=tuple(next(rest) for _ in r.resolutions)) for r in self.reports)
        return replace(self, reports=tuple(reports))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What is known while hubs are still asked: this disk first, then the known models, then hub after hub.

    `name` is local, known or hubs; `asking` are the hubs that have yet to answer, about the references in
    `asked`.
    """

    name: str
    answer: Answer
    asking: tuple[str, ...] = ()
    asked: frozenset[Reference] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What one model is: the file here, if a file was meant, and what hubs publish of it."""

    subject: str
    examined: Examination | None = None
    files: tuple[RemoteFile, ...] = ()
    faults: tuple[HubError, ...] = ()

    @property
    def local(self) -> LocalFile | None:
        """The file here, with its digests."""
        return self.examined.file if self.examined else None

    @property
    def trigger_words(self) -> tuple[str, ...]:
        """The words to use: the user's own, else the sidecars', else the header's, else the hubs'."""
        published = [word for file in self.files for word in file.trigger_words]
        if self.examined is None:
            return preferred_words((), Facts(), published)
        digests = self.examined.file.digests
        sidecars = [s.facts for s in self.examined.beside.sidecars if s.is_of(digests) is not False]
        return preferred_words(sidecars, self.examined.inside.facts, published)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Models found by a search, hub after hub."""

    models: tuple[Model, ...]
    faults: tuple[HubError, ...] = ()
