"""Pages of a message: from the manifest entry to the result in the job folder.

`PageService` is what the Celery tasks call. It keeps the rules that make a job lose nothing: an attempt is
recorded before a scan is opened, a page that has a result is left alone, and whatever goes wrong with a
page ends as its result.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import msgspec
from celery import Celery

from lettermill.jobs.errors import ErrorCode, LettermillError, ScanError
from lettermill.jobs.job.attempts import MAX_ATTEMPTS
from lettermill.jobs.job.folder import JOB_FILE, VERSION, Job
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.log import logger
from lettermill.jobs.machine import bound_memory
from lettermill.jobs.queue.celery_app import UNREACHABLE, connect
from lettermill.jobs.queue.feed import Feed
from lettermill.jobs.queue.message import inside
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
from lettermill.worker.service.events import AttemptsLost, Wire, page_end, timed


class PageService:
    """Reads pages below the worker's two roots.

    Args:
        app: the Celery application.
        broker: the broker's address.
        roots: the only folders that messages can name things in.
        worker: the worker's id, under which it gives its signs of life.
        debug: the folder for drawings of the pages, if any.
        wire: takes what the metrics are made of, if there are any.
    """

    def __init__(
        self,
        app: Celery,
        broker: str,
        roots: Roots,
        worker: str,
        debug: Path | None = None,
        wire: Wire | None = None,
    ) -> None:
        self._app = app
        self._roots = roots
        self._worker = worker
        self._debug = debug
        self._wire = wire
        self._redis = connect(broker)

    def read(self, below: str, epoch: str, pages: list[dict[str, Any]]) -> None:
        """Work on a message: read its pages, then see to it that the queue has the next ones.

        Args:
            below: the job folder's path below the result root.
            epoch: the word that tells messages that are out of date.
            pages: manifest entries.

        Raises:
            NotAJob, ModelProblem: the job cannot be worked on.
            ResultsNotWritable: the result folder takes nothing.
            ValueError: the message names something that is no page of the job.
            Exception: what nobody foresaw. Whatever it is, the pages are queued again later.
        """
        job, feed = self._job(below)
        entries = _entries(job, pages)
        with _redis_may_be_away("taking a message"):
            if not feed.take(epoch, [entry.id for entry in entries], self._worker):
                return
        inside(job.scans_below)
        locked: set[str] = set()
        for number, entry in enumerate(entries):
            if job.is_cancelled:
                with _redis_may_be_away("taking a stopped job out of the queue"):
                    feed.forget()
                return
            try:
                if not self._read(job, entry):
                    locked.add(entry.id)
            except Exception:
                with _redis_may_be_away("giving pages back"):
                    feed.give_back([entry.id for entry in entries[number:]])
                raise
        self._finish(feed, [entry for entry in entries if entry.id not in locked])

    def _read(self, job: Job, entry: ManifestEntry) -> bool:
        """Read one page, unless it has a result.

        Returns:
            Whether the page has a result now; not where another process is at it.
        """
        with job.attempts.begin(entry.id) as attempt:
            if attempt is None:
                return False
            if job.results.has(entry.id):
                job.attempts.forget(entry.id)
                return True
            seconds: dict[str, float] = {}
            try:
                reading = _read_page(job, self._roots.scans, entry, attempt, self._debug, seconds)
                with timed(seconds, "write"):
                    job.results.write(reading)
            except LettermillError:
                job.attempts.take_back(entry.id)  # The disk or the model is at fault, not the page.
                raise
        self._report(job, reading, seconds)
        if reading.failed and job.cancel_after_failures():
            logger.warning(
                "job_stopped", job=display_path(job.path.name), reason="more failures than allowed"
            )
        return True

    def _report(self, job: Job, reading: PageReading, seconds: dict[str, float]) -> None:
        log_reading(job, reading)
        if self._wire:
            self._wire.tell(page_end(reading, seconds))

    def limit(self, below: str) -> float:
        """Return how many seconds a message of a job may take; the message itself is not asked.

        Raises:
            NotAJob, ValueError: there is no such job.
        """
        return self._job(below)[0].settings.limits.page_seconds

    def give_back(self, below: str, pages: list[dict[str, Any]]) -> None:
        """Give the pages of a message back that could not be dealt with: the sweep queues them again.

        Raises:
            NotAJob, ValueError: there is no such job.
        """
        job, feed = self._job(below)
        with _redis_may_be_away("giving pages back"):
            feed.give_back([entry.id for entry in _entries(job, pages)])

    def split_lost(self, below: str, epoch: str, pages: list[dict[str, Any]], cause: str) -> None:
        """Deal with a message whose process died: queue its unfinished pages again, each alone.

        The page that was open has an attempt on record, so the one that kills its worker every time is
        quarantined by the worker that finds three of them.
        """
        job, feed = self._job(below)
        entries = _entries(job, pages)
        finished = [entry for entry in entries if job.results.has(entry.id)]
        unfinished = [entry for entry in entries if entry not in finished]
        begun = [entry for entry in unfinished if job.attempts.count(entry.id)]
        for entry in begun:
            job.attempts.note_loss(entry.id, cause)
        if self._wire:
            self._wire.tell(AttemptsLost(len(begun)))
        logger.warning("process_lost", job=display_path(job.path.name), pages=len(unfinished), cause=cause)
        if unfinished:
            with _redis_may_be_away("queueing the pages of a lost process again"):
                feed.queue_singly(unfinished, epoch)
        if finished:
            self._finish(feed, finished)

    def time_out(self, below: str, epoch: str, pages: list[dict[str, Any]], seconds: float) -> None:
        """Deal with a message that hit the hard time limit.

        The unfinished pages of a batch are queued again, each alone; a page that was alone is the guilty
        one and fails with TIMEOUT.
        """
        if len(pages) > 1:
            self.split_lost(below, epoch, pages, f"time limit of {seconds:g} s reached")
            return
        job, feed = self._job(below)
        (entry,) = _entries(job, pages)
        if not job.results.has(entry.id):
            reading = PageReading(
                page_id=entry.id,
                scan=entry.scan,
                page=entry.page,
                status=Status.FAILED,
                error_code=ErrorCode.TIMEOUT,
                error=f"the page took longer than {seconds:g} s: raise the limit with --page-seconds",
                seconds=seconds,
                attempts=job.attempts.count(entry.id),
                version=VERSION,
            )
            job.results.write(reading)
            self._report(job, reading, {})
            job.cancel_after_failures()
        self._finish(feed, [entry])

    def _finish(self, feed: Feed, entries: Sequence[ManifestEntry]) -> None:
        with _redis_may_be_away("queueing the next pages"):
            feed.top_up([entry.id for entry in entries])

    def _job(self, below: str) -> tuple[Job, Feed]:
        path = self._roots.results / str(inside(below))
        job = _opened(path, (path / JOB_FILE).version())
        try:
            job.path.below(self._roots.results)
        except ValueError:
            raise ValueError("the job folder is a link that leads out of the result root") from None
        return job, Feed(job, below, self._app, self._redis)


def log_reading(job: Job, reading: PageReading) -> None:
    """Log how a page ended: counts and codes, no letters and no names."""
    values: dict[str, object] = {"seconds": reading.seconds, "attempt": reading.attempts}
    if reading.error_code:
        values["code"] = reading.error_code.value
    else:
        values["letters"] = len(reading.letters)
    logger.info(
        "page_failed" if reading.failed else "page_done",
        job=display_path(job.path.name),
        page=reading.page_id,
        status=reading.status.value,
        **values,
    )


def _entries(job: Job, pages: list[dict[str, Any]]) -> list[ManifestEntry]:
    """Return the pages of a message.

    Raises:
        ValueError: something is no page, or none that this job could have: ids depend on settings and model.
    """
    entries = [ManifestEntry.from_json(page) for page in pages]
    for entry in entries:
        inside(entry.scan)
        if not entry.belongs_to(job.identity):
            raise ValueError(f"the page {entry.id} is none of this job's")
    return entries


def _read_page(
    job: Job,
    scans: Place,
    entry: ManifestEntry,
    attempt: int,
    debug: Path | None,
    stages: dict[str, float],
) -> PageReading:
    failed = functools.partial(
        PageReading, page_id=entry.id, scan=entry.scan, page=entry.page, status=Status.FAILED
    )
    if attempt > MAX_ATTEMPTS:
        cause = job.attempts.last_loss(entry.id) or "the worker's machine or main process ended"
        return PageReading(
            page_id=entry.id,
            scan=entry.scan,
            page=entry.page,
            status=Status.QUARANTINED,
            error_code=ErrorCode.WORKER_LOST,
            error=f"the page ended its worker {MAX_ATTEMPTS} times; last cause: {cause}. "
            "Look at the scan; `lettermill resume JOB --failed` tries it again",
            attempts=MAX_ATTEMPTS,
            version=VERSION,
        )
    begun = time.monotonic()
    try:
        reading = _letters(job, scans, entry, debug, stages)
    except ScanError as error:
        reading = failed(error_code=error.code, error=error.message)
    except LettermillError:
        raise
    except Exception as error:
        reading = _failure(failed, error, job, entry)
    seconds = round(time.monotonic() - begun, 3)
    return msgspec.structs.replace(reading, seconds=seconds, attempts=attempt, version=VERSION)


def _letters(
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
        page_id=entry.id,
        scan=entry.scan,
        page=entry.page,
        width=width,
        height=height,
        status=Status.DONE if lines else Status.EMPTY,
        lines=lines,
        skew_degrees=round(float(segmentation.skew_degrees), 3),
        quality=tuple(flaw.value for flaw in find_flaws(segmentation)),
        measured=_measured(segmentation.quality),
    )


def _measured(quality: Quality) -> readings.Quality:
    """Round what was measured: three decimals tell all that a person can see."""
    return readings.Quality(
        **{
            name: None if value is None else round(float(value), 3)
            for name, value in dataclasses.asdict(quality).items()
        }
    )


@functools.lru_cache(maxsize=64)
def _opened(path: Place, version: str) -> Job:
    """Open a job once for each version of its job.json."""
    return Job.open(path)


@functools.lru_cache(maxsize=4)
def _loaded(path: Place, fingerprint: str, characters: str) -> Classifier:
    return Classifier(Job.open(path).model, characters)


def _classifier(job: Job) -> Classifier:
    """Return the job's classifier; a process keeps the last four."""
    return _loaded(job.path, job.model_fingerprint, job.settings.characters)


