"""The line network's input: fixed height, ink positive, the same for every brightness and scale."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lettermill.segmentation.line_image import LINE_ROWS, WIDTH_UNIT, line_image


def written(height: int = 64, width: int = 300) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    page = np.full((height, width), 230, np.uint8)
    cv2.putText(page, "H7", (20, height - 14), cv2.FONT_HERSHEY_SIMPLEX, height / 40, 30, 4, cv2.LINE_AA)
    return page


@given(st.integers(4, 200), st.integers(4, 400))
def test_the_height_is_fixed_and_the_aspect_is_kept(height: int, width: int) -> None:
    image = line_image(np.full((height, width), 200, np.uint8))
    assert image.shape[0] == LINE_ROWS
    assert image.shape[1] % WIDTH_UNIT == 0
    assert width * LINE_ROWS / height - 1 <= image.shape[1] <= width * LINE_ROWS / height + WIDTH_UNIT + 1


def test_ink_is_bright_and_paper_is_black() -> None:
    image = line_image(written())
    assert image.max() == 255
    assert np.median(image) == 0


@given(st.floats(0.4, 1), st.integers(0, 60))
def test_brightness_and_contrast_do_not_matter(gain: float, shade: int) -> None:
    page = written()
    other = cv2.convertScaleAbs(page, alpha=gain, beta=shade * (1 - gain))
    difference = np.abs(line_image(page).astype(int) - line_image(np.asarray(other, np.uint8)))
    assert difference.mean() < 4


def test_grain_of_empty_paper_is_not_stretched_to_ink() -> None:
    grain = np.random.default_rng(1).normal(220, 1.5, (40, 300))
    assert line_image(np.clip(grain, 0, 255).astype(np.uint8)).mean() < 40
