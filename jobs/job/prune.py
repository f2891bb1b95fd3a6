"""Deletes old jobs: whole job folders, and nothing else."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator

from lettermill.jobs.errors import NotAJob, ResultsNotWritable
from lettermill.jobs.job.folder import JOB_FILE, Job
from lettermill.jobs.job.latest import LATEST
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import not_writable

_PRUNED_PREFIX = ".lettermill-pruned-"
"""Begins the name of a folder that is being deleted: hidden, so that nothing takes it for a job."""

_DAY_SECONDS = 86_400


def old_jobs(out: Disk, days: int) -> Iterator[Disk]:
    """Find old jobs below a folder.

    Args:
        out: the folder; it is not deleted itself.
        days: for how many days nothing must have been written in a job.

    Yields:
        Folders of old jobs that are complete or stopped.

    Raises:
        NotAJob: the folder does not exist.
    """
    for path in out.folders_with(JOB_FILE):
        if path != out and _is_old(path, days):
            yield path


def prune(paths: Iterable[Disk], days: int) -> int:
    """Delete job folders that are still old and that no command works on.

    A folder is renamed first, so that a half-deleted one never looks like a job.

    Args:
        paths: folders that `old_jobs` has found.
        days: as for `old_jobs`.

    Returns:
        How many were deleted.

    Raises:
        ResultsNotWritable: one cannot be deleted.
    """
    deleted = 0
    for path in paths:
        with contextlib.ExitStack() as stack:
            try:
                alone = stack.enter_context(Job.open(path).alone())
            except NotAJob:
                continue  # It was deleted in the meantime.
            if not alone or not _is_old(path, days):
                continue
            try:
                renamed = path.rename(path.with_name(_PRUNED_PREFIX + path.name))
            except OSError as error:
                raise _not_deleted(path, error) from error
        _delete(renamed)
        link = path.with_name(LATEST)
        if link.is_symlink() and not link.exists():
            link.unlink(missing_ok=True)
        deleted += 1
    return deleted


def finish_pruning(out: Disk) -> None:
    """Delete what an interrupted prune has left below a folder.

    Raises:
        ResultsNotWritable: something cannot be deleted.
    """
    for folder, subfolders, _ in os.walk(out):
        for name in [name for name in subfolders if name.startswith(_PRUNED_PREFIX)]:
            subfolders.remove(name)
            path = Disk(folder) / name
            if not path.is_symlink():
                _delete(path)


def _is_old(path: Disk, days: int) -> bool:
    try:
        return Job.open(path).tally().state != "unfinished" and _age(path) >= days * _DAY_SECONDS
    except (NotAJob, FileNotFoundError):
        return False  # A person must look at a damaged job; one that changes is in use.


def _age(path: Disk) -> float:
    """Return how many seconds ago a file of a job was last made: that changes its folder's time."""
    last = 0.0
    for folder in (path, path / "pages", path / "attempts"):
        if folder.is_dir():
            with os.scandir(folder) as entries:
                # Hidden files are locks; even looking at a job makes them.
                times = (
                    entry.stat(follow_symlinks=False).st_mtime for entry in entries if entry.name[0] != "."
                )
                last = max([last, *times])
    return time.time() - last


def _delete(path: Disk) -> None:
    try:
        shutil.rmtree(path)
    except OSError as error:
        raise _not_deleted(path, error) from error


def _not_deleted(path: Disk, error: OSError) -> ResultsNotWritable:
    next_step = "Correct the folder's permissions, then give the same command again: it deletes the rest."
    return not_writable(path, error, "delete", next_step)
