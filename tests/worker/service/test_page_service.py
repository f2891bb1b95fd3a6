"""Messages are worked on, and nothing outside of the roots is touched."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import redis

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.queue.celery_app import make_app
from lettermill.jobs.queue.feed import Feed
from lettermill.jobs.queue.message import PagesMessage
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.settings import Settings
from lettermill.worker.service.page_service import PageService
from tests.support import disk_roots


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


def test_the_time_limit_is_the_jobs_whatever_a_message_says(job: Job, service: PageService) -> None:
    assert service.limit(PagesMessage(job.path.name, "", ())) == 300
    with pytest.raises(ValueError, match="outside"):
        service.limit(PagesMessage("../elsewhere", "", ()))


def test_a_job_folder_that_is_a_link_out_of_the_root_is_refused(
    job: Job, service: PageService, tmp_path: Path
) -> None:
    page = entries(job)[0]
    elsewhere = job.path.rename(tmp_path / "elsewhere")
    job.path.symlink_to(elsewhere)
    with pytest.raises(ValueError, match="leads out"):
        service.read(PagesMessage(job.path.name, "", (page,)))
    assert not list(elsewhere.glob("pages/*/*"))
