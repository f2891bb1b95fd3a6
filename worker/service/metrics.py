"""Counts for Prometheus (`--metrics`): pages, seconds per stage, letters, the queue, memory.

All values are in the main process, which answers over HTTP. Processes that read pages send it one line per
page (events.py). So a process that is killed or replaced loses no counts, and no counter goes back while the
worker lives. Each worker reports the values of the whole fleet as it sees them in Redis: use `max()`, not
`sum()`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator

import psutil
import redis
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from lettermill.jobs.errors import ErrorCode, UsageProblem
from lettermill.jobs.job.folder import VERSION
from lettermill.jobs.machine import memory_limit
from lettermill.jobs.queue.celery_app import QUEUES
from lettermill.jobs.queue.sweep import Sweep
from lettermill.jobs.queue.workers import live_workers
from lettermill.jobs.records.readings import Status
from lettermill.worker.service.events import STAGES, AttemptsLost, Event, EventPipe

_STAGE_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Upper bounds of the histogram of seconds per stage."""

_CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99, 1.0)
"""Upper bounds of the histogram of pages' mean confidence."""


class Metrics:
    """The metrics of one worker.

    Args:
        pipe: brings the events of pages.
        sweep: has counted the pages of the fleet; None where this worker does not sweep.
        fingerprint: of the model that comes with this version.
    """

    def __init__(self, pipe: EventPipe, sweep: Sweep | None, fingerprint: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._pipe = pipe
        self._registry = CollectorRegistry()
        self._gauges = _Gauges(sweep, fingerprint)
        self._registry.register(self._gauges)
        self._pages = Counter(
            "lettermill_pages", "Pages that got a result", ["status", "code"], registry=self._registry
        )
        self._seconds = Histogram(
            "lettermill_stage_seconds",
            "Time that a stage of a page took",
            ["stage"],
            buckets=_STAGE_SECONDS,
            registry=self._registry,
        )
        self._letters = Counter("lettermill_letters", "Letters that were read", registry=self._registry)
        self._flagged = Counter(
            "lettermill_flagged_letters", "Letters that a person should look at", registry=self._registry
        )
        self._confidence = Histogram(
            "lettermill_page_confidence",
            "Mean confidence of the letters of a page",
            buckets=_CONFIDENCES,
            registry=self._registry,
        )
        self._lost = Counter(
            "lettermill_attempts_lost",
            "Attempts at pages that ended with their process",
            registry=self._registry,
        )
        # Prometheus sees no increase where a series begins with its first event: begin with 0.
        for status in (Status.DONE, Status.EMPTY):
            self._pages.labels(status.value, "")
        for code in ErrorCode:
            status = Status.QUARANTINED if code is ErrorCode.WORKER_LOST else Status.FAILED
            self._pages.labels(status.value, code.value)
        for stage in STAGES:
            self._seconds.labels(stage)

    def serve(self, host: str, port: int) -> None:
        """Answer Prometheus and count events, each in a thread of its own.

        Raises:
            UsageProblem: the port cannot be used.
        """
        try:
            start_http_server(port, host, self._registry)
        except OSError as error:
            raise UsageProblem(
                f"cannot listen on {host}, port {port}, for --metrics: {error.strerror}",
                "Give an address of this machine and a port that is free.",
            ) from error
        threading.Thread(target=self._listen, name="metrics", daemon=True).start()

    def look(self, client: redis.Redis) -> None:
        """Count the messages in the queues and the live workers.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        with client.pipeline(transaction=False) as pipeline:
            for queue in QUEUES:
                pipeline.llen(queue)
            self._gauges.queue = pipeline.execute()
        self._gauges.workers = len(live_workers(client))

    def miss_redis(self) -> None:
        """Record that Redis does not answer: the queue's state is unknown."""
        self._gauges.queue = self._gauges.workers = None

    def _listen(self) -> None:
        for event in self._pipe.events():
            self._count(event)

    def _count(self, event: Event) -> None:
        if isinstance(event, AttemptsLost):
            self._lost.inc(event.attempts)
            return
        self._gauges.last_page = time.time()
        self._pages.labels(event.status.value, event.code or "").inc()
        self._letters.inc(event.letters)
        self._flagged.inc(event.flagged)
        if event.confidence is not None:
            self._confidence.observe(event.confidence)
        for stage, seconds in event.seconds.items():
            self._seconds.labels(stage).observe(seconds)


class _Gauges(Collector):
    """The values that are looked up when Prometheus asks, and those that the monitor looked up before."""

    def __init__(self, sweep: Sweep | None, fingerprint: str) -> None:
        self._sweep = sweep
        self._fingerprint = fingerprint
        self._process = psutil.Process()
        self.queue: list[int] | None = None
        self.workers: int | None = None
        self.last_page: float | None = None

    def collect(self) -> Iterator[Metric]:
        """Yield all gauges; one that is unknown has no value."""
        yield InfoMetricFamily(
            "lettermill_build",
            "Version, and the model that came with it",
            {"version": VERSION, "model": self._fingerprint[:12]},
        )
        yield _gauge("lettermill_redis_up", "Whether Redis answers", self.queue is not None)
        queues = GaugeMetricFamily(
            "lettermill_queue_messages", "Messages that wait, of 1 to 8 pages", labels=["lane"]
        )
        for name, messages in zip(QUEUES, self.queue or (), strict=False):
            queues.add_metric([name.rpartition(":")[2]], messages)
        yield queues
        backlog = self._sweep.backlog if self._sweep else None
        yield _gauge(
            "lettermill_pages_in_flight",
            "Pages of submitted jobs that wait in the queue or are read",
            backlog.pages if backlog else None,
        )
        oldest = None
        if backlog:
            oldest = 0.0 if backlog.oldest is None else max(0.0, time.time() - backlog.oldest)
        yield _gauge(
            "lettermill_oldest_page_seconds", "How long the oldest page has waited in the queue", oldest
        )
        yield _gauge(
            "lettermill_last_sweep_timestamp_seconds",
            "When all jobs were last looked at",
            backlog.at if backlog else None,
        )
        yield _gauge("lettermill_workers", "Workers that send heartbeats", self.workers)
        yield _gauge(
            "lettermill_last_page_timestamp_seconds", "When a page last got a result", self.last_page
        )
        memory = GaugeMetricFamily("lettermill_memory_bytes", "Resident memory", labels=["process"])
        memory.add_metric(["main"], _resident([self._process]))
        memory.add_metric(["children"], _resident(self._process.children(recursive=True)))
        yield memory
        yield _gauge(
            "lettermill_memory_limit_bytes", "Memory that all processes may have together", memory_limit()
        )


def _gauge(name: str, text: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value)


def _resident(processes: Iterable[psutil.Process]) -> int:
    """Return the resident memory of processes in bytes; one that has just ended counts as 0."""
    total = 0
    for process in processes:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
