"""Defines the Celery task, and deals with messages whose process dies or takes too long."""

from __future__ import annotations

import functools
import math
import re
import time
from collections.abc import Callable
from typing import Any, ClassVar

from billiard.exceptions import WorkerLostError
from celery import Celery, Task
from celery.worker.request import Request

from lettermill.jobs.errors import LettermillError
from lettermill.jobs.log import logger
from lettermill.jobs.queue.celery_app import READ_TASK
from lettermill.jobs.queue.message import PagesMessage
from lettermill.jobs.settings import MAX_PAGE_SECONDS
from lettermill.worker.service.page_service import PageService


class PageRequest(Request):
    """An unacknowledged message, as the worker's main process sees it.

    Celery acknowledges a message as failed if its process died or hit the hard time limit. This class deals
    with the message's pages first, so that nothing depends on a redelivery.

    Attributes:
        pages_message: what it says.
        limit: how many seconds a process may take for it.
        begun: when a process took it (`time.monotonic`); None while it waits for one.
        last_end: when the last message was finished; None before the first one.
    """

    last_end: ClassVar[float | None] = None

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.pages_message = PagesMessage.from_arguments(self.args)
        self.begun: float | None = None
        try:
            # The job says how long its pages may take: a message could ask for anything.
            self.limit = math.ceil(self._service.limit(self.pages_message))
        except (LettermillError, ValueError):
            self.limit = MAX_PAGE_SECONDS  # The process that reads it has the same error and logs it.
        self.time_limits = self.limit, None

    @property
    def _service(self) -> PageService:
        task: Any = self.task
        service: PageService = task.service
        return service

    def on_accepted(self, pid: Any, time_accepted: float) -> None:
        """Record when a process takes the message."""
        self.begun = time_accepted
        super().on_accepted(pid, time_accepted)

    def acknowledge(self) -> None:
        """Record that the message is finished, and acknowledge it."""
        PageRequest.last_end = time.monotonic()
        super().acknowledge()

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Queue the pages of a lost process again, then let Celery acknowledge the message."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)  # Unwrap what came from the process.
        # A process that calls sys.exit is as lost as one that is killed.
        if isinstance(error, WorkerLostError | SystemExit):
            self._recover(functools.partial(self._service.split_lost, self.pages_message, _cause(error)))
        return super().on_failure(exc_info, send_failed_event, return_ok)

    def on_timeout(self, soft: bool, timeout: float) -> Any:
        """Record or queue again the pages of a message that hit the hard limit, then let Celery continue."""
        if not soft:
            self._recover(functools.partial(self._service.time_out, self.pages_message, timeout))
        return super().on_timeout(soft, timeout)

    def _recover(self, deal_with_pages: Callable[[], None]) -> None:
        try:
            deal_with_pages()
        except Exception as error:  # The main process must live.
            logger.error("lost_message_not_dealt_with", error=str(error))
            try:
                self._service.give_back(self.pages_message)
            except (LettermillError, ValueError) as worse:
                logger.error("message_given_up", error=str(worse))


def _cause(error: WorkerLostError | SystemExit) -> str:
    """Return why a process ended, without the rest of Celery's text: `signal 9 (SIGKILL)`."""
    found = re.search(r"signal \d+ \(\w+\)|exitcode \d+", str(error))
    return found[0] if found else str(error)


class PageTask(Task):  # type: ignore[type-arg]
    """The base of the reading task."""

    Request = PageRequest  # type: ignore[assignment] # Celery takes the class as well as its name.
    service: PageService


def register_tasks(app: Celery, service: PageService) -> None:
    """Give the application its task.

    Args:
        app: the application of `lettermill.jobs.queue.celery_app.make_app`.
        service: reads the pages.
    """

    def read_pages(*arguments: object) -> None:
        """Read the pages of one message."""
        try:
            service.read(PagesMessage.from_arguments(list(arguments)))
        except (LettermillError, ValueError) as error:
            # The disk, the model or the message is at fault. The sweep finds pages that can be read later.
            logger.error("message_given_up", error=str(error))
        except Exception:
            # Some of these, above all MemoryError, would make Celery end the whole worker.
            logger.exception("message_given_up")

    base = type("ReadPages", (PageTask,), {"service": service})
    # Not shared: Celery would add it to every other application of the process, too.
    app.task(name=READ_TASK, base=base, shared=False)(read_pages)
