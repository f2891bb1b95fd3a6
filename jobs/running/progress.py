"""Follows a job: counts its finished pages and shows them while it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from lettermill.jobs.job.folder import Job, Tally
from lettermill.jobs.progress_bar import ProgressBar
from lettermill.jobs.records.manifest import manifest_ids

_LINE_SECONDS = 5.0
"""How often a line is printed where no bar can be drawn."""

_POLL_SECONDS = 0.1


class JobWatch:
    """Counts a job's finished pages; opens no result.

    Args:
        job: the job.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._ids: list[str] = []
        self._version = ""

    def look(self) -> Tally:
        """Return the present tally.

        Raises:
            NotAJob: the manifest or the results cannot be read.
        """
        # Another command may have rewritten the manifest.
        version = self._job.manifest_path.version()
        if version != self._version or not version:
            self._ids = manifest_ids(self._job.manifest_path)
            self._version = version
        return self._job.count(self._ids)

    def tallies(self) -> Iterator[Tally]:
        """Yield the tally several times a second, less often when counting is slow, until the job is done."""
        while True:
            begun = time.monotonic()
            tally = self.look()
            yield tally
            if tally.complete:
                return
            time.sleep(max(_POLL_SECONDS, 5 * (time.monotonic() - begun)))


class JobProgress:
    """Shows a job's progress on standard error; a context manager.

    A terminal gets a bar (pages done, failed, pages per second, time left), anything else a line every few
    seconds.
    """

    def __init__(self) -> None:
        self._bar = ProgressBar("reading", _bar_text(failed=0, rate=0.0))
        self._last_line = 0.0
        self._start = 0.0, 0
        self._last = Tally(-1, 0)

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.__exit__(kind, error, trace)

    def show(self, tally: Tally) -> None:
        """Show the present state."""
        rate = self._pages_per_second(tally)
        if self._bar.drawn:
            self._bar.show(tally.finished, tally.pages, after=_bar_text(tally.failed, rate))
            return
        now = time.monotonic()
        if now - self._last_line < _LINE_SECONDS and not tally.complete:
            return
        self._last_line = now
        left = ""
        if rate and not tally.complete:
            left = f", {rate:.1f} a second, about {(tally.pages - tally.finished) / rate:.0f} s left"
        pages = "page" if tally.pages == 1 else "pages"
        self.print_above(f"{tally.finished} of {tally.pages} {pages} done, {tally.failed} failed{left}")

    def print_above(self, line: str) -> None:
        """Print a line that is not progress."""
        self._bar.print_above(line)

    def _pages_per_second(self, tally: Tally) -> float:
        """Return the speed since the first look; pages that were done before do not count.

        Where another command rewrites the manifest or has pages read again, counting starts again.
        """
        now = time.monotonic()
        if tally.pages != self._last.pages or tally.finished < self._last.finished:
            self._start = now, tally.finished
        self._last = tally
        begun, already = self._start
        return (tally.finished - already) / (now - begun) if now > begun else 0.0


def _bar_text(failed: int, rate: float) -> str:
    return f"pages · {failed} failed · {f'{rate:.1f}' if rate else '–'} a second · left"
