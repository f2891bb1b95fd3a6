"""The command `lettermill export`: write a job's results in another format."""

from __future__ import annotations

import click

from lettermill.jobs.commands.options import JOB, PLACE, accept_at_options
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.counted import counted
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place


@click.command("export")
@JOB
@click.option(
    "--format",
    "name",
    required=True,
    type=click.Choice(["jsonl", "alto", "hocr", "page-xml", "pdf", "xlsx", "parquet"], case_sensitive=False),
    help="The format to write. xlsx is Excel; pdf is the scans with invisible text, for searching.",
)
@click.option(
    "--out",
    type=PLACE,
    metavar="DIR|FILE",
    help="The folder or the file to write.  [default: in JOB/export]",
)
@accept_at_options
def export(path: Place, name: str, out: Place | None, accept_at: Acceptance | None) -> int:
    """Write a job's results in another format.

    ALTO, hOCR and PAGE-XML are folders with one file per page, PDF is a folder with one file per scan; JSON
    Lines, Excel and Parquet are one file each. Prints what was written, and which pages are not in it.

    \b
    Example:
      lettermill export results/JOB --format xlsx
    """
    from lettermill.jobs.export.formats import FORMATS, UNFINISHED, export_job

    exported = export_job(Job.open(path), FORMATS[name], out, accept_at)
    for problem in exported.problems:
        click.echo(f"not exported: {problem}", err=True)
    for reason, count in exported.left_out.most_common():
        click.echo(f"left out: {counted(count, 'page')} {reason}", err=True)
    click.echo(f"{counted(exported.pages, 'page')} exported", err=True)
    if exported.pages or not FORMATS[name].folder:
        click.echo(display_path(exported.place))
    return 1 if any(reason != UNFINISHED for reason in exported.left_out) else 0
