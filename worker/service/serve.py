"""A Celery worker on this machine: prefork, one thread a process, signs of life, a look at stalled jobs."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import os
import signal
import sys
import time
import uuid
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import redis
from celery import bootsteps, signals
from celery.apps import worker as celery_worker
from celery.exceptions import SecurityWarning
from celery.worker import state

from lettermill.jobs.errors import LettermillError
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.job.folder import VERSION
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.log import LogFormat, hush_libraries, logger, set_up_logging
from lettermill.jobs.machine import usable_cores
from lettermill.jobs.queue.celery_app import (
    LANES,
    UNREACHABLE,
    check_broker,
    connect,
    make_app,
    without_password,
)
from lettermill.jobs.queue.feed import SIGN_SECONDS, Sweep, give_sign, living_workers, sign_off
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.locate import use_short_timeouts
from lettermill.jobs.storage.place import Place
from lettermill.worker.service.events import Wire
from lettermill.worker.service.monitor import Watcher, Work
from lettermill.worker.service.page_service import PageService
from lettermill.worker.service.tasks import PageRequest, register_tasks

if TYPE_CHECKING:
    from lettermill.worker.service.metrics import Metrics

_SWEEP_SECONDS = 15

_DEAF_SECONDS = 30
"""A worker that takes nothing for so long while messages wait has lost its connection without a word."""

_PR_SET_PDEATHSIG = 1


def serve(
    broker: str,
    scans: Place,
    results: Place,
    concurrency: int | None,
    sweep: bool,
    debug: Path | None = None,
    log_format: LogFormat = "text",
    health: Path | None = None,
    metrics: tuple[str, int] | None = None,
) -> None:
    """Run a worker until it is told to stop; ends the process with the worker's exit status.

    Args:
        broker: the broker's address.
        scans: the scan root.
        results: the result root.
        concurrency: pages read at once; None for the number of cores this process may use.
        sweep: whether to look after submitted jobs that stand still.
        debug: the folder for drawings of the pages, if any.
        log_format: how events are logged to standard error.
        health: the file in which the worker says how it is, if any.
        metrics: the host and port at which it answers Prometheus, if any.

    Raises:
        BrokerUnreachable: no Redis answers at the start.
        UsageProblem: the file `health` cannot be written, or the port cannot be had.
    """
    set_up_logging(log_format)
    signals.setup_logging.connect(_leave_logging_alone)
    # Long advice on running as root, with an option that there is not; `worker_started` says the uid.
    warnings.simplefilter("ignore", SecurityWarning)
    # These say again what tasks.py and pages.py have logged: that a task failed, that a child died.
    for name in ("celery.worker.request", "multiprocessing"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    client = check_broker(broker)
    app = make_app(broker)
    roots = Roots(scans, results)
    use_short_timeouts(
        scans, results
    )  # The main process has signs of life to give; those that read are others.
    worker_id = uuid.uuid4().hex
    sweeper = Sweep(results, app, client) if sweep else None
    wire = Wire() if metrics else None
    register_tasks(app, PageService(app, broker, roots, worker_id, debug, wire))
    said = _metrics(wire, sweeper) if wire else None
    watcher = Watcher(connect(broker), health, said) if health or said else None
    if watcher:
        watcher.start()
    if said and metrics:
        said.serve(*metrics)
    app.steps["consumer"].add(_care_step(Pulse(client, worker_id, watcher), sweeper))
    signals.worker_process_init.connect(_prepare_child)
    processes = concurrency or usable_cores()
    logger.info(
        "worker_started",
        worker=worker_id,
        version=VERSION,
        broker=without_password(broker),
        processes=processes,
        uid=os.geteuid(),
        others=len(living_workers(client)),
        scans=display_path(scans),
        results=display_path(results),
    )
    celery_worker.safe_say = _log_what_celery_says  # type: ignore[attr-defined]
    _stop_when_hung_up()
    worker = app.Worker(
        pool_cls="prefork",
        concurrency=processes,
        queues=list(LANES),
        hostname=f"lettermill-{os.getpid()}@%h",
        loglevel="WARNING",
        quiet=True,
        # Nothing is asked of the other workers, so the chatter at the start (1 s) and later can go.
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
    )
    worker.start()
    if watcher:
        watcher.stop()
    with contextlib.suppress(*UNREACHABLE):  # The sign goes out by itself.
        sign_off(client, worker_id)
    logger.info("worker_stopped", worker=worker_id)
    sys.exit(worker.exitcode)


def _metrics(wire: Wire, sweep: Sweep | None) -> Metrics:
    from lettermill.worker.service.metrics import Metrics  # Only who asks for metrics pays for their library.

    return Metrics(wire, sweep, load_model(installed_model_folder()).fingerprint)


def _log_what_celery_says(message: str, file: object = None) -> None:
    """Stand in for what prints `worker: Warm shutdown` past the log."""
    logger.info("worker_told", message=message.strip())


def _stop_when_hung_up() -> None:
    """Let SIGHUP stop the worker as SIGTERM does, unless it is ignored (nohup).

    Celery would begin the worker anew, by a command line that lacks the options of Python.
    """
    celery_worker.install_worker_restart_handler = _leave_hang_ups_alone  # type: ignore[attr-defined]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))


def _leave_hang_ups_alone(worker: object) -> None:
    """Stand in for what installs Celery's handler."""


