"""The command `lettermill wait`: wait until a job is done."""

from __future__ import annotations

import click

from lettermill.jobs.commands.console import print_stopped
from lettermill.jobs.commands.options import JOB, broker_option, then_option
from lettermill.jobs.job.folder import Job
from lettermill.jobs.running.hook import run_then
from lettermill.jobs.storage.place import Place


@click.command()
@JOB
@click.option(
    "--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop waiting after this long."
)
@broker_option(required=False, without="it cannot be told whether workers are alive.")
@then_option("when the job is done")
def wait(path: Place, timeout: float | None, broker: str | None, then: tuple[str, ...] | None) -> int:
    """Wait until a job is done.

    Says so if nobody can read it: no command of this machine, no worker that is alive, or no Redis.

    \b
    Example:
      lettermill wait results/JOB && lettermill collect results/JOB
    """
    from lettermill.jobs.running.dispatch import follow

    job = Job.open(path)
    tally = follow(job, timeout, broker)
    if tally.state == "stopped":
        print_stopped(job)
    if then:
        run_then(then, job)
    return 1 if tally.failed or tally.state == "stopped" else 0
