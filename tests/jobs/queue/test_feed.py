"""What the feed finds again: pages that nobody has, pages that are done, jobs that stand still."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis
from celery import Celery

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.job.page_results import PageResults
from lettermill.jobs.queue import feed as feeding
from lettermill.jobs.queue.celery_app import QUEUES, make_app
from lettermill.jobs.queue.feed import Feed, batches
from lettermill.jobs.queue.message import PagesMessage
from lettermill.jobs.queue.workers import send_heartbeat
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading, Status
from lettermill.jobs.settings import Settings
from lettermill.worker.service.page_service import PageService
from tests.support import disk_roots

NOBODY: frozenset[str] = frozenset()


@pytest.fixture
def feed(job: Job, app: Celery, client: redis.Redis) -> Feed:
    made = Feed(job, job.path.name, app, client)
    made.restart()
    return made


@pytest.fixture
def service(job: Job, app: Celery, broker: str, tmp_path: Path) -> PageService:
    return PageService(app, broker, disk_roots(tmp_path / "scans", job.path.parent), "a worker")


@pytest.fixture
def pages(job: Job) -> list[ManifestEntry]:
    return [entry for entry, _ in job.manifest()]


def epoch(job: Job, client: redis.Redis) -> str:
    word = client.hget(f"lettermill:{job.token}:state", "epoch")
    assert isinstance(word, bytes)
    return word.decode()


def take_all_messages(client: redis.Redis) -> int:
    """Lose what waits in the queues; return how many messages that were."""
    waiting = sum(client.llen(queue) for queue in QUEUES)
    client.delete(*QUEUES)
    return waiting


def read(entry: ManifestEntry) -> PageReading:
    return PageReading(entry.id, entry.scan, entry.page, Status.EMPTY)


def test_pages_of_a_dead_worker_are_queued_again_beside_a_full_lane(
    feed: Feed, job: Job, client: redis.Redis, pages: list[ManifestEntry]
) -> None:
    send_heartbeat(client, "alive", [pages[0].id])
    assert feed.take(epoch(job, client), [pages[0].id], "alive")
    assert feed.take(epoch(job, client), [pages[1].id], "dead")
    assert sum(client.llen(queue) for queue in QUEUES) == 3
    assert feed.look_after(NOBODY) == (1, NOBODY)


def test_a_page_that_its_living_worker_lost_sight_of_is_found_at_the_second_look(
    feed: Feed, job: Job, client: redis.Redis, pages: list[ManifestEntry]
) -> None:
    feed.take(epoch(job, client), [page.id for page in pages], "alive")
    send_heartbeat(client, "alive", [page.id for page in pages[:2]])
    take_all_messages(client)
    again, suspects = feed.look_after(NOBODY)
    assert (again, suspects) == (0, {pages[2].id})
    assert feed.look_after(suspects)[0] == 1
    assert take_all_messages(client) == 1


def test_a_page_that_another_worker_has_stays_with_it(
    feed: Feed, job: Job, client: redis.Redis, pages: list[ManifestEntry]
) -> None:
    for worker in ("first", "second"):
        assert feed.take(epoch(job, client), [pages[0].id], worker)
    assert client.hget(f"lettermill:{job.token}:flight", pages[0].id) == b"first"


def test_messages_that_are_nowhere_are_found_at_the_second_look(feed: Feed, client: redis.Redis) -> None:
    assert take_all_messages(client) == 3
    again, suspects = feed.look_after(NOBODY)
    assert (again, len(suspects)) == (0, 3)
    assert feed.look_after(suspects)[0] == 3
    assert take_all_messages(client) == 3


def test_a_page_that_was_given_back_is_queued_again_beside_a_full_lane(
    feed: Feed, pages: list[ManifestEntry]
) -> None:
    feed.give_back([pages[1].id])
    assert feed.look_after(NOBODY)[0] == 1
    assert feed.look_after(NOBODY)[0] == 0


def test_a_page_that_waits_for_an_hour_is_queued_once_more(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "_LONGEST_WAIT_SECONDS", -1)
    assert feed.look_after(NOBODY)[0] == 3


def test_finished_pages_do_not_fill_the_window(
    feed: Feed, job: Job, client: redis.Redis, pages: list[ManifestEntry]
) -> None:
    """Redis was away when they were finished."""
    feed.take(epoch(job, client), [page.id for page in pages], "alive")
    send_heartbeat(client, "alive", [page.id for page in pages])
    for page in pages[:2]:
        job.results.write(read(page))
    feed.look_after(NOBODY)
    assert client.hkeys(f"lettermill:{job.token}:flight") == [pages[2].id.encode()]
    job.results.write(read(pages[2]))
    feed.look_after(NOBODY)
    assert not client.keys(f"lettermill:{job.token}:*")


def test_a_page_that_is_read_elsewhere_is_neither_read_nor_queued_in_a_loop(
    feed: Feed, job: Job, client: redis.Redis, service: PageService, pages: list[ManifestEntry]
) -> None:
    for page in pages[1:]:
        job.results.write(read(page))
    feed.restart()
    before = epoch(job, client)
    assert take_all_messages(client) >= 1
    with job.attempts.begin(pages[0].id) as attempt:
        assert attempt == 1
        service.read(PagesMessage(job.path.name, before, (pages[0],)))
        assert not job.results.has(pages[0].id)
        assert epoch(job, client) == before
        assert take_all_messages(client) == 0
    assert job.attempts.count(pages[0].id) == 1


@pytest.mark.parametrize("trouble", [OSError(5, "Input/output error"), MemoryError(), KeyError("surprise")])
def test_whatever_goes_wrong_the_pages_are_given_back(
    feed: Feed,
    job: Job,
    client: redis.Redis,
    service: PageService,
    pages: list[ManifestEntry],
    monkeypatch: pytest.MonkeyPatch,
    trouble: Exception,
) -> None:
    send_heartbeat(client, "a worker", [])
    word = epoch(job, client)

    def refuse(*_: object) -> None:
        raise trouble

    with monkeypatch.context() as patched:
        patched.setattr("lettermill.jobs.storage.disk.atomic_write", refuse)
        with pytest.raises(Exception):  # noqa: B017 - whatever it is
            service.read(PagesMessage(job.path.name, word, (pages[0],)))
    assert feed.look_after(NOBODY)[0] == 1
    service.read(PagesMessage(job.path.name, word, (pages[0],)))
    assert job.results.has(pages[0].id)


def test_a_job_of_another_format_is_left_alone_until_nobody_takes_it(
    job: Job, app: Celery, client: redis.Redis, monkeypatch: pytest.MonkeyPatch, feed: Feed
) -> None:
    state = f"lettermill:{job.token}:state"
    client.hset(state, "lane", "lettermill:0:pages:07")
    take_all_messages(client)
    assert [feed.look_after(NOBODY) for _ in range(2)] == [(0, NOBODY)] * 2
    monkeypatch.setattr(feeding, "_LONGEST_WAIT_SECONDS", -1)
    feed.look_after(NOBODY)
    lane = client.hget(state, "lane")
    assert isinstance(lane, bytes)
    assert lane.decode() in QUEUES
    assert take_all_messages(client) == 3


def test_a_finished_stretch_is_passed_with_one_look(
    tmp_path: Path, job: Job, app: Celery, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = next(entry for entry, _ in job.manifest())
    many = [
        ManifestEntry.of(first.scan, page, first.bytes, first.mtime_ns, 5000, job.identity)
        for page in range(1, 5001)
    ]
    job.manifest_path.write_text("".join(page.to_line() for page in many))
    for page in many[1000:4900]:
        job.results.path(page.id).parent.mkdir(parents=True, exist_ok=True)
        job.results.path(page.id).touch()
    looks = 0
    has_result = PageResults.has

    def counted(self: PageResults, page_id: str) -> bool:
        nonlocal looks
        looks += 1
        return has_result(self, page_id)

    made = Feed(job, job.path.name, app, client)
    made.restart()
    monkeypatch.setattr(PageResults, "has", counted)
    while (flight := client.hkeys(f"lettermill:{job.token}:flight")) and looks < 20_000:
        take_all_messages(client)
        done = [page.decode() for page in flight]
        for page in done:
            job.results.path(page).parent.mkdir(parents=True, exist_ok=True)
            job.results.path(page).touch()
        made.top_up(done)
    assert job.tally().complete
    assert looks < 2500
    assert not client.keys(f"lettermill:{job.token}:*")


@pytest.fixture
def thirteen_job(thirteen_scans: Path, tmp_path: Path) -> Job:
    out = tmp_path / "out of thirteen"
    recipe = ReadingRecipe(Settings(), load_model(installed_model_folder()))
    return make_job(thirteen_scans, out, recipe, disk_roots(thirteen_scans, out)).job


def test_pages_are_queued_in_windows(broker: str, client: redis.Redis, thirteen_job: Job) -> None:
    job = thirteen_job
    first = [entry for entry, _ in job.manifest()][1]
    with job.manifest_path.open("w") as manifest:
        for number in range(2000):
            entry = {**first.to_json(), "id": f"{number:024x}"}
            manifest.write(json.dumps(entry) + "\n")
    feed = Feed(job, job.path.name, make_app(broker), client)
    feed.restart()
    assert client.hlen(f"lettermill:{job.token}:flight") == 256
    for _ in range(3):
        feed.top_up()
    assert client.hlen(f"lettermill:{job.token}:flight") == 256
    feed.top_up([f"{number:024x}" for number in range(200)])
    assert client.hlen(f"lettermill:{job.token}:flight") == 256


def test_at_the_end_of_the_manifest_a_page_takes_three_commands(
    broker: str, client: redis.Redis, thirteen_job: Job
) -> None:
    job = thirteen_job
    pages = [entry.id for entry, _ in job.manifest()]
    feed = Feed(job, job.path.name, make_app(broker), client)
    feed.restart()
    client.config_resetstat()
    feed.top_up(pages[:1])
    calls = {name[8:]: stat["calls"] for name, stat in client.info("commandstats").items()}
    calls.pop("config|resetstat", None)
    calls.pop("info", None)
    assert calls == {"hdel": 1, "hlen": 1, "hget": 1}
    for page in pages[1:]:
        feed.top_up([page])
    assert client.hlen(f"lettermill:{job.token}:flight") == len(pages)  # None has a result: from the start.


def test_batches_hold_every_page_once_in_order() -> None:
    def page(number: int, size: int) -> ManifestEntry:
        return ManifestEntry(f"{number:024x}", "a", 1, size, 0, 1)

    pages = [page(number, 10_000 if number % 3 else 900_000) for number in range(100)]
    groups = list(batches(pages))
    assert [entry for group in groups for entry in group] == pages
    assert max(map(len, groups)) > 1
    assert all(len(group) == 1 or sum(entry.bytes for entry in group) <= 256_000 for group in groups)
    assert [len(group) for group in batches(pages[:8])] == [1] * 8
