"""Show the review of each job below its own address, as `lettermill review` shows one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lettermill.jobs.job.folder import Job
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.web.server import review_pages
from lettermill.jobs.web.session import Session

_MOST_OPEN = 8
"""Reviews that are held: that of 100,000 letters takes some tens of megabytes."""


class Reviews:
    """An application for `/jobs/{name}/review`: opens a review when its address is asked for.

    Args:
        job_of: opens a job by its name; it raises `LettermillError` if there is none.
        who: the name beside decisions, where the request has none.
    """

    def __init__(self, job_of: Callable[[str], Job], who: str) -> None:
        self._job_of, self._who = job_of, who
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str], tuple[str, Session, ASGIApp]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the review of the job in the address."""
        name = scope["path_params"]["name"]
        who = scope.get("state", {}).get("who", self._who)
        app = await run_in_threadpool(self._review, name, who)
        root = root_of(name)

        async def send_below_root(message: Message) -> None:
            # The review leads to addresses of its own, which begin with its root.
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("location", "").startswith("/"):
                    headers["location"] = root + headers["location"]
            await send(message)

        await app(scope, receive, send_below_root)

    def close(self, name: str) -> None:
        """End the reviews of a job, before it is deleted."""
        with self._lock:
            for key in [key for key in self._open if key[0] == name]:
                self._open.pop(key)[1].presence.close()

    def close_all(self) -> None:
        """End all reviews."""
        for name, _ in list(self._open):
            self.close(name)

    def _review(self, name: str, who: str) -> ASGIApp:
        """Return a person's review of a job; the ones that were not used for longest are ended.

        Raises:
            NotAJob: there is no such job.
        """
        with self._lock:
            job = self._job_of(name)
            token, session, app = self._open.pop((name, who), (None, None, None))
            if session is not None and token != job.token:  # Another job has this name now.
                session.presence.close()
                session = None
            if session is None or app is None:
                session = Session(job, who)
                app = review_pages(session, root_of(name))
            self._open[name, who] = job.token, session, app
            while len(self._open) > _MOST_OPEN:
                _, (_, oldest, _) = self._open.popitem(last=False)
                oldest.presence.close()
            return app


def root_of(name: str) -> str:
    """Return the address of the review of a job, without the slash at its end."""
    return f"/jobs/{quote(name, safe='')}/review"


def is_reviewable(folder: Disk) -> bool:
    """Return whether a job has a page that was read, so that there may be letters."""
    return any(True for _ in (folder / "pages").names())
