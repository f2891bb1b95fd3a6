"""Makes the line network's input from a grey image of a line: 32 rows, ink positive, contrast stretched."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

LINE_VERSION = 1
"""Version of what `line_image` makes. A network belongs to one version."""

LINE_ROWS = 32
"""Height of the network's input in pixels."""

STEP_COLUMNS = 2
"""Columns of the input for each of the network's time steps."""

WIDTH_UNIT = 8
"""Widths are padded to a multiple of this."""

_PAPER_PERCENTILE, _INK_PERCENTILE = 95, 1
_LEAST_CONTRAST = 24.0
"""Below this difference of grey values, nothing on the line is ink."""


def line_image(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale a line to the network's height and stretch its contrast.

    Args:
        grey: uint8, h×w: a line with some paper above and below, dark ink on light paper.

    Returns:
        uint8, 32×w', w' as the aspect asks, a multiple of 8: 0 for paper, 255 for the darkest ink.
    """
    height, width = grey.shape
    columns = max(WIDTH_UNIT, round(width * LINE_ROWS / height))
    method = cv2.INTER_AREA if height > LINE_ROWS else cv2.INTER_LINEAR
    scaled = cv2.resize(grey, (columns, LINE_ROWS), interpolation=method)
    paper, darkest = np.percentile(scaled, (_PAPER_PERCENTILE, _INK_PERCENTILE))
    gain = 255 / max(_LEAST_CONTRAST, float(paper - darkest))
    darker = np.maximum(float(paper) - scaled, 0)
    ink = cv2.convertScaleAbs(darker, alpha=gain)
    return np.asarray(
        cv2.copyMakeBorder(ink, 0, 0, 0, -columns % WIDTH_UNIT, cv2.BORDER_CONSTANT, value=0), np.uint8
    )
