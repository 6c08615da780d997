"""Descriptions in HTML, as plain words."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Final

_LONGEST: Final = 100_000


def plain_text(html: str | None) -> str | None:
    """The words of an HTML description, a line a block, or None."""
    if html is None:
        return None
    reader = _Words()
    reader.feed(html[:_LONGEST])
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.words).splitlines())
    return "\n".join(line for line in lines if line) or None


class _Words(HTMLParser):
    """Collects text; `script` and `style` hold none."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 (its signature)
        self._silent = tag in ("script", "style")
        if tag in ("p", "br", "li", "div", "h1", "h2", "h3"):
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._silent = self._silent and tag not in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)
