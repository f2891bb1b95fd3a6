"""Submit, worker and collect in separate processes through a Redis, and what a message may not do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import redis

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.queue.celery_app import make_app
from lettermill.jobs.queue.feed import Feed, batches
from lettermill.jobs.queue.message import PagesMessage
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.settings import Settings
from lettermill.worker.service.page_service import PageService
from tests.support import Command, Starter, descendants, disk_roots, wait_for


def test_a_job_through_a_broker_leaves_nothing_in_redis(
    lettermill: Command,
    start: Starter,
    broker: str,
    client: redis.Redis,
    thirteen_scans: Path,
    tmp_path: Path,
) -> None:
    out = tmp_path / "results" / "of today"
    out.mkdir(parents=True)
    roots = ("--scans", tmp_path, "--results", tmp_path / "results")
    submitted = lettermill("submit", thirteen_scans, "--out", out, "--broker", broker, *roots)
    job = Path(submitted.stdout.strip())
    assert job.parent == out

    partly = lettermill("collect", job, status=1)
    assert "unfinished  13 pages" in partly.stdout
    assert len((job / "pages.csv").read_text().splitlines()) == 1

    start("worker", "--broker", broker, *roots, "--concurrency", "2")
    lettermill("wait", job, "--timeout", "100", status=1)
    done = lettermill("collect", job, status=1)
    assert "13  (12 DONE, 1 FAILED)" in done.stdout
    wait_for(
        lambda: all(b"lettermill:worker" in key for key in client.scan_iter()), 10, "a Redis without the job"
    )


def test_results_can_be_collected_while_the_job_runs(
    lettermill: Command, start: Starter, broker: str, many_scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    job = Path(lettermill("submit", many_scans, "--out", out, "--broker", broker).stdout.strip())
    worker = start(
        "worker", "--broker", broker, "--scans", many_scans, "--results", out, "--concurrency", "1"
    )
    wait_for(lambda: len(list(job.glob("pages/*/*.json"))) >= 3, what="pages")
    rows = lettermill("collect", job, "--json", status=None)
    assert 3 <= json.loads(rows.stdout)["finished"] < 40
    assert worker.poll() is None


def test_a_worker_is_one_thread_a_process(start: Starter, broker: str, tmp_path: Path) -> None:
    worker = start(
        "worker", "--broker", broker, "--scans", tmp_path, "--results", tmp_path, "--concurrency", "2"
    )
    wait_for(lambda: len(descendants(worker.pid)) >= 2, what="two children")
    for child in descendants(worker.pid):
        assert child.num_threads() == 1


def test_submit_stays_inside_its_roots(
    lettermill: Command, broker: str, thirteen_scans: Path, tmp_path: Path
) -> None:
    (tmp_path / "allowed").mkdir()
    done = lettermill(
        *("submit", thirteen_scans, "--out", "out", "--broker", broker, "--scans", tmp_path / "allowed"),
        status=2,
    )
    assert "is not below" in done.stderr
    done = lettermill(
        *("submit", thirteen_scans, "--out", "out", "--broker", broker, "--results", tmp_path / "allowed"),
        status=2,
    )
    assert "--results" in done.stderr


def test_a_client_token_makes_submit_idempotent(
    lettermill: Command, broker: str, thirteen_scans: Path, tmp_path: Path
) -> None:
    words = ("submit", thirteen_scans, "--out", "out", "--broker", broker, "--token", "invoice 12")
    first, second = lettermill(*words).stdout, lettermill(*words).stdout
    assert first == second
    assert "invoice-12-" in first


@pytest.fixture
def job(thirteen_scans: Path, tmp_path: Path) -> Job:
    from lettermill.jobs.job.make import make_job

    out = tmp_path / "out"
    model = load_model(installed_model_folder())
    return make_job(
        thirteen_scans, out, ReadingRecipe(Settings(), model), disk_roots(thirteen_scans, out)
    ).job


@pytest.fixture
def service(job: Job, broker: str, thirteen_scans: Path) -> PageService:
    return PageService(make_app(broker), broker, disk_roots(thirteen_scans, job.path.parent), "a worker")


def entries(job: Job) -> list[ManifestEntry]:
    return [entry for entry, _ in job.manifest()]


@pytest.mark.parametrize("below", ["../elsewhere", "/etc", "a/../../b"])
def test_a_message_cannot_lead_out_of_the_roots(service: PageService, job: Job, below: str) -> None:
    with pytest.raises(ValueError, match="outside"):
        service.read(PagesMessage(below, "", ()))


@pytest.mark.parametrize("page_id", ["../../../../escaped", "A" * 24, ""])
def test_a_page_id_cannot_lead_out_of_the_job(service: PageService, job: Job, page_id: str) -> None:
    entry = entries(job)[1]
    with pytest.raises(ValueError, match="pages of a manifest"):
        PagesMessage.from_arguments([job.path.name, "", [{**entry.to_json(), "id": page_id}]])
    with pytest.raises(ValueError, match="none of this job"):
        service.read(PagesMessage(job.path.name, "", (msgspec.structs.replace(entry, id=page_id),)))


def test_a_scan_path_cannot_lead_out_of_the_roots(service: PageService, job: Job, tmp_path: Path) -> None:
    page = entries(job)[0]
    foreign = ManifestEntry.of("../../etc/passwd", 1, page.bytes, page.mtime_ns, 1, job.identity)
    with pytest.raises(ValueError, match="outside"):
        service.read(PagesMessage(job.path.name, "", (foreign,)))
    assert not job.results.has(foreign.id)


def test_a_message_cannot_name_the_pages_of_another_job(
    service: PageService, job: Job, thirteen_scans: Path
) -> None:
    from lettermill.jobs.job.make import make_job

    out = job.path.parent
    model = load_model(installed_model_folder())
    other = make_job(
        thirteen_scans, out, ReadingRecipe(Settings(dpi=100), model), disk_roots(thirteen_scans, out)
    ).job
    with pytest.raises(ValueError, match="none of this job"):
        service.read(PagesMessage(job.path.name, "", (entries(other)[0],)))
    assert not job.results.ids().read


def test_a_scan_that_was_changed_or_removed_after_submit_is_said_so(
    service: PageService, job: Job, thirteen_scans: Path, draw_page: Callable[..., Path]
) -> None:
    first, second, third = entries(job)[1:4]
    draw_page(thirteen_scans / first.scan, ["OTHER"])
    os.utime(thirteen_scans / second.scan, ns=(0, 0))
    (thirteen_scans / third.scan).unlink()
    service.read(PagesMessage(job.path.name, "", (first, second, third)))
    codes = [job.results.read(entry.id).error_code for entry in (first, second, third)]  # type: ignore[union-attr]
    assert codes == ["SCAN_CHANGED", "SCAN_CHANGED", "SCAN_GONE"]


def epoch_of(job: Job, client: redis.Redis) -> str:
    epoch = client.hget(f"lettermill:{job.token}:state", "epoch")
    assert isinstance(epoch, bytes)
    return epoch.decode()


def test_messages_of_an_older_epoch_are_dropped(
    service: PageService, job: Job, broker: str, client: redis.Redis
) -> None:
    feed = Feed(job, job.path.name, make_app(broker), client)
    feed.restart()
    old = epoch_of(job, client)
    page = entries(job)[1]
    service.read(PagesMessage(job.path.name, "an older word", (page,)))
    assert not job.results.has(page.id)
    feed.restart()
    service.read(PagesMessage(job.path.name, old, (page,)))
    assert not job.results.has(page.id)
    service.read(PagesMessage(job.path.name, epoch_of(job, client), (page,)))
    assert job.results.has(page.id)


def test_pages_are_queued_in_windows(broker: str, client: redis.Redis, tmp_path: Path, job: Job) -> None:
    first = entries(job)[1]
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
    broker: str, client: redis.Redis, job: Job
) -> None:
    pages = [entry.id for entry in entries(job)]
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
