"""The command `lettermill submit`: queue scans for workers on other machines."""

from __future__ import annotations

from typing import Any

import click

from lettermill.jobs.commands.console import announce, print_json, print_queued
from lettermill.jobs.commands.options import (
    JSON,
    NAME,
    OUT,
    SOURCES,
    GroupedCommand,
    allowed_failures,
    broker_option,
    failure_options,
    root_options,
)
from lettermill.jobs.commands.reading_options import reading_options, submit_scans
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place


@click.command(cls=GroupedCommand)
@SOURCES
@OUT
@NAME
@broker_option(required=True)
@root_options
@click.option(
    "--token",
    default="",
    help="A word of a program's own, in place of the scans' paths: the same token is the same job.",
)
@reading_options
@failure_options("continue")
@JSON
def submit(
    sources: tuple[Place, ...],
    out: Place,
    name: str,
    broker: str,
    scans: Place | None,
    results: Place | None,
    token: str,
    on_error: str | None,
    max_failures: int | None,
    as_json: bool,
    **reading: Any,
) -> None:
    """Queue a folder of scans, or some files, for workers on other machines.

    Prints the job folder, which the other commands take as JOB. Each worker finds FOLDER and DIR below roots
    of its own (`lettermill worker --scans --results`). If those roots are not FOLDER and DIR themselves, give
    them with --scans and --results.

    \b
    Example:
      lettermill submit scans --broker redis://HOST:6379/0
    """
    from lettermill.jobs.queue.celery_app import check_broker
    from lettermill.jobs.running.dispatch import queue_pages

    allowed = allowed_failures(on_error, max_failures, None)
    check_broker(broker)
    submission, roots = submit_scans(
        sources,
        out,
        scans,
        results,
        reading,
        name=name,
        token=token,
        shared=True,
        max_failures=allowed,
    )
    announce(submission)
    if submission.to_read:
        queue_pages(submission.job, roots, broker)
        print_queued(submission.job, submission.to_read, broker)
    if as_json:
        print_json(
            {
                "job": str(submission.job.path),
                "pages": submission.pages,
                "to_read": submission.to_read,
                "left_out": submission.job.left_out.to_json(),
            }
        )
    else:
        click.echo(display_path(submission.job.path))
