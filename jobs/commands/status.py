"""The command `lettermill status`: show how far a job is."""

from __future__ import annotations

import click

from lettermill.jobs.commands.console import print_json, print_stopped, resume_command
from lettermill.jobs.commands.options import JOB, JSON
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.counted import counted
from lettermill.jobs.storage.place import Place


@click.command()
@JOB
@JSON
def status(path: Place, as_json: bool) -> None:
    """Show how far a job is.

    \b
    Example:
      lettermill status results/JOB
    """
    job = Job.open(path)
    tally = job.tally()
    if as_json:
        print_json(
            {
                "job": str(job.path),
                "created": job.created,
                "pages": tally.pages,
                "finished": tally.finished,
                "failed": tally.failed,
                "state": tally.state,
                "stopped": job.cancelled,
            }
        )
        return
    click.echo(f"{tally.finished} of {counted(tally.pages, 'page')} done, {tally.failed} failed")
    if tally.state == "stopped":
        print_stopped(job)
    elif tally.state == "unfinished":
        click.echo(
            f"If no worker is reading it, continue on this machine with: {resume_command(job)}", err=True
        )
