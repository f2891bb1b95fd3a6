"""Makes the job folder of a folder of scans, or reopens the one that there is."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import re
import uuid
from collections.abc import Sequence
from pathlib import Path

from lettermill.jobs.errors import MENDABLE_WITHOUT_A_NEW_FILE, UsageProblem
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import (
    JOB_FILE,
    VERSION,
    Job,
    locked,
)
from lettermill.jobs.job.input_copies import write_copies
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.records.left_out import NOTHING
from lettermill.jobs.records.manifest import ManifestEntry, digest
from lettermill.jobs.scans.find import DOCUMENT_SUFFIXES, find_scans
from lettermill.jobs.scans.page_count import PageCounter
from lettermill.jobs.storage.display import display_path, not_writable
from lettermill.jobs.storage.locate import locate
from lettermill.jobs.storage.place import Place

_NAME_CHARACTERS = 60
"""How much of the scan folder's name or of the token a job folder's name begins with."""

_DIGEST_CHARACTERS = 10


@dataclasses.dataclass(frozen=True, slots=True)
class Submission:
    """What there was to read when a job was made or reopened.

    Attributes:
        job: the job.
        pages: pages in the manifest.
        to_read: pages without a result.
    """

    job: Job
    pages: int
    to_read: int


def make_job(
    folder: Path | Place,
    out: Path | Place,
    recipe: ReadingRecipe,
    roots: Roots,
    *,
    client_token: str = "",
    shared: bool = False,
    max_failures: int | None = None,
    only: Sequence[str] | None = None,
) -> Submission:
    """Make the job of a folder of scans, or reopen it, and write its manifest.

    The same folder and recipe give the same job. Pages that have a result keep it, and pages of changed or
    new files are added. Failures that may have been mended without changing the file (limits, permissions,
    missing files) are forgotten, so that their pages are tried again.

    Args:
        folder: the scans.
        out: the folder that gets the job folder.
        recipe: how the pages are read.
        roots: what the workers see.
        client_token: a name chosen by the caller; it identifies the job in place of the scan folder's path.
        shared: whether workers elsewhere read it.
        max_failures: stop the job when more pages than this have failed; None for never.
        only: read these scans (paths below the folder) instead of all.

    Raises:
        UsageProblem: the folder cannot be listed, or one of the two lies outside of its root, or OUT lies
            in the scan folder.
        NoScans: there is nothing to read.
        ModelProblem: the model is damaged, or does not know the alphabet.
        ResultsNotWritable: the job folder cannot be written.
    """
    folder, out = locate(folder).resolve(), locate(out).resolve()
    _check_folders(folder, out, roots)
    recipe.check_alphabet()
    scans, left_out = (only, NOTHING) if only is not None else find_scans(folder)
    path = _job_folder(folder, out, recipe, client_token)
    recipe.model.check()  # Before a folder is made.
    try:
        path.make()
        with locked(path):
            job, reopened = _open_or_make(path, folder, recipe)
            job = dataclasses.replace(job, max_failures=max_failures, left_out=left_out)
            job = job.placed(roots, shared)
            job.uncancel()
            if reopened and job.manifest_path.exists():
                job.forget_results(codes=MENDABLE_WITHOUT_A_NEW_FILE)
            _write_manifest(job, folder, roots.scans, scans)
        tally = job.tally()
    except OSError as error:
        next_step = "Give --out a folder that you may write to."
        raise not_writable(path, error, "make the job folder", next_step) from error
    return Submission(job, tally.pages, tally.pages - tally.finished)


def _check_folders(folder: Place, out: Place, roots: Roots) -> None:
    """Check where the two folders lie.

    Raises:
        UsageProblem: outside of the roots, or OUT in the scan folder.
    """
    if _lies_in(out, folder):
        raise UsageProblem(
            f"the result folder {display_path(out)} lies in the scan folder {display_path(folder)}",
            "Give --out a folder beside it: results would be taken for scans.",
        )
    roots.below(roots.scans, folder, "--scans")
    roots.below(roots.results, out, "--results")


def _job_folder(folder: Place, out: Place, recipe: ReadingRecipe, client_token: str) -> Place:
    """Return the path of the job folder: the same for the same scans, settings and model."""
    identity = client_token or os.fsencode(str(folder)).decode("utf-8", "backslashreplace")
    name = digest(identity, recipe.settings.fingerprint(), recipe.model.fingerprint)
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", client_token or folder.name).strip("-.") or "scans"
    return out / f"{readable[:_NAME_CHARACTERS]}-{name[:_DIGEST_CHARACTERS]}"


def _lies_in(inner: Place, folder: Place) -> bool:
    try:
        inner.below(folder)
    except ValueError:
        return False
    return True


def _open_or_make(path: Place, scans: Place, recipe: ReadingRecipe) -> tuple[Job, bool]:
    """Return a job with the recipe's settings, and whether it existed before."""
    reopened = (path / JOB_FILE).exists()
    if not reopened:
        _make_folder(path, recipe, scans)
    job = dataclasses.replace(Job.open(path), settings=recipe.settings, scan_root=str(scans))
    if reopened:
        job.check_inputs()  # Before pages are queued.
    return job, reopened


def _make_folder(path: Place, recipe: ReadingRecipe, scans: Place) -> None:
    """Write a new job's copies of its inputs, and job.json last: a folder that has that file is a job."""
    write_copies(path, recipe)
    Job(
        path=path,
        settings=recipe.settings,
        model_fingerprint=recipe.model.fingerprint,
        scan_root=str(scans),
        scans_below="",
        shared=False,
        token=uuid.uuid4().hex[:12],
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        version=VERSION,
    ).write_first()


def _write_manifest(job: Job, folder: Place, root: Place, scans: Sequence[str]) -> None:
    with PageCounter(root, job.settings.limits) as counter, job.manifest_path.atomic_write() as file:
        for scan in scans:
            try:
                size, mtime_ns = folder.measure(scan)
            except FileNotFoundError:
                continue  # It was removed while the folder was listed.
            except OSError:
                size = mtime_ns = 0  # The worker that opens it records why it cannot be read.
            suffix = os.path.splitext(scan)[1].lower()  # noqa: PTH122
            pages = counter.count(f"{job.scans_below}/{scan}") if suffix in DOCUMENT_SUFFIXES else 1
            for page in range(1, pages + 1):
                entry = ManifestEntry.of(scan, page, size, mtime_ns, pages, job.identity)
                file.write(entry.to_line())
