"""Stopping, pruning, the command at the end, tokens, progress that tells the truth; with real workers."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from lettermill.jobs.job.folder import Job, Tally
from lettermill.jobs.records.readings import PageReading
from lettermill.jobs.running.progress import JobProgress, JobWatch
from tests.support import LETTERMILL, Command, Starter, clean_environment, wait_for


def finished(out: Path) -> int:
    return len(list(out.glob("*/pages/*/*.json")))


def statuses(job: Path) -> Counter[str]:
    with (job / "pages.csv").open(newline="", encoding="utf-8") as rows:
        return Counter(row["status"] for row in csv.DictReader(rows))


@pytest.fixture(scope="module")
def undisturbed(many_scans: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The letters of a run in which nothing happened."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    words = [*LETTERMILL, "run", str(many_scans), "--out", str(out)]
    subprocess.run(words, env=clean_environment(), capture_output=True, check=True)
    return next(out.glob("*/letters.csv")).read_bytes()


# --- cancel ---------------------------------------------------------------------------------------------


def test_a_cancelled_run_ends_and_resume_makes_it_whole(
    lettermill: Command, start: Starter, many_scans: Path, tmp_path: Path, undisturbed: bytes
) -> None:
    out = tmp_path / "out"
    run = start("run", many_scans, "--out", out, "--workers", "1")
    wait_for(lambda: finished(out) >= 3, what="pages")
    (job,) = out.iterdir()
    said = lettermill("cancel", job)
    assert re.fullmatch(r"\d+ of 40 pages done, 0 failed\n", said.stdout)
    assert f"lettermill resume '{job}'" in said.stderr
    assert run.wait(60) == 1
    assert 3 <= finished(out) < 40
    assert statuses(job) == {"DONE": finished(out), "CANCELLED": 40 - finished(out)}
    (row,) = json.loads(lettermill("jobs", "--out", out, "--json").stdout)
    assert row["state"] == "stopped"
    assert lettermill("wait", job, status=1).stderr.count("lettermill resume") == 1

    lettermill("resume", job)
    assert statuses(job) == {"DONE": 40}
    assert (job / "letters.csv").read_bytes() == undisturbed


def test_run_takes_a_cancelled_job_up_again_too(
    lettermill: Command, start: Starter, many_scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = start("run", many_scans, "--out", out, "--workers", "1")
    wait_for(lambda: finished(out) >= 3, what="pages")
    (job,) = out.iterdir()
    lettermill("cancel", job)
    assert run.wait(60) == 1
    lettermill("run", many_scans, "--out", out)
    assert statuses(job) == {"DONE": 40}


def test_a_fleet_drops_a_cancelled_job_and_takes_it_up_again(
    lettermill: Command,
    start: Starter,
    broker: str,
    client: redis.Redis,
    many_scans: Path,
    tmp_path: Path,
    undisturbed: bytes,
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    start("worker", "--broker", broker, "--scans", many_scans, "--results", out, "--concurrency", "1")
    job = Path(lettermill("submit", many_scans, "--out", out, "--broker", broker).stdout.strip())
    wait = start("wait", job)
    wait_for(lambda: finished(out) >= 3, what="pages")
    lettermill("cancel", job)
    assert wait.wait(60) == 1
    token = Job.open(job).token
    wait_for(lambda: not client.keys(f"lettermill:{token}:*"), what="the job's keys to go")
    done = finished(out)
    assert done < 40
    lettermill("resume", job, "--broker", broker)
    lettermill("wait", job, "--timeout", "200")
    lettermill("collect", job)
    assert (job / "letters.csv").read_bytes() == undisturbed


def test_a_complete_job_cannot_be_cancelled(
    lettermill: Command, job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of("a.png")
    for entry, _ in job.manifest():
        job.results.write(reading_of(entry, "A"))
    assert "nothing to stop" in lettermill("cancel", job.path).stderr
    assert not job.is_cancelled


# --- failures that stop ---------------------------------------------------------------------------------


@pytest.fixture
def bad_scans(many_scans: Path, tmp_path: Path) -> Path:
    """Three broken scans before forty good ones."""
    folder = tmp_path / "bad"
    shutil.copytree(many_scans, folder)
    for number in range(3):
        (folder / f"  broken {number}.png").write_bytes(b"no image")
    return folder


@pytest.mark.parametrize(
    ("words", "allowed"),
    [(["--on-error", "stop", "--max-failures", "0"], 0), (["--max-failures", "1"], 1)],
)
def test_too_many_failures_stop_a_run(
    lettermill: Command, bad_scans: Path, tmp_path: Path, words: list[str], allowed: int
) -> None:
    done = lettermill("run", bad_scans, "--out", "out", "--workers", "1", *words, status=1)
    (job,) = (tmp_path / "out").iterdir()
    assert Job.open(job).max_failures == allowed
    counts = statuses(job)
    assert counts["FAILED"] == allowed + 1
    assert counts["CANCELLED"] > 0
    assert counts.total() == 43
    assert f"the job allows {allowed}" in lettermill("status", job).stderr + done.stdout


def test_resume_keeps_the_number_of_failures_or_takes_a_new_one(
    lettermill: Command, bad_scans: Path, tmp_path: Path
) -> None:
    lettermill("run", bad_scans, "--out", "out", "--workers", "1", "--on-error", "stop", status=1)
    (job,) = (tmp_path / "out").iterdir()
    lettermill("resume", job, "--workers", "1", status=1)
    assert (statuses(job)["FAILED"], Job.open(job).max_failures) == (2, 0)
    lettermill("resume", job, "--on-error", "continue", status=1)
    assert statuses(job) == {"FAILED": 3, "DONE": 40}
    assert Job.open(job).max_failures is None


def test_failures_within_the_number_stop_nothing(lettermill: Command, thirteen_scans: Path) -> None:
    done = lettermill("run", thirteen_scans, "--out", "out", "--max-failures", "1", status=1)
    assert "12 DONE, 1 FAILED" in done.stdout


@pytest.mark.parametrize("command", ["run", "resume", "submit"])
def test_contradictions_are_refused(lettermill: Command, command: str, job_of: Callable[..., Job]) -> None:
    job = job_of("a.png")
    words = {
        "run": (job.scan_root, "--out", "out"),
        "submit": (job.scan_root, "--out", "out", "--broker", "redis://127.0.0.1:1/0"),
        "resume": (job.path,),
    }[command]
    for contradiction in (("stop", "3"), ("continue", "3")):
        on_error, number = contradiction
        done = lettermill(command, *words, "--on-error", on_error, "--max-failures", number, status=2)
        assert "contradict" in done.stderr


# --- jobs and pruning -----------------------------------------------------------------------------------


def age(path: Path, days: int) -> None:
    """Make everything in a folder look as if it was written long ago."""
    then = time.time() - days * 86_400
    for folder, folders, names in os.walk(path):
        for name in (*folders, *names):
            os.utime(Path(folder) / name, (then, then), follow_symlinks=False)


@pytest.fixture
def jobs_of_all_kinds(
    tmp_path: Path, job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> dict[str, Path]:
    """Job folders: complete, stopped and unfinished ones, all of them old."""
    job = job_of("a.png", "b.png")
    out = job.path.parent
    entries = [entry for entry, _ in job.manifest()]
    job.results.write(reading_of(entries[0], "A"))
    paths = {"unfinished": job.path}
    for kind in ("complete", "stopped", "another complete"):
        paths[kind] = out / "below" / kind
        shutil.copytree(job.path, paths[kind])
    Job.open(paths["stopped"]).cancel("enough")
    for kind in ("complete", "another complete"):
        Job.open(paths[kind]).results.write(reading_of(entries[1], "B"))
    for path in paths.values():
        age(path, 30)
    return paths


def test_jobs_says_what_state_each_is_in(lettermill: Command, jobs_of_all_kinds: dict[str, Path]) -> None:
    out = jobs_of_all_kinds["unfinished"].parent
    rows = json.loads(lettermill("jobs", "--out", out, "--json").stdout)
    assert {row["job"]: row["state"] for row in rows} == {
        str(path): kind.split()[-1] for kind, path in jobs_of_all_kinds.items()
    }
    plain = lettermill("jobs", "--out", out).stdout
    assert "unfinished  1 of 2 pages" in plain
    assert "complete    2 of 2 pages" in plain


def test_prune_deletes_old_jobs_and_nothing_else(
    lettermill: Command, jobs_of_all_kinds: dict[str, Path], tmp_path: Path
) -> None:
    out = jobs_of_all_kinds["unfinished"].parent
    precious = tmp_path / "precious"
    shutil.copytree(jobs_of_all_kinds["complete"], precious)
    (out / "a link").symlink_to(precious)
    (jobs_of_all_kinds["complete"] / "a link").symlink_to(precious)
    no_job = out / "no job"
    shutil.copytree(jobs_of_all_kinds["complete"] / "pages", no_job / "pages")
    age(out, 30)
    done = lettermill("jobs", "--out", out, "--prune", "7", "--yes")
    assert "deleted 3 of 3 job folders" in done.stderr
    assert "unfinished" not in done.stdout
    assert jobs_of_all_kinds["unfinished"].is_dir()
    assert [path for kind, path in jobs_of_all_kinds.items() if path.exists() and kind != "unfinished"] == []
    assert (precious / "job.json").exists()
    assert list(no_job.rglob("*.json"))
    assert list((out / "below").iterdir()) == []


@pytest.mark.parametrize(("answer", "left"), [("y\n", 1), ("n\n", 4)])
def test_prune_asks(jobs_of_all_kinds: dict[str, Path], answer: str, left: int) -> None:
    out = jobs_of_all_kinds["unfinished"].parent
    done = subprocess.run(
        [*LETTERMILL, "jobs", "--out", out, "--prune", "7"],
        input=answer,
        capture_output=True,
        text=True,
        env=clean_environment(),
        check=True,
    )
    assert "Delete 3 job folders" in done.stderr
    assert sum(path.exists() for path in jobs_of_all_kinds.values()) == left


def test_prune_leaves_alone_what_is_young_or_in_use(
    lettermill: Command, jobs_of_all_kinds: dict[str, Path], reading_of: Callable[..., PageReading]
) -> None:
    out = jobs_of_all_kinds["unfinished"].parent
    entry, _ = next(Job.open(jobs_of_all_kinds["stopped"]).manifest())
    Job.open(jobs_of_all_kinds["stopped"]).results.write(reading_of(entry, "NEW"))
    locked, read = jobs_of_all_kinds["complete"], jobs_of_all_kinds["another complete"]
    with (locked / ".lock").open("a") as lock, Job.open(read).reading_here() as ours:
        assert ours
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = lettermill("jobs", "--out", out, "--prune", "7", "--yes")
        assert "deleted 0 of 2 job folders" in done.stderr
    assert all(path.exists() for path in jobs_of_all_kinds.values())
    done = lettermill("jobs", "--out", out, "--prune", "7", "--yes")
    assert "deleted 2 of 2 job folders" in done.stderr


def test_a_prune_that_was_cut_off_leaves_no_job_and_the_next_one_finishes_it(
    lettermill: Command, jobs_of_all_kinds: dict[str, Path], tmp_path: Path
) -> None:
    complete = jobs_of_all_kinds["complete"]
    out = jobs_of_all_kinds["unfinished"].parent
    half = complete.rename(complete.with_name(f".lettermill-pruned-{complete.name}"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / ".lettermill-pruned-link").symlink_to(elsewhere)
    rows = json.loads(lettermill("jobs", "--out", out, "--json").stdout)
    assert str(half) not in {row["job"] for row in rows}
    assert "no job below" in lettermill("jobs", "--out", out, "--prune", "1000").stderr
    assert not half.exists()
    assert elsewhere.is_dir()
    assert jobs_of_all_kinds["another complete"].exists()


# --- a command at the end -------------------------------------------------------------------------------

SCRIPT = """
import json, os, sys
names = ("LETTERMILL_JOB", "LETTERMILL_STATE", "LETTERMILL_PAGES", "LETTERMILL_FAILED")
with open(sys.argv[1], "a") as file:
    file.write(json.dumps([*sys.argv[2:], *(os.environ[name] for name in names)]) + chr(10))
