"""What a network sees: filters of its file, letters that stand for a class."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lettermill.jobs.errors import ModelProblem
from lettermill.jobs.inputs.model import installed_model_folder
from lettermill.training.measure import Answers
from lettermill.training.reports.network_pictures import draw_what_it_sees, first_kernels, typical_letters
from tests.drawn_letters import answers_of, letters_of

NETWORK = installed_model_folder() / "handprint.tflite"


def test_the_first_kernels_are_those_of_the_network() -> None:
    kernels = first_kernels(NETWORK)
    assert kernels is not None and kernels.shape == (24, 5, 5) and kernels.dtype == np.float32
    assert np.isfinite(kernels).all() and np.ptp(kernels) > 0


def test_a_damaged_network_is_named(tmp_path: Path) -> None:
    path = tmp_path / "handprint.tflite"
    path.write_bytes(NETWORK.read_bytes()[:1000])
    with pytest.raises(ModelProblem, match=r"cannot read the network .*handprint\.tflite"):
        first_kernels(path)


def test_typical_letters_are_right_and_of_median_confidence() -> None:
    rows = [("A", "A", 0.5), ("A", "A", 0.7), ("A", "A", 0.9), ("B", "B", 0.6), ("C", "A", 0.9)]
    assert typical_letters(answers_of(rows)) == [1, 3]


def test_pictures_are_drawn_where_there_are_letters(tmp_path: Path) -> None:
    one = letters_of("one", cv2.FONT_HERSHEY_SIMPLEX, "AB")
    answers = Answers(
        ("A", "B"), np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1]), one.glyphs, one.sources
    )
    drawn = draw_what_it_sees(
        answers, NETWORK, lambda glyphs: np.full((len(glyphs), 2), 0.5, np.float32), tmp_path
    )
    assert drawn == {"filters": True, "right": True, "wrong": False}
    assert {path.name for path in tmp_path.iterdir()} == {"filters.png", "looked-right.png"}
