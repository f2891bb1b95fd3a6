"""The layout of the line network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lettermill.jobs.settings import MARKS
from lettermill.segmentation.line_image import STEP_COLUMNS
from lettermill.training.fitting.line_network_layers import (
    BLANK,
    LINE_LABELS,
    REACH_COLUMNS,
    build,
)


@pytest.fixture(scope="module")
def model() -> Any:
    import keras

    keras.utils.set_random_seed(1)
    return build()


def test_it_answers_for_every_two_columns(model: Any) -> None:
    for columns in (8, 64, 104):
        logits = model(np.zeros((2, 32, columns, 1), np.uint8))
        assert logits.shape == (2, columns // STEP_COLUMNS, BLANK + 1)


def test_the_labels_are_those_of_the_workers(model: Any) -> None:
    assert LINE_LABELS == "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" + MARKS
    assert model.count_params() == 1_421_364


def test_a_column_far_away_changes_nothing(model: Any) -> None:
    """Workers read long lines in pieces that overlap."""
    line = np.zeros((1, 32, 512, 1), np.uint8)
    other = line.copy()
    other[:, :, 256:] = 200
    one, two = model(line).numpy()[0], model(other).numpy()[0]
    changed = np.flatnonzero(np.abs(one - two).max(axis=1) > 1e-6)
    assert (256 - REACH_COLUMNS) // STEP_COLUMNS <= changed[0] < 256 // STEP_COLUMNS
