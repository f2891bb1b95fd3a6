"""Measures what commands cost: wall time, processor time, and the peak memory of all their processes."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import os
import re
import resource
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

import psutil

from tests.support import clean_environment

Command = Sequence[object]

_SAMPLED = 0.1
"""Seconds between two looks at the memory."""

_SET_CHILD_SUBREAPER = 36  # of linux/prctl.h

_ONE_THREAD = {"OMP_THREAD_LIMIT": "1", "OMP_NUM_THREADS": "1"}


@dataclasses.dataclass(frozen=True, slots=True)
class Cost:
    """What commands took together.

    Attributes:
        seconds: from the start of the first to the end of the last.
        processor: seconds of processors, of all their processes.
        tree: megabytes at most, of all their processes; what several share counts once.
        largest: megabytes at most of the largest process, with what it shares.
    """

    seconds: float
    processor: float
    tree: float
    largest: float


class CommandFailed(Exception):
    """A command ended with another status than 0."""


def measure(commands: Sequence[Command], cores: Sequence[int]) -> Cost:
    """Run commands at once and return what they took.

    Args:
        commands: one, which gets all the cores, or as many as cores, each of which gets one.
        cores: numbers of the cores.

    Raises:
        CommandFailed: a command failed; the message ends with what it said.
    """
    _adopt()
    shares = [cores] if len(commands) == 1 else [[core] for core in cores]
    before, begun = _processor_seconds(), monotonic()
    with tempfile.TemporaryFile() as said, contextlib.ExitStack() as running:
        started = [
            running.enter_context(
                subprocess.Popen(
                    ["taskset", "--cpu-list", ",".join(map(str, share)), *map(str, command)],
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    env={**clean_environment(), **_ONE_THREAD},
                )
            )
            for command, share in zip(commands, shares, strict=True)
        ]
        with _watched([each.pid for each in started]) as memory:
            statuses = [each.wait() for each in started]
        seconds = monotonic() - begun
        _reap()
        if any(statuses):
            said.seek(0)
            words = " ".join(map(str, commands[0]))[:300]
            raise CommandFailed(f"{words}: status {statuses}\n{said.read().decode()[-2000:]}")
    return Cost(seconds, _processor_seconds() - before, memory.tree, memory.largest)


def _adopt() -> None:
    """Become the parent of processes whose own ends before them: what they took would count for nobody."""
    if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _reap() -> None:
    """Wait for processes that were left behind."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def _processor_seconds() -> float:
    """Seconds of processors of all processes that ended below this one."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class _Memory:
    """The most that was seen, in megabytes."""

    tree = largest = 0.0

    def look(self, pids: Sequence[int]) -> None:
        shared_out = 0.0
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):
                for process in [own := psutil.Process(pid), *own.children(recursive=True)]:
                    with contextlib.suppress(OSError):
                        proportional, most = _megabytes(process.pid)
                        shared_out += proportional
                        self.largest = max(self.largest, most)
        self.tree = max(self.tree, shared_out)


@contextlib.contextmanager
def _watched(pids: Sequence[int]) -> Iterator[_Memory]:
    """Look at the memory of processes and all below them until they end."""
    memory, over = _Memory(), threading.Event()

    def watch() -> None:
        while not over.wait(_SAMPLED):
            memory.look(pids)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        over.set()
        watcher.join()


def _megabytes(pid: int) -> tuple[float, float]:
    """Return the proportional size of a process now, and the most that was ever resident.

    Raises:
        OSError: the process has ended.
    """
    sizes = [
        re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/{file}").read_text(), re.MULTILINE)
        for file, name in (("smaps_rollup", "Pss"), ("status", "VmHWM"))
    ]
    now, most = (int(size[1]) / 1024 if size else 0.0 for size in sizes)
    return now, most
