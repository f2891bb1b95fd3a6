"""Runs a Celery worker on this machine: processes of one thread each that read pages."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from celery import Celery

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.job.folder import VERSION
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.log import LogFormat, logger, set_up_logging
from lettermill.jobs.machine import usable_cores
from lettermill.jobs.queue.celery_app import (
    QUEUES,
    UNREACHABLE,
    check_broker,
    connect,
    make_app,
    without_password,
)
from lettermill.jobs.queue.sweep import Sweep
from lettermill.jobs.queue.workers import live_workers, sign_off
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.locate import use_short_timeouts
from lettermill.jobs.storage.place import Place
from lettermill.worker.service.celery_changes import adapt_celery, stop_on_hangup
from lettermill.worker.service.events import EventPipe
from lettermill.worker.service.heartbeat import Heartbeat, care_step
from lettermill.worker.service.monitor import Monitor
from lettermill.worker.service.page_service import PageService
from lettermill.worker.service.tasks import register_tasks

if TYPE_CHECKING:
    from lettermill.worker.service.metrics import Metrics


@dataclasses.dataclass(frozen=True)
class WorkerOptions:
    """How a worker runs.

    Attributes:
        broker: the broker's address.
        scans: the scan root.
        results: the result root.
        concurrency: how many pages are read at once; None for the number of cores this process may use.
        sweep: whether it looks for lost pages of submitted jobs.
        debug: the folder for drawings of the pages, if any.
        log_format: how events are logged to standard error.
        health: the file for `lettermill health`, if any.
        metrics: the host and port at which it answers Prometheus, if any.
    """

    broker: str
    scans: Place
    results: Place
    concurrency: int | None = None
    sweep: bool = True
    debug: Path | None = None
    log_format: LogFormat = "text"
    health: Path | None = None
    metrics: tuple[str, int] | None = None


def serve(options: WorkerOptions) -> None:
    """Run a worker until it is stopped; ends the process with the worker's exit status.

    Raises:
        BrokerUnreachable: no Redis answers at the start.
        UsageProblem: the file `health` cannot be written, or the port cannot be used.
    """
    set_up_logging(options.log_format)
    adapt_celery()
    client = check_broker(options.broker)
    app = make_app(options.broker)
    # The main process must not be late with its heartbeats; other processes read the scans.
    use_short_timeouts(options.scans, options.results)
    worker_id = uuid.uuid4().hex
    sweep = Sweep(options.results, app, client) if options.sweep else None
    pipe = EventPipe() if options.metrics else None
    roots = Roots(options.scans, options.results)
    register_tasks(app, PageService(app, options.broker, roots, worker_id, options.debug, pipe))
    monitor = _start_monitor(options, _metrics(pipe, sweep) if pipe else None)
    app.steps["consumer"].add(care_step(Heartbeat(client, worker_id, monitor), sweep))
    processes = options.concurrency or usable_cores()
    logger.info(
        "worker_started",
        worker=worker_id,
        version=VERSION,
        broker=without_password(options.broker),
        processes=processes,
        uid=os.geteuid(),
        others=len(live_workers(client)),
        scans=display_path(options.scans),
        results=display_path(options.results),
    )
    exit_status = _run(app, processes)
    if monitor:
        monitor.stop()
    with contextlib.suppress(*UNREACHABLE):  # The heartbeat's key expires anyway.
        sign_off(client, worker_id)
    logger.info("worker_stopped", worker=worker_id)
    sys.exit(exit_status)


def _metrics(pipe: EventPipe, sweep: Sweep | None) -> Metrics:
    from lettermill.worker.service.metrics import Metrics  # The library is loaded only where it is needed.

    return Metrics(pipe, sweep, load_model(installed_model_folder()).fingerprint)


def _start_monitor(options: WorkerOptions, metrics: Metrics | None) -> Monitor | None:
    """Start the monitor and the answers to Prometheus, if the options ask for them."""
    if not options.health and not metrics:
        return None
    monitor = Monitor(connect(options.broker), options.health, metrics)
    monitor.start()
    if metrics and options.metrics:
        metrics.serve(*options.metrics)
    return monitor


def _run(app: Celery, processes: int) -> int:
    """Run Celery's worker until it is stopped, and return its exit status."""
    stop_on_hangup()
    worker = app.Worker(
        pool_cls="prefork",
        concurrency=processes,
        queues=list(QUEUES),
        hostname=f"lettermill-{os.getpid()}@%h",
        loglevel="WARNING",
        quiet=True,
        # The worker needs nothing from other workers; without their messages it starts 1 s sooner.
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
    )
    worker.start()
    return worker.exitcode or 0
