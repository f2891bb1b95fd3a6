"""`lettermill review` as its browser sees it: real processes, real HTTP."""

from __future__ import annotations

import http.cookiejar
import re
import signal
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support import Command, Starter, wait_for

from jobs.corrections import Corrections, Decision
from jobs.job import Job
from jobs.manifest import ManifestEntry
from jobs.readings import PageReading

JobOf = Callable[..., Job]
ReadingOf = Callable[..., PageReading]

COMMON = "VVVVVVVV"


class Browser:
    """A client with cookies; `open` follows redirects, as a browser does."""

    def __init__(self, address: str) -> None:
        self.origin = address.split("/?")[0]
        self.jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.url = ""
        self.open(address)

    def open(self, path: str, form: list[tuple[str, object]] | None = None, **headers: str) -> str:
        """Open a page, or send a form; the text of the page that comes."""
        url = path if path.startswith("http") else self.origin + path
        data = None if form is None else urllib.parse.urlencode(form).encode()
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


@pytest.fixture
def job(job_of: JobOf, reading_of: ReadingOf) -> Job:
    """Eight doubtful Vs and a doubtful Q on the first page, sure letters on the second."""
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.write_result(reading_of(first, f"{COMMON}\nQ", 0.6))
    job.write_result(reading_of(second, "SURE"))
    return job


@pytest.fixture
def reviewing(start: Starter, tmp_path: Path) -> Callable[..., str]:
    """Start a review in the background; the address that it prints."""
    count = 0

    def begin(job: Job, *words: str) -> str:
        nonlocal count
        log = tmp_path / f"process-{count}.log"
        count += 1
        start("review", job.path, "--no-browser", *words)
        wait_for(lambda: "review: " in log.read_text(), what="the address")
        return re.findall(r"^review: (\S+)$", log.read_text(), re.MULTILINE)[0]

    return begin


def test_only_the_browser_with_the_token_gets_in(job: Job, reviewing: Callable[..., str]) -> None:
    address = reviewing(job)
    browser = Browser(address)
    overview = browser.url
    (cookie,) = browser.jar
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "strict"
    assert overview == "/1/"
    assert browser.refused("/1/", Host="evil.example") == 421
    form: list[tuple[str, object]] = [("letter", "0-0")]
    assert browser.refused("/1/sheet/V", form, Origin="http://evil.example") == 403
    assert browser.refused("/1/sheet/V", form, Origin="null") == 403
    browser.jar.clear()
    for path in ("/", "/1/", "/picture/letter/0", "/static/review.js", "/?token=x", "/1/?token=x"):
        assert browser.refused(path) == 403
    assert browser.refused("/1/sheet/V", form) == 403
    assert decisions(job) == []
    port = int(address.split(":")[2].split("/")[0])
    listening = [one for one in psutil.net_connections() if one.laddr and one.laddr.port == port]
    assert {one.laddr.ip for one in listening} == {"127.0.0.1"}


def test_pages_allow_nothing_from_elsewhere(job: Job, reviewing: Callable[..., str]) -> None:
    browser = Browser(reviewing(job))
    with browser._opener.open(f"{browser.origin}/1/", timeout=60) as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Access-Control-Allow-Origin"] is None
        assert answer.headers["Referrer-Policy"] == "same-origin"


def test_a_sheet_then_the_wrong_one_by_itself_then_undo(
    job: Job, reviewing: Callable[..., str], lettermill: Command
) -> None:
    browser = Browser(reviewing(job, "--name", "anna"))
    page = browser.open("/1/sheet/V")
    form = browser.look(page)
    assert len(form) == len(COMMON)
    wrong = str(form[2][1]).split("-")[0]
    browser.open("/1/sheet/V", [*form, ("wrong", wrong)])
    assert decisions(job) == [("V", "right", "V")] * 7 + [("V", "wrong", "")]
    page = browser.open("/1/letter")
    assert "This is not" in page
    form = browser.look(page)
    assert str(form[0][1]).split("-")[0] == wrong
    for kind in ("line", "page"):
        assert browser.open(f"/picture/{kind}/{wrong}")[1:4] == "PNG"
    browser.open("/1/letter", [*form, ("choice", "typed"), ("typed", "u")])
    assert decisions(job) == [("V", "corrected", "U")] + [("V", "right", "V")] * 7
    # The Q has too few of its kind for a sheet.
    form = browser.look(browser.open("/1/letter"))
    browser.open("/1/letter", [*form, ("choice", "none")])
    assert ("Q", "no letter", "") in decisions(job)
    assert {one.by for one in Corrections(job)} == {"anna"}
    browser.open("/1/undo", [])
    assert browser.url.startswith("/1/letter/")
    browser.open("/1/undo", [])
    assert decisions(job) == [("V", "right", "V")] * 7 + [("V", "wrong", "")]
    browser.open("/1/undo", [])
    assert browser.url == "/1/sheet/V"
    assert decisions(job) == []
    assert "nothing to undo" in browser.open("/1/undo", [])


