"""Standard streams on a full disk, closed, or with nobody at the other end: real processes, real files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import LETTERMILL, clean_environment, letters

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")

COMMAND = " ".join(LETTERMILL)


@pytest.fixture
def shell(tmp_path: Path, draw_page: Callable[..., Path]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a line of shell in a folder with one scan; `lettermill` is this one."""
    draw_page(tmp_path / "scans" / "card.png", ["HELLO"])

    def run(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", f'set -o pipefail; lettermill() {{ {COMMAND} "$@"; }}; {line}'],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**clean_environment(), **variables},
            check=False,
        )

    return run


Shell = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (">/dev/full", "No space left on device"),
        (">&-", "it is closed"),
        ("| true", "its reader has ended"),
        ("--json >/dev/full", "No space left on device"),
    ],
)
def test_output_that_cannot_be_written_is_said_and_the_results_are_whole(
    shell: Shell, tmp_path: Path, output: str, why: str
) -> None:
    done = shell(f"lettermill run scans --out out {output}")
    assert done.returncode == 8
    assert f"Error: cannot write to standard output: {why}\nFiles that the command wrote are" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert letters(tmp_path / "out").count(b"\r\n") == 6


@pytest.mark.parametrize("streams", ["2>/dev/full", "2>&-", "<&- 2>&-"])
def test_without_standard_error_everything_is_read_and_printed(
    shell: Shell, tmp_path: Path, streams: str
) -> None:
    done = shell(f"lettermill run scans --out out {streams}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 DONE" in done.stdout
    assert letters(tmp_path / "out").count(b"\r\n") == 6


@pytest.mark.parametrize("streams", [">/dev/full 2>&1", "<&- >&- 2>&-"])
def test_without_any_stream_the_status_is_left(shell: Shell, tmp_path: Path, streams: str) -> None:
    assert shell(f"lettermill run scans --out out {streams}").returncode == 8
    assert letters(tmp_path / "out").count(b"\r\n") == 6


@pytest.mark.parametrize(
    "command", ["status JOB", "status JOB --json", "jobs --out out", "collect JOB", "--help"]
)
def test_other_commands(shell: Shell, tmp_path: Path, command: str) -> None:
    assert shell("lettermill run scans --out out").returncode == 0
    (job,) = (tmp_path / "out").glob("*-*")
    done = shell(f"lettermill {command.replace('JOB', f'out/{job.name}')} >/dev/full")
    assert done.returncode == 8
    assert done.stderr.startswith("Error: cannot write to standard output: No space left on device\n")


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_characters_that_an_encoding_lacks_end_no_command(
    shell: Shell, tmp_path: Path, variables: dict[str, str]
) -> None:
    (tmp_path / "truth.csv").write_text("file,label\ncard.png,HELP\n")
    done = shell("lettermill run scans && lettermill score latest --truth truth.csv", **variables)
    assert done.returncode == 0, done.stderr
    assert "most common mistakes" in done.stdout


def test_a_pipe_that_is_read_slowly_gets_everything(shell: Shell) -> None:
    """A program that starts Lettermill may have made the pipe one that does not wait."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    process = subprocess.Popen(
        [*LETTERMILL, "run", "--help"], stdout=writing, stderr=subprocess.PIPE, env=clean_environment()
    )
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        shown = pipe.read()
    assert process.wait() == 0, process.stderr
    assert shown.endswith(b"Show this message and exit.\n")
    if process.stderr:
        process.stderr.close()
