"""The pages in a browser without scripts: forms, errors, what is escaped, what is refused."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from lettermill.jobs.front.pages import job_address, size_in_words
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from tests.jobs.front.conftest import Web
from tests.review_browser import entries
from tests.support import draw


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 kB"),
        (1, "1 kB"),
        (512_000, "512 kB"),
        (3_400_000, "3.4 MB"),
        (5 * 10**8, "500 MB"),
        (2 * 10**9, "2 GB"),
    ],
)
def test_sizes(size: int, words: str) -> None:
    assert size_in_words(size) == words


def test_addresses() -> None:
    assert job_address("Ä ?#%/<") == "/jobs/%C3%84%20%3F%23%25%2F%3C/"


def test_a_browser_without_scripts(
    job_of: Callable[..., Job],
    reading_of: Callable[..., PageReading],
    serving: Callable[..., Web],
    tmp_path: Path,
) -> None:
    """Names with HTML are shown as they are; every form and every refusal."""
    evil = "<img src=x onerror=alert(1)>.png"
    job = job_of(evil)
    job.results.write(reading_of(entries(job)[0], "VVVV", 0.6))
    own = job.path.rename(job.path.with_name('<script>x\'s & "y"'))  # type: ignore[attr-defined]
    draw(tmp_path / "scans" / "<i>may" / "a.png", ["A"])
    web = serving("--scans", tmp_path / "scans")
    browser = web.browser()
    address = job_address(own.name)
    start = browser.open("/")
    assert address in start
    for page in (start, browser.open(address), browser.open(f"{address}delete"), browser.open("/new")):
        assert not re.findall(r"<script>|<img|<i>", page)
    assert "&lt;img src=x onerror=alert(1)&gt;.png" in browser.open(address)
    # The report.
    with browser._opener.open(f"{browser.origin}{address}report/summary.html", timeout=60) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "script-src" not in policy and policy.startswith("default-src 'none'")
    with browser._opener.open(f"{browser.origin}{address}report/letters.csv", timeout=60) as answer:
        assert answer.headers["Content-Disposition"].startswith('attachment; filename="_script_x_s ')
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert browser.refused(f"{address}report/job.json") == 404
    assert browser.refused(f"{address}report/..%2F..%2Fscans") == 404
    # Stop does nothing to a complete job; delete takes a form of this page.
    browser.open(f"{address}stop", [])
    assert browser.refused(f"{address}delete", [], Origin="http://evil.example") == 403
    assert own.exists()
    browser.open(f"{address}delete", [])
    assert (browser.url, own.exists()) == ("/", False)
    assert browser.refused(address) == 404
    # A form with a mistake is shown again; a right one leads to the job.
    form: list[tuple[str, object]] = [("source", "folder"), ("folder", "<i>may"), ("written", "digits")]
    with pytest.raises(urllib.error.HTTPError) as caught:
        browser.open("/new", [*form, ("name", "../x")])
    page = caught.value.read().decode()
    caught.value.close()
    assert caught.value.code == 400 and "no job can be called" in page and 'value="../x"' in page
    assert browser.refused("/new", [("source", "folder"), ("folder", "gone"), ("written", "digits")]) == 400
    assert browser.refused("/new", [("source", "folder"), ("folder", "<i>may"), ("written", "greek")]) == 400
    browser.open("/new", [*form, ("name", "may")])
    assert browser.url == "/jobs/may/"
    assert web.ended("may")["by"] == "anna"
    # Uploads: a new one, a hostile name, what is left of one; other people's tokens.
    assert browser.refused("/uploads", [], Origin="null") == 403
    upload = re.findall(r'"upload":"([^"]+)"', browser.open("/uploads", []))[0]
    assert browser.refused(f"/uploads/{upload}/scans/..%2Fa.png?length=1") == 404
    assert browser.refused(f"/uploads/{upload}/scans/a.html?length=1") == 415
    assert browser.refused(f"/uploads/{upload}/other/a.png?length=1") == 404
    sent = urllib.request.Request(
        f"{browser.origin}/uploads/{upload}/scans/a.png?length=9",
        b"0123",
        {"Origin": browser.origin},
        method="PATCH",
    )
    with browser._opener.open(sent, timeout=60) as answer:
        assert answer.read() == b'{"offset":4,"length":9}'
    assert "1 was not sent to the end" in browser.open(f"/new?upload={upload}")
    assert "not sent to their ends" in _refused(
        browser.open, "/new", [("upload", upload), ("written", "digits")]
    )
    browser.open(f"/uploads/{upload}/drop", [])
    assert "0 files are here" in browser.open(f"/new?upload={upload}")
    browser.open(f"/uploads/{upload}/delete", [])
    assert "There are none" in browser.open("/uploads")
    browser.jar.clear()
    for path in ("/", "/new", "/uploads", "/jobs/may/", "/jobs/may/report/letters.csv", "/static/front.js"):
        assert browser.refused(path) == 403


def _refused(open_: Callable[..., str], path: str, form: list[tuple[str, object]]) -> str:
    with pytest.raises(urllib.error.HTTPError) as caught:
        open_(path, form)
    page = caught.value.read().decode()
    caught.value.close()
    return page
