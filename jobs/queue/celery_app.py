"""Configures Celery, names its queues and its task, and connects to Redis.

The command line and the workers import this one configuration, because the shortest visibility timeout among
all programs on a broker is the one that counts. The measurements behind the settings are in
docs/decisions/0003-celery-settings.md.
"""

from __future__ import annotations

import os
import re
import ssl
from typing import Any
from urllib.parse import urlsplit

import redis
from celery import Celery
from kombu import Exchange, Queue
from kombu.exceptions import OperationalError
from kombu.transport import TRANSPORT_ALIASES

from lettermill.jobs.errors import BrokerUnreachable
from lettermill.jobs.settings import MAX_PAGE_SECONDS
from lettermill.jobs.storage.display import display_path

READ_TASK = "lettermill.read_pages"

MESSAGE_FORMAT = 1
"""The number of the message format: workers of another format use other queues and never see these."""

QUEUES: tuple[str, ...] = tuple(f"lettermill:{MESSAGE_FORMAT}:pages:{n:02}" for n in range(16))
"""The queues; each is a list in Redis of that name. A job uses one, and workers take from all in turn, so
that a small job does not wait behind a large one."""

UNACKED_KEY = f"lettermill:{MESSAGE_FORMAT}:unacked"
"""Kombu's hash of messages that were delivered and not yet acknowledged."""

_VISIBILITY_TIMEOUT_SECONDS = 2 * MAX_PAGE_SECONDS + 600
_SCHEMES = ("redis://", "rediss://", "redis+socket://")
_ADDRESS = "Give it as redis://HOST:6379/0 or redis://USER@HOST:6379/0; rediss:// with TLS."
_CONNECT_SECONDS = 5
_SOCKET_SECONDS = 10
_HEALTH_SECONDS = 25

# Kombu finds a transport by the scheme of the address; `broker_transport` would not do for Unix sockets.
TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), "lettermill.jobs.queue.transport:Transport"))

UNREACHABLE = (redis.RedisError, OperationalError, ConnectionError)
"""What Redis and Celery raise when the broker does not answer or refuses."""


def make_app(broker: str) -> Celery:
    """Return a Celery application for a broker.

    Args:
        broker: `redis://…`, `rediss://…` or `redis+socket:///path`.
    """
    app = Celery("lettermill", broker=broker, set_as_current=False)
    app.conf.update(_connection_settings(broker))
    app.conf.update(_task_settings())
    return app


def _transport_options(broker: str) -> dict[str, Any]:
    """Return what Kombu's Redis transport does."""
    options: dict[str, Any] = {
        # Above twice the longest page limit, see MAX_PAGE_SECONDS: an hour.
        "visibility_timeout": _VISIBILITY_TIMEOUT_SECONDS,
        # All keys begin with lettermill:, so that a Redis user's rights can be limited to them.
        "unacked_key": UNACKED_KEY,
        "unacked_index_key": UNACKED_KEY + ":index",
        "unacked_mutex_key": UNACKED_KEY + ":mutex",
        # The queue that served a worker last comes last when it asks again.
        "queue_order_strategy": "round_robin",
        "priority_steps": [0],  # Without priorities a queue is one list.
        # With the defaults (10 × 10) a dead worker's message came back 90 s after its timeout; 1 × 1: 13 s.
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
        # Without these a publish to a silent Redis hangs for ever. A worker that finds its connections dead
        # waits this long several times in a row.
        "socket_timeout": _SOCKET_SECONDS,
        "socket_connect_timeout": _CONNECT_SECONDS,
        # Finds a connection that a firewall has dropped silently.
        "health_check_interval": _HEALTH_SECONDS,
    }
    if not broker.startswith("redis+socket:"):
        options["socket_keepalive"] = True  # With a Unix socket the option raises a TypeError.
    return options


def _connection_settings(broker: str) -> dict[str, Any]:
    """Return how Celery connects to its broker, and behaves where that is away."""
    return {
        "broker_transport_options": _transport_options(broker),
        # By default Kombu accepts any certificate at rediss://.
        "broker_use_ssl": _tls(broker) or None,
        # Celery has it in three places, and the shortest counts. Without a result backend this is the last.
        "visibility_timeout": _VISIBILITY_TIMEOUT_SECONDS,
        # A worker waits for its broker for ever: an operator restarts Redis, not the workers.
        "broker_connection_max_retries": None,
        "broker_connection_retry_on_startup": True,
        # The same for a Redis that refuses, e.g. because it is full: the worker would end.
        "broker_channel_error_retry": True,
        # True, the coming default, loses the tasks that run while Redis restarts (4 of 4).
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        # About five seconds of trying; then `submit` reports that Redis does not take the job.
        "task_publish_retry_policy": {"max_retries": 5, "interval_start": 0, "interval_step": 0.5},
    }


