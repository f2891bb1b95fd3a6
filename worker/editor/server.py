"""Serve the template editor on this machine: its routes, and how much a browser may send."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from lettermill.jobs.errors import LettermillError, ScanError
from lettermill.jobs.settings import Limits
from lettermill.jobs.web.access import AccessGate
from lettermill.worker.editor.endpoints import Endpoints

_MOST_TEMPLATE_BYTES = 1_500_000
"""The largest template as JSON: as TOML it may have a megabyte."""


def _sent(act: Callable[[Request, bytes], Response], most: int) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that reads what was sent, up to a limit, and acts on it in a thread."""

    @functools.wraps(act)
    async def endpoint(request: Request) -> Response:
        parts, size = [], 0
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            if size > most:
                raise HTTPException(413, f"more than {most:,} bytes were sent")
        return await run_in_threadpool(act, request, b"".join(parts))

    return endpoint


def application(endpoints: Endpoints, port: int, token: str) -> ASGIApp:
    """Return the editor as an application behind its gate.

    Args:
        endpoints: its answers.
        port: the port of the server.
        token: the secret in the address.
    """
    scan_bytes = int(Limits().max_megabytes * 1e6)
    app = Starlette(
        routes=[
            Route("/", endpoints.page),
            Mount("/static", StaticFiles(packages=[("lettermill.worker.editor", "static")])),
            Route("/blank.png", endpoints.blank),
            Route("/template", endpoints.template),
            Route("/template", _sent(endpoints.save, _MOST_TEMPLATE_BYTES), methods=["POST"]),
            Route("/sheets/{name}", _sent(endpoints.add_sheet, scan_bytes), methods=["POST"]),
            Route("/try", _sent(endpoints.try_sheet, _MOST_TEMPLATE_BYTES), methods=["POST"]),
        ],
        exception_handlers=dict.fromkeys((HTTPException, ScanError, LettermillError), endpoints.problem),
    )
    return AccessGate(app, port, token)
