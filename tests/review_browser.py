"""What tests of the review share: a client that behaves as a browser, and the decisions of a job."""

from __future__ import annotations

import http.client
import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.job.corrections import Corrections
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading

COMMON = "VVVVVVVV"


class Browser:
    """A client with cookies; `open` follows redirects, as a browser does."""

    def __init__(self, address: str) -> None:
        self.origin = address.split("/?")[0]
        self.jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.url = ""
        self.open(address)

    def open(self, path: str, form: list[tuple[str, object]] | bytes | None = None, **headers: str) -> str:
        """Open a page, or send a form or other bytes; the text of the page that comes."""
        url = path if path.startswith("http") else self.origin + path
        data = urllib.parse.urlencode(form).encode() if isinstance(form, list) else form
        request = urllib.request.Request(
            url, data, {"Origin": self.origin, **headers} if data is not None else headers
        )
        with self._opener.open(request, timeout=60) as answer:
            self.url = answer.url.removeprefix(self.origin)
            return str(answer.read().decode("utf-8", "replace"))

    def tab(self) -> str:
        """Open a tab; the address of its overview."""
        self.open("/")
        return self.url

    def look(self, page: str) -> list[tuple[str, object]]:
        """Load the pictures of a page's letters; the fields of its form."""
        letters = re.findall(r'name="letter" value="(\d+-\d+)"', page)
        for letter in letters:
            self.open(f"/picture/letter/{letter.split('-')[0]}")
        return [("letter", letter) for letter in letters]

    def refused(self, path: str, form: list[tuple[str, object]] | None = None, **headers: str) -> int:
        with pytest.raises(urllib.error.HTTPError) as caught:
            self.open(path, form, **headers)
        caught.value.close()
        return caught.value.code


def entries(job: Job) -> list[ManifestEntry]:
    return [entry for entry, _ in job.manifest()]


def decisions(job: Job) -> list[tuple[str, str, str]]:
    return sorted((one.letter, one.decision.value, one.corrected) for one in Corrections(job))


def held(job: Job) -> list[Path]:
    return list(Path(f"{job.path}").glob("reviewing-*.json"))


def job_to_review(job_of: Callable[..., Job], reading_of: Callable[..., PageReading]) -> Job:
    """Eight doubtful Vs and a doubtful Q on the first page, sure letters on the second."""
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.results.write(reading_of(first, f"{COMMON}\nQ", 0.6))
    job.results.write(reading_of(second, "SURE"))
    return job
