"""Messages that Lettermill did not write, as somebody could put them into a queue."""

from __future__ import annotations

import base64
import json
from typing import Any

from lettermill.jobs.queue.celery_app import QUEUES, READ_TASK

PAGE = {"id": "0" * 24, "scan": "a.png", "page": 1, "bytes": 1, "mtime_ns": 1, "pages": 1}


def envelope(args: Any = ("job", "epoch", [PAGE]), **changes: Any) -> dict[str, Any]:
    """A message as Celery writes it, with changes at the top."""
    embedded = dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))
    return {
        "body": encoded([args, {}, embedded]),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": READ_TASK, "id": "an id", "retries": 0},
        "properties": {
            "correlation_id": "an id",
            "delivery_info": {"exchange": "", "routing_key": QUEUES[0]},
            "body_encoding": "base64",
            "delivery_tag": "a tag",
        },
        **changes,
    }


def encoded(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def headers(**changes: Any) -> dict[str, Any]:
    return {**envelope()["headers"], **changes}


FOREIGN: list[bytes] = [
    b"",
    b"\x80\x04\x95 a pickle",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b"9" * 10_000,
    b"[" * 100_000,
    b"x" * 2_000_000,
    *(
        json.dumps(message).encode()
        for message in (
            envelope(body=None),
            envelope(body="not base64"),
            envelope(body=encoded("SECRET")),
            envelope(body=encoded([])),
            envelope(body=encoded([[], {}, None])),
            envelope(body=encoded([["SECRET"], {"more": 1}, {}])),
            envelope(body=encoded([["SECRET"], None, {}])),
            envelope(body=encoded([["SECRET"], {}, {"callbacks": [{"task": READ_TASK}]}])),
            envelope(body=encoded([["SECRET"], {}, {"chord": {"task": "SECRET"}}])),
            envelope(body=encoded([{"below": "SECRET"}, {}, {}])),
            envelope(args=[{"__type__": "uuid", "__value__": {"hex": "SECRET"}}]),
            envelope(headers=None),
            envelope(headers=[]),
            envelope(headers={}),
            envelope(headers=headers(task=None)),
            envelope(headers=headers(task=["SECRET"])),
            envelope(headers=headers(task="celery.backend_cleanup")),
        )
    ),
]
