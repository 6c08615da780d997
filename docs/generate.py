"""Writes the generated pages: `python -m docs.generate`.

    docs/reference/cli.md         from the commands themselves
    docs/reference/settings.md    from the table of settings
    docs/reference/routes.md      from the table of routes and their schemas
    docs/reference/openapi.json   the same for machines
    docs/explanation/modules.md   from the modules' own words

A test compares them with what stands in the repository.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import click

from comfywatchman.cli.main import main
from comfywatchman.routes.api import ROUTES
from comfywatchman.routes.openapi import make_openapi
from comfywatchman.settings import Settings, Shown
from comfywatchman.tokens import VARIABLES
from docs.modules import describe_modules
from docs.routes import describe_routes

REFERENCE = Path(__file__).parent / "reference"
EXPLANATION = Path(__file__).parent / "explanation"


def pages() -> dict[Path, str]:
    """Every generated page with its text."""
    return {
        REFERENCE / "cli.md": "\n".join(_cli()) + "\n",
        REFERENCE / "settings.md": "\n".join(_settings()) + "\n",
        REFERENCE / "routes.md": "\n".join(describe_routes()) + "\n",
        REFERENCE / "openapi.json": json.dumps(make_openapi(ROUTES), indent=1) + "\n",
        EXPLANATION / "modules.md": "\n".join(describe_modules()) + "\n",
    }


def _cli() -> Iterator[str]:
    yield "# Commands"
    yield ""
    yield "Written by `make docs` from the commands' own help. Data goes to stdout, progress and talk to"
    yield "stderr."
    yield ""
    yield "| status | means |"
    yield "|---|---|"
    for status, meaning in _STATUSES:
        yield f"| {status} | {meaning} |"
    yield from _command(main, "comfywatchman")


_STATUSES = (
    (0, "all present or verified"),
    (1, "a fault of comfywatchman; the traceback is in the log"),
    (2, "input that cannot be used"),
    (3, "something stays missing or ambiguous, needs consent, or a hub did not answer"),
    (4, "a transfer failed"),
    (130, "interrupted; safe to run again"),
)


def _command(command: click.Command, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
    yield ""
    yield f"## {name}"
    yield ""
    yield "```text"
    yield command.get_help(context)
    yield "```"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from _command(found, f"{name} {inner}")


def _settings() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield "Written by `make docs` from the table in `comfywatchman/settings.py`. A variable of the"
    yield "environment beats `settings.json` in the data folder, which beats the default. Settings marked"
    yield "with a lock guard security: only the file and `comfywatchman settings set` change them."
    yield ""
    yield "| setting | default | variable | means |"
    yield "|---|---|---|---|"
    defaults = Settings(home=Path())
    for shown, variables in zip(defaults.show(), _variables(), strict=True):
        lock = " 🔒" if shown.guard else ""
        names = ", ".join(f"`{name}`" for name in variables)
        yield f"| `{shown.key}`{lock} | {_default(shown)} | {names} | {shown.help} |"
    yield ""
    yield "## Other variables"
    yield ""
    yield "| variable | means |"
    yield "|---|---|"
    yield "| `COMFYWATCHMAN_HOME` | the data folder |"
    for hub, names in VARIABLES.items():
        listed = ", ".join(f"`{name}`" for name in names)
        yield f"| {listed} | the token of {hub}; the first that is set counts |"
    yield "| `HTTPS_PROXY`, `NO_PROXY` | as everywhere; credentials in `~/.netrc` are never used |"


def _variables() -> list[tuple[str, ...]]:
    from dataclasses import fields

    return [entry.metadata["env"] for entry in fields(Settings) if entry.metadata]


def _default(shown: Shown) -> str:
    return "none" if shown.text == "none" else f"`{shown.text}`"


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
