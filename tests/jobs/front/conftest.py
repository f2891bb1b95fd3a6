"""The front page as a process, a client for it, and an office without a server."""

from __future__ import annotations

import dataclasses
import http.client
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from lettermill.jobs.front.job_list import JobList
from lettermill.jobs.front.pages import Office
from lettermill.jobs.front.reviews import Reviews
from lettermill.jobs.front.runner import Runner
from lettermill.jobs.front.submit import Places
from lettermill.jobs.front.uploads import Uploads
from lettermill.jobs.storage.disk import Disk
from tests.review_browser import Browser
from tests.support import Starter, wait_for


@dataclasses.dataclass
class Answer:
    """An answer of the server."""

    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


class Web:
    """A server: its browser, and requests as a program sends them."""

    def __init__(self, address: str, process: subprocess.Popen[bytes]) -> None:
        self.address = address
        self.process = process
        self.port = int(address.split(":")[2].split("/")[0])
        self.token = address.partition("token=")[2]

    def browser(self) -> Browser:
        return Browser(self.address)

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send a request to the interface for programs."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, f"/api/v1{path}", body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def upload(self, *paths: Path) -> str:
        """Send files; the name of the upload."""
        upload = str(self.call("POST", "/uploads").json()["upload"])
        for path in paths:
            answer = self.call("PUT", f"/uploads/{upload}/{quote(path.name)}", path.read_bytes())
            assert answer.status == 200, answer.content
        return upload

    def ended(self, job: str) -> dict[str, Any]:
        """Wait until a job has ended; its status."""
        wait_for(lambda: self.status(job)["state"] in ("complete", "stopped"), what="the end of the job")
        return self.status(job)

    def status(self, job: str) -> dict[str, Any]:
        status: dict[str, Any] = self.call("GET", f"/jobs/{quote(job)}").json()
        return status


@pytest.fixture
def serving(start: Starter, tmp_path: Path) -> Callable[..., Web]:
    """Start a server on `out` in the background."""
    count = 0

    def begin(*words: object, faults: dict[str, object] | None = None) -> Web:
        nonlocal count
        log = tmp_path / f"process-{count}.log"
        count += 1
        process = start(
            "web", "--out", tmp_path / "out", "--no-browser", "--name", "anna", *words, faults=faults
        )
        wait_for(lambda: "web: " in log.read_text(), what="the address")
        return Web(re.findall(r"^web: (\S+)$", log.read_text(), re.MULTILINE)[0], process)

    return begin


@pytest.fixture
def places(tmp_path: Path, scans: Path) -> Places:
    return Places(Disk(tmp_path / "out"), Disk(scans), webhooks=("http://127.0.0.1:9/hooks",))


@pytest.fixture
def office(places: Places) -> Iterator[Office]:
    """What a server works with; its runner is not started, so that jobs wait."""
    runner = Runner(places)
    jobs = JobList(places.out, runner)
    yield Office(
        places, Uploads(places.uploads), runner, jobs, (reviews := Reviews(jobs.job, "anna")), "anna"
    )
    reviews.close_all()
