"""The stand-in hub: CivitAI, Hugging Face and the host of their bytes, on three ports of loopback.

with serve(shelf) as standin:
    standin.civitai_endpoint, standin.huggingface_endpoint    # http://127.0.0.1:…
    standin.log.counts()                                      # {"huggingface.resolve": 2, …}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Self

from .civitai import Civitai
from .delivery import Delivery
from .huggingface import HuggingFace
from .shelf import Shelf
from .wire import Around, Log, Origin, Seen, straight


class StandIn:
    """Three origins over one shelf. A subclass may bring other speakers, `around` may bend any answer.

    `rate` is the speed of a download in bytes a second, so that a person can watch small files arrive.
    `port` is the first of three ports in a row; 0 takes any that are free.
    """

    def __init__(
        self,
        shelf: Shelf | None = None,
        *,
        rate: int | None = None,
        around: Around = straight,
        port: int = 0,
    ) -> None:
        self.shelf = shelf or Shelf()
        self.log = Log()
        self.delivery = Delivery(rate=rate)
        self.civitai = self.make_civitai()
        self.huggingface = self.make_huggingface()
        self._around = around
        self._port = port
        self._urls: dict[str, str] = {}
        self._stack = ExitStack()

    def make_civitai(self) -> Civitai:
        """The speaker of CivitAI."""
        return Civitai(self.shelf, self.delivery.sign_storage)

    def make_huggingface(self) -> HuggingFace:
        """The speaker of Hugging Face."""
        return HuggingFace(self.shelf, self.delivery.sign_cdn)

    @property
    def civitai_endpoint(self) -> str:
        """What to use for `https://civitai.com`."""
        return self._urls["civitai"]

    @property
    def huggingface_endpoint(self) -> str:
        """What to use for `https://huggingface.co`."""
        return self._urls["huggingface"]

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that send a client here."""
        return {
            "COMFYWATCHMAN_CIVITAI_ENDPOINT": self.civitai_endpoint,
            "HF_ENDPOINT": self.huggingface_endpoint,
        }

    @property
    def requests(self) -> list[Seen]:
        """Every request so far."""
        return self.log.seen

    def __enter__(self) -> Self:
        tables = {
            "civitai": self.civitai.routes(),
            "huggingface": self.huggingface.routes(),
            "delivery": self.delivery.routes(),
        }
        with ExitStack() as stack:
            for number, (name, routes) in enumerate(tables.items()):
                port = self._port and self._port + number
                origin = Origin(name, routes, self.log, self._around, port)
                self._urls[name] = stack.enter_context(origin).url
            self._stack = stack.pop_all()
        self.delivery.url = self._urls["delivery"]
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@contextmanager
def serve(shelf: Shelf | None = None, *, rate: int | None = None) -> Iterator[StandIn]:
    """Run a stand-in for the length of a `with` block."""
    with StandIn(shelf, rate=rate) as standin:
        yield standin
