"""Messages are validated on arrival: tests/faults/test_broker.py tries it with a real worker."""

from __future__ import annotations

import json

import pytest

from lettermill.jobs.queue.celery_app import QUEUES, READ_TASK
from lettermill.jobs.queue.transport import ForeignMessage, validated
from tests.foreign_messages import FOREIGN, envelope, headers


@pytest.mark.parametrize("item", FOREIGN, ids=lambda item: repr(item[:12]))
def test_a_foreign_message_is_refused_and_never_quoted(item: bytes) -> None:
    with pytest.raises(ForeignMessage) as refusal:
        validated(item, QUEUES[3])
    assert "SECRET" not in str(refusal.value)


def test_only_what_counts_is_taken_from_a_message() -> None:
    asks_for_more = headers(eta="2099-01-01", expires=1, timelimit=[1, 1], retries=99, group="g", root_id=[])
    message = envelope(headers=asks_for_more, properties={"delivery_tag": [], "reply_to": {}})
    message.update({"content-type": "application/x-python-serialize", "content-encoding": "binary"})
    taken = validated(json.dumps(message).encode(), QUEUES[3])
    assert taken["body"] == message["body"]
    assert taken["content-type"] == "application/json"
    assert taken["headers"] == {"task": READ_TASK, "id": taken["properties"]["delivery_tag"]}
    assert taken["properties"]["delivery_info"] == {"exchange": "", "routing_key": QUEUES[3]}
    again = validated(json.dumps(message).encode(), QUEUES[3])
    assert again["headers"]["id"] != taken["headers"]["id"]
