"""Lock files against other processes (flock)."""

from __future__ import annotations

import fcntl
from typing import IO, Any


def flock(file: IO[Any] | int, *, wait: bool = True, shared: bool = False) -> bool:
    """Lock an open file.

    The lock is advisory and the system's own: it ends when the file is closed, however its process ends.

    Args:
        file: the open file, or its handle.
        wait: whether to wait until the file is free.
        shared: whether other processes may share the lock, as readers do.

    Returns:
        Whether the file is locked now; False only where another process has it and `wait` is false.

    Raises:
        OSError: the file system has no locks, or no more of them.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
