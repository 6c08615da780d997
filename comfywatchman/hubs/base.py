"""What every hub can be asked.

A hub is one package with one class that follows `Hub`, one line where the house is put together
(`house.py`), and one subclass of the contract test. All methods are synchronous and may be called
from several threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..air import HubLink
from ..catalog import Json, Model, RemoteFile
from ..digest import Digest
from ..errors import HubError
from ..resolution import Candidate
from ..workflow.references import Reference

Answer = tuple[Candidate, ...] | HubError


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What a person browses for. `sort` is relevance, downloads, likes or newest; `limit` at most 100."""

    text: str
    type: str | None = None
    base_model: str | None = None
    sort: str = "relevance"
    nsfw: bool = False
    limit: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that was fetched and verified: `name` is its place below `folder`, `size` is bytes."""

    file: RemoteFile
    folder: str
    name: str
    digest: Digest
    size: int


class Hub(Protocol):
    """A site that publishes models."""

    @property
    def name(self) -> str:
        """`civitai` or `huggingface`: the word in JSON, settings and `token set`."""

    @property
    def has_token(self) -> bool:
        """Whether a token is set; not whether the hub accepts it."""

    def find(self, references: Sequence[Reference]) -> list[Answer]:
        """Look for many references at once; one answer each, in the same order.

        An answer is the candidates, best evidence first and empty when there are none, or the error
        that kept this one from being looked up. Costs few requests: digests go in one batch, a name
        is searched once.
        """

    def open(self, link: HubLink) -> tuple[RemoteFile, ...]:
        """The weight files a link of this hub points at, the one meant first.

        Raises:
            HubError: NotFound, Withdrawn, LoginRequired, Gated, HubUnavailable.
        """

    def identify(self, digest: Digest) -> tuple[RemoteFile, ...]:
        """The files with that digest; empty when the hub knows none or cannot look up digests."""

    def search(self, query: SearchQuery) -> tuple[Model, ...]:
        """Models for a person to browse."""

    def record(self, file: RemoteFile) -> Json:
        """The hub's own record of the release a file belongs to, as programs keep it beside the file.

        Null where the hub has none, or none that programs keep.
        """

    def owns(self, url: str) -> bool:
        """Whether a URL belongs to this hub's host group or its configured endpoint."""

    def authorize(self, url: str) -> Mapping[str, str]:
        """Headers that carry the token, empty unless `owns(url)` and a token is set."""

    def whoami(self) -> str:
        """The account name behind the token.

        Raises:
            LoginRequired: there is no token or the hub does not accept it.
        """
