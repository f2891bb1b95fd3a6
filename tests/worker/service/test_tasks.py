"""Messages whose process dies or takes too long are dealt with before Celery acknowledges them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from billiard.exceptions import WorkerLostError

from lettermill.jobs.errors import NotAJob
from lettermill.jobs.queue.celery_app import READ_TASK, make_app
from lettermill.jobs.queue.message import PagesMessage
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.settings import MAX_PAGE_SECONDS
from lettermill.worker.service.tasks import PageRequest, register_tasks

PAGE = ManifestEntry("0" * 24, "a.png", 1, 1, 1, 1)
MESSAGE = PagesMessage("job", "epoch", (PAGE,))


class FakeService:
    """Records what it is asked for."""

    error: Exception | None = None

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def _note(self, *call: object) -> None:
        self.calls.append(call)
        if self.error and call[0] != "give back":
            raise self.error

    def limit(self, message: PagesMessage) -> float:
        self._note("limit", message)
        return 12.5

    def read(self, message: PagesMessage) -> None:
        self._note("read", message)

    def split_lost(self, message: PagesMessage, cause: str) -> None:
        self._note("split", message, cause)

    def time_out(self, message: PagesMessage, seconds: float) -> None:
        self._note("time out", message, seconds)

    def give_back(self, message: PagesMessage) -> None:
        self._note("give back", message)


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
def app(service: FakeService) -> Any:
    app = make_app("redis://127.0.0.1:1/0")
    register_tasks(app, service)  # type: ignore[arg-type]
    return app


def request(app: Any) -> PageRequest:
    kombu_message = SimpleNamespace(
        delivery_info={}, properties={}, headers={}, content_type="application/json", content_encoding="utf-8"
    )
    return PageRequest(
        kombu_message,
        app=app,
        task=app.tasks[READ_TASK],
        headers={"task": READ_TASK, "id": "an id"},
        body=(list(MESSAGE.to_arguments()), {}, {}),
        decoded=True,
        hostname="here",
    )


def test_the_task_reads_the_message(app: Any, service: FakeService) -> None:
    app.tasks[READ_TASK](*MESSAGE.to_arguments())
    assert service.calls == [("read", MESSAGE)]


@pytest.mark.parametrize("error", [NotAJob("gone", "look"), MemoryError()])
def test_the_task_outlives_every_error(app: Any, service: FakeService, error: Exception) -> None:
    service.error = error
    app.tasks[READ_TASK](*MESSAGE.to_arguments())
    app.tasks[READ_TASK]("no", "message")
    assert service.calls == [("read", MESSAGE)]


def test_the_time_limit_is_the_jobs(app: Any, service: FakeService) -> None:
    made = request(app)
    assert (made.pages_message, made.limit, made.time_limits) == (MESSAGE, 13, (13, None))
    service.error = NotAJob("gone", "look")
    assert request(app).limit == MAX_PAGE_SECONDS


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (WorkerLostError("Worker exited prematurely: signal 9 (SIGKILL) Job: 7."), "signal 9 (SIGKILL)"),
        (WorkerLostError("Worker exited prematurely: exitcode 3 Job: 7."), "exitcode 3"),
        (SystemExit("enough"), "enough"),
    ],
)
def test_the_pages_of_a_lost_process_are_queued_again(
    app: Any, service: FakeService, monkeypatch: pytest.MonkeyPatch, error: BaseException, cause: str
) -> None:
    monkeypatch.setattr("celery.worker.request.Request.on_failure", lambda *_: None)
    made = request(app)
    made.on_failure(SimpleNamespace(exception=error))
    assert service.calls[1:] == [("split", MESSAGE, cause)]


def test_other_errors_are_celerys(app: Any, service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celery.worker.request.Request.on_failure", lambda *_: None)
    request(app).on_failure(SimpleNamespace(exception=ValueError()))
    assert [call[0] for call in service.calls] == ["limit"]


def test_a_page_that_takes_too_long(app: Any, service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("celery.worker.request.Request.on_timeout", lambda *_: None)
    made = request(app)
    made.on_timeout(True, 13)
    made.on_timeout(False, 13)
    assert service.calls[1:] == [("time out", MESSAGE, 13)]


def test_pages_that_cannot_be_dealt_with_are_given_back(
    app: Any, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("celery.worker.request.Request.on_timeout", lambda *_: None)
    made = request(app)
    service.error = RuntimeError("unforeseen")
    made.on_timeout(False, 13)
    assert [call[0] for call in service.calls[1:]] == ["time out", "give back"]
