"""A whole job from an object store into one, with what goes wrong there."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
import redis

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import Job
from lettermill.jobs.job.make import make_job
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.queue.celery_app import make_app
from lettermill.jobs.queue.feed import Feed
from lettermill.jobs.queue.message import PagesMessage
from lettermill.jobs.results.summary import WORST_PAGES
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage import bucket
from lettermill.jobs.storage.bucket import Bucket
from lettermill.worker.service.page_service import PageService
from tests.faults.proxy import Proxy
from tests.object_store import object_store, pointed_at
from tests.support import PATIENCE_SECONDS, QUICK, Command, Starter, draw, kill_families, wait_for

CONSTANTS = {**QUICK, "lettermill.jobs.storage.bucket._TRIES": 3}
"""A store that is away is soon given up."""


@pytest.fixture
def store() -> Iterator[int]:
    with object_store() as port:
        yield port


@pytest.fixture
def top(store: int, many_scans: Path) -> Bucket:
    """A bucket with the forty scans below scans/."""
    name = f"tests-{uuid.uuid4().hex}"
    boto3.session.Session().client("s3").create_bucket(Bucket=name)
    for scan in many_scans.iterdir():
        (Bucket(name, "scans") / scan.name).write(scan.read_bytes())
    return Bucket(name, "")


def the_job(top: Bucket) -> Bucket:
    (job,) = (top / "out").folders_with("job.json")
    return job


def finished(top: Bucket) -> int:
    return sum("/pages/" in entry["Key"] for entry in (top / "out").objects())


def statuses(job: Bucket) -> Counter[str]:
    return Counter(row["status"] for row in csv.DictReader(job.read("pages.csv").decode().splitlines()))


def assert_tidy(job: Bucket) -> None:
    names = [entry["Key"] for entry in job.objects()]
    assert not [name for name in names if "/attempts/" in name or ".writing-" in name]
    assert len([name for name in names if "/text/" in name]) == 40


@pytest.mark.slow
def test_run_reads_from_a_bucket_into_one(lettermill: Command, top: Bucket, undisturbed: bytes) -> None:
    words = ("run", top / "scans", "--out", top / "out")
    first = lettermill(*words)
    job = the_job(top)
    assert "40  (40 DONE)" in first.stdout
    assert f"{job}/letters.csv" in first.stdout
    assert job.read("letters.csv") == undisturbed
    assert_tidy(job)
    assert b"BROWN FOX" in job.read("text/7.png.txt")

    again = lettermill(*words)
    assert "40 of them read before" in again.stderr
    (top / "scans" / "7.png").unlink()
    lettermill(*words)
    assert statuses(job) == {"DONE": 39}
    assert not (job / "text" / "7.png.txt").exists()
    assert json.loads(lettermill("status", job, "--json").stdout)["state"] == "complete"
    # There are no links, but the word is understood; objects are read one by one, too.
    lettermill("run", top / "scans" / "3.png", top / "scans" / "5.png", "--out", top / "out", "--name", "two")
    two = json.loads(lettermill("status", top / "out" / "latest", "--json").stdout)
    assert (two["job"], two["pages"]) == (str(top / "out" / "two"), 2)
    assert not any("latest" in entry["Key"] for entry in (top / "out").objects())
    assert str(job) in lettermill("jobs", "--out", top / "out").stdout


def test_documents_and_failures_in_a_bucket(
    lettermill: Command, top: Bucket, tmp_path: Path, thirteen_scans: Path
) -> None:
    (top / "few" / "broken.png").write((thirteen_scans / "broken.png").read_bytes())
    page = draw(tmp_path / "page.png", ["ONE PAGE"])
    from PIL import Image

    with Image.open(page) as image:
        image.save(tmp_path / "three.tif", save_all=True, append_images=[image, image])
    (top / "few" / "three.tif").write((tmp_path / "three.tif").read_bytes())
    (top / "few" / "large.png").write(page.read_bytes() + b"\0" * 2_000_000)
    done = lettermill("run", top / "few", "--out", tmp_path / "out", "--max-megabytes", "1", status=1)
    assert "3 DONE" in done.stdout
    assert "TRUNCATED" in done.stdout
    assert "TOO_MANY_BYTES" in done.stdout


def test_commands_that_need_a_disk_say_so(lettermill: Command, top: Bucket, tmp_path: Path) -> None:
    watch = lettermill("watch", top / "scans", "--out", tmp_path / "out", status=2)
    assert "takes a folder on disk" in watch.stderr
    prune = lettermill("jobs", "--out", top / "out", "--prune", "1", status=2)
    assert "takes a folder on disk" in prune.stderr


def test_doctor_looks_at_a_bucket(lettermill: Command, top: Bucket) -> None:
    said = lettermill("doctor", "--scans", top / "scans", "--results", top / "out").stdout
    assert f"{top}scans answers" in said
    assert f"{top}out can be listed, written once, read and deleted in" in said
    assert not list((top / "out").objects())
    wrong = lettermill("doctor", "--results", "s3://there-is-none/out", status=13)
    assert "NoSuchBucket" in wrong.stdout


@pytest.fixture
def worker(start: Starter, broker: str, top: Bucket) -> Callable[[], subprocess.Popen[bytes]]:
    def begin() -> subprocess.Popen[bytes]:
        words = ("worker", "--broker", broker, "--scans", top / "scans", "--results", top / "out")
        return start(*words, "--concurrency", 2, faults={"set": CONSTANTS})

    return begin


@pytest.mark.slow
def test_a_fleet_loses_a_worker(
    lettermill: Command,
    worker: Callable[[], subprocess.Popen[bytes]],
    broker: str,
    client: redis.Redis,
    top: Bucket,
    undisturbed: bytes,
) -> None:
    first = worker()
    job = lettermill("submit", top / "scans", "--out", top / "out", "--broker", broker).stdout.strip()
    wait_for(lambda: finished(top) >= 5, what="pages")
    kill_families([first])
    worker()
    lettermill("wait", job, "--timeout", PATIENCE_SECONDS)
    lettermill("collect", job)
    assert the_job(top).read("letters.csv") == undisturbed
    drawings = {f"overlays/{name}" for name in (the_job(top) / "overlays").files()}
    assert len(drawings) == WORST_PAGES
    assert set(re.findall('href="(overlays/[^"]*)"', the_job(top).read("summary.html").decode())) == drawings
    assert_tidy(the_job(top))
    token = Job.open(the_job(top)).token
    wait_for(lambda: not client.keys(f"lettermill:{token}:*"), what="a Redis without the job")


@pytest.mark.slow
def test_the_store_is_away_for_a_while(
    start: Starter, lettermill: Command, broker: str, store: int, top: Bucket, undisturbed: bytes
) -> None:
    with Proxy(store) as proxy:
        job = lettermill("submit", top / "scans", "--out", top / "out", "--broker", broker).stdout.strip()
        with pointed_at(proxy.port):
            words = ("worker", "--broker", broker, "--scans", top / "scans", "--results", top / "out")
            process = start(
                *words, faults={"set": CONSTANTS | {"lettermill.jobs.storage.bucket._READ_SECONDS": 2}}
            )
        wait_for(lambda: finished(top) >= 5, what="pages")
        proxy.freeze()
        wait_for(lambda: b"does not do what it is asked" in log_of(process), what="the worker to notice")
        proxy.thaw()
        lettermill("wait", job, "--timeout", PATIENCE_SECONDS)
    lettermill("collect", job)
    assert statuses(the_job(top)) == {"DONE": 40}
    assert the_job(top).read("letters.csv") == undisturbed


def log_of(process: subprocess.Popen[bytes]) -> bytes:
    return Path(f"/proc/{process.pid}/fd/2").read_bytes()


def test_requests_a_page_and_no_listing(top: Bucket, broker: str, client: redis.Redis) -> None:
    """What costs time and money: counted, for the hot path of a page."""
    roots = Roots(top / "scans", top / "out")
    recipe = ReadingRecipe(Settings(), load_model(installed_model_folder()))
    job = make_job(roots.scans, roots.results, recipe, roots, shared=True).job
    Feed(job, job.path.below(roots.results), make_app(broker), client).restart()
    service = PageService(make_app(broker), broker, roots, "a worker")
    epoch = client.hget(f"lettermill:{job.token}:state", "epoch").decode()
    first, second = [entry for entry, _ in job.manifest()][:2]
    service.read(PagesMessage(job.path.name, epoch, (first,)))  # Loads the model.
    requests: Counter[str] = Counter()
    events = bucket._client(os.getpid()).meta.events
    events.register("before-call.s3", lambda model, **_: requests.update([model.name]))
    service.read(PagesMessage(job.path.name, epoch, (second,)))
    # Nine for the page, three to look for the next pages to queue, which a longer job does seldom.
    assert requests.total() <= 12, requests
    assert requests["ListObjectsV2"] == 0
    assert Job.open(job.path).results.has(second.id)