def _leave_logging_alone(**_: Any) -> None:
    """Keep Celery from adding handlers of its own: it asks whether anybody listens to this signal."""


def _prepare_child(**_: Any) -> None:
    # A terminal that is closed tells all its processes; the main process lets the page finish.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cv2.setNumThreads(1)
    gc.freeze()  # What the main process has made stays: collections pass it by, and its memory is shared.
    hush_libraries()
    _die_with_parent()


def _die_with_parent() -> None:
    """Have the system kill this process when its parent dies: nobody else would stop an endless page."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # It died in between.
            os.kill(os.getpid(), signal.SIGKILL)


class Pulse:
    """Gives a worker's signs of life, and finds out that it hears nothing any more.

    Args:
        client: the broker's Redis, over a connection of its own.
        worker: the worker's id.
        watcher: is told what the worker is at, if there is one.
    """

    def __init__(self, client: redis.Redis, worker: str, watcher: Watcher | None = None) -> None:
        self._redis = client
        self._worker = worker
        self._watcher = watcher
        self._problem = ""
        self._unbegun: float | None = None
        self._deaf = 0

    def __call__(self) -> None:
        """Give a sign.

        Raises:
            ConnectionError: messages wait and the worker has taken none for a while; from a timer of the
                consumer this makes it connect anew.
        """
        requests = list(state.reserved_requests)
        if self._watcher:
            self._watcher.note(self._work(requests))
            if self._watcher.problem != self._problem:
                self._problem = self._watcher.problem
                logger.warning("health_not_written", error=self._problem or "it is written again")
        give_sign(self._redis, self._worker, [page["id"] for request in requests for page in request.args[2]])
        idle = not requests
        self._deaf = self._deaf + 1 if idle and any(self._redis.llen(lane) for lane in LANES) else 0
        if self._deaf > _DEAF_SECONDS / SIGN_SECONDS:
            self._deaf = 0
            raise _Deaf(f"messages wait, and none came for {_DEAF_SECONDS} s")

    def _work(self, requests: Sequence[PageRequest]) -> Work:
        """Return what the worker is at."""
        begun = [(request.begun, request.limit) for request in requests if request.begun is not None]
        if begun or not requests:
            self._unbegun = None
        else:
            # Messages that no process takes are as stuck as one in a process that hangs.
            self._unbegun = self._unbegun or time.monotonic()
            begun = [(self._unbegun, max(request.limit for request in requests))]
        pages = sum(len(request.args[2]) for request in requests)
        if not begun:
            return Work(pages, last_end=PageRequest.last_end)
        since, limit = min(begun, key=sum)
        return Work(pages, since, limit, PageRequest.last_end)


class _Deaf(ConnectionError):
    """The worker must connect anew."""


def _care_step(pulse: Pulse, sweep: Sweep | None) -> type[bootsteps.StartStopStep]:
    """Return the step of the consumer that gives the signs of life and sweeps, in the main process.

    The first sign comes before the first message and the first sweep: without one, what this worker takes
    would look lost.
    """

    def safely(act: Callable[[], None]) -> None:
        try:
            act()
        except _Deaf:
            raise  # Celery closes the connection and makes a new one.
        except UNREACHABLE as error:
            logger.warning("redis_away", doing=type(act).__name__.lower(), error=str(error))
        except (LettermillError, OSError) as error:
            logger.warning("sweep_failed", error=str(error))

    class CareStep(bootsteps.StartStopStep):
        """Acts regularly."""

        def start(self, parent: Any) -> None:
            safely(pulse)
            self._timers = [parent.timer.call_repeatedly(SIGN_SECONDS, safely, (pulse,))]
            if sweep is not None:
                parent.timer.call_after(1, safely, (sweep,))
                self._timers.append(parent.timer.call_repeatedly(_SWEEP_SECONDS, safely, (sweep,)))

        def stop(self, parent: Any) -> None:
            for timer in self._timers:
                timer.cancel()

    return CareStep
