"""`lettermill context`: packs of one's own."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from lettermill.jobs.commands.context import context
from lettermill.jobs.errors import UsageProblem
from lettermill.jobs.inputs.context import read_context


def test_a_list_becomes_a_pack_beside_it(tmp_path: Path) -> None:
    listed = tmp_path / "streets.txt"
    listed.write_text("\n".join(f"STREET{chr(65 + n // 26)}{chr(65 + n % 26)}" for n in range(300)))

    result = CliRunner().invoke(context, ["build", str(listed)], catch_exceptions=False)

    pack = tmp_path / "streets.npz"
    assert result.exit_code == 0
    assert f"{pack}: " in result.output
    assert "perplexity" in result.output
    assert read_context(str(pack)).digest == read_context(str(listed)).digest


def test_a_pack_needs_its_suffix(tmp_path: Path) -> None:
    listed = tmp_path / "streets.txt"
    listed.write_text("STREET\n")

    result = CliRunner().invoke(context, ["build", str(listed), "--out", str(tmp_path / "pack")])

    assert isinstance(result.exception, UsageProblem)
    assert not (tmp_path / "pack").exists()