@functools.lru_cache(maxsize=1)
def _listed(path: Place, digest: str) -> Lexicon | None:
    words = Job.open(path).lexicon
    return Lexicon(words) if words else None


def _lexicon(job: Job) -> Lexicon | None:
    """Return the job's word list ready for searching; a process keeps the last one, for it may be large."""
    return _listed(job.path, job.settings.lexicon) if job.settings.lexicon else None


@functools.lru_cache(maxsize=4)
def _prepared(path: Place, digest: str) -> Form | None:
    job = Job.open(path)
    return Form(job.template, _classifier(job)) if job.template else None


def _form(job: Job) -> Form | None:
    """Return the job's form ready for reading; a process keeps the last four."""
    return _prepared(job.path, job.settings.template) if job.settings.template else None


def _failure(
    failed: functools.partial[PageReading], error: Exception, job: Job, entry: ManifestEntry
) -> PageReading:
    """Return the result of a page on which reading itself failed; the traceback goes to the log."""
    if isinstance(error, MemoryError) or (isinstance(error, cv2.error) and "memory" in str(error).lower()):
        return failed(
            error_code=ErrorCode.OUT_OF_MEMORY,
            error=memory_message(job.settings.limits),
        )
    place = traceback.extract_tb(error.__traceback__)[-1]
    logger.exception("reading_failed", job=display_path(job.path.name), page=entry.id)
    return failed(
        error_code=ErrorCode.INTERNAL,
        error=f"Lettermill itself failed at {place.filename}:{place.lineno} "
        f"({type(error).__name__}: {str(error)[:200]}): please report it",
    )


@contextlib.contextmanager
def _redis_may_be_away(doing: str) -> Iterator[None]:
    """Go on where Redis does not answer: results are on disk, and `Sweep` repairs the queue."""
    try:
        yield
    except UNREACHABLE as error:
        logger.warning("redis_away", doing=doing, error=str(error))
