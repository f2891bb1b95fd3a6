"""Checks the machine: temporary folder, memory for each process, and the limit on open files."""

from __future__ import annotations

import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lettermill.jobs.machine import memory_limit, usable_cores
from lettermill.jobs.settings import Limits
from lettermill.jobs.storage.display import display_path
from lettermill.worker.checks.finding import Finding, Level

_GIGABYTE = 1 << 30

_MIN_FREE_BYTES = 100 << 20

_LARGE_PAGE_MEGAPIXELS = 35.0
"""An A3 sheet at 400 dpi."""

_MIN_OPEN_FILES = 1024


def check_machine() -> Iterator[Finding]:
    """Check what a worker takes from this machine."""
    yield _temporary_folder()
    yield _memory()
    yield _open_files()


def _temporary_folder() -> Finding:
    try:
        temporary = Path(tempfile.gettempdir())
    except OSError as error:
        todo = "Set TMPDIR to a folder that this user may write to."
        return Finding("temporary folder", Level.WRONG, f"there is none: {error.strerror}", todo)
    free = shutil.disk_usage(temporary).free
    if free < _MIN_FREE_BYTES:
        return Finding(
            "temporary folder",
            Level.WARNING,
            f"{display_path(temporary)} has {free >> 20} MiB free",
            "Free 100 MiB there, or set TMPDIR to another folder.",
        )
    return Finding(
        "temporary folder", Level.OK, f"{display_path(temporary)} has {free / _GIGABYTE:.1f} GiB free"
    )


def _memory() -> Finding:
    """Find how large pages may be if every process reads one at the same time."""
    processes, limit = usable_cores(), memory_limit()
    one_megapixel = Limits(max_megapixels=1).memory_bytes
    each_further_megapixel = Limits(max_megapixels=2).memory_bytes - one_megapixel
    megapixels = max(0.0, 1 + (limit / processes - one_megapixel) / each_further_megapixel)
    available = f"{limit / _GIGABYTE:.1f} GiB for {processes} processes (one per core)"
    if megapixels < _LARGE_PAGE_MEGAPIXELS:
        return Finding(
            "memory",
            Level.WARNING,
            f"{available}: too little for pages of more than {megapixels:.0f} megapixels in all processes "
            "at once",
            "Give workers fewer processes (--concurrency) or more memory, or jobs a lower --max-megapixels.",
        )
    return Finding(
        "memory",
        Level.OK,
        f"{available}: enough for pages of {megapixels:.0f} megapixels in all processes at once",
    )


def _open_files() -> Finding:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < _MIN_OPEN_FILES:
        return Finding(
            "open files", Level.WARNING, f"at most {files}", f"Raise it: ulimit -n {_MIN_OPEN_FILES}."
        )
    return Finding("open files", Level.OK, "no limit" if files < 0 else f"at most {files}")
