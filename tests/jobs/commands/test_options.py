"""Options that several commands share: what is refused, and the command of --then."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lettermill.cli import lettermill as lettermill_group
from lettermill.jobs.commands.options import OPTION_GROUPS
from lettermill.jobs.commands.resume import resume
from lettermill.jobs.commands.run import run
from lettermill.jobs.commands.submit import submit
from lettermill.jobs.commands.watch import watch
from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.job.folder import Job
from tests.support import Command


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
    (job,) = (tmp_path / "out").glob("*-*")
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
    [
        ("no-such-program-anywhere", "begin with a program"),
        ("'open", "cannot understand"),
        ("", "begin with a program"),
    ],
)
def test_a_command_that_cannot_be_run_is_refused_at_the_start(
    lettermill: Command, thirteen_scans: Path, tmp_path: Path, command: str, said: str
) -> None:
    done = lettermill("run", thirteen_scans, "--out", "out", "--then", command, status=2)
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["s3:/bucket/out", "S3://bucket/out", "s3//bucket", "https://host/out"])
def test_a_mistyped_address_is_no_folder(lettermill: Command, tmp_path: Path, address: str) -> None:
    done = lettermill("jobs", "--out", address, status=2)
    assert "s3://BUCKET/PREFIX" in done.stderr
    assert not list(tmp_path.glob("[sShH]*"))


@pytest.mark.parametrize("command", [run, submit, watch, resume])
def test_every_option_has_a_heading(command: click.Command) -> None:
    """Without one it would stand below the last heading, beside --help."""
    headed = {name for names in OPTION_GROUPS.values() for name in names}
    assert {one.name for one in command.params if isinstance(one, click.Option)} <= headed
    shown = command.get_help(click.Context(command, **lettermill_group.context_settings))
    assert shown.split("\nHelp:\n")[1].split() == ["-h,", "--help", "Show", "this", "message", "and", "exit."]
    options = [one for one in command.params if isinstance(one, click.Option)]
    assert all(shown.count(f"\n  {one.opts[0]} ") == 1 for one in options)


def test_no_heading_names_an_option_that_is_gone() -> None:
    commands: list[click.Command] = [run, submit, watch, resume]
    known = {one.name for command in commands for one in command.params}
    headed = [name for names in OPTION_GROUPS.values() for name in names]
    assert set(headed) <= known
    assert len(headed) == len(set(headed))


@pytest.mark.parametrize(
    ("given", "said"), [("99", "For 99 %, write 0.99."), ("1", "range 0<x<1."), ("high", "is not a valid")]
)
def test_a_rate_in_percent_is_refused_with_what_to_write(given: str, said: str) -> None:
    done = CliRunner().invoke(lettermill_group, ["run", "scans", "--out", "out", "--accept-at", given])
    assert done.exit_code == 2
    assert said in done.output
    assert ("write" in done.output) == (given == "99")


def test_fields_are_accepted_only_where_there_are_some(tmp_path: Path) -> None:
    words = ["run", "scans", "--out", str(tmp_path / "out"), "--accept-fields-at", "0.98"]
    done = CliRunner().invoke(lettermill_group, words)
    assert isinstance(done.exception, UsageProblem)
    assert "--accept-fields-at needs fields" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_letters_and_fields_are_not_accepted_at_once() -> None:
    rates = ["--accept-fields-at", "0.98", "--accept-at", "0.99"]
    done = CliRunner().invoke(lettermill_group, ["run", "scans", "--out", "out", *rates])
    assert isinstance(done.exception, UsageProblem)
    assert "contradict each other" in str(done.exception)
