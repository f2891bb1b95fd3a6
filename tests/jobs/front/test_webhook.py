"""The message at the end of a job: what it says, whom it reaches, and that it is not lost."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from lettermill.jobs.front import webhook as module
from lettermill.jobs.front.submit import ASKED_FILE, Asked, asked
from lettermill.jobs.front.webhook import tell
from lettermill.jobs.job.folder import Job
from lettermill.jobs.storage.disk import Disk


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what it gets, and answers as the test says."""

    statuses: list[int]
    got: list[tuple[str, dict[str, object]]]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, json.loads(body)))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.got.append((self.path, {}))

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(module, "_WAITS_SECONDS", (0, 0))
    with Receiver(("127.0.0.1", 0), _Handler) as server:
        server.statuses, server.got = [], []
        threading.Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


@pytest.fixture
def folder(job_of: Callable[..., Job], receiver: Receiver) -> Disk:
    job = job_of("a.png")
    address = f"http://127.0.0.1:{receiver.server_port}/hook"
    (job.path / ASKED_FILE).write(msgspec.json.encode(Asked("anna", "2026-12-01T00:00:00+00:00", address)))
    return Disk(str(job.path))


def test_it_says_how_a_job_ended_once(folder: Disk, receiver: Receiver) -> None:
    job = Job.open(folder)
    job.cancel("enough")
    assert tell(folder) and tell(folder)
    counts = {"state": "stopped", "pages": 1, "finished": 0, "failed": 0}
    assert receiver.got == [("/hook", {"job": folder.name, "token": job.token, **counts})]
    wish = asked(folder)
    assert wish and (wish.by, wish.webhook) == ("anna", "")


def test_it_is_tried_again_and_not_forgotten(folder: Disk, receiver: Receiver) -> None:
    receiver.statuses = [500, 302, 503, 200]
    assert not tell(folder)
    assert [path for path, _ in receiver.got] == ["/hook"] * 2, "redirects are not followed"
    assert tell(folder)
    assert len(receiver.got) == 4


def test_nobody_asked(folder: Disk, receiver: Receiver, tmp_path: Path) -> None:
    (folder / ASKED_FILE).unlink()
    assert tell(folder)
    assert receiver.got == []
