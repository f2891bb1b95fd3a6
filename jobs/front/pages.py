"""Answer each address of the front page: pages, forms, uploads and downloads."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, quote

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

from lettermill.jobs.errors import LettermillError, MissingExtra, NotAJob, ResultsNotWritable, UsageProblem
from lettermill.jobs.front.downloads import ALL, EXCEL, PDFS, REPORT, SUMMARY, TEXTS, download
from lettermill.jobs.front.job_list import JOBS_SHOWN, PAGES_SHOWN, JobList, StillAtWork
from lettermill.jobs.front.reviews import Reviews, is_reviewable
from lettermill.jobs.front.runner import Runner, job_folders
from lettermill.jobs.front.submit import KeyUsed, Places, Wanted, offered, submit
from lettermill.jobs.front.uploads import (
    MOST_FILE_BYTES,
    MOST_FILES,
    SPARE_BYTES,
    File,
    UploadRefused,
    Uploads,
    checked_name,
)
from lettermill.jobs.inputs.context import PACKS
from lettermill.jobs.job.folder import Job
from lettermill.jobs.results.html import environment
from lettermill.jobs.scans.find import SCAN_SUFFIXES
from lettermill.jobs.storage.display import display_path

Form = dict[str, list[str]]

MOST_FORM_BYTES = 65_536

SILENT_SECONDS = 30
"""After this long without a byte an upload is taken for broken off, so that its sender can continue it: a
telephone that has changed its network ends no connection."""

_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data: 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""For the report, which has its style in itself; nothing in it may run or be fetched from elsewhere."""


@dataclasses.dataclass(frozen=True, slots=True)
class Office:
    """All that a server works with.

    Attributes:
        places: where scans and results are.
        uploads: the uploads.
        runner: reads the jobs.
        jobs: lists and changes them.
        reviews: their reviews.
        who: the name of the person beside requests and decisions; a reverse proxy may name another one.
    """

    places: Places
    uploads: Uploads
    runner: Runner
    jobs: JobList
    reviews: Reviews
    who: str

    def person(self, request: Request) -> str:
        """Return who sends a request: whom the proxy names, or the one person of this server."""
        return str(getattr(request.state, "who", self.who))

    def submit(self, wanted: Wanted, by: str, key: str = "") -> Job:
        """Make a job and have it read; as `lettermill.jobs.front.submit.submit`."""
        job = submit(wanted, self.places, self.uploads, by, key)
        self.runner.add(job.path.name)
        return job


