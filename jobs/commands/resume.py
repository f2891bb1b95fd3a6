"""The command `lettermill resume`: continue a job that was stopped."""

from __future__ import annotations

import dataclasses

import click

from lettermill.jobs.commands.console import collect_and_print
from lettermill.jobs.commands.options import (
    JOB,
    JSON,
    GroupedCommand,
    accept_at_options,
    allowed_failures,
    broker_option,
    failure_options,
    root_options,
    then_option,
    workers_option,
)
from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.latest import point_latest
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.machine import usable_cores
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.results.counted import counted
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.locate import locate
from lettermill.jobs.storage.place import Place


@click.command(cls=GroupedCommand)
@JOB
@click.option("--failed", "failed_too", is_flag=True, help="Also read pages again that failed.")
@workers_option
@broker_option(required=False)
@root_options
@accept_at_options
@failure_options("as the job was made")
@then_option("when the results are written")
@JSON
def resume(
    path: Place,
    failed_too: bool,
    workers: int | None,
    broker: str | None,
    scans: Place | None,
    results: Place | None,
    accept_at: Acceptance | None,
    on_error: str | None,
    max_failures: int | None,
    then: tuple[str, ...] | None,
    as_json: bool,
) -> int | None:
    """Continue a job that was stopped.

    Reads its pages on this machine, or, with --broker, queues them for workers on other machines.

    \b
    Example:
      lettermill resume results/JOB
    """
    from lettermill.jobs.running.dispatch import queue_pages, read_here
    from lettermill.jobs.running.signals import stoppable

    if broker:
        _check_ends(accept_at, then)
    job = Job.open(path)
    if failed_too or job.tally().state != "complete":
        job.model.check()  # Before pages are queued.
    if accept_at:
        accept_at.check(job.settings)
    own = job.local_roots
    roots = Roots(scans or own.scans, results or own.results)
    allowed = allowed_failures(on_error, max_failures, job.max_failures)
    with job.lock():
        job = dataclasses.replace(job, max_failures=allowed).placed(roots, shared=broker is not None)
        point_latest(job)
        job.uncancel()
        forgotten = job.forget_results(failures=failed_too)
    if forgotten:
        click.echo(f"{counted(forgotten, 'page')} will be read again", err=True)
    if broker:
        queue_pages(job, roots, broker)
        return None
    if not job.tally().complete:
        if not locate(job.scan_root).is_folder():
            raise UsageProblem(
                f"the scans of this job were in {display_path(job.scan_root)}, which does not exist",
                "Put the folder back, or give --broker if workers elsewhere can reach the scans.",
            )
        with stoppable():
            read_here(job, roots, workers or usable_cores())
    return collect_and_print(job, as_json, accept_at, then)


def _check_ends(accept_at: Acceptance | None, then: tuple[str, ...] | None) -> None:
    """Refuse options that need the job's end: with --broker the command returns before it.

    Raises:
        UsageProblem: --accept-at, --accept-fields-at or --then is given.
    """
    if accept_at is not None:
        raise UsageProblem(
            f"--broker queues the pages and returns: there are no results yet for {accept_at.option} to flag",
            f"Give {accept_at.option} to `lettermill collect` afterwards.",
        )
    if then:
        raise UsageProblem(
            "--broker queues the pages and returns: there is no end for --then to wait for",
            "Give --then to `lettermill wait` afterwards.",
        )
