"""Says who reads a job now: a command of this machine, or workers elsewhere that are alive or not."""

from __future__ import annotations

import dataclasses

from lettermill.jobs.errors import BrokerUnreachable
from lettermill.jobs.job.folder import Job
from lettermill.jobs.records.manifest import manifest_ids

# What talks to Redis is imported where it is needed: Celery takes longer to load than `status` to answer.


@dataclasses.dataclass(frozen=True, slots=True)
class Readers:
    """Who reads a job.

    Attributes:
        shared: whether it was submitted to workers elsewhere.
        here: whether a command of this machine reads it.
        asked: whether Redis was asked for workers.
        problem: what is wrong with Redis; empty if it answered.
        alive: workers with a heartbeat that see the job's messages.
        foreign: those that do not, because they are of another version.
        at_work: those of the living that had pages of this job at their last heartbeat.
    """

    shared: bool
    here: bool = False
    asked: bool = False
    problem: str = ""
    alive: int = 0
    foreign: int = 0
    at_work: int = 0

    @property
    def trouble(self) -> bool:
        """Whether nobody can read the job's pages now, as far as is known."""
        if self.shared:
            return self.asked and not self.alive
        return not self.here

    @property
    def sentence(self) -> str:
        """Who reads the job, for a person."""
        if not self.shared:
            return f"{'A' if self.here else 'No'} command of this machine reads it."
        if not self.asked:
            return (
                "It was submitted to workers elsewhere. With --broker or LETTERMILL_BROKER this command says "
                "whether they are alive."
            )
        if self.problem:
            return f"{self.problem.rstrip('.')}. No page is handed out until it answers."
        others = f" {self.foreign} of another version cannot see it." if self.foreign else ""
        if not self.alive:
            from lettermill.jobs.queue.workers import DEAD_SECONDS

            return (
                f"No worker is alive: none has sent a heartbeat for {DEAD_SECONDS} s. The pages wait until "
                f"one is started with `lettermill worker`.{others}"
            )
        at_work = f", {self.at_work} at work on this job" if self.at_work else ""
        workers = "1 worker is" if self.alive == 1 else f"{self.alive} workers are"
        return f"{workers} alive{at_work}.{others}"


def readers_of(job: Job, broker: str | None) -> Readers:
    """Find out who reads a job.

    Args:
        job: the job.
        broker: the address of its workers' Redis; None if it is not known.

    Raises:
        NotAJob: the manifest cannot be read.
    """
    if not job.shared:
        return Readers(False, here=job.is_read_here)
    if broker is None:
        return Readers(True)
    from lettermill.jobs.queue.celery_app import MESSAGE_FORMAT, UNREACHABLE, check_broker, unreachable
    from lettermill.jobs.queue.workers import live_workers

    try:
        workers = live_workers(check_broker(broker))
    except BrokerUnreachable as error:
        return Readers(True, asked=True, problem=error.what)
    except UNREACHABLE as error:
        return Readers(True, asked=True, problem=unreachable(broker, error).what)
    ours = [worker for worker in workers if worker.message_format == MESSAGE_FORMAT]
    pages = set(manifest_ids(job.manifest_path))
    return Readers(
        True,
        asked=True,
        alive=len(ours),
        foreign=len(workers) - len(ours),
        at_work=sum(not pages.isdisjoint(worker.page_ids) for worker in ours),
    )
