"""The recipe: a grey page goes in, its lines, words and candidate letters come out."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.binarise import find_ink
from lettermill.segmentation.boxes import clip_to_page, component_boxes, enclosing_box, page_boxes
from lettermill.segmentation.breaks import mend_breaks
from lettermill.segmentation.characters import (
    attach_marks,
    drop_non_letters,
    is_body,
    join_strokes,
    separate_accents,
)
from lettermill.segmentation.columns import find_lines_in_columns
from lettermill.segmentation.components import (
    INK_LEVEL,
    Component,
    Sizes,
    draw_component,
    find_components,
    measure_sizes,
)
from lettermill.segmentation.form_lines import guess_sizes, remove_form_lines
from lettermill.segmentation.glyph import normalise
from lettermill.segmentation.lines import ONE_LINE, line_height, merge_into_one_line, split_words, word_gap
from lettermill.segmentation.machine_print import (
    find_colons,
    find_cut_rows,
    find_machine_print,
    find_stray_rows,
    machine_print_odds,
)
from lettermill.segmentation.orientation import rotate_quarters
from lettermill.segmentation.quality import measure_quality, measure_quality_without_letters
from lettermill.segmentation.shrink import shrink
from lettermill.segmentation.skew import deskew, find_skew
from lettermill.segmentation.trace import UNSEEN, Trace
from lettermill.segmentation.values import Candidate, Gap, Ink, Line, Segmentation, Word

Layout = Literal["auto", "page", "line"]
"""How a page is read: as many lines, as one line, or as its height in letters suggests."""

Printed = Literal["drop", "keep"]
"""Whether printed captions are left out or read like hand-print."""

_FromComponent = Callable[
    [Component], NDArray[np.uint8]
]  # made once for each letter: its ink alone, or its glyph

SURVEY_SIDE = 1600
"""Longer side in pixels of the first look, which only measures: a 4-mm letter on A4 keeps 20 pixels."""

SURVEY_WINDOW, SURVEY_REACH = 1 / 4, 1 / 30
"""Windows of the first look as shares of the longer side: wider than a letter that fills the image."""

LEAST_WINDOW = 31
"""Pixels: an image smaller than this is lit evenly."""

PAPER_WINDOW = 4.0
"""Side in letter heights of the window whose median is the paper: ink covers less than half of it."""

STROKE_REACH = 3.0
"""Side in strokes of the window for the local contrast: it meets the middle of the stroke from its edge."""

STROKE_BLUR = 0.2
"""Blur in strokes that evens out pencil and grain; it leaves the edge of a stroke where it is."""

WORKING_LETTER = 48.0
"""Pixels to which higher letters are scaled down before the work: the CNN sees 22, and grain averages out."""


_AROUND = np.ones((3, 3), np.uint8)

SLOPING = 3.0
"""Degrees of skew from which the first look may miss rules."""


def segment(
    page: NDArray[np.uint8],
    layout: Layout = "auto",
    printed: Printed = "keep",
    trace: Trace = UNSEEN,
    quarters: int = 0,
) -> Segmentation:
    """Find the candidate letters of a page.

    Args:
        page: uint8, h×w, grey, dark ink on light paper or light on dark.
        layout: "page" looks for lines; "line" takes everything as one line; "auto" takes a page that is
            lower than 2.2 of its letters as one line.
        printed: "drop" leaves out what is printed, "keep" takes it like hand-print.
        trace: is told what each stage saw.
        quarters: quarter turns clockwise by which the page lies, 0 to 3; boxes are on the page as it lies.

    Returns:
        Lines from top to bottom, words and letters from left to right, boxes in page pixels. No lines where
        nothing has the shape of a letter.

    Raises:
        ValueError: the page is not a two-dimensional uint8 array with at least one pixel.
    """
    if page.ndim != 2 or page.dtype != np.uint8 or page.size == 0:
        raise ValueError(
            f"a page must be a two-dimensional uint8 array, not {page.dtype} of shape {page.shape}"
        )
    upright, back = rotate_quarters(page, quarters)
    survey, scale, has_rules = _survey(upright)
    seen = measure_sizes(survey)
    if seen is None:
        return _nothing(survey, page, scale)
    skew = find_skew(survey, seen)
    seen = Sizes(seen.letter / scale, seen.stroke / scale)
    ink = _ink_of_page(upright, seen, skew, back)
    trace.note("ink", ink)
    if has_rules or abs(skew) > SLOPING:
        lines_removed = remove_form_lines(ink.mask, Sizes(seen.letter * ink.scale, seen.stroke * ink.scale))
        ink = dataclasses.replace(ink, mask=lines_removed.mask)
        trace.note("rules", lines_removed.removed)
    components = find_components(ink.mask)
    sizes = measure_sizes(components)
    if sizes is None:
        return _nothing(survey, page, scale)
    at_edge = _touches_edge(component_boxes(components, ink), page.shape)
    parts, ink = mend_breaks(drop_non_letters(components, sizes, at_edge, trace), sizes, ink)
    trace.note("mended", ink.mask)
    joined = join_strokes(parts, sizes)
    bodies = [component for component in joined if is_body(component, sizes)]
    marks = [component for component in joined if not is_body(component, sizes)]
    has_one = layout == "line" or (layout == "auto" and upright.shape[0] < ONE_LINE * seen.letter)
    rows, accents = separate_accents(find_lines_in_columns(bodies, sizes.letter))
    rows = attach_marks(rows, [*marks, *accents], sizes, trace)
    alone = functools.cache(functools.partial(ink_alone, ink=ink.mask))
    glyph = functools.cache(lambda component: normalise(alone(component)))
    lines = _wanted(rows, ink, glyph, page.shape, printed, has_one, trace)
    if has_one:
        lines = merge_into_one_line(lines)
    if not lines:
        return _nothing(survey, page, scale)
    trace.note("lines", lines)
    gap = word_gap(lines)
    words = [split_words(line, gap) for line in lines]
    trace.note("words", [word for line in words for word in line])
    found = tuple(_line(line, ink, alone, glyph, page.shape) for line in words)
    letters = [letter for line in lines for letter in line]
    known = {id(contour) for row in rows for letter in row for contour in letter.with_accents}
    unread = [
        component
        for component, cut in zip(components, at_edge.tolist(), strict=True)
        if not cut and id(component.contours[0]) not in known
    ]
    return Segmentation(found, skew, measure_quality(page, found, letters, unread, ink.scale), quarters, ink)


def _wanted(
    rows: list[list[Component]],
    ink: Ink,
    glyph: _FromComponent,
    shape: tuple[int, ...],
    printed: Printed,
    has_one: bool,
    trace: Trace,
) -> list[list[Component]]:
    """Leave out the rests of lines that the upper or lower edge cuts, what is printed, and what strays."""
    # The page's axis across the lines: y, unless the page lies on a side.
    down = int(np.argmax(np.abs(ink.to_page[:2, 1])))
    boxes = [component_boxes(row, ink) for row in rows]
    at_edge = [((box[:, down] <= 0) | (box[:, 2 + down] >= shape[1 - down])).tolist() for box in boxes]
    cut = find_cut_rows(rows, at_edge)
    trace.note("captions", [row for row, is_cut in zip(rows, cut, strict=True) if is_cut], "cut by the edge")
    rows = [row for row, is_cut in zip(rows, cut, strict=True) if not is_cut]
    if printed == "keep":
        return rows
    odds = machine_print_odds([glyph(letter) for row in rows for letter in row])
    if has_one:
        strays = find_stray_rows(rows, odds)
        trace.note("captions", [*itertools.compress(rows, strays)], "not the one line")
        odds = odds[~np.repeat(strays, [len(row) for row in rows])] if rows else odds
        rows = [row for row, is_stray in zip(rows, strays, strict=True) if not is_stray]
    colons = find_colons(rows, ink.mask)
    flags = find_machine_print(rows, odds, ink.mask.shape[1], colons)
    dropped = [list(itertools.compress(*row)) for row in zip(rows, flags, strict=True)]
    trace.note("captions", [row for row in dropped if row], "printed")
    kept = [
        [letter for letter, is_printed in zip(*row, strict=True) if not is_printed]
        for row in zip(rows, flags, strict=True)
    ]
    return [row for row in kept if row]


def _nothing(survey: Sequence[Component], page: NDArray[np.uint8], scale: float) -> Segmentation:
    """What is to be said of a page without letters: the survey's components are all there is."""
    height, width = page.shape[0] * scale, page.shape[1] * scale
    within = [
        component
        for component in survey
        if component.left > 0
        and component.top > 0
        and component.right < int(width)
        and component.bottom < int(height)
    ]
    return Segmentation((), 0.0, measure_quality_without_letters(within, max(height, width), scale))


