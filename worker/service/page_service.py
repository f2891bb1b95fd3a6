"""Works on messages: from their pages to results in the job folder, and back to the queue.

`PageService` is what the Celery task calls. It has the rules by which a job loses nothing: an attempt is
recorded before a scan is opened, a page that has a result is left alone, and every error with a page becomes
its result.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from celery import Celery

from lettermill.jobs.errors import ErrorCode, LettermillError
from lettermill.jobs.job.folder import JOB_FILE, Job
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.log import logger
from lettermill.jobs.queue.celery_app import UNREACHABLE, connect
from lettermill.jobs.queue.feed import Feed
from lettermill.jobs.queue.message import PagesMessage, inside
from lettermill.jobs.records.manifest import ManifestEntry
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.storage.display import display_path
from lettermill.jobs.storage.place import Place
from lettermill.worker.service.events import AttemptsLost, EventPipe, page_end, timed
from lettermill.worker.service.page_reading import failed_reading, read_entry


class PageService:
    """Reads pages below the worker's two roots.

    Args:
        app: the Celery application.
        broker: the broker's address.
        roots: the only folders in which messages can name anything.
        worker: the worker's id, as in its heartbeats.
        debug: the folder for drawings of the pages, if any.
        pipe: takes the events for the metrics, if there are any.
    """

    def __init__(
        self,
        app: Celery,
        broker: str,
        roots: Roots,
        worker: str,
        debug: Path | None = None,
        pipe: EventPipe | None = None,
    ) -> None:
        self._app = app
        self._roots = roots
        self._worker = worker
        self._debug = debug
        self._pipe = pipe
        self._redis = connect(broker)

    def read(self, message: PagesMessage) -> None:
        """Work on a message: read its pages, then queue the next ones.

        Args:
            message: the message.

        Raises:
            NotAJob, ModelProblem: the job cannot be worked on.
            ResultsNotWritable: the job folder cannot be written to.
            ValueError: the message names something that is no page of the job.
            Exception: any unexpected error. In each case the pages are queued again later.
        """
        job, feed = self._open(message.job)
        _check_pages(job, message)
        with _redis_may_be_away("taking a message"):
            if not feed.take(message.epoch, message.page_ids, self._worker):
                return
        inside(job.scans_below)
        locked: set[str] = set()
        for number, entry in enumerate(message.pages):
            if job.is_cancelled:
                with _redis_may_be_away("taking a stopped job out of the queue"):
                    feed.forget()
                return
            try:
                if not self._read(job, entry):
                    locked.add(entry.id)
            except Exception:
                with _redis_may_be_away("giving pages back"):
                    feed.give_back(message.page_ids[number:])
                raise
        self._finish(feed, [entry for entry in message.pages if entry.id not in locked])

    def _read(self, job: Job, entry: ManifestEntry) -> bool:
        """Read one page, unless it has a result.

        Returns:
            Whether the page has a result now; it has none where another process is reading it.
        """
        with job.attempts.begin(entry.id) as attempt:
            if attempt is None:
                return False
            if job.results.has(entry.id):
                job.attempts.forget(entry.id)
                return True
            seconds: dict[str, float] = {}
            try:
                reading = read_entry(job, self._roots.scans, entry, attempt, self._debug, seconds)
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
        if self._pipe:
            self._pipe.send(page_end(reading, seconds))

    def limit(self, message: PagesMessage) -> float:
        """Return how many seconds a message may take, according to its job.

        Raises:
            NotAJob, ValueError: there is no such job.
        """
        return self._open(message.job)[0].settings.limits.page_seconds

    def give_back(self, message: PagesMessage) -> None:
        """Give the pages of a message back: the sweep queues them again.

        Raises:
            NotAJob, ValueError: there is no such job.
        """
        job, feed = self._open(message.job)
        _check_pages(job, message)
        with _redis_may_be_away("giving pages back"):
            feed.give_back(message.page_ids)

    def split_lost(self, message: PagesMessage, cause: str) -> None:
        """Deal with a message whose process died: queue its unfinished pages again, each alone.

        The page that was open has an attempt on record. So a page that kills its worker every time is
        quarantined after three of them.

        Args:
            message: the message.
            cause: why the process died.
        """
        job, feed = self._open(message.job)
        _check_pages(job, message)
        finished = [entry for entry in message.pages if job.results.has(entry.id)]
        unfinished = [entry for entry in message.pages if entry not in finished]
        begun = [entry for entry in unfinished if job.attempts.count(entry.id)]
        for entry in begun:
            job.attempts.note_loss(entry.id, cause)
        if self._pipe:
            self._pipe.send(AttemptsLost(len(begun)))
        logger.warning("process_lost", job=display_path(job.path.name), pages=len(unfinished), cause=cause)
        if unfinished:
            with _redis_may_be_away("queueing the pages of a lost process again"):
                feed.queue_singly(unfinished, message.epoch)
        if finished:
            self._finish(feed, finished)

    def time_out(self, message: PagesMessage, seconds: float) -> None:
        """Deal with a message that hit the hard time limit.

        The unfinished pages of a batch are queued again, each alone. A page that was alone fails with
        TIMEOUT.

        Args:
            message: the message.
            seconds: the time limit.
        """
        if len(message.pages) > 1:
            self.split_lost(message, f"time limit of {seconds:g} s reached")
            return
        job, feed = self._open(message.job)
        _check_pages(job, message)
        (entry,) = message.pages
        if not job.results.has(entry.id):
            reason = f"the page took longer than {seconds:g} s: raise the limit with --page-seconds"
            reading = msgspec.structs.replace(
                failed_reading(entry, ErrorCode.TIMEOUT, reason),
                seconds=seconds,
                attempts=job.attempts.count(entry.id),
            )
            job.results.write(reading)
            self._report(job, reading, {})
            job.cancel_after_failures()
        self._finish(feed, [entry])

    def _finish(self, feed: Feed, entries: Sequence[ManifestEntry]) -> None:
        with _redis_may_be_away("queueing the next pages"):
            feed.top_up([entry.id for entry in entries])

    def _open(self, below: str) -> tuple[Job, Feed]:
        """Return a job by its folder's path below the result root.

        Raises:
            NotAJob, ValueError: there is no such job.
        """
        path = self._roots.results / str(inside(below))
        job = _open_job(path, (path / JOB_FILE).version())
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


def _check_pages(job: Job, message: PagesMessage) -> None:
    """Check that the pages of a message belong to its job: their ids depend on its settings and model.

    Raises:
        ValueError: one does not, or its scan lies outside of the scan root.
    """
    for entry in message.pages:
        inside(entry.scan)
        if not entry.belongs_to(job.identity):
            raise ValueError(f"the page {entry.id} is none of this job's")


@functools.lru_cache(maxsize=64)
def _open_job(path: Place, version: str) -> Job:
    """Open a job once for each version of its job.json."""
    return Job.open(path)


@contextlib.contextmanager
def _redis_may_be_away(doing: str) -> Iterator[None]:
    """Continue where Redis does not answer: results are on disk, and `Sweep` repairs the queue.

    Args:
        doing: what is not done then, for the log.
    """
    try:
        yield
    except UNREACHABLE as error:
        logger.warning("redis_away", doing=doing, error=str(error))
