"""What this machine offers, and how much of its memory a process may take."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path


def usable_cores() -> int:
    """Return how many cores this process may use: fewer than the machine has, in many containers."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def bound_memory(most: int) -> None:
    """Let this process hold at most so many bytes; what asks for more meets `MemoryError`.

    May be called again with more or less. Where the system does not count private memory (macOS), nothing
    is bound.

    Args:
        most: bytes, what the process holds already included.
    """
    # Not RLIMIT_AS: that counts mapped files and the address space that libraries reserve and never touch.
    # Only the soft limit, for a hard one could not be raised for the next job.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def memory_limit() -> int:
    """Return how many bytes this process and its children may use together: a container has less than all.

    Where the system does not say what its control groups allow, it is what the machine has.
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _limits_of_groups():
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        if text.isdecimal():  # Without a limit it is `max`.
            limits.append(int(text))
    return min(limits)


def _limits_of_groups() -> Iterator[Path]:
    """List the files that hold the limits of this process's control group and of those above it (Linux)."""
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
