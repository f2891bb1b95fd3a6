"""The place of a letter that the line network alone sees."""

from __future__ import annotations

import numpy as np
import pytest

from lettermill.segmentation.glyph import GLYPH_SIZE
from lettermill.segmentation.values import Ink
from lettermill.worker.reading.uncut_letters import uncut_candidate
from tests.worker.reading.words import HEIGHT, TOP, word_of

LINE = word_of((10, 20), (60, 70)).candidates
SHAPE = (60, 100)


def frame(columns: tuple[int, int] | None) -> Ink:
    mask = np.zeros(SHAPE, np.uint8)
    if columns:
        mask[TOP + 2 : TOP + HEIGHT - 3, slice(*columns)] = 255
    return Ink(mask, 0.0, np.array([[1.0, 0, 0], [0, 1.0, 0]]))


def test_its_box_is_around_the_ink_in_its_columns() -> None:
    one = uncut_candidate(30, 50, LINE, HEIGHT, frame((35, 44)), SHAPE)
    assert (one.box.x, one.box.y, one.box.width, one.box.height) == (35, TOP + 2, 9, HEIGHT - 5)
    assert one.glyph.any()


def test_without_ink_it_is_as_high_as_its_neighbours() -> None:
    one = uncut_candidate(30, 50, LINE, HEIGHT, frame(None), SHAPE)
    assert (one.box.x, one.box.width) == (30, 20)
    assert HEIGHT <= one.box.height <= 1.3 * HEIGHT
    assert one.box.y < TOP + HEIGHT / 2 < one.box.y + one.box.height
    assert one.glyph.shape == (GLYPH_SIZE, GLYPH_SIZE)
    assert not one.glyph.any()


@pytest.mark.parametrize(("left", "right"), [(-30.0, -5.0), (95, 140), (99.6, 99.7), (50, 50)])
def test_it_stays_on_the_page(left: float, right: float) -> None:
    box = uncut_candidate(left, right, LINE, HEIGHT, frame((0, 100)), SHAPE).box
    assert 0 <= box.x < box.x + box.width <= SHAPE[1]
    assert 0 <= box.y < box.y + box.height <= SHAPE[0]
