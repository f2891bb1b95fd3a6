"""The installation: what is installed is right, and what is made wrong is found."""

from __future__ import annotations

import importlib.metadata
import shutil
from pathlib import Path

import pytest

from lettermill.jobs.inputs.model import MODEL_FILE, installed_model_folder
from lettermill.worker.checks import installation
from lettermill.worker.checks.finding import Level


def test_this_installation_is_right() -> None:
    found = [*installation.check_libraries(), *installation.check_model(), *installation.check_reading()]
    assert [(one.check, one.level) for one in found] == [
        ("libraries", Level.OK),
        ("model", Level.OK),
        ("reading", Level.OK),
    ]


def test_libraries_that_are_missing_or_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    required = ["no-such-library>=1", "numpy<0.1", "click", 'no-such-extra; extra == "train"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: required)
    (found,) = installation.check_libraries()
    assert found.level is Level.WRONG
    missing, other = found.said.split("; ")
    assert missing == "no-such-library is missing"
    assert other.startswith("numpy is ")
    assert other.endswith("not <0.1")


def test_a_damaged_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(installed_model_folder(), tmp_path / "model")
    (tmp_path / "model" / MODEL_FILE).write_bytes(b"damaged")
    monkeypatch.setattr(installation, "installed_model_folder", lambda: tmp_path / "model")
    (found,) = installation.check_model()
    assert (found.level, found.todo) == (Level.WRONG, "Reinstall Lettermill.")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "was killed by SIGILL"),
        ("print('LETERMIL')", "was read as: LETERMIL"),
        ("raise ImportError('no libGL')", "ImportError: no libGL"),
    ],
)
def test_a_process_that_does_not_read_the_word(monkeypatch: pytest.MonkeyPatch, code: str, said: str) -> None:
    monkeypatch.setattr(installation, "_READ_IN_A_PROCESS", code)
    (found,) = installation.check_reading()
    assert found.level is Level.WRONG
    assert said in found.said
