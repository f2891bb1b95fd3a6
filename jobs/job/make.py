"""Makes the job folder of a folder of scans or of some files, or reopens the one that there is."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import re
import uuid
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lettermill.jobs.errors import MENDABLE_WITHOUT_A_NEW_FILE, UsageProblem
from lettermill.jobs.inputs.reading_recipe import ReadingRecipe
from lettermill.jobs.job.folder import (
    JOB_FILE,
    VERSION,
    Job,
    locked,
    name_of_scans,
)
from lettermill.jobs.job.input_copies import write_copies
from lettermill.jobs.job.latest import LATEST
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.records.manifest import ManifestEntry, digest
from lettermill.jobs.scans.find import DOCUMENT_SUFFIXES, find_scans
from lettermill.jobs.scans.page_count import PageCounter
from lettermill.jobs.storage.display import display_path, not_writable
from lettermill.jobs.storage.hidden import is_hidden
from lettermill.jobs.storage.locate import locate
from lettermill.jobs.storage.place import Place

_NAME_CHARACTERS = 60
"""How much of the name of the scans, or of the token, a job folder's name begins with."""

_MOST_NAME_BYTES = 200
"""Of a name that a person gives: file systems take 255."""

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
    only: Sequence[str] = (),
    name: str = "",
    client_token: str = "",
    shared: bool = False,
    max_failures: int | None = None,
) -> Submission:
    """Make the job of a folder of scans, or of some files, or reopen it, and write its manifest.

    The same scans, recipe and name give the same job. Pages that have a result keep it, and pages of changed
    or new files are added. Failures that may have been mended without changing the file (limits, permissions,
    missing files) are forgotten, so that their pages are tried again.

    Args:
        folder: the scans.
        out: the folder that gets the job folder.
        recipe: how the pages are read.
        roots: what the workers see.
        only: read these files and folders (paths below the folder) instead of all.
        name: the job folder's name; without one it is made of the scans, the settings and a digest.
        client_token: a word chosen by the caller; it identifies the job in place of the scans' paths.
        shared: whether workers elsewhere read it.
        max_failures: stop the job when more pages than this have failed; None for never.

    Raises:
        UsageProblem: the folder cannot be listed, or one of the two lies outside of its root, or the results
            lie in the scan folder, or the name cannot be one or is that of another job.
        NoScans: there is nothing to read.
        ModelProblem: the model is damaged, or does not know the alphabet.
        ResultsNotWritable: the job folder cannot be written.
    """
    folder, out = locate(folder).resolve(), locate(out).resolve()
    _check_folders(folder, out, roots, bool(only))
    recipe.check_alphabet()
    scans, left_out = find_scans(folder, only or ("",))
    origin = client_token or name_of_scans(folder, only)
    called = client_token or (PurePosixPath(only[0]).stem if len(only) == 1 else folder.name)
    path = out / (_checked(name) or _usual_name(called, origin, recipe))
    recipe.model.check()  # Before a folder is made.
    try:
        path.make()
        with locked(path):
            job, reopened = _open_or_make(path, folder, recipe, digest(origin))
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


def _check_folders(folder: Place, out: Place, roots: Roots, in_part: bool) -> None:
    """Check where the two folders lie.

    Args:
        folder: the scans.
        out: the folder that gets the job folder.
        roots: what the workers see.
        in_part: whether only some files of the folder are read, so that results in it are not.

    Raises:
        UsageProblem: outside of the roots, or OUT in the scan folder.
    """
    if not in_part and _lies_in(out, folder):
        raise UsageProblem(
            f"the result folder {display_path(out)} lies in the scan folder {display_path(folder)}",
            "Give --out a folder beside it: results would be taken for scans.",
        )
    roots.below(roots.scans, folder, "--scans")
    roots.below(roots.results, out, "--results")


def _usual_name(called: str, origin: str, recipe: ReadingRecipe) -> str:
    """Return a job folder's name: what is read, how, and a digest of both and the model."""
    identity = digest(origin, recipe.settings.fingerprint(), recipe.model.fingerprint)
    words = [called[:_NAME_CHARACTERS], *recipe.settings.summary]
    readable = [re.sub(r"[^A-Za-z0-9._-]+", "-", word).strip("-.") for word in words]
    return "-".join([readable[0] or "scans", *readable[1:], identity[:_DIGEST_CHARACTERS]])


def _checked(name: str) -> str:
    """Return the name that a person gave a job.

    Raises:
        UsageProblem: no folder can have it, or it has a meaning of its own.
    """
    if name and (
        is_hidden(name)
        or name == LATEST
        or "/" in name
        or not name.isprintable()
        or name != name.strip()
        or len(os.fsencode(name)) > _MOST_NAME_BYTES
    ):
        raise UsageProblem(
            f"no job can be called {name!r}",
            f"Give the name of a folder, without /, not {LATEST} and not with a dot in front.",
        )
    return name


def _lies_in(inner: Place, folder: Place) -> bool:
    try:
        inner.below(folder)
    except ValueError:
        return False
    return True


def _open_or_make(path: Place, scans: Place, recipe: ReadingRecipe, origin: str) -> tuple[Job, bool]:
    """Return a job with the recipe's settings, and whether it existed before.

    Raises:
        UsageProblem: there is another job of this name.
    """
    reopened = (path / JOB_FILE).exists()
    if not reopened:
        _make_folder(path, recipe, scans, origin)
    job = Job.open(path)
    _check_same(job, recipe, origin)
    job = dataclasses.replace(job, settings=recipe.settings, scan_root=str(scans))
    if reopened:
        job.check_inputs()  # Before pages are queued.
    return job, reopened


def _check_same(job: Job, recipe: ReadingRecipe, origin: str) -> None:
    """Check that a folder holds the job that was asked for: a person may give a name twice.

    Raises:
        UsageProblem: it holds another one.
    """
    if job.settings.fingerprint() != recipe.settings.fingerprint():
        other = f"its pages are read otherwise ({', '.join(job.settings.summary)})"
    elif job.model_fingerprint != recipe.model.fingerprint:
        other = "its pages are read with another model"
    elif job.origin and job.origin != origin:  # Jobs that were made before it was kept have none.
        other = "it was made of other scans"
    else:
        return
    raise UsageProblem(
        f"{display_path(job.path)} is another job: {other}",
        "Give --name another name, or leave it out. To continue the other job: lettermill resume.",
    )


def _make_folder(path: Place, recipe: ReadingRecipe, scans: Place, origin: str) -> None:
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
        origin=origin,
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
