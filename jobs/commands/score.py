"""The command `lettermill score`: compare a job's results with the truth."""

from __future__ import annotations

from pathlib import Path

import click

from lettermill.jobs.commands.console import print_json
from lettermill.jobs.commands.options import FOLDER, JOB, JSON
from lettermill.jobs.job.folder import Job
from lettermill.jobs.storage.place import Place


@click.command()
@JOB
@click.option(
    "--truth",
    required=True,
    type=FOLDER,
    metavar="FILE.csv",
    help="What is written on the scans: the columns file (path below the scan folder) and label.",
)
@click.option("--marks", is_flag=True, help="Compare the marks / - . , ' between letters and digits, too.")
@JSON
def score(path: Place, truth: Path, marks: bool, as_json: bool) -> None:
    """Compare a job's results with the truth.

    Prints the character error rate (CER), the share of files that were read without a mistake, the kinds of
    mistakes (segmentation and classification), the most common mistakes and the worst files.

    \b
    Example:
      lettermill score results/JOB --truth truth.csv
    """
    from lettermill.jobs.commands.text import score_text
    from lettermill.jobs.results.compare import compare

    result = compare(Job.open(path), truth, marks)
    if as_json:
        print_json(result.to_json())
    else:
        click.echo(score_text(result))
