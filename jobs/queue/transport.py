"""Validates messages on arrival, before Kombu and Celery see them; a Redis transport for Kombu.

Whoever may write to Redis can put anything into a queue. Kombu and Celery trust it: text that is no JSON ends
the worker, and headers can ask for callbacks, waiting times or other tasks. So this transport takes each
message apart when it arrives, and Celery gets a new one with the few parts that count. Anything else is
dropped with a line in the log that never quotes it. The transport also survives a Redis that does not answer
when a message is acknowledged.
"""

from __future__ import annotations

import base64
import functools
import json
import uuid
from collections.abc import Callable
from typing import Any

import redis
from kombu.transport import redis as kombu_redis
from kombu.transport import virtual

from lettermill.jobs.log import logger
from lettermill.jobs.queue.celery_app import QUEUES, READ_TASK
from lettermill.jobs.queue.message import PagesMessage

_MAX_BYTES = 1_000_000
"""Three times the size of a message of eight pages with the longest possible paths."""


class ForeignMessage(ValueError):
    """Lettermill did not write the message; the text says what is wrong with it and never quotes it."""


def validated(item: bytes, queue: str) -> dict[str, Any]:
    """Return a new message with the arguments of one from a queue, and nothing else of it.

    The ids are new, because Kombu would take two messages with the same id for one.

    Args:
        item: an item of the queue's list.
        queue: the name of the queue.

    Raises:
        ForeignMessage: Lettermill did not write it.
    """
    if len(item) > _MAX_BYTES:
        raise ForeignMessage(f"it has {len(item)} bytes")
    try:
        message = json.loads(item)
        task = message["headers"]["task"]
        args, kwargs, embedded = json.loads(
            base64.b64decode(message["body"], validate=True), object_hook=_without_types
        )
        more = kwargs != {} or any(embedded.values())
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise ForeignMessage(f"it has another shape ({type(error).__name__})") from None
    if task != READ_TASK:
        raise ForeignMessage("it is for another task")
    if more:
        raise ForeignMessage("it asks for more than reading pages")
    try:
        PagesMessage.from_arguments(args)
    except ValueError as error:
        raise ForeignMessage(str(error)) from None
    tag = str(uuid.uuid4())
    return {
        "body": message["body"],
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": READ_TASK, "id": tag},
        "properties": {
            "body_encoding": "base64",
            "correlation_id": tag,
            "delivery_tag": tag,
            "delivery_info": {"exchange": "", "routing_key": queue},
        },
    }


def _without_types(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse values from which Kombu's JSON decoder would build other objects."""
    if "__type__" in value:
        raise ValueError
    return value


class _Client(redis.Redis):
    """A client that returns validated messages only."""

    def __init__(self, *args: Any, validate: Callable[[bytes, bytes], bytes | None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._validate = validate

    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        reply = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name != "BRPOP" or not reply:
            return reply
        queue, item = reply
        message = self._validate(queue, item)
        return message and (queue, message)  # None: as if nothing had arrived.


class _QoS(kombu_redis.QoS):
    """Kombu's record of messages that are not yet acknowledged."""

    channel: Any

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message.

        Where Redis does not answer, Kombu would keep the message as unacknowledged for ever, and Celery only
        log that. With as many of those as it may take at once, a worker would take no more messages.
        """
        try:
            super().ack(delivery_tag)
        finally:
            virtual.QoS.ack(self, delivery_tag)

    def restore_by_tag(
        self, tag: bytes | str, client: redis.Redis | None = None, leftmost: bool = False
    ) -> None:
        """Put an unacknowledged message back into its queue, or drop it if it is no message."""

        def put_back(pipe: Any) -> None:
            held = pipe.hget(self.unacked_key, tag)
            pipe.multi()
            pipe.zrem(self.unacked_index_key, tag).hdel(self.unacked_key, tag)
            if held is None:
                return
            try:
                message, _, queue = json.loads(held)
                if queue not in QUEUES:
                    raise ValueError
            except (ValueError, TypeError, RecursionError):
                logger.warning(
                    "message_dropped", reason="it was unacknowledged, and Lettermill did not write it"
                )
                return
            (pipe.lpush if leftmost else pipe.rpush)(queue, json.dumps(message))

        with self.channel.conn_or_acquire(client) as connection:
            connection.transaction(put_back, self.unacked_key)


class _Channel(kombu_redis.Channel):
    QoS = _QoS
    _queue_cycle: Any
    _commands: redis.Redis | None = None

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        # As in lettermill.jobs.queue.celery_app.connect.
        parameters: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        return {**parameters, "driver_info": None}

    def _get_client(self) -> Callable[..., redis.Redis]:
        return functools.partial(_Client, validate=self._validate)

    def _create_client(self, asynchronous: bool = False) -> redis.Redis:
        """Keep one client for single commands: Kombu makes one for each, which takes longer than they do."""
        make: Callable[..., redis.Redis] = super()._create_client  # type: ignore[misc]
        if asynchronous:
            return make(asynchronous=True)
        if self._commands is None or self._commands.connection_pool is not self.pool:
            self._commands = make()
        return self._commands

    def _validate(self, queue: bytes, item: bytes) -> bytes | None:
        name = queue.decode()
        try:
            return json.dumps(validated(item, name)).encode()
        except ForeignMessage as error:
            logger.warning("message_dropped", lane=name, reason=str(error))
            self._queue_cycle.rotate(name)  # A queue full of them must not hold up the others.
            return None


class Transport(kombu_redis.Transport):
    """The transport of `lettermill.jobs.queue.celery_app.make_app`."""

    Channel = _Channel
