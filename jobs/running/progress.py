"""Following a job: how many pages are done, shown while it runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self

import click

from lettermill.jobs.job.folder import Job, Tally
from lettermill.jobs.records.manifest import manifest_ids

_PLAIN_SECONDS = 5.0
_POLL_SECONDS = 0.1


class Watched:
    """Counts a job's pages as they are finished; no result is opened.

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
        # The manifest is read again where another command has written it anew.
        version = self._job.manifest_path.version()
        if version != self._version or not version:
            self._ids = manifest_ids(self._job.manifest_path)
            self._version = version
        return self._job.count(self._ids)

    def ticks(self) -> Iterator[Tally]:
        """Yield the tally a few times a second until the job is complete; seldom where looking takes long."""
        while True:
            begun = time.monotonic()
            tally = self.look()
            yield tally
            if tally.complete:
                return
            time.sleep(max(_POLL_SECONDS, 5 * (time.monotonic() - begun)))


class Display(Protocol):
    """Shows progress; a context manager."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""

    def show(self, tally: Tally) -> None:
        """Show the present state."""

    def say(self, words: str) -> None:
        """Say something beside it."""


def display() -> Display:
    """Return a bar for a terminal, and plain lines for anything else."""
    return _Bar() if sys.stderr.isatty() else _Lines()


class _Bar:
    """A bar: pages done, failed, pages a second, time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("reading"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("pages · {task.fields[failed]} failed · {task.fields[rate]} a second · left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("reading", total=None, failed=0, rate="–")
        self._rate = _Rate()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, tally: Tally) -> None:
        rate = self._rate(tally)
        self._bar.update(
            self._task,
            total=tally.pages,
            completed=tally.finished,
            failed=tally.failed,
            rate=f"{rate:.1f}" if rate else "–",
        )

    def say(self, words: str) -> None:
        self._bar.console.print(words, markup=False, highlight=False)


class _Lines:
    """A line every few seconds, for logs and pipes."""

    def __init__(self) -> None:
        self._last = 0.0
        self._rate = _Rate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def show(self, tally: Tally) -> None:
        rate = self._rate(tally)
        now = time.monotonic()
        if now - self._last < _PLAIN_SECONDS and not tally.complete:
            return
        self._last = now
        left = ""
        if rate and not tally.complete:
            left = f", {rate:.1f} a second, about {(tally.pages - tally.finished) / rate:.0f} s left"
        self.say(f"{tally.finished} of {tally.pages} pages done, {tally.failed} failed{left}")

    def say(self, words: str) -> None:
        click.echo(words, err=True)


class _Rate:
    """Pages a second since the first look; those that were done before do not count.

    Where another command writes the manifest anew or has pages read again, counting begins anew.
    """

    def __init__(self) -> None:
        self._start = 0.0, 0
        self._last = Tally(-1, 0)

    def __call__(self, tally: Tally) -> float:
        now = time.monotonic()
        if tally.pages != self._last.pages or tally.finished < self._last.finished:
            self._start = now, tally.finished
        self._last = tally
        begun, already = self._start
        return (tally.finished - already) / (now - begun) if now > begun else 0.0
