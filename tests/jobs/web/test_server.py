"""`lettermill review` as its browser sees it: real processes, real HTTP."""

from __future__ import annotations

import contextlib
import http.client
import http.cookiejar
import re
import shutil
import signal
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from lettermill.jobs.job.corrections import Corrections, Decision
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.storage.disk import Disk
from tests.support import Command, Starter, wait_for

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
    job.results.write(reading_of(first, f"{COMMON}\nQ", 0.6))
    job.results.write(reading_of(second, "SURE"))
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
    job.results.write(reading_of(entries(job)[0], "V" * 60, 0.6))
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


def held(job: Job) -> list[Path]:
    return list(Path(f"{job.path}").glob("reviewing-*.json"))


def test_two_reviewers_get_different_letters(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    job = job_of("a.png")
    job.results.write(reading_of(entries(job)[0], "V" * 60 + "\n" + "W" * 5, 0.6))
    anna, bob = (Browser(reviewing(job, "--name", name)) for name in ("anna", "bob"))
    theirs, his = set(anna.look(anna.open("/1/sheet"))), set(bob.look(bob.open("/1/sheet")))
    assert (len(theirs), len(his)) == (40, 20) and not theirs & his
    third, fourth = Browser(reviewing(job)), Browser(reviewing(job))
    third.open("/1/sheet")
    assert third.url == "/1/sheet/W"
    assert "The remaining doubtful letters had no picture, or are being reviewed elsewhere" in fourth.open(
        "/1/sheet"
    )
    assert "The remaining letters read as V are being reviewed elsewhere." in third.open("/1/sheet/V")
    # Who asked for the rest of V has given W back, and anna goes on with it.
    anna.open("/1/sheet/V", sorted(theirs))  # type: ignore[arg-type]
    assert anna.url == "/1/sheet/W"


def test_a_reviewer_who_is_killed_gives_the_letters_back(
    job: Job, reviewing: Callable[..., str], start: Starter, tmp_path: Path
) -> None:
    bob = Browser(reviewing(job))
    assert len(bob.look(bob.open("/1/sheet/V"))) == 8
    (his,) = held(job)
    log = tmp_path / "process-1.log"
    process = start("review", job.path, "--no-browser")
    wait_for(lambda: "review: " in log.read_text(), what="the address")
    anna = Browser(re.findall(r"^review: (\S+)$", log.read_text(), re.MULTILINE)[0])
    anna.look(anna.open("/1/letter"))
    assert len(held(job)) == 2
    process.kill()
    process.wait()
    (hers,) = (path for path in held(job) if path != his)
    assert "are being reviewed elsewhere" in bob.open("/1/letter")
    # Ten minutes later.
    hers.write_bytes(re.sub(rb'"until":[\d.]+', b'"until":1.0', hers.read_bytes()))
    assert len(bob.look(bob.open("/1/letter"))) == 1
    assert held(job) == [his]
    hers.write_bytes(b"[{")
    with pytest.raises(urllib.error.HTTPError) as caught:
        bob.open("/1/sheet/V")
    page = caught.value.read().decode()
    caught.value.close()
    assert f"{hers.name} is damaged" in page and "Delete it" in page


def test_two_reviewers_with_one_letter(job: Job, reviewing: Callable[..., str]) -> None:
    anna, bob = (Browser(reviewing(job, "--name", name)) for name in ("anna", "bob"))
    theirs = anna.look(anna.open("/1/sheet/V"))
    (hers,) = held(job)
    hers.unlink()  # As after ten minutes, or where the shared folder shows it late.
    his = bob.look(bob.open("/1/sheet/V"))
    assert theirs == his
    anna.open("/1/sheet/V", [*theirs[:3], ("wrong", 0)])
    page = bob.open("/1/sheet/V", his)
    assert "anna said" in page and "that it is not V. That decision counts; yours is not saved." in page
    assert "2 letters had been decided before you in the same way." in page
    assert Corrections(job).of((entries(job)[0].id, 1, 1)).decision == Decision.WRONG  # type: ignore[union-attr]
    assert [one.by for one in sorted(Corrections(job), key=lambda one: one.key)] == ["anna"] * 3 + ["bob"] * 5


def test_sheet_after_sheet_then_single_letters(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.results.write(reading_of(first, "VVVVVV\nWWWWW\nQ", 0.6))
    job.results.write(reading_of(second, "VVSURE"))
    browser = Browser(reviewing(job))
    assert "sheet by sheet" in browser.open("/1/")
    page = browser.open("/1/sheet")
    assert browser.url == "/1/sheet/V"
    form = browser.look(page)
    assert len(form) == 8
    page = browser.open("/1/sheet/V", form)
    assert browser.url == "/1/sheet/W"
    page = browser.open("/1/sheet/W", browser.look(page))
    assert browser.url == "/1/letter"
    page = browser.open("/1/letter", [*browser.look(page), ("choice", "is:Q")])
    assert browser.url == "/1/"
    assert "No doubtful letters are left. To finish" in page
    # Who wants sure letters stays with their character.
    browser.open("/1/sheet/S", browser.look(browser.open("/1/sheet/S")))
    assert "All letters read as S are decided." in browser.open("/1/sheet/S")


def test_doubtful_letters_come_first_however_sure(
    job_of: JobOf, reading_of: ReadingOf, reviewing: Callable[..., str]
) -> None:
    """Where a field does not fit its template, all of its letters are flagged."""
    job = job_of("a.png", "b.png")
    first, second = entries(job)
    job.results.write(reading_of(first, "V" * 45, 0.95))
    reading = reading_of(second, "VVVVV", 0.99)
    flagged = tuple(msgspec.structs.replace(one, flagged=True) for one in reading.lines[0].letters)
    line = msgspec.structs.replace(reading.lines[0], letters=flagged)
    job.results.write(msgspec.structs.replace(reading, lines=(line,)))
    page = Browser(reviewing(job)).open("/1/sheet")
    sure = re.findall(r'class="sure">(\d+) %', page)
    assert sure == ["99"] * 5 + ["95"] * 35


def test_accept_at_says_what_is_doubtful(
    job: Job, reviewing: Callable[..., str], lettermill: Command
) -> None:
    assert "<strong>9</strong> doubtful left" in Browser(reviewing(job)).open("/1/")
    assert "<strong>13</strong> doubtful left" in Browser(reviewing(job, "--accept-at", "0.99")).open("/1/")
    lettermill("collect", job.path, "--accept-at", "0.99")
    assert Path(f"{job.path}/letters.csv").read_text().count(",1,,,") == 13


def test_a_disk_that_is_full(job: Job, reviewing: Callable[..., str], small_disk: Path) -> None:
    """Nothing is half saved, the page says what to do, and the same form goes through afterwards."""
    there = small_disk / "job"
    shutil.copytree(f"{job.path}", there)
    moved = Job.open(Disk(there))
    browser = Browser(reviewing(moved))
    form = browser.look(browser.open("/1/sheet/V"))
    with pytest.raises(OSError), (small_disk / "filler").open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    with pytest.raises(urllib.error.HTTPError) as caught:
        browser.open("/1/sheet/V", form)
    page = caught.value.read().decode()
    caught.value.close()
    assert "No space left" in page and "None of these decisions is saved" in page
    assert decisions(moved) == []
    (small_disk / "filler").unlink()
    browser.open("/1/sheet/V", form)
    assert decisions(moved) == [("V", "right", "V")] * 8


def test_a_server_killed_while_it_saves_loses_nothing_that_it_answered(
    job_of: JobOf, reading_of: ReadingOf, start: Starter, tmp_path: Path
) -> None:
    """What the browser was told is saved is there, and all lines are whole."""
    job = job_of("a.png")
    job.results.write(reading_of(entries(job)[0], "V" * 800, 0.6))
    answered = 0
    for run in range(5):
        log = tmp_path / f"process-{run}.log"
        process = start("review", job.path, "--no-browser")
        wait_for(lambda log=log: "review: " in log.read_text(), what="the address")  # type: ignore[misc]
        browser = Browser(re.findall(r"^review: (\S+)$", log.read_text(), re.MULTILINE)[0])
        for path in held(job):
            path.unlink()
        page = browser.open("/1/sheet/V", browser.look(browser.open("/1/sheet/V")))
        answered += 40
        threading.Timer(0.03 * run, process.kill).start()
        with contextlib.suppress(OSError, http.client.HTTPException):
            while True:
                page = browser.open("/1/sheet/V", browser.look(page))
                answered += 40
        assert process.wait(60) == -signal.SIGKILL
    found = Corrections(job)
    assert list(found.problems(0)) == []
    saved = len(list(found))
    assert 5 * 40 <= answered <= saved <= answered + 5 * 40 and saved % 40 == 0


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
        job.results.write(reading_of(entry, "VVVV", 0.6))
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


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_it_gives_letters_back_and_says_what_comes_next(
    job: Job, start: Starter, tmp_path: Path, how: signal.Signals
) -> None:
    process = start("review", job.path, "--no-browser")
    log = tmp_path / "process-0.log"
    wait_for(lambda: "review: " in log.read_text(), what="the address")
    browser = Browser(re.findall(r"^review: (\S+)$", log.read_text(), re.MULTILINE)[0])
    browser.open("/1/sheet/V", browser.look(browser.open("/1/sheet/V")))
    assert len(held(job)) == 1
    process.send_signal(how)
    assert process.wait(60) == 0
    assert "8 letters decided. Next: lettermill collect" in log.read_text()
    assert held(job) == []


def test_what_cannot_be_reviewed(job: Job, lettermill: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = lettermill("review", job.path, "--no-browser", "--port", port, status=2)
    assert f"port {port} cannot be used" in done.stderr
    done = lettermill("review", "s3://bucket/job", "--no-browser", status=2)
    assert "takes a folder on disk" in done.stderr
