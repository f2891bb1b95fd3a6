"""docker-compose.yml: first use, what containers may do, kills, an upgrade, all of it in mid-job."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from deploy.checks.containers.engine import CLERK, IMAGE, ROOT, Project, docker, inspect
from tests.support import LETTERMILL, clean_environment, draw, finished, letters, wait_for

PAGES = 500

pytestmark = pytest.mark.timeout(1800)


def read_in_peace(scans: Path, out: Path) -> bytes:
    """letters.csv of `lettermill run` without containers."""
    subprocess.run([*LETTERMILL, "run", scans, "--out", out], check=False, env=clean_environment())
    return letters(out)


@pytest.fixture(scope="module")
def first_use(new_project: Callable[[], Project]) -> Project:
    """The examples put into ./scans, and `up`."""
    project = new_project()
    shutil.copytree(ROOT / "examples" / "scans", project.scans, dirs_exist_ok=True)
    project.compose("up", "--detach")
    return project


@pytest.fixture(scope="module")
def many_pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many") / "scans"
    for number in range(PAGES):
        word = "".join("ABCDEFGHIJ"[int(digit)] for digit in str(number))
        draw(folder / f"{number:03}.png", [f"PAGE {word}", "THE QUICK BROWN FOX", "OVER THE LAZY DOG"])
    return folder


@pytest.fixture(scope="module")
def undisturbed(many_pages: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return read_in_peace(many_pages, tmp_path_factory.mktemp("in-peace"))


@pytest.fixture
def job(new_project: Callable[[], Project], many_pages: Path) -> Iterator[Job]:
    begun = Job(new_project(), many_pages)
    yield begun
    begun.project.remove()


class Job:
    """A job of 500 pages that three workers have begun."""

    def __init__(self, project: Project, scans: Path) -> None:
        self.project = project
        shutil.copytree(scans, project.scans, dirs_exist_ok=True)
        self.start_workers(3)
        self.path = project.lettermill("submit", "/scans", "--out", "/results").strip()
        self.wait_for_more(50)

    def start_workers(self, count: int) -> None:
        self.project.compose("up", "--detach", "--no-recreate", "--scale", f"worker={count}", "worker")

    def finished(self) -> int:
        return finished(self.project.results)

    def wait_for_more(self, pages: int) -> None:
        """Wait until this many more pages are finished, and check that the job is still half done."""
        enough = self.finished() + pages
        wait_for(lambda: self.finished() >= enough, 400, f"{enough} pages")
        assert self.finished() < PAGES

    def letters(self) -> bytes:
        """Wait until the job is done and collect it."""
        wait_for(lambda: self.finished() == PAGES, 900, "all pages")
        state = json.loads(self.project.lettermill("status", self.path, "--json"))
        assert (state["state"], state["failed"]) == ("complete", 0)
        self.project.lettermill("collect", self.path)
        return letters(self.project.results)


def test_scans_go_in_and_the_same_results_come_out(first_use: Project, tmp_path: Path) -> None:
    assert first_use.end_of("lettermill") == 1  # One of the examples is broken.
    assert letters(first_use.results) == read_in_peace(first_use.scans, tmp_path)
    said = docker("logs", *first_use.containers("lettermill"))
    assert "pages       9  (8 DONE, 1 FAILED)" in said
    for path in first_use.results.rglob("*"):
        assert path.stat().st_uid == CLERK

    shutil.copy2(first_use.scans / "register.jpg", first_use.scans / "another.jpg")
    first_use.compose("up", "--detach")
    wait_for(lambda: b"another.jpg" in letters(first_use.results), 300, "what was put there later")


def test_containers_may_do_no_more_than_they_must(first_use: Project) -> None:
    code = """
import pathlib
def writable(folder):
    try:
        (pathlib.Path(folder) / "written").touch()
        (pathlib.Path(folder) / "written").unlink()
    except OSError as error:
        return error.strerror
    return "writable"
for folder in ("/", "/opt/lettermill", "/usr/bin", "/scans", "/run/login", "/results", "/tmp"):
    print(folder, writable(folder))
status = pathlib.Path("/proc/1/status").read_text().splitlines()
for line in status:
    if line.startswith(("Uid:", "Cap", "NoNewPrivs:")):
        print(*line.split())
