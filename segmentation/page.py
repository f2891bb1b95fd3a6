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
from lettermill.segmentation.boxes import around, boxes_of, clipped, page_boxes
from lettermill.segmentation.breaks import mend
from lettermill.segmentation.characters import (
    attach_marks,
    drop_furniture,
    is_body,
    join_strokes,
    part_accents,
)
from lettermill.segmentation.columns import find_lines_in_columns
from lettermill.segmentation.components import INK_LEVEL, Piece, Sizes, draw, find_pieces, measure
from lettermill.segmentation.form_lines import guess_sizes, remove_furniture
from lettermill.segmentation.glyph import normalise
from lettermill.segmentation.lines import ONE_LINE, line_height, one_line, split_words, word_gap
from lettermill.segmentation.machine_print import find_colons, find_cut, find_printed, find_strays, print_odds
from lettermill.segmentation.orientation import turn_quarters
from lettermill.segmentation.quality import quality_of, quality_without_letters
from lettermill.segmentation.shrink import shrink
from lettermill.segmentation.skew import find_skew, turn
from lettermill.segmentation.trace import UNSEEN, Trace
from lettermill.segmentation.values import Candidate, Ink, Joint, Line, Segmentation, Word

Layout = Literal["auto", "page", "line"]
"""How a page is read: as many lines, as one line, or as its height in letters suggests."""

Printed = Literal["drop", "keep"]
"""Whether printed captions are left out or read like hand-print."""

_OfPiece = Callable[[Piece], NDArray[np.uint8]]  # made once for each letter: its ink alone, or its glyph

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
    upright, back = turn_quarters(page, quarters)
    survey, scale, has_rules = _survey(upright)
    seen = measure(survey)
    if seen is None:
        return _nothing(survey, page, scale)
    skew = find_skew(survey, seen)
    seen = Sizes(seen.letter / scale, seen.stroke / scale)
    ink = _ink_of_page(upright, seen, skew, back)
    trace.note("ink", ink)
    if has_rules or abs(skew) > SLOPING:
        furniture = remove_furniture(ink.mask, Sizes(seen.letter * ink.scale, seen.stroke * ink.scale))
        ink = dataclasses.replace(ink, mask=furniture.mask)
        trace.note("rules", furniture.removed)
    pieces = find_pieces(ink.mask)
    sizes = measure(pieces)
    if sizes is None:
        return _nothing(survey, page, scale)
    at_edge = _touches_edge(boxes_of(pieces, ink), page.shape)
    parts, ink = mend(drop_furniture(pieces, sizes, at_edge, trace), sizes, ink)
    trace.note("mended", ink.mask)
    joined = join_strokes(parts, sizes)
    bodies = [piece for piece in joined if is_body(piece, sizes)]
    marks = [piece for piece in joined if not is_body(piece, sizes)]
    has_one = layout == "line" or (layout == "auto" and upright.shape[0] < ONE_LINE * seen.letter)
    rows, accents = part_accents(find_lines_in_columns(bodies, sizes.letter))
    rows = attach_marks(rows, [*marks, *accents], sizes, trace)
    alone = functools.cache(functools.partial(ink_alone, ink=ink.mask))
    glyph = functools.cache(lambda piece: normalise(alone(piece)))
    lines = _wanted(rows, ink, glyph, page.shape, printed, has_one, trace)
    if has_one:
        lines = one_line(lines)
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
        piece
        for piece, cut in zip(pieces, at_edge.tolist(), strict=True)
        if not cut and id(piece.contours[0]) not in known
    ]
    return Segmentation(found, skew, quality_of(page, found, letters, unread, ink.scale), quarters, ink)


def _wanted(
    rows: list[list[Piece]],
    ink: Ink,
    glyph: _OfPiece,
    shape: tuple[int, ...],
    printed: Printed,
    has_one: bool,
    trace: Trace,
) -> list[list[Piece]]:
    """Leave out the rests of lines that the upper or lower edge cuts, what is printed, and what strays."""
    # The page's axis across the lines: y, unless the page lies on a side.
    down = int(np.argmax(np.abs(ink.to_page[:2, 1])))
    boxes = [boxes_of(row, ink) for row in rows]
    at_edge = [((box[:, down] <= 0) | (box[:, 2 + down] >= shape[1 - down])).tolist() for box in boxes]
    cut = find_cut(rows, at_edge)
    trace.note("captions", [row for row, is_cut in zip(rows, cut, strict=True) if is_cut], "cut by the edge")
    rows = [row for row, is_cut in zip(rows, cut, strict=True) if not is_cut]
    if printed == "keep":
        return rows
    odds = print_odds([glyph(letter) for row in rows for letter in row])
    if has_one:
        strays = find_strays(rows, odds)
        trace.note("captions", [*itertools.compress(rows, strays)], "not the one line")
        odds = odds[~np.repeat(strays, [len(row) for row in rows])] if rows else odds
        rows = [row for row, is_stray in zip(rows, strays, strict=True) if not is_stray]
    colons = find_colons(rows, ink.mask)
    flags = find_printed(rows, odds, ink.mask.shape[1], colons)
    dropped = [list(itertools.compress(*row)) for row in zip(rows, flags, strict=True)]
    trace.note("captions", [row for row in dropped if row], "printed")
    kept = [
        [letter for letter, is_printed in zip(*row, strict=True) if not is_printed]
        for row in zip(rows, flags, strict=True)
    ]
    return [row for row in kept if row]


