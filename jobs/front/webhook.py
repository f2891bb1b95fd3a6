"""Tell another program that a job has ended: one POST with counts, never with what was read."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

import click
import msgspec

from lettermill.jobs.front.submit import ASKED_FILE, asked
from lettermill.jobs.job.folder import Job
from lettermill.jobs.storage.disk import Disk

_WAITS_SECONDS = (0, 2, 10)
"""Before each try."""

_TIMEOUT_SECONDS = 10


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect could lead to an address that nobody allowed."""

    def redirect_request(self, *_: Any) -> None:
        """Take the answer as it is: no 2xx, so it counts as a failure."""
        return


_opener = urllib.request.build_opener(_NoRedirects)


def message(job: Job) -> dict[str, object]:
    """Return what is sent: the job's name, its token, its state and how many pages it has."""
    tally = job.tally()
    return {
        "job": job.path.name,
        "token": job.token,
        "state": tally.state,
        "pages": tally.pages,
        "finished": tally.finished,
        "failed": tally.failed,
    }


def tell(folder: Disk) -> bool:
    """Send the message of a job that has ended, if one was asked for and it was not sent yet.

    A receiver may get it twice where this process is killed between the answer and the note of it; `token`
    tells it so.

    Args:
        folder: the job folder.

    Returns:
        Whether nothing is left to send.

    Raises:
        NotAJob: the job is damaged.
        ResultsNotWritable: what was sent cannot be noted.
    """
    wish = asked(folder)
    if wish is None or not wish.webhook:
        return True
    content = json.dumps(message(Job.open(folder))).encode()
    for seconds in _WAITS_SECONDS:
        time.sleep(seconds)
        request = urllib.request.Request(
            wish.webhook, content, {"Content-Type": "application/json", "User-Agent": "lettermill"}
        )
        try:
            with _opener.open(request, timeout=_TIMEOUT_SECONDS):
                pass
        except (OSError, ValueError) as error:
            reason = error
            if isinstance(error, urllib.error.HTTPError):
                error.close()
        else:
            (folder / ASKED_FILE).write(msgspec.json.encode(msgspec.structs.replace(wish, webhook="")))
            return True
    click.echo(
        f"The webhook of {folder.name} was not taken: {reason}. It is sent again at the next start.", err=True
    )
    return False
