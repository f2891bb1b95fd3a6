"""Lets signals stop a command as Ctrl-C does."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

import click


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM, and the SIGHUP of a terminal that is closed, raise KeyboardInterrupt as Ctrl-C does."""
    # A signal that is ignored stays ignored: nohup promises that a closed terminal stops nothing.
    handled = [
        number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, signal.default_int_handler) for number in handled}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Like `interruptible`, and tell the user that the same command continues where it stopped."""
    with interruptible():
        try:
            yield
        except KeyboardInterrupt:
            click.echo("The same command continues where it stopped.", err=True)
            raise
