"""Defines the values that segmentation returns: boxes, ink, candidate letters, words, lines, pages.

Every value is frozen. Boxes are in pixels of the page as it was given, x right, y down, from the
top-left corner. Arrays in the ink frame are deskewed and may be smaller than the page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Box:
    """An upright rectangle on the page.

    Attributes:
        x: left edge in page pixels.
        y: top edge in page pixels.
        width: columns covered, at least 1.
        height: rows covered, at least 1.
    """

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Ink:
    """The soft foreground mask of a page, deskewed, with the map back to the page.

    Attributes:
        mask: uint8, h×w, 0 paper … 255 ink; half-covered pixels at the edge of a stroke are between, and a
            stroke ends at 128.
        skew_degrees: the angle of the text on the page; positive if its lines fall to the right. An angle too
            small to matter is stated here but not removed from the mask.
        to_page: float64, 2×3, the affine map from ink coordinates (x, y, pixel centres) to page coordinates.
    """

    mask: NDArray[np.uint8] = field(compare=False, repr=False)
    skew_degrees: float
    to_page: NDArray[np.float64] = field(compare=False, repr=False)

    @property
    def scale(self) -> float:
        """Pixels of the ink frame per page pixel, at most 1."""
        return 1 / float(np.hypot(*self.to_page[0, :2]))


@dataclass(frozen=True, slots=True)
class CellRow:
    """Boxes beside each other on a form, each for one character.

    Attributes:
        cells: from left to right, in the ink frame: left, top, and one past right and bottom.
    """

    cells: tuple[tuple[int, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Ink that may be one character: a run of its word's components.

    Attributes:
        box: the smallest upright box around its ink, clipped to the page.
        ink: uint8, h×w, this character's part of the foreground mask, without neighbours that reach into its
            box.
        glyph: uint8, 28×28, the same as the CNN sees it.
        left: column of the ink frame in which `ink` begins.
        top: its row.
        first: number of its first component in the word, from 0.
        last: one past the number of its last component.
        mark: how probably it is no letter but a mark: a slash between letters, or a tick in a box.
    """

    box: Box
    ink: NDArray[np.uint8] = field(compare=False, repr=False)
    glyph: NDArray[np.uint8] = field(compare=False, repr=False)
    left: int
    top: int
    first: int
    last: int
    mark: float = 0.0


@dataclass(frozen=True, slots=True)
class Gap:
    """What is between two neighbouring components of a word.

    Attributes:
        paper: columns of paper in letter heights of the line; negative if their boxes overlap.
        ink: ink that a cut between them crosses, in stroke widths; 0 if they do not touch.
        wall: whether a wall of cells stands between them; False if one cell holds both, None if one of them
            is in no cell.
    """

    paper: float
    ink: float = 0.0
    wall: bool | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """Characters that belong together.

    Attributes:
        candidates: what its characters may be. `segment` gives one for each component, from left to right;
            `segmentation.over_segmentation.over_segment` adds runs of parts if they are doubtful.
        gaps: between neighbouring components of which the candidates are runs.
    """

    candidates: tuple[Candidate, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text.

    Attributes:
        box: around all of its words, on the page.
        words: from left to right.
        letter: height of its typical letter in pixels of the ink frame.
    """

    box: Box
    words: tuple[Word, ...]
    letter: float


class Flaw(StrEnum):
    """What makes a scan harder to read, the gravest first."""

    NO_INK = "NO_INK"
    LOW_RESOLUTION = "LOW_RESOLUTION"
    LOW_CONTRAST = "LOW_CONTRAST"
    BLURRED = "BLURRED"
    SKEWED = "SKEWED"
    TURNED = "TURNED"
    DOWNWARD_WORDS = "DOWNWARD_WORDS"
    BLEED_THROUGH = "BLEED_THROUGH"
    OTHER_ALPHABET = "OTHER_ALPHABET"
    PRINTED_FORM = "PRINTED_FORM"
    MUCH_INK_UNREAD = "MUCH_INK_UNREAD"


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured on a page; None if it cannot be measured without ink, or without letters.

    Attributes:
        letter_height: of a typical letter in page pixels, or of a component if no letter was found.
        stroke_width: of a typical stroke in page pixels.
        contrast: grey levels (of 255) between paper and ink.
        blur: standard deviation of the blur in letter heights, beyond what the pixels themselves cause.
        ink_used: share (0–1) of the strokes on the page, by length, that are letters; form lines, frames,
            specks and strokes that touch the page's edge do not count.
    """

    letter_height: float | None = None
    stroke_width: float | None = None
    contrast: float | None = None
    blur: float | None = None
    ink_used: float | None = None


@dataclass(frozen=True, slots=True)
class Segmentation:
    """What was found on a page.

    Attributes:
        lines: the lines from top to bottom.
        skew_degrees: the angle of the text; positive if its lines fall to the right.
        quality: what was measured on the scan.
        quarters: clockwise 90° rotations by which the page lies, 0 to 3; boxes refer to the page as given.
        ink: from which the candidates were cut; None if no letter was found.
        has_turned_block: whether a part of the page lies another way up than the rest.
        has_downward_words: whether letters that stand below each other may be words.
        struck: boxes of letters that may be struck through, in the ink frame: left, top, and one past right
            and bottom.
        shows_through: whether writing of the other side was found, and left out.
        has_other_alphabet: whether many letters look like characters that the job's alphabet leaves out.
        is_printed_form: whether most of the ink is print, which was left out.
        cell_rows: rows of cells for one letter each, from top to bottom.
    """

    lines: tuple[Line, ...]
    skew_degrees: float
    quality: Quality
    quarters: int = 0
    ink: Ink | None = field(default=None, compare=False, repr=False)
    has_turned_block: bool = False
    has_downward_words: bool = False
    struck: tuple[tuple[int, int, int, int], ...] = ()
    shows_through: bool = False
    has_other_alphabet: bool = False
    is_printed_form: bool = False
    cell_rows: tuple[CellRow, ...] = ()
