"""`lettermill worker`: run a Celery worker that reads pages."""

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
    from lettermill.jobs.storage.place import Place

# Libraries read these when they are loaded, so they must be set before NumPy and OpenCV are imported.
_THREAD_COUNT_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def _host_and_port(
    context: click.Context, parameter: click.Parameter, address: str | None
) -> tuple[str, int] | None:
    """Split an address; the host is 127.0.0.1 unless given."""
    if not address:
        return None
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageProblem(
            f"cannot understand --metrics {address}",
            "Give PORT or HOST:PORT, for example 9473 or 0.0.0.0:9473.",
        )
    return host.strip("[]") or "127.0.0.1", int(port)


@click.command()
@click.option(
    "--broker",
    envvar="LETTERMILL_BROKER",
    required=True,
    metavar="URL",
    callback=take_password,
    help="The Redis that holds the queue, for example redis://HOST:6379/0.  [env: LETTERMILL_BROKER]",
)
@click.option(
    "--scans",
    envvar="LETTERMILL_SCANS",
    required=True,
    type=PlaceType(exists=True),
    help="The scan root: the folder that holds the scans of all jobs.  [env: LETTERMILL_SCANS]",
)
@click.option(
    "--results",
    envvar="LETTERMILL_RESULTS",
    required=True,
    type=PlaceType(exists=True, writable=True),
    help="The result root: the folder that holds the job folders.  [env: LETTERMILL_RESULTS]",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 512),
    default=None,
    help="Number of processes; each reads one page at a time.  [default: the machine's cores]",
)
@click.option(
    "--sweep/--no-sweep",
    default=True,
    show_default=True,
    help="Queue lost pages of submitted jobs again. (`run` does this for its own job.)",
)
@click.option(
    "--debug",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Draw what each stage found on a page, one PNG file per page.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of the events on standard error, one per line.",
)
@click.option(
    "--health",
    envvar="LETTERMILL_HEALTH",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write this worker's state to FILE every 5 seconds, for `lettermill health`.  "
    "[env: LETTERMILL_HEALTH]",
)
@click.option(
    "--metrics",
    envvar="LETTERMILL_METRICS",
    callback=_host_and_port,
    metavar="[HOST:]PORT",
    help="Serve Prometheus metrics here; HOST is 127.0.0.1 by default.  [env: LETTERMILL_METRICS]",
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

    On SIGTERM it finishes the pages that are being read and leaves the others in the queue.

    \b
    Example:
      lettermill worker --broker redis://queue:6379/0 --scans /mnt/scans --results /mnt/results
    """
    for variable in _THREAD_COUNT_VARIABLES:
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
