"""Finds the job that a person means: by its folder, name without the hash, scans, or as the latest."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence

from lettermill.jobs.errors import LettermillError, NotAJob
from lettermill.jobs.job.folder import JOB_FILE, Job, name_of_scans
from lettermill.jobs.job.latest import LATEST, find_latest, last_used
from lettermill.jobs.records.manifest import digest
from lettermill.jobs.scans.find import common_folder, is_scan
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place

_MOST_NAMED = 8
"""How many jobs an error names."""


def find_job(meant: Place, out: Place) -> Place:
    """Return the job folder that a person means.

    It is the first of these that exists: the folder itself; the job that was last used, for `latest`; the one
    job below the folder; the one job that was made of exactly these scans; the one job whose name begins so.

    Args:
        meant: the path that was given.
        out: the folder that holds the job folders, where names are looked up.

    Raises:
        NotAJob: there is none, or more than one.
    """
    if (meant / JOB_FILE).exists():
        return meant
    by_name = isinstance(meant, Disk) and len(meant.parts) == 1
    if meant.name == LATEST:
        latest = find_latest(out if by_name else meant.parent)
        if latest is not None:
            return latest
    for found in _candidates(meant, out if by_name else meant.parent, out):
        if len(found) > 1:
            raise NotAJob(f"{display_path(meant)} may be any of {len(found)} jobs", _names(found))
        if found:
            return found[0]
    raise _no_job(meant, out)


def _candidates(meant: Place, beside: Place, out: Place) -> Iterator[list[Place]]:
    """Yield the jobs that may be meant, the surest first."""
    if meant.is_folder():
        yield list(meant.folders_with(JOB_FILE))
    if meant.exists() or meant.is_folder():
        origin = digest(name_of_scans(*common_folder([meant])))
        yield [folder for folder in _below(out) if _origin(folder) == origin]
    if isinstance(beside, Disk):
        beginning = glob.escape(meant.name)
        yield [path.parent for path in beside.glob(f"{beginning}*/{JOB_FILE}") if path.parent.name != LATEST]


def _below(out: Place) -> list[Place]:
    return list(out.folders_with(JOB_FILE)) if out.is_folder() else []


def _origin(folder: Place) -> str | None:
    try:
        return Job.open(folder).origin
    except LettermillError:
        return None  # A damaged job is none of anything: whoever names it gets the reason.


def _no_job(meant: Place, out: Place) -> NotAJob:
    """Return the error for a path that leads to no job: what is there, and what to do with it."""
    shown = display_path(meant)
    if is_scan(meant.name) and meant.exists():
        return NotAJob(f"{shown} is a scan, not a job", f"Read it first: lettermill run '{shown}'")
    if meant.is_folder() and any(map(is_scan, meant.files())):
        return NotAJob(f"{shown} is a folder of scans, not a job", f"Read it first: lettermill run '{shown}'")
    what = "is not a job folder (it has no job.json)" if meant.is_folder() else "does not exist"
    return NotAJob(f"{shown} {what}", _names(_below(out)))


def _names(folders: Sequence[Place]) -> str:
    """Return a sentence that names jobs, the latest first."""
    if not folders:
        return "Give the job folder that `run` or `submit` printed; `lettermill jobs --out DIR` lists them."
    ordered = sorted(folders, key=last_used, reverse=True)
    names = [f"  {display_path(folder)}" for folder in ordered[:_MOST_NAMED]]
    if len(ordered) > _MOST_NAMED:
        names.append(f"  and {len(ordered) - _MOST_NAMED} more: `lettermill jobs --out DIR` lists them")
    return "\n".join(["Give one of these jobs (the latest first):", *names])
