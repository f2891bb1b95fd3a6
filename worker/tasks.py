"""The Celery tasks and what happens in the worker's main process when a child dies or takes too long."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

from billiard.exceptions import WorkerLostError
from celery import Celery, Task
from celery.worker import strategy
from celery.worker.request import Request
from kombu.message import Message

from jobs.errors import LettermillError
from jobs.feed import BATCH_PAGES
from jobs.log import logger
from jobs.manifest import ManifestEntry
from jobs.queue import READ_TASK
from jobs.settings import MAX_PAGE_SECONDS
from worker.pages import PageService, inside

_MOST_CHARACTERS = 4096
"""Of a path or word in a message: as long as paths get."""


class PageRequest(Request):
    """A message under way, as the worker's main process sees it.

    Celery acknowledges a message whose child died or hit the hard limit as failed. What it held is dealt
    with here first, so that nothing depends on a redelivery.
    """

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Queue the pages of a lost child again, then let Celery acknowledge the message."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)  # Unwrap what came from the child.
        # A child that calls sys.exit is as lost as one that is killed.
        if isinstance(error, WorkerLostError | SystemExit):
            self._see_to("split_lost", _cause(error))
        return super().on_failure(exc_info, send_failed_event, return_ok)

    def on_timeout(self, soft: bool, timeout: float) -> Any:
        """Record or queue again the pages of a message that hit the hard limit, then let Celery go on."""
        if not soft:
            self._see_to("time_out", timeout)
        return super().on_timeout(soft, timeout)

    def _see_to(self, what: str, detail: object) -> None:
        task: Any = self.task
        try:
            getattr(task.service, what)(*self.args, detail)
        except (LettermillError, OSError, ValueError) as error:
            # The main process must live; the sweep finds the pages without a result.
            logger.error("lost_message_not_dealt_with", error=str(error))


def _cause(error: WorkerLostError | SystemExit) -> str:
    """Return why a child ended, in the words that say it: `signal 9 (SIGKILL)`."""
    found = re.search(r"signal \d+ \(\w+\)|exitcode \d+", str(error))
    return found[0] if found else str(error)


class PageTask(Task):  # type: ignore[type-arg]
    """The base of the reading task."""

    Request = PageRequest  # type: ignore[assignment] # Celery takes the class as well as its name.
    Strategy = "worker.tasks:only_checked"
    service: PageService


def only_checked(task: Any, app: Celery, consumer: Any) -> Callable[..., Any]:
    """Return what takes messages in the main process: Celery's strategy behind a check of each message."""
    take = strategy.default(task, app, consumer)

    def take_if_sound(message: Message, body: Any, *rest: Any, **more: Any) -> Any:
        try:
            check_message(message.headers, body if body is not None else message.payload)
        except ValueError as error:
            logger.warning("message_dropped", reason=str(error))
            message.reject_log_error(logging.getLogger("lettermill"), consumer.connection_errors)
            return None
        return take(message, body, *rest, **more)

    return take_if_sound


def check_message(headers: Any, body: Any) -> None:
    """Check that a message is one that `jobs.feed` could have sent: anybody who may write to Redis can send.

    Args:
        headers: Celery's headers.
        body: Celery's body, [args, kwargs, what else is to be done].

    Raises:
        ValueError: it is not; the message names no content of it.
    """
    if not isinstance(headers, dict) or not isinstance(body, list | tuple) or len(body) != 3:
        raise ValueError("it is no Celery message")
    arguments, named, more = body
    if named or (more and (not isinstance(more, dict) or any(more.values()))):
        raise ValueError("it asks for other tasks, or names arguments")
    if headers.get("eta") or headers.get("expires") or headers.get("group"):
        raise ValueError("it asks for a time or a group")
    limits = headers.get("timelimit")
    if not (isinstance(limits, list | tuple) and len(limits) == 2 and limits[1] is None):
        raise ValueError("it has no time limit")
    hard = limits[0]
    if isinstance(hard, bool) or not isinstance(hard, int | float) or not 0 < hard <= MAX_PAGE_SECONDS:
        raise ValueError("its time limit is none that a page may have")
    _check_arguments(arguments)


def _check_arguments(arguments: Any) -> None:
    if not isinstance(arguments, list | tuple) or len(arguments) != 3:
        raise ValueError("it has other arguments than a job, an epoch and pages")
    below, epoch, pages = arguments
    for word in (below, epoch):
        if not isinstance(word, str) or len(word) > _MOST_CHARACTERS or "\0" in word:
            raise ValueError("its job or epoch is no text")
    inside(below)
    if not isinstance(pages, list) or not 0 < len(pages) <= BATCH_PAGES:
        raise ValueError("its pages are no list of a message's length")
    for page in pages:
        try:
            entry = ManifestEntry.from_json(page)
        except ValueError:
            raise ValueError("one of its pages is none") from None
        if len(entry.scan) > _MOST_CHARACTERS or "\0" in entry.scan:
            raise ValueError("the path of a scan is too long or holds a zero")
        inside(entry.scan)


def register_tasks(app: Celery, service: PageService) -> None:
    """Give the application its tasks.

    Args:
        app: the application of `jobs.queue.make_app`.
        service: does the work.
    """

    def read_pages(below: str, epoch: str, pages: list[dict[str, Any]]) -> None:
        """Read the pages of one message."""
        try:
            service.read(below, epoch, pages)
        except (LettermillError, ValueError) as error:
            # The disk, the model or the message is at fault. What can be read later is found by the sweep.
            logger.error("message_given_up", error=str(error))

    base = type("ReadPages", (PageTask,), {"service": service})
    app.task(name=READ_TASK, base=base)(read_pages)
