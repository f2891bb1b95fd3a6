"""Pages of a message: from the manifest entry to the result in the job folder.

`PageService` is what the Celery tasks call. It keeps the rules that make a job lose nothing: an attempt is
recorded before a scan is opened, a page that has a result is left alone, and whatever goes wrong with a
page ends as its result.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
from celery import Celery

from jobs.errors import ErrorCode, LettermillError, ScanError
from jobs.feed import Feed
from jobs.job import MAX_ATTEMPTS, Job, ManifestEntry, Roots
from jobs.queue import UNREACHABLE, connect
from jobs.readings import Measured, PageReading, Status
from jobs.scans import read_page
from segmentation.quality import find_flaws
from segmentation.values import Quality
from worker.classifier import Classifier
from worker.debug import Drawing, write_drawing
from worker.lexicon import Lexicon
from worker.reading import read_lines

logger = logging.getLogger("lettermill")


class PageService:
    """Reads pages below the worker's two roots.

    Args:
        app: the Celery application.
        broker: the broker's address.
        roots: the only folders that messages can name things in.
        debug: the folder for drawings of the pages, if any.
    """

    def __init__(self, app: Celery, broker: str, roots: Roots, debug: Path | None = None) -> None:
        self._app = app
        self._roots = roots
        self._debug = debug
        self._redis = connect(broker)

    def read(self, below: str, scans_below: str, epoch: str, pages: list[dict[str, Any]]) -> None:
        """Work on a message: read its pages, then see to it that the queue has the next ones.

        Args:
            below: the job folder's path below the result root.
            scans_below: the path of the job's scans below the scan root.
            epoch: the word that tells messages that are out of date.
            pages: manifest entries.

        Raises:
            NotAJob, ModelProblem: the job cannot be worked on; the message is dropped and the error logged.
            ResultsNotWritable: the result folder takes nothing; the pages are queued again later.
            ValueError: the message holds something that is no page.
        """
        job, feed = self._job(below)
        scans = self._roots.scans / _inside(scans_below)
        entries = [ManifestEntry(**page) for page in pages]
        with _redis_may_be_away("asking whether a message is current"):
            if not feed.is_current(epoch):
                return
        for entry in entries:
            if job.has_result(entry.id):
                continue
            try:
                job.write_result(_read_page(job, scans, entry, self._debug))
            except LettermillError:
                job.take_back_attempt(entry.id)  # The disk or the model is at fault, not the page.
                raise
        self._finish(feed, entries)

    def split_lost(
        self, below: str, scans_below: str, epoch: str, pages: list[dict[str, Any]], cause: str
    ) -> None:
        """Deal with a message whose process died: queue its unfinished pages again, each alone.

        The page that was open has an attempt on record, so the one that kills its worker every time is
        quarantined by the worker that finds three of them.
        """
        job, feed = self._job(below)
        entries = [ManifestEntry(**page) for page in pages]
        finished = [entry for entry in entries if job.has_result(entry.id)]
        unfinished = [entry for entry in entries if entry not in finished]
        for entry in unfinished:
            if job.attempts(entry.id):
                job.note_loss(entry.id, cause)
        with _redis_may_be_away("queueing the pages of a lost worker again"):
            feed.queue_singly(unfinished, epoch)
        if finished:
            self._finish(feed, finished)

    def time_out(
        self, below: str, scans_below: str, epoch: str, pages: list[dict[str, Any]], seconds: float
    ) -> None:
        """Deal with a message that hit the hard time limit.

        The unfinished pages of a batch are queued again, each alone; a page that was alone is the guilty
        one and fails with TIMEOUT.
        """
        if len(pages) > 1:
            self.split_lost(below, scans_below, epoch, pages, f"time limit of {seconds:g} s reached")
            return
        job, feed = self._job(below)
        entry = ManifestEntry(**pages[0])
        if not job.has_result(entry.id):
            job.write_result(
                PageReading(
                    page_id=entry.id,
                    scan=entry.scan,
                    page=entry.page,
                    status=Status.FAILED,
                    error_code=ErrorCode.TIMEOUT,
                    error=f"the page took longer than {seconds:g} s: raise the limit with --page-seconds",
                    seconds=seconds,
                    attempts=job.attempts(entry.id),
                )
            )
        self._finish(feed, [entry])

    def _finish(self, feed: Feed, entries: Sequence[ManifestEntry]) -> None:
        with _redis_may_be_away("queueing the next pages"):
            feed.finished(entry.id for entry in entries)
            feed.top_up()

    def _job(self, below: str) -> tuple[Job, Feed]:
        path = self._roots.results / _inside(below)
        job = _opened(path, _version(path))
        return job, Feed(job, below, self._app, self._redis)


def _read_page(job: Job, scans: Path, entry: ManifestEntry, debug: Path | None) -> PageReading:
    failed = functools.partial(
        PageReading, page_id=entry.id, scan=entry.scan, page=entry.page, status=Status.FAILED
    )
    attempt = job.begin_attempt(entry.id)
    if attempt > MAX_ATTEMPTS:
        cause = job.last_loss(entry.id) or "the worker's machine or main process ended"
        return dataclasses.replace(
            failed(error_code=ErrorCode.WORKER_LOST),
            status=Status.QUARANTINED,
            error=f"the page ended its worker {MAX_ATTEMPTS} times; last cause: {cause}. "
            "Look at the scan; `lettermill resume JOB --failed` tries it again",
            attempts=MAX_ATTEMPTS,
        )
    begun = time.monotonic()
    try:
        reading = _letters(job, scans, entry, debug)
    except ScanError as error:
        reading = failed(error_code=error.code, error=error.message)
    except LettermillError:
        raise
    except Exception as error:
        reading = _failure(failed, error, job, entry)
    return dataclasses.replace(reading, seconds=round(time.monotonic() - begun, 3), attempts=attempt)


def _letters(job: Job, scans: Path, entry: ManifestEntry, debug: Path | None) -> PageReading:
    path = scans / _inside(entry.scan)
    _check_unchanged(path, entry)
    settings = job.settings
    pixels = read_page(path, entry.page, settings.dpi, settings.limits, entry.pages)
    classifier, lexicon = _classifier(job), _lexicon(job)
    if debug is None:
        lines, segmentation = read_lines(pixels, settings, classifier, lexicon)
    else:
        drawing = Drawing(pixels)
        lines, segmentation = read_lines(pixels, settings, classifier, lexicon, drawing)
        write_drawing(debug / entry.drawing, drawing.picture(lines))
    return PageReading(
        page_id=entry.id,
        scan=entry.scan,
        page=entry.page,
        status=Status.DONE if lines else Status.EMPTY,
        lines=lines,
        skew_degrees=round(segmentation.skew_degrees, 3),
        quality=tuple(flaw.value for flaw in find_flaws(segmentation)),
        measured=_measured(segmentation.quality),
    )


def _measured(quality: Quality) -> Measured:
    """Round what was measured: three decimals tell all that a person can see."""
    return Measured(
        **{
            name: None if value is None else round(value, 3)
            for name, value in dataclasses.asdict(quality).items()
        }
    )


@functools.lru_cache(maxsize=64)
def _opened(path: Path, version: int) -> Job:
    """Open a job once for each version of its job.json."""
    return Job.open(path)


def _version(path: Path) -> int:
    try:
        return (path / "job.json").stat().st_mtime_ns
    except OSError:
        return 0  # Job.open says what is wrong.


@functools.lru_cache(maxsize=4)
def _loaded(path: Path, fingerprint: str, characters: str) -> Classifier:
    return Classifier(Job.open(path).model, characters)


def _classifier(job: Job) -> Classifier:
    """Return the job's classifier; a process keeps the last four."""
    return _loaded(job.path, job.model_fingerprint, job.settings.characters)


