"""The documentation: what is generated is fresh, what is promised is told, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from comfywatchman.cli.main import main
from docs.generate import pages

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in ("README.md", "CONTRIBUTING.md"))]
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "comfywatchman").rglob("*.py"))


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_generated(path: Path) -> None:
    """`make docs` would change nothing."""
    assert path.read_text(encoding="utf-8") == pages()[path], "stale; run: make docs"


def commands(group: click.Group, name: str) -> list[str]:
    context = click.Context(group)
    names = []
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        names += [f"{name} {word}"]
        names += commands(command, f"{name} {word}") if isinstance(command, click.Group) else []
    return names


def test_commands() -> None:
    """Every command has its place in the reference."""
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert [name for name in commands(main, "comfywatchman") if f"\n## {name}\n" not in text] == []


def test_schemas() -> None:
    """Every schema that the code names is told in the reference."""
    named = set(re.findall(r"comfywatchman\.[a-z-]+/\d", SOURCE))
    assert "comfywatchman.fetch/1" in named
    told = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "reference").glob("*.md"))
    assert sorted(schema for schema in named if schema not in told) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links(page: Path) -> None:
    """Every link to another file of the project leads to one."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    inner = [link for link in links if not re.match(r"[a-z]+:", link)]
    assert [link for link in inner if not (page.parent / link).exists()] == []


def test_pictures() -> None:
    """Every picture is shown on a page, and every one that is shown is there."""
    images = ROOT / "docs" / "images"
    shown = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"\]\(([^)#\s]+\.(?:webp|png))\)", page.read_text(encoding="utf-8"))
    }
    assert {path for path in images.rglob("*") if path.is_file()} == shown
    assert sum(path.stat().st_size for path in shown) <= 5_000_000


def test_index() -> None:
    """Every page is reached from the index."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = (path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md"))
    assert [page for page in pages if page != "README.md" and f"]({page})" not in index] == []


def test_paths_of_modules() -> None:
    """Modules that the explanation names exist."""
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.py)`", text)
    package = ROOT / "comfywatchman"
    missing = [name for name in named if not ((package / name).exists() or list(package.rglob(name)))]
    assert missing == []
