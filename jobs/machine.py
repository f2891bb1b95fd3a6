"""What this machine offers, and how much of its memory a process may take."""

from __future__ import annotations

import os
import resource


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
