"""A Celery worker on this machine: prefork, one thread a process, and a look at stalled jobs every minute."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import cv2
from celery import bootsteps, signals

from jobs.errors import LettermillError
from jobs.feed import Sweep
from jobs.job import Roots
from jobs.machine import usable_cores
from jobs.queue import QUEUE, UNREACHABLE, check_broker, make_app, without_password
from worker.pages import PageService
from worker.tasks import register_tasks

logger = logging.getLogger("lettermill")

_SWEEP_SECONDS = 60


def serve(
    broker: str,
    scans: Path,
    results: Path,
    concurrency: int | None,
    sweep: bool,
    debug: Path | None = None,
) -> None:
    """Run a worker until it is told to stop; ends the process with the worker's exit status.

    Args:
        broker: the broker's address.
        scans: the scan root.
        results: the result root.
        concurrency: pages read at once; None for the number of cores this process may use.
        sweep: whether to look after submitted jobs that stand still.
        debug: the folder for drawings of the pages, if any.

    Raises:
        BrokerUnreachable: no Redis answers at the start.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("celery").setLevel(logging.WARNING)
    client = check_broker(broker)
    app = make_app(broker)
    roots = Roots(scans, results)
    register_tasks(app, PageService(app, broker, roots, debug))
    if sweep:
        app.steps["consumer"].add(_sweep_step(Sweep(results, app, client)))
    signals.worker_process_init.connect(_prepare_child)
    processes = concurrency or usable_cores()
    logger.info(
        "reads pages from %s with %d processes; scans %s, results %s",
        without_password(broker),
        processes,
        scans,
        results,
    )
    worker = app.Worker(
        pool_cls="prefork",
        concurrency=processes,
        queues=[QUEUE],
        hostname=f"lettermill-{os.getpid()}@%h",
        loglevel="WARNING",
        quiet=True,
        # Nothing is asked of the other workers, so the chatter at the start (1 s) can go.
        without_mingle=True,
        without_gossip=True,
    )
    worker.start()
    sys.exit(worker.exitcode)


def _prepare_child(**_: Any) -> None:
    cv2.setNumThreads(1)


def _sweep_step(sweep: Sweep) -> type[bootsteps.StartStopStep]:
    """Return the consumer step that runs the sweep at the start and once a minute, in the main process."""

    def look() -> None:
        try:
            for folder in sweep():
                logger.warning("job %s stood still; its unfinished pages are queued again", folder)
        except (LettermillError, OSError, *UNREACHABLE) as error:
            logger.warning("could not look after the jobs: %s", error)

    class SweepStep(bootsteps.StartStopStep):
        """Looks after stalled jobs."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:
            parent.timer.call_after(1, look)
            self._timer = parent.timer.call_repeatedly(_SWEEP_SECONDS, look)

        def stop(self, parent: Any) -> None:
            self._timer.cancel()

    return SweepStep
