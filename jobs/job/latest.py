"""Keeps the link `latest` beside the job folders: to the job that was last run, submitted or resumed."""

from __future__ import annotations

import contextlib
import os
import secrets

from lettermill.jobs.job.folder import JOB_FILE, Job
from lettermill.jobs.storage.atomic import TEMPORARY
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.place import Place

LATEST = "latest"
"""The name of the link, and what people write for the job that it leads to."""


def point_latest(job: Job) -> None:
    """Let the link beside a job folder lead to it, in one step.

    There is no link in an object store, on a file system without links, and where something else has its
    name: `find_latest` finds the job there too.

    Args:
        job: the job.
    """
    if not isinstance(job.path, Disk):
        return
    link = job.path.parent / LATEST
    if link.exists() and not link.is_symlink():
        return
    new = job.path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    # A convenience: a disk that has no links, or takes none now, must not stop a job.
    with contextlib.suppress(OSError):
        new.symlink_to(job.path.name)
        os.replace(new, link)  # noqa: PTH105


def find_latest(out: Place) -> Place | None:
    """Return the job folder below a folder that was last run, submitted or resumed; None if there is none.

    Args:
        out: the folder that holds the job folders.
    """
    if (out / LATEST / JOB_FILE).exists():
        return (out / LATEST).resolve()
    return max(out.folders_with(JOB_FILE), key=last_used, default=None) if out.is_folder() else None


def last_used(folder: Place) -> int:
    """Return when a job was last run, submitted or resumed, in nanoseconds: each of these writes job.json.

    It is 0 for a job that was deleted at this moment.
    """
    try:
        return folder.measure(JOB_FILE)[1]
    except FileNotFoundError:
        return 0
