"""The queue: Celery's configuration, the names of tasks, and the connection to Redis.

The command line and the workers import this one configuration, because the visibility timeout that counts is
the shortest among all programs on a broker. The measurements behind the reasons are in
docs/decisions/0003-celery-settings.md.
"""

from __future__ import annotations

import re
from typing import Any

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from jobs.errors import BrokerUnreachable
from jobs.settings import MAX_PAGE_SECONDS

READ_TASK = "lettermill.read_pages"
QUEUE = "lettermill.pages"

_VISIBILITY_TIMEOUT = 2 * MAX_PAGE_SECONDS + 600
_SCHEMES = ("redis://", "rediss://", "redis+socket://")
_ADDRESS = "Give it as redis://HOST:6379/0, or redis://USER:PASSWORD@HOST:6379/0."
_CONNECT_SECONDS = 5
_SOCKET_SECONDS = 30

UNREACHABLE = (redis.RedisError, OperationalError, ConnectionError)
"""What Redis and Celery raise when the broker does not answer or refuses."""


def make_app(broker: str) -> Celery:
    """Return a Celery application for a broker.

    Args:
        broker: `redis://…`, `rediss://…` or `redis+socket:///path`.
    """
    app = Celery("lettermill", broker=broker, set_as_current=False)
    over_tcp = not broker.startswith("redis+socket:")
    transport: dict[str, Any] = {
        # Above twice the longest page limit, see MAX_PAGE_SECONDS: an hour.
        "visibility_timeout": _VISIBILITY_TIMEOUT,
        # With the defaults (10 × 10) a dead worker's message came back 90 s after its timeout; 1 × 1: 13 s.
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        # Without time limits of its own a publish to a silent Redis hangs for ever.
        "socket_timeout": _SOCKET_SECONDS,
        "socket_connect_timeout": _CONNECT_SECONDS,
        # Finds a connection that a firewall dropped in silence.
        "health_check_interval": 25,
    }
    if over_tcp:
        transport["socket_keepalive"] = True  # A Unix socket refuses the option with a TypeError.
    app.conf.update(
        broker_transport_options=transport,
        # It stands in three places and the shortest wins; there is no result backend, so this is the other.
        visibility_timeout=_VISIBILITY_TIMEOUT,
        # A worker waits for its broker however long that is away: an operator restarts Redis, not workers.
        broker_connection_max_retries=None,
        broker_connection_retry_on_startup=True,
        # True, the coming default, loses the tasks that run while Redis restarts (4 of 4).
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Acknowledged when it is done, so that a task of a worker that died is not lost …
        task_acks_late=True,
        # … but never put back by Celery on its own: a page that kills its worker would come round for ever.
        # worker.tasks queues the unfinished pages again, one by one, and counts attempts in the job folder.
        task_reject_on_worker_lost=False,
        # Children that died are noticed after this many seconds; the default of 10 only delays that.
        worker_lost_wait=1,
        # A child takes one message at a time; what it has reserved waits while others are idle.
        worker_prefetch_multiplier=1,
        # Results are files in the job folder; nothing is left in Redis.
        task_ignore_result=True,
        result_backend=None,
        # One queue by name: a message for another one is a mistake, not a new queue.
        task_default_queue=QUEUE,
        task_create_missing_queues=False,
        # JSON only: a pickle from the queue would be code.
        task_serializer="json",
        accept_content=["json"],
        # About five seconds of trying; then submit says that Redis does not take the job.
        task_publish_retry_policy={"max_retries": 5, "interval_start": 0, "interval_step": 0.5},
        # A child that grew beyond this is replaced after its page (KiB); a large A0 scan fits.
        worker_max_memory_per_child=2_000_000,
        # The worker's log is set up by `lettermill worker`.
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        # Nobody listens to events; progress is read from the job folder.
        worker_send_task_events=False,
        # Nobody listens to remote control; without it nothing can reach into a worker through the broker.
        worker_enable_remote_control=False,
        enable_utc=True,
    )
    return app


def connect(broker: str) -> redis.Redis:
    """Return a Redis client for a broker's address; it connects on first use.

    Args:
        broker: as for `make_app`.

    Raises:
        BrokerUnreachable: the address cannot be understood.
    """
    if not broker.startswith(_SCHEMES):
        raise BrokerUnreachable(
            f"the broker's address begins with none of {', '.join(_SCHEMES)}: {without_password(broker)}",
            _ADDRESS,
        )
    try:
        if broker.startswith("redis+socket:"):
            return redis.Redis.from_url(
                "unix:" + broker.removeprefix("redis+socket:"), socket_timeout=_SOCKET_SECONDS
            )
        return redis.Redis.from_url(
            broker,
            socket_timeout=_SOCKET_SECONDS,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_keepalive=True,
            health_check_interval=25,
        )
    except ValueError as error:
        raise BrokerUnreachable(
            f"cannot understand the broker's address {without_password(broker)}: {error}",
            _ADDRESS,
        ) from error


def check_broker(broker: str) -> redis.Redis:
    """Return a client whose server has just answered.

    Raises:
        BrokerUnreachable: it does not answer, or refuses.
    """
    client = connect(broker)
    try:
        client.ping()
    except UNREACHABLE as error:
        raise unreachable(broker, error) from error
    return client


def unreachable(broker: str, error: BaseException) -> BrokerUnreachable:
    """Return the error that says that a broker does not answer."""
    return BrokerUnreachable(
        f"Redis at {without_password(broker)} does not take the job: {error}",
        "Start it, or correct --broker (or LETTERMILL_BROKER); what is queued already goes on from "
        "`lettermill resume JOB`. Without --broker, `lettermill run` brings its own.",
    )


def without_password(broker: str) -> str:
    """Return a broker's address fit for messages and logs."""
    return re.sub(r"(?<=:)[^:@/]*(?=@)", "…", broker, count=1)
