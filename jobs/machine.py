"""Ask this machine for its cores and memory limits, limit a process's memory, and start Python processes."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path


def python_command(*words: str) -> list[str]:
    """Return the command line of another Python process of this installation.

    Args:
        words: what follows the interpreter: `-m`, a module and its arguments, or `-c` and a program.

    Returns:
        The command, with -P: the current folder is not searched for modules, so that a folder named
        `lettermill` in it is not taken for ours.
    """
    return [sys.executable, "-P", *words]


def usable_cores() -> int:
    """Return how many cores this process may use; in many containers fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def bound_memory(most_bytes: int) -> None:
    """Limit the memory of this process; an allocation beyond the limit raises `MemoryError`.

    May be called again with another limit. Has no effect where the system does not count private memory
    (macOS).

    Args:
        most_bytes: the limit, including what the process holds already.
    """
    # Not RLIMIT_AS: that counts mapped files and the address space that libraries reserve and never touch.
    # Only the soft limit: a hard one could not be raised for the next job.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def memory_limit() -> int:
    """Return how many bytes this process and its children may use together.

    That is the smallest limit of its control groups (a container's limit); the machine's memory where there
    are none.
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _limits_of_groups():
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        if text.isdecimal():  # It is `max` where there is no limit.
            limits.append(int(text))
    return min(limits)


def _limits_of_groups() -> Iterator[Path]:
    """List the files with the memory limits of this process's control group and of those above it (Linux)."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, name = line.split(":", 2)
        root, file = Path("/sys/fs/cgroup"), "memory.max"
        if "memory" in controllers.split(","):  # Version 1.
            root, file = root / "memory", "memory.limit_in_bytes"
        elif controllers:
            continue
        group = root / name.lstrip("/")
        while group != root.parent:
            yield group / file
            group = group.parent
