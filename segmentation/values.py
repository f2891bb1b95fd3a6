"""The values that segmentation hands on: boxes, ink, candidate letters, words, lines and the whole page.

Every value is frozen. Boxes are in pixels of the page as it was given, x right, y down, from the
top-left corner; arrays in the ink frame are deskewed and may be smaller than the page.
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
    """The ink of a page, upright, with the way back to the page.

    Attributes:
        mask: uint8, h×w, 0 paper … 255 ink; half-covered pixels at the edge of a stroke lie between, and
            128 is where a stroke ends.
        skew_degrees: the angle of the text on the page; positive where its lines fall to the right. An angle
            too small to matter is stated here and left in the ink.
        to_page: float64, 2×3, the affine map from ink coordinates (x, y, pixel centres) to page coordinates.
    """

    mask: NDArray[np.uint8] = field(compare=False, repr=False)
    skew_degrees: float
    to_page: NDArray[np.float64] = field(compare=False, repr=False)

    @property
    def scale(self) -> float:
        """Pixels of the ink frame in a page pixel, at most 1."""
        return 1 / float(np.hypot(*self.to_page[0, :2]))


@dataclass(frozen=True, slots=True)
class Candidate:
    """Ink that may be one character: a run of its word's components.

    Attributes:
        box: the smallest upright box around its ink, clipped to the page.
        ink: uint8, h×w, this character's ink alone in the deskewed frame; neighbours that reach into its box
            are left out.
        glyph: uint8, 28×28, the same as the CNN sees it.
        left: column of the ink frame in which `ink` begins.
        top: its row.
        first: number of its first component in the word, from 0.
        last: one past the number of its last component.
    """

    box: Box
    ink: NDArray[np.uint8] = field(compare=False, repr=False)
    glyph: NDArray[np.uint8] = field(compare=False, repr=False)
    left: int
    top: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Gap:
    """What lies between two neighbouring components of a word.

    Attributes:
        paper: columns of paper in letter heights of the line; negative where their boxes overlap.
        ink: strokes' widths of ink that a cut between them crosses; 0 where they don't touch.
    """

    paper: float
    ink: float = 0.0


@dataclass(frozen=True, slots=True)
class Word:
    """Characters that stand together.

    Attributes:
        candidates: what its characters may be; as segmentation finds them one for each component, from left to
            right. `segmentation.over_segmentation.refine` adds runs of components where that is doubtful.
        joints: between each two neighbours of the components that the candidates are runs of.
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
    """What a person should know of a scan that reads worse than it could, the gravest first."""

    NO_INK = "NO_INK"
    LOW_RESOLUTION = "LOW_RESOLUTION"
    LOW_CONTRAST = "LOW_CONTRAST"
    BLURRED = "BLURRED"
    SKEWED = "SKEWED"
    TURNED = "TURNED"
    MUCH_INK_UNREAD = "MUCH_INK_UNREAD"


@dataclass(frozen=True, slots=True)
class Quality:
    """What was measured of a page; None is what cannot be told without ink, or without letters.

    Attributes:
        letter_height: of a typical letter in page pixels, or of a component of ink where no letter was found.
        stroke_width: of a typical stroke in page pixels.
        contrast: grey levels (of 255) between paper and ink.
        blur: standard deviation of the blur in letter heights, beyond what the pixels themselves make.
        ink_used: share (0–1) of the strokes on the page, by length, that are letters; rules, frames, specks
            and what touches the page's edge don't count.
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
        skew_degrees: the angle of the text; positive where its lines fall to the right.
        quality: what was measured of the scan.
        quarters: quarter turns clockwise by which the page lies, 0 to 3; boxes are on the page as it lies.
        ink: what the candidates were cut from; None where no letter was found.
    """

    lines: tuple[Line, ...]
    skew_degrees: float
    quality: Quality
    quarters: int = 0
    ink: Ink | None = field(default=None, compare=False, repr=False)