def _task_settings() -> dict[str, Any]:
    """Return how Celery queues, runs and acknowledges tasks."""
    return {
        # Acknowledged when done, so that the task of a worker that died is not lost …
        "task_acks_late": True,
        # … but never put back by Celery itself: a page that kills its worker would return for ever.
        # worker.service.tasks queues the unfinished pages again, each alone, and counts attempts in the job
        # folder.
        "task_reject_on_worker_lost": False,
        # Dead children are noticed after this many seconds; the default of 10 only delays that.
        "worker_lost_wait": 1,
        # A child takes one message at a time; a message that it reserved would wait while others are idle.
        "worker_prefetch_multiplier": 1,
        # Results are files in the job folder; Redis keeps none.
        "task_ignore_result": True,
        "result_backend": None,
        # Only these queues: a message for another one is a mistake, not a new queue. With the nameless
        # exchange a message goes to its queue's list without a table of bindings in Redis.
        "task_queues": [Queue(name, Exchange(""), routing_key=name) for name in QUEUES],
        "task_default_queue": QUEUES[0],
        "task_default_exchange": "",
        "task_create_missing_queues": False,
        # JSON only: a pickle from the queue would be code.
        "task_serializer": "json",
        "accept_content": ["json"],
        # A child that grew beyond this (KiB) is replaced after its page; a large A0 scan fits.
        "worker_max_memory_per_child": 2_000_000,
        # `lettermill worker` sets up the log.
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        # Nothing listens to events; progress is read from the job folder.
        "worker_send_task_events": False,
        # Nothing uses remote control; without it nobody can control a worker through the broker.
        "worker_enable_remote_control": False,
        "enable_utc": True,
    }


def connect(broker: str) -> redis.Redis:
    """Return a Redis client for a broker's address; it connects on first use.

    Args:
        broker: as for `make_app`.

    Raises:
        BrokerUnreachable: the address cannot be understood.
    """
    _check_address(broker)
    if broker.startswith("redis+socket:"):
        return redis.Redis.from_url(
            "unix:" + broker.removeprefix("redis+socket:"), socket_timeout=_SOCKET_SECONDS
        )
    return redis.Redis.from_url(
        broker,
        # Sending the client's name needs a right that Redis has since 7.2 only; an older Redis does not start
        # with a list of users that grants it.
        driver_info=None,
        socket_timeout=_SOCKET_SECONDS,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_keepalive=True,
        health_check_interval=_HEALTH_SECONDS,
        **_tls(broker),
    )


def check_broker(broker: str) -> redis.Redis:
    """Return a client of a server that has just answered.

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
    """Return the error for a broker that does not answer, with what to do about it."""
    return BrokerUnreachable(
        f"Redis at {without_password(broker)} cannot be reached, or refuses: {error}",
        _next_step(broker, error),
    )


def without_password(broker: str) -> str:
    """Return a broker's address without its password, for messages and logs."""
    scheme, slashes, rest = broker.partition("//")
    login, at, host = rest.rpartition("@")
    user, colon, _ = login.partition(":")
    return f"{scheme}{slashes}{user}{colon}{'…' if colon else ''}{at}{host.partition('?')[0]}"


def _check_address(broker: str) -> None:
    if not broker.startswith(_SCHEMES):
        raise BrokerUnreachable(
            f"the broker's address begins with none of {', '.join(_SCHEMES)}: {without_password(broker)}",
            _ADDRESS,
        )
    # The libraries' own messages would quote the address with its password, or guess.
    try:
        parts = urlsplit(broker)
        understood = not parts.query and not parts.fragment and (parts.port is None or parts.port > 0)
    except ValueError:
        understood = False
    if not understood or (not broker.startswith("redis+") and not re.fullmatch(r"(/\d*)?", parts.path)):
        raise BrokerUnreachable(
            f"cannot understand the broker's address {without_password(broker)}",
            f"{_ADDRESS} In a user name and a password, write / ? # @ : as %2F %3F %23 %40 %3A.",
        )


def _tls(broker: str) -> dict[str, Any]:
    """Return how to check the server's certificate, as redis-py and Kombu both name it; empty without TLS.

    Raises:
        BrokerUnreachable: there is no certificate in the file that the environment names.
    """
    if not broker.startswith("rediss:"):
        return {}
    authority = os.environ.get("LETTERMILL_BROKER_CA")  # None: the authorities that this system trusts.
    try:
        ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise BrokerUnreachable(
            f"cannot read a certificate from {display_path(authority or '')}: {error.strerror}",
            "Name the file with your authority's certificate (PEM) in LETTERMILL_BROKER_CA.",
        ) from None
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, "ssl_ca_certs": authority}


def _next_step(broker: str, error: BaseException) -> str:
    causes = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)

    def is_due_to(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    if is_due_to(ssl.SSLCertVerificationError):
        return (
            "Name the file with your authority's certificate in LETTERMILL_BROKER_CA, and give the host in "
            "--broker as the server's certificate has it."
        )
    # A Redis without TLS takes the client's hello for half a command, and waits.
    if is_due_to(ssl.SSLError) or (broker.startswith("rediss:") and is_due_to(redis.TimeoutError)):
        return "Give the port at which Redis speaks TLS, or redis:// in place of rediss://."
    if is_due_to(redis.AuthenticationError, redis.exceptions.NoPermissionError):
        return (
            "Give the user in the address and the password in LETTERMILL_BROKER_PASSWORD_FILE; "
            "docs/security.md says which rights the user needs."
        )
    if is_due_to(redis.exceptions.OutOfMemoryError):
        return "Redis is full: raise its maxmemory or make room, then give the same command again."
    return (
        "Start it, or correct --broker (or LETTERMILL_BROKER); continue queued jobs with "
        "`lettermill resume JOB`. Without --broker, `lettermill run` brings its own."
    )
