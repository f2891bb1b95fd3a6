"""The command `lettermill watch`: read scans as they are put into a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lettermill.jobs.commands.options import (
    FOLDER,
    OUT,
    PLACE,
    GroupedCommand,
    accept_at_options,
    broker_option,
    on_disk,
    root_options,
    then_option,
    workers_option,
)
from lettermill.jobs.commands.reading_options import reading_options, reading_recipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.machine import usable_cores
from lettermill.jobs.results.acceptance import Acceptance
from lettermill.jobs.storage.place import Place


@click.command(cls=GroupedCommand)
@click.argument("folder", type=PLACE)
@OUT
@click.option(
    "--settle",
    type=click.FloatRange(min=0),
    default=5,
    show_default=True,
    metavar="SECONDS",
    help="Read a scan when it has not changed for this long.",
)
@click.option(
    "--done",
    type=FOLDER,
    metavar="DIR",
    help="Move scans that were read to this folder.  [default: leave them]",
)
@click.option(
    "--failed",
    type=FOLDER,
    metavar="DIR",
    help="Move scans that could not be read to this folder.  [default: failed/ below --out]",
)
@workers_option
@broker_option(required=False)
@root_options
@reading_options
@accept_at_options
@then_option("after each batch")
def watch(
    folder: Place,
    out: Place,
    settle: float,
    done: Path | None,
    failed: Path | None,
    workers: int | None,
    broker: str | None,
    scans: Place | None,
    results: Place | None,
    accept_at: Acceptance | None,
    then: tuple[str, ...] | None,
    **reading: Any,
) -> None:
    """Read scans as they are put into a folder, until stopped.

    A scan is read when it has stopped changing, and only once; a changed scan counts as new. Scans that are
    ready at the same time become one job below --out; one table grows over all of them. A scan that cannot
    be read is moved, and NAME.txt beside it says why and what to do.

    \b
    Example:
      lettermill watch inbox --done inbox-done
    """
    from lettermill.jobs.queue.celery_app import check_broker
    from lettermill.jobs.running.dispatch import follow, queue_pages, read_here
    from lettermill.jobs.running.signals import stoppable
    from lettermill.jobs.watching.loop import Plan, keep_watching

    folder, out = on_disk(folder, "FOLDER").resolve(), on_disk(out, "--out").resolve()
    roots = Roots(scans or folder, results or out)
    if broker:
        check_broker(broker)

    def read(job: Job) -> None:
        if broker:
            queue_pages(job, roots, broker)
            follow(job, broker=broker)
        else:
            read_here(job, roots, workers or usable_cores())

    recipe = reading_recipe(reading)
    if accept_at:
        accept_at.check(recipe.settings)
    plan = Plan(
        folder=folder,
        out=out,
        done=done and done.resolve(),
        failed=failed.resolve() if failed else out / "failed",
        settle_seconds=settle,
        recipe=recipe,
        roots=roots,
        shared=broker is not None,
        read=read,
        acceptance=accept_at,
        then=then,
    )
    with stoppable():
        keep_watching(plan)
