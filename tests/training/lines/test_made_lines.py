"""Made lines: as the network's input, readable, reproducible."""

from __future__ import annotations

import numpy as np
import pytest

from lettermill.jobs.settings import DIGITS, LETTERS, MARKS
from lettermill.segmentation.line_image import LINE_ROWS, WIDTH_UNIT
from lettermill.training.lines.line_sources import LineSources
from lettermill.training.lines.made_lines import WIDEST_COLUMNS, LineMaker, TrainingLine
from tests.training.written_fields import drawn_sources


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> LineSources:
    return drawn_sources(tmp_path_factory.mktemp("made"))


def lines(sources: LineSources, count: int, seed: int = 1) -> list[TrainingLine]:
    maker = LineMaker(sources, np.random.default_rng(seed))
    return [maker.line() for _ in range(count)]


def test_lines_are_inputs_of_the_network(sources: LineSources) -> None:
    for line in lines(sources, 200):
        assert line.image.dtype == np.uint8 and line.image.shape[0] == LINE_ROWS
        assert line.image.shape[1] % WIDTH_UNIT == 0 and line.image.shape[1] <= WIDEST_COLUMNS
        assert set(line.text) <= set(LETTERS + DIGITS + MARKS)
        assert not line.marks_unknown


def test_characters_stay_readable(sources: LineSources) -> None:
    """A character has some columns of its own, and ink that stands out."""
    made = [line for line in lines(sources, 200) if line.text]
    columns = np.array([line.image.shape[1] / len(line.text) for line in made])
    assert np.median(columns) > 12 and np.mean(columns < 5) < 0.02
    assert np.mean([line.image.max() > 200 for line in made]) > 0.99


def test_a_few_lines_are_empty(sources: LineSources) -> None:
    empty = [line for line in lines(sources, 600) if not line.text]
    assert 2 <= len(empty) <= 60


def test_the_same_seed_gives_the_same_lines(sources: LineSources) -> None:
    one, other = lines(sources, 20), lines(sources, 20)
    assert [line.text for line in one] == [line.text for line in other]
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first.image, second.image)
    assert [line.text for line in lines(sources, 20, seed=2)] != [line.text for line in one]


def test_sources_of_one_kind_are_enough(sources: LineSources) -> None:
    assert len(lines(LineSources(glyphs=sources.glyphs), 10)) == 10
    assert len(lines(LineSources(writers=sources.writers), 10)) == 10
