"""`script`: a plan as a shell script of curl and sha256sum lines, for export and debugging."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click

from ..air import CIVITAI_HOSTS
from ..errors import InvalidPlan
from ..plan import Plan, Transfer
from ..planfile import read_plan
from .main import OK
from .options import common, common_options
from .output import print_json, print_lines
from .tables import format_size
from .words import one_line

_HEAD = """\
#!/bin/sh
# {title}
# For export and debugging: `comfywatchman fetch` also resumes safely, checks structure and never overwrites.
# Tokens come from the environment: CIVITAI_API_KEY, HF_TOKEN. curl keeps them from other hosts.
set -eu

fetch() { # token url target sha256
  if [ -e "$3" ]; then echo "already there: $3"; return; fi
  mkdir -p "$(dirname "$3")"
  curl --fail --location --retry 3 --proto =https,http --output "$3.part" \\
    ${1:+--header "Authorization: Bearer $1"} --url "$2"
  if [ -n "$4" ]; then echo "$4  $3.part" | sha256sum --check --quiet -; fi
  mv -n "$3.part" "$3"
}
"""


@click.command()
@click.argument("plan", metavar="PLAN", type=click.Path(path_type=Path, allow_dash=True))
@common_options
@click.pass_context
def script(context: click.Context, plan: Path) -> int:
    """Print a shell script that does what PLAN says.

    PLAN is what `comfywatchman resolve WORKFLOW --json` prints; `-` reads it from stdin.
    """
    try:
        with click.open_file(str(plan), "rb") as stream:
            saved = read_plan(stream.read())
    except OSError as fault:
        raise InvalidPlan(f"{plan}: cannot be read: {fault.strerror}", hint="Check the path.") from fault
    lines = list(render_script(saved))
    if common(context).json:
        print_json({"schema": "comfywatchman.script/1", "script": "\n".join(lines) + "\n"})
    else:
        print_lines(lines)
    return OK


def render_script(plan: Plan) -> Iterator[str]:
    """The script's lines without refused files; every text from outside is quoted or kept on its line."""
    yield _HEAD.replace("{title}", f"{len(plan.wanted)} files, {format_size(plan.size)}")
    for transfer in plan.wanted:
        yield f"# {one_line(transfer.path)}: {one_line(transfer.reason)}"
        if urlsplit(transfer.source.url).scheme in ("http", "https"):
            yield _call(transfer)


def _call(transfer: Transfer) -> str:
    digest = transfer.source.digest("sha256")
    target = f"{transfer.root}/{transfer.path}"
    words = (transfer.source.url, target, digest.hex if digest else "")
    return f"fetch {_token(transfer)} {' '.join(map(shlex.quote, words))}"


def _token(transfer: Transfer) -> str:
    """The shell's word for the token; only a hub's own addresses get one."""
    host = urlsplit(transfer.source.url).netloc.lower()  # with a port or a user it is no hub's
    if transfer.source.hub == "civitai" and host in CIVITAI_HOSTS:
        return '"${CIVITAI_API_KEY:-}"'
    if transfer.source.hub == "huggingface" and host == "huggingface.co":
        return '"${HF_TOKEN:-}"'
    return "''"
