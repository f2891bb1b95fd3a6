"""Submitting: a folder of scans becomes a job folder, or opens the one that it has."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import re
import uuid
from collections.abc import Sequence
from pathlib import Path

import msgspec

from lettermill.jobs.errors import MENDABLE_WITHOUT_A_NEW_FILE, UsageProblem
from lettermill.jobs.inputs.form_template import Template
from lettermill.jobs.inputs.model import CARD_FILE, MODEL_FILE, Model
from lettermill.jobs.inputs.word_list import WordList
from lettermill.jobs.job.folder import (
    JOB_FILE,
    LEXICON_FILE,
    TEMPLATE_FILE,
    TEMPLATE_FOLDER,
    VERSION,
    Job,
    Roots,
    locked,
)
from lettermill.jobs.records.manifest import ManifestEntry, digest
from lettermill.jobs.scans.find import DOCUMENT_SUFFIXES, find_scans
from lettermill.jobs.scans.page_count import PageCounter
from lettermill.jobs.settings import Settings
from lettermill.jobs.storage.display import display_path, not_writable
from lettermill.jobs.storage.locate import locate
from lettermill.jobs.storage.place import Place


@dataclasses.dataclass(frozen=True, slots=True)
class Submission:
    """What making or reopening a job found.

    Attributes:
        job: the job.
        pages: pages in the manifest.
        to_read: pages without a result.
        other_files: files below the scan root that are no scans.
    """

    job: Job
    pages: int
    to_read: int
    other_files: int


def make_job(
    folder: Path | Place,
    out: Path | Place,
    settings: Settings,
    model: Model,
    roots: Roots,
    client_token: str = "",
    shared: bool = False,
    lexicon: WordList | None = None,
    max_failures: int | None = None,
    only: Sequence[str] | None = None,
    template: Template | None = None,
) -> Submission:
    """Make the job of a folder of scans, or reopen it, and write its manifest.

    The same folder, settings and model give the same job; pages that have a result keep it, and pages of
    changed or new files are added. Failures that may have been mended without touching the file (limits,
    permissions, files that were gone) are forgotten, so that they are tried again.

    Args:
        folder: the scans.
        out: the folder that gets the job folder.
        settings: how to read.
        model: with what to read.
        roots: what the workers see.
        client_token: a name of the caller's own that decides the job instead of the folder.
        shared: whether workers elsewhere read it.
        lexicon: the words that lines are read with a second time.
        max_failures: stop the job when more pages than this have failed; None for never.
        only: read these scans (paths below the folder) instead of all that lie there.
        template: the form whose fields are read.

    Raises:
        UsageProblem: the folder cannot be listed, or one of the two lies outside of its root, or OUT lies
            in the scan folder.
        NoScans: there is nothing to read.
        ModelProblem: the model is damaged, or does not know the alphabet.
        ResultsNotWritable: the result folder does not take the job.
    """
    folder, out = locate(folder).resolve(), locate(out).resolve()
    if _lies_in(out, folder):
        raise UsageProblem(
            f"the result folder {display_path(out)} lies in the scan folder {display_path(folder)}",
            "Give --out a folder beside it: results would be taken for scans.",
        )
    roots.below(roots.scans, folder, "--scans")
    roots.below(roots.results, out, "--results")
    model.check_knows(settings.characters)
    settings = msgspec.structs.replace(
        settings,
        lexicon=lexicon.digest if lexicon else None,
        template=template.digest if template else None,
    )
    scans, other_files = (only, 0) if only is not None else find_scans(folder)

    identity = client_token or os.fsencode(str(folder)).decode("utf-8", "backslashreplace")
    name = digest(identity, settings.fingerprint(), model.fingerprint)
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", client_token or folder.name).strip("-.") or "scans"
    path = out / f"{readable[:60]}-{name[:10]}"
    model.network  # noqa: B018 - it must be whole before a folder is made
    try:
        path.make()
        with locked(path):
            reopened = (path / JOB_FILE).exists()
            if not reopened:
                _make_job(path, settings, model, folder, lexicon, template)
            job = dataclasses.replace(
                Job.open(path), settings=settings, scan_root=str(folder), max_failures=max_failures
            )
            if reopened:
                job.model.network, job.lexicon, job.template  # noqa: B018 - the copies must be whole before pages are queued
            job = job.placed(roots, shared)
            job.uncancel()
            if reopened and job.manifest_path.exists():
                job.forget_results(codes=MENDABLE_WITHOUT_A_NEW_FILE)
            _write_manifest(job, folder, roots.scans, scans)
        tally = job.tally()
    except OSError as error:
        next_step = "Give --out a folder that you may write to."
        raise not_writable(path, error, "make the job folder", next_step) from error
    return Submission(job, tally.pages, tally.pages - tally.finished, other_files)


def _lies_in(inner: Place, folder: Place) -> bool:
    try:
        inner.below(folder)
    except ValueError:
        return False
    return True


def _make_job(
    path: Place,
    settings: Settings,
    model: Model,
    folder: Place,
    lexicon: WordList | None,
    template: Template | None,
) -> None:
    """Write a new job's copies of what it reads with, and job.json last: what has that is a job."""
    (path / "model" / MODEL_FILE).write(model.network)
    (path / "model" / CARD_FILE).write(model.folder.read(CARD_FILE))
    if lexicon:
        (path / LEXICON_FILE).write(lexicon.content)
    if template:
        for name, content in template.files.items():
            (path / TEMPLATE_FOLDER / name).write(content)
        (path / TEMPLATE_FOLDER / TEMPLATE_FILE).write(template.content)
    Job(
        path=path,
        settings=settings,
        model_fingerprint=model.fingerprint,
        scan_root=str(folder),
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
                continue  # It went away while the folder was listed; nothing of it was promised.
            except OSError:
                size = mtime_ns = 0  # The worker that opens it records why it cannot be read.
            suffix = os.path.splitext(scan)[1].lower()  # noqa: PTH122
            pages = counter.count(f"{job.scans_below}/{scan}") if suffix in DOCUMENT_SUFFIXES else 1
            for page in range(1, pages + 1):
                entry = ManifestEntry.of(scan, page, size, mtime_ns, pages, job.identity)
                file.write(entry.to_line())
