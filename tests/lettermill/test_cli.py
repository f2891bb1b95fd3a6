"""The command line: quick, complete, and clear about what went wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lettermill import cli
from tests.support import Command

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


def commands_below(command: click.Command, name: str) -> dict[str, click.Command]:
    """A command and those below it, by their whole names."""
    found = {name: command}
    if isinstance(command, click.Group):
        for below, one in command.commands.items():
            found |= commands_below(one, f"{name} {below}")
    return found


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_an_example(name: str) -> None:
    command = cli.lettermill.get_command(click.Context(cli.lettermill), name)
    assert command is not None
    for whole, one in commands_below(command, name).items():
        shown = one.get_help(click.Context(one, terminal_width=100, **cli.lettermill.context_settings))
        assert re.search(rf"\n  Examples?:\n    lettermill {whole}\b", shown), whole


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("runn", "Did you mean 'run'?"),
        ("colect", "'collect'"),
        ("xyz", "No such command 'xyz'.\n"),
    ],
)
def test_a_mistyped_command_is_guessed(typed: str, said: str) -> None:
    done = CliRunner().invoke(cli.lettermill, [typed])
    assert done.exit_code == 2
    assert said in done.output


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


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["run", "nowhere", "--out", "out"], 2, "does not exist"),
        (["run", "scans", "nowhere.png"], 2, "nowhere.png does not exist"),
        (["run", "notes.txt"], 3, "no scans among what was given"),
        (["run", "scans", "--name", "latest"], 2, "no job can be called 'latest'"),
        (["scans"], 2, "To read it: lettermill run scans"),
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
        (["review", "scans"], 4, "is a folder of scans, not a job\nRead it first: lettermill run 'scans'"),
        (["collect", "file.png"], 4, "is a scan, not a job\nRead it first: lettermill run 'file.png'"),
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
    (tmp_path / "notes.txt").write_bytes(b"")
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
