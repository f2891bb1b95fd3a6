"""Shows a line to the line network: cut out of the page as it was scanned, in one view or three."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lettermill.segmentation.line_image import LINE_ROWS, STEP_COLUMNS, line_image
from lettermill.segmentation.values import Candidate, Ink
from lettermill.worker.reading.line_evidence import Steps
from lettermill.worker.reading.line_network import LineNetwork

_MARGIN_LETTERS = 0.3
"""Paper above and below the letters that the network sees, in letter heights."""

_SIDE_LETTERS = 0.5
"""The same beside them."""

STRETCH = 1.3
"""Width of the stretched view: so narrow letters, too, have the time steps that they need."""

END_HEIGHTS = 0.6
"""Paper added before and behind an image that is one line of digits, in its heights: the network misses a
digit with which the image begins. Letters read half a point worse with it."""

_WIDEST_WARP_PIXELS = 32_000
"""OpenCV warps nothing wider than 32,767 pixels."""


def views_of(
    page: NDArray[np.uint8],
    candidates: Sequence[Candidate],
    letter: float,
    ink: Ink,
    network: LineNetwork,
    whole: bool,
    are_digits: bool = False,
) -> list[Steps]:
    """Read a line in one view or three.

    Args:
        page: uint8, h×w, grey.
        candidates: of the line.
        letter: height of its typical letter in pixels of the ink frame.
        ink: the frame of the candidates.
        network: reads the line images.
        whole: whether the page is one line, which is shown stretched and whole, too.
        are_digits: whether only digits may be written.

    Returns:
        What the network says of the line, cut as high as its letters; of the same, stretched; and of the
        whole page.
    """
    tall = [one for one in candidates if one.ink.shape[0] - 2 > 0.5 * letter] or candidates
    middle = float(np.median([one.top + one.ink.shape[0] / 2 for one in tall]))
    half = (0.5 + _MARGIN_LETTERS) * letter
    side = _SIDE_LETTERS * letter
    left = min(one.left for one in candidates) - side
    right = max(one.left + one.ink.shape[1] for one in candidates) + side
    from_page = cv2.invertAffineTransform(ink.to_page)
    height, width = page.shape
    edges = [float((from_page @ (x, height / 2, 1))[0]) for x in (0, width)]
    if whole:  # Letters that were not found may stand anywhere.
        left, right = min(left, edges[0]), max(right, edges[1])
    size = max(4, round(right - left)), max(4, round(2 * half))
    # From the pixels of the cut to those of the ink frame, and on to the page's.
    to_page = ink.to_page.copy()
    to_page[:, 2] += ink.to_page[:, :2] @ (left, middle - half)
    shrink = min(1.0, _WIDEST_WARP_PIXELS / max(page.shape))
    small = (
        page if shrink == 1 else cv2.resize(page, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    )
    size = min(size[0], _WIDEST_WARP_PIXELS), size[1]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(small, shrink * to_page, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    if not whole:
        return [_steps(np.asarray(cut, np.uint8), left, 1.0, network)]
    wider = cv2.resize(cut, (round(STRETCH * size[0]), size[1]), interpolation=cv2.INTER_LINEAR)
    steps = _steps_of_digits if are_digits else _steps
    return [
        steps(np.asarray(cut, np.uint8), left, 1.0, network),
        steps(np.asarray(wider, np.uint8), left, size[0] / wider.shape[1], network),
        steps(page, edges[0], ink.scale, network),
    ]


def whole_view(page: NDArray[np.uint8], network: LineNetwork, are_digits: bool = False) -> Steps:
    """Read a page that is one line, without an ink frame: columns are those of the page.

    Args:
        page: uint8, h×w, grey.
        network: reads the line image.
        are_digits: whether only digits may be written.
    """
    return (_steps_of_digits if are_digits else _steps)(page, 0.0, 1.0, network)


def _steps_of_digits(grey: NDArray[np.uint8], left: float, scale: float, network: LineNetwork) -> Steps:
    """Read an image that is one line of digits, with paper added at both ends."""
    ends = round(END_HEIGHTS * grey.shape[0])
    longer = cv2.copyMakeBorder(grey, 0, 0, ends, ends, cv2.BORDER_REPLICATE)
    return _steps(np.asarray(longer, np.uint8), left - ends * scale, scale, network)


def _steps(grey: NDArray[np.uint8], left: float, scale: float, network: LineNetwork) -> Steps:
    """Read a grey line, `scale` columns of the ink frame wide for each of its own."""
    columns = STEP_COLUMNS * grey.shape[0] / LINE_ROWS * scale
    return Steps(network.probabilities(line_image(grey)), left, columns)
