"""Print on the console: what a job holds, that it was stopped, what came out of it, or JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.counted import counted
from lettermill.jobs.running.hook import run_then
from lettermill.jobs.storage.display import display_path

if TYPE_CHECKING:  # What makes jobs takes longer to load than most commands need.
    from lettermill.jobs.job.make import Submission


def announce(submission: Submission) -> None:
    """Print how many pages a job has, how many were read before, its folder, and what is not in it."""
    done = submission.pages - submission.to_read
    words = counted(submission.pages, "page")
    if done:
        words += f", {done} of them read before"
    click.echo(f"{words}: {display_path(submission.job.path)}", err=True)
    for sentence in submission.job.left_out.sentences():
        click.echo(sentence, err=True)


def print_queued(job: Job, pages: int, broker: str) -> None:
    """Print how many pages were queued for workers elsewhere, and whether there are any."""
    from lettermill.jobs.running.readers import readers_of

    if not pages:
        click.echo("Every page has a result: nothing is queued.", err=True)
        return
    click.echo(f"{counted(pages, 'page')} queued. {readers_of(job, broker).sentence}", err=True)


def resume_command(job: Job) -> str:
    """Return the command that continues a job."""
    broker = " --broker URL" if job.shared else ""
    return f"lettermill resume '{display_path(job.path)}'{broker}"


def print_stopped(job: Job) -> None:
    """Print why a job was stopped, and the command that continues it."""
    click.echo(f"Stopped: {job.cancelled}. To continue: {resume_command(job)}", err=True)


def collect_and_print(
    job: Job, as_json: bool, acceptance: Acceptance | None, then: tuple[str, ...] | None = None
) -> int:
    """Write a job's results, print a summary, and run the command of --then.

    Args:
        job: the job.
        as_json: whether the summary is printed as JSON.
        acceptance: the value of --accept-at or --accept-fields-at.
        then: the words of the command of --then.

    Returns:
        The exit status: 0 if every page was read, else 1.
    """
    from lettermill.jobs.commands.text import summary_text
    from lettermill.jobs.results.write import write_results
    from lettermill.jobs.watching.all_tables import refresh

    summary = write_results(job, acceptance)
    refresh(job)
    if as_json:
        print_json(summary.to_json())
    else:
        click.echo(summary_text(summary))
    if then:
        run_then(then, job)
    return 1 if summary.failed or summary.not_begun or summary.unfinished else 0


def print_json(value: object) -> None:
    """Print a value as JSON for a program."""
    click.echo(json.dumps(value, indent=1))
