"""`demo`: the main job on this machine alone, against a stand-in hub."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from ..demo import story
from ..demo.standin import serve
from ..demo.story import Act, Ending, Stage
from ..library.folders import has_model_extension
from .main import OK, OUR_FAULT, main
from .options import Common, common, common_options
from .tables import format_size


@click.command()
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False), help="Play in DIR and leave it.")
@common_options
@click.pass_context
def demo(context: click.Context, keep: Path | None) -> int:
    """Show the main job without a network.

    A small stand-in hub on this machine serves tiny invented models; a workflow goes in, verified files come
    out in a folder.
    """
    quiet = common(context).quiet
    acts = story.acts()
    with _folder(keep) as folder, serve(story.shelf(acts), rate=story.RATE) as standin:
        stage = story.prepare(folder, acts, standin)
        with _environment(stage.environment):
            _tell(f"The hubs are played by this machine: {standin.civitai_endpoint} and", quiet=quiet)
            _tell(f"{standin.huggingface_endpoint}. The workflow is {stage.workflow}.", quiet=quiet)
            _play(stage, "What does it need?", "inspect", quiet=quiet)
            _play(stage, "Where can that be had?", "resolve", quiet=quiet)
            _play(stage, "Bring it here.", "fetch", quiet=quiet)
            _play(stage, "And once more: nothing is left to do.", "fetch", quiet=quiet)
        differing = [act for act in acts if not _ended_as_told(act, stage)]
        _tell("\n" + "\n".join(_epilogue(acts, stage)), quiet=quiet)
    for act in differing:
        click.echo(f"{act.folder}/{act.name} should be {act.ending.value}: {act.told}", err=True)
    return OUR_FAULT if differing else OK


def _play(stage: Stage, title: str, verb: str, *, quiet: bool) -> None:
    """Run one command as a person would type it."""
    _tell(f"\n{title}\n$ comfywatchman {verb} lighthouse.json\n", quiet=quiet)
    options = ["--quiet"] if quiet else []
    yes = ["--yes"] if verb == "fetch" else []
    arguments = [verb, *yes, str(stage.workflow), "--models-dir", str(stage.models), *options]
    main.main(arguments, prog_name="comfywatchman", standalone_mode=False, obj=Common())


def _epilogue(acts: Sequence[Act], stage: Stage) -> Iterator[str]:
    yield "How each model of the story ended:"
    for act in acts:
        mark = "✓" if act.ending in (Ending.FETCHED, Ending.PRESENT) else "–"
        yield f"  {mark} {act.folder}/{act.name}: {act.told}"
    yield "\nIn the models folder:"
    for path in sorted(p for p in stage.models.rglob("*") if p.is_file() and has_model_extension(p.name)):
        yield f"  {path.relative_to(stage.models).as_posix()}  {format_size(path.stat().st_size)}"


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
        click.echo(text)