def test_a_tab_gets_the_same_letters_again_and_another_tab_others(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    job = job_of("a.png")
    job.write_result(reading_of(entries(job)[0], "V" * 60, 0.6))
    browser = Browser(reviewing(job))
    other = browser.tab()
    first = set(browser.look(browser.open("/1/sheet/V")))
    assert len(first) == 40
    assert set(browser.look(browser.open("/1/sheet/V"))) == first
    second = set(browser.look(browser.open(f"{other}sheet/V")))
    assert len(second) == 20 and not first & second
    browser.open("/1/sheet/V", sorted(first))  # type: ignore[arg-type]
    browser.open(f"{other}sheet/V", sorted(second))  # type: ignore[arg-type]
    assert decisions(job) == [("V", "right", "V")] * 60


def test_two_reviewers_with_one_letter(job: Job, reviewing: Callable[..., str]) -> None:
    anna, bob = (Browser(reviewing(job, "--name", name)) for name in ("anna", "bob"))
    theirs, his = anna.look(anna.open("/1/sheet/V")), bob.look(bob.open("/1/sheet/V"))
    assert theirs == his
    anna.open("/1/sheet/V", [*theirs[:1], ("wrong", 0)])
    page = bob.open("/1/sheet/V", his)
    assert "anna said" in page and "that it is not V. That counts; yours is not saved." in page
    assert Corrections(job).of((entries(job)[0].id, 1, 1)).decision == Decision.WRONG  # type: ignore[union-attr]
    assert {one.by for one in Corrections(job)} == {"anna", "bob"}


def test_what_had_no_picture_is_not_accepted(job: Job, scans: Path, reviewing: Callable[..., str]) -> None:
    browser = Browser(reviewing(job))
    (scans / "a.png").rename(scans / "elsewhere")
    form = browser.look(browser.open("/1/sheet/V"))
    page = browser.open("/1/sheet/V", form)
    assert "8 letters had no picture and stay open" in page
    assert "the file is not there: put it back" in browser.open("/1/letter/0")
    assert decisions(job) == []
    (scans / "elsewhere").rename(scans / "a.png")
    browser.open("/1/sheet/V", browser.look(browser.open("/1/sheet/V")))
    assert decisions(job) == [("V", "right", "V")] * 8


def test_a_job_that_is_still_being_read(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    job = job_of("a.png", "b.png")
    browser = Browser(reviewing(job))
    assert "0 of 2 pages have a result so far" in browser.open("/1/")
    for entry in entries(job):
        job.write_result(reading_of(entry, "VVVV", 0.6))
    wait_for(lambda: "have a result so far" not in browser.open("/1/"), what="the new pages")
    assert len(browser.look(browser.open("/1/sheet/V"))) == 8


def test_corrections_that_are_not_used_are_told(job: Job, reviewing: Callable[..., str]) -> None:
    Path(f"{job.path}/corrections.jsonl").write_bytes(b'{"check":"","correction":{}}\n')
    page = Browser(reviewing(job)).open("/1/")
    assert "corrections.jsonl: line 1 damaged and not used" in page


def test_nonsense_is_refused_and_changes_nothing(job: Job, reviewing: Callable[..., str]) -> None:
    browser = Browser(reviewing(job))
    assert browser.refused("/7/") == 404
    assert browser.refused("/1/sheet/7") == 404
    assert browser.refused("/1/letter/99") == 404
    assert browser.refused("/picture/letter/99") == 404
    assert browser.refused("/picture/what/0") == 404
    assert browser.refused("/static/../server.py") == 404
    for words in ("", "x", "0", "0-x", "99-0", "0-0-0"):
        assert browser.refused("/1/sheet/V", [("letter", words)]) == 400
    assert browser.refused("/1/sheet/V", [("letter", "0-0")] * 10_000) == 413
    browser.look(browser.open("/1/letter/0"))
    page = browser.open("/1/letter", [("letter", "0-0"), ("choice", "typed"), ("typed", "?")])
    assert "Type one of the characters" in page
    assert decisions(job) == []


def test_a_browser_that_goes_away(job: Job, reviewing: Callable[..., str]) -> None:
    address = reviewing(job)
    browser = Browser(address)
    port = int(browser.origin.rpartition(":")[2])
    for half in (b"GET /1/ HT", f"POST /1/sheet/V HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n".encode()):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(half)
    (cookie,) = browser.jar
    head = (
        f"POST /1/sheet/V HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {browser.origin}\r\n"
        f"Cookie: {cookie.name}={cookie.value}\r\nContent-Length: 60\r\n\r\nletter=0-0&"
    )
    form = browser.look(browser.open("/1/sheet/V"))
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode())
    assert len(browser.look(browser.open("/1/sheet/V"))) == len(form)
    assert decisions(job) == []


def test_ctrl_c_ends_it_and_says_what_comes_next(
    job: Job, start: Starter, tmp_path: Path, lettermill: Command
) -> None:
    process = start("review", job.path, "--no-browser")
    log = tmp_path / "process-0.log"
    wait_for(lambda: "review: " in log.read_text(), what="the address")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert "0 letters decided. Now: lettermill collect" in log.read_text()


def test_what_cannot_be_reviewed(job: Job, lettermill: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = lettermill("review", job.path, "--no-browser", "--port", port, status=2)
    assert f"port {port} cannot be used" in done.stderr
    done = lettermill("review", "s3://bucket/job", "--no-browser", status=2)
    assert "takes a folder on disk" in done.stderr
