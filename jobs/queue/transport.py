"""Kombu's Redis transport, made to outlive what it finds in Redis and what it cannot tell Redis.

Whoever may write to Redis can put anything into a lane. Kombu and Celery trust it: text that is no JSON ends
the worker, headers ask for callbacks, waiting times or other tasks. Here a message is taken apart when it
arrives, and Celery gets one that is made anew of the few parts that count. Anything else is dropped with a
line in the log that never quotes it.
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
from lettermill.jobs.queue.celery_app import LANES, READ_TASK
from lettermill.jobs.queue.message import check_arguments

_MOST_BYTES = 1_000_000
"""A message of eight pages with the longest paths there are takes a third of it."""


class ForeignMessage(ValueError):
    """A message that Lettermill did not write; it says what is wrong with it and never quotes it."""


def vetted(item: bytes, lane: str) -> dict[str, Any]:
    """Return a message made of what counts in one from a lane.

    Only the arguments are taken over. Ids are new, for two messages with one id would
    be taken for one.

    Args:
        item: what lay in the list.
        lane: the name of the list.

    Raises:
        ForeignMessage: it is no message of Lettermill.
    """
    if len(item) > _MOST_BYTES:
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
        check_arguments(args)
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
            "delivery_info": {"exchange": "", "routing_key": lane},
        },
    }


def _without_types(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what makes Kombu's reader of JSON build other objects."""
    if "__type__" in value:
        raise ValueError
    return value


class _Client(redis.Redis):
    """A client whose lists give messages of Lettermill only."""

    def __init__(self, *args: Any, vet: Callable[[bytes, bytes], bytes | None], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._vet = vet

    def parse_response(self, connection: Any, command_name: str, **options: Any) -> Any:
        reply = super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]
        if command_name != "BRPOP" or not reply:
            return reply
        lane, item = reply
        message = self._vet(lane, item)
        return message and (lane, message)  # None: as if nothing had come.


class _QoS(kombu_redis.QoS):
    """Kombu's book of messages under way."""

    channel: Any

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message.

        Where Redis does not answer, Kombu keeps the message as one under way for ever, and Celery only logs
        that. A worker with as many of them as it may take at once takes no more, connected as it is.
        """
        try:
            super().ack(delivery_tag)
        finally:
            virtual.QoS.ack(self, delivery_tag)

    def restore_by_tag(
        self, tag: bytes | str, client: redis.Redis | None = None, leftmost: bool = False
    ) -> None:
        """Put a message under way back into its lane, or drop what is none."""

        def put_back(pipe: Any) -> None:
            held = pipe.hget(self.unacked_key, tag)
            pipe.multi()
            pipe.zrem(self.unacked_index_key, tag).hdel(self.unacked_key, tag)
            if held is None:
                return
            try:
                message, _, lane = json.loads(held)
                if lane not in LANES:
                    raise ValueError
            except (ValueError, TypeError, RecursionError):
                logger.warning("message_dropped", reason="it was under way and is none of Lettermill's")
                return
            (pipe.lpush if leftmost else pipe.rpush)(lane, json.dumps(message))

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
        return functools.partial(_Client, vet=self._vet)

    def _create_client(self, asynchronous: bool = False) -> redis.Redis:
        """Keep one client for single commands: Kombu makes one for each, which takes longer than most do."""
        make: Callable[..., redis.Redis] = super()._create_client  # type: ignore[misc]
        if asynchronous:
            return make(asynchronous=True)
        if self._commands is None or self._commands.connection_pool is not self.pool:
            self._commands = make()
        return self._commands

    def _vet(self, lane: bytes, item: bytes) -> bytes | None:
        name = lane.decode()
        try:
            return json.dumps(vetted(item, name)).encode()
        except ForeignMessage as error:
            logger.warning("message_dropped", lane=name, reason=str(error))
            self._queue_cycle.rotate(name)  # A lane full of them must not hold up the others.
            return None


class Transport(kombu_redis.Transport):
    """The transport of `lettermill.jobs.queue.celery_app.make_app`."""

    Channel = _Channel
