"""A house for tests: a watchman over real folders, with the test server as both hubs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from fakehub.server import FakeHub

from comfywatchman.bookkeeping import Books
from comfywatchman.consent import Policy
from comfywatchman.hubs.base import Hub
from comfywatchman.hubs.civitai import Civitai
from comfywatchman.hubs.huggingface import HuggingFace
from comfywatchman.hubs.known import Known
from comfywatchman.hubs.patience import Patience
from comfywatchman.hubs.session import Session
from comfywatchman.library.index import Index
from comfywatchman.library.roots import find_roots
from comfywatchman.transfer.events import Progress
from comfywatchman.transfer.guard import Guard
from comfywatchman.watchman import Watchman


class House:
    """A watchman with its folders: `models` and the data folder `home`."""

    def __init__(
        self, folder: Path, hub: FakeHub, session: Session, *, offline: bool, sidecars: bool
    ) -> None:
        self.home, self.models = folder / "data", folder / "models"
        (self.models / "loras").mkdir(parents=True, exist_ok=True)
        hubs: tuple[Hub, ...] = (
            Civitai(session, endpoint=hub.civitai_endpoint, token=lambda: None),
            HuggingFace(endpoint=hub.huggingface_endpoint, token=lambda: None),
        )
        asked = () if offline else hubs
        self.books = Books(self.home, hubs=asked, sidecars=sidecars)
        mirrors = frozenset(
            f"http://{urlsplit(url).netloc}" for url in (hub.civitai_endpoint, hub.huggingface_endpoint)
        )
        self.watchman = Watchman(
            roots=find_roots(models_dir=self.models),
            hubs=asked,
            known=Known(self.home),
            policy=Policy(mirrors=mirrors),
            guard=Guard(trusted=mirrors),
            books=self.books,
        )

    @property
    def index(self) -> Index:
        return self.books.index


@contextmanager
def open_house(
    folder: Path, hub: FakeHub, *, offline: bool = False, sidecars: bool = True
) -> Iterator[House]:
    """Put a house together; the same folder again is the same house after a restart."""
    with Session(patience=Patience(tries=1)) as session:
        house = House(folder, hub, session, offline=offline, sidecars=sidecars)
        with house.books:
            yield house


def silent(_progress: Progress) -> None:
    """A listener that nobody reads."""
