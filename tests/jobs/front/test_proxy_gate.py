"""An office behind a reverse proxy: who asks is whom the proxy names, and nobody else gets in."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from lettermill.jobs.job.corrections import Corrections
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.readings import PageReading
from tests.review_browser import job_to_review
from tests.support import Starter, free_port, wait_for

SECRET = "0123456789abcdef0123456789abcdef"
HOST = "ocr.office.example"
ORIGIN = {"Origin": f"https://{HOST}"}


@pytest.fixture
def port(start: Starter, tmp_path: Path) -> int:
    """The port of a server behind a proxy."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    port = free_port()
    words = ("--out", tmp_path / "out", "--behind", f"https://{HOST}", "--port", port, "--name", "server")
    start("web", *words, variables={"LETTERMILL_PROXY_SECRET_FILE": str(tmp_path / "secret")})
    log = tmp_path / "process-0.log"
    wait_for(lambda: f"web: https://{HOST}, which forwards" in log.read_text(), what="the server")
    return port


def ask(port: int, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, str]:
    """Send a request with exactly these headers; the status and the text, or where it leads."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(body.encode())
    answer = connection.getresponse()
    text = answer.getheader("Location") or answer.read().decode("utf-8", "replace")
    connection.close()
    return answer.status, text


def by_proxy(who: str, **more: str) -> dict[str, str]:
    return {"Host": HOST, "X-Lettermill-Proxy": SECRET, "X-Forwarded-User": who, **more}


def test_who_corrected_what(
    port: int, job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    """Two people have reviews of their own, with other letters, and each decision has its name."""
    job = job_to_review(job_of, reading_of)
    root = f"/jobs/{job.path.name}/review"
    for number, who in enumerate(("anna", "bob"), 1):
        assert who in ask(port, "GET", "/", by_proxy(who))[1]
        status, tab = ask(port, "GET", f"{root}/", by_proxy(who))
        assert (status, tab) == (303, f"{root}/1/")
        page = ask(port, "GET", f"{tab}sheet/V" if who == "anna" else f"{tab}letter", by_proxy(who))[1]
        letters = [part.split('"')[0] for part in page.split('name="letter" value="')[1:]]
        assert len(letters) == (8 if number == 1 else 1)
        for letter in letters:
            ask(port, "GET", f"{root}/picture/letter/{letter.split('-')[0]}", by_proxy(who))
        form = urlencode([("letter", letter) for letter in letters] + [("choice", "none")])
        path = f"{tab}sheet/V" if who == "anna" else f"{tab}letter"
        assert ask(port, "POST", path, by_proxy(who), form)[0] == 403, "a form needs its origin"
        assert ask(port, "POST", path, by_proxy(who, **ORIGIN), form)[0] == 303
    said = sorted((one.by, one.decision.value) for one in Corrections(job))
    assert said == [*[("anna", "right")] * 8, ("bob", "no letter")]


def test_nobody_else_gets_in(port: int) -> None:
    good = by_proxy("anna")
    assert ask(port, "GET", "/", good)[0] == 200
    for name in ("X-Lettermill-Proxy", "X-Forwarded-User"):
        assert ask(port, "GET", "/", {**good, name: ""})[0] == 403
    assert ask(port, "GET", "/?token=x", {"Host": HOST})[0] == 403
    assert ask(port, "GET", "/", {**good, "X-Lettermill-Proxy": SECRET[:-1]})[0] == 403
    assert ask(port, "GET", "/", {**good, "Host": f"127.0.0.1:{port}"})[0] == 421
    assert ask(port, "GET", "/", {**good, "X-Forwarded-User": "x" * 101})[0] == 403
    assert ask(port, "GET", "/", {**good, "x-forwarded-user": "bob"})[0] == 403, "two names are none"
    assert ask(port, "POST", "/uploads", {**good, "Origin": "https://evil.example"})[0] == 403
    assert ask(port, "POST", "/uploads", {**good, **ORIGIN})[0] == 201


def test_programs_behind_a_proxy(port: int) -> None:
    good = by_proxy("robot")
    assert ask(port, "POST", "/api/v1/uploads", good)[0] == 201
    assert ask(port, "POST", "/api/v1/uploads", {**good, "Sec-Fetch-Site": "cross-site"})[0] == 403
    assert ask(port, "POST", "/api/v1/uploads", {**good, "Origin": "https://evil.example"})[0] == 403
    assert ask(port, "POST", "/api/v1/uploads", {"Host": HOST, "Authorization": f"Bearer {SECRET}"})[0] == 403
