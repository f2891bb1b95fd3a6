"""The command `lettermill collect`: write a job's CSV files and report."""

from __future__ import annotations

import click

from lettermill.jobs.commands.console import collect_and_print
from lettermill.jobs.commands.options import JOB, JSON, accept_at_options
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.storage.place import Place


@click.command()
@JOB
@accept_at_options
@JSON
def collect(path: Place, accept_at: Acceptance | None, as_json: bool) -> int:
    """Write a job's CSV files and report, whether or not it is finished.

    \b
    Example:
      lettermill collect results/JOB --accept-at 0.995
    """
    return collect_and_print(Job.open(path), as_json, accept_at)
