"""`demo`: the main job on this machine alone, against a stand-in hub."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from ..catalog import Json
from ..demo import story
from ..demo.standin import StandIn, serve
from ..demo.story import Act, Ending, Stage
from ..library.folders import has_model_extension
from .main import OK, OUR_FAULT, main
from .options import Common, common, common_options
from .output import print_json, print_lines, say
from .tables import format_size


@dataclass(frozen=True, slots=True)
class _Step:
    """One command as a person would type it, and why."""

    title: str
    command: tuple[str, ...]


_MODELS: Final = ("--models-dir", "models")
_STEPS: Final = (
    _Step("What does the workflow need?", ("inspect", "lighthouse.json", *_MODELS)),
    _Step("Where can the missing models be had?", ("resolve", "lighthouse.json", *_MODELS)),
    _Step("Bring them, verified, into their folders.", ("fetch", "lighthouse.json", *_MODELS, "--yes")),
    _Step("What is here now?", ("inspect", "lighthouse.json", *_MODELS)),
)


@click.command()
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Play in DIR and leave it.")
@common_options
@click.pass_context
def demo(context: click.Context, keep: Path | None) -> int:
    """Show the main job without a network.

    A small stand-in hub on this machine serves tiny invented models; a workflow goes in, verified files come
    out in a folder.
    """
    options = common(context)
    acts = story.acts()
    with _folder(keep) as folder, serve(story.shelf(acts), rate=story.RATE) as standin:
        stage = story.prepare(folder, acts, standin)
        with _environment(stage.environment), contextlib.chdir(folder):
            if options.json:
                steps: list[Json] = [_record(step) for step in _STEPS]
            else:
                _play(standin, options)
        differing = [act for act in acts if not _ended_as_told(act, stage)]
        if options.json:
            print_json(_document(steps, acts, differing, keep))
        elif not options.quiet:
            print_lines(_epilogue(acts, stage, keep))
    for act in differing:
        say(f"{act.folder}/{act.name} should be {act.ending.value}: {act.told}")
    return OUR_FAULT if differing else OK


def _play(standin: StandIn, options: Common) -> None:
    """Run the commands one after the other, each under its title."""
    quiet = options.quiet
    _tell(
        f"Both hubs are played by this machine: {standin.civitai_endpoint} is CivitAI,\n"
        f"{standin.huggingface_endpoint} is Hugging Face. The models are tiny and invented.",
        quiet=quiet,
    )
    for number, step in enumerate(_STEPS, 1):
        _tell(f"\n{number}. {step.title}\n\n$ comfywatchman {' '.join(step.command)}\n", quiet=quiet)
        _run([*step.command, *(["--quiet"] if quiet else ())])


def _record(step: _Step) -> Json:
    """One command's own document, for the document of the whole."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = _run([*step.command, "--json"])
    return {
        "title": step.title,
        "command": ["comfywatchman", *step.command],
        "status": status,
        "document": json.loads(out.getvalue()),
    }


def _run(arguments: Sequence[str]) -> int:
    status = main.main(list(arguments), prog_name="comfywatchman", standalone_mode=False, obj=Common())
    return status if isinstance(status, int) else OK


def _document(
    steps: list[Json], acts: Sequence[Act], differing: Sequence[Act], keep: Path | None
) -> dict[str, Json]:
    """`comfywatchman.demo/1`."""
    models: list[Json] = [
        {
            "folder": act.folder,
            "name": act.name,
            "ending": act.ending.value,
            "told": act.told,
            "as_told": act not in differing,
        }
        for act in acts
    ]
    folder = str(keep.absolute()) if keep else None
    return {"schema": "comfywatchman.demo/1", "folder": folder, "steps": steps, "models": models}


def _epilogue(acts: Sequence[Act], stage: Stage, keep: Path | None) -> Iterator[str]:
    yield ""
    yield "How each model of the story was found, or why it was not fetched:\n"
    for act in acts:
        mark = "✓" if act.ending in (Ending.FETCHED, Ending.PRESENT) else "–"
        yield f"  {mark} {act.folder}/{act.name}"
        yield f"      {act.told}"
    paths = sorted(p for p in stage.models.rglob("*") if p.is_file() and has_model_extension(p.name))
    size = format_size(sum(path.stat().st_size for path in paths))
    where = f"in {stage.models}" if keep else "in a folder that is gone now; --keep DIR leaves it"
    yield f"\n{len(paths)} model files ({size}) came to lie {where}."


def _ended_as_told(act: Act, stage: Stage) -> bool:
    """Whether the file is there with the right bytes, or not there, as the story says."""
    path = stage.models / act.folder / act.name
    if act.ending in (Ending.FETCHED, Ending.PRESENT):
        return act.blob is not None and path.is_file() and path.read_bytes() == act.blob.data
    return not path.exists()


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """The folder to play in; a temporary one goes away afterwards."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="comfywatchman-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """The process's environment with the story's variables and without tokens and homes of the user."""
    before = dict(os.environ)
    for name in ("CIVITAI_API_KEY", "CIVITAI_API_TOKEN", "CIVITAI_TOKEN", "HF_TOKEN", "COMFYUI_PATH"):
        os.environ.pop(name, None)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _tell(text: str, *, quiet: bool) -> None:
    if not quiet:
        print_lines(text.split("\n"))
