"""Checkpoints: what is written is read, and nothing else passes."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lettermill.jobs.errors import BadData, ModelProblem, UsageProblem
from lettermill.training.fitting import checkpoint
from lettermill.training.fitting.checkpoint import CHECKPOINT_FILE, Checkpoint, Identity
from lettermill.training.training_settings import CLASSES, LABELS, TrainingSettings
from tests.drawn_letters import some_letters

SETTINGS = TrainingSettings(epochs=3)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Checkpoint, Path]:
    letters = some_letters()
    arrays = [np.arange(12, dtype=np.float32).reshape(3, 4), np.array(7)]
    identity = Identity.of(SETTINGS, CLASSES, letters, None)
    one = Checkpoint(identity, [{"epoch": 1, "loss": 0.5}], arrays, arrays[::-1])
    checkpoint.write(one, tmp_path / CHECKPOINT_FILE)
    return one, tmp_path / CHECKPOINT_FILE


def test_a_checkpoint_is_read_as_it_was_written(saved: tuple[Checkpoint, Path]) -> None:
    one, path = saved
    found = checkpoint.read(path)
    assert (found.identity, found.history) == (one.identity, one.history)
    for arrays, others in ((found.state, one.state), (found.best, one.best)):
        for array, other in zip(arrays, others, strict=True):
            np.testing.assert_array_equal(array, other)
            assert array.dtype == other.dtype


@given(st.data())
def test_one_changed_byte_is_noticed(data: st.DataObject) -> None:
    arrays = [np.ones(3)]
    one = Checkpoint(Identity.of(SETTINGS, CLASSES, None), [], arrays, arrays)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / CHECKPOINT_FILE
        checkpoint.write(one, path)
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(content)
        with pytest.raises(ModelProblem, match="is damaged"):
            checkpoint.read(path)


def test_an_identity_depends_on_settings_classes_and_data(tmp_path: Path) -> None:
    letters = some_letters()
    one = Identity.of(SETTINGS, CLASSES, letters, None)
    one.check(Identity.of(SETTINGS, CLASSES, letters, None), tmp_path)
    with pytest.raises(UsageProblem, match="other settings: epochs, seed"):
        one.check(Identity.of(TrainingSettings(epochs=4, seed=8), CLASSES, letters, None), tmp_path)
    with pytest.raises(UsageProblem, match="other settings: the classes"):
        one.check(Identity.of(SETTINGS, LABELS, letters, None), tmp_path)
    for parts in ((letters[:3], None), (letters, letters), (None, letters)):
        with pytest.raises(BadData, match="other letters"):
            one.check(Identity.of(SETTINGS, CLASSES, *parts), tmp_path)
