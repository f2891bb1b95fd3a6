"""Serve the review page on this machine: the routes, the socket, and the end."""

from __future__ import annotations

import functools
import signal
import socket
import webbrowser
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

import click
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from lettermill.jobs.errors import LettermillError, UsageProblem
from lettermill.jobs.web.access import HOST, AccessGate
from lettermill.jobs.web.endpoints import Endpoints, Form
from lettermill.jobs.web.session import Session

_MOST_FORM_BYTES = 65_536
"""The largest form: a sheet of 40 letters has 2 kB."""


def _posted(act: Callable[[Request, Form], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that reads a form and acts on it in a thread."""

    @functools.wraps(act)
    async def endpoint(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _MOST_FORM_BYTES:
                raise HTTPException(413)
        form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        return await run_in_threadpool(act, request, form)

    return endpoint


def application(session: Session, port: int, token: str) -> ASGIApp:
    """Return the review of a job as an application behind its gate.

    Args:
        session: the review.
        port: the port of the server.
        token: the secret in the address.
    """
    return AccessGate(review_pages(session), port, token)


def review_pages(session: Session, root: str = "") -> Starlette:
    """Return the review of a job as an application without a gate.

    Args:
        session: the review.
        root: the path below which it is mounted, without a slash at its end; it leads its own redirects to
            paths without it.
    """
    endpoints = Endpoints(session, root)
    return Starlette(
        routes=[
            Route("/", endpoints.start),
            Mount("/static", StaticFiles(packages=[("lettermill.jobs.web", "static")])),
            Route("/picture/{kind}/{number:int}", endpoints.picture),
            Route("/{tab:int}/", endpoints.overview),
            Route("/{tab:int}/sheet", endpoints.next_sheet),
            Route("/{tab:int}/sheet/{char}", endpoints.sheet),
            Route("/{tab:int}/sheet/{char}", _posted(endpoints.decide_sheet), methods=["POST"]),
            Route("/{tab:int}/letter", endpoints.single),
            Route("/{tab:int}/letter", _posted(endpoints.decide_single), methods=["POST"]),
            Route("/{tab:int}/letter/{number:int}", endpoints.single),
            Route("/picture/{kind}/{number:int}/{name}", endpoints.field_picture),
            Route("/{tab:int}/form", endpoints.form),
            Route("/{tab:int}/form/{number:int}", endpoints.form),
            Route("/{tab:int}/form/{number:int}", _posted(endpoints.decide_fields), methods=["POST"]),
            Route("/{tab:int}/undo", _posted(endpoints.undo), methods=["POST"]),
        ],
        exception_handlers={HTTPException: endpoints.problem, LettermillError: endpoints.problem},
    )


def listening(port: int, host: str = HOST) -> socket.socket:
    """Return a socket that listens, on this machine alone unless another address is given.

    Args:
        port: 0 for a free one.
        host: the address, IPv4.

    Raises:
        UsageProblem: the port is taken or may not be used, or the address is not one of this machine.
    """
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise UsageProblem(
            f"port {port} cannot be used: {error.strerror}", "Give another --port, or none for a free one."
        ) from error
    return opened


def show_address(page: str, address: str, power: str, no_browser: bool) -> None:
    """Print the address of a page with its secret, and open it in a browser.

    Args:
        page: what the page is called.
        address: with the token.
        power: what whoever has the address can do, as the beginning of a sentence.
        no_browser: whether the person opens the address.
    """
    click.echo(f"{page}: {address}")
    click.echo(f"Ctrl-C ends it. {power}: keep it to yourself.", err=True)
    if not no_browser and not webbrowser.open(address):
        click.echo("No browser could be started: open the address yourself.", err=True)


def serve(app: ASGIApp, opened: socket.socket, started: Callable[[], None]) -> None:
    """Answer until Ctrl-C or SIGTERM, which raise KeyboardInterrupt once all is answered, or SIGHUP.

    Args:
        app: the application.
        opened: from `listening`.
        started: called once the page can be opened.
    """
    config = uvicorn.Config(
        app, lifespan="off", log_level="warning", access_log=False, server_header=False,
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    opened.listen()  # A browser that comes now waits for the answer.
    started()
    server = uvicorn.Server(config)
    # An exception raised wherever the loop happens to be can get lost: uvicorn takes its signals so, too.
    hangup = signal.getsignal(signal.SIGHUP)
    if hangup is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, server.handle_exit)
    try:
        server.run(sockets=[opened])
    finally:
        signal.signal(signal.SIGHUP, hangup)
