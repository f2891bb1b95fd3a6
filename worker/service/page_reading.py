"""Reads one page of a job: from the manifest entry to the PageReading, even where reading it fails."""

from __future__ import annotations

import dataclasses
import functools
import time
import traceback
from pathlib import Path

import cv2
import msgspec

from lettermill.jobs.errors import ErrorCode, LettermillError, ScanError
from lettermill.jobs.job.attempts import MAX_ATTEMPTS
from lettermill.jobs.job.folder import VERSION, Job
from lettermill.jobs.log import logger
from lettermill.jobs.machine import bound_memory
from lettermill.jobs.records import readings
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading, Status
from lettermill.jobs.scans.checks import memory_message
from lettermill.jobs.scans.reader import open_unchanged, read_page
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place
from lettermill.segmentation.quality import find_flaws
from lettermill.segmentation.trace import UNSEEN
from lettermill.segmentation.values import Quality
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.debug import Drawing, write_drawing
from lettermill.worker.reading.forms import Form
from lettermill.worker.reading.lexicon import Lexicon
from lettermill.worker.reading.read_lines import read_lines
from lettermill.worker.service.events import timed

_ERROR_CHARACTERS = 200
"""How much of an unexpected error's text a result quotes."""


def read_entry(
    job: Job,
    scans: Place,
    entry: ManifestEntry,
    attempt: int,
    debug: Path | None,
    stages: dict[str, float],
) -> PageReading:
    """Read one page.

    Args:
        job: its job.
        scans: the scan root.
        entry: the page.
        attempt: the number of this attempt, from 1; after too many the page is quarantined.
        debug: the folder for its drawing, if any.
        stages: gets the seconds that each stage of `lettermill.worker.service.events.STAGES` takes.

    Raises:
        LettermillError: the disk or the model is at fault, not the page.
    """
    if attempt > MAX_ATTEMPTS:
        cause = job.attempts.last_loss(entry.id) or "the worker's machine or main process ended"
        reason = (
            f"the page ended its worker {MAX_ATTEMPTS} times; last cause: {cause}. "
            "Look at the scan; `lettermill resume JOB --failed` tries it again"
        )
        quarantined = failed_reading(entry, ErrorCode.WORKER_LOST, reason)
        return msgspec.structs.replace(quarantined, status=Status.QUARANTINED, attempts=MAX_ATTEMPTS)
    begun = time.monotonic()
    try:
        reading = _read(job, scans, entry, debug, stages)
    except ScanError as error:
        reading = failed_reading(entry, error.code, error.message)
    except LettermillError:
        raise
    except Exception as error:
        reading = _unexpected(error, job, entry)
    seconds = round(time.monotonic() - begun, 3)
    return msgspec.structs.replace(reading, seconds=seconds, attempts=attempt)


def failed_reading(entry: ManifestEntry, code: ErrorCode, error: str) -> PageReading:
    """Return the result of a page that has no reading.

    Args:
        entry: the page.
        code: why.
        error: the same for a person.
    """
    return PageReading(entry.id, entry.scan, entry.page, Status.FAILED, code, error, version=VERSION)


def _read(
    job: Job, scans: Place, entry: ManifestEntry, debug: Path | None, stages: dict[str, float]
) -> PageReading:
    settings = job.settings
    bound_memory(settings.limits.memory_bytes)
    scan = f"{job.scans_below}/{entry.scan}"
    with timed(stages, "decode"), open_unchanged(scans, scan, entry, settings.limits) as file:
        pixels = read_page(file, entry.page, settings.dpi, settings.limits, entry.pages)
    classifier, lexicon, form = _classifier(job), _lexicon(job), _form(job)
    drawing = Drawing(pixels) if debug else None
    with timed(stages, "read"):
        if form:
            lines, segmentation = form.read(pixels, settings)
        else:
            lines, segmentation = read_lines(pixels, settings, classifier, lexicon, drawing or UNSEEN)
    if debug and drawing:
        write_drawing(debug / entry.drawing, drawing.picture(lines))
    height, width = pixels.shape
    return PageReading(
        entry.id,
        entry.scan,
        entry.page,
        Status.DONE if lines else Status.EMPTY,
        lines=lines,
        width=width,
        height=height,
        skew_degrees=round(float(segmentation.skew_degrees), 3),
        quality=tuple(flaw.value for flaw in find_flaws(segmentation)),
        measured=_measured(segmentation.quality),
        version=VERSION,
    )


def _measured(quality: Quality) -> readings.Quality:
    """Round the measures to three decimals: a person can see no more."""
    return readings.Quality(
        **{
            name: None if value is None else round(float(value), 3)
            for name, value in dataclasses.asdict(quality).items()
        }
    )


def _unexpected(error: Exception, job: Job, entry: ManifestEntry) -> PageReading:
    """Return the result of a page on which Lettermill itself failed; the traceback goes to the log."""
    if isinstance(error, MemoryError) or (isinstance(error, cv2.error) and "memory" in str(error).lower()):
        return failed_reading(entry, ErrorCode.OUT_OF_MEMORY, memory_message(job.settings.limits))
    place = traceback.extract_tb(error.__traceback__)[-1]
    logger.exception("reading_failed", job=display_path(job.path.name), page=entry.id)
    return failed_reading(
        entry,
        ErrorCode.INTERNAL,
        f"Lettermill itself failed at {place.filename}:{place.lineno} "
        f"({type(error).__name__}: {str(error)[:_ERROR_CHARACTERS]}): please report it",
    )


def _classifier(job: Job) -> Classifier:
    """Return the job's classifier; a process keeps the last four."""
    settings = job.settings
    return _load_classifier(job.path, job.model_fingerprint, settings.characters, settings.context)


@functools.lru_cache(maxsize=4)
def _load_classifier(path: Place, fingerprint: str, characters: str, context: str | None) -> Classifier:
    job = Job.open(path)
    return Classifier(job.model, characters, job.context.ngram if job.context else None)


def _lexicon(job: Job) -> Lexicon | None:
    """Return the job's word list ready for searching; a process keeps the last one, as it may be large."""
    return _load_lexicon(job.path, job.settings.lexicon) if job.settings.lexicon else None


@functools.lru_cache(maxsize=1)
def _load_lexicon(path: Place, digest: str) -> Lexicon | None:
    words = Job.open(path).lexicon
    return Lexicon(words) if words else None


def _form(job: Job) -> Form | None:
    """Return the job's form ready for reading; a process keeps the last four."""
    return _load_form(job.path, job.settings.template) if job.settings.template else None


@functools.lru_cache(maxsize=4)
def _load_form(path: Place, digest: str) -> Form | None:
    job = Job.open(path)
    return Form(job.template, _classifier(job)) if job.template else None
