"""What tests of results share: the pages of a job, its tables, the page summary.html."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import msgspec

from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading, to_bytes
from lettermill.jobs.results.write import write_results
from tests.support import ROOT

JobOf = Callable[..., Job]
ReadingOf = Callable[..., PageReading]

OUTPUT_PAGE = ROOT / "docs" / "output.md"


TABLES = ["letters.csv", "lines.csv", "pages.csv"]


FILES = {*TABLES, "summary.json", "summary.html"}


RESULTS = {*FILES, "text", "overlays"}


def entries(job: Job) -> list[ManifestEntry]:
    return [entry for entry, _ in job.manifest()]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def sure_job(job_of: JobOf, reading_of: ReadingOf, *sure: float) -> Job:
    """A page for each confidence, with four letters of it."""
    job = job_of(*(f"{number}.png" for number in range(len(sure))))
    for entry, one in zip(entries(job), sure, strict=True):
        job.results.write(reading_of(entry, "AB CD", sure=one))
    return job


def contents(job: Job) -> dict[str, bytes]:
    """The job's tables and texts by their names."""
    texts = {str(path): path.read_bytes() for path in (job.path / "text").rglob("*.txt")}
    return texts | {name: (job.path / name).read_bytes() for name in TABLES}


def fill(job: Job, pages: int) -> None:
    """Give a job's manifest many pages; their scans need not be there."""
    entry = entries(job)[0]

    def more() -> Iterator[str]:
        for number in range(pages):
            page = msgspec.structs.replace(entry, id=f"{number:024x}", scan=f"box {number % 7}/{number}.png")
            yield page.to_line()

    job.manifest_path.write_text("".join(more()))


def write_fast(job: Job, reading: PageReading) -> None:
    path = job.results.path(reading.page_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_bytes(reading))


VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Reads a page, complains of what is not closed, and keeps what tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def report(job: Job) -> Page:
    write_results(job)
    return Page((job.path / "summary.html").read_text(encoding="utf-8"))


def words(page: Page) -> str:
    return re.sub(r"\s+", " ", page.text)
