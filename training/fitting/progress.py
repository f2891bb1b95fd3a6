"""Shows how far a training is: a bar on a terminal; for anything else the lines of the epochs must do."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

Advance = Callable[[int, int, float, float], None]
"""Takes the running epoch, glyphs seen since the last call, and the epoch's loss and accuracy so far."""


@contextlib.contextmanager
def bar(glyphs: int, seen: int, epochs: int) -> Iterator[Advance]:
    """Show epoch, loss, accuracy, glyphs a second and time left, if the error output is a terminal.

    Args:
        glyphs: in all epochs together.
        seen: before the training was interrupted; 0 for a new one.
        epochs: their number.

    Yields:
        What is to be called after each batch.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Speed(ProgressColumn):
        """Glyphs a second."""

        def render(self, task: Task) -> Text:
            """Return the text."""
            return Text(f"{task.speed:,.0f} glyphs/s" if task.speed else "– glyphs/s")

    progress = Progress(
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.3f} accuracy {task.fields[accuracy]:.1%}"),
        Speed(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    task = progress.add_task(
        "", total=glyphs, completed=seen, epoch=1, epochs=epochs, loss=float("nan"), accuracy=float("nan")
    )

    def advance(epoch: int, glyphs: int, loss: float, accuracy: float) -> None:
        progress.update(task, advance=glyphs, epoch=epoch, loss=loss, accuracy=accuracy)

    with progress:
        yield advance
