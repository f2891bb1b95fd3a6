"""The command `lettermill status`: show how far a job is."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time

import click

from lettermill.jobs.commands.console import print_json, print_stopped, resume_command
from lettermill.jobs.commands.options import JOB, JSON, broker_option
from lettermill.jobs.commands.text import ago
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.counted import counted
from lettermill.jobs.storage.place import Place

_LONG_SECONDS = 60
"""After this long without a page, a job at which no worker is may be lost to the queue; sweeps take 15 s."""


@click.command()
@JOB
@broker_option(required=False, without="it cannot be told whether workers are alive.")
@JSON
def status(path: Place, broker: str | None, as_json: bool) -> None:
    """Show how far a job is, and who reads it.

    \b
    Example:
      lettermill status results/JOB
    """
    from lettermill.jobs.running.readers import readers_of

    job = Job.open(path)
    tally = job.tally()
    last = job.results.last_change()
    readers = readers_of(job, broker) if tally.state == "unfinished" else None
    if as_json:
        print_json(
            {
                "job": str(job.path),
                "created": job.created,
                "settings": job.settings.summary,
                "pages": tally.pages,
                "finished": tally.finished,
                "failed": tally.failed,
                "last_page": last and dt.datetime.fromtimestamp(last, dt.UTC).isoformat(timespec="seconds"),
                "state": tally.state,
                "stopped": job.cancelled,
                "readers": readers and dataclasses.asdict(readers),
            }
        )
        return
    click.echo(f"{tally.finished} of {counted(tally.pages, 'page')} done, {tally.failed} failed")
    if tally.state == "stopped":
        print_stopped(job)
    if readers is None:
        return
    click.echo(f"The last page was finished {ago(last)}." if last else "No page is finished yet.")
    click.echo(readers.sentence)
    if readers.trouble and not job.shared:
        click.echo(f"To continue: {resume_command(job)}", err=True)
    elif readers.alive and not readers.at_work and (not last or time.time() - last > _LONG_SECONDS):
        click.echo(f"To queue its pages anew: {resume_command(job)}", err=True)
