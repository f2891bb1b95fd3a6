"""The debug drawing has one panel per stage, and marks letters where they are on the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pytest

from bench.pages.difficulties import Difficulties
from bench.pages.hands import FontHand
from bench.pages.layouts import PRINT_FONTS
from bench.pages.maker import make
from lettermill.jobs.inputs.model import installed_model_folder, load_model
from lettermill.jobs.records.readings import Box, Letter, LineReading
from lettermill.jobs.settings import Settings
from lettermill.segmentation.components import find_components
from lettermill.segmentation.page import segment
from lettermill.segmentation.values import Candidate, Ink
from lettermill.worker.reading.classifier import Classifier
from lettermill.worker.reading.debug import (
    LETTER_PIXELS,
    MAX_SIDE_PIXELS,
    MIN_WIDTH_PIXELS,
    TITLE_PIXELS,
    Drawing,
)
from lettermill.worker.reading.read_lines import read_lines

SANS = FontHand(PRINT_FONTS / "DejaVuSans.ttf")
COLOUR = (178, 114, 0)  # The first of groups.
SECOND = (0, 94, 213)
AGREED = (130, 130, 130)


def boxed(*letters: tuple[str, int, int, int, int], flagged: bool = False) -> tuple[LineReading, ...]:
    made = tuple(Letter(Box(*box), 1, ((name, 0.97),), flagged) for name, *box in letters)
    return (LineReading(made[0].box, made),)


def count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == colour).all(axis=2).sum())


def test_every_stage_has_a_panel() -> None:
    page = np.full((100, MIN_WIDTH_PIXELS), 255, np.uint8)
    drawing, fewer = Drawing(page), Drawing(page)
    for stage in ("ink", "form lines", "form lines", "parts"):
        drawing.note(stage, np.zeros_like(page), "some")
    fewer.note("ink", np.zeros_like(page))
    panel = 100 + TITLE_PIXELS + 2
    assert drawing.picture(()).shape[:2] == (5 * panel, MIN_WIDTH_PIXELS + 2)  # with the page and the letters
    assert fewer.picture(()).shape[:2] == (3 * panel, MIN_WIDTH_PIXELS + 2)


def test_masks_and_groups_are_coloured_where_they_lie() -> None:
    page = np.full((200, MIN_WIDTH_PIXELS), 255, np.uint8)
    mask = np.zeros_like(page)
    mask[50:60, 100:140] = 1
    drawing = Drawing(page)
    drawing.note("form lines", mask, "")
    picture = drawing.picture(())
    top = 200 + TITLE_PIXELS + 2 + TITLE_PIXELS + 1
    assert (picture[top + 50 : top + 60, 101:141] == COLOUR).all()
    assert count(picture, COLOUR) == 400


def test_a_page_that_is_segmented_again_replaces_the_first_drawing() -> None:
    page = make("line", SANS, 2).grey
    once, twice = Drawing(page), Drawing(page)
    segment(page, trace=once)
    segment(page[::-1, ::-1].copy(), trace=twice)
    segment(page, trace=twice)
    assert (once.picture(()) == twice.picture(())).all()


def test_groups_have_colours_of_their_own_unless_they_are_named() -> None:
    page = np.full((200, MIN_WIDTH_PIXELS), 255, np.uint8)
    groups = [
        find_components(cv2.rectangle(np.zeros_like(page), (x, 20), (x + 30, 50), 255, -1)) for x in (50, 150)
    ]
    counts = []
    for what in ("", "machine print"):
        drawing = Drawing(page)
        drawing.note("words", groups, what)
        picture = drawing.picture(())[TITLE_PIXELS + 200 + TITLE_PIXELS :]  # below the second title
        counts.append([count(picture, colour) for colour in (COLOUR, SECOND)])
    assert counts == [[31 * 31, 31 * 31], [2 * 31 * 31, 0]]


def test_parts_and_the_letters_chosen_of_them_are_drawn_where_their_ink_is() -> None:
    classifier = Classifier(load_model(installed_model_folder()), Settings().characters)
    page = make("pair", SANS, 1)
    seen: dict[str, Sequence[Sequence[Candidate]]] = {}

    class Notes(Drawing):
        def note(self, stage: str, seen_: Any, what: str = "") -> None:
            super().note(stage, seen_, what)
            seen[stage] = seen_

    drawing = Notes(page.grey)
    settings = Settings(layout="line", printed="keep")
    lines, _ = read_lines(page.grey, settings, classifier, trace=drawing)
    assert read_lines(page.grey, settings, classifier)[0] == lines
    assert len(seen["parts"]) >= len(seen["chosen"]) == sum(len(line.letters) for line in lines)
    mask = np.zeros((300, MIN_WIDTH_PIXELS), np.uint8)
    mask[0] = 255
    blot = dataclasses.replace(seen["chosen"][0][0], left=40, top=30)
    framed = Drawing(mask)
    framed.note("chosen", [[blot]])
    assert count(framed.picture(()), COLOUR) == int((blot.ink >= 128).sum())


def test_readings_are_drawn_where_the_readers_differ_in_their_colours() -> None:
    page = np.full((200, MIN_WIDTH_PIXELS), 255, np.uint8)
    panel = 200 + TITLE_PIXELS + 2
    for other, colours in (("B", {COLOUR, SECOND}), ("A", {AGREED})):
        drawing = Drawing(page)
        drawing.note_readings(40, 100, {"CNN": [("A", 30.0)], "line network": [(other, 30.0)]})
        picture = drawing.picture(())
        assert picture.shape[0] == 3 * panel  # with the page and the letters
        readers = picture[panel + TITLE_PIXELS : 2 * panel]
        found = {one for one in (COLOUR, SECOND, AGREED) if count(readers, one)}
        assert found == colours
        assert not count(readers[:40], COLOUR) and not count(readers[101:], SECOND)


def test_new_ink_makes_readings_obsolete() -> None:
    page = np.full((100, MIN_WIDTH_PIXELS), 255, np.uint8)
    drawing = Drawing(page)
    drawing.note_readings(10, 50, {"CNN": [("A", 30.0)]})
    drawing.note("ink", Ink(page, 0.0, np.eye(3)[:2]))
    assert drawing.picture(()).shape[0] == 3 * (100 + TITLE_PIXELS + 2)


def test_small_letters_are_enlarged_and_large_pages_kept_small() -> None:
    drawing = Drawing(np.full((40, 300), 255, np.uint8))
    small = drawing.picture(boxed(("A", 10, 10, 8, 10)))
    assert small.shape[1] - 2 == LETTER_PIXELS / 10 * 300
    large = Drawing(np.full((3508, 2480), 255, np.uint8)).picture(boxed(("A", 10, 10, 40, 46)))
    assert MAX_SIDE_PIXELS * 0.9 <= large.shape[0] <= 2 * MAX_SIDE_PIXELS + 200


def test_a_page_of_which_nothing_is_read_is_drawn() -> None:
    page = np.full((50, 400), 255, np.uint8)
    drawing = Drawing(page)
    segmentation = segment(page, trace=drawing)
    assert not segmentation.lines
    assert drawing.picture(()).shape[0] > 2 * 50


@pytest.mark.parametrize("flagged", [False, True])
def test_boxes_lie_around_the_letters_of_a_turned_page(flagged: bool) -> None:
    """Boxes are in pixels of the page; in the drawing they follow the ink, which is turned upright."""
    page = np.full((900, 1200), 255, np.uint8)
    drawing = Drawing(page)
    upright = np.array([[0.0, -1, 899], [1, 0, 0]])  # (x, y) comes to (899 - y, x)
    drawing.note("ink", Ink(np.zeros((1200, 900), np.uint8), 0.0, cv2.invertAffineTransform(upright)))
    picture = drawing.picture(boxed(("A", 500, 300, 60, 40), flagged=flagged))
    colour = (0, 60, 213) if flagged else (115, 120, 0)
    letters = picture[-1201:-1, -901:-1]  # the last panel, without its frame
    for row in (500, 560):
        assert (letters[row, 560:600] == colour).all()
    for column in (560, 600):
        assert (letters[500:560, column] == colour).all()


def test_each_letter_of_a_made_page_is_framed() -> None:
    page = make("card", SANS, 3, Difficulties(skew=0.5))
    drawing = Drawing(page.grey)
    segmentation = segment(page.grey, trace=drawing)
    letters = tuple(
        Letter(Box(box.x, box.y, box.width, box.height), 1, (("X", 0.5),), True)
        for line in segmentation.lines
        for word in line.words
        for box in (candidate.box for candidate in word.candidates)
    )
    without = count(drawing.picture(()), (0, 60, 213))
    framed = count(drawing.picture((LineReading(letters[0].box, letters),)), (0, 60, 213))
    assert framed - without > 50 * len(letters)
