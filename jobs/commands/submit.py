"""The command `lettermill submit`: queue a folder of scans for workers on other machines."""

from __future__ import annotations

from typing import Any

import click

from lettermill.jobs.commands.console import announce, print_json
from lettermill.jobs.commands.options import (
    JSON,
    OUT,
    PLACE,
    GroupedCommand,
    allowed_failures,
    broker_option,
    failure_options,
    root_options,
)
from lettermill.jobs.commands.reading_options import reading_options, submit_folder
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place


@click.command(cls=GroupedCommand)
@click.argument("folder", type=PLACE)
@OUT
@broker_option(required=True)
@root_options
@click.option("--token", default="", help="A name of your own: the same token is the same job.")
@reading_options
@failure_options("continue")
@JSON
def submit(
    folder: Place,
    out: Place,
    broker: str,
    scans: Place | None,
    results: Place | None,
    token: str,
    on_error: str | None,
    max_failures: int | None,
    as_json: bool,
    **reading: Any,
) -> None:
    """Queue a folder of scans for workers on other machines.

    Prints the job folder, which the other commands take as JOB. Each worker finds FOLDER and DIR below roots
    of its own (`lettermill worker --scans --results`). If those roots are not FOLDER and DIR themselves, give
    them with --scans and --results.

    \b
    Example:
      lettermill submit scans --out results --broker redis://HOST:6379/0
    """
    from lettermill.jobs.queue.celery_app import check_broker
    from lettermill.jobs.running.dispatch import queue_pages

    allowed = allowed_failures(on_error, max_failures, None)
    check_broker(broker)
    submission, roots = submit_folder(
        folder, out, scans, results, reading, token, shared=True, max_failures=allowed
    )
    announce(submission)
    if submission.to_read:
        queue_pages(submission.job, roots, broker)
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
