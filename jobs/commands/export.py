"""`lettermill export`."""

from __future__ import annotations

import click

from lettermill.jobs.commands.options import JOB, PLACE, accept_at_option
from lettermill.jobs.job.folder import Job
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place


@click.command("export")
@JOB
@click.option(
    "--format",
    "name",
    required=True,
    type=click.Choice(["jsonl", "alto", "hocr", "page-xml", "pdf", "xlsx", "parquet"]),
    help="What to write.",
)
@click.option(
    "--out",
    type=PLACE,
    metavar="DIR|FILE",
    help="The folder or the file to write.  [default: in JOB/export]",
)
@accept_at_option
def export(path: Place, name: str, out: Place | None, accept_at: float | None) -> int:
    """Write a job's results in another format.

    ALTO, hOCR and PAGE-XML are a file a page, PDF is a file a scan, in a folder; JSON Lines, Excel and
    Parquet are one file. Prints what was written, and says which pages are not in it.
    """
    from lettermill.jobs.export.formats import FORMATS, UNFINISHED
    from lettermill.jobs.export.formats import export as write

    exported = write(Job.open(path), FORMATS[name], out, accept_at)
    for problem in exported.problems:
        click.echo(f"not exported: {problem}", err=True)
    for reason, count in exported.left_out.most_common():
        click.echo(f"left out: {count} {'page' if count == 1 else 'pages'} {reason}", err=True)
    click.echo(f"{exported.pages} {'page' if exported.pages == 1 else 'pages'} exported", err=True)
    if exported.pages or not FORMATS[name].folder:
        click.echo(display_path(exported.place))
    return 1 if any(reason != UNFINISHED for reason in exported.left_out) else 0
