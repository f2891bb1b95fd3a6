"""The command `lettermill context`: make packs for --context."""

from __future__ import annotations

import math
from pathlib import Path

import click

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.inputs.context import PACK_SUFFIX, read_context
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path


@click.group()
def context() -> None:
    """Make packs of words or names, for --context.

    \b
    Example:
      lettermill context build streets.txt
      lettermill run scans --out results --context streets.npz
    """


@context.command()
@click.argument("words", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar=f"FILE{PACK_SUFFIX}",
    help=f"Write the pack to this file.  [default: WORDS with {PACK_SUFFIX}]",
)
def build(words: Path, out: Path | None) -> None:
    """Make a pack of a list: a word, or word,count, per line.

    A list can be given to --context as it is. A pack of a long list saves making it again for each job, and
    can be passed on without the list.

    \b
    Example:
      lettermill context build streets.txt --out streets.npz
    """
    out = out or words.with_suffix(PACK_SUFFIX)
    if out.suffix != PACK_SUFFIX:
        raise UsageProblem(
            f"{display_path(out)} is no name of a pack", f"Give a name that ends in {PACK_SUFFIX}."
        )
    pack = read_context(str(words))
    Disk(out).write(pack.content)
    choices = math.exp(pack.ngram.log_perplexity)
    click.echo(
        f"{display_path(out)}: {len(pack.content) / 1000:.0f} kB; of a word that is not in the list, each "
        f"letter is one of about {choices:.0f} (perplexity)"
    )
