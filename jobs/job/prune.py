"""Deleting old jobs: whole job folders, and never anything else."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator

from lettermill.jobs.errors import NotAJob, ResultsNotWritable
from lettermill.jobs.job.folder import JOB_FILE, Job
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import not_writable

_DOOMED = ".lettermill-pruned-"
"""How the name of a folder begins that is being deleted: hidden, so that nobody takes it for a job."""

_DAY_SECONDS = 86_400


def old_jobs(out: Disk, days: int) -> Iterator[Disk]:
    """Find the jobs below a folder that nobody needs any more.

    Args:
        out: the folder; it is no candidate itself.
        days: how long nothing may have been written in a job.

    Yields:
        Folders of jobs that are complete or stopped.

    Raises:
        NotAJob: the folder does not exist.
    """
    for path in out.folders_with(JOB_FILE):
        if path != out and _is_old(path, days):
            yield path


def prune(paths: Iterable[Disk], days: int) -> int:
    """Delete job folders that are still old and that no command works on.

    A folder takes another name first and is deleted under that, so that half a job never looks like one.

    Args:
        paths: what `old_jobs` found.
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
                continue  # It went away in the meantime.
            if not alone or not _is_old(path, days):
                continue
            try:
                doomed = path.rename(path.with_name(_DOOMED + path.name))
            except OSError as error:
                raise _not_deleted(path, error) from error
        _delete(doomed)
        deleted += 1
    return deleted


def finish_pruning(out: Disk) -> None:
    """Delete what an earlier prune that was interrupted has left below a folder.

    Raises:
        ResultsNotWritable: something cannot be deleted.
    """
    for folder, subfolders, _ in os.walk(out):
        for name in [name for name in subfolders if name.startswith(_DOOMED)]:
            subfolders.remove(name)
            path = Disk(folder) / name
            if not path.is_symlink():
                _delete(path)


def _is_old(path: Disk, days: int) -> bool:
    try:
        return Job.open(path).tally().state != "unfinished" and _age(path) >= days * _DAY_SECONDS
    except (NotAJob, FileNotFoundError):
        return False  # A damaged job is for a person to look at; in one that changes somebody works.


def _age(path: Disk) -> float:
    """Return for how many seconds nothing was written in a job: a new file shows in its folder's time."""
    last = 0.0
    for folder in (path, path / "pages", path / "attempts"):
        if folder.is_dir():
            with os.scandir(folder) as entries:
                # Hidden ones are locks, which looking at a job makes, too.
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
