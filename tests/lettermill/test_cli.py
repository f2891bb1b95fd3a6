"""The command line: quick, complete, and clear about what went wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lettermill import cli
from tests.support import PATIENCE_SECONDS, Command, Starter, alive, wait_for, worker_main

NOBODY = "redis://127.0.0.1:1/0"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_commands_line_in_the_overview_is_its_own(name: str) -> None:
    command = cli.lettermill.get_command(click.Context(cli.lettermill), name)
    assert command is not None
    assert command.get_short_help_str(limit=200) == cli.COMMANDS[name].help


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_option_has_help(name: str) -> None:
    command = cli.lettermill.get_command(click.Context(cli.lettermill), name)
    assert command is not None
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"


def test_the_overview_loads_no_command() -> None:
    code = (
        "import sys; from lettermill import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'cv2', 'celery', 'redis', 'pandas', 'PIL', 'ai_edge_litert', 'rich'}\n"
        "heavy.add('tensorflow')\n"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [name for name in cli.COMMANDS if name not in ("train", "evaluate")])
def test_no_command_but_train_imports_tensorflow(name: str, tmp_path: Path, thirteen_scans: Path) -> None:
    """Each command is run for real, with an import hook that ends the process on TensorFlow."""
    hook = tmp_path / "hook" / "sitecustomize.py"
    hook.parent.mkdir()
    hook.write_text(
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('tensorflow', 'keras'):\n"
        "            import os; os.write(2, b'TENSORFLOW IMPORTED'); os._exit(99)\n"
        "sys.meta_path.insert(0, No())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(hook.parent)}

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lettermill.cli", *map(str, words)],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            check=False,
        )

    out = tmp_path / "out"
    if name in ("run", "predict"):
        words: dict[str, list[object]] = {
            "run": ["run", thirteen_scans, "--out", out],
            "predict": ["predict", thirteen_scans / "page 1.png"],
        }
        done = call(*words[name])
        assert done.returncode in (0, 1), done.stderr
    else:
        done = call(name, "--help")
        assert done.returncode == 0, done.stderr
    assert "TENSORFLOW" not in done.stderr


def test_run_reads_a_folder_and_leaves_nothing_behind(
    lettermill: Command,
    thirteen_scans: Path,
    tmp_path: Path,
    temporary: Path,
) -> None:
    done = lettermill("run", thirteen_scans, "--out", tmp_path / "out", status=1)
    (job,) = (tmp_path / "out").iterdir()
    assert "13  (12 DONE, 1 FAILED)" in done.stdout
    assert "TRUNCATED" in done.stdout
    rows = (job / "pages.csv").read_text().splitlines()
    assert len((job / "letters.csv").read_text().splitlines()) == 1 + 12 * 10
    assert sum("DONE" in row for row in rows) == 12
    assert (job / "summary.html").is_file()
    assert not list(temporary.iterdir())
    assert not list((job / "attempts").rglob("*.log"))
    assert not list(job.rglob(".writing-*"))


def test_a_second_run_reads_only_what_is_new_or_changed(
    lettermill: Command,
    thirteen_scans: Path,
    tmp_path: Path,
    draw_page: Callable[..., Path],
) -> None:
    lettermill("run", thirteen_scans, "--out", "out", status=1)
    (job,) = (tmp_path / "out").iterdir()
    first = {path: path.stat().st_mtime_ns for path in (job / "pages").rglob("*.json")}
    letters = (job / "letters.csv").read_bytes()

    again = lettermill("run", thirteen_scans, "--out", "out", status=1)
    assert "13 of them read before" in again.stderr
    assert (job / "letters.csv").read_bytes() == letters
    assert {path: path.stat().st_mtime_ns for path in (job / "pages").rglob("*.json")} == first

    draw_page(thirteen_scans / "page 3.png", ["CHANGED"])
    draw_page(thirteen_scans / "new.png", ["NEW"])
    (thirteen_scans / "page 4.png").unlink()
    third = lettermill("run", thirteen_scans, "--out", "out", status=1)
    assert "13 pages, 11 of them read before" in third.stderr
    now = {path: path.stat().st_mtime_ns for path in (job / "pages").rglob("*.json")}
    assert first.items() <= now.items()
    assert len(now) == len(first) + 2
    pages = (job / "pages.csv").read_text()
    assert "new.png" in pages
    assert "page 4.png" not in pages


def test_debug_draws_pages_read_before_too_and_none_twice(
    lettermill: Command, thirteen_scans: Path, tmp_path: Path
) -> None:
    lettermill("run", thirteen_scans, "--out", "out", status=1)
    (job,) = (tmp_path / "out").iterdir()
    letters = (job / "letters.csv").read_bytes()
    done = lettermill("run", thirteen_scans, "--out", "out", "--debug", "seen", status=1)
    drawn = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "seen").iterdir()}
    assert sorted(name.split(".png-1-")[0] for name in drawn) == sorted(f"page {n}" for n in range(12))
    assert "drawings" in done.stderr
    assert list(tmp_path.glob("out/*")) == [job]  # Drawing makes no other job, and other results none either.
    assert (job / "letters.csv").read_bytes() == letters
    next((tmp_path / "seen").glob("page 7*")).unlink()
    again = lettermill("run", thirteen_scans, "--out", "out", "--debug", "seen", status=1)
    assert "13 pages, 11 of them read before" in again.stderr  # The broken one has no drawing either.
    now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "seen").iterdir()}
    assert now.keys() == drawn.keys()
    assert sum(now[name] != drawn[name] for name in now) == 1


def test_json_for_programs(lettermill: Command, thirteen_scans: Path, tmp_path: Path) -> None:
    done = lettermill("run", thirteen_scans, "--out", "out", "--json", status=1)
    assert json.loads(done.stdout)["pages"] == 13
    (job,) = (tmp_path / "out").iterdir()
    state = json.loads(lettermill("status", job, "--json").stdout)
    assert state == state | {"pages": 13, "finished": 13, "failed": 1, "state": "complete", "stopped": None}
    (listed,) = json.loads(lettermill("jobs", "--out", "out", "--json").stdout)
    assert listed["finished"] == 13
    assert lettermill("wait", job, status=1).returncode == 1


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["run", "nowhere", "--out", "out"], 2, "does not exist"),
        (["run", "file.png", "--out", "out"], 2, "is a file, not a folder"),
        (["run", "empty", "--out", "out"], 3, "no scans below"),
        (["run", "scans", "--out", "scans/out"], 2, "lies in the scan folder"),
        (["run", "scans", "--out", "out", "--debug", "scans/seen"], 2, "lies in the scan folder"),
        (["run", "scans", "--out", "out", "--debug", "seen", "--broker", NOBODY], 2, "worker --debug"),
        (["run", "scans", "--out", "out", "--alphabet", "greek"], 2, "'greek' is not one of"),
        (["run", "scans", "--out", "out", "--model", "empty"], 7, "cannot read the model's card"),
        (["run", "scans", "--out", "file.png"], 8, "cannot make the job folder"),
        (["status", "empty"], 4, "is not a job folder"),
        (["collect", "nowhere"], 4, "does not exist"),
        (["cancel", "empty"], 4, "is not a job folder"),
        (["jobs", "--out", "nowhere"], 4, "is not a folder"),
        (["jobs", "--out", "empty", "--yes"], 2, "--prune DAYS"),
        (
            ["submit", "scans", "--out", "out", "--broker", NOBODY],
            5,
            "cannot be reached, or refuses",
        ),
        (["submit", "scans", "--out", "out", "--broker", "ftp://x"], 5, "begins with none of"),
        (["submit", "scans", "--out", "out"], 2, "--broker"),
        (
            ["worker", "--broker", NOBODY, "--scans", "scans", "--results", "empty"],
            5,
            "Redis",
        ),
        (["predict", "nowhere.png"], 2, "does not exist"),
        (["frobnicate"], 2, "No such command"),
    ],
)
def test_errors_say_what_happened_and_have_their_status(
    lettermill: Command,
    thirteen_scans: Path,
    tmp_path: Path,
    words: list[str],
    status: int,
    said: str,
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.png").write_bytes(b"")
    done = lettermill(*words, status=status)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_password_on_the_command_line_is_refused_and_not_shown(
    lettermill: Command, thirteen_scans: Path
) -> None:
    done = lettermill(
        "submit", thirteen_scans, "--out", "out", "--broker", "redis://me:secret@127.0.0.1:1/0", status=2
    )
    assert "secret" not in done.stderr + done.stdout
    assert "LETTERMILL_BROKER_PASSWORD_FILE" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_stops_everything_and_the_same_command_goes_on(
    lettermill: Command,
    start: Starter,
    many_scans: Path,
    tmp_path: Path,
    temporary: Path,
    number: signal.Signals,
) -> None:
    run = start("run", many_scans, "--out", "out", "--workers", "1")
    out = tmp_path / "out"
    wait_for(lambda: len(list(out.glob("*/pages/*/*.json"))) >= 3, what="the first pages")
    main = worker_main(run.pid)
    assert main is not None
    family = [main, *main.children(recursive=True)]
    os.kill(run.pid, number)
    assert run.wait(PATIENCE_SECONDS) == 130
    wait_for(lambda: not any(alive(process) for process in family), what="the workers' end")
    assert not list(temporary.iterdir())
    done = len(list(out.glob("*/pages/*/*.json")))
    assert done < 40
    again = lettermill("run", many_scans, "--out", "out")
    assert "of them read before" in again.stderr
    assert "40 DONE" in again.stdout


def test_names_that_spreadsheets_and_shells_stumble_over(
    lettermill: Command,
    tmp_path: Path,
    draw_page: Callable[..., Path],
) -> None:
    folder = tmp_path / "odd"
    names = ["=1+1.png", "two words.png", "quo\"te'.png", "line\nbreak.png", "<b>.png", "comma, semi;.png"]
    for name in names:
        draw_page(folder / name, ["ODD"])
    page = (folder / "<b>.png").read_bytes()
    with open(os.fsencode(folder) + b"/latin-\xe9.png", "wb") as file:  # noqa: PTH123 - bytes are the point
        file.write(page)
    done = lettermill("run", folder, "--out", "out")
    assert "7  (7 DONE)" in done.stdout
    (job,) = (tmp_path / "out").iterdir()
    import csv

    with (job / "pages.csv").open(newline="", encoding="utf-8") as rows:
        names_read = {row["scan"] for row in csv.DictReader(rows)}
    assert names_read == {*(set(names) - {"=1+1.png"}), "'=1+1.png", "latin-\\xe9.png"}
    html = (job / "summary.html").read_text(encoding="utf-8")
    assert "<b>.png" not in html


def test_score_without_subprocess_says_what_is_missing(tmp_path: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(cli.lettermill, ["score", str(tmp_path)])
    assert done.exit_code == 2
    assert "--truth" in done.output
