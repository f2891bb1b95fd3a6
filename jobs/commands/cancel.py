"""The command `lettermill cancel`: stop a job."""

from __future__ import annotations

import click

from lettermill.jobs.commands.console import print_stopped
from lettermill.jobs.commands.options import JOB
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.counted import counted
from lettermill.jobs.storage.place import Place


@click.command()
@JOB
def cancel(path: Place) -> None:
    """Stop a job; `resume` continues it.

    Pages that are being read are finished and kept. No worker, on any machine, begins another.

    \b
    Example:
      lettermill cancel results/JOB
    """
    job = Job.open(path)
    tally = job.tally()
    click.echo(f"{tally.finished} of {counted(tally.pages, 'page')} done, {tally.failed} failed")
    if tally.state == "complete":
        click.echo("The job is complete: there is nothing to stop.", err=True)
        return
    job.cancel("cancelled with `lettermill cancel`")
    print_stopped(job)
