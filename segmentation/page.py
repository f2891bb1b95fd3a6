"""Segments a page: finds its lines, words and candidate letters.

Reads a grey page in two passes. A survey of a small copy measures the height of the letters, the width of
the strokes and the skew; then the work is done on the page at a scale that suits them.
"""

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
from lettermill.segmentation.cells import find_cells, of_single_letters, steps_between
from lettermill.segmentation.characters import (
    attach_marks,
    drop_non_letters,
    drop_strays,
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
from lettermill.segmentation.dark_bars import invert_bars
from lettermill.segmentation.form_lines import FormLines, guess_sizes, remove_boxes, remove_form_lines
from lettermill.segmentation.glyph import normalise
from lettermill.segmentation.lines import ONE_LINE_LETTERS, line_height, merge_into_one_line
from lettermill.segmentation.machine_print import (
    find_colons,
    find_cut_rows,
    find_machine_print,
    find_stray_rows,
    machine_print_odds,
)
from lettermill.segmentation.orientation import rotate_quarters
from lettermill.segmentation.quality import measure_quality, measure_quality_without_letters
from lettermill.segmentation.screens import drop_screen
from lettermill.segmentation.shrink import shrink
from lettermill.segmentation.skew import deskew, find_skew
from lettermill.segmentation.slashes import slash_probabilities
from lettermill.segmentation.strikes import find_strikes
from lettermill.segmentation.stroke_breaks import mend_breaks
from lettermill.segmentation.tick_boxes import TICK_PROBABILITY, drop_boxes, is_inside
from lettermill.segmentation.tints import LEAST_PAGE_PIXELS, measure_darkness, remove_tint
from lettermill.segmentation.trace import UNSEEN, Trace
from lettermill.segmentation.values import Box, Candidate, CellRow, Gap, Ink, Line, Segmentation, Word
from lettermill.segmentation.word_gaps import split_words, word_gap

Layout = Literal["auto", "page", "line"]
"""How to read a page: "page" looks for lines, "line" takes all as one line, "auto" decides by its height."""

Printed = Literal["drop", "keep"]
"""What to do with machine print: leave captions out, or read them like hand-print."""

_FromComponent = Callable[[Component], NDArray[np.uint8]]
"""Gives an image of one letter: its ink alone, or its glyph; each is made once."""

SURVEY_SIDE_PIXELS = 1600
"""Longer side of the copy that is surveyed: a letter of 4 mm on A4 keeps 20 pixels."""

SURVEY_WIDEST_RATIO = 2.0
"""Longer side divided by the shorter up to which that holds; copies of longer strips have as many pixels."""

SURVEY_PAPER_SHARE, SURVEY_CONTRAST_SHARE = 1 / 4, 1 / 30
"""Sides of the survey's two windows as shares of the longer side: wider than a letter that fills it."""

LEAST_WINDOW_PIXELS = 31
"""Smallest paper window: a smaller image is lit evenly."""

PAPER_WINDOW_LETTERS = 4.0
"""Side of the window whose median is the paper: ink covers less than half of it."""

CONTRAST_WINDOW_STROKES = 3.0
"""Side of the window for the local contrast: from the edge of a stroke it reaches the middle."""

BLUR_STROKES = 0.2
"""Blur that evens out pencil and grain and leaves the edge of a stroke where it is."""

WORKING_LETTER_PIXELS = 48.0
"""Height to which larger letters are scaled down first: the CNN sees 22 pixels, and grain averages out."""

MOST_GUESSES = 3
"""How often the letter size is guessed on a page whose letters all touch form lines."""

HIGHEST_STROKES = 25.0
"""Height in strokes of the highest letter; with thinner strokes it is a table that its letters touch."""

LEAST_OF_GUESS_SHARE = 0.6
"""Share of the guessed letter height that must be measured without form lines, else it is guessed again."""

SLOPING_DEGREES = 3.0
"""Skew from which the survey may miss form lines."""

_NEIGHBOURS = np.ones((3, 3), np.uint8)


@dataclasses.dataclass(frozen=True, slots=True)
class _Survey:
    """What a small copy of the page shows.

    Attributes:
        components: its connected components without form lines, in pixels of the copy.
        scale: pixels of the copy per page pixel.
        has_form_lines: whether form lines were removed.
    """

    components: list[Component]
    scale: float
    has_form_lines: bool


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
        layout: "page" looks for lines; "line" takes everything as one line; "auto" takes a page lower than
            2.2 letter heights as one line.
        printed: "drop" leaves out machine print, "keep" treats it like hand-print.
        trace: receives what each stage saw.
        quarters: clockwise 90° rotations by which the page lies, 0 to 3; boxes refer to the page as given.

    Returns:
        Lines from top to bottom, words and letters from left to right, boxes in page pixels. There are no
        lines if nothing has the shape of a letter.

    Raises:
        ValueError: the page is not a two-dimensional uint8 array with at least one pixel.
    """
    if page.ndim != 2 or page.dtype != np.uint8 or page.size == 0:
        raise ValueError(
            f"a page must be a two-dimensional uint8 array, not {page.dtype} of shape {page.shape}"
        )

    upright, to_page = rotate_quarters(page, quarters)
    upright = _on_even_paper(upright)
    survey = _survey(upright)
    rough = measure_sizes(survey.components)
    if rough is None:
        return _without_letters(survey, page.shape)

    skew = find_skew(survey.components, rough)
    page_sizes = Sizes(rough.letter / survey.scale, rough.stroke / survey.scale)
    small, scale = shrink(upright, WORKING_LETTER_PIXELS / page_sizes.letter)
    ink = _find_ink_of_page(small, scale, page_sizes, skew, to_page)
    trace.note("ink", ink)
    removed = None
    cell_rows: tuple[CellRow, ...] = ()
    if survey.has_form_lines or abs(skew) > SLOPING_DEGREES:
        removed, cell_rows = _find_form_lines(ink, small, page_sizes, trace)
        ink = dataclasses.replace(ink, mask=removed.mask)

    components = find_components(ink.mask)
    sizes = measure_sizes(components)
    if sizes is None:
        return _without_letters(survey, page.shape)
    components, lone_cells = drop_boxes(components, sizes, trace)
    sizes = measure_sizes(components)
    if sizes is None:
        return _without_letters(survey, page.shape)

    at_edge = _touches_edge(component_boxes(components, ink), page.shape)
    rows, ink = _find_rows(components, at_edge, sizes, ink, trace)
    cell_rows = of_single_letters(cell_rows, list(itertools.chain.from_iterable(rows)), sizes.letter)
    struck: tuple[Component, ...] = ()
    if removed is not None:
        rows, struck = _without_struck(rows, removed, sizes, trace)

    isolated = functools.cache(functools.partial(isolate, ink=ink.mask))
    glyph = functools.cache(lambda component: normalise(isolated(component)))
    is_one_line = layout == "line" or (
        layout == "auto" and upright.shape[0] < ONE_LINE_LETTERS * page_sizes.letter
    )
    lines = _rows_to_read(rows, ink, glyph, page.shape, printed, is_one_line, trace)
    if is_one_line:
        lines = merge_into_one_line(lines)
    if not lines:
        return _without_letters(survey, page.shape)
    trace.note("lines", lines)

    gap = word_gap(lines)
    words = [split_words(line, gap, steps_between(cell_rows, line)) for line in lines]
    trace.note("words", [word for line in words for word in line])

    found = tuple(_make_line(line, lone_cells, cell_rows, ink, isolated, glyph, page.shape) for line in words)
    letters = [letter for line in lines for letter in line]
    quality = measure_quality(page, found, letters, _unread(components, at_edge, rows), ink.scale)
    boxes = tuple((part.left, part.top, part.right, part.bottom) for part in struck)
    return Segmentation(found, skew, quality, quarters, ink, struck=boxes, cell_rows=cell_rows)


def _on_even_paper(page: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Invert dark bars with light writing and remove the tint around white boxes: uint8, h×w."""
    if min(page.shape) < LEAST_PAGE_PIXELS:
        return page
    darkness = measure_darkness(page)
    if not darkness.has_areas:
        return page
    inverted = invert_bars(page, darkness)
    if inverted is not page:
        darkness = measure_darkness(inverted)
    return remove_tint(inverted, darkness)


def _survey(page: NDArray[np.uint8]) -> _Survey:
    """Find the components on a small copy of the page, without form lines if there are any."""
    # A till roll shrunk like a page would have letters of a few pixels.
    ratio = max(1.0, max(page.shape) / min(page.shape) / SURVEY_WIDEST_RATIO)
    small, scale = shrink(page, SURVEY_SIDE_PIXELS * ratio**0.5 / max(page.shape))
    side = min(max(small.shape), SURVEY_SIDE_PIXELS)
    paper_window = max(LEAST_WINDOW_PIXELS, side * SURVEY_PAPER_SHARE)
    mask = find_ink(small, paper_window, side * SURVEY_CONTRAST_SHARE, blur=0.0)
    components = find_components(mask)

    guess = guess_sizes(components, side)
    cleaned, found = mask, components
    for number in range(MOST_GUESSES):
        if guess is None:
            break
        without = remove_form_lines(mask, guess).mask
        if without is mask:
            break
        parts = find_components(without)
        sizes = measure_sizes(parts) or Sizes(guess.letter / 2, guess.stroke)
        is_frame = sizes.letter > max(guess.letter / LEAST_OF_GUESS_SHARE, HIGHEST_STROKES * sizes.stroke)
        if number == 0 or not is_frame:
            cleaned, found = without, parts
        if is_frame:
            sizes = Sizes(guess.letter / 2, guess.stroke)
        elif sizes.letter >= LEAST_OF_GUESS_SHARE * guess.letter:
            break
        guess = sizes
    return _Survey(found or components, scale, has_form_lines=cleaned is not mask)


def _without_letters(survey: _Survey, shape: tuple[int, ...]) -> Segmentation:
    """Describe a page without letters, of which only the survey's components are known."""
    height, width = shape[0] * survey.scale, shape[1] * survey.scale
    within = [
        component
        for component in survey.components
        if component.left > 0
        and component.top > 0
        and component.right < int(width)
        and component.bottom < int(height)
    ]
    return Segmentation((), 0.0, measure_quality_without_letters(within, max(height, width), survey.scale))


def _find_ink_of_page(
    small: NDArray[np.uint8], scale: float, sizes: Sizes, skew: float, upright_to_page: NDArray[np.float64]
) -> Ink:
    """Find the soft foreground mask of a page, deskewed.

    Args:
        small: uint8, h×w, grey, rotated so that its lines run from left to right, and scaled.
        scale: its pixels per page pixel.
        sizes: of the page's letters and strokes in page pixels.
        skew: degrees by which its lines fall to the right.
        upright_to_page: float64, 2×3, the affine map from the rotated page, not scaled, to the page as given.
    """
    letter, stroke = sizes.letter * scale, sizes.stroke * scale
    paper_window = max(LEAST_WINDOW_PIXELS, PAPER_WINDOW_LETTERS * sizes.letter * scale)
    mask = find_ink(small, paper_window, CONTRAST_WINDOW_STROKES * stroke, BLUR_STROKES * stroke)
    deskewed, back = deskew(mask, skew, letter)

    # Between pixel centres: from the deskewed frame to the small copy, to `upright`, to the page as given.
    to_page = back / scale
    to_page[:, 2] += 0.5 / scale - 0.5
    to_page = upright_to_page[:, :2] @ to_page
    to_page[:, 2] += upright_to_page[:, 2]
    return Ink(deskewed, skew, to_page)


def _find_form_lines(
    ink: Ink, small: NDArray[np.uint8], page_sizes: Sizes, trace: Trace
) -> tuple[FormLines, tuple[CellRow, ...]]:
    """Remove form lines and cells from the ink that was made of `small`; also return the cells."""
    sizes = Sizes(page_sizes.letter * ink.scale, page_sizes.stroke * ink.scale)
    grey, _ = deskew(small, ink.skew_degrees, sizes.letter)
    form_lines = remove_form_lines(ink.mask, sizes, grey)
    rows = find_cells(ink.mask, form_lines.level, sizes)
    if rows:
        form_lines = remove_boxes(form_lines, [row.cells for row in rows], sizes, grey)
    trace.note("form lines", form_lines.removed)
    return form_lines, rows


def _without_struck(
    rows: list[list[Component]], form_lines: FormLines, sizes: Sizes, trace: Trace
) -> tuple[list[list[Component]], tuple[Component, ...]]:
    """Leave out the letters that are surely struck through; also return those that may be."""
    sure, maybe = find_strikes(rows, form_lines, sizes)
    struck = [list(itertools.compress(*row)) for row in zip(rows, sure, strict=True)]
    trace.note("left out", [letter for row in struck for letter in row], "struck through")
    kept = [
        [letter for letter, is_struck in zip(*row, strict=True) if not is_struck]
        for row in zip(rows, sure, strict=True)
    ]
    doubtful = [itertools.compress(*row) for row in zip(rows, maybe, strict=True)]
    return [row for row in kept if row], tuple(itertools.chain.from_iterable(doubtful))


def _touches_edge(boxes: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether each box reaches the edge of a page of that shape."""
    return (boxes[:, :2] <= 0).any(axis=1) | (boxes[:, 2] >= shape[1]) | (boxes[:, 3] >= shape[0])


def _find_rows(
    components: Sequence[Component], at_edge: NDArray[np.bool_], sizes: Sizes, ink: Ink, trace: Trace
) -> tuple[list[list[Component]], Ink]:
    """Group components into letters and these into rows; also the ink with the breaks that were mended."""
    parts = drop_screen(drop_non_letters(components, sizes, at_edge, trace), sizes, trace)
    parts, ink = mend_breaks(parts, sizes, ink)
    trace.note("mended", ink.mask)

    joined = join_strokes(parts, sizes)
    bodies = [component for component in joined if is_body(component, sizes)]
    marks = [component for component in joined if not is_body(component, sizes)]

    rows, accents = separate_accents(find_lines_in_columns(bodies, sizes.letter))
    rows = attach_marks(rows, [*marks, *accents], sizes, trace)
    return drop_strays(rows, ink.mask, sizes, trace), ink


def _rows_to_read(
    rows: list[list[Component]],
    ink: Ink,
    glyph: _FromComponent,
    shape: tuple[int, ...],
    printed: Printed,
    is_one_line: bool,
    trace: Trace,
) -> list[list[Component]]:
    """Drop rows that the upper or lower edge of the page cuts and, if asked, stray rows and machine print."""
    rows = _without_cut_rows(rows, ink, shape, trace)
    if printed == "keep":
        return rows

    odds = machine_print_odds([glyph(letter) for row in rows for letter in row])
    if is_one_line:
        strays = find_stray_rows(rows, odds)
        trace.note("captions", [*itertools.compress(rows, strays)], "not the one line")
        odds = odds[~np.repeat(strays, [len(row) for row in rows])] if rows else odds
        rows = [row for row, is_stray in zip(rows, strays, strict=True) if not is_stray]

    colons = find_colons(rows, ink.mask)
    flags = find_machine_print(rows, odds, ink.mask.shape[1], colons)
    dropped = [list(itertools.compress(*row)) for row in zip(rows, flags, strict=True)]
    trace.note("captions", [row for row in dropped if row], "machine print")

    kept = [
        [letter for letter, is_print in zip(*row, strict=True) if not is_print]
        for row in zip(rows, flags, strict=True)
    ]
    return [row for row in kept if row]


def _without_cut_rows(
    rows: list[list[Component]], ink: Ink, shape: tuple[int, ...], trace: Trace
) -> list[list[Component]]:
    """Drop the rows that the upper or lower edge of the page cuts."""
    # The page's axis across the lines: y, unless the page lies on a side.
    down = int(np.argmax(np.abs(ink.to_page[:2, 1])))
    boxes = [component_boxes(row, ink) for row in rows]
    at_edge = [((box[:, down] <= 0) | (box[:, 2 + down] >= shape[1 - down])).tolist() for box in boxes]

    cut = find_cut_rows(rows, at_edge)
    trace.note("captions", [row for row, is_cut in zip(rows, cut, strict=True) if is_cut], "cut by the edge")
    return [row for row, is_cut in zip(rows, cut, strict=True) if not is_cut]


def _make_line(
    words: list[list[Component]],
    lone_cells: Sequence[Box],
    cell_rows: Sequence[CellRow],
    ink: Ink,
    isolated: _FromComponent,
    glyph: _FromComponent,
    shape: tuple[int, ...],
) -> Line:
    """Make a line of its words, with boxes on the page."""
    components = [component for word in words for component in word]
    letter = line_height(components)
    outlines = [np.concatenate(component.with_accents).reshape(-1, 2) for component in components]
    boxes = [clip_to_page(edges, shape) for edges in page_boxes(outlines, ink).tolist()]

    slashes = slash_probabilities(components, letter)
    ticks = [
        TICK_PROBABILITY * any(is_inside(component, cell) for cell in lone_cells) for component in components
    ]
    remaining = zip(boxes, map(max, slashes, ticks), strict=True)
    found = []
    for word in words:
        candidates = [
            Candidate(
                box,
                isolated(component),
                glyph(component),
                max(0, component.left - 1),
                max(0, component.top - 1),
                number,
                number + 1,
                mark,
            )
            for number, (component, (box, mark)) in enumerate(
                zip(word, itertools.islice(remaining, len(word)), strict=True)
            )
        ]
        found.append(Word(tuple(candidates), _gaps(word, letter, cell_rows)))
    return Line(enclosing_box(boxes), tuple(found), letter)


def _gaps(word: Sequence[Component], letter: float, cell_rows: Sequence[CellRow]) -> tuple[Gap, ...]:
    """The gaps between the components of a word."""
    return tuple(
        Gap((right.left - left.right) / letter, wall=None if step is None else step != 0)
        for (left, right), step in zip(itertools.pairwise(word), steps_between(cell_rows, word), strict=True)
    )


def _unread(
    components: Sequence[Component], at_edge: NDArray[np.bool_], rows: Sequence[Sequence[Component]]
) -> list[Component]:
    """The components that went into no letter and do not touch the edge of the page."""
    known = {id(contour) for row in rows for letter in row for contour in letter.with_accents}
    return [
        component
        for component, is_cut in zip(components, at_edge.tolist(), strict=True)
        if not is_cut and id(component.contours[0]) not in known
    ]


def isolate(component: Component, ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut one letter out of the foreground mask, without neighbours that reach into its box.

    Args:
        component: the letter.
        ink: uint8, h×w, the whole soft foreground mask.

    Returns:
        uint8: the letter's box with a margin of one pixel; soft edges are kept, all else is 0.
    """
    left, top = max(0, component.left - 1), max(0, component.top - 1)
    crop = ink[top : component.bottom + 1, left : component.right + 1]
    own = draw_component(component, left, top, crop.shape[1], crop.shape[0])

    # Next to the strokes keep only what is weaker than a stroke: the soft edge, not a neighbour.
    _, edge = cv2.threshold(crop, INK_LEVEL - 1, 0, cv2.THRESH_TOZERO_INV)
    edge = cv2.bitwise_and(edge, cv2.dilate(own, _NEIGHBOURS))
    return cv2.bitwise_or(cv2.bitwise_and(crop, own), edge).astype(np.uint8, copy=False)