def _nothing(survey: Sequence[Piece], page: NDArray[np.uint8], scale: float) -> Segmentation:
    """What is to be said of a page without letters: the survey's pieces are all there is."""
    height, width = page.shape[0] * scale, page.shape[1] * scale
    within = [
        piece
        for piece in survey
        if piece.left > 0 and piece.top > 0 and piece.right < int(width) and piece.bottom < int(height)
    ]
    return Segmentation((), 0.0, quality_without_letters(within, max(height, width), scale))


def _survey(page: NDArray[np.uint8]) -> tuple[list[Piece], float, bool]:
    """Find the pieces of ink on a small copy, which only measures; its scale; and whether it has rules."""
    small, scale = shrink(page, SURVEY_SIDE / max(page.shape))
    side = max(small.shape)
    ink = find_ink(small, max(LEAST_WINDOW, side * SURVEY_WINDOW), side * SURVEY_REACH, blur=0.0)
    pieces = find_pieces(ink)
    guess = guess_sizes(pieces, side)
    mask = ink if guess is None else remove_furniture(ink, guess).mask
    return (pieces if mask is ink else find_pieces(mask) or pieces), scale, mask is not ink


def _ink_of_page(
    page: NDArray[np.uint8], sizes: Sizes, skew: float, back_to_page: NDArray[np.float64]
) -> Ink:
    """Take the ink off the righted page at a scale that suits its letters, and turn it upright."""
    small, scale = shrink(page, WORKING_LETTER / sizes.letter)
    window = max(LEAST_WINDOW, PAPER_WINDOW * sizes.letter * scale)
    stroke = sizes.stroke * scale
    ink = find_ink(small, window, STROKE_REACH * stroke, STROKE_BLUR * stroke)
    upright, back = turn(ink, skew, sizes.letter * scale)
    to_page = back / scale
    to_page[:, 2] += 0.5 / scale - 0.5
    to_page = back_to_page[:, :2] @ to_page
    to_page[:, 2] += back_to_page[:, 2]
    return Ink(upright, skew, to_page)


def _touches_edge(boxes: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Whether each box reaches the edge of a page of that shape."""
    return (boxes[:, :2] <= 0).any(axis=1) | (boxes[:, 2] >= shape[1]) | (boxes[:, 3] >= shape[0])


def _line(
    words: list[list[Piece]], ink: Ink, alone: _OfPiece, glyph: _OfPiece, shape: tuple[int, ...]
) -> Line:
    """Make a line of its words, with boxes on the page."""
    letter = line_height([piece for word in words for piece in word])
    pieces = [piece for word in words for piece in word]
    shapes = [np.concatenate(piece.with_accents).reshape(-1, 2) for piece in pieces]
    boxes = [clipped(edges, shape) for edges in page_boxes(shapes, ink).tolist()]
    coming = iter(boxes)
    found = []
    for word in words:
        candidates = [
            Candidate(
                box,
                alone(piece),
                glyph(piece),
                max(0, piece.left - 1),
                max(0, piece.top - 1),
                number,
                number + 1,
            )
            for number, (piece, box) in enumerate(zip(word, itertools.islice(coming, len(word)), strict=True))
        ]
        found.append(Word(tuple(candidates), _joints(word, letter)))
    return Line(around(boxes), tuple(found), letter)


def _joints(word: Sequence[Piece], letter: float) -> tuple[Joint, ...]:
    """The paper between the pieces of a word."""
    return tuple(Joint((right.left - left.right) / letter) for left, right in itertools.pairwise(word))


def ink_alone(piece: Piece, ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut one letter out of the ink, without the neighbours that reach into its box.

    Args:
        piece: the letter.
        ink: uint8, the whole ink frame.

    Returns:
        uint8: the letter's box with a margin of one pixel, soft edges kept, all else 0.
    """
    left, top = max(0, piece.left - 1), max(0, piece.top - 1)
    crop = ink[top : piece.bottom + 1, left : piece.right + 1]
    own = draw(piece, left, top, crop.shape[1], crop.shape[0])
    # Around its strokes only what is weaker than one: the soft edge, no neighbour.
    _, edge = cv2.threshold(crop, INK_LEVEL - 1, 0, cv2.THRESH_TOZERO_INV)
    edge = cv2.bitwise_and(edge, cv2.dilate(own, _AROUND))
    return cv2.bitwise_or(cv2.bitwise_and(crop, own), edge).astype(np.uint8, copy=False)
