"""The tree of errors, and the page that documents it."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import comfywatchman
from comfywatchman.errors import HubError, HubUnavailable, InputError, WatchmanError

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "errors.md"
BRANCHES = {"error", "invalid-input", "hub-error", "transfer-failed", "library-error"}


def load_errors() -> None:
    """Import every module whose source adds to the tree, wherever it stands in the package."""
    names = "|".join(cls.__name__ for cls in classes_of(WatchmanError))
    package = Path(comfywatchman.__file__).parent
    for path in sorted(package.rglob("*.py")):
        if re.search(rf"^class \w+\([^)]*\b({names})\b", path.read_text(encoding="utf-8"), re.MULTILINE):
            parts = path.relative_to(package.parent).with_suffix("").parts
            importlib.import_module(".".join(parts))


def classes_of(root: type[WatchmanError]) -> Iterator[type[WatchmanError]]:
    yield root
    for inner in root.__subclasses__():
        yield from classes_of(inner)


@pytest.fixture(scope="module")
def classes() -> list[type[WatchmanError]]:
    load_errors()
    found = list(dict.fromkeys(classes_of(WatchmanError)))
    ours = [cls for cls in found if cls.__module__.startswith("comfywatchman.")]
    return [
        cls for cls in ours if "code" in cls.__dict__
    ]  # one without is its parent's kind, with more facts


def raise_one(cls: type[WatchmanError]) -> WatchmanError:
    return (
        cls("who: expected this, got that", hub="civitai") if issubclass(cls, HubError) else cls("who: what")
    )


def test_codes(classes: list[type[WatchmanError]]) -> None:
    """Every class has a code of its own, in kebab-case."""
    codes = [cls.code for cls in classes]
    assert len(set(codes)) == len(codes)
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(-[a-z]+)*", code)] == []


def test_message_and_hint(classes: list[type[WatchmanError]]) -> None:
    """Every error has a message, and says what to do unless it is only the root of others."""
    for cls in classes:
        error = raise_one(cls)
        assert error.to_dict() == {"code": cls.code, "message": error.message, "hint": error.hint}
        assert str(error) == error.message
        assert error.hint or cls.code in BRANCHES, cls
        assert (cls.__doc__ or "").strip()


def test_hint_of_the_place() -> None:
    """Who raises an error may say better what to do."""
    assert InputError("m", hint="Do this.").hint == "Do this."
    assert isinstance(InputError("m"), ValueError)


def test_hub_errors() -> None:
    """An error of a hub says which, and how long to wait where that is known."""
    error = HubUnavailable("busy", hub="civitai", retry_after=2.5)
    assert (error.hub, error.retry_after) == ("civitai", 2.5)
    assert HubUnavailable("down", hub="civitai").retry_after is None


def test_documented(classes: list[type[WatchmanError]]) -> None:
    """The page lists exactly the codes that exist, under the class's own name and hint."""
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert set(rows) == {cls.code for cls in classes}
    for cls in classes:
        name, when, what_to_do = rows[cls.code].split(" | ")
        assert name == f"`{cls.__name__}`"
        assert len(when) > 10
        assert cls.default_hint.replace("|", "\\|") in what_to_do
