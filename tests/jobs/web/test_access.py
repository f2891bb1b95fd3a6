"""Only the browser that opened the printed address gets in."""

from __future__ import annotations

from collections.abc import Callable

import psutil

from lettermill.jobs.job.folder import Job
from tests.review_browser import Browser, decisions


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
