"""Serve the front page and its HTTP API: the routes, and all that stands behind them."""

from __future__ import annotations

import contextlib
import getpass
from collections.abc import Iterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from lettermill.jobs.errors import LettermillError, UsageProblem
from lettermill.jobs.front.api import Api, with_body
from lettermill.jobs.front.job_list import JobList
from lettermill.jobs.front.pages import Office, Pages, posted
from lettermill.jobs.front.reviews import Reviews
from lettermill.jobs.front.runner import Runner
from lettermill.jobs.front.submit import Places
from lettermill.jobs.front.uploads import Uploads
from lettermill.jobs.job.folder import VERSION
from lettermill.jobs.storage.display import display_path

_LOCK = ".web-lock"

_STATIC: list[str | tuple[str, str]] = [
    ("lettermill.jobs.front", "static"),
    ("lettermill.jobs.web", "static"),
]
"""The style sheet of the review is that of all pages."""


@contextlib.contextmanager
def opened_office(places: Places, workers: int | None, who: str) -> Iterator[Office]:
    """Yield what a server works with; jobs that an earlier server left unfinished continue.

    Args:
        places: where scans and results are.
        workers: how many pages this machine reads at once; None for its cores.
        who: the name of the person beside requests and decisions.

    Raises:
        UsageProblem: another server has the same folder.
        ResultsNotWritable: the folder cannot be written to.
    """
    places.out.make()
    with (places.out / _LOCK).held(wait=False) as ours:
        if not ours:
            raise UsageProblem(
                f"another `lettermill web` serves {display_path(places.out)}",
                "Use its page, or give --out another folder.",
            )
        runner = Runner(places, workers)
        jobs = JobList(places.out, runner)
        uploads = Uploads(places.uploads)
        uploads.finish_deleting()
        office = Office(places, uploads, runner, jobs, Reviews(jobs.job, who), who)
        runner.start()
        try:
            yield office
        finally:
            office.reviews.close_all()
            runner.end()


def application(office: Office) -> Starlette:
    """Return the front page, its HTTP API and the reviews as an application without a gate.

    Args:
        office: what the server works with.
    """
    pages = Pages(office)
    return Starlette(
        routes=[
            Route("/", pages.start),
            Route("/new", pages.new),
            Route("/new", posted(pages.ask), methods=["POST"]),
            Mount("/static", StaticFiles(packages=_STATIC)),
            Route("/uploads", pages.list_uploads),
            Route("/uploads", posted(pages.new_upload), methods=["POST"]),
            Route("/uploads/{upload}/delete", posted(pages.delete_upload), methods=["POST"]),
            Route("/uploads/{upload}/drop", posted(pages.drop_parts), methods=["POST"]),
            Route("/uploads/{upload}/{kind}/{name}", pages.received),
            Route("/uploads/{upload}/{kind}/{name}", pages.receive, methods=["PATCH"]),
            Route("/jobs/{name}/", pages.job),
            Route("/jobs/{name}/state", pages.job_state),
            Route("/jobs/{name}/delete", pages.ask_delete),
            Route("/jobs/{name}/delete", posted(pages.delete), methods=["POST"]),
            Route("/jobs/{name}/stop", posted(pages.stop), methods=["POST"]),
            Route("/jobs/{name}/go-on", posted(pages.go_on), methods=["POST"]),
            Route("/jobs/{name}/report/{what:path}", pages.report),
            Mount("/jobs/{name}/review", office.reviews),
            Mount("/api/v1", api_of(office)),
        ],
        exception_handlers={HTTPException: pages.problem, LettermillError: pages.problem},
    )


def api_of(office: Office) -> Starlette:
    """Return the HTTP API.

    Args:
        office: what the server works with.
    """
    api = Api(office, VERSION)
    file = "/uploads/{upload}/{name}"
    return Starlette(
        routes=[
            Route("/openapi.json", api.openapi),
            Route("/uploads", with_body(api.new_upload), methods=["POST"]),
            Route("/uploads/{upload}", api.delete_upload, methods=["DELETE"]),
            Route(file, api.received),
            Route(file, api.receive, methods=["PUT", "PATCH"]),
            Route("/jobs", api.jobs),
            Route("/jobs", with_body(api.submit), methods=["POST"]),
            Route("/jobs/{name}", api.job),
            Route("/jobs/{name}", api.delete, methods=["DELETE"]),
            Route("/jobs/{name}/cancel", with_body(api.cancel), methods=["POST"]),
            Route("/jobs/{name}/resume", with_body(api.resume), methods=["POST"]),
            Route("/jobs/{name}/results/{what}", api.results),
        ],
        exception_handlers={HTTPException: api.problem, LettermillError: api.problem},
    )


def user() -> str:
    """Return the name of this user.

    Raises:
        UsageProblem: it has none, as in some containers.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise UsageProblem("this user has no name", "Give your name with --name.") from error