@functools.lru_cache(maxsize=1)
def _listed(path: Path, digest: str) -> Lexicon | None:
    words = Job.open(path).lexicon
    return Lexicon(words) if words else None


def _lexicon(job: Job) -> Lexicon | None:
    """Return the job's word list ready for searching; a process keeps the last one, for it may be large."""
    return _listed(job.path, job.settings.lexicon) if job.settings.lexicon else None


def _check_unchanged(path: Path, entry: ManifestEntry) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ScanError(
            ErrorCode.SCAN_GONE,
            "the file was there when the job was made and is gone: put it back and run again",
        ) from error
    except OSError as error:
        raise ScanError(
            ErrorCode.NOT_READABLE,
            f"the file cannot be read ({error.strerror}): correct its permissions or check the disk, "
            "and run again",
        ) from error
    if (status.st_size, status.st_mtime_ns) != (entry.bytes, entry.mtime_ns):
        raise ScanError(
            ErrorCode.SCAN_CHANGED, "the file was changed after the job was made: run again to read it anew"
        )


def _failure(
    failed: functools.partial[PageReading], error: Exception, job: Job, entry: ManifestEntry
) -> PageReading:
    """Return the result of a page on which reading itself failed; the traceback goes to the log."""
    if isinstance(error, MemoryError) or (isinstance(error, cv2.error) and "memory" in str(error).lower()):
        return failed(
            error_code=ErrorCode.OUT_OF_MEMORY,
            error="the page needs more memory than there is: use fewer --workers, or a smaller scan",
        )
    place = traceback.extract_tb(error.__traceback__)[-1]
    logger.exception("%s, page %d of job %s: reading failed", entry.scan, entry.page, job.path.name)
    return failed(
        error_code=ErrorCode.INTERNAL,
        error=f"Lettermill itself failed at {place.filename}:{place.lineno} "
        f"({type(error).__name__}: {str(error)[:200]}): please report it",
    )


def _inside(path: str) -> PurePosixPath:
    """Return a path of a message, which may not lead out of its root.

    Raises:
        ValueError: it would.
    """
    below = PurePosixPath(path)
    if below.is_absolute() or ".." in below.parts:
        raise ValueError(f"a message names {path!r}, which lies outside of the worker's roots")
    return below


@contextlib.contextmanager
def _redis_may_be_away(doing: str) -> Iterator[None]:
    """Go on where Redis does not answer: results are on disk, and `jobs.feed.Sweep` repairs the queue."""
    try:
        yield
    except UNREACHABLE as error:
        logger.warning("Redis did not answer while %s: %s", doing, error)
