"""The server of the review: killed while it saves, left by its browser."""

from __future__ import annotations

import contextlib
import http.client
import http.cookiejar
import re
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from lettermill.jobs.job.corrections import Corrections
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from tests.review_browser import Browser, decisions, entries, held
from tests.support import Starter, wait_for

JobOf = Callable[..., Job]


ReadingOf = Callable[..., PageReading]


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
