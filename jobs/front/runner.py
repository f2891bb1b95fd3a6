"""Read the jobs of the front page one after the other, each in a process of its own, as `lettermill resume`.

The job folders are the only truth: a server that is started again continues what was asked for and is neither
finished nor stopped.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Iterator

import click

from lettermill.jobs.errors import ExitStatus, LettermillError
from lettermill.jobs.front.submit import Places, asked
from lettermill.jobs.front.webhook import tell
from lettermill.jobs.job.folder import JOB_FILE, Job
from lettermill.jobs.job.prune import finish_pruning
from lettermill.jobs.machine import python_command
from lettermill.jobs.storage.disk import Disk
from lettermill.jobs.storage.display import display_path

LOG_FILE = "web.log"
"""What the last process that read the job said, in the job folder."""

_ENDED_WELL = (ExitStatus.DONE, ExitStatus.PAGES_FAILED)
_STOP_SECONDS = 60

_OWN_VARIABLES = {
    *("LETTERMILL_BROKER", "LETTERMILL_BROKER_PASSWORD", "LETTERMILL_BROKER_PASSWORD_FILE"),
    *("LETTERMILL_SCANS", "LETTERMILL_RESULTS"),
}
"""Variables that a process has from the server's options or not at all; the address has the password."""

_LOG_END_BYTES = 2_000


class Runner:
    """Reads jobs in the order in which they were asked for.

    Args:
        places: where scans and results are.
        workers: how many pages this machine reads at once; None for its cores.
    """

    def __init__(self, places: Places, workers: int | None = None) -> None:
        self._places, self._workers = places, workers
        self._changed = threading.Condition()
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._reading: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ending = False
        self._thread = threading.Thread(target=self._work, name="runner", daemon=True)

    def start(self) -> None:
        """Begin, with the jobs that an earlier server left unfinished."""
        self._thread.start()

    def add(self, name: str) -> None:
        """Read a job when those before it are read; one that waits already keeps its turn.

        Args:
            name: the name of the job folder.
        """
        with self._changed:
            self._waiting.setdefault(name)
            self._changed.notify_all()

    def turn(self, name: str) -> int | None:
        """Return how many jobs are read before this one; 0 while it is read, None if it does not wait."""
        with self._changed:
            if name == self._reading:
                return 0
            waiting = list(self._waiting)
            return waiting.index(name) + 1 if name in waiting else None

    def end(self) -> None:
        """Stop reading; pages that are finished are kept, and the next server continues."""
        with self._changed:
            self._ending = True
            process = self._process
            self._changed.notify_all()
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def _work(self) -> None:
        for name in self._left_over():
            self.add(name)
        try:
            finish_pruning(self._places.out)  # It looks into every folder, so nobody waits for it.
        except (LettermillError, OSError) as error:
            click.echo(str(error), err=True)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ending)
                if self._ending:
                    return
                self._reading, _ = self._waiting.popitem(last=False)
                name = self._reading
            try:
                self._read(self._places.out / name)
            except (LettermillError, OSError) as error:  # One job must not end the others.
                click.echo(f"{display_path(name)}: {error}", err=True)
            finally:
                with self._changed:
                    self._reading = None

    def _left_over(self) -> Iterator[str]:
        """Yield the jobs that were asked for and have no end, or an end that was not announced."""
        found = []
        for path in job_folders(self._places.out):
            wish = asked(path)
            if wish is None:
                continue
            try:
                state = Job.open(path).tally().state
            except LettermillError:
                continue  # The page shows that it is damaged.
            if state == "unfinished" or (state == "complete" and wish.webhook):
                found.append((wish.when, path.name))
        yield from (name for _, name in sorted(found))

    def _read(self, folder: Disk) -> None:
        job = Job.open(folder)
        if job.tally().state == "unfinished":
            for words in self._commands(job):
                if not self._ran(folder, words):
                    return
        if Job.open(folder).tally().state != "unfinished":
            tell(folder)

    def _commands(self, job: Job) -> Iterator[list[str]]:
        """Yield the commands that read a job and write its results."""
        path = str(job.path)
        if not job.shared or self._places.broker is None:
            workers = ["--workers", str(self._workers)] if self._workers else []
            yield ["resume", path, *workers]
            return
        scans = ["--scans", str(self._places.scans)] if self._places.scans else []
        yield ["resume", path, *scans, "--results", str(self._places.out)]
        yield ["wait", path]
        yield ["collect", path]

    def _ran(self, folder: Disk, words: list[str]) -> bool:
        """Run a command to its end; return whether it ended well."""
        variables = {name: value for name, value in os.environ.items() if name not in _OWN_VARIABLES}
        if self._places.broker:
            variables["LETTERMILL_BROKER"] = self._places.broker
        with (folder / LOG_FILE).open("wb") as log, self._changed:
            if self._ending:
                return False
            # In a session of its own: Ctrl-C reaches the server alone, which ends it in order.
            self._process = subprocess.Popen(
                python_command("-m", "lettermill", *words),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=variables,
                start_new_session=True,
            )
        status = self._process.wait()
        with self._changed:
            self._process = None
        return status in _ENDED_WELL


def job_folders(out: Disk) -> list[Disk]:
    """Return the job folders in a folder, without those in folders below it."""
    if not out.is_dir():
        return []
    with os.scandir(out) as entries:
        names = [
            entry.name for entry in entries if entry.name[0] != "." and entry.is_dir(follow_symlinks=False)
        ]
    return [out / name for name in names if (out / name / JOB_FILE).is_file()]


def log_end(folder: Disk) -> str:
    """Return the end of what the last process that read a job said; empty if there is none."""
    try:
        with (folder / LOG_FILE).open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - _LOG_END_BYTES))
            return log.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