print("said by the command")
sys.exit(int(os.environ.get("END", "0")))
"""


@pytest.fixture
def noting(tmp_path: Path) -> str:
    """A command line that notes how it was called in the file notes."""
    (tmp_path / "note it.py").write_text(SCRIPT)
    return f"'{sys.executable}' '{tmp_path}/note it.py' '{tmp_path}/notes' '$HOME; two words'"


def test_the_command_at_the_end_gets_the_job_and_its_counts(
    lettermill: Command, thirteen_scans: Path, tmp_path: Path, noting: str
) -> None:
    done = lettermill("run", thirteen_scans, "--out", "out", "--json", "--then", noting, status=1)
    (job,) = (tmp_path / "out").iterdir()
    expected = ["$HOME; two words", str(job), str(job), "complete", "13", "1"]
    assert json.loads((tmp_path / "notes").read_text()) == expected
    assert json.loads(done.stdout)["pages"] == 13
    assert "said by the command" in done.stderr
    lettermill("wait", job, "--then", noting, status=1)
    lettermill("resume", job, "--then", noting, status=1)
    lines = (tmp_path / "notes").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [expected] * 3


def test_a_command_that_fails_changes_nothing(
    lettermill: Command, thirteen_scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noting: str
) -> None:
    (thirteen_scans / "broken.png").unlink()
    monkeypatch.setenv("END", "7")
    done = lettermill("run", thirteen_scans, "--out", "out", "--then", noting)
    assert "ended with exit status 7" in done.stderr
    assert "12 DONE" in done.stdout
    script = tmp_path / "script"
    script.write_text("no shebang")
    script.chmod(0o755)
    done = lettermill("run", thirteen_scans, "--out", "out", "--then", script)
    assert "does not start" in done.stderr
    script.write_text(f"#!{sys.executable}\nimport os\nos.kill(os.getpid(), 9)\n")
    assert "ended with signal 9" in lettermill("run", thirteen_scans, "--out", "out", "--then", script).stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [("no-such-program-anywhere", "no program"), ("'open", "cannot understand"), ("", "no program")],
)
def test_a_command_that_cannot_be_run_is_refused_at_the_start(
    lettermill: Command, thirteen_scans: Path, tmp_path: Path, command: str, said: str
) -> None:
    done = lettermill("run", thirteen_scans, "--out", "out", "--then", command, status=2)
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_resume_at_a_broker_has_no_end_to_wait_for(lettermill: Command, job_of: Callable[..., Job]) -> None:
    words = ("--broker", "redis://127.0.0.1:1/0", "--then", "true")
    assert "lettermill wait" in lettermill("resume", job_of("a.png").path, *words, status=2).stderr


# --- progress -------------------------------------------------------------------------------------------


def test_counts_follow_a_manifest_that_is_written_anew(
    scans: Path, job_of: Callable[..., Job], reading_of: Callable[..., PageReading]
) -> None:
    job = job_of(*(f"{number}.png" for number in range(5)))
    watched = JobWatch(job)
    for entry, _ in job.manifest():
        job.results.write(reading_of(entry, "A"))
    assert watched.look() == Tally(5, 5)
    for number in range(3):
        (scans / f"{number}.png").unlink()
    job_of("3.png", "new.png")
    assert watched.look() == Tally(3, 2)
    job_of("0.png")
    (entry,) = [entry for entry, _ in job.manifest() if entry.scan == "new.png"]
    job.results.write(reading_of(entry, "B"))
    assert watched.look() == Tally(4, 3)  # The new 0.png has another time than the one that was read.


def test_a_run_follows_scans_that_another_one_adds(
    lettermill: Command, start: Starter, many_scans: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "growing", tmp_path / "out"
    shutil.copytree(many_scans, folder)
    run = start("run", folder, "--out", out, "--workers", "1")
    wait_for(lambda: finished(out) >= 3, what="pages")
    for number in range(10):
        shutil.copy(many_scans / f"{number}.png", folder / f"new {number}.png")
    lettermill("run", folder, "--out", out, "--workers", "1")
    assert run.wait(120) == 0
    said = (tmp_path / "process-0.log").read_text()
    counts = [(int(a), int(b)) for a, b in re.findall(r"(\d+) of (\d+) pages done", said)]
    assert all(done <= pages for done, pages in counts)
    assert (counts[0][1], counts[-1]) == (40, (50, 50))
    (job,) = out.iterdir()
    assert statuses(job) == {"DONE": 50}


def test_lines_tell_no_time_left_from_what_was_done_before(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("lettermill.jobs.running.progress.time.monotonic", lambda: now[0])
    with JobProgress() as progress:
        for seconds, tally in (
            (0, Tally(100, 90)),
            (10, Tally(100, 92)),
            (10, Tally(1000, 92)),
            (10, Tally(1000, 102)),
            (10, Tally(1000, 60)),
            (10, Tally(1000, 80)),
        ):
            now[0] += seconds
            progress.show(tally)
    assert capsys.readouterr().err.splitlines() == [
        "90 of 100 pages done, 0 failed",
        "92 of 100 pages done, 0 failed, 0.2 a second, about 40 s left",
        "92 of 1000 pages done, 0 failed",
        "102 of 1000 pages done, 0 failed, 1.0 a second, about 898 s left",
        "60 of 1000 pages done, 0 failed",
        "80 of 1000 pages done, 0 failed, 2.0 a second, about 460 s left",
    ]


def on_a_terminal(words: list[object], cwd: Path) -> str:
    """Run a command on a pseudo-terminal and return what it showed."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*LETTERMILL, *map(str, words)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=cwd,
        env={**clean_environment(), "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # Linux says so when the last process has closed the other side.
            break
        if not part:
            break
        shown += part
    os.close(leader)
    process.wait(60)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_the_bar_begins_with_what_was_done_and_never_goes_over(
    lettermill: Command, start: Starter, many_scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = start("run", many_scans, "--out", out, "--workers", "1")
    wait_for(lambda: finished(out) >= 5, what="pages")
    os.kill(run.pid, signal.SIGINT)
    assert run.wait(60) == 130
    done = finished(out)
    (job,) = out.iterdir()
    shown = on_a_terminal(["resume", job, "--workers", "1"], tmp_path)
    counts = [(int(a), int(b)) for a, b in re.findall(r"(\d+)/(\d+) +pages", shown)]
    assert counts, shown
    assert counts[0] == (done, 40)
    assert counts[-1] == (40, 40)
    assert counts == sorted(counts)
    assert {whole for _, whole in counts} == {40}


# --- token ----------------------------------------------------------------------------------------------


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
    (job,) = out.iterdir()
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
    assert list((tmp_path / "out").iterdir()) == [job]
    assert Job.open(job).tally() == Tally(40, 0)


@pytest.mark.parametrize("address", ["s3:/bucket/out", "S3://bucket/out", "s3//bucket", "https://host/out"])
def test_a_mistyped_address_is_no_folder(lettermill: Command, tmp_path: Path, address: str) -> None:
    done = lettermill("jobs", "--out", address, status=2)
    assert "s3://BUCKET/PREFIX" in done.stderr
    assert not list(tmp_path.glob("[sShH]*"))


def test_waiting_for_nobody_says_so(
    start: Starter, lettermill: Command, many_scans: Path, tmp_path: Path, broker: str
) -> None:
    submitted = lettermill("submit", many_scans, "--out", tmp_path / "out", "--broker", broker)
    job = submitted.stdout.strip()
    waiting = start("wait", job, faults={"set": {"lettermill.jobs.running.dispatch._STILL_SECONDS": 1}})
    wait_for(lambda: b"Does a worker run" in Path(f"/proc/{waiting.pid}/fd/2").read_bytes(), what="a hint")
