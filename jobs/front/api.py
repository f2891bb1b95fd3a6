"""Answer programs: submit, status, results, cancel, as openapi.py describes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.front.job_list import Row
from lettermill.jobs.front.openapi import document
from lettermill.jobs.front.pages import (
    Office,
    body_of,
    delete_upload,
    file_of,
    job_address,
    problem_as_json,
    receive,
    sent,
)
from lettermill.jobs.front.submit import Wanted

_MOST_KEY_CHARACTERS = 200


class JobStatus(msgspec.Struct, frozen=True):
    """A job, as a program gets it.

    Attributes:
        job: its name.
        state: waiting, being read, complete, stopped, unfinished or damaged.
        request: what was asked for, in words.
        by: who asked.
        created: ISO time in UTC.
        pages: how many pages it has.
        finished: pages that were read or have failed.
        failed: those that have failed.
        problem: why it does not continue by itself; empty otherwise.
        page: the address of its page for people.
    """

    job: str
    state: str
    request: str
    by: str
    created: str
    pages: int
    finished: int
    failed: int
    problem: str
    page: str

    @classmethod
    def of(cls, row: Row) -> JobStatus:
        """Return the status of a job that is listed."""
        return cls(
            row.name, row.state, row.request, row.by, row.created, row.pages, row.finished, row.failed,
            row.problem, job_address(row.name),
        )  # fmt: skip


class Api:
    """The answers to programs, one method per address and method.

    Args:
        office: what the server works with.
        version: the version of Lettermill.
    """

    def __init__(self, office: Office, version: str) -> None:
        self._office, self._version = office, version

    def openapi(self, request: Request) -> Response:
        """Send the description of this interface."""
        return JSONResponse(document(self._version))

    # --- jobs -----------------------------------------------------------------------------------

    def submit(self, request: Request, body: bytes) -> Response:
        """Make a job, or find the one that was made with the same Idempotency-Key."""
        key = request.headers.get("idempotency-key", "")
        if len(key) > _MOST_KEY_CHARACTERS:
            raise UsageProblem(
                f"an Idempotency-Key has at most {_MOST_KEY_CHARACTERS} characters",
                "Use a UUID, for example.",
            )
        try:
            wanted = msgspec.json.decode(body, type=Wanted)
        except msgspec.DecodeError as error:
            raise UsageProblem(
                f"the request cannot be used: {error}", "openapi.json describes what it may hold."
            ) from error
        job = self._office.submit(wanted, self._office.person(request), key)
        return _status(self._office.jobs.row(job.path.name), 201)

    def jobs(self, request: Request) -> Response:
        """List jobs, those last used first."""
        word = request.query_params.get("page", "1")
        if not word.isascii() or not word.isdigit() or len(word) > 9:
            raise HTTPException(400)
        rows, count = self._office.jobs.page(int(word))
        return JSONResponse(
            {"count": count, "jobs": [msgspec.to_builtins(JobStatus.of(row)) for row in rows]}
        )

    def job(self, request: Request) -> Response:
        """Say how far a job is."""
        return _status(self._office.jobs.row(request.path_params["name"]))

    def cancel(self, request: Request, body: bytes) -> Response:
        """Stop a job."""
        name = request.path_params["name"]
        self._office.jobs.stop(name, self._office.person(request))
        return _status(self._office.jobs.row(name))

    def resume(self, request: Request, body: bytes) -> Response:
        """Continue a job."""
        name = request.path_params["name"]
        self._office.jobs.go_on(name)
        return _status(self._office.jobs.row(name))

    def delete(self, request: Request) -> Response:
        """Delete a job."""
        name = request.path_params["name"]
        self._office.reviews.close(name)
        self._office.jobs.delete(name)
        return Response(status_code=204)

    def results(self, request: Request) -> Response:
        """Send a result of a job."""
        return sent(self._office.jobs.job(request.path_params["name"]), request.path_params["what"])

    # --- uploads --------------------------------------------------------------------------------

    def new_upload(self, request: Request, body: bytes) -> Response:
        """Begin an upload."""
        return JSONResponse({"upload": self._office.uploads.new()}, 201)

    def delete_upload(self, request: Request) -> Response:
        """Delete an upload."""
        delete_upload(self._office, request.path_params["upload"])
        return Response(status_code=204)

    def received(self, request: Request) -> Response:
        """Say how much of a file is there."""
        file = file_of(request)
        return JSONResponse({"offset": self._office.uploads.wanted(file), "length": file.length})

    async def receive(self, request: Request) -> Response:
        """Take a file, or the rest of one."""
        return await receive(self._office.uploads, request)

    def problem(self, request: Request, error: Exception) -> Response:
        """Say what went wrong and what to do."""
        return problem_as_json(error)


def with_body(act: Callable[[Request, bytes], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that reads the body and acts on it in a thread."""

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(act, request, await body_of(request))

    return endpoint


def _status(row: Row, status: int = 200) -> Response:
    return JSONResponse(msgspec.to_builtins(JobStatus.of(row)), status)
