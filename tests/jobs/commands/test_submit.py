"""`lettermill submit`: the same token is the same job."""

from __future__ import annotations

from pathlib import Path

from lettermill.jobs.job.folder import Job, Tally
from tests.support import Command, Starter, statuses, wait_for


def test_the_same_token_twice_at_once_is_one_job_with_every_page_once(
    lettermill: Command, start: Starter, broker: str, many_scans: Path, tmp_path: Path, undisturbed: bytes
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    worker = ("worker", "--broker", broker, "--scans", many_scans, "--results", out, "--concurrency", "2")
    start(*worker)
    words = ("submit", many_scans, "--out", out, "--broker", broker, "--token", "invoice 12")
    both = [start(*words) for _ in range(3)]
    assert [process.wait(60) for process in both] == [0] * 3
    (job,) = out.glob("*-*")
    assert job.name.startswith("invoice-12-")
    lettermill("wait", job, "--timeout", "200")
    assert lettermill(*words).stdout.strip() == str(job)
    lettermill("collect", job)
    assert (job / "letters.csv").read_bytes() == undisturbed
    assert statuses(job) == {"DONE": 40}


def test_a_submit_with_a_token_that_is_killed_is_the_same_job_afterwards(
    lettermill: Command, start: Starter, broker: str, many_scans: Path, tmp_path: Path
) -> None:
    words = ("submit", many_scans, "--out", tmp_path / "out", "--broker", broker, "--token", "again")
    for _ in range(3):
        killed = start(*words)
        wait_for(lambda: list(tmp_path.glob("out/again-*")), what="a job folder")
        killed.kill()
        killed.wait()
    job = Path(lettermill(*words).stdout.strip())
    assert list((tmp_path / "out").glob("*-*")) == [job]
    assert Job.open(job).tally() == Tally(40, 0)
