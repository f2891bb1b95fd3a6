"""The command `evaluate`: which letters it measures, and what it refuses."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from lettermill import cli
from lettermill.jobs.errors import BadData, ModelProblem, UsageProblem
from lettermill.jobs.inputs.model import installed_model_folder
from tests.drawn_letters import drawn, write_set


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    for seed, name in enumerate(("one", "two", "three")):
        write_set(folder / f"{name}_set.npz", seed, 6 if name == "one" else 5)
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(cli.lettermill, ["evaluate", *map(str, words)], catch_exceptions=False)


def test_evaluate_measures_each_source(sets: Path) -> None:
    result = CliRunner().invoke(
        cli.lettermill,
        ["evaluate", "--data", str(sets), "--alphabet", "alnum"],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    rows = re.findall(r"^(.+?) +(\d+) .*–", result.output, re.MULTILINE)
    assert rows == [("all letters", "576"), ("one", "216"), ("three", "180"), ("two", "180")]


def test_no_letter_of_the_alphabet(tmp_path: Path) -> None:
    sets = tmp_path / "sets"
    sets.mkdir()
    np.savez(sets / "letters.npz", x=drawn("F")[None], y=np.array(["F"]))
    with pytest.raises(BadData, match="the data hold none of 0123456789"):
        run("--data", sets, "--alphabet", "digits", "--out", tmp_path / "report")
    assert list(tmp_path.iterdir()) == [sets]


def test_a_damaged_model_writes_nothing(sets: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(installed_model_folder(), model)
    network = (model / "handprint.tflite").read_bytes()
    (model / "handprint.tflite").write_bytes(network[:-100])
    with pytest.raises(ModelProblem, match="is not the network that its card describes"):
        run("--data", sets, "--model", model, "--out", tmp_path / "report")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_of_other_things_is_left_alone(sets: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(UsageProblem, match="exists and is no report"):
        run("--data", sets, "--out", tmp_path)
    with pytest.raises(UsageProblem, match="exists and is no report"):
        run("--data", sets, "--out", tmp_path / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
