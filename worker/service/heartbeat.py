"""Sends a worker's heartbeats and sweeps regularly, from the main loop of its main process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
from celery import bootsteps
from celery.worker import state

from lettermill.jobs.errors import LettermillError
from lettermill.jobs.log import logger
from lettermill.jobs.queue.celery_app import QUEUES, UNREACHABLE
from lettermill.jobs.queue.sweep import Sweep
from lettermill.jobs.queue.workers import HEARTBEAT_SECONDS, send_heartbeat
from lettermill.worker.service.monitor import Monitor, Workload
from lettermill.worker.service.tasks import PageRequest

_SWEEP_SECONDS = 15

_FIRST_SWEEP_SECONDS = 1
"""The first sweep comes this long after the worker has connected."""

_DEAF_SECONDS = 30
"""A worker that takes nothing for this long while messages wait has lost its connection unnoticed."""


class Heartbeat:
    """Sends a worker's heartbeats, and notices when it receives no more messages.

    Args:
        client: the broker's Redis, over a connection of its own.
        worker: the worker's id.
        monitor: gets the worker's workload, if there is one.
    """

    def __init__(self, client: redis.Redis, worker: str, monitor: Monitor | None = None) -> None:
        self._redis = client
        self._worker = worker
        self._monitor = monitor
        self._problem = ""
        self._unbegun_since: float | None = None
        self._deaf_beats = 0

    def __call__(self) -> None:
        """Send one heartbeat.

        Raises:
            ConnectionError: messages wait and the worker has taken none for a while; raised from a timer of
                Celery's consumer, it makes the consumer reconnect.
        """
        requests: list[PageRequest] = list(state.reserved_requests)
        if self._monitor:
            self._monitor.note(self._workload(requests))
            if self._monitor.problem != self._problem:
                self._problem = self._monitor.problem
                logger.warning("health_not_written", error=self._problem or "it is written again")
        page_ids = [page_id for request in requests for page_id in request.pages_message.page_ids]
        send_heartbeat(self._redis, self._worker, page_ids)
        waiting = not requests and any(self._redis.llen(queue) for queue in QUEUES)
        self._deaf_beats = self._deaf_beats + 1 if waiting else 0
        if self._deaf_beats > _DEAF_SECONDS / HEARTBEAT_SECONDS:
            self._deaf_beats = 0
            raise _Deaf(f"messages wait, and none came for {_DEAF_SECONDS} s")

    def _workload(self, requests: Sequence[PageRequest]) -> Workload:
        begun = [(request.begun, request.limit) for request in requests if request.begun is not None]
        if begun or not requests:
            self._unbegun_since = None
        else:
            # Messages that no process takes are as stuck as one in a process that hangs.
            self._unbegun_since = self._unbegun_since or time.monotonic()
            begun = [(self._unbegun_since, max(request.limit for request in requests))]
        pages = sum(len(request.pages_message.pages) for request in requests)
        if not begun:
            return Workload(pages, last_end=PageRequest.last_end)
        since, limit = min(begun, key=sum)
        return Workload(pages, since, limit, PageRequest.last_end)


class _Deaf(ConnectionError):
    """The worker must reconnect."""


def care_step(heartbeat: Heartbeat, sweep: Sweep | None) -> type[bootsteps.StartStopStep]:
    """Return the step of Celery's consumer that sends the heartbeats and sweeps.

    The first heartbeat comes before the first message and the first sweep: without one, the pages that this
    worker takes would look lost.

    Args:
        heartbeat: sends one heartbeat.
        sweep: sweeps once; None where this worker does not.
    """

    def safely(doing: str, act: Callable[[], None]) -> None:
        try:
            act()
        except _Deaf:
            raise  # Celery closes the connection and makes a new one.
        except UNREACHABLE as error:
            logger.warning("redis_away", doing=doing, error=str(error))
        except (LettermillError, OSError) as error:
            logger.warning("sweep_failed", error=str(error))

    class CareStep(bootsteps.StartStopStep):
        """Acts regularly."""

        def start(self, parent: Any) -> None:
            beat = ("sending a heartbeat", heartbeat)
            safely(*beat)
            self._timers = [parent.timer.call_repeatedly(HEARTBEAT_SECONDS, safely, beat)]
            if sweep is not None:
                search = ("sweeping", sweep)
                parent.timer.call_after(_FIRST_SWEEP_SECONDS, safely, search)
                self._timers.append(parent.timer.call_repeatedly(_SWEEP_SECONDS, safely, search))

        def stop(self, parent: Any) -> None:
            for timer in self._timers:
                timer.cancel()

    return CareStep
