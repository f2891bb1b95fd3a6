"""The command `lettermill resume`: continue a job that was stopped."""

from __future__ import annotations

import dataclasses

import click
from click.core import ParameterSource

from lettermill.jobs.commands.console import collect_and_print, print_queued
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
@click.option("--here", is_flag=True, help="Read on this machine, although the job was submitted to others.")
@broker_option(required=False, without="pages are read on this machine.")
@root_options
@accept_at_options
@failure_options("as the job was made")
@then_option("when the results are written")
@JSON
def resume(
    path: Place,
    failed_too: bool,
    workers: int | None,
    here: bool,
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

    Reads its pages on this machine, or, with --broker, queues them for workers on other machines. A job that
    was submitted to these is read on this machine only with --here.

    \b
    Example:
      lettermill resume results/JOB
    """
    from lettermill.jobs.running.dispatch import queue_pages, read_here
    from lettermill.jobs.running.signals import stoppable

    job = Job.open(path)
    broker = _broker(job, broker, here)
    if broker:
        _check_ends(accept_at, then)
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
        tally = job.tally()
        print_queued(job, tally.pages - tally.finished, broker)
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


def _broker(job: Job, broker: str | None, here: bool) -> str | None:
    """Return the address at which the pages are queued; None where this machine reads them.

    Raises:
        UsageProblem: a fleet's job would be read on this machine without being asked for.
    """
    if here:
        source = click.get_current_context().get_parameter_source("broker")
        if source is ParameterSource.COMMANDLINE:
            raise UsageProblem("--here and --broker contradict each other", "Give one of them.")
        return None
    if broker is None and job.shared:
        raise UsageProblem(
            f"{display_path(job.path)} was submitted to workers on other machines",
            "Give --broker URL (or LETTERMILL_BROKER) to queue its pages for them, or --here to read them on "
            "this machine.",
        )
    return broker


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