"""
    (worker,) = first_use.containers("worker")
    assert first_use.python(worker, code).splitlines() == [
        *(f"{folder} Read-only file system" for folder in ("/", "/opt/lettermill", "/usr/bin")),
        *(f"{folder} Read-only file system" for folder in ("/scans", "/run/login")),
        "/results writable",
        "/tmp writable",
        f"Uid: {CLERK} {CLERK} {CLERK} {CLERK}",
        *(f"Cap{which}: 0000000000000000" for which in ("Inh", "Prm", "Eff", "Bnd", "Amb")),
        "NoNewPrivs: 1",
    ]
    (redis,) = first_use.containers("redis")
    status = docker("exec", redis, "cat", "/proc/1/status")
    assert "CapEff:\t0000000000000000" in status
    assert "Uid:\t999" in status
    docker("exec", redis, "touch", "/written", status=1)
    for container in first_use.containers():
        host = inspect(container)["HostConfig"]
        assert host["ReadonlyRootfs"]
        assert host["PortBindings"] in (None, {})
        assert not host["Privileged"]


def test_redis_takes_its_one_user_and_is_reached_from_its_network_alone(first_use: Project) -> None:
    (redis,) = first_use.containers("redis")
    assert "NOAUTH" in docker("exec", redis, "redis-cli", "dbsize")
    (network,) = inspect(redis)["NetworkSettings"]["Networks"]
    assert inspect(network)["Internal"]
    options = inspect(redis)["Config"]["Cmd"]
    assert options[options.index("--maxmemory-policy") + 1] == "noeviction"


def test_the_password_is_seen_nowhere(first_use: Project) -> None:
    (worker,) = first_use.containers("worker")
    password = docker("exec", worker, "cat", "/run/login/password").strip()
    assert len(password) >= 40
    for container in first_use.containers():
        assert password not in docker("inspect", container)
        assert password not in docker("logs", container)
    for service in ("worker", "redis"):
        for container in first_use.containers(service):
            assert password not in docker("top", container, "-eo", "pid,args")
    assert docker("exec", worker, "stat", "-c", "%u %a", "/run/login/password").strip() == "0 640"


def test_a_worker_that_hangs_is_unhealthy(first_use: Project) -> None:
    (worker,) = first_use.containers("worker")
    wait_for(lambda: first_use.health(worker) == "healthy", 120, "a healthy worker")
    code = """
import os, pathlib, signal, sys
for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
    number, _, _, parent = path.read_text().split()[:4]
    if parent == "1" and int(number) != os.getpid():
        os.kill(int(number), getattr(signal, {!r}))
"""
    first_use.python(worker, code.format("SIGSTOP"))
    wait_for(lambda: first_use.health(worker) == "unhealthy", 300, "an unhealthy worker")
    first_use.python(worker, code.format("SIGCONT"))
    wait_for(lambda: first_use.health(worker) == "healthy", 300, "a healthy worker")


def test_the_monitoring_profile_is_understood_and_its_files_are_there(first_use: Project) -> None:
    """The images cannot be had everywhere, so nothing is started."""
    assert first_use.containers("prometheus") == first_use.containers("grafana") == []
    services = yaml.safe_load(first_use.compose("--profile", "monitoring", "config"))["services"]
    for name in ("prometheus", "grafana"):
        # docker-compose 1.29 prints source:target:mode, Compose v2 a table.
        volumes = services[name]["volumes"]
        sources = [
            volume["source"] if isinstance(volume, dict) else volume.split(":")[0] for volume in volumes
        ]
        binds = [source for source in sources if source.startswith("/")]
        assert binds
        assert all(Path(source).exists() for source in binds)


def test_nothing_is_lost_when_containers_are_killed_or_removed(job: Job, undisturbed: bytes) -> None:
    project = job.project
    docker("kill", project.containers("worker")[0])
    job.wait_for_more(50)
    docker("kill", *project.containers("redis"))
    job.start_workers(3)  # Starts both again.
    job.wait_for_more(50)

    # What crashes is started again by the engine.
    crashing = project.containers("worker")[1]
    project.python(crashing, "import os; os.kill(1, 15); os.kill(-1, 9)", status=None)
    wait_for(lambda: inspect(crashing)["RestartCount"] >= 1, 120, "a restart")
    job.wait_for_more(50)

    project.compose("down")
    assert project.containers() == []
    assert job.finished() < PAGES
    job.start_workers(3)
    assert job.letters() == undisturbed


def test_workers_are_replaced_by_newer_ones_in_mid_job(
    job: Job, newer_image: tuple[str, str], undisturbed: bytes
) -> None:
    project, (tag, version) = job.project, newer_image
    old = project.containers("worker")
    project.use(tag)
    job.start_workers(5)
    new = [worker for worker in project.containers("worker") if worker not in old]
    assert {inspect(worker)["Config"]["Image"] for worker in new} == {f"{IMAGE}:{tag}"}
    assert len(new) == 2

    def versions() -> set[str]:
        return {
            json.loads(path.read_bytes())["reading"]["version"]
            for path in project.results.glob("*-*/pages/*/*.json")
        }

    wait_for(lambda: version in versions(), 300, "a page that a new worker has read")
    assert job.finished() < PAGES
    docker("stop", "--time", 330, *old)
    assert {inspect(worker)["State"]["ExitCode"] for worker in old} == {0}
    assert job.letters() == undisturbed
    assert len(versions()) == 2
