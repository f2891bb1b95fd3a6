"""`lettermill score`."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from lettermill import cli


def test_the_truth_has_to_be_given(tmp_path: Path) -> None:
    (tmp_path / "job.json").touch()
    runner = CliRunner()
    done = runner.invoke(cli.lettermill, ["score", str(tmp_path)])
    assert done.exit_code == 2
    assert "--truth" in done.output