def _survey(page: NDArray[np.uint8]) -> tuple[list[Component], float, bool]:
    """Find the components of ink on a small copy, which only measures; its scale; and whether it has rules."""
    small, scale = shrink(page, SURVEY_SIDE / max(page.shape))
    side = max(small.shape)
    ink = find_ink(small, max(LEAST_WINDOW, side * SURVEY_WINDOW), side * SURVEY_REACH, blur=0.0)
    components = find_components(ink)
    guess = guess_sizes(components, side)
    mask = ink if guess is None else remove_form_lines(ink, guess).mask
    return (components if mask is ink else find_components(mask) or components), scale, mask is not ink


def _ink_of_page(
    page: NDArray[np.uint8], sizes: Sizes, skew: float, back_to_page: NDArray[np.float64]
) -> Ink:
    """Take the ink off the righted page at a scale that suits its letters, and turn it upright."""
    small, scale = shrink(page, WORKING_LETTER / sizes.letter)
    window = max(LEAST_WINDOW, PAPER_WINDOW * sizes.letter * scale)
    stroke = sizes.stroke * scale
    ink = find_ink(small, window, STROKE_REACH * stroke, STROKE_BLUR * stroke)
    upright, back = deskew(ink, skew, sizes.letter * scale)
    to_page = back / scale
    to_page[:, 2] += 0.5 / scale - 0.5
    to_page = back_to_page[:, :2] @ to_page
    to_page[:, 2] += back_to_page[:, 2]
    return Ink(upright, skew, to_page)


