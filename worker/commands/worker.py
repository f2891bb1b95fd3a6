"""`lettermill worker`: a Celery worker that reads pages."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lettermill.jobs.commands.options import PlaceType
from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.queue.address import take_password

if TYPE_CHECKING:
    from lettermill.jobs.log import LogFormat
    from lettermill.jobs.storage.disk import Place

# Libraries read these when they are loaded, so they are set before the first import of NumPy and OpenCV.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def _take_address(
    context: click.Context, parameter: click.Parameter, address: str | None
) -> tuple[str, int] | None:
    """Return the host and port of an address."""
    if not address:
        return None
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageProblem(
            f"cannot understand --metrics {address}", "Give a port or HOST:PORT, as 9473 or 0.0.0.0:9473."
        )
    return host.strip("[]") or "127.0.0.1", int(port)


@click.command()
@click.option(
    "--broker",
    envvar="LETTERMILL_BROKER",
    required=True,
    metavar="URL",
    callback=take_password,
    help="The Redis that holds the queue, as redis://HOST:6379/0.  [env: LETTERMILL_BROKER]",
)
@click.option(
    "--scans",
    envvar="LETTERMILL_SCANS",
    required=True,
    type=PlaceType(exists=True),
    help="The scan root: jobs name scans below it.  [env: LETTERMILL_SCANS]",
)
@click.option(
    "--results",
    envvar="LETTERMILL_RESULTS",
    required=True,
    type=PlaceType(exists=True, writable=True),
    help="The result root: job folders are below it.  [env: LETTERMILL_RESULTS]",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 512),
    default=None,
    help="Pages read at once (processes).  [default: the machine's cores]",
)
@click.option(
    "--sweep/--no-sweep",
    default=True,
    show_default=True,
    help="Look after the submitted jobs: queue again what was lost. `run` looks after its own.",
)
@click.option(
    "--debug",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Draw what each stage saw of a page, a PNG a page.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How events are written to standard error, one a line.",
)
@click.option(
    "--health",
    envvar="LETTERMILL_HEALTH",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Say in this file every 5 seconds how this worker is, for `lettermill health`.  "
    "[env: LETTERMILL_HEALTH]",
)
@click.option(
    "--metrics",
    envvar="LETTERMILL_METRICS",
    callback=_take_address,
    metavar="[HOST:]PORT",
    help="Answer Prometheus here; HOST is 127.0.0.1 unless given.  [env: LETTERMILL_METRICS]",
)
def worker(
    broker: str,
    scans: Place,
    results: Place,
    concurrency: int | None,
    sweep: bool,
    debug: Path | None,
    log_format: LogFormat,
    health: Path | None,
    metrics: tuple[str, int] | None,
) -> None:
    """Read pages from the queue until stopped.

    SIGTERM lets the pages at work finish and leaves the rest in the queue.
    """
    for variable in _ONE_THREAD:
        os.environ.setdefault(variable, "1")
    from lettermill.worker.service.serve import WorkerOptions, serve

    serve(
        WorkerOptions(
            broker=broker,
            scans=scans.resolve(),
            results=results.resolve(),
            concurrency=concurrency,
            sweep=sweep,
            debug=debug,
            log_format=log_format,
            health=health,
            metrics=metrics,
        )
    )
