"""`search` and `describe`: single models."""

from __future__ import annotations

import sys

import click

from ..hubs.base import SearchQuery
from .cards import render_description, render_listing
from .documents import describe_document, search_document
from .house import open_house
from .main import OK, STILL_OPEN
from .options import common, common_options
from .output import print_json, print_lines
from .tables import table_width


@click.command()
@click.argument("query")
@click.option("--type", "kind", metavar="TYPE", help="LORA, Checkpoint, VAE, … or a Hugging Face pipeline.")
@click.option("--base-model", metavar="NAME", help="SDXL 1.0, Flux.1 D, …")
@click.option(
    "--sort",
    type=click.Choice(["relevance", "downloads", "likes", "newest"]),
    default="relevance",
    show_default=True,
)
@click.option("--hub", type=click.Choice(["civitai", "huggingface"]), help="Ask only this hub.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="Results a hub.")
@click.option("--nsfw/--sfw", default=None, help="Show mature models. [default: the setting]")
@common_options
@click.pass_context
def search(
    context: click.Context,
    query: str,
    kind: str | None,
    base_model: str | None,
    sort: str,
    hub: str | None,
    limit: int,
    nsfw: bool | None,
) -> int:
    """Browse CivitAI and Hugging Face for QUERY."""
    options = common(context)
    with open_house(options, needs_models=False) as house:
        asked = SearchQuery(
            text=query,
            type=kind,
            base_model=base_model,
            sort=sort,
            nsfw=house.settings.nsfw if nsfw is None else nsfw,
            limit=limit,
        )
        listing = house.watchman.search(asked, hub=hub)
    if options.json:
        print_json(search_document(listing))
    else:
        print_lines(render_listing(listing, width=table_width(sys.stdout)))
    return OK if listing.models or not listing.faults else STILL_OPEN


@click.command(short_help="Tell what a model is and where it comes from.")
@click.argument("subject", metavar="FILE|DIGEST|LINK|AIR|ID")
@common_options
@click.pass_context
def describe(context: click.Context, subject: str) -> int:
    """Tell what a model is: base model, trigger words, licence, digests, where it comes from.

    A file is hashed, read with the sidecars beside it, and looked up by its digest.
    """
    options = common(context)
    with open_house(options, needs_models=False) as house:
        description, is_offline = house.watchman.describe(subject), house.house.is_offline
    if options.json:
        print_json(describe_document(description))
    else:
        print_lines(render_description(description, asked=not is_offline))
    answered = description.files or (is_offline and description.local)
    return OK if answered else STILL_OPEN
