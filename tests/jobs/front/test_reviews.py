"""The review of each job below its own address."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.front import reviews as module
from lettermill.jobs.front.pages import Office
from lettermill.jobs.front.reviews import Reviews, is_reviewable, root_of
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.disk import Disk
from tests.jobs.front.conftest import Web
from tests.review_browser import decisions, entries, held, job_to_review
from tests.support import ROOT

JobOf = Callable[..., Job]
ReadingOf = Callable[..., PageReading]


async def opened(reviews: Reviews, name: str, path: str) -> tuple[int, dict[bytes, bytes]]:
    """Ask for an address of a review; the status and the headers."""
    got: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        got.append(message)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    root = root_of(name)
    scope = {
        "type": "http", "method": "GET", "path": root + path, "root_path": root, "headers": [],
        "query_string": b"", "path_params": {"name": name}, "app": None,
    }  # fmt: skip
    await reviews(scope, receive, send)  # type: ignore[arg-type]
    return got[0]["status"], dict(got[0]["headers"])  # type: ignore[return-value, call-overload]


def test_a_review_leads_to_its_own_addresses(office: Office, job_of: JobOf, reading_of: ReadingOf) -> None:
    name = job_to_review(job_of, reading_of).path.name
    status, headers = asyncio.run(opened(office.reviews, name, "/"))
    assert (status, headers[b"location"]) == (303, f"/jobs/{name}/review/1/".encode())
    with pytest.raises(NotAJob):
        asyncio.run(opened(office.reviews, "gone", "/"))


def test_few_reviews_are_held(
    office: Office, job_of: JobOf, reading_of: ReadingOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is closed gives its letters back."""
    monkeypatch.setattr(module, "_MOST_OPEN", 1)
    jobs = [job_of("a.png", settings=Settings(dpi=dpi)) for dpi in (100, 200)]
    for job in jobs:
        job.results.write(reading_of(entries(job)[0], "VVVVV", 0.6))
        asyncio.run(opened(office.reviews, job.path.name, "/"))
        asyncio.run(opened(office.reviews, job.path.name, "/1/sheet/V"))
        assert len(held(job)) == 1
    assert held(jobs[0]) == []
    office.reviews.close_all()
    assert held(jobs[1]) == []


def test_corrections_in_the_browser(
    job_of: JobOf, reading_of: ReadingOf, serving: Callable[..., Web], tmp_path: Path
) -> None:
    job = job_to_review(job_of, reading_of)
    browser = serving().browser()
    page = browser.open(f"/jobs/{job.path.name}/review/")
    assert f'href="/jobs/{job.path.name}/review/1/sheet"' in page
    assert f'href="/jobs/{job.path.name}/review/.."' in page
    sheet = browser.open(f"/jobs/{job.path.name}/review/1/sheet/V")
    letters = re.findall(r'name="letter" value="(\d+-\d+)"', sheet)
    for picture in re.findall(r'src="([^"]+/picture/[^"]+)"', sheet):
        browser.open(picture)
    form: list[tuple[str, object]] = [("letter", letter) for letter in letters]
    path = f"/jobs/{job.path.name}/review/1/sheet/V"
    assert browser.refused(path, form, Origin="http://evil.example") == 403
    assert decisions(job) == []
    browser.open(path, form)
    assert browser.url == f"/jobs/{job.path.name}/review/1/letter"
    assert len(decisions(job)) == 8
    assert ",right," in browser.open(f"/jobs/{job.path.name}/report/letters.csv")


def test_no_page_of_the_review_leaves_its_root() -> None:
    for template in (ROOT / "jobs" / "web" / "templates").glob("*.j2"):
        assert not re.findall(r'(?:href|src|action)="/', template.read_text()), template.name
    for script in (ROOT / "jobs" / "web" / "static").glob("*.js"):
        assert not re.findall(r"""fetch\(["'`]/""", script.read_text()), script.name


def test_a_job_without_a_page_has_no_review(job_of: JobOf, reading_of: ReadingOf) -> None:
    job = job_of("a.png")
    assert not is_reviewable(Disk(str(job.path)))
    job.results.write(reading_of(entries(job)[0], "A"))
    assert is_reviewable(Disk(str(job.path)))
