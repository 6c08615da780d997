"""The page of all modules, `docs/explanation/modules.md`: each with the first sentence of its own text."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
_HEAD: Final = re.compile(r"\s*(?:/\*\*\n? ?\* ?(?P<block>.*?)\*/|(?P<lines>(?://[^\n]*\n)+))", re.DOTALL)


def describe_modules() -> Iterator[str]:
    """The page's lines."""
    yield "# The modules"
    yield ""
    yield "Written by `make docs` from the modules' own first sentences. How they belong together is told in"
    yield "[the house](architecture.md). Inside `comfywatchman/` a layer imports only what stands below it, and"
    yield "`a | b` never one another; import-linter keeps this, and a new module must be given its place."
    yield ""
    yield "```"
    yield from _layers()
    yield "```"
    for folder in _folders():
        files = [*sorted(folder.glob("*.py")), *sorted(folder.glob("*.js"))]
        own = [path for path in files if path.name == "__init__.py"]
        yield ""
        yield f"## {folder.relative_to(ROOT).as_posix()}/"
        yield ""
        for path in [*own, *(path for path in files if path not in own)]:
            yield f"* `{path.name}`: {_first_sentence(path)}"


def _layers() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    yield from next(one["layers"] for one in contracts if one["type"] == "layers")


def _folders() -> Iterator[Path]:
    for top in ("comfywatchman", "nodes", "web"):
        folders = [ROOT / top, *(path for path in (ROOT / top).rglob("*") if path.is_dir())]
        for folder in sorted(folders):
            if "vendor" not in folder.parts and any(folder.glob("*.[pj][ys]")):
                yield folder


def _first_sentence(path: Path) -> str:
    """What a module says of itself, up to its first full stop; code in it stays on one line."""
    source = path.read_text(encoding="utf-8")
    text = (ast.get_docstring(ast.parse(source)) or "") if path.suffix == ".py" else _head_of(source)
    words = " ".join(text.partition("\n\n")[0].split())
    sentence = re.match(r".*?[.?!](?=\s|$)", words)
    return (sentence[0] if sentence else words).replace("<wm-", "\\<wm-")


def _head_of(source: str) -> str:
    """The comment that a page's module begins with."""
    found = _HEAD.match(source)
    text = (found["block"] or found["lines"] or "") if found else ""
    return re.sub(r"^ ?(?:\*|//) ?", "", text, flags=re.MULTILINE)
