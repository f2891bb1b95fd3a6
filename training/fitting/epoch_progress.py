"""Shows the progress of a training as a bar on a terminal; elsewhere the lines of the epochs have to do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from lettermill.jobs.progress_bar import ProgressBar

Advance = Callable[[int, int, float, float], None]
"""Takes the running epoch, the glyphs since the last call, and the epoch's loss and accuracy so far."""

Report = Callable[[str], None]
"""Takes a line of progress."""


@contextlib.contextmanager
def bar(glyphs: int, seen: int, epochs: int, report: Report) -> Iterator[tuple[Advance, Report]]:
    """Show epoch, loss, accuracy, glyphs per second and time left, if standard error is a terminal.

    Args:
        glyphs: the number of glyphs in all epochs together.
        seen: how many of them an interrupted training had seen; 0 for a new one.
        epochs: the number of epochs.
        report: takes the lines of the epochs where no bar is shown.

    Yields:
        A function to call after each batch, and one to call with each line while the bar is shown.
    """
    with ProgressBar(
        f"epoch 1/{epochs}", "loss – accuracy – – glyphs/s left", total=glyphs, done=seen, count_shown=False
    ) as shown:

        def advance(epoch: int, glyphs: int, loss: float, accuracy: float) -> None:
            speed = f"{shown.steps_per_second:,.0f}" if shown.steps_per_second else "–"
            after = f"loss {loss:.3f} accuracy {accuracy:.1%} {speed} glyphs/s left"
            shown.advance(glyphs, before=f"epoch {epoch}/{epochs}", after=after)

        # Lines are progress, too: elsewhere than above the bar they could be written into it, by `| tee log`.
        yield advance, shown.print_above if shown.drawn else report
