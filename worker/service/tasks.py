"""The Celery tasks and what happens in the worker's main process when a child dies or takes too long."""

from __future__ import annotations

import math
import re
import time
from typing import Any, ClassVar

from billiard.exceptions import WorkerLostError
from celery import Celery, Task
from celery.worker.request import Request

from lettermill.jobs.errors import LettermillError
from lettermill.jobs.log import logger
from lettermill.jobs.queue.celery_app import READ_TASK
from lettermill.jobs.settings import MAX_PAGE_SECONDS
from lettermill.worker.service.page_service import PageService


class PageRequest(Request):
    """A message under way, as the worker's main process sees it.

    Celery acknowledges a message whose child died or hit the hard limit as failed. What it held is dealt
    with here first, so that nothing depends on a redelivery.

    Attributes:
        limit: how many seconds a process may take for it.
        begun: when a process took it (`time.monotonic`); None while it waits for one.
        last_end: when a message was last dealt with; None before the first one.
    """

    last_end: ClassVar[float | None] = None

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.begun: float | None = None
        task: Any = self.task
        try:
            # The job says how long its pages may take: a message could say anything.
            self.limit = math.ceil(task.service.limit(self.args[0]))
        except (LettermillError, ValueError):
            self.limit = MAX_PAGE_SECONDS  # The child finds the same, and says it.
        self.time_limits = self.limit, None

    def on_accepted(self, pid: Any, time_accepted: float) -> None:
        """Note when a process takes the message."""
        self.begun = time_accepted
        super().on_accepted(pid, time_accepted)

    def acknowledge(self) -> None:
        """Note that the message is dealt with, and acknowledge it."""
        PageRequest.last_end = time.monotonic()
        super().acknowledge()

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
        below, epoch, pages = self.args
        try:
            getattr(task.service, what)(below, epoch, pages, detail)
        except Exception as error:  # The main process must live.
            logger.error("lost_message_not_dealt_with", error=str(error))
            try:
                task.service.give_back(below, pages)
            except (LettermillError, ValueError) as worse:
                logger.error("message_given_up", error=str(worse))


def _cause(error: WorkerLostError | SystemExit) -> str:
    """Return why a child ended, in the words that say it: `signal 9 (SIGKILL)`."""
    found = re.search(r"signal \d+ \(\w+\)|exitcode \d+", str(error))
    return found[0] if found else str(error)


class PageTask(Task):  # type: ignore[type-arg]
    """The base of the reading task."""

    Request = PageRequest  # type: ignore[assignment] # Celery takes the class as well as its name.
    service: PageService


def register_tasks(app: Celery, service: PageService) -> None:
    """Give the application its tasks.

    Args:
        app: the application of `lettermill.jobs.queue.celery_app.make_app`.
        service: does the work.
    """

    def read_pages(below: str, epoch: str, pages: list[dict[str, Any]]) -> None:
        """Read the pages of one message."""
        try:
            service.read(below, epoch, pages)
        except (LettermillError, ValueError) as error:
            # The disk, the model or the message is at fault. What can be read later is found by the sweep.
            logger.error("message_given_up", error=str(error))
        except Exception:
            # Celery would end the whole worker for some of these, MemoryError above all.
            logger.exception("message_given_up")

    base = type("ReadPages", (PageTask,), {"service": service})
    app.task(name=READ_TASK, base=base)(read_pages)
