"""Runs the command of `--then` when a job is done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import click

from lettermill.jobs.job.folder import Job
from lettermill.jobs.storage.display import display_path


def run_then(command: Sequence[str], job: Job) -> None:
    """Run the command of --then; if it fails, report that and change nothing.

    Its last argument is the job folder. Its environment has LETTERMILL_JOB (the same), LETTERMILL_STATE
    (complete or stopped), LETTERMILL_PAGES and LETTERMILL_FAILED. Its output goes to standard error, because
    standard output may be JSON.

    Args:
        command: its words; it runs without a shell.
        job: the job.

    Raises:
        NotAJob: the job's pages cannot be counted.
    """
    tally = job.tally()
    counts = {
        "LETTERMILL_JOB": str(job.path),
        "LETTERMILL_STATE": tally.state,
        "LETTERMILL_PAGES": str(tally.pages),
        "LETTERMILL_FAILED": str(tally.failed),
    }
    try:
        status = subprocess.run(
            [*command, str(job.path)],
            env={**os.environ, **counts},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            check=False,
        ).returncode
    except OSError as error:
        click.echo(
            f"The command of --then does not start: {display_path(command[0])}: {error.strerror}", err=True
        )
        return
    if status:
        ended = f"exit status {status}" if status > 0 else f"signal {-status}"
        click.echo(f"The command of --then ended with {ended}; the results stay as they are.", err=True)
