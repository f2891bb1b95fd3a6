"""Brokers are configured, reached and named without their passwords."""

from __future__ import annotations

import pytest
import redis
import redis.exceptions

from lettermill.jobs.errors import BrokerUnreachable
from lettermill.jobs.queue.celery_app import (
    QUEUES,
    UNACKED_KEY,
    check_broker,
    connect,
    make_app,
    unreachable,
    without_password,
)
from lettermill.jobs.settings import MAX_PAGE_SECONDS
from tests.support import free_port


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("redis://host:1/0", "redis://host:1/0"),
        ("redis://me@host:1/0", "redis://me@host:1/0"),
        ("redis://me:secret@host:1/0", "redis://me:…@host:1/0"),
        ("rediss://:se@cret@host:1/0?password=secret", "rediss://:…@host:1/0"),
    ],
)
def test_addresses_are_shown_without_passwords(address: str, shown: str) -> None:
    assert without_password(address) == shown


@pytest.mark.parametrize(
    "address", ["amqp://host", "host:6379", "redis://host:x/0", "redis://host/a", "redis://h?a=b"]
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(BrokerUnreachable):
        connect(address)


def test_a_redis_that_answers_and_one_that_does_not(broker: str) -> None:
    assert check_broker(broker).ping()
    with pytest.raises(BrokerUnreachable, match="cannot be reached"):
        check_broker(f"redis://127.0.0.1:{free_port()}/0")


@pytest.mark.parametrize(
    ("cause", "advice"),
    [
        (redis.exceptions.OutOfMemoryError(), "maxmemory"),
        (redis.AuthenticationError(), "LETTERMILL_BROKER_PASSWORD_FILE"),
        (ConnectionError(), "lettermill resume JOB"),
    ],
)
def test_the_advice_depends_on_the_cause(cause: Exception, advice: str) -> None:
    outer = RuntimeError("in between")
    outer.__cause__ = cause
    assert advice in unreachable("redis://host:1/0", outer).next_step


def test_the_settings_on_which_no_lost_page_depends() -> None:
    """See docs/decisions/0003-celery-settings.md."""
    configuration = make_app("redis://host:1/0").conf
    assert configuration.task_acks_late
    assert not configuration.task_reject_on_worker_lost
    assert configuration.worker_prefetch_multiplier == 1
    assert configuration.accept_content == ["json"]
    assert configuration.visibility_timeout > 2 * MAX_PAGE_SECONDS
    assert configuration.broker_transport_options["visibility_timeout"] == configuration.visibility_timeout
    assert [queue.name for queue in configuration.task_queues] == list(QUEUES)


def test_names_in_redis_that_other_versions_know() -> None:
    assert (len(QUEUES), QUEUES[0], QUEUES[-1]) == (16, "lettermill:1:pages:00", "lettermill:1:pages:15")
    assert UNACKED_KEY == "lettermill:1:unacked"
