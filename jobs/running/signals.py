"""What stops a command as Ctrl-C does."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

import click


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM, and the SIGHUP of a terminal that is closed, raise KeyboardInterrupt as Ctrl-C does."""
    # What is ignored stays so: nohup promises that a closed terminal ends nothing.
    ours = [
        number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, signal.default_int_handler) for number in ours}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let the same stop a command that goes on where it stopped when it is given again, which is said."""
    with interruptible():
        try:
            yield
        except KeyboardInterrupt:
            click.echo("The same command goes on where it stopped.", err=True)
            raise
