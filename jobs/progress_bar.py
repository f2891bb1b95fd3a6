"""Draws the progress bar of every command that takes a while, on standard error."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress


class ProgressBar:
    """A bar with a text on either side and the time left; a context manager.

    The line reads `BEFORE ━━━━ 3/10 AFTER 0:01:20`. Callers format the two texts themselves.

    Args:
        before: the text in front of the bar.
        after: the text between the bar and the time left.
        total: how many steps there are; None where that is not known yet.
        done: how many of them are done already.
        count_shown: whether `3/10` stands behind the bar.
        transient: whether the bar is removed at its end.
        drawn: whether anything is drawn; by default only where standard error is a terminal.
    """

    def __init__(
        self,
        before: str,
        after: str = "",
        *,
        total: int | None = None,
        done: int = 0,
        count_shown: bool = True,
        transient: bool = False,
        drawn: bool | None = None,
    ) -> None:
        self._progress: Progress | None = None
        if not (sys.stderr.isatty() if drawn is None else drawn):
            return
        # Here, not above: loading Rich takes longer than most commands.
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        count = (MofNCompleteColumn(),) if count_shown else ()
        self._progress = Progress(
            TextColumn("{task.fields[before]}", markup=False),
            BarColumn(),
            *count,
            TextColumn("{task.fields[after]}", markup=False),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            redirect_stdout=False,  # Answers on standard output may go to a file.
            transient=transient,
        )
        self._task = self._progress.add_task("", total=total, completed=done, before=before, after=after)

    def __enter__(self) -> Self:
        if self._progress:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress:
            self._progress.stop()

    @property
    def drawn(self) -> bool:
        """Whether anything is drawn."""
        return self._progress is not None

    @property
    def steps_per_second(self) -> float | None:
        """The speed over the last half minute; None while it is not known or nothing is drawn."""
        return self._progress.tasks[0].speed if self._progress else None

    def advance(self, steps: int = 1, *, before: str | None = None, after: str | None = None) -> None:
        """Count finished steps.

        Args:
            steps: how many more are done.
            before: a new text in front of the bar; None keeps the present one.
            after: a new text behind it; None keeps the present one.
        """
        if self._progress:
            self._progress.update(self._task, advance=steps, **_given(before=before, after=after))

    def show(self, done: int, total: int, *, before: str | None = None, after: str | None = None) -> None:
        """Show a count that was made elsewhere.

        Args:
            done: how many steps are done.
            total: how many there are.
            before: as for `advance`.
            after: as for `advance`.
        """
        if self._progress:
            self._progress.update(
                self._task, completed=done, total=total, **_given(before=before, after=after)
            )

    def print_above(self, line: str) -> None:
        """Print a line above the bar."""
        if self._progress:
            self._progress.console.print(line, markup=False, highlight=False)
        else:
            click.echo(line, err=True)


def _given(**texts: str | None) -> dict[str, Any]:
    return {name: text for name, text in texts.items() if text is not None}