def _touches_edge(boxes: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether each box reaches the edge of a page of that shape."""
    return (boxes[:, :2] <= 0).any(axis=1) | (boxes[:, 2] >= shape[1]) | (boxes[:, 3] >= shape[0])


def _line(
    words: list[list[Component]],
    ink: Ink,
    alone: _FromComponent,
    glyph: _FromComponent,
    shape: tuple[int, ...],
) -> Line:
    """Make a line of its words, with boxes on the page."""
    letter = line_height([component for word in words for component in word])
    components = [component for word in words for component in word]
    shapes = [np.concatenate(component.with_accents).reshape(-1, 2) for component in components]
    boxes = [clip_to_page(edges, shape) for edges in page_boxes(shapes, ink).tolist()]
    coming = iter(boxes)
    found = []
    for word in words:
        candidates = [
            Candidate(
                box,
                alone(component),
                glyph(component),
                max(0, component.left - 1),
                max(0, component.top - 1),
                number,
                number + 1,
            )
            for number, (component, box) in enumerate(
                zip(word, itertools.islice(coming, len(word)), strict=True)
            )
        ]
        found.append(Word(tuple(candidates), _gaps(word, letter)))
    return Line(enclosing_box(boxes), tuple(found), letter)


def _gaps(word: Sequence[Component], letter: float) -> tuple[Gap, ...]:
    """The paper between the components of a word."""
    return tuple(Gap((right.left - left.right) / letter) for left, right in itertools.pairwise(word))


def ink_alone(component: Component, ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut one letter out of the ink, without the neighbours that reach into its box.

    Args:
        component: the letter.
        ink: uint8, the whole ink frame.

    Returns:
        uint8: the letter's box with a margin of one pixel, soft edges kept, all else 0.
    """
    left, top = max(0, component.left - 1), max(0, component.top - 1)
    crop = ink[top : component.bottom + 1, left : component.right + 1]
    own = draw_component(component, left, top, crop.shape[1], crop.shape[0])
    # Around its strokes only what is weaker than one: the soft edge, no neighbour.
    _, edge = cv2.threshold(crop, INK_LEVEL - 1, 0, cv2.THRESH_TOZERO_INV)
    edge = cv2.bitwise_and(edge, cv2.dilate(own, _AROUND))
    return cv2.bitwise_or(cv2.bitwise_and(crop, own), edge).astype(np.uint8, copy=False)
