"""The command `lettermill run`: read scans on this machine."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from lettermill.jobs.commands.console import announce, collect_and_print
from lettermill.jobs.commands.options import (
    FOLDER,
    JSON,
    NAME,
    OUT,
    SOURCES,
    GroupedCommand,
    accept_at_options,
    allowed_failures,
    broker_option,
    failure_options,
    root_options,
    then_option,
    workers_option,
)
from lettermill.jobs.commands.reading_options import reading_options, reading_recipe, submit_scans
from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.machine import usable_cores
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place


@click.command(cls=GroupedCommand)
@SOURCES
@OUT
@NAME
@workers_option
@broker_option(required=False)
@root_options
@reading_options
@accept_at_options
@failure_options("continue")
@then_option("when the results are written")
@click.option(
    "--debug",
    type=FOLDER,
    metavar="DIR",
    help="Draw what each stage saw, one PNG per page. Pages without a drawing are read again.",
)
@JSON
def run(
    sources: tuple[Place, ...],
    out: Place,
    name: str,
    workers: int | None,
    broker: str | None,
    scans: Place | None,
    results: Place | None,
    accept_at: Acceptance | None,
    on_error: str | None,
    max_failures: int | None,
    then: tuple[str, ...] | None,
    debug: Path | None,
    as_json: bool,
    **reading: Any,
) -> int:
    """Read a folder of scans, or some files, on this machine.

    Reads every PNG, JPEG, WebP, BMP, TIFF, HEIC and PDF file below FOLDER, or the files that are given. The
    results are in a job folder below DIR: letters.csv, lines.csv, pages.csv, text/ and summary.html; open
    summary.html first. The same command again reads only what is missing or changed.

    \b
    Examples:
      lettermill run scans
      lettermill run page.png letter.pdf --alphabet auto --name trial
    """
    from lettermill.jobs.running.dispatch import follow, queue_pages, read_here
    from lettermill.jobs.running.signals import stoppable

    if debug:
        _check_can_draw(debug, sources, broker)
    if accept_at:
        accept_at.check(reading_recipe(reading).settings)  # Before a job is made.
    allowed = allowed_failures(on_error, max_failures, None)
    submission, roots = submit_scans(
        sources, out, scans, results, reading, name=name, shared=broker is not None, max_failures=allowed
    )
    if debug:
        with submission.job.lock():
            again = submission.job.forget_undrawn(debug)
        submission = dataclasses.replace(submission, to_read=submission.to_read + again)
    announce(submission)
    with stoppable():
        if submission.to_read and broker:
            queue_pages(submission.job, roots, broker)
            follow(submission.job, broker=broker)
        elif submission.to_read:
            if debug:
                click.echo(f"drawings: {display_path(debug)}", err=True)
            read_here(submission.job, roots, workers or usable_cores(), debug and debug.resolve())
    return collect_and_print(submission.job, as_json, accept_at, then)


def _check_can_draw(debug: Path, sources: tuple[Place, ...], broker: str | None) -> None:
    """Check that --debug can be used.

    Raises:
        UsageProblem: other machines may read the pages, or the drawings would lie among the scans.
    """
    if broker:
        raise UsageProblem(
            "--debug draws only what this machine reads, and with --broker other machines may read the pages",
            "Start the workers with `lettermill worker --debug DIR`, or leave --broker out.",
        )
    for source in sources:
        if isinstance(source, Disk) and debug.resolve().is_relative_to(source.resolve()):
            raise UsageProblem(
                f"the folder for drawings {display_path(debug)} lies in the scan folder "
                f"{display_path(source)}",
                "Give --debug a folder beside the scans: drawings would be read as scans.",
            )
