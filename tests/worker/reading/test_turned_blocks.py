"""Blocks that lie another way up than their page are turned, read, and put in their place; others are not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.records.readings import Box, Letter, LineReading
from lettermill.jobs.scans.reader import read_page
from lettermill.jobs.settings import Limits, Settings
from lettermill.segmentation import values
from lettermill.segmentation.quality import find_flaws
from lettermill.segmentation.values import Flaw
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.read_lines import read_lines
from lettermill.worker.reading.turned_blocks import TurnedBlock, insert_block, moved
from tests.support import ROOT

Page = NDArray[np.uint8]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load_model(installed_model_folder()), Settings().characters)


@pytest.fixture(scope="module")
def card() -> Page:
    """Four lines of writing, wider than high."""
    return read_page(ROOT / "examples" / "scans" / "index-card.png", 1, 300, Limits())


def beside(*parts: Page, axis: int) -> Page:
    """Parts beside each other (axis 1) or below each other (axis 0), on one sheet."""
    side = max(part.shape[1 - axis] for part in parts)
    padded = []
    for part in parts:
        missing = [(0, 0), (0, 0)]
        missing[1 - axis] = (0, side - part.shape[1 - axis])
        padded.append(np.pad(part, missing, mode="constant", constant_values=int(np.median(part))))
    return np.ascontiguousarray(np.concatenate(padded, axis=axis))


def read(page: Page, classifier: Classifier) -> tuple[list[str], tuple[Flaw, ...], tuple[LineReading, ...]]:
    lines, segmentation = read_lines(page, Settings(), classifier)
    return [line.text for line in lines], find_flaws(segmentation), lines


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_half_is_read_as_if_it_stood_upright(
    quarters: int, axis: int, card: Page, classifier: Classifier
) -> None:
    text, _, _ = read(card, classifier)
    turned = np.rot90(card, -quarters)
    found, flaws, lines = read(beside(card, turned, axis=axis), classifier)
    assert found == [*text, *text]
    assert Flaw.TURNED in flaws
    for line in lines[len(text) :]:
        assert (line.box.x if axis else line.box.y) >= card.shape[axis]


def test_a_turned_block_between_others_is_read_between_them(card: Page, classifier: Classifier) -> None:
    text, _, _ = read(card, classifier)
    found, _, _ = read(beside(card, np.rot90(card, 2), card, axis=0), classifier)
    assert found == [*text, *text, *text]


def test_boxes_of_a_turned_block_lie_on_its_letters(card: Page, classifier: Classifier) -> None:
    _, _, upright = read(card, classifier)
    _, _, lines = read(beside(card, np.rot90(card, 2), axis=0), classifier)
    height, width = card.shape
    for one, other in zip(upright, lines[len(upright) :], strict=True):
        assert abs(width - one.box.x - one.box.width - other.box.x) <= 2
        assert abs(2 * height - one.box.y - one.box.height - other.box.y) <= 2


def test_two_upright_halves_are_not_turned(card: Page, classifier: Classifier) -> None:
    _, flaws, _ = read(beside(card, card, axis=0), classifier)
    assert Flaw.TURNED not in flaws


def line(x: int, y: int) -> LineReading:
    box = Box(x, y, 100, 20)
    return LineReading(box, (Letter(box, 1, (("A", 0.9),), False),))


LINES = [line(0, 10), line(0, 60), line(0, 110)]
SHAPE = (200, 300)


@pytest.mark.parametrize(
    ("block", "place"),
    [
        (values.Box(0, 0, 300, 5), 0),
        (values.Box(0, 40, 300, 15), 1),
        (values.Box(0, 140, 300, 60), 3),
        (values.Box(150, 0, 150, 200), 3),
    ],
)
def test_a_block_follows_what_is_above_it_and_left_of_it(block: values.Box, place: int) -> None:
    new = line(block.x, block.y)
    found = insert_block(LINES, [new], TurnedBlock(block, 2), SHAPE, 0)
    assert found.index(new) == place
    assert [one for one in found if one is not new] == LINES


def test_on_a_page_that_lies_upside_down_lines_follow_each_other_upward() -> None:
    new = line(0, 80)
    found = insert_block(LINES[::-1], [new], TurnedBlock(values.Box(0, 85, 300, 20), 0), SHAPE, 2)
    assert found.index(new) == 1


def test_a_moved_line_keeps_everything_but_its_place() -> None:
    found = moved(line(10, 20), 5, 7)
    assert (found.box, found.letters[0].box) == (Box(15, 27, 100, 20), Box(15, 27, 100, 20))
    assert found.text == "A"


def test_a_block_holds_what_has_its_middle_in_it() -> None:
    block = TurnedBlock(values.Box(100, 100, 50, 50), 1)
    assert block.holds(Box(90, 110, 30, 10))
    assert not block.holds(Box(80, 110, 30, 10))
