"""Helpers that tests import: drawn pages, processes, waiting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from PIL import Image, ImageDraw, ImageFont

Command = Callable[..., subprocess.CompletedProcess[str]]
"""Runs the command line: words, and the expected `status` (None for any)."""

Starter = Callable[..., subprocess.Popen[bytes]]
"""Starts the command line in the background."""

LETTERMILL = [sys.executable, "-P", "-m", "jobs.cli"]


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


def clean_environment() -> dict[str, str]:
    """The environment without what would redirect the commands under test."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LETTERMILL_")}


def wait_for(condition: Callable[[], object], seconds: float = 60, what: str = "it") -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(0.02)


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


def kill(process: psutil.Process) -> None:
    """Kill a process that may just be ending by itself."""
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return