class Pages:
    """The answers to a person's browser, one method per address.

    Args:
        office: what the server works with.
    """

    def __init__(self, office: Office) -> None:
        self._office = office
        self._templates = environment("lettermill.jobs.front")
        self._templates.globals["suffixes"] = ",".join(sorted(SCAN_SUFFIXES))
        self._templates.filters.update(address=job_address, size=size_in_words)

    # --- pages ----------------------------------------------------------------------------------

    def start(self, request: Request) -> Response:
        """Show the jobs."""
        number = _number(request.query_params.get("page", "1"))
        rows, count = self._office.jobs.page(number)
        pages = max(1, -(-count // JOBS_SHOWN))
        return self._page("start", request, rows=rows, count=count, number=number, pages=pages)

    def list_uploads(self, request: Request) -> Response:
        """Show the uploads."""
        return self._page("uploads", request, uploads=self._office.uploads.all())

    def new(self, request: Request) -> Response:
        """Show the form for a job: what to read, and what is written there."""
        upload = request.query_params.get("upload", "")
        return self._new(request, upload, {}, None)

    def _new(self, request: Request, upload: str, form: Form, problem: LettermillError | None) -> Response:
        uploads = self._office.uploads
        folders, templates = offered(self._office.places.scans)
        return self._page(
            "new",
            request,
            status=status_of(problem) if problem else 200,
            upload=uploads.listed(upload) if upload else None,
            uploaded_templates=uploads.templates(upload) if upload else [],
            folders=folders,
            templates=templates,
            scans=self._office.places.scans,
            packs=PACKS,
            form={name: values[-1] for name, values in form.items()},
            problem=problem,
            most_files=MOST_FILES,
            most_bytes=MOST_FILE_BYTES,
            spare_bytes=SPARE_BYTES,
        )

    def job(self, request: Request) -> Response:
        """Show a job."""
        return self._job_page("job", request)

    def job_state(self, request: Request) -> Response:
        """Show the part of a job's page that changes while it is read."""
        return self._job_page("job_state", request)

    def _job_page(self, template: str, request: Request) -> Response:
        name, jobs = request.path_params["name"], self._office.jobs
        row = jobs.row(name)
        damaged = row.state == "damaged"
        job = None if damaged else jobs.job(name)
        return self._page(
            template,
            request,
            row=row,
            pages=[] if damaged else jobs.pages(name),
            pages_shown=PAGES_SHOWN,
            tables=["letters.csv", "lines.csv", "pages.csv"] + (["fields.csv"] if _has_fields(job) else []),
            files={
                "report": REPORT,
                "excel": EXCEL,
                "pdfs": PDFS,
                "texts": TEXTS,
                "all": ALL,
                "json": SUMMARY,
            },
            reviewable=is_reviewable(jobs.folder(name)),
            folder=display_path(jobs.folder(name)),
        )

    def ask_delete(self, request: Request) -> Response:
        """Ask whether a job is to be deleted."""
        return self._page("delete", request, row=self._office.jobs.row(request.path_params["name"]))

    def report(self, request: Request) -> Response:
        """Send a result of a job: its report, a table, an archive."""
        what = request.path_params["what"]
        name = request.path_params["name"]
        if what == "text/":
            return RedirectResponse(f"{job_address(name)}report/{TEXTS}", 303)
        return sent(self._office.jobs.job(name), what)

    def _page(self, template: str, request: Request, status: int = 200, **values: Any) -> Response:
        who = self._office.person(request)
        content = self._templates.get_template(f"{template}.html.j2").render(who=who, **values)
        return HTMLResponse(content, status)

    # --- forms ----------------------------------------------------------------------------------

    def ask(self, request: Request, form: Form) -> Response:
        """Make a job of the form, and show it; or show the form again with what is wrong."""
        given = {name: values[-1].strip() for name, values in form.items()}
        written = given.get("written", "")
        template, uploaded = "", ""
        if written == "template":
            kind, _, chosen = given.get("template", "").partition(":")
            template, uploaded = (chosen, "") if kind == "scans" else ("", chosen)
            written = ""
        upload = given.get("upload", "") if given.get("source") != "folder" else ""
        try:
            wanted = msgspec.convert(
                {
                    "upload": upload,
                    "folder": given.get("folder", "") if not upload else "",
                    "alphabet": written or None,
                    "context": "" if template or uploaded else given.get("context", ""),
                    "template": template,
                    "uploaded_template": uploaded,
                    "name": given.get("name", ""),
                },
                Wanted,
            )
            job = self._office.submit(wanted, self._office.person(request))
        except msgspec.ValidationError as error:
            raise HTTPException(400) from error
        except LettermillError as error:
            return self._new(request, given.get("upload", ""), form, error)
        return RedirectResponse(job_address(str(job.path.name)), 303)

    def stop(self, request: Request, form: Form) -> Response:
        """Stop a job."""
        name = request.path_params["name"]
        self._office.jobs.stop(name, self._office.person(request))
        return RedirectResponse(job_address(name), 303)

    def go_on(self, request: Request, form: Form) -> Response:
        """Continue a job, or try its failed pages again."""
        name = request.path_params["name"]
        self._office.jobs.go_on(name, failed_too="failed" in form)
        return RedirectResponse(job_address(name), 303)

    def delete(self, request: Request, form: Form) -> Response:
        """Delete a job."""
        name = request.path_params["name"]
        self._office.reviews.close(name)
        self._office.jobs.delete(name)
        return RedirectResponse("/", 303)

    def drop_parts(self, request: Request, form: Form) -> Response:
        """Delete the files of an upload that were not sent to their ends."""
        upload = request.path_params["upload"]
        self._office.uploads.drop_parts(upload)
        return RedirectResponse(f"/new?upload={quote(upload)}", 303)

    def delete_upload(self, request: Request, form: Form) -> Response:
        """Delete an upload."""
        delete_upload(self._office, request.path_params["upload"])
        return RedirectResponse("/uploads", 303)

    # --- uploads --------------------------------------------------------------------------------

    def new_upload(self, request: Request, form: Form) -> Response:
        """Begin an upload."""
        name = form.get("name", [""])[-1]
        return JSONResponse({"upload": self._office.uploads.new(name)}, 201)

    def received(self, request: Request) -> Response:
        """Say how much of a file is there."""
        file = file_of(request)
        return JSONResponse({"offset": self._office.uploads.wanted(file), "length": file.length})

    async def receive(self, request: Request) -> Response:
        """Take a file, or the rest of one."""
        return await receive(self._office.uploads, request)

    # --- errors ---------------------------------------------------------------------------------

    def problem(self, request: Request, error: Exception) -> Response:
        """Show what went wrong and what to do: a page, or JSON to the script that uploads."""
        if isinstance(error, HTTPException):
            what, next_step, status = (
                "There is no such page.",
                "Go back to the list of jobs.",
                error.status_code,
            )
        elif isinstance(error, LettermillError):
            what, next_step, status = error.what, error.next_step, status_of(error)
        else:
            raise error
        if request.method in ("PATCH", "PUT") or request.url.path.startswith("/uploads/"):
            return problem_as_json(error)
        return self._page("problem", request, status, what=what, next_step=next_step)


def job_address(name: str) -> str:
    """Return the address of a job's page."""
    return f"/jobs/{quote(name, safe='')}/"


def size_in_words(size: int) -> str:
    """Return a number of bytes with its unit: 0 kB, 512 kB, 3.4 MB, 12 GB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            value = size / factor
            return f"{value:.1f} {unit}" if value < 10 and value != int(value) else f"{value:.0f} {unit}"
    return f"{-(-size // 1000)} kB"


def posted(act: Callable[[Request, Form], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that reads a form and acts on it in a thread."""

    async def endpoint(request: Request) -> Response:
        form = parse_qs((await body_of(request)).decode("utf-8", "replace"), keep_blank_values=True)
        return await run_in_threadpool(act, request, form)

    return endpoint


async def body_of(request: Request) -> bytes:
    """Return the body of a small request.

    Raises:
        HTTPException: it is too large.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_FORM_BYTES:
            raise HTTPException(413)
    return body


def file_of(request: Request) -> File:
    """Return the file that an address is about: `…/{upload}/{name}?length=N&version=WORD&kind=scans`.

    Raises:
        HTTPException: the address lacks the length, or there is no such kind.
        UploadRefused: there can be no file of this name.
    """
    kind = request.path_params.get("kind", request.query_params.get("kind", "scans"))
    if kind not in ("scans", "template"):
        raise HTTPException(404)
    template = kind == "template"
    return File(
        upload=request.path_params["upload"],
        name=checked_name(request.path_params["name"], template),
        length=_number(request.query_params.get("length", request.headers.get("content-length", ""))),
        version=request.query_params.get("version", "")[:100],
        template=template,
    )


async def receive(uploads: Uploads, request: Request) -> Response:
    """Take a file from its beginning (PUT), or its rest (PATCH, with the header Upload-Offset).

    Raises:
        HTTPException: the request does not say what it sends.
        UploadRefused, ResultsNotWritable: as `Uploads.receiving`.
    """
    file = file_of(request)
    offset = _number(request.headers.get("upload-offset", "0")) if request.method == "PATCH" else None
    if offset is None and await run_in_threadpool(uploads.received, file) == file.length:
        return JSONResponse({"offset": file.length, "length": file.length})
    taking = uploads.receiving(file, offset)
    into = await run_in_threadpool(taking.__enter__)
    error: BaseException | None = None
    try:
        async for chunk in _unless_silent(request):
            await run_in_threadpool(into.take, chunk)
    except ClientDisconnect as raised:  # What arrived is kept; nobody waits for the answer.
        error = raised
        return Response(status_code=408, headers={"Connection": "close"})
    except BaseException as raised:
        error = raised
        raise
    finally:
        # In a thread, for the last byte waits for the disk. After an error the file keeps what arrived.
        with contextlib.suppress(ClientDisconnect):
            await run_in_threadpool(taking.__exit__, type(error) if error else None, error, None)
    return JSONResponse({"offset": into.received, "length": file.length})


async def _unless_silent(request: Request) -> AsyncIterator[bytes]:
    """Yield the body of a request as it comes.

    Raises:
        ClientDisconnect: the sender has gone, or sent nothing for long.
    """
    chunks = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                chunk = await anext(chunks, None)
        except TimeoutError as error:
            raise ClientDisconnect from error
        if chunk is None:
            return
        yield chunk


def sent(job: Job, what: str) -> Response:
    """Send a result of a job.

    Raises:
        As `download`.
    """
    found = download(job, what)
    headers = {"Content-Security-Policy": _REPORT_POLICY}
    if found.chunks is not None:
        headers["Content-Disposition"] = _attachment(found.name)
        return StreamingResponse(found.chunks, media_type=found.media_type, headers=headers)
    if not found.media_type.startswith(("text/html", "image/")):
        headers["Content-Disposition"] = _attachment(found.name)
    assert found.path is not None
    return FileResponse(found.path, media_type=found.media_type, headers=headers)


def delete_upload(office: Office, upload: str) -> None:
    """Delete an upload, unless a job that is not ended reads it.

    Raises:
        UploadRefused: there is none of this name.
        UsageProblem: a job still needs it.
    """
    path = str(office.uploads.path(upload).resolve())
    for folder in job_folders(office.places.out):
        try:
            job = Job.open(folder)
            needed = job.scan_root == path and job.tally().state == "unfinished"
        except LettermillError:
            continue  # A damaged job is not read.
        if needed:
            raise UsageProblem(
                f"{job.path.name} still reads these scans", "Stop it, or wait until it has ended."
            )
    office.uploads.delete(upload)


def status_of(error: LettermillError) -> int:
    """Return the status of an answer that says that something did not work."""
    if isinstance(error, UploadRefused):
        return error.status
    statuses: dict[type[LettermillError], int] = {
        NotAJob: 404,
        KeyUsed: 422,
        StillAtWork: 409,
        ResultsNotWritable: 507,
        MissingExtra: 501,
    }
    return next((status for kind, status in statuses.items() if isinstance(error, kind)), 400)


def problem_as_json(error: Exception) -> Response:
    """Return an error for a program: what happened, and what to do next."""
    if isinstance(error, HTTPException):
        said = {400: "the request cannot be understood", 413: "the request is too large"}
        values: dict[str, object] = {"error": said.get(error.status_code, "there is no such address")}
        return JSONResponse(
            {**values, "next_step": "docs/web.md describes the addresses."}, error.status_code
        )
    if not isinstance(error, LettermillError):
        raise error
    values = {"error": error.what, "next_step": error.next_step}
    if isinstance(error, UploadRefused) and error.offset is not None:
        values["offset"] = error.offset
    return JSONResponse(values, status_of(error))


def _attachment(name: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)  # For programs that do not know the other form.
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _has_fields(job: Job | None) -> bool:
    return job is not None and job.settings.template is not None


def _number(word: str) -> int:
    if not word.isascii() or not word.isdigit() or len(word) > 15:
        raise HTTPException(400)
    return int(word)
